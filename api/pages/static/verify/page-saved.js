// The saved file: the whole verifier in one page that works from a disk without any network. It
// trusts only whom its reader names, and speaks both languages.

import { chooseBackend, judgeVector } from "./api.js";
import { byId, element, pageData } from "./dom.js";
import { utf8 } from "./bytes.js";
import { Session } from "./session.js";
import { setWords, t } from "./words.js";

const data = pageData();
const LANGUAGES = ["zh", "en"];
let shown = null;
let session = null;

speak(navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en");
document.documentElement.dataset.verifier = "ready";
// For other programs and for tests: a judgement as plain values.
globalThis.shanjiVerifier = { chooseBackend, judgeVector };

function speak(language) {
  const at = LANGUAGES.indexOf(language);
  setWords(Object.fromEntries(Object.entries(data.words).map(([name, both]) => [name, both[at]])), language);
  document.documentElement.lang = language === "zh" ? "zh-Hans" : "en";
  document.title = t("saved.title");
  byId("main").replaceChildren(...page(language === "zh" ? "en" : "zh"));
  session = new Session(byId("result"), byId("own-trust").value);
  if (shown !== null) session.show(shown);
}

function page(other) {
  const language = element("button", { type: "button", class: "button second", lang: other === "zh" ? "zh-Hans" : "en" }, data.words["saved.this_language"][LANGUAGES.indexOf(other)]);
  language.addEventListener("click", () => speak(other));
  const trust = element("textarea", { id: "own-trust", rows: "4", spellcheck: "false" });
  trust.value = byId("own-trust")?.value ?? "";
  const file = element("input", { id: "file", type: "file", accept: ".tlog-proof,.pdf" });
  const text = element("textarea", { id: "text", rows: "4", spellcheck: "false" });
  const decide = element("button", { type: "button", class: "button" }, t("verify.submit"));
  decide.addEventListener("click", async () => {
    session.trustText = trust.value;
    const asked = session;
    const turn = asked.begin();
    const given = file.files.length ? new Uint8Array(await file.files[0].arrayBuffer()) : pasted(text.value);
    if (turn !== asked.turn) return;
    shown = given ?? shown;
    if (shown === null) session.tellRefusal("nothing");
    else await session.show(shown);
  });
  return [
    element("p", { class: "buttons" }, language),
    element("h1", {}, t("saved.title")),
    element("p", {}, t("saved.lead")),
    field("own-trust", t("saved.trust"), t("saved.trust_hint"), trust),
    field("file", t("saved.file"), t("saved.file_hint"), file),
    field("text", t("verify.text"), "", text),
    element("p", { class: "buttons" }, decide),
    element("div", { id: "result", "aria-live": "polite" }),
    element("p", { class: "quiet" }, t("saved.about")),
  ];
}

const pasted = (text) => (text.trim() ? utf8(`${text.trim()}\n`) : null);

function field(id, label, hint, control) {
  const about = hint ? element("span", { class: "hint" }, hint) : null;
  return element("div", { class: "field" }, element("label", { for: id }, label), about, control);
}
