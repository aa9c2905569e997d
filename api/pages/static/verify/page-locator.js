// The page /r, to which a QR code leads: the locator after # never leaves this browser, but for the
// index in an address and the seed in a header. The receipt that comes is verified here.

import { offerIn } from "../aloud.js";
import { byId, element, pageData } from "./dom.js";
import { fetchReceipt } from "./fetched.js";
import { handover } from "./handover.js";
import { parseLocator } from "./locator.js";
import { Refusal } from "./refusal.js";
import { Session } from "./session.js";
import { wireTrust } from "./trust-form.js";
import { setWords, t } from "./words.js";

const data = pageData();
setWords(data.words, data.language);
let closed = false;
const session = new Session(byId("result"), data.trust, (found, bytes) => [
  ...(closed ? [element("p", { class: "notice", id: "closed" }, t("locator.closed"))] : []),
  ...handover(found, data),
  save(found, bytes),
]);
offerIn(byId("result"));
wireTrust(data.trust, (text) => session.trust(text));
addEventListener("hashchange", follow);
follow();

async function follow() {
  const turn = session.begin();
  byId("result").replaceChildren(element("p", { role: "status" }, t("locator.working")));
  try {
    const locator = parseLocator(location.hash);
    if (locator.logId !== data.logId) throw new Refusal("undecided", "other_log", "locator_log");
    const fetched = await fetchReceipt(locator.index, locator.seed);
    if (turn !== session.turn) return;
    closed = !fetched.opened;
    await session.show(fetched.bytes, turn);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    session.tellRefusal(error.check, turn);
  }
  document.documentElement.dataset.verifier = "ready";
}

// The proof file, to keep: it verifies for ever, with or without this site.
function save(found, bytes) {
  const button = element("button", { type: "button", class: "button second" }, t("locator.save"));
  button.addEventListener("click", () => {
    const address = URL.createObjectURL(new Blob([bytes], { type: "text/plain" }));
    const name = `${found.receipt?.index ?? "receipt"}.tlog-proof`;
    element("a", { href: address, download: name }).click();
    URL.revokeObjectURL(address);
  });
  return element("p", { class: "buttons" }, button);
}
