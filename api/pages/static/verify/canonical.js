// Canonical JSON (RFC 8785), restricted: ASCII snake_case keys in order, NFC texts, whole numbers
// below 2**53 in size, booleans, arrays, objects. Only the one spelling is read, so nothing needs
// to be written again in order to compare it.

import { fromUtf8, utf8 } from "./bytes.js";
import { malformed } from "./refusal.js";

const DEPTH_MAX = 16;
const KEY = /^[a-z][a-z0-9_]{0,63}$/;
const NUMBER = /0|-?[1-9][0-9]*/y;
const SHORT = { '"': '"', "\\": "\\", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };
const ESCAPED = { '"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t" };

// Objects come without a prototype, so no key can mean anything else than what it says.
export function parseCanonical(bytes, check) {
  const text = fromUtf8(bytes);
  if (text === null) throw malformed(check);
  const reader = { text, at: 0, check };
  const value = readValue(reader, 0);
  if (reader.at !== text.length) throw malformed(check);
  return value;
}

function readValue(reader, depth) {
  const { text, at } = reader;
  switch (text[at]) {
    case "{":
      return readObject(reader, depth);
    case "[":
      return readArray(reader, depth);
    case '"':
      return readText(reader);
    case "t":
      return readWord(reader, "true", true);
    case "f":
      return readWord(reader, "false", false);
    default:
      return readNumber(reader);
  }
}

function readWord(reader, word, value) {
  if (!reader.text.startsWith(word, reader.at)) throw malformed(reader.check);
  reader.at += word.length;
  return value;
}

function readNumber(reader) {
  NUMBER.lastIndex = reader.at;
  const match = NUMBER.exec(reader.text);
  const value = match === null ? NaN : Number(match[0]);
  // What follows must not make a fraction or an exponent of it, nor digits after a zero.
  const next = match === null ? "" : reader.text[reader.at + match[0].length];
  if (!Number.isSafeInteger(value) || (next !== undefined && /[0-9.eE+-]/.test(next))) {
    throw malformed(reader.check);
  }
  reader.at += match[0].length;
  return value;
}

function readText(reader) {
  const { text, check } = reader;
  let found = "";
  let from = reader.at + 1;
  for (let at = from; at < text.length; at += 1) {
    const one = text[at];
    if (one === '"') {
      found += text.slice(from, at);
      reader.at = at + 1;
      if (found.normalize("NFC") !== found) throw malformed(check);
      return found;
    }
    if (one < " ") throw malformed(check);
    if (one !== "\\") continue;
    found += text.slice(from, at);
    const escaped = readEscape(text, at, check);
    found += escaped;
    at += text[at + 1] === "u" ? 5 : 1;
    from = at + 1;
  }
  throw malformed(check);
}

// Only the escapes that the canonical form has: two letters where there is such, else \u00xx.
function readEscape(text, at, check) {
  const letter = text[at + 1];
  if (Object.hasOwn(SHORT, letter ?? "")) return SHORT[letter];
  const match = /^\\u(00[01][0-9a-f])/.exec(text.slice(at, at + 6));
  const found = match === null ? "" : String.fromCharCode(parseInt(match[1], 16));
  if (found === "" || Object.hasOwn(ESCAPED, found)) throw malformed(check);
  return found;
}

function readArray(reader, depth) {
  if (depth >= DEPTH_MAX) throw malformed(reader.check);
  const found = [];
  reader.at += 1;
  if (reader.text[reader.at] === "]") {
    reader.at += 1;
    return found;
  }
  for (;;) {
    found.push(readValue(reader, depth + 1));
    if (readEither(reader, "]")) return found;
  }
}

function readObject(reader, depth) {
  if (depth >= DEPTH_MAX) throw malformed(reader.check);
  const found = Object.create(null);
  reader.at += 1;
  if (reader.text[reader.at] === "}") {
    reader.at += 1;
    return found;
  }
  let last = "";
  for (;;) {
    if (reader.text[reader.at] !== '"') throw malformed(reader.check);
    const key = readText(reader);
    // In rising order, so none twice.
    if (!KEY.test(key) || key <= last || reader.text[reader.at] !== ":") throw malformed(reader.check);
    last = key;
    reader.at += 1;
    found[key] = readValue(reader, depth + 1);
    if (readEither(reader, "}")) return found;
  }
}

function readEither(reader, end) {
  const one = reader.text[reader.at];
  if (one !== end && one !== ",") throw malformed(reader.check);
  reader.at += 1;
  return one === end;
}

// Writes a value that `parseCanonical` gave, or one made of such.
export const formatCanonical = (value) => utf8(written(value));

function written(value) {
  if (typeof value === "string") return `"${value.replace(/["\\\x00-\x1f]/g, escapeOne)}"`;
  if (Array.isArray(value)) return `[${value.map(written).join(",")}]`;
  if (typeof value !== "object") return String(value);
  const keys = Object.keys(value).sort();
  return `{${keys.map((key) => `"${key}":${written(value[key])}`).join(",")}}`;
}

const escapeOne = (one) => ESCAPED[one] ?? `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`;
