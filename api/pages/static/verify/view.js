// A judgement on the page: the verdict first, in one sentence with the next step; then the four
// rows; then the gift; then what was checked and what no proof can show.

import { byId, element } from "./dom.js";
import { facts, symbolOf, tell } from "./facts.js";
import { describeGift } from "./gift.js";
import { t } from "./words.js";

// Puts the judgement into a place and gives the heading, which can take the focus.
// `more` are elements that stand below the gift; `brief` leaves out all but verdict and rows.
export function showVerdict(place, found, { by = "verify.by_browser", more = [], brief = false } = {}) {
  const { word, sentence, next } = tell(found);
  const style = found.outcome === "undecided" ? "cannot_decide" : found.outcome;
  const heading = element(
    "h2",
    { class: "word", id: "verdict-word", tabindex: "-1" },
    element("span", { class: "symbol", "aria-hidden": "true" }, element("span", {}, symbolOf(found.outcome))),
    word,
  );
  const section = element(
    "section",
    { class: `verdict ${style}`, id: "verdict", "aria-labelledby": "verdict-word", "data-outcome": found.outcome, "data-code": found.code },
    heading,
    element("p", { class: "sentence", "data-aloud": "" }, sentence),
    element("p", { class: "next" }, element("strong", {}, t("outcome.next")), ` ${next}`),
    element("p", { class: "quiet" }, t(by)),
  );
  const parts = [section, rowsOf(found)];
  if (brief) {
    place.replaceChildren(...parts);
    return heading;
  }
  if (found.outcome === "verified" || found.outcome === "pending") parts.push(giftOf(found));
  place.replaceChildren(...parts, ...more, limits());
  // The page says the same below until there is a verdict; once is enough.
  byId("limits")?.setAttribute("hidden", "");
  return heading;
}

function rowsOf(found) {
  const rows = facts(found).map((one) =>
    element(
      "div",
      { "data-row": one.name, "data-holds": String(one.holds) },
      element("dt", {}, one.label),
      element("dd", {}, element("span", { class: "holds", "aria-hidden": "true" }, one.symbol), ` ${one.text}`),
    ),
  );
  return element("dl", { class: "facts rows", "aria-label": t("verify.rows") }, ...rows);
}

function giftOf(found) {
  const gift = describeGift(found.entry, found.values, found.hidden);
  const parts = [element("h2", { id: "gift" }, gift.title), pairs(gift.rows)];
  if (gift.opened.length) {
    parts.push(element("h3", {}, t("shown.opened")), pairs(gift.opened, "opened"));
  }
  if (gift.hidden.length) {
    parts.push(element("p", { class: "quiet" }, t("shown.hidden", { names: gift.hidden.join(t("units.comma")) })));
  }
  return element("section", { "aria-labelledby": "gift" }, ...parts);
}

const pairs = (rows, name = "") =>
  element(
    "dl",
    { class: `facts ${name}`.trim() },
    ...rows.map((one) => element("div", {}, element("dt", {}, one.label), element("dd", {}, one.text))),
  );

function limits() {
  const list = (key, count) =>
    element("ul", {}, ...Array.from({ length: count }, (_, at) => element("li", {}, t(`${key}_${at + 1}`))));
  return element(
    "section",
    { class: "cards two" },
    element("div", { class: "card" }, element("h3", {}, t("limits.checked")), list("limits.checked", 4)),
    element("div", { class: "card" }, element("h3", {}, t("limits.not_checked")), list("limits.not_checked", 3)),
  );
}
