// What was recorded, in words: the kind, the day, what moved, the fields, and the personal fields
// that the receipt opens. Only what the proof covers is shown; names of projects stand in other
// entries, so codes stay codes.

import { has, mark, t, word } from "./words.js";

// { title, rows: [{ label, text }], opened: [{ label, text }], hidden: [label] }
export function describeGift(entry, values, hidden) {
  const rows = [
    { label: t("shown.day"), text: entry.occurred_on },
    ...entry.postings.map((one) => ({ label: t("shown.moved"), text: movement(one) })),
    ...fieldRows(entry.fields),
  ];
  return {
    title: has(`kind_title.${entry.kind}`) ? t(`kind_title.${entry.kind}`) : entry.kind,
    rows,
    opened: fieldRows(values),
    hidden: hidden.map((name) => word("field", name)),
  };
}

function movement(posting) {
  const values = { amount: formatAmount(posting.asset, posting.amount) };
  return t("shown.movement", { ...values, from: account(posting.from), to: account(posting.to) });
}

export function formatAmount(asset, amount) {
  if (asset === "CNY") return t("shown.yuan", { amount: formatYuan(amount) });
  const unit = asset.startsWith("item:") ? asset.slice(5) : word("unit", asset);
  return `${formatNumber(amount)} ${unit}`;
}

export function formatYuan(fen) {
  const size = BigInt(fen < 0 ? -fen : fen);
  const rest = String(size % 100n).padStart(2, "0");
  return `${fen < 0 ? "-" : ""}${formatNumber(size / 100n)}.${rest}`;
}

const formatNumber = (number) => String(number).replace(/\B(?=(\d{3})+$)/g, ",");

// Accounts of the outside have names of their own; the others are a class and a code.
function account(name) {
  const [family, code] = name.split(":");
  if (family === "world") return word("account", `world_${code.replaceAll("-", "_")}`);
  return has(`account.${family}`) ? t(`account.${family}`, { name: code }) : name;
}

const fieldRows = (fields) =>
  Object.entries(fields).map(([name, value]) => ({ label: word("field", name), text: show(name, value) }));

// Fields whose codes are words in common use; a federation may record others of its own.
const COMMON = new Set(["channel", "payee_class", "recipient_class", "wish_class", "purpose", "purposes"]);

function show(name, value) {
  if (Array.isArray(value)) return value.map((one) => show(name, one)).join(t("units.comma"));
  if (typeof value === "object") {
    return fieldRows(value).map((one) => `${one.label}${mark("colon")}${one.text}`).join(mark("semicolon"));
  }
  if (typeof value === "boolean") return word("value", value ? "yes" : "no");
  if (typeof value === "number") {
    return name.endsWith("_fen") ? t("shown.yuan", { amount: formatYuan(value) }) : formatNumber(value);
  }
  const table = COMMON.has(name) ? "suggested" : "value";
  const key = value.replaceAll(".", "_");
  return has(`${table}.${key}`) ? t("shown.choice", { word: word(table, key), value }) : value;
}
