// Verifier keys, written name+id+base64 (c2sp.org/signed-note), as ledger/tlog/note.py reads them.

import { concat, decodeBase64, encodeBase64, hex, utf8 } from "./bytes.js";
import { sha256 } from "./digest.js";
import { malformed } from "./refusal.js";

export const ED25519 = 0x01;
export const COSIGNATURE = 0x04;
export const ML_DSA_44 = 0x06;

const PUBLIC_KEY_BYTES = { [ED25519]: 32, [COSIGNATURE]: 32, [ML_DSA_44]: 1312 };
const KEY_CHARS_MAX = 4096;
// No white space as Unicode names it, no plus, no control character, no lone surrogate.
const NAME =
  /^[^+\x00-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ud800-\udfff]+$/u;

export const isKeyName = (name) => NAME.test(name);

export function keyId(name, material) {
  return sha256(concat(utf8(name), Uint8Array.of(10), material)).subarray(0, 4);
}

// { name, type, publicKey, id (hex), text }; accepts only the one spelling of a key.
export function parseVerifierKey(text) {
  const parts = text.split("+");
  if ([...text].length > KEY_CHARS_MAX || parts.length < 3) throw malformed("key");
  const [name, id] = parts;
  const encoded = parts.slice(2).join("+");
  const material = decodeBase64(encoded, "key");
  const type = material.length ? material[0] : 0;
  const publicKey = material.subarray(1);
  if (!isKeyName(name) || PUBLIC_KEY_BYTES[type] !== publicKey.length) throw malformed("key");
  const found = hex(keyId(name, material));
  if (text !== `${name}+${found}+${encodeBase64(material)}` || id !== found) throw malformed("key");
  return { name, type, publicKey, id: found, text };
}
