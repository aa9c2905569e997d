// What the reader's session holds: whom is trusted, and the way from bytes to a verdict on the
// page. The page of the site and the saved file both stand on it; nothing here asks the network.

import { attachedReceipts, isPdf } from "./attachment.js";
import { element } from "./dom.js";
import { symbolOf, tell } from "./facts.js";
import { Refusal } from "./refusal.js";
import { parseTrust } from "./trust.js";
import { judge } from "./verify.js";
import { showVerdict } from "./view.js";
import { t } from "./words.js";

const NOT_REACHED = { genuine: null, recorded: null, witnessed: null, as_of: null };
export const FILE_BYTES_MAX = 64 * 1024 * 1024;

export class Session {
  // `place` is where verdicts are shown; `moreOf` makes what stands below a judgement.
  constructor(place, trustText, moreOf = () => []) {
    this.place = place;
    this.trustText = trustText;
    this.moreOf = moreOf;
    this.shown = null;
    this.turn = 0;
  }

  // Another key or policy holds: what is shown is judged anew, or it would stand by the old one.
  async trust(text) {
    this.trustText = text;
    if (this.shown !== null) await this.show(this.shown);
  }

  // The reader has asked for something: what was asked for before is shown no more, however late
  // its answer comes. The number goes to whatever is to be shown of it.
  begin() {
    this.turn += 1;
    return this.turn;
  }

  // The judgement of a receipt by who is trusted now; never throws for anything in a file.
  async judge(bytes) {
    try {
      return await judge(bytes, parseTrust(this.trustText), Math.floor(Date.now() / 1000));
    } catch (error) {
      if (error instanceof Refusal) return refused(error);
      throw error;
    }
  }

  // Receipts in a file: itself, or those that a PDF carries. None: a PDF without any.
  async receiptsIn(bytes) {
    return isPdf(bytes) ? attachedReceipts(bytes) : [bytes];
  }

  // Judges a file and shows the verdict; of several receipts, a list to choose from first.
  async show(bytes, turn = this.begin()) {
    if (turn !== this.turn) return;
    this.shown = bytes;
    if (bytes.length > FILE_BYTES_MAX) return this.tellRefusal("too_large", turn);
    // A trace proof is one JSON object; walking it is the command's work.
    if (bytes[0] === 0x7b) return this.tellRefusal("trace", turn);
    const receipts = await this.receiptsIn(bytes);
    if (receipts.length === 0) return this.tellRefusal("no_attachment", turn);
    if (receipts.length === 1) return this.showOne(receipts[0], turn);
    return this.showMany(receipts, turn);
  }

  async showOne(bytes, turn) {
    const found = await this.judge(bytes);
    if (turn === this.turn) showVerdict(this.place, found, { more: this.moreOf(found, bytes) }).focus();
  }

  // As `showOne`, while the reader goes on typing: the focus stays where it is. Null where
  // something else was asked for meanwhile.
  async showInPlace(bytes) {
    const turn = this.begin();
    const found = await this.judge(bytes);
    if (turn !== this.turn) return null;
    showVerdict(this.place, found, { brief: true });
    return found;
  }

  async showMany(receipts, turn) {
    const rows = [];
    for (const bytes of receipts) rows.push({ bytes, found: await this.judge(bytes) });
    if (turn !== this.turn) return;
    const heading = element("h2", { tabindex: "-1" }, t("verify.many", { count: rows.length }));
    const list = element("ol", { class: "plain receipts" }, ...rows.map((one) => this.itemOf(one)));
    const below = element("div", { id: "chosen" });
    this.place.replaceChildren(heading, list, below);
    heading.focus();
  }

  itemOf({ bytes, found }) {
    const { word, sentence } = tell(found);
    const button = element("button", { type: "button", class: "button second" }, t("verify.show_one"));
    button.addEventListener("click", () => {
      const below = document.getElementById("chosen");
      showVerdict(below, found, { more: this.moreOf(found, bytes) }).focus();
    });
    return element("li", { "data-outcome": found.outcome }, `${symbolOf(found.outcome)} ${word} `, sentence, " ", button);
  }

  // A verdict for what never became a receipt: `check` says why.
  tellRefusal(check, turn = this.begin()) {
    if (turn !== this.turn) return;
    this.shown = null;
    const found = refused(new Refusal("undecided", "malformed", check));
    showVerdict(this.place, found, { more: [] }).focus();
  }
}

const refused = (error) => ({
  outcome: error.outcome,
  code: error.code,
  check: error.check,
  holds: { ...NOT_REACHED },
});
