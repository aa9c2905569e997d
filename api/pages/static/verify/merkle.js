// Leaf and node hashes, and the inclusion proof (RFC 6962, section 2.1; RFC 9162, section 2.1.3.2).

import { concat, equal } from "./bytes.js";
import { sha256 } from "./digest.js";
import { mismatch } from "./refusal.js";

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

export const leafHash = (entry) => sha256(concat(LEAF, entry));

// Index and size are BigInt; size and root come from the signed checkpoint.
export function verifyInclusion(index, size, leaf, proof, root) {
  if (index >= size) throw mismatch("place");
  const differing = index ^ (size - 1n);
  const inner = differing === 0n ? 0 : differing.toString(2).length;
  const above = (index >> BigInt(inner)).toString(2).replaceAll("0", "").length;
  if (proof.length !== inner + above) throw mismatch("proof_length");
  let node = leaf;
  let path = index;
  proof.forEach((sibling, height) => {
    // Above `inner` every sibling stands on the left.
    const left = height >= inner || (path & 1n) === 1n;
    node = sha256(left ? concat(NODE, sibling, node) : concat(NODE, node, sibling));
    path >>= 1n;
  });
  if (!equal(node, root)) throw mismatch("inclusion");
}
