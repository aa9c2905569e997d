"""A file from outside → a table of rows, with the facts about where they came from.

Reads XLSX, XLS and ODS with python-calamine and CSV with the standard library. The header
row is the first one that contains the wanted columns (title rows above it are skipped);
rows below it that show nothing are counted and dropped. Row numbers are the ones that a
person sees in a spreadsheet program: 1-based, blank rows included.

Every limit has a name; a file past one is refused before it costs memory (`archive`).
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple, NoReturn

from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    SheetTypeEnum,
    SheetVisibleEnum,
)

from ledger.beside import rare_garbage
from ledger.errors import MalformedError, NotFoundError
from ledger.intake.archive import CELLS_MAX, inspect_archive
from ledger.intake.cells import Cell, is_blank
from ledger.intake.columns import GIFTS, Layout, clean_header, column_letters, is_header
from ledger.intake.delimited import read_delimited

FILE_BYTES_MAX = 64 * 1024 * 1024
ROWS_MAX = 500_000
"""Rows below the header that are not blank."""
SHEET_ROWS_MAX = 1_048_576
"""Rows of a sheet, blank ones included: what spreadsheet programs can hold."""
COLUMNS_MAX = 256
HEADER_ROWS_MAX = 50
"""The header is sought in so many rows from the top: platforms put notes above it."""
SHEETS_MAX = 100

Media = Literal["xlsx", "xls", "ods", "csv"]

_ZIP_START = b"PK\x03\x04"
_OLE_START = bytes.fromhex("d0cf11e0a1b11ae1")
_ENCRYPTED_PART = "EncryptedPackage".encode("utf-16-le")
_BIFF_PASSWORD = re.compile(
    rb"\x09\x08\x10\x00\x00\x06\x05\x00.{12}(?:\x86\x00\x00\x00)?\x2f\x00", re.S
)
"""The start of an XLS workbook with a password record (MS-XLS, sections 2.4.21, 2.4.117)."""
_MARKUP_STARTS = (b"<", b"\xef\xbb\xbf<", b"%PDF", b"{\\rtf")


class Row(NamedTuple):
    """One row that is not blank. A tuple, because there are hundreds of thousands.

    `number` is the 1-based row that a person sees; `cells` has one cell for each column of
    the header at least.
    """

    number: int
    cells: Sequence[Cell]

    def __repr__(self) -> str:
        """Without what stands in the cells, so that no log line can hold it."""
        return f"Row(number={self.number}, {len(self.cells)} cells)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a table came from.

    Attributes:
        name, size_bytes, sha256: Of the file; the digest in hex.
        media: The format, found from the content, never from the name.
        encoding, delimiter: Of a CSV file.
        sheet, other_sheets: Of a workbook: the one taken, and the other visible ones.
        header_row: The 1-based row of the header.
        sheet_rows: The last row of the sheet, blank or not.
        blank_rows: Rows below the header that show nothing.
    """

    name: str
    size_bytes: int
    sha256: str
    media: Media
    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None
    other_sheets: tuple[str, ...] = ()
    header_row: int
    sheet_rows: int
    blank_rows: int


@dataclass(frozen=True, slots=True)
class Table:
    """A file's list.

    Attributes:
        columns: The header texts, left to right; "" where a column has none.
        rows: The rows below the header that are not blank.
        source: Where they came from.
    """

    columns: tuple[str, ...]
    rows: tuple[Row, ...] = field(repr=False)
    source: Source


@rare_garbage()
def read_table(
    path: Path,
    *,
    sheet: str | None = None,
    headers: Sequence[str] = (),
    layout: Layout = GIFTS,
) -> Table:
    """Read a file's list.

    Args:
        path: An XLSX, XLS, ODS or CSV file.
        sheet: The sheet to read; needed where several visible ones have the columns.
        headers: The headers that the header row must contain (`Columns.headers`); without
            any, it must contain a known header of each part that the layout needs.
        layout: What the list is of.

    Raises:
        NotFoundError: no such file, or no such sheet.
        MalformedError: not a spreadsheet, encrypted, empty, over a limit, no header row, or
            several sheets that have one.
    """
    return parse_table(path.name, read_file(path), sheet=sheet, headers=headers, layout=layout)


