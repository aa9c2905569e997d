// The page /verify: a file dropped or chosen, text pasted, a code typed, or a QR code scanned; the
// verdict comes from this browser. Once loaded it asks the network for nothing, but for a receipt
// that is named only by its code.

import { offerIn } from "../aloud.js";
import { wireCamera } from "./camera.js";
import { byId, pageData } from "./dom.js";
import { fetchReceipt } from "./fetched.js";
import { handover } from "./handover.js";
import { utf8 } from "./bytes.js";
import { parseLocator, parseShortCode } from "./locator.js";
import { Refusal } from "./refusal.js";
import { readPicture } from "./scan.js";
import { Session } from "./session.js";
import { wireTrust } from "./trust-form.js";
import { setWords, t } from "./words.js";

const REASONS = ["refused", "none", "busy", "reader", "never"];

const data = pageData();
setWords(data.words, data.language);
const session = new Session(byId("result"), data.trust, (found) => handover(found, data));
offerIn(byId("result"));
const form = byId("verify-form");

form.addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(decide);
});
byId("file").addEventListener("change", () => attempt(decideFile));
byId("text").addEventListener("paste", () => setTimeout(() => attempt(decide)));
wireDrop(byId("drop"));
wireCamera({
  button: byId("scan"),
  stop: byId("scan-stop"),
  video: byId("camera"),
  state: byId("scan-state"),
  words: {
    scanning: t("verify.scanning"),
    ...Object.fromEntries(REASONS.map((one) => [one, t(`verify.camera_${one}`)])),
  },
  jsqr: data.jsqr,
  found: (text) => attempt((turn) => decideCode(text, turn)),
});
wireTrust(data.trust, (text) => session.trust(text));
document.documentElement.dataset.verifier = "ready";
for (const one of document.querySelectorAll("[data-script]")) one.hidden = false;
for (const one of document.querySelectorAll("[data-no-script]")) one.hidden = true;

// Runs a step, which is told its turn; what it refuses is told in place of a verdict.
async function attempt(step) {
  const turn = session.begin();
  try {
    await step(turn);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    session.tellRefusal(error.check, turn);
  }
}

function decide(turn) {
  if (byId("text").value.trim() !== "") return session.show(pasted(byId("text").value), turn);
  if (byId("code").value.trim() !== "") return decideCode(byId("code").value, turn);
  return decideFile(turn);
}

async function decideFile(turn) {
  const [file] = byId("file").files;
  if (file === undefined) return session.tellRefusal("nothing", turn);
  return decideOne(file, turn);
}

async function decideOne(file, turn) {
  if (file.type.startsWith("image/")) return decideCode(await readPicture(file, data.jsqr), turn);
  return session.show(new Uint8Array(await file.arrayBuffer()), turn);
}

// Text areas turn every line end into one newline, and people lose the last one when they copy.
function pasted(text) {
  const whole = text.replace(/^\s+/, "").replace(/\s*$/, "\n");
  return utf8(whole);
}

// A short code, or the link of a QR code: both name a receipt that this site has.
async function decideCode(text, turn) {
  if (text === null) return session.tellRefusal("no_qr", turn);
  if (!text.includes("#")) return session.show((await fetchReceipt(parseShortCode(data.origin, text), null)).bytes, turn);
  const locator = parseLocator(text.slice(text.indexOf("#")));
  if (locator.logId !== data.logId) return session.tellRefusal("locator_log", turn);
  return session.show((await fetchReceipt(locator.index, locator.seed)).bytes, turn);
}

function wireDrop(place) {
  place.addEventListener("dragover", (event) => {
    event.preventDefault();
    place.classList.add("over");
  });
  place.addEventListener("dragleave", () => place.classList.remove("over"));
  place.addEventListener("drop", (event) => {
    event.preventDefault();
    place.classList.remove("over");
    const [file] = event.dataTransfer.files;
    if (file !== undefined) attempt((turn) => decideOne(file, turn));
  });
}
