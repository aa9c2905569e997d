// What a key can verify: signatures over a note's text (type 0x01), and cosignatures over a
// checkpoint, which carry a time: Ed25519 (0x04) and ML-DSA-44 (0x06). c2sp.org/tlog-cosignature.

import { bigEndian, concat, utf8 } from "./bytes.js";
import { parseCheckpoint } from "./checkpoint.js";
import { verifyEd25519 } from "./ed25519.js";
import { COSIGNATURE, ED25519, ML_DSA_44 } from "./keys.js";
import { verifyMlDsa44 } from "./ml-dsa.js";
import { malformed, mismatch, Refusal } from "./refusal.js";

const TIME_BYTES = 8;
const TIME_MAX = 2n ** 63n - 1n;
const NAME_BYTES_MAX = 255;
const SUBTREE_LABEL = "subtree/v1\n\0";

// { name, keyId, verify(text, signature) }; verify throws where the signature is not good.
export function verifierFor(key) {
  if (key.type === ML_DSA_44 && utf8(key.name).length > NAME_BYTES_MAX) throw malformed("key");
  const check = { [ED25519]: signed, [COSIGNATURE]: cosigned, [ML_DSA_44]: signedPostQuantum }[key.type];
  return {
    name: key.name,
    keyId: key.id,
    async verify(text, signature) {
      if (!(await check(key, text, signature))) throw mismatch("signature");
    },
  };
}

// The time that a good cosignature states, in seconds since 1970, a BigInt.
export function timeOf(signature) {
  return bigEndian(signature.subarray(0, TIME_BYTES));
}

const signed = (key, text, signature) => verifyEd25519(key.publicKey, signature, text);

function cosigned(key, text, signature) {
  signedCheckpoint(text);
  const [time, rest] = splitTime(signature);
  const message = concat(utf8(`cosignature/v1\ntime ${time}\n`), text);
  return verifyEd25519(key.publicKey, rest, message);
}

function signedPostQuantum(key, text, signature) {
  const checkpoint = signedCheckpoint(text);
  const [time, rest] = splitTime(signature);
  const name = utf8(key.name);
  const origin = utf8(checkpoint.origin);
  const message = concat(
    utf8(SUBTREE_LABEL),
    Uint8Array.of(name.length),
    name,
    eightBytes(time),
    Uint8Array.of(origin.length),
    origin,
    eightBytes(0n),
    eightBytes(checkpoint.size),
    checkpoint.root,
  );
  return verifyMlDsa44(key.publicKey, rest, message);
}

function splitTime(signature) {
  const time = timeOf(signature);
  if (signature.length <= TIME_BYTES || time > TIME_MAX) throw mismatch("signature");
  return [time, signature.subarray(TIME_BYTES)];
}

// A cosignature over anything but a checkpoint is simply wrong.
function signedCheckpoint(text) {
  try {
    return parseCheckpoint(text, { allowExtensions: true });
  } catch (error) {
    if (error instanceof Refusal) throw mismatch("signature");
    throw error;
  }
}

function eightBytes(number) {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, number);
  return bytes;
}
