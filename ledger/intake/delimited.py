"""A CSV file's bytes → its records, without guessing silently.

The encoding is UTF-8 (with or without a byte order mark) if every byte is, else GB18030 if
every byte is, else an error that names the first wrong byte of both. A file that is UTF-8
but for a few broken bytes would mostly also pass as GB18030 and give wrong names for ever;
it is told apart and refused. The delimiter is the one of comma, tab and semicolon under
which the header row appears.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

from ledger.errors import MalformedError

DELIMITERS = (",", "\t", ";")
BROKEN_SHARE_MAX = 10
"""Text is broken UTF-8 where less than one in so many of its non-ASCII bytes is no UTF-8."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class Delimited:
    """The records of a CSV file, blank ones as empty lists, with how they were read."""

    records: list[list[str]]
    encoding: str
    delimiter: str


def decode(data: bytes) -> tuple[str, str]:
    """The text of a file and the name of its encoding, ``utf-8`` or ``gb18030``.

    Raises:
        MalformedError: ``encoding_unknown`` or ``encoding_broken``, with the byte offsets.
    """
    if data.startswith(_UTF16_MARKS) or b"\0" in data:
        raise MalformedError(
            "expected a CSV file in UTF-8 or GB18030, got UTF-16 or no text at all; save the "
            "list as XLSX or as 'CSV UTF-8'",
            code="encoding_unknown",
        )
    try:
        return data.decode("utf-8-sig"), "utf-8"
    except UnicodeDecodeError as error:
        utf8 = error.start + (3 if data.startswith(_BYTE_ORDER_MARK) else 0)
    if data.startswith(_BYTE_ORDER_MARK) or _is_broken_utf8(data):
        raise MalformedError(
            f"expected UTF-8, as most of the file is, got a wrong byte at offset {utf8}; "
            "export the file again",
            code="encoding_broken",
            details={"utf8_offset": utf8},
        )
    try:
        return data.decode("gb18030"), "gb18030"
    except UnicodeDecodeError as error:
        raise MalformedError(
            f"expected a CSV file in UTF-8 or GB18030, got a byte that is not UTF-8 at offset "
            f"{utf8} and one that is not GB18030 at offset {error.start}; save the list as "
            "XLSX or as 'CSV UTF-8'",
            code="encoding_unknown",
            details={"utf8_offset": utf8, "gb18030_offset": error.start},
        ) from None


def _is_broken_utf8(data: bytes) -> bool:
    valid = len(data.decode("utf-8", "ignore").encode())
    foreign = len(data) - len(data.translate(None, bytes(range(0x80, 0x100))))
    return (len(data) - valid) * BROKEN_SHARE_MAX < foreign


def read_delimited(
    data: bytes, is_header: Callable[[Sequence[str]], bool], header_rows_max: int, rows_max: int
) -> Delimited:
    """Split a CSV file into records.

    Args:
        data: The whole file.
        is_header: Whether a record is the header row.
        header_rows_max: The header is sought in so many records from the start.
        rows_max: The most records, blank ones included.

    Raises:
        MalformedError: encoding, broken quoting (with the record), too many records, no
            header under any delimiter or under several.
    """
    text, encoding = decode(data)
    found = [
        delimiter
        for delimiter in DELIMITERS
        if any(map(is_header, _head(text, delimiter, header_rows_max)))
    ]
    if len(found) != 1:
        shown = "comma, tab or semicolon"
        raise MalformedError(
            f"expected a header row with the columns, separated by {shown}, in the first "
            f"{header_rows_max} rows; read as {encoding}, there is none"
            if not found
            else "expected one delimiter; the header row can be read with several of "
            f"{shown}; save the list as XLSX",
            code="header_missing" if not found else "delimiter_ambiguous",
        )
    records: list[list[str]] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=found[0], strict=True)
    try:
        records.extend(islice(reader, rows_max + 1))
    except csv.Error as error:
        raise MalformedError(
            f"expected CSV, got broken quoting after row {len(records)} ({error}); correct the "
            "quotation marks there",
            code="csv_broken",
        ) from None
    if len(records) > rows_max:
        raise MalformedError(
            f"expected at most {rows_max:,} rows, got more; split the list",
            code="file_too_large",
        )
    return Delimited(records, encoding, found[0])


def _head(text: str, delimiter: str, count: int) -> list[list[str]]:
    """The first records; up to a broken one, whose place the full reading will tell."""
    head: list[list[str]] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    with suppress(csv.Error):
        head.extend(islice(reader, count))
    return head