def parse_table(
    name: str,
    data: bytes,
    *,
    sheet: str | None = None,
    headers: Sequence[str] = (),
    layout: Layout = GIFTS,
) -> Table:
    """Read the list in a file's bytes.

    Args:
        name: What the file is called; it decides nothing.
        data: The whole file.
        sheet, headers, layout: As for `read_table`.

    Raises:
        NotFoundError: no such sheet.
        MalformedError: as `read_table`.
    """
    _check_size(data)
    facts = _Facts(name, len(data), hashlib.sha256(data).hexdigest())
    sought = _Sought(tuple(headers), layout)
    if data.startswith(_ZIP_START):
        archive = inspect_archive(data)
        return _read_workbook(data, archive.media, archive.sheet_rows, sheet, sought, facts)
    if data.startswith(_OLE_START):
        if _ENCRYPTED_PART in data or _BIFF_PASSWORD.search(data):
            _refuse_encrypted()
        return _read_workbook(data, "xls", {}, sheet, sought, facts)
    if data.lstrip()[:8].startswith(_MARKUP_STARTS):
        raise MalformedError(
            "expected a spreadsheet (XLSX, XLS, ODS or CSV), got a web page or another "
            "document, whatever its name says; open it and save it as XLSX",
            code="file_not_a_spreadsheet",
        )
    if sheet is not None:
        raise NotFoundError(f"a CSV file has no sheets; leave out the sheet {sheet!r}")
    return _read_csv(data, sought, facts)


class _Sought(NamedTuple):
    """What tells the header row: these headers, or those that the layout knows."""

    headers: Sequence[str]
    layout: Layout

    def is_header(self, cells: Sequence[object]) -> bool:
        return is_header(cells, self.headers, self.layout)


class _Facts(NamedTuple):
    name: str
    size_bytes: int
    sha256: str


