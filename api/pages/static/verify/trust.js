// Whom a reader trusts: verifier keys, one a line, or a policy file, as `shanji verify` takes them.

import { fromUtf8, utf8 } from "./bytes.js";
import { parseVerifierKey } from "./keys.js";
import { parsePolicy } from "./policy.js";
import { malformed } from "./refusal.js";

const POLICY_WORD = /^[ \t]*(?:log|witness|group|quorum)[ \t]/m;

// { policy } or { keys }; throws a Refusal where the text is neither.
export function parseTrust(text) {
  return parseTrustBytes(utf8(text));
}

export function parseTrustBytes(bytes) {
  const text = fromUtf8(bytes);
  if (text === null || POLICY_WORD.test(text)) return { policy: parsePolicy(bytes) };
  const keys = text.split(/[\r\n]+/).map((one) => one.trim()).filter(Boolean);
  if (keys.length === 0) throw malformed("key");
  return { keys: keys.map(parseVerifierKey) };
}
