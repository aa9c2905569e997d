// The part of the page where readers say whom they trust: the key that came with the page, or
// one of their own, which they have from elsewhere.

import { byId } from "./dom.js";
import { Refusal } from "./refusal.js";
import { parseTrust } from "./trust.js";
import { t } from "./words.js";

// Calls `changed(text)` when another key or policy is to hold: also one that cannot be read, by
// which nothing can be decided. To go on with the site's would look as if the reader's had held.
export function wireTrust(siteText, changed) {
  const area = byId("own-trust");
  const file = byId("own-trust-file");
  const state = byId("trust-state");
  const use = (text) => {
    if (text.trim() === "") {
      state.textContent = t("verify.trust_site");
      changed(siteText);
      return;
    }
    try {
      parseTrust(text);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      state.textContent = `${t(`check.${error.check}`)} ${t("verify.trust_unread")}`;
      changed(text);
      return;
    }
    state.textContent = t("verify.trust_own");
    changed(text);
  };
  byId("own-trust-use").addEventListener("click", () => use(area.value));
  file.addEventListener("change", async () => {
    if (file.files.length === 0) return;
    area.value = await file.files[0].text();
    use(area.value);
  });
}
