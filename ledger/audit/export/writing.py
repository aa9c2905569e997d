"""Rows into files: CSV that a spreadsheet opens safely, and Parquet.

A spreadsheet takes a cell that begins with ``=`` for a formula and runs it, and text of
digits for a number, whose zeros and last digits it drops. Such text gets an apostrophe in
front, and so does text that begins with one, so that the way back is unambiguous.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import orjson

from ledger.audit.export.tables import Column, Table
from ledger.errors import FatalError, MalformedError, NotReadyError

ROWS_TOGETHER = 10_000
"""Rows that are held until they are written: a row group of Parquet."""
UNSAFE = (*"=+-@'\t\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a text cell may not begin with as it is; a spreadsheet in Chinese takes the full-width
forms for the others."""
NUMBER_LIKE = re.compile(r"[0-9]+(?:[eE][0-9]+)?")
BOM = b"\xef\xbb\xbf"
CELL_CHARS_MAX = 2**20
"""Characters of a cell that are read back: an entry has at most 65,535 bytes."""


def safe_text(text: str) -> str:
    """Text as a cell of CSV holds it."""
    guarded = text.startswith(UNSAFE) or NUMBER_LIKE.fullmatch(text) is not None
    return "'" + text if guarded else text


def plain_text(cell: str) -> str:
    """A cell's text as it was before `safe_text`."""
    return cell[1:] if cell.startswith("'") else cell


def as_json(value: Any) -> str:
    """A nested value as JSON text, keys sorted."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


class Writer(Protocol):
    """Takes the rows of one table."""

    path: Path

    def write(self, rows: Sequence[Sequence[Any]]) -> None:
        """Add rows."""
        ...

    def close(self) -> None:
        """Finish the file."""
        ...

    def abandon(self) -> None:
        """Release the file as it is."""
        ...


class CsvWriter:
    """One CSV file: UTF-8 with a BOM, commas, CRLF (RFC 4180)."""

    def __init__(self, path: Path, table: Table) -> None:
        self.path = path
        self._columns = table.columns
        self._file = path.open("xb")
        self._file.write(BOM)
        self._text = io.StringIO(newline="")
        self._csv = csv.writer(self._text, lineterminator="\r\n")
        self._csv.writerow([column.name for column in table.columns])

    def write(self, rows: Sequence[Sequence[Any]]) -> None:
        """Add rows; None is an empty cell."""
        for row in rows:
            self._csv.writerow(map(_cell, self._columns, row))
        self._flush()

    def _flush(self) -> None:
        self._file.write(self._text.getvalue().encode())
        self._text.seek(0)
        self._text.truncate()

    def close(self) -> None:
        """Write what is left, to the disk."""
        self._flush()
        _finish(self._file)

    def abandon(self) -> None:
        """Release the file as it is."""
        _release(self._file)


def _cell(column: Column, value: Any) -> Any:
    if value is None:
        return ""
    if column.type == "boolean":
        return "true" if value else "false"
    return value if column.type == "integer" else safe_text(value)


class ParquetWriter:
    """One Parquet file, a row group for every `ROWS_TOGETHER` rows.

    Raises:
        NotReadyError: pyarrow is not installed.
    """

    def __init__(self, path: Path, table: Table) -> None:
        try:
            import pyarrow as pa
            import pyarrow.parquet as pq
        except ModuleNotFoundError:
            raise NotReadyError(
                "Parquet needs pyarrow, which is not installed: install shanji[auditor], or "
                "export CSV only (--format csv)",
                code="no_pyarrow",
            ) from None
        types = {"integer": pa.int64(), "boolean": pa.bool_()}
        self.path = path
        self._arrow = pa
        self._schema = pa.schema(
            [(column.name, types.get(column.type, pa.string())) for column in table.columns]
        )
        self._file = path.open("xb")
        self._writer = pq.ParquetWriter(self._file, self._schema, compression="zstd")

    def write(self, rows: Sequence[Sequence[Any]]) -> None:
        """Add rows as one row group."""
        if rows:
            columns = [
                self._arrow.array(values, type=field.type)
                for values, field in zip(zip(*rows, strict=True), self._schema, strict=True)
            ]
            self._writer.write_table(self._arrow.table(columns, schema=self._schema))

    def close(self) -> None:
        """Write the footer, to the disk."""
        self._writer.close()
        _finish(self._file)

    def abandon(self) -> None:
        """Release the file as it is."""
        with suppress(OSError, ValueError):
            self._writer.close()
        _release(self._file)


def _finish(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
    file.close()


def _release(file: BinaryIO) -> None:
    """Close without a word: another failure is on its way up already."""
    with suppress(OSError):
        file.close()


WRITERS: dict[str, type[CsvWriter] | type[ParquetWriter]] = {
    "csv": CsvWriter,
    "parquet": ParquetWriter,
}


class TableFiles:
    """One table in all formats, with its rows counted and its sums kept."""

    def __init__(self, folder: Path, table: Table, formats: Sequence[str]) -> None:
        self.table = table
        self.rows = 0
        self.sums: dict[str, dict[str, int]] = {name: {} for name in table.sums}
        self._names = [column.name for column in table.columns]
        self._held: list[Sequence[Any]] = []
        self.writers: list[Writer] = []
        for form in formats:
            self.writers.append(WRITERS[form](folder / f"{table.name}.{form}", table))

    def add(self, row: Sequence[Any]) -> None:
        """Add a row, in the order of the columns."""
        self.rows += 1
        group = row[self._names.index(self.table.sums_by)] if self.table.sums_by else ""
        for name, sums in self.sums.items():
            value = row[self._names.index(name)]
            sums[group] = sums.get(group, 0) + (value or 0)
        self._held.append(row)
        if len(self._held) >= ROWS_TOGETHER:
            self._write()

    def _write(self) -> None:
        for writer in self.writers:
            writer.write(self._held)
        self._held = []

    def close(self) -> None:
        """Finish the files."""
        self._write()
        for writer in self.writers:
            writer.close()

    def abandon(self) -> None:
        """Release the files as they are, after a failure."""
        for writer in self.writers:
            writer.abandon()


def file_digest(path: Path) -> tuple[int, str]:
    """A file's size in bytes and its SHA-256 in hex.

    Raises:
        FatalError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return path.stat().st_size, digest
    except OSError as error:
        raise FatalError(f"{path} cannot be read: {error.strerror}", code="export_file") from None


def read_csv(path: Path) -> Iterator[list[str]]:
    """The rows of a CSV file of ours, its header first, cells as they stand.

    Raises:
        MalformedError: it has no BOM, or is no CSV.
    """
    # The limit is one for the whole process: other readers of CSV have another.
    before = csv.field_size_limit(CELL_CHARS_MAX)
    try:
        with path.open(encoding="utf-8", newline="") as file:
            if file.read(1) != BOM.decode():
                raise MalformedError(f"{path.name}: expected CSV that begins with a BOM")
            yield from csv.reader(file, strict=True)
    except (csv.Error, UnicodeDecodeError) as error:
        raise MalformedError(f"{path.name}: expected CSV in UTF-8: {error}") from None
    finally:
        csv.field_size_limit(before)
