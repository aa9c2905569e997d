// Checkpoints (c2sp.org/tlog-checkpoint): origin, size, root. Nowhere else are they taken from.

import { decodeBase64, fromUtf8, utf8 } from "./bytes.js";
import { malformed } from "./refusal.js";

const ORIGIN_BYTES_MAX = 255;
const SIZE_MAX = 2n ** 63n - 1n;
const SIZE = /^(?:0|[1-9][0-9]{0,18})$/;
const LINE = /^[^\x00-\x1f]+$/;
const HASH_BYTES = 32;

// { origin, size (BigInt), root, text }
export function parseCheckpoint(text, { allowExtensions = false } = {}) {
  const whole = fromUtf8(text);
  if (whole === null) throw malformed("checkpoint");
  const lines = whole.split("\n");
  if (lines.pop() !== "" || lines.length < 3 || !lines.every(Boolean)) throw malformed("checkpoint");
  if (lines.length > 3 && !allowExtensions) throw malformed("checkpoint");
  const [origin, sizeText, rootText] = lines;
  const size = SIZE.test(sizeText) ? BigInt(sizeText) : -1n;
  const root = decodeBase64(rootText, "checkpoint");
  if (
    !lines.slice(3).every((one) => LINE.test(one)) ||
    !LINE.test(origin) ||
    utf8(origin).length > ORIGIN_BYTES_MAX ||
    size < 0n ||
    size > SIZE_MAX ||
    root.length !== HASH_BYTES
  ) {
    throw malformed("checkpoint");
  }
  return { origin, size, root, text };
}
