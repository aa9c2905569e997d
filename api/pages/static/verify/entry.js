// The entry (docs/formats.md, section 3): as strict as ledger/entry.py, for an entry that one
// program reads and another does not would be two histories.

import { parseCanonical } from "./canonical.js";
import { malformed } from "./refusal.js";

const ENTRY_BYTES_MAX = 65535;
const UNITS_MAX = 2 ** 53 - 1;
const SEALED_MAX = 32;
const POSTINGS_MAX = 256;
const REFERENCES_MAX = 1024;
const DOCUMENTS_MAX = 64;
const TAKES_MAX = 4096;
const REQUIRED = [
  "documents", "fields", "index", "kind", "occurred_on", "postings", "previous", "recorded_at",
  "recorded_by", "references", "sealed", "version",
];
const HASH = /^[0-9a-f]{64}$/;
const PERSON = /^[a-z0-9][a-z0-9-]{0,63}$/;
const TEXTS = {
  previous: HASH,
  recorded_at: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/,
  occurred_on: /^\d{4}-\d\d-\d\d$/,
  recorded_by: PERSON,
  kind: /^[a-z]+\.[a-z]+(_[a-z]+)*$/,
};
const COMMITMENT = /^[A-Za-z0-9_-]{43}$/;
const ASSET = /^(?:CNY|points|minutes|item:[a-z0-9][a-z0-9-]{0,63})$/;
const ACCOUNT = /^[a-z]+:[a-z0-9][a-z0-9-]{0,63}$/;

export function parseEntry(bytes) {
  if (bytes.length > ENTRY_BYTES_MAX) throw malformed("entry");
  const value = parseCanonical(bytes, "entry");
  if (!isObject(value)) throw malformed("entry");
  const keys = Object.keys(value).filter((one) => one !== "approved_by");
  const good =
    keys.length === REQUIRED.length &&
    REQUIRED.every((one) => one in value) &&
    value.version === 1 &&
    isCount(value.index) &&
    Object.entries(TEXTS).every(([name, pattern]) => isText(value[name], pattern)) &&
    (!("approved_by" in value) || isText(value.approved_by, PERSON)) &&
    isObject(value.fields) &&
    isSealed(value.sealed) &&
    isArray(value.postings, POSTINGS_MAX, isPosting) &&
    isArray(value.references, REFERENCES_MAX, isCount) &&
    isArray(value.documents, DOCUMENTS_MAX, (one) => isText(one, HASH));
  if (!good) throw malformed("entry");
  return value;
}

const isObject = (value) => typeof value === "object" && !Array.isArray(value);
const isCount = (value) => typeof value === "number" && value >= 0;
const isText = (value, pattern) => typeof value === "string" && pattern.test(value);
const isArray = (value, most, isOne) =>
  Array.isArray(value) && value.length <= most && value.every(isOne);

function isSealed(value) {
  if (!isObject(value)) return false;
  const commitments = Object.values(value);
  return commitments.length <= SEALED_MAX && commitments.every((one) => isText(one, COMMITMENT));
}

// `takes` where units leave an account, `at` where they arrive (section 5).
function isPosting(value) {
  if (!isObject(value)) return false;
  if (!isText(value.from, ACCOUNT) || !isText(value.to, ACCOUNT) || !isText(value.asset, ASSET)) {
    return false;
  }
  const enters = value.from.startsWith("world:");
  const leaves = value.to.startsWith("world:");
  const wanted = ["amount", "asset", "from", "to"];
  if (!enters) wanted.push("takes");
  if (!leaves) wanted.push("at");
  const keys = Object.keys(value);
  if ((enters && leaves) || keys.length !== wanted.length || !wanted.every((one) => one in value)) {
    return false;
  }
  const { amount } = value;
  if (!isCount(amount) || amount === 0) return false;
  if (!leaves && (!isCount(value.at) || value.at + amount > UNITS_MAX)) return false;
  return enters || areTakes(value.takes, amount);
}

function areTakes(takes, amount) {
  let left = BigInt(amount);
  const isRange = (pair) => {
    if (!Array.isArray(pair) || pair.length !== 2 || !pair.every(isCount) || pair[0] >= pair[1]) {
      return false;
    }
    left -= BigInt(pair[1]) - BigInt(pair[0]);
    return true;
  };
  return isArray(takes, TAKES_MAX, isRange) && left === 0n;
}
