// The QR code's locator and the short code (docs/formats.md, section 14), as ledger/locator.py.

import { bigEndian, decodeBase64Url, encodeBase64Url, hex, utf8 } from "./bytes.js";
import { sha256 } from "./digest.js";
import { malformed, undecided } from "./refusal.js";

const LOG_ID_BYTES = 4;
const HEAD_BYTES = 12;
const LENGTHS = { 1: 28, 2: 12 };
const INDEX_MAX = 2 ** 53 - 1;
const CHARS_MAX = 64;
const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const MODULUS = 1021n;
const CHECK_SYMBOLS = 2;
const SYMBOLS_MIN = 6;
const SYMBOLS_MAX = 11;
const BETWEEN = /[ \t\r\n\u00a0\u2002-\u200b\u3000\-\u2010-\u2015\u2212\uff0d]+/g;
const FULL_WIDTH = 0xfee0;

export const logId = (origin) => sha256(utf8(origin)).subarray(0, LOG_ID_BYTES);

// { logId (hex), index, seed (base64url, or null) }
export function parseLocator(text) {
  const body = text.startsWith("#") ? text.slice(1) : text;
  if (body.length > CHARS_MAX) throw malformed("locator", "locator_malformed");
  let bytes;
  try {
    bytes = decodeBase64Url(body, "locator");
  } catch {
    throw malformed("locator", "locator_malformed");
  }
  const index = Number(bigEndian(bytes.subarray(1 + LOG_ID_BYTES, HEAD_BYTES)));
  if (bytes.length === 0 || LENGTHS[bytes[0]] !== bytes.length || index > INDEX_MAX) {
    throw malformed("locator", "locator_malformed");
  }
  const seed = bytes[0] === 1 ? encodeBase64Url(bytes.subarray(HEAD_BYTES)) : null;
  return { logId: hex(bytes.subarray(1, 1 + LOG_ID_BYTES)), index, seed };
}

// The entry's index; case, dashes and spaces do not count.
export function parseShortCode(origin, text) {
  const narrow = text
    .slice(0, CHARS_MAX)
    .replace(BETWEEN, "")
    .replace(/[\uff01-\uff5e]/g, (one) => String.fromCharCode(one.charCodeAt(0) - FULL_WIDTH));
  const symbols = /^[\x00-\x7f]*$/.test(narrow)
    ? narrow.toUpperCase().replaceAll("O", "0").replace(/[IL]/g, "1")
    : "!";
  const body = symbols.slice(0, -CHECK_SYMBOLS);
  const good =
    text.length <= CHARS_MAX &&
    body.length >= SYMBOLS_MIN &&
    body.length <= SYMBOLS_MAX &&
    [...symbols].every((one) => ALPHABET.includes(one)) &&
    (body.length === SYMBOLS_MIN || body[0] !== "0");
  const index = good ? number(body) : -1n;
  if (index < 0n || index > BigInt(INDEX_MAX)) throw malformed("short_code", "short_code_malformed");
  const check = (index + bigEndian(logId(origin))) % MODULUS;
  if (number(symbols.slice(-CHECK_SYMBOLS)) !== check) {
    throw undecided("short_code", "short_code_check");
  }
  return Number(index);
}

const number = (symbols) =>
  [...symbols].reduce((sum, one) => sum * 32n + BigInt(ALPHABET.indexOf(one)), 0n);
