// A button that scans with the camera, one that stops it, and where it is told how it goes.

import { canScan, scanCamera, whyNot } from "./scan.js";

// `words` are scanning, refused, none, busy, reader and never: why a camera does not scan. What was
// read goes to `found`. False where this browser cannot scan here: then there is no button.
export function wireCamera({ button, stop, video, state, words, jsqr, found }) {
  if (!canScan()) {
    button.remove();
    state.textContent = words.never;
    return false;
  }
  let stopped = true;
  stop.addEventListener("click", () => {
    stopped = true;
  });
  button.addEventListener("click", async () => {
    stopped = false;
    show(true);
    let text = null;
    let told = "";
    try {
      text = await scanCamera(video, jsqr, () => stopped);
    } catch (error) {
      told = words[whyNot(error)];
    }
    show(false);
    state.textContent = told;
    if (text !== null) await found(text);
  });
  return true;

  function show(running) {
    video.hidden = !running;
    stop.hidden = !running;
    button.hidden = running;
    state.textContent = running ? words.scanning : "";
    (running ? stop : button).focus();
  }
}
