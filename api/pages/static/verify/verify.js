// The verifier: a receipt's bytes and whom to trust, to one of four outcomes. It decides as
// ledger/verify.py does, step by step and in the same order; docs/vectors/verdicts hold both to it.

import { openDisclosures, openSealed } from "./sealed.js";
import { parseCheckpoint } from "./checkpoint.js";
import { parseEntry } from "./entry.js";
import { leafHash, verifyInclusion } from "./merkle.js";
import { openNote } from "./note.js";
import { parseReceipt } from "./receipt.js";
import { mismatch, Refusal, undecided } from "./refusal.js";
import { verifierFor } from "./signatures.js";
import { openWitnessed } from "./witnessed.js";

// trust: { keys: [verifier key, ...] } or { policy }. now: seconds since 1970.
// Gives { outcome: "verified" | "pending" | "mismatch" | "undecided", code, check, holds, ... }
// where `holds` says of each row true, false, or null where it was not reached. What was
// established stands beside it: receipt, checkpoint, signers, witnessed, leaf, entry, values, hidden.
export async function judge(bytes, trust, now) {
  const found = {
    outcome: "verified",
    code: "verified",
    check: null,
    holds: { genuine: null, recorded: null, witnessed: null, as_of: null },
  };
  try {
    await examine(bytes, trust, now, found);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    found.outcome = error.outcome;
    found.code = error.code;
    found.check = error.check;
    if (error.outcome === "mismatch") {
      found.holds[found.holds.genuine === null ? "genuine" : "recorded"] = false;
    }
    return found;
  }
  if (found.witnessed !== null && !found.witnessed.quorumMet) {
    found.outcome = "pending";
    found.code = "pending";
    found.check = "witnesses";
  }
  return found;
}

async function examine(bytes, trust, now, found) {
  const receipt = parseReceipt(bytes);
  found.receipt = receipt;
  const { checkpoint, signers, witnessed } = await openTrusted(receipt.checkpoint, trust, now);
  Object.assign(found, { checkpoint, signers, witnessed });
  found.holds.genuine = true;
  found.holds.as_of = true;
  found.holds.witnessed = witnessed === null ? null : witnessed.quorumMet;
  const { opening } = receipt;
  found.leaf = leafHash(opening.entry);
  verifyInclusion(receipt.index, checkpoint.size, found.leaf, receipt.proof, checkpoint.root);
  const entry = parseEntry(opening.entry);
  if (BigInt(entry.index) !== receipt.index) throw mismatch("place", "index_mismatch");
  let values = Object.create(null);
  if (opening.seed !== null) {
    values = opening.values;
    openSealed(entry.sealed, opening.seed, values);
  } else if (opening.disclosures.length) {
    values = openDisclosures(entry.sealed, opening.disclosures);
  }
  found.holds.recorded = true;
  const hidden = Object.keys(entry.sealed).filter((one) => !(one in values)).sort();
  Object.assign(found, { entry, values, hidden });
}

async function openTrusted(bytes, trust, now) {
  if (trust.policy) {
    const witnessed = await openWitnessed(bytes, trust.policy, now);
    const signers = [...new Set(witnessed.logKeys.map((one) => one.key.name))];
    return { checkpoint: witnessed.checkpoint, signers, witnessed };
  }
  if (trust.keys.length === 0) throw undecided("key", "undecided");
  const note = await openNote(bytes, trust.keys.map(verifierFor));
  const checkpoint = parseCheckpoint(note.text);
  if (checkpoint.origin !== trust.keys[0].name) throw mismatch("origin");
  return { checkpoint, signers: note.signers, witnessed: null };
}
