// A checkpoint judged by a policy: which log key signed it, which witnesses saw it, as
// ledger/tlog/witnessed.py judges it. A witness cannot stand in for the log, nor the reverse.

import { parseCheckpoint } from "./checkpoint.js";
import { identityOf, splitNote } from "./note.js";
import { reachedBy } from "./policy.js";
import { mismatch, undecided } from "./refusal.js";
import { timeOf, verifierFor } from "./signatures.js";

const FUTURE_SECONDS_MAX = 300;

// { checkpoint, logKeys, cosigned: [{ witness, time }], passedOver: [{ witness, why }],
//   witnesses (how many), quorumMet }
export async function openWitnessed(bytes, policy, now) {
  const note = splitNote(bytes);
  const checkpoint = parseCheckpoint(note.text);
  const first = new Map();
  for (const one of note.signatures) if (!first.has(one.identity)) first.set(one.identity, one);
  const logKeys = await signedBy(policy.logKeys, checkpoint, first);
  const witnesses = new Map(policy.witnesses.map((one) => [identityOf(one.key.name, one.key.id), one]));
  const cosigned = [];
  const passedOver = [];
  for (const [identity, signature] of first) {
    const witness = witnesses.get(identity);
    if (witness === undefined) continue;
    await verifierFor(witness.key).verify(note.text, signature.bytes);
    const time = timeOf(signature.bytes);
    if (time === 0n) passedOver.push({ witness, why: "untimed" });
    else if (time > BigInt(now) + BigInt(FUTURE_SECONDS_MAX)) passedOver.push({ witness, why: "future" });
    else cosigned.push({ witness, time });
  }
  return {
    checkpoint,
    logKeys,
    cosigned,
    passedOver,
    witnesses: policy.witnesses.length,
    quorumMet: reachedBy(policy, cosigned.map((one) => one.witness.name)),
  };
}

async function signedBy(logKeys, checkpoint, signatures) {
  const signed = [];
  for (const one of logKeys) {
    const signature = signatures.get(identityOf(one.key.name, one.key.id));
    if (signature === undefined) continue;
    await verifierFor(one.key).verify(checkpoint.text, signature.bytes);
    signed.push(one);
  }
  if (signed.length === 0) throw undecided("signer", "unknown_signer");
  const own = signed.filter((one) => one.key.name === checkpoint.origin);
  if (own.length === 0) throw mismatch("origin", "other_log");
  const valid = own.filter(
    (one) => one.first <= checkpoint.size && (one.last === null || checkpoint.size <= one.last),
  );
  if (valid.length === 0) throw mismatch("key_sizes", "key_not_valid_at_size");
  return valid;
}
