// SHA-256, HMAC and their uses, by noble-hashes: the same in every browser, also on plain http,
// where a browser offers no cryptography of its own.

import { hmac } from "../vendor/noble-hashes/hmac.js";
import { sha256 as hash256, sha512 as hash512 } from "../vendor/noble-hashes/sha2.js";

export const sha256 = (bytes) => hash256(bytes);

export const sha512 = (bytes) => hash512(bytes);

export const hmacSha256 = (key, message) => hmac(hash256, key, message);
