// The receipt, a C2SP tlog-proof whose `extra` holds the entry and its opening
// (docs/formats.md, section 6). Nothing is verified here.

import { decodeBase64, decodeBase64Url, latin1 } from "./bytes.js";
import { parseCanonical } from "./canonical.js";
import { malformed } from "./refusal.js";

export const HEADER = "c2sp.org/tlog-proof@v1";
export const RECEIPT_BYTES_MAX = 1000000;
const PROOF_HASHES_MAX = 63;
const HASH_BYTES = 32;
const SEED_BYTES = 16;
const SEALED_MAX = 32;
const INDEX = /^index (0|[1-9][0-9]{0,18})$/;

// { index (BigInt), proof, checkpoint (bytes), opening: { entry, seed, values, disclosures } }
export function parseReceipt(bytes) {
  if (bytes.length > RECEIPT_BYTES_MAX) throw malformed("file");
  const raw = latin1(bytes);
  if (!raw.startsWith(`${HEADER}\n`)) throw malformed("header", "not_a_receipt");
  const cut = raw.indexOf("\n\n");
  if (cut < 0 || cut + 2 === raw.length) throw malformed("cut", "receipt_truncated");
  const [, extra, index, ...hashes] = raw.slice(0, cut).split("\n");
  if (extra === undefined || !extra.startsWith("extra ")) throw malformed("extra");
  const match = index === undefined ? null : INDEX.exec(index);
  if (match === null) throw malformed("index");
  if (hashes.length > PROOF_HASHES_MAX) throw malformed("proof");
  const proof = hashes.map((one) => decodeBase64(one, "proof"));
  if (proof.some((one) => one.length !== HASH_BYTES)) throw malformed("proof");
  const opening = parseOpening(decodeBase64(extra.slice(6), "extra"));
  return { index: BigInt(match[1]), proof, checkpoint: bytes.subarray(cut + 2), opening };
}

function parseOpening(bytes) {
  const value = parseCanonical(bytes, "extra");
  const form = typeof value === "object" ? Object.keys(value).join(" ") : "";
  if (Array.isArray(value) || typeof value.entry !== "string") throw malformed("extra");
  const entry = decodeBase64(value.entry, "extra");
  if (form === "entry") return { entry, seed: null, values: null, disclosures: [] };
  if (form === "entry seed values") return { entry, ...parseWhole(value), disclosures: [] };
  const { disclosures } = value;
  const good =
    form === "disclosures entry" &&
    Array.isArray(disclosures) &&
    disclosures.length > 0 &&
    disclosures.length <= SEALED_MAX &&
    disclosures.every((one) => typeof one === "string");
  if (!good) throw malformed("extra");
  return { entry, seed: null, values: null, disclosures };
}

function parseWhole({ seed, values }) {
  if (typeof seed !== "string" || typeof values !== "object" || Array.isArray(values)) {
    throw malformed("extra");
  }
  const bytes = decodeBase64Url(seed, "extra");
  const count = Object.keys(values).length;
  if (bytes.length !== SEED_BYTES || count === 0 || count > SEALED_MAX) throw malformed("extra");
  return { seed: bytes, values };
}
