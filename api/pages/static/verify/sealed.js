// Sealed fields: SD-JWT disclosures (RFC 9901, section 4.2) whose salts come from one seed.

import { decodeBase64Url, encodeBase64Url, utf8 } from "./bytes.js";
import { formatCanonical, parseCanonical } from "./canonical.js";
import { hmacSha256, sha256 } from "./digest.js";
import { malformed, mismatch } from "./refusal.js";

const SALT_BYTES = 16;
const DISCLOSURE_CHARS_MAX = 65536;

export function buildDisclosure(seed, name, value) {
  const salt = hmacSha256(seed, utf8(`shanji/v1/salt/${name}`)).subarray(0, SALT_BYTES);
  return encodeBase64Url(formatCanonical([encodeBase64Url(salt), name, value]));
}

export const buildCommitment = (disclosure) => encodeBase64Url(sha256(utf8(disclosure)));

// Seed and values must be the whole opening: no field more, none less.
export function openSealed(sealed, seed, values) {
  const names = Object.keys(values);
  const same =
    names.length === Object.keys(sealed).length &&
    names.every((name) => sealed[name] === buildCommitment(buildDisclosure(seed, name, values[name])));
  if (!same) throw mismatch("commitment", "commitment_mismatch");
}

// The values that disclosures reveal, each checked against its commitment.
export function openDisclosures(sealed, disclosures) {
  const values = Object.create(null);
  for (const disclosure of disclosures) {
    const [, name, value] = parseDisclosure(disclosure);
    if (name in values) throw malformed("disclosure");
    if (sealed[name] !== buildCommitment(disclosure)) {
      throw mismatch("commitment", "commitment_mismatch");
    }
    values[name] = value;
  }
  return values;
}

function parseDisclosure(disclosure) {
  if (disclosure.length > DISCLOSURE_CHARS_MAX) throw malformed("disclosure");
  const value = parseCanonical(decodeBase64Url(disclosure, "disclosure"), "disclosure");
  if (
    !Array.isArray(value) ||
    value.length !== 3 ||
    typeof value[0] !== "string" ||
    typeof value[1] !== "string"
  ) {
    throw malformed("disclosure");
  }
  return value;
}