def read_file(path: Path) -> bytes:
    """A file's bytes, at most one more than `FILE_BYTES_MAX`.

    Raises:
        NotFoundError: no such file.
        MalformedError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        raise NotFoundError(f"no file {path.name}; check the name") from None
    except OSError as error:
        raise MalformedError(
            f"expected a readable file, got {error.strerror} for {path.name}",
            code="file_unreadable",
        ) from None
    return data


def _check_size(data: bytes) -> None:
    if len(data) > FILE_BYTES_MAX:
        raise MalformedError(
            f"expected a file of at most {FILE_BYTES_MAX:,} bytes, got a larger one; split "
            "the list",
            code="file_too_large",
        )
    if not data.strip():
        raise MalformedError("expected a list, got an empty file", code="file_empty")


def _refuse_encrypted() -> NoReturn:
    raise MalformedError(
        "expected a spreadsheet that anyone can open, got an encrypted one; remove the "
        "password and save it again",
        code="file_encrypted",
    )


@contextmanager
def _calamine() -> Iterator[None]:
    """Turn whatever the workbook reader raises into `MalformedError`."""
    try:
        yield
    except CalamineError as error:
        raise MalformedError(
            f"expected a spreadsheet (XLSX, XLS, ODS or CSV), got a file that cannot be read as "
            f"one ({error}); open it in a spreadsheet program and save it as XLSX",
            code="file_damaged",
        ) from None
    except BaseException as error:
        # A defect inside the reader arrives as PanicException, which is no Exception.
        if type(error).__name__ != "PanicException":
            raise
        raise MalformedError(
            "expected a spreadsheet, got one that the reader gives up on; open it in a "
            "spreadsheet program and save it as XLSX",
            code="file_damaged",
        ) from None


def _read_workbook(
    data: bytes,
    media: Media,
    last_rows: Mapping[str, int],
    sheet: str | None,
    sought: _Sought,
    facts: _Facts,
) -> Table:
    with _calamine():
        book = CalamineWorkbook.from_filelike(io.BytesIO(data))
    names, hidden = _sheet_names(book)
    if sheet is not None and sheet not in names + hidden:
        raise NotFoundError(f"no sheet {sheet!r} in {facts.name}; it has {_listed(names + hidden)}")
    found = []
    tops = {}
    for name in [sheet] if sheet is not None else names:
        with _calamine():
            grid = book.get_sheet_by_name(name)
            top = grid.to_python(skip_empty_area=False, nrows=HEADER_ROWS_MAX)
        place = next((i for i, cells in enumerate(top) if sought.is_header(cells)), None)
        tops[name] = top
        if place is not None:
            found.append((name, grid, place))
    if not found:
        _refuse_headerless(tops, hidden if sheet is None else [], sought)
    if len(found) > 1:
        raise MalformedError(
            f"expected one sheet with the columns, {_listed([one[0] for one in found])} have "
            "them; name the one to read",
            code="sheet_ambiguous",
        )
    name, grid, place = found[0]
    cells = _cells(grid)
    rows = _rows(cells[place + 1 :], place + 2)
    sheet_rows = max(len(cells), last_rows.get(name, 0))
    source = Source(
        **facts._asdict(),
        media=media,
        sheet=name,
        other_sheets=tuple(one for one in names if one != name),
        header_row=place + 1,
        sheet_rows=sheet_rows,
        blank_rows=sheet_rows - place - 1 - len(rows),
    )
    return Table(tuple(map(clean_header, cells[place])), rows, source)


def _sheet_names(book: CalamineWorkbook) -> tuple[list[str], list[str]]:
    """The visible and the hidden sheets; charts and macros are none."""
    sheets = [one for one in book.sheets_metadata if one.typ == SheetTypeEnum.WorkSheet]
    if len(sheets) > SHEETS_MAX:
        raise MalformedError(
            f"expected at most {SHEETS_MAX} sheets, got {len(sheets)}; save the list alone",
            code="file_too_large",
        )
    visible = [one.name for one in sheets if one.visible == SheetVisibleEnum.Visible]
    return visible, [one.name for one in sheets if one.visible != SheetVisibleEnum.Visible]


def _cells(grid: CalamineSheet) -> list[list[Cell]]:
    """All rows of a sheet from A1 on, each as wide as the widest."""
    last_row, last_column = grid.end or (0, 0)
    if last_column >= COLUMNS_MAX or (last_row + 1) * (last_column + 1) > CELLS_MAX:
        raise MalformedError(
            f"expected a sheet of at most {COLUMNS_MAX} columns and {CELLS_MAX:,} cells, got one "
            f"that reaches to {column_letters(last_column)}{last_row + 1}; delete the cells far "
            "from the list and save it again",
            code="file_too_large",
        )
    with _calamine():
        return grid.to_python(skip_empty_area=False)


def _rows(cells: Iterable[Sequence[Cell]], first_number: int) -> tuple[Row, ...]:
    """The rows that show something, numbered from `first_number` on."""
    rows = []
    for number, row in enumerate(cells, first_number):
        for cell in row:
            if cell != "" and not is_blank(cell):
                rows.append(Row(number, row))
                break
    if len(rows) > ROWS_MAX:
        raise MalformedError(
            f"expected at most {ROWS_MAX:,} rows that are not blank, got {len(rows):,}; "
            "split the list",
            code="file_too_large",
        )
    return tuple(rows)


def _read_csv(data: bytes, sought: _Sought, facts: _Facts) -> Table:
    read = read_delimited(data, sought.is_header, HEADER_ROWS_MAX, SHEET_ROWS_MAX)
    place = next(i for i, record in enumerate(read.records) if sought.is_header(record))
    columns = tuple(map(clean_header, read.records[place]))
    if len(columns) > COLUMNS_MAX:
        raise MalformedError(
            f"expected at most {COLUMNS_MAX} columns, got {len(columns)}; leave out those that "
            "are not needed",
            code="file_too_large",
        )
    missing = [""] * len(columns)
    padded = (record + missing[len(record) :] for record in read.records[place + 1 :])
    rows = _rows(padded, place + 2)
    source = Source(
        **facts._asdict(),
        media="csv",
        encoding=read.encoding,
        delimiter=read.delimiter,
        header_row=place + 1,
        sheet_rows=len(read.records),
        blank_rows=len(read.records) - place - 1 - len(rows),
    )
    return Table(columns, rows, source)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names) or "none"


def _refuse_headerless(
    tops: Mapping[str, Sequence[Sequence[Cell]]], hidden: Sequence[str], sought: _Sought
) -> NoReturn:
    """Say what was sought and what stands there instead, but no row that may be a gift."""
    wanted = _listed(sought.headers) if sought.headers else sought.layout.needed_in_words
    message = (
        f"expected a header row with the columns {wanted} in the first {HEADER_ROWS_MAX} rows "
        f"of a sheet; looked at {_listed(list(tops))}"
    )
    for name, top in tops.items():
        texts = next((found for found in map(_header_like, top) if found), None)
        if texts:
            message += f"; in {name!r} stands {_listed(texts)}"
    if hidden:
        message += f"; not at the hidden {_listed(hidden)}: name a hidden sheet to read it"
    raise MalformedError(f"{message}; name the columns as they stand there", code="header_missing")


def _header_like(cells: Sequence[Cell]) -> list[str]:
    """The texts of a row that may be a header: two at least, and no number or digit."""
    texts = [clean_header(cell) for cell in cells if not is_blank(cell)]
    plain = not any(character.isdigit() for text in texts for character in text)
    return texts if len(texts) > 1 and plain else []
