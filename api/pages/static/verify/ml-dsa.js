// ML-DSA-44 signatures, verification only (FIPS 204, algorithms 3 and 8, empty context): for logs
// and witnesses that sign for the time of quantum computers. SHAKE is by noble-hashes.

import { shake128, shake256 } from "../vendor/noble-hashes/sha3.js";
import { concat, equal } from "./bytes.js";

const Q = 8380417;
const N = 256;
const K = 4;
const L = 4;
const D = 13;
const TAU = 39;
const BETA = 78;
const GAMMA_1 = 2 ** 17;
const GAMMA_2 = (Q - 1) / 88;
const OMEGA = 80;
const CHALLENGE_BYTES = 32;
const Z_BYTES = 576;
const PUBLIC_KEY_BYTES = 1312;
const SIGNATURE_BYTES = 2420;
const INVERSE_OF_N = 8347681;
const ZETAS = makeZetas();

export function verifyMlDsa44(publicKey, signature, message) {
  if (publicKey.length !== PUBLIC_KEY_BYTES || signature.length !== SIGNATURE_BYTES) return false;
  const challenge = signature.subarray(0, CHALLENGE_BYTES);
  const z = [];
  for (let row = 0; row < L; row += 1) {
    const start = CHALLENGE_BYTES + row * Z_BYTES;
    z.push(unpack(signature.subarray(start, start + Z_BYTES), 18).map((one) => GAMMA_1 - one));
  }
  const hints = unpackHints(signature.subarray(CHALLENGE_BYTES + L * Z_BYTES));
  if (hints === null || z.some((row) => row.some((one) => Math.abs(one) >= GAMMA_1 - BETA))) {
    return false;
  }
  const rho = publicKey.subarray(0, 32);
  const digest = shake256(publicKey, { dkLen: 64 });
  const mu = shake256(concat(digest, Uint8Array.of(0, 0), message), { dkLen: 64 });
  const c = toNtt(sampleInBall(challenge));
  const zNtt = z.map((row) => toNtt(row.map(reduced)));
  const packed = [];
  for (let row = 0; row < K; row += 1) {
    const start = 32 + row * 320;
    const t = unpack(publicKey.subarray(start, start + 320), 10);
    const tNtt = toNtt(t.map((one) => (one * 2 ** D) % Q));
    const sum = tNtt.map((one, at) => Q - ((one * c[at]) % Q));
    for (let column = 0; column < L; column += 1) {
      const a = expand(rho, column, row);
      for (let at = 0; at < N; at += 1) sum[at] = (sum[at] + a[at] * zNtt[column][at]) % Q;
    }
    const w = fromNtt(sum);
    packed.push(pack6(w.map((one, at) => useHint(hints[row].has(at), one))));
  }
  return equal(shake256(concat(mu, ...packed), { dkLen: CHALLENGE_BYTES }), challenge);
}

const reduced = (number) => ((number % Q) + Q) % Q;

function power(base, exponent) {
  let result = 1;
  for (let left = exponent, square = base; left > 0; left >>= 1) {
    if (left & 1) result = (result * square) % Q;
    square = (square * square) % Q;
  }
  return result;
}

function makeZetas() {
  const reversed = (number) => parseInt(number.toString(2).padStart(8, "0").split("").reverse().join(""), 2);
  return Array.from({ length: N }, (_, at) => power(1753, reversed(at)));
}

function toNtt(polynomial) {
  const w = [...polynomial];
  let zeta = 0;
  for (let length = N / 2; length >= 1; length /= 2) {
    for (let start = 0; start < N; start += 2 * length) {
      zeta += 1;
      for (let at = start; at < start + length; at += 1) {
        const turned = (ZETAS[zeta] * w[at + length]) % Q;
        w[at + length] = (w[at] - turned + Q) % Q;
        w[at] = (w[at] + turned) % Q;
      }
    }
  }
  return w;
}

function fromNtt(values) {
  const w = [...values];
  let zeta = N;
  for (let length = 1; length < N; length *= 2) {
    for (let start = 0; start < N; start += 2 * length) {
      zeta -= 1;
      for (let at = start; at < start + length; at += 1) {
        const one = w[at];
        w[at] = (one + w[at + length]) % Q;
        w[at + length] = ((Q - ZETAS[zeta]) * ((one - w[at + length] + Q) % Q)) % Q;
      }
    }
  }
  return w.map((one) => (one * INVERSE_OF_N) % Q);
}

// One polynomial of the matrix A, sampled from a stream (algorithm 30, RejNTTPoly).
function expand(rho, column, row) {
  const stream = shake128.create().update(concat(rho, Uint8Array.of(column, row)));
  const found = [];
  while (found.length < N) {
    const bytes = stream.xof(168);
    for (let at = 0; at < bytes.length && found.length < N; at += 3) {
      const value = ((bytes[at + 2] & 127) << 16) | (bytes[at + 1] << 8) | bytes[at];
      if (value < Q) found.push(value);
    }
  }
  return found;
}

function sampleInBall(seed) {
  const stream = shake256.create().update(seed);
  const signs = stream.xof(8);
  const c = new Array(N).fill(0);
  for (let at = N - TAU; at < N; at += 1) {
    let place = stream.xof(1)[0];
    while (place > at) place = stream.xof(1)[0];
    const bit = at + TAU - N;
    c[at] = c[place];
    c[place] = (signs[bit >> 3] >> (bit & 7)) & 1 ? Q - 1 : 1;
  }
  return c;
}

// Whole numbers of `bits` bits each, little-endian.
function unpack(bytes, bits) {
  const found = [];
  let held = 0;
  let buffer = 0;
  for (const one of bytes) {
    buffer += one * 2 ** held;
    held += 8;
    while (held >= bits) {
      found.push(buffer % 2 ** bits);
      buffer = Math.floor(buffer / 2 ** bits);
      held -= bits;
    }
  }
  return found;
}

function pack6(values) {
  const bytes = new Uint8Array((values.length * 6) / 8);
  for (let at = 0, to = 0; at < values.length; at += 4, to += 3) {
    const bits = values[at] | (values[at + 1] << 6) | (values[at + 2] << 12) | (values[at + 3] << 18);
    bytes.set([bits & 255, (bits >> 8) & 255, bits >> 16], to);
  }
  return bytes;
}

// The places of the hints of each row, or null where they are not in their one spelling.
function unpackHints(bytes) {
  const rows = [];
  let at = 0;
  for (let row = 0; row < K; row += 1) {
    const end = bytes[OMEGA + row];
    if (end < at || end > OMEGA) return null;
    const places = bytes.subarray(at, end);
    for (let one = 1; one < places.length; one += 1) if (places[one - 1] >= places[one]) return null;
    rows.push(new Set(places));
    at = end;
  }
  return bytes.subarray(at, OMEGA).some((one) => one !== 0) ? null : rows;
}

function useHint(hint, value) {
  const count = (Q - 1) / (2 * GAMMA_2);
  let low = value % (2 * GAMMA_2);
  if (low > GAMMA_2) low -= 2 * GAMMA_2;
  const last = value - low === Q - 1;
  const high = last ? 0 : (value - low) / (2 * GAMMA_2);
  if (last) low -= 1;
  if (!hint) return high;
  return low > 0 ? (high + 1) % count : (high - 1 + count) % count;
}
