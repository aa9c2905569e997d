"""The rows that stop an import, back in the file's own layout.

A person opens this file, corrects the rows in the list that they came from (or here) and
imports again. It opens in spreadsheet programs as it is meant: UTF-8 with a byte order
mark, no cell that they would run as a formula, no long number whose digits they would
destroy. The reader (`cells`) takes the guarding apostrophe off again.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from ledger.errors import NotAllowedError
from ledger.intake.cells import EXACT_DIGITS_MAX, Cell
from ledger.intake.plan import Plan
from ledger.intake.sheets import Table

ADDED_COLUMNS = ("行 row", "列 column", "原因 reason", "处理 remedy")
"""Stand behind the file's own columns."""

_RUN_AS_FORMULA = ("=", "+", "-", "@", "\t", "\r")


Remarks = Mapping[int, Sequence[tuple[str, str, str]]]
"""Row → what is wrong or odd with it: ``(column, reason, remedy)`` each."""


def format_errors_csv(table: Table, plan: Plan) -> bytes:
    """The rows of a list of gifts with errors or conflicts as a CSV file; see `format_rows`."""
    found: dict[int, list[tuple[str, str, str]]] = {}
    for error in plan.errors:
        found.setdefault(error.row, []).append((error.column, error.reason, error.remedy))
    for conflict in plan.conflicts:
        said = (plan.columns.order_number, conflict.reason, conflict.remedy)
        found.setdefault(conflict.row, []).append(said)
    return format_rows(table, found)


def format_rows(table: Table, remarks: Remarks) -> bytes:
    """Rows of a table as a CSV file, with what is to be said of each.

    Args:
        table: The table that was planned.
        remarks: The rows, and what is said of them.

    Returns:
        UTF-8 with a byte order mark, lines ended by CR LF: the header, then each row once
        with everything that is wrong with it, in the file's order. An error that is about
        the header's row (a whole column) has no cells of its own.
    """
    rows = {row.number: row.cells for row in table.rows if row.number in remarks}
    width = len(table.columns)
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([*map(guarded, table.columns), *ADDED_COLUMNS])
    for number in sorted(remarks):
        cells = list(rows.get(number, ()))[:width]
        texts = [guarded(_shown(cell)) for cell in cells] + [""] * (width - len(cells))
        columns, reasons, remedies = (
            "; ".join(filter(None, dict.fromkeys(parts)))
            for parts in zip(*remarks[number], strict=True)
        )
        writer.writerow([*texts, str(number), *map(guarded, (columns, reasons, remedies))])
    return b"\xef\xbb\xbf" + out.getvalue().encode("utf-8", "replace")


def write_errors(path: Path, table: Table, plan: Plan) -> None:
    """Write `format_errors_csv` to a file, replacing it if it is there.

    Raises:
        NotAllowedError: the file cannot be written.
    """
    write_file(path, format_errors_csv(table, plan))


def write_file(path: Path, data: bytes) -> None:
    """Write a list of errors, replacing the file if it is there.

    Raises:
        NotAllowedError: the file cannot be written.
    """
    try:
        path.write_bytes(data)
    except OSError as error:
        raise NotAllowedError(
            f"expected to write the errors to {path.name}, got {error.strerror}; choose "
            "another place",
            code="file_not_writable",
        ) from None


def _shown(cell: Cell) -> str:
    if isinstance(cell, float):
        return f"{cell:.0f}" if cell.is_integer() and abs(cell) < 10**15 else repr(cell)
    if isinstance(cell, dt.datetime):
        return cell.isoformat(" ")
    return str(cell)


def guarded(text: str) -> str:
    """A text that a spreadsheet neither runs as a formula nor rounds as a number."""
    number = text.strip()
    long_number = len(number) > EXACT_DIGITS_MAX and number.isdigit()
    return f"'{text}" if long_number or text.startswith(_RUN_AS_FORMULA) else text
