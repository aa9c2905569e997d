// SHA-256 and SHA-512 by noble-hashes, and HMAC on them: the same in every browser, also on plain http,
// where a browser offers no cryptography of its own.

import { concat } from "./bytes.js";
import { sha256 as hash256, sha512 as hash512 } from "../vendor/noble-hashes/sha2.js";

export const sha256 = (bytes) => hash256(bytes);

export const sha512 = (bytes) => hash512(bytes);

const BLOCK_BYTES = 64;

// HMAC-SHA-256 (RFC 2104); the key is a seed of 16 bytes, never longer than a block.
export function hmacSha256(key, message) {
  const pad = (value) => Uint8Array.from({ length: BLOCK_BYTES }, (_, at) => (key[at] ?? 0) ^ value);
  return hash256(concat(pad(0x5c), hash256(concat(pad(0x36), message))));
}
