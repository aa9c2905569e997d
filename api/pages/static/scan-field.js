// A field that takes a code from the camera, on the pages of staff: a lot, a shipment, a holder.
// Only what can be such a code is taken: a receipt's QR code holds the key to personal fields, and
// must not come into a field that is sent, by an address least of all.

import { wireCamera } from "./verify/camera.js";

const CODE = /^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$/;

for (const place of document.querySelectorAll("[data-scan]")) {
  const field = document.getElementById(place.dataset.scan);
  const [button, stop] = place.querySelectorAll("button");
  const state = place.querySelector("[role=status]");
  const words = JSON.parse(place.dataset.words);
  const wired = wireCamera({
    button,
    stop,
    state,
    words,
    video: place.querySelector("video"),
    jsqr: place.dataset.jsqr,
    found: (text) => take(field, place, text.trim(), state, words),
  });
  // Who cannot scan here types, as everybody can.
  place.hidden = !wired;
}

function take(field, place, text, state, words) {
  if (!CODE.test(text)) {
    state.textContent = words.other;
    return;
  }
  field.value = text;
  field.focus();
  if ("send" in place.dataset) field.form.requestSubmit();
}
