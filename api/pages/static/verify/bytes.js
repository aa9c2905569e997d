// Bytes and the texts they are written as: UTF-8, hex, base64 and base64url, each in its one
// strict spelling (RFC 4648, sections 4 and 5).

import { malformed } from "./refusal.js";

const STANDARD = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const encoder = new TextEncoder();

export const utf8 = (text) => encoder.encode(text);

// Bytes as text, or null where they are not UTF-8. A byte order mark stays in the text.
export function fromUtf8(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

// One character a byte: for what must be searched and split before it is decoded.
export function latin1(bytes) {
  const parts = [];
  for (let at = 0; at < bytes.length; at += 8192) {
    parts.push(String.fromCharCode(...bytes.subarray(at, at + 8192)));
  }
  return parts.join("");
}

export function fromLatin1(text) {
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at += 1) bytes[at] = text.charCodeAt(at);
  return bytes;
}

export function concat(...parts) {
  const whole = new Uint8Array(parts.reduce((sum, one) => sum + one.length, 0));
  let at = 0;
  for (const one of parts) {
    whole.set(one, at);
    at += one.length;
  }
  return whole;
}

export const equal = (one, other) =>
  one.length === other.length && one.every((value, at) => value === other[at]);

export const hex = (bytes) => Array.from(bytes, (one) => one.toString(16).padStart(2, "0")).join("");

export function bigEndian(bytes) {
  let number = 0n;
  for (const one of bytes) number = (number << 8n) | BigInt(one);
  return number;
}

function encode(bytes, alphabet) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 3) {
    const left = bytes.length - at;
    const bits = (bytes[at] << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    text += alphabet[bits >> 18] + alphabet[(bits >> 12) & 63];
    if (left > 1) text += alphabet[(bits >> 6) & 63];
    if (left > 2) text += alphabet[bits & 63];
  }
  return text;
}

// Null where a character is another one, or unused bits are set.
function decode(text, alphabet) {
  if (text.length % 4 === 1) return null;
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4));
  let bits = 0;
  let held = 0;
  let at = 0;
  for (const one of text) {
    const value = alphabet.indexOf(one);
    if (value < 0) return null;
    bits = (bits << 6) | value;
    held += 6;
    if (held >= 8) {
      held -= 8;
      bytes[at] = bits >> held;
      bits &= (1 << held) - 1;
      at += 1;
    }
  }
  return bits === 0 ? bytes : null;
}

export const encodeBase64 = (bytes) => {
  const text = encode(bytes, STANDARD);
  return text + "=".repeat((4 - (text.length % 4)) % 4);
};

export function decodeBase64(text, check) {
  const body = text.replace(/={1,2}$/, "");
  const bytes = text.length % 4 === 0 ? decode(body, STANDARD) : null;
  // "A===" and the like: padding that does not belong to what stands before it.
  if (bytes === null || (4 - (body.length % 4)) % 4 !== text.length - body.length) {
    throw malformed(check);
  }
  return bytes;
}

export const encodeBase64Url = (bytes) => encode(bytes, URL_SAFE);

export function decodeBase64Url(text, check) {
  const bytes = decode(text, URL_SAFE);
  if (bytes === null) throw malformed(check);
  return bytes;
}
