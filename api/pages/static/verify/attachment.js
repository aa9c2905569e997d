// Receipts inside a PDF: the attached `.tlog-proof` files, found among its streams.
//
// Nothing else of a PDF is read: each stream is taken as it is, or inflated, and kept where it
// begins as a receipt does. That finds attachments however the file's tables are written.

import { fromLatin1, latin1 } from "./bytes.js";
import { HEADER, RECEIPT_BYTES_MAX } from "./receipt.js";

const PDF = "%PDF-";
const PDF_HEAD = 1024;
const STREAM = /stream\r?\n/g;
const LENGTH = /\/Length\s+(\d+)\b(?!\s+\d+\s+R)/;
const STREAMS_MAX = 20000;
const RECEIPTS_MAX = 1000;
const DICTIONARY_CHARS = 2000;

export const isPdf = (bytes) => latin1(bytes.subarray(0, PDF_HEAD)).includes(PDF);

// The receipts that are attached, each once, in the order of the file.
export async function attachedReceipts(bytes) {
  const text = latin1(bytes);
  const found = new Map();
  STREAM.lastIndex = 0;
  for (let count = 0; count < STREAMS_MAX && found.size < RECEIPTS_MAX; count += 1) {
    const match = STREAM.exec(text);
    if (match === null) break;
    if (text.slice(match.index - 3, match.index) === "end") continue;
    const head = text.slice(Math.max(0, match.index - DICTIONARY_CHARS), match.index);
    const dictionary = head.slice(head.lastIndexOf(" obj") + 1);
    const start = match.index + match[0].length;
    const data = bytes.subarray(start, endOf(text, start, dictionary));
    const receipt = await readStream(data, dictionary);
    if (receipt === null) continue;
    found.set(latin1(receipt), receipt);
    STREAM.lastIndex = start + data.length;
  }
  return [...found.values()];
}

// By its length where that is written in place and leads to its end, else by the word itself.
function endOf(text, start, dictionary) {
  const length = LENGTH.exec(dictionary);
  if (length !== null) {
    const end = start + Number(length[1]);
    if (/^\s*endstream/.test(text.slice(end, end + 16))) return end;
  }
  const word = text.indexOf("endstream", start);
  return word < 0 ? text.length : word;
}

async function readStream(data, dictionary) {
  if (startsAsReceipt(data)) return trimmed(data, dictionary);
  if (!/\/(?:FlateDecode|Fl)\b/.test(dictionary)) return null;
  const whole = await inflate(data);
  return startsAsReceipt(whole) ? whole : null;
}

const startsAsReceipt = (data) => latin1(data.subarray(0, HEADER.length + 1)) === `${HEADER}\n`;

// Without a length, the line end before `endstream` is not the file's; a receipt ends in one newline.
function trimmed(data, dictionary) {
  if (LENGTH.test(dictionary)) return data;
  return fromLatin1(latin1(data).replace(/\n[\r\n]*$/, "\n"));
}

// What comes out until it ends, is broken, or is larger than any receipt.
async function inflate(data) {
  const reader = new Blob([data]).stream().pipeThrough(new DecompressionStream("deflate")).getReader();
  const parts = [];
  let size = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      parts.push(value);
      size += value.length;
      if (!startsAsReceipt(parts[0]) || size > RECEIPT_BYTES_MAX) {
        await reader.cancel();
        break;
      }
    }
  } catch {
    // A stream that is cut, or has bytes after its end: what came out is looked at all the same,
    // and what is not whole does not verify.
  }
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
