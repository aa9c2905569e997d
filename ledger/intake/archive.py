"""What a zipped workbook holds, found out before anything unpacks it.

XLSX and ODS files are zip archives of XML. A small one can unpack to any size (a zip
bomb), or name one cell so far out that the grid up to it fills the memory. So the archive
is unpacked here once in bounded pieces, and the extent of every sheet is bounded, before
the workbook reader sees a byte. Sizes that the archive states are not believed: what comes
out is counted.

Beside the safety this gives one fact that the reader does not: how many rows a sheet has,
the blank ones at its end included.
"""

from __future__ import annotations

import io
import re
import xml.parsers.expat
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NoReturn

from ledger.errors import MalformedError

UNPACKED_BYTES_MAX = 512 * 1024 * 1024
"""All parts of a workbook together; 500,000 rows of six columns take about half."""
PARTS_MAX = 2_000
"""Files inside the archive: sheets, styles, pictures."""
CELLS_MAX = 2**25
"""Rows times columns up to the farthest cell that is not blank."""
TEXT_CHARS_MAX = 2**29
"""Characters of an ODS sheet, repeated cells counted as often as they are repeated."""
PIECE_BYTES = 1 << 20

_STYLES_OF_PACKING = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_WORKBOOK = "xl/workbook.xml"
_WORKBOOK_LINKS = "xl/_rels/workbook.xml.rels"
_ODS_CONTENT = "content.xml"
_ODS_MANIFEST = "META-INF/manifest.xml"
_ODS_MEDIA = b"application/vnd.oasis.opendocument.spreadsheet"

_UNUSUAL_CELL = re.compile(rb'<c[\s/>](?!r="[A-Z][0-9]{1,6}")')
_PREFIXED_CELL = re.compile(rb":c[\s/>]")
"""A cell whose place is not written first, lies past column Z or past row 999,999.

Where a sheet has none of both, its grid has at most 26 columns and a million rows, and two
fast searches have shown it.
"""
_ROW_NUMBER = re.compile(rb'<row [^>]*?\br="([0-9]{1,7})"')
_UTF16_STARTS = (b"\xff\xfe", b"\xfe\xff", b"<\0", b"\0<")
_BLANK_START = b"\xef\xbb\xbf \t\r\n"
_DAMAGED = (
    zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError,
    ValueError, KeyError, UnicodeError,
)  # fmt: skip
"""What the standard library's zip reader raises on damaged archives."""


@dataclass(frozen=True, slots=True)
class Archive:
    """A zipped workbook that is safe to open.

    Attributes:
        media: Which format it is.
        sheet_rows: Sheet name → number of its last row, blank or not; XLSX only, and only
            of sheets that say so.
    """

    media: Literal["xlsx", "ods"]
    sheet_rows: Mapping[str, int]


