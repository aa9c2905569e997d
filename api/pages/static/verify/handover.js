// From a verdict to "My gift": the seed goes on in this tab's session storage alone, never in an
// address and never to a disk.

import { element } from "./dom.js";
import { encodeBase64Url } from "./bytes.js";
import { t } from "./words.js";

const KEY = "shanji.seed.";

// Links below a verdict of this site's own log. `giftPage` is "/gifts/{index}", or null.
export function handover(found, { origin, giftPage }) {
  if (!["verified", "pending"].includes(found.outcome)) return [];
  if (found.checkpoint.origin !== origin) return [];
  const { index } = found.entry;
  const { seed } = found.receipt.opening;
  const links = [element("a", { class: "button second", href: `/entries/${index}` }, t("verify.to_entry"))];
  if (giftPage !== null) {
    const href = giftPage.replace("{index}", index);
    const link = element("a", { class: "button", id: "to-gift", href }, t("verify.to_gift"));
    link.addEventListener("click", () => {
      if (seed !== null) sessionStorage.setItem(`${KEY}${index}`, encodeBase64Url(seed));
    });
    links.unshift(link);
  }
  return [element("p", { class: "buttons" }, ...links)];
}
