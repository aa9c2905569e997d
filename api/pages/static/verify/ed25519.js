// Ed25519 signatures (RFC 8032): by the browser's own cryptography where it has them, else by
// noble-ed25519. Both decide alike, also at the edges: the verification equation without
// cofactor, the encoding of R compared byte by byte, S below the group's order.

import { Point } from "../vendor/noble-ed25519/index.js";
import { concat, equal } from "./bytes.js";
import { sha512 } from "./digest.js";

const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
const SIGNATURE_BYTES = 64;

// "auto", or for tests "webcrypto" or "fallback".
let wanted = "auto";
let native = null;

export function chooseBackend(name) {
  wanted = name;
}

// Which of the two checks signatures here: "webcrypto" or "fallback".
export async function backend() {
  if (wanted !== "auto") return wanted;
  native ??= hasNative();
  return (await native) ? "webcrypto" : "fallback";
}

export async function verifyEd25519(publicKey, signature, message) {
  if (signature.length !== SIGNATURE_BYTES) return false;
  return (await backend()) === "webcrypto"
    ? verifyNatively(publicKey, signature, message)
    : verifyByNoble(publicKey, signature, message);
}

async function hasNative() {
  if (!globalThis.crypto?.subtle) return false;
  try {
    await importKey(Point.BASE.toBytes());
    return true;
  } catch {
    return false;
  }
}

const importKey = (publicKey) =>
  crypto.subtle.importKey("raw", publicKey, { name: "Ed25519" }, false, ["verify"]);

async function verifyNatively(publicKey, signature, message) {
  const key = await importKey(publicKey);
  return crypto.subtle.verify({ name: "Ed25519" }, key, signature, message);
}

function littleEndian(bytes) {
  let number = 0n;
  for (let at = bytes.length - 1; at >= 0; at -= 1) number = (number << 8n) | BigInt(bytes[at]);
  return number;
}

function verifyByNoble(publicKey, signature, message) {
  const r = signature.subarray(0, 32);
  const s = littleEndian(signature.subarray(32));
  if (s >= ORDER) return false;
  let point;
  try {
    // As OpenSSL reads points: a y above the field's prime is taken for its remainder.
    point = Point.fromBytes(publicKey, true);
  } catch {
    return false;
  }
  const k = littleEndian(sha512(concat(r, publicKey, message))) % ORDER;
  const found = Point.BASE.multiply(s, false).subtract(point.multiply(k, false));
  return equal(found.toBytes(), r);
}