def inspect_archive(data: bytes) -> Archive:
    """Look into a zipped workbook.

    Args:
        data: The whole file.

    Raises:
        MalformedError: damaged, encrypted, larger than the limits above, or no workbook.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _inspect(archive)
    except _DAMAGED as error:
        raise MalformedError(
            f"expected a spreadsheet, got a damaged archive ({error}); export the file again",
            code="file_damaged",
        ) from None


def _inspect(archive: zipfile.ZipFile) -> Archive:
    members = [member for member in archive.infolist() if not member.is_dir()]
    names = {member.filename for member in members}
    if len(members) > PARTS_MAX or len(names) < len(members):
        raise MalformedError(
            f"expected a spreadsheet of at most {PARTS_MAX} parts with different names, got "
            f"{len(members)} with {len(names)}; save it again in a spreadsheet program",
            code="file_too_large",
        )
    media: Literal["xlsx", "ods"]
    if _WORKBOOK in names:
        media = "xlsx"
    elif _ODS_CONTENT in names and "mimetype" in names:
        media = "ods"
    else:
        raise MalformedError(
            "expected a spreadsheet (XLSX, XLS, ODS or CSV), got an archive of other files; "
            "unpack it, or save the list as XLSX",
            code="file_not_a_spreadsheet",
        )
    # The manifest first: it says whether the content is encrypted.
    members.sort(key=lambda member: member.filename != _ODS_MANIFEST)
    budget = UNPACKED_BYTES_MAX
    last_rows: dict[str, int] = {}
    kept: dict[str, bytes] = {}
    for member in members:
        part = _unpack(archive, member, budget)
        budget -= len(part)
        name = member.filename
        if media == "ods":
            _check_ods_part(name, part)
        else:
            last_rows[name] = _check_xlsx_part(part)
            if name in (_WORKBOOK, _WORKBOOK_LINKS):
                kept[name] = part
    return Archive(media, _sheet_rows(kept, last_rows) if media == "xlsx" else {})


def _unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo, budget: int) -> bytes:
    if member.flag_bits & 0x1:
        _refuse_encrypted()
    if member.compress_type not in _STYLES_OF_PACKING:
        raise zipfile.BadZipFile("a part is packed in a way that spreadsheets do not use")
    stated = member.file_size
    # One byte more than stated is asked for: whether there is one shows a false statement,
    # which the reader of the workbook would follow past any limit.
    member.file_size = stated + 1
    pieces = []
    size = 0
    with archive.open(member) as part:
        while piece := part.read(PIECE_BYTES):
            size += len(piece)
            if size > budget:
                raise MalformedError(
                    f"expected a spreadsheet that unpacks to at most {UNPACKED_BYTES_MAX:,} "
                    "bytes, got a larger one; split the list",
                    code="file_too_large",
                )
            pieces.append(piece)
    if size != stated:
        raise zipfile.BadZipFile("a part is longer or shorter than the archive states")
    return b"".join(pieces)


def _check_xlsx_part(part: bytes) -> int:
    """Bound the grid that the part describes, if it is a sheet; the number of its last row."""
    wide = part.startswith(_UTF16_STARTS)
    if not wide and part.lstrip(_BLANK_START)[:1] != b"<":
        return 0  # a picture or a font, which no reader takes for a sheet
    if wide or _UNUSUAL_CELL.search(part) or _PREFIXED_CELL.search(part):
        _Extent().measure(part)
    last = part.rfind(b"<row ")
    found = _ROW_NUMBER.match(part, last) if last >= 0 else None
    return int(found.group(1)) if found else 0


def _check_ods_part(name: str, part: bytes) -> None:
    if name == "mimetype" and part.strip() != _ODS_MEDIA:
        raise MalformedError(
            f"expected a spreadsheet, got {part[:60].decode('ascii', 'replace')}; save the "
            "list as XLSX",
            code="file_not_a_spreadsheet",
        )
    if name == _ODS_MANIFEST and b"encryption-data" in part:
        _refuse_encrypted()
    if name == _ODS_CONTENT:
        _OdsExtent().measure(part)


def _refuse_encrypted() -> NoReturn:
    raise MalformedError(
        "expected a spreadsheet that anyone can open, got an encrypted one; remove the "
        "password and save it again",
        code="file_encrypted",
    )


def _refuse_extent(rows: int, columns: int) -> None:
    if rows * columns > CELLS_MAX:
        raise MalformedError(
            f"expected a sheet of at most {CELLS_MAX:,} cells, got one whose farthest cells "
            f"are in row {rows:,} and column {columns:,}; delete the cells far from the list "
            "and save it again",
            code="file_too_large",
        )


def _parse_xml(parser: xml.parsers.expat.XMLParserType, part: bytes) -> None:
    def refuse(*_: object) -> None:
        raise MalformedError(
            "expected a spreadsheet, got one that declares XML entities; save it again in a "
            "spreadsheet program",
            code="file_damaged",
        )

    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(part, True)
    except xml.parsers.expat.ExpatError as error:
        raise MalformedError(
            f"expected a spreadsheet, got one whose XML is broken ({error}); save it again",
            code="file_damaged",
        ) from None


class _Extent:
    """Measures how far the cells of an XLSX sheet reach, as the workbook reader would."""

    def __init__(self) -> None:
        self._row = self._column = 0
        self._rows = self._columns = 0

    def measure(self, part: bytes) -> None:
        parser = xml.parsers.expat.ParserCreate()
        parser.StartElementHandler = self._start
        _parse_xml(parser, part)
        _refuse_extent(self._rows, self._columns)

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        local = name.rpartition(":")[2]
        if local == "row":
            self._row = _number(attributes["r"]) if "r" in attributes else self._row + 1
            self._column = 0
        elif local == "c":
            self._column += 1
            if "r" in attributes:
                letters, digits = _split_place(attributes["r"])
                self._column = 0
                for letter in letters:
                    self._column = self._column * 26 + ord(letter) - ord("A") + 1
                self._row = _number(digits)
            self._columns = max(self._columns, self._column)
            self._rows = max(self._rows, self._row)


def _split_place(place: str) -> tuple[str, str]:
    letters = place.rstrip("0123456789")
    if not re.fullmatch("[A-Za-z]{1,3}", letters):
        raise MalformedError(
            f"expected a cell's place such as B12, got {place[:20]!r}; save the file again in a "
            "spreadsheet program",
            code="file_damaged",
        )
    return letters.upper(), place[len(letters) :]


class _OdsExtent:
    """Measures the sheets of an ODS file with all repetitions of rows and cells.

    Blank cells and rows at the end are repeated a million times in ordinary files; only
    what lies before the last cell that is not blank takes memory.
    """

    def __init__(self) -> None:
        self._rows = self._columns = 0
        self._row_end = self._cell_end = 0
        self._filled_to = self._row_times = self._cell_times = 1
        self._chars = 0

    def measure(self, part: bytes) -> None:
        parser = xml.parsers.expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        _parse_xml(parser, part)

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        local = name.rpartition(":")[2]
        if local == "table":
            self._rows = self._columns = self._row_end = 0
        elif local == "table-row":
            self._row_times = _times(attributes, "number-rows-repeated")
            self._cell_end = self._filled_to = 0
            self._row_end += self._row_times
        elif local in ("table-cell", "covered-table-cell"):
            self._cell_times = _times(attributes, "number-columns-repeated")
            self._cell_end += self._cell_times
            for key, value in attributes.items():
                if key.endswith(("value", "value-type")):
                    self._filled_to = self._cell_end
                    self._text(value)
        elif self._cell_end:
            self._filled_to = self._cell_end

    def _end(self, name: str) -> None:
        if name.rpartition(":")[2] == "table-row" and self._filled_to:
            self._rows = self._row_end
            self._columns = max(self._columns, self._filled_to)
            self._cell_end = 0
            _refuse_extent(self._rows, self._columns)

    def _text(self, text: str) -> None:
        if self._cell_end:
            self._chars += len(text) * self._cell_times * self._row_times
        if self._chars > TEXT_CHARS_MAX:
            raise MalformedError(
                f"expected a sheet of at most {TEXT_CHARS_MAX:,} characters, got a longer one; "
                "split the list",
                code="file_too_large",
            )


def _times(attributes: Mapping[str, str], wanted: str) -> int:
    for key, value in attributes.items():
        if key.rpartition(":")[2] == wanted:
            return _number(value)
    return 1


def _number(text: str) -> int:
    """A count or a place in the XML; one of over nine digits is no sheet's."""
    if not re.fullmatch("[0-9]{1,9}", text):
        raise MalformedError(
            f"expected a row or a count in the sheet's XML, got {text[:20]!r}; save the file "
            "again in a spreadsheet program",
            code="file_damaged",
        )
    return int(text)


def _sheet_rows(kept: Mapping[str, bytes], last_rows: Mapping[str, int]) -> dict[str, int]:
    """Sheet name → last row, by the workbook's list of sheets and where each one lies."""
    links: dict[str, str] = {}
    sheets: dict[str, str] = {}

    def link(name: str, attributes: Mapping[str, str]) -> None:
        if name.rpartition(":")[2] == "Relationship":
            links[attributes.get("Id", "")] = attributes.get("Target", "")

    def sheet(name: str, attributes: Mapping[str, str]) -> None:
        if name.rpartition(":")[2] == "sheet":
            ids = [value for key, value in attributes.items() if key.endswith(":id")]
            sheets[attributes.get("name", "")] = ids[0] if ids else ""

    for part, handler in ((_WORKBOOK_LINKS, link), (_WORKBOOK, sheet)):
        parser = xml.parsers.expat.ParserCreate()
        parser.StartElementHandler = handler
        _parse_xml(parser, kept.get(part, b"<none/>"))
    result = {}
    for name, identifier in sheets.items():
        target = links.get(identifier, "")
        path = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
        if last_rows.get(path):
            result[name] = last_rows[path]
    return result
