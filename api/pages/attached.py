"""Receipts inside a PDF: the attached ``.tlog-proof`` files, found among its streams.

As ``static/verify/attachment.js`` finds them, for who has no scripts: each stream is taken
as it is or inflated, and kept where it begins as a receipt does. Nothing else of the PDF
is read, and nothing of it is believed: what is found is verified like any other file.
"""

from __future__ import annotations

import re
import zlib

from ledger.receipt import HEADER, RECEIPT_BYTES_MAX

STREAMS_MAX = 20_000
RECEIPTS_MAX = 1_000
_PDF_HEAD = 1024
_DICTIONARY_BYTES = 2000
_STREAM = re.compile(rb"(?<!end)stream\r?\n")
_LENGTH = re.compile(rb"/Length\s+(\d{1,10})\b(?!\s+\d+\s+R)")
_FLATE = re.compile(rb"/(?:FlateDecode|Fl)\b")
_END = re.compile(rb"\s*endstream")
_START = HEADER + b"\n"


def is_pdf(data: bytes) -> bool:
    """Whether the bytes say that they are a PDF."""
    return b"%PDF-" in data[:_PDF_HEAD]


def attached_receipts(data: bytes) -> list[bytes]:
    """The receipts attached to a PDF, each once, in the order of the file."""
    found: dict[bytes, None] = {}
    at = 0
    for _ in range(STREAMS_MAX):
        match = _STREAM.search(data, at)
        if match is None or len(found) >= RECEIPTS_MAX:
            break
        head = data[max(0, match.start() - _DICTIONARY_BYTES) : match.start()]
        dictionary = head[head.rfind(b" obj") + 1 :]
        length = _LENGTH.search(dictionary)
        start = at = match.end()
        end = _end(data, start, length)
        receipt = _receipt_in(data[start:end], dictionary, exact=length is not None)
        if receipt is not None:
            found[receipt] = None
            at = end
    return list(found)


def _end(data: bytes, start: int, length: re.Match[bytes] | None) -> int:
    """By its length where that leads to its end, else by the word that ends it."""
    if length is not None and _END.match(data, start + int(length[1])):
        return start + int(length[1])
    word = data.find(b"endstream", start)
    return len(data) if word < 0 else word


def _receipt_in(stream: bytes, dictionary: bytes, *, exact: bool) -> bytes | None:
    if stream.startswith(_START):
        return stream if exact else stream.rstrip(b"\r\n") + b"\n"
    if not _FLATE.search(dictionary):
        return None
    try:
        whole = zlib.decompressobj().decompress(stream, RECEIPT_BYTES_MAX + 1)
    except zlib.error:
        # Not what its dictionary says: no receipt that anybody could verify.
        return None
    return whole if whole.startswith(_START) else None
