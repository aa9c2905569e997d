"""Lists as charities get them, made by hand: workbooks of every format, with their quirks.

Every name and number in them is invented.
"""

from __future__ import annotations

import datetime as dt
import io
import struct
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import openpyxl

from ledger.intake.columns import Columns
from ledger.intake.sheets import Row, Source, Table

Value = str | int | float | bool | dt.datetime | dt.date | dt.time | None
Rows = Sequence[Sequence[Value]]

HEADER = ("订单号", "金额", "日期", "捐赠人", "留言")
COLUMNS = Columns(
    order_number="订单号",
    amount="金额",
    occurred_on="日期",
    donor_name="捐赠人",
    message="留言",
)


def order(number: int, day: str = "20200125") -> str:
    """An order number of 28 digits as platforms build them, with a time at place 10."""
    return f"1000030201{day}{number % 24:02d}{number % 60:02d}{number % 60:02d}{number:04d}"


def write_xlsx(path: Path, sheets: Mapping[str, Rows], merged: Iterable[str] = ()) -> Path:
    """A workbook by openpyxl; `merged` ranges are of the first sheet."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    for cells in merged:
        book.worksheets[0].merge_cells(cells)
    book.save(path)
    return path


def write_zip(path: Path, parts: Mapping[str, bytes | str]) -> Path:
    """An archive with these parts, deflated."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def read_zip(path: Path) -> dict[str, bytes]:
    """All parts of an archive."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


_ODS_NAMES = " ".join(
    f'xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for short, name in (("office", "office"), ("table", "table"), ("text", "text"))
)


def ods_cell(value: Value) -> str:
    """One cell of an ODS sheet."""
    if value is None:
        return "<table:table-cell/>"
    if isinstance(value, float):
        return f'<table:table-cell office:value-type="float" office:value="{value}"/>'
    if isinstance(value, dt.date):
        return f'<table:table-cell office:value-type="date" office:date-value="{value}"/>'
    return (
        f'<table:table-cell office:value-type="string"><text:p>{value}</text:p></table:table-cell>'
    )


def write_ods(path: Path, rows: Rows, *, after: str = "", body: str | None = None) -> Path:
    """An ODS file with one sheet; `after` is raw XML behind its rows, `body` instead of them."""
    inner = "".join(
        f"<table:table-row>{''.join(map(ods_cell, row))}</table:table-row>" for row in rows
    )
    content = (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document-content {_ODS_NAMES} '
        'office:version="1.2"><office:body><office:spreadsheet>'
        f'<table:table table:name="表1">{inner if body is None else body}{after}</table:table>'
        "</office:spreadsheet></office:body></office:document-content>"
    )
    manifest = (
        '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
        '<manifest:file-entry manifest:full-path="/" '
        'manifest:media-type="application/vnd.oasis.opendocument.spreadsheet"/>'
        "</manifest:manifest>"
    )
    parts = {
        "mimetype": "application/vnd.oasis.opendocument.spreadsheet",
        "content.xml": content,
        "META-INF/manifest.xml": manifest,
    }
    return write_zip(path, parts)


def write_xls(path: Path, rows: Rows, *, before_sheet: bytes = b"") -> Path:
    """A BIFF8 workbook with one sheet, of texts and numbers.

    `before_sheet` are raw records for the workbook's globals, such as a password's.
    """
    name = "列表".encode("utf-16-le")
    start = _record(0x0809, struct.pack("<HHHHII", 0x0600, 0x0005, 0, 0, 0, 0)) + before_sheet
    sheet_at = len(start) + 4 + 8 + len(name) + 4
    bound = _record(0x0085, struct.pack("<IBBBB", sheet_at, 0, 0, len(name) // 2, 1) + name)
    sheet = _record(0x0809, struct.pack("<HHHHII", 0x0600, 0x0010, 0, 0, 0, 0))
    for row, cells in enumerate(rows):
        for column, value in enumerate(cells):
            place = struct.pack("<HHH", row, column, 0)
            if isinstance(value, str):
                text = value.encode("utf-16-le")
                body = struct.pack("<HB", len(text) // 2, 1) + text
                sheet += _record(0x0204, place + body)
            elif isinstance(value, float):
                sheet += _record(0x0203, place + struct.pack("<d", value))
    stream = start + bound + _record(0x000A, b"") + sheet + _record(0x000A, b"")
    path.write_bytes(compound_file("Workbook", stream))
    return path


def _record(number: int, body: bytes) -> bytes:
    return struct.pack("<HH", number, len(body)) + body


def compound_file(name: str, stream: bytes) -> bytes:
    """A compound file (the container of XLS and of encrypted workbooks) with one stream."""
    stream = stream.ljust(4096, b"\0")
    stream += bytes(-len(stream) % 512)
    count = len(stream) // 512
    free, end, table = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
    # Sector 0 is the allocation table, 1 the directory, the stream follows.
    chain = [table, end, *range(3, count + 2), end]
    chain += [free] * (128 - len(chain))
    header = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(16)
    header += struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    header += struct.pack("<IIIIIIIII", 0, 1, 1, 0, 4096, end, 0, end, 0)
    header += struct.pack("<I", 0) + struct.pack("<I", free) * 108
    directory = (
        _directory_entry("Root Entry", 5, child=1, start=end, size=0)
        + _directory_entry(name, 2, child=free, start=2, size=len(stream))
        + _directory_entry("", 0, child=free, start=0, size=0) * 2
    )
    return header + struct.pack("<128I", *chain) + directory + stream


def _directory_entry(name: str, kind: int, *, child: int, start: int, size: int) -> bytes:
    none = 0xFFFFFFFF
    text = (name + "\0").encode("utf-16-le") if name else b""
    return (
        text.ljust(64, b"\0")
        + struct.pack("<HBBIII", len(text), kind, 1, none, none, child)
        + bytes(36)
        + struct.pack("<IQ", start, size)
    )


def write_csv(path: Path, text: str, encoding: str = "utf-8") -> Path:
    """A text file in an encoding, line ends as given."""
    path.write_bytes(text.encode(encoding))
    return path


def table_of(
    rows: Iterable[Sequence[Value]], header: Sequence[str] = HEADER, *, first_row: int = 2
) -> Table:
    """A table as `read_table` would give it, without a file."""
    listed = tuple(
        Row(number, ["" if cell is None else cell for cell in cells])
        for number, cells in enumerate(rows, first_row)
    )
    source = Source(
        name="list.xlsx",
        size_bytes=0,
        sha256="0" * 64,
        media="xlsx",
        sheet="Sheet1",
        header_row=first_row - 1,
        sheet_rows=first_row - 1 + len(listed),
        blank_rows=0,
    )
    return Table(tuple(header), listed, source)


def deflated(parts: Mapping[str, bytes]) -> bytes:
    """The bytes of an archive with these parts."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return out.getvalue()
