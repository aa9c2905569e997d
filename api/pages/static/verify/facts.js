// A verdict in words: the sentence, the next step, and four rows, each for itself: genuine,
// recorded, witnessed, as of. The rows say what ledger/verdict.py says.

import { inBrackets, mark, t } from "./words.js";

const ROWS = ["genuine", "recorded", "witnessed", "as_of"];
const SYMBOLS = { verified: "✓", pending: "…", mismatch: "✕", undecided: "?" };
const HOLDS = new Map([
  [true, "✓"],
  [false, "✕"],
  [null, "—"],
]);
const SHANGHAI_SECONDS = 8 * 3600;
const LAST_YEAR_SECONDS = 253402128000n;

export const symbolOf = (outcome) => SYMBOLS[outcome];

// { word, sentence, next } for a judgement.
export function tell(found) {
  const { outcome, check } = found;
  const sentence =
    outcome === "verified" || outcome === "pending"
      ? t(`verdict.${outcome}`, { index: found.entry.index, origin: found.checkpoint.origin })
      : t(`verdict.${outcome}`, { reason: t(`check.${check}`) });
  return {
    word: t(`outcome.${outcome === "undecided" ? "cannot_decide" : outcome}`),
    sentence,
    next: t(nextOf(outcome, check)),
  };
}

function nextOf(outcome, check) {
  if (outcome !== "undecided") return `next.${outcome}`;
  if (["signer", "key", "policy"].includes(check)) return `next.${check}`;
  return "next.undecided";
}

// [{ name, holds, symbol, label, text }]
export function facts(found) {
  const texts = { genuine, recorded, witnessed, as_of: asOf };
  return ROWS.map((name) => {
    const holds = found.holds[name];
    const shown = holds === null && name !== "witnessed" ? t("row.not_reached") : texts[name](found);
    // Where no witness was asked for, the policy is met, but nobody has seen anything.
    const told = name === "witnessed" && found.witnessed?.witnesses === 0 ? null : holds;
    return { name, holds, symbol: HOLDS.get(told), label: t(`row.${name}`), text: shown };
  });
}

function genuine(found) {
  if (found.holds.genuine === false) return t("row.genuine_not");
  const ids = found.witnessed?.logKeys.map((one) => one.key.id).join(t("units.comma")) ?? "";
  const keys = ids && inBrackets(ids);
  return t("row.genuine_text", { keys, origin: found.checkpoint.origin });
}

function recorded(found) {
  if (found.holds.recorded === false) return t("row.recorded_not");
  const { index, recorded_at: at } = found.entry;
  return t("row.recorded_text", { index, at });
}

function witnessed(found) {
  const seen = found.witnessed;
  if (found.holds.genuine !== true) return t("row.not_reached");
  if (seen === null) return t("row.witnessed_unexamined");
  if (seen.witnesses === 0) return t("row.witnessed_none");
  const rows = seen.cosigned.map((one) => `${one.witness.key.name} ${formatTime(one.time)}`);
  const count = seen.cosigned.length;
  const enough = t(seen.quorumMet ? "row.enough" : "row.too_few");
  const text = t("row.witnessed_text", { count, of: seen.witnesses, enough });
  rows.push(...seen.passedOver.map((one) => t(`row.${one.why}`, { name: one.witness.key.name })));
  return rows.length ? text + mark("colon") + rows.join(mark("semicolon")) : text;
}

function asOf(found) {
  const text = t("row.as_of_text", { size: found.checkpoint.size });
  const times = found.witnessed?.cosigned.map((one) => one.time) ?? [];
  if (times.length === 0) return text;
  const last = times.reduce((one, other) => (one > other ? one : other));
  return text + t("row.as_of_seen", { time: formatTime(last) });
}

// Seconds since 1970, a BigInt, as a time in Shanghai, with its zone.
export function formatTime(seconds) {
  if (seconds > LAST_YEAR_SECONDS) return `${seconds} s`;
  const local = new Date((Number(seconds) + SHANGHAI_SECONDS) * 1000).toISOString();
  return `${local.slice(0, 10)} ${local.slice(11, 19)} UTC+8`;
}
