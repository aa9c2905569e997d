// The tamper lab: a copy of a receipt, taken apart into lines that anybody can change. With every
// change the receipt is put together again and verified, and the check that fails is named.

import { encodeBase64, decodeBase64, fromUtf8, utf8 } from "./bytes.js";
import { formatCanonical, parseCanonical } from "./canonical.js";
import { byId, element, pageData } from "./dom.js";
import { symbolOf, tell } from "./facts.js";
import { HEADER } from "./receipt.js";
import { Session } from "./session.js";
import { mark, setWords, t, word } from "./words.js";

const PAUSE_MS = 150;
const data = pageData();
setWords(data.words, data.language);
const session = new Session(byId("result"), data.trust);
const original = takeApart(data.receipt);
const controls = new Map();
let timer = 0;
let cut = null;

// Each prepared change takes the parts and gives them changed; the last ones change the file.
const CHANGES = {
  do_amount: (parts) => ({ ...parts, entry: parts.entry.replace(/"amount_fen":(\d+)/, '"amount_fen":$10') }),
  do_name: (parts) => ({ ...parts, values: { ...parts.values, donor_name: "别人" } }),
  do_day: (parts) => ({ ...parts, entry: parts.entry.replace("2021-06-01", "2021-06-02") }),
  do_space: (parts) => ({ ...parts, entry: parts.entry.replace(":", ": ") }),
  do_place: (parts) => ({ ...parts, index: String(Number(parts.index) - 1) }),
  do_proof: (parts) => ({ ...parts, proof: [otherLetter(parts.proof[0], 5), ...parts.proof.slice(1)] }),
  do_short: (parts) => ({ ...parts, proof: ["", ...parts.proof.slice(1)] }),
  do_size: (parts) => ({ ...parts, size: String(Number(parts.size) + 1) }),
  do_root: (parts) => ({ ...parts, root: otherLetter(parts.root, 5) }),
  do_signature: (parts) => ({ ...parts, signature: otherLetter(parts.signature, parts.signature.length - 20) }),
  do_signer: (parts) => ({ ...parts, signature: parts.signature.replace("— shanji", "— Shanji") }),
  do_cut: (parts) => ({ ...parts, cut: 700 }),
};

build();
byId("lab").hidden = false;
decide();

function takeApart(receipt) {
  const [head, text, signature] = receipt.split("\n\n");
  const [, extra, index, ...proof] = head.split("\n");
  const opening = parseCanonical(decodeBase64(extra.slice(6), "extra"), "extra");
  const [origin, size, root] = text.split("\n");
  return {
    entry: fromUtf8(decodeBase64(opening.entry, "extra")),
    seed: opening.seed,
    values: { ...opening.values },
    index: index.slice(6),
    proof,
    origin,
    size,
    root,
    signature: signature.trimEnd(),
    cut: null,
  };
}

function join(parts) {
  const opening = { entry: encodeBase64(utf8(parts.entry)), seed: parts.seed, values: parts.values };
  const proof = parts.proof.filter((one) => one !== "");
  const lines = [HEADER, `extra ${encodeBase64(formatCanonical(opening))}`, `index ${parts.index}`, ...proof];
  const note = `${parts.origin}\n${parts.size}\n${parts.root}\n\n${parts.signature}\n`;
  const text = `${lines.join("\n")}\n\n${note}`;
  return utf8(parts.cut === null ? text : text.slice(0, parts.cut));
}

const otherLetter = (text, at) => text.slice(0, at) + (text[at] === "A" ? "B" : "A") + text.slice(at + 1);

function build() {
  const place = byId("lab-parts");
  place.append(control("entry", t("lab.entry"), 8));
  for (const name of Object.keys(original.values)) {
    place.append(control(`value-${name}`, `${t("lab.values")} · ${word("field", name)}`));
  }
  place.append(control("index", t("lab.index")));
  original.proof.forEach((_, at) => place.append(control(`proof-${at}`, t("lab.proof", { number: at + 1 }), 2)));
  place.append(control("origin", t("lab.origin")), control("size", t("lab.size")));
  place.append(control("root", t("lab.root"), 2), control("signature", t("lab.signature"), 4));
  fill(original);
  const buttons = Object.entries(CHANGES).map(([name, change]) => button(t(`lab.${name}`), () => fill(change(original))));
  byId("lab-buttons").append(button(t("lab.reset"), () => fill(original), "button"), ...buttons);
}

function button(text, act, style = "button second") {
  const made = element("button", { type: "button", class: style }, text);
  made.addEventListener("click", () => {
    act();
    decide();
  });
  return made;
}

function control(name, label, rows = 1) {
  const id = `lab-${name}`;
  const made =
    rows > 1
      ? element("textarea", { id, rows, spellcheck: "false" })
      : element("input", { id, type: "text", spellcheck: "false", autocomplete: "off" });
  made.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(decide, PAUSE_MS);
  });
  controls.set(name, made);
  return element("div", { class: "field" }, element("label", { for: id }, label), made);
}

function fill(parts) {
  cut = parts.cut;
  for (const name of ["entry", "index", "origin", "size", "root", "signature"]) {
    controls.get(name).value = parts[name];
  }
  for (const [name, value] of Object.entries(parts.values)) controls.get(`value-${name}`).value = value;
  parts.proof.forEach((line, at) => {
    controls.get(`proof-${at}`).value = line;
  });
}

async function decide() {
  const value = (name) => controls.get(name).value;
  const values = Object.fromEntries(Object.keys(original.values).map((name) => [name, value(`value-${name}`)]));
  const parts = {
    ...Object.fromEntries(["entry", "index", "origin", "size", "root", "signature"].map((name) => [name, value(name)])),
    seed: original.seed,
    values,
    proof: original.proof.map((_, at) => value(`proof-${at}`)),
    cut,
  };
  const found = await session.showInPlace(join(parts));
  if (found === null) return;
  // Repeated where the reader is typing; who hears the page has heard it from the result.
  byId("lab-status").textContent = `${symbolOf(found.outcome)} ${tell(found).word}${mark("colon")}${tell(found).sentence}`;
  document.documentElement.dataset.verifier = "ready";
}
