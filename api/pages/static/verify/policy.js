// Trust policies (c2sp.org/tlog-policy) and the comments that give each key its sizes, as
// ledger/tlog/policy.py reads them.

import { fromLatin1, fromUtf8, latin1 } from "./bytes.js";
import { COSIGNATURE, ED25519, ML_DSA_44, parseVerifierKey } from "./keys.js";
import { malformed } from "./refusal.js";

const POLICY_BYTES_MAX = 1048576;
const LINES_MAX = 256;
const SIZE_MAX = 2n ** 63n - 1n;
const NO_QUORUM = "none";
const SIZES_MARK = "#:shanji";
const FORBIDDEN = /[\x00-\x08\x0b-\x1f\x7f]/;
const THRESHOLD = /^[1-9][0-9]{0,8}$/;
const KEY_ID = /^[0-9a-f]{8}$/;
const SIZES = /^(0|[1-9][0-9]{0,18})-(0|[1-9][0-9]{0,18})?$/;
const LOG_TYPES = [ED25519, ML_DSA_44];
const WITNESS_TYPES = [COSIGNATURE, ML_DSA_44];

// { logKeys: [{ key, first, last }], witnesses: [{ name, key }], groups, quorum }
export function parsePolicy(bytes) {
  if (bytes.length > POLICY_BYTES_MAX || FORBIDDEN.test(latin1(bytes))) throw malformed("policy");
  const lines = escapedText(bytes).split("\n");
  if (lines.pop() !== "") throw malformed("policy");
  const draft = {
    logKeys: [],
    witnesses: [],
    groups: [],
    names: new Set(),
    members: new Set(),
    sizes: new Map(),
    quorum: null,
  };
  for (const line of lines) {
    const words = line.split(/[ \t]+/).filter(Boolean);
    if (words.length) readLine(words, draft);
  }
  if (draft.quorum === null) throw malformed("policy");
  for (const rows of [draft.logKeys, draft.witnesses, draft.groups]) {
    if (rows.length > LINES_MAX) throw malformed("policy");
  }
  checkKeys(draft.logKeys, LOG_TYPES);
  checkKeys(draft.witnesses, WITNESS_TYPES);
  giveSizes(draft);
  return {
    logKeys: draft.logKeys,
    witnesses: draft.witnesses,
    groups: draft.groups,
    quorum: draft.quorum,
  };
}

// Whether these witnesses, named as in the policy, are a quorum.
export function reachedBy(policy, names) {
  if (policy.quorum === NO_QUORUM) return true;
  const seen = new Set(names);
  for (const group of policy.groups) {
    if (group.members.filter((one) => seen.has(one)).length >= group.threshold) seen.add(group.name);
  }
  return seen.has(policy.quorum);
}

function readLine(words, draft) {
  const [first, ...rest] = words;
  if (first.startsWith("#")) {
    if (first === SIZES_MARK) readSizes(words, draft);
    return;
  }
  const read = { log: readLog, witness: readWitness, group: readGroup, quorum: readQuorum };
  if (!Object.hasOwn(read, first)) throw malformed("policy");
  read[first](rest, draft);
}

function readLog(words, draft) {
  if (words.length < 1 || words.length > 2) throw malformed("policy");
  draft.logKeys.push({ key: parseVerifierKey(words[0]), first: 0n, last: null });
}

function readWitness(words, draft) {
  if (words.length < 2 || words.length > 3) throw malformed("policy");
  define(words[0], draft);
  draft.witnesses.push({ name: words[0], key: parseVerifierKey(words[1]) });
}

function readGroup(words, draft) {
  const [name, count, ...members] = words;
  if (words.length < 3) throw malformed("policy");
  let threshold;
  if (count === "all") threshold = members.length;
  else if (count === "any") threshold = 1;
  else if (THRESHOLD.test(count)) threshold = Number(count);
  else throw malformed("policy");
  for (const one of members) {
    if (!draft.names.has(one) || draft.members.has(one)) throw malformed("policy");
    draft.members.add(one);
  }
  if (threshold > members.length) throw malformed("policy");
  draft.groups.push({ name, threshold, members });
  define(name, draft);
}

function readQuorum(words, draft) {
  const known = words[0] === NO_QUORUM || draft.names.has(words[0]);
  if (words.length !== 1 || draft.quorum !== null || !known) throw malformed("policy");
  draft.quorum = words[0];
}

function readSizes(words, draft) {
  const [, key, id, sizes, range] = words;
  const match = words.length === 5 ? SIZES.exec(range) : null;
  // Passing over a limit that was meant would believe too much.
  if (match === null || key !== "key" || sizes !== "sizes" || !KEY_ID.test(id)) {
    throw malformed("policy");
  }
  if (draft.sizes.has(id)) throw malformed("policy");
  draft.sizes.set(id, [BigInt(match[1]), match[2] === undefined ? null : BigInt(match[2])]);
}

function giveSizes(draft) {
  for (const [id, [first, last]] of draft.sizes) {
    const found = draft.logKeys.filter((one) => one.key.id === id);
    const end = last ?? SIZE_MAX;
    if (found.length !== 1 || first > end || end > SIZE_MAX) throw malformed("policy");
    found[0].first = first;
    found[0].last = last;
  }
}

function checkKeys(rows, types) {
  const seen = new Set();
  for (const { key } of rows) {
    const bytes = latin1(key.publicKey);
    if (!types.includes(key.type) || seen.has(bytes)) throw malformed("policy");
    seen.add(bytes);
  }
}

function define(name, draft) {
  if (name === NO_QUORUM || draft.names.has(name)) throw malformed("policy");
  draft.names.add(name);
}

// Bytes that are no UTF-8 become lone surrogates, one each: names are opaque octets.
function escapedText(bytes) {
  const raw = latin1(bytes);
  const sequence =
    /[\x00-\x7f]+|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}|[\x80-\xff]/g;
  return raw.replace(sequence, (part) => {
    if (part < "\x80") return part;
    if (part.length === 1) return String.fromCharCode(0xdc00 + part.charCodeAt(0));
    return fromUtf8(fromLatin1(part));
  });
}
