// What tests and other programs call: a judgement as plain values, by either backend.

import { attachedReceipts } from "./attachment.js";
import { fromLatin1, utf8 } from "./bytes.js";
import { backend, chooseBackend } from "./ed25519.js";
import { facts, tell } from "./facts.js";
import { parseVerifierKey } from "./keys.js";
import { parseLocator, parseShortCode } from "./locator.js";
import { parsePolicy } from "./policy.js";
import { Refusal } from "./refusal.js";
import { judge } from "./verify.js";
import { setWords } from "./words.js";

export { attachedReceipts, backend, chooseBackend, parseLocator, parseShortCode, setWords, tell };

const octets = (given, text, raw) => (raw in given ? fromLatin1(given[raw]) : utf8(given[text]));

// A vector's input (docs/vectors/verdicts) to what is wanted of it, and the four rows in words.
export async function judgeVector(given) {
  let found;
  try {
    const trust =
      "keys" in given
        ? { keys: given.keys.map(parseVerifierKey) }
        : { policy: parsePolicy(octets(given, "policy", "policy_latin1")) };
    found = await judge(octets(given, "receipt", "latin1"), trust, given.now);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const holds = { genuine: null, recorded: null, witnessed: null, as_of: null };
    return { told: { outcome: "undecided", code: error.code, holds }, rows: null };
  }
  const told = { outcome: found.outcome, code: found.code, holds: found.holds };
  if (found.outcome !== "verified" && found.outcome !== "pending") return { told, rows: null };
  Object.assign(told, {
    index: found.entry.index,
    size: Number(found.checkpoint.size),
    values: { ...found.values },
    hidden: found.hidden,
  });
  if (found.witnessed !== null) {
    told.cosigned = found.witnessed.cosigned.length;
    told.witnesses = found.witnessed.witnesses;
  }
  return { told, rows: facts(found).map((one) => one.text) };
}
