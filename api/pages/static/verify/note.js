// Signed notes (c2sp.org/signed-note): the text, and the lines of signatures after it.

import { decodeBase64, fromLatin1, fromUtf8, hex, latin1 } from "./bytes.js";
import { isKeyName } from "./keys.js";
import { malformed, undecided } from "./refusal.js";

const NOTE_BYTES_MAX = 1048576;
const SIGNATURES_MAX = 64;
const KEY_ID_BYTES = 4;
const CONTROL = /[\x00-\x09\x0b-\x1f]/;
const DASH = "\u2014 ";

// { text (bytes, its last newline included), signatures: [{ name, keyId, identity, bytes }] }
export function splitNote(bytes) {
  const raw = latin1(bytes);
  const whole = fromUtf8(bytes);
  if (bytes.length > NOTE_BYTES_MAX || CONTROL.test(raw) || whole === null) {
    throw malformed("note");
  }
  const cut = raw.lastIndexOf("\n\n");
  if (cut < 0) throw malformed("note");
  const lines = fromUtf8(fromLatin1(raw.slice(cut + 2))).split("\n");
  if (lines.pop() !== "" || lines.length === 0 || lines.length > SIGNATURES_MAX) {
    throw malformed("note");
  }
  return { text: bytes.subarray(0, cut + 1), signatures: lines.map(parseSignature) };
}

function parseSignature(line) {
  const rest = line.startsWith(DASH) ? line.slice(DASH.length) : "";
  const space = rest.indexOf(" ");
  if (space < 0 || !isKeyName(rest.slice(0, space))) throw malformed("note");
  const name = rest.slice(0, space);
  const data = decodeBase64(rest.slice(space + 1), "note");
  if (data.length <= KEY_ID_BYTES) throw malformed("note");
  const keyId = hex(data.subarray(0, KEY_ID_BYTES));
  return { name, keyId, identity: identityOf(name, keyId), bytes: data.subarray(KEY_ID_BYTES) };
}

export const identityOf = (name, keyId) => `${keyId}+${name}`;

// The names of the verifiers whose first signature on the note is good, each once.
export async function openNote(bytes, verifiers) {
  const note = splitNote(bytes);
  const known = new Map();
  for (const one of verifiers) {
    const identity = identityOf(one.name, one.keyId);
    known.set(identity, [...(known.get(identity) ?? []), one]);
  }
  const verified = new Map();
  for (const signature of note.signatures) {
    const candidates = known.get(signature.identity);
    if (candidates === undefined || verified.has(signature.identity)) continue;
    if (candidates.length > 1) throw malformed("key");
    await candidates[0].verify(note.text, signature.bytes);
    verified.set(signature.identity, signature.name);
  }
  if (verified.size === 0) throw undecided("signer", "unknown_signer");
  return { text: note.text, signers: [...new Set(verified.values())] };
}
