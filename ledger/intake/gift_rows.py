"""One row of a list → one gift, or everything that is wrong with the row.

`RowReader.gift` is the fast way and stops at the first wrong cell; `RowReader.errors` goes
over the same row again and names every one. `RowReader.note` recognises the rows that are
no gifts: totals, comments, and what stands beside the list.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from functools import partial
from typing import Literal, NamedTuple

from ledger.errors import MalformedError
from ledger.intake.cells import (
    AMOUNT_FEN_MAX,
    Cell,
    Unit,
    amount_fen,
    day,
    exact_time,
    is_blank,
    order_number,
    show,
    text,
)
from ledger.intake.columns import Columns, header_key
from ledger.intake.order_dates import OrderDates
from ledger.intake.sheets import Row, Table

NAME_CHARS_MAX = 120
TEXT_CHARS_MAX = 2000
"""The longest name, and the longest message or contact, that a record holds."""

TOTAL_WORDS = frozenset(
    (
        *("合计", "总计", "小计", "共计", "总额", "累计", "合计金额", "总金额"),
        *("本页合计", "本日合计", "total", "subtotal", "grandtotal", "sum"),
    )
)

NoteKind = Literal["total", "comment", "beside"]


class PlannedGift(NamedTuple):
    """One gift as it will be recorded. A tuple, because there are hundreds of thousands.

    Attributes:
        row: The 1-based row of the file.
        order_number: The platform's or bank's, without padding; kept sealed.
        amount_fen: At least 1.
        occurred_on: The day in Shanghai, ``2020-01-25``.
        donor_name, message, contact, exact_time: Kept sealed; None where there is none.
    """

    row: int
    order_number: str
    amount_fen: int
    occurred_on: str
    donor_name: str | None = None
    message: str | None = None
    contact: str | None = None
    exact_time: str | None = None

    def __repr__(self) -> str:
        """Without anything personal, so that no log line can hold it."""
        return f"PlannedGift(row={self.row}, amount_fen={self.amount_fen})"


@dataclass(frozen=True, slots=True)
class RowError:
    """One thing that is wrong with one row, and what to do about it.

    Attributes:
        row: The 1-based row of the file; the header's where the whole column is wrong.
        column: The header of the column; "" where no single one is wrong.
        value: What stands there, cut where it is long.
        code: A stable name for programs.
        reason, remedy: For people.
    """

    row: int
    column: str
    value: str = field(repr=False)
    code: str
    reason: str = field(repr=False)
    remedy: str


@dataclass(frozen=True, slots=True)
class Note:
    """A row that is no gift: a total with its amount, if readable; a comment; or beside."""

    row: int
    kind: NoteKind
    amount_fen: int | None = None


class RowReader:
    """Reads the rows of one table with its columns; remembers amounts and days it has seen."""

    def __init__(
        self,
        table: Table,
        columns: Columns,
        *,
        unit: Unit,
        default_day: str | None,
        order_dates: OrderDates | None,
        day_last: str,
    ) -> None:
        self._places = columns.places(table.columns)
        self._columns = table.columns
        self._width = len(table.columns)
        self._order = self._places["order_number"]
        self._amount = self._places["amount"]
        self._day = self._places.get("occurred_on")
        self._texts = [
            (at, self._places[name], read)
            for at, (name, read) in enumerate(_TEXT_READERS.items())
            if name in self._places
        ]
        self._unit = unit
        self._default_day = default_day
        self._order_dates = order_dates
        self._day_last = day_last
        self._fens: dict[Cell, int] = {}
        self._days: dict[Cell, str] = {}

    def gift(self, row: Row, order: str) -> PlannedGift:
        """The gift of a row whose order number is read already.

        `occurred_on` is "" where the file and the caller say nothing of the day.

        Raises:
            MalformedError: the first cell that is wrong.
        """
        number, cells = row
        if len(cells) != self._width:
            self._check_width(cells)
        fen = self._fen(cells[self._amount])
        day_text = self._day_of(cells, order)
        if not self._texts:
            return PlannedGift(number, order, fen, day_text)
        texts: list[str | None] = [None, None, None, None]
        for at, place, read in self._texts:
            cell = cells[place]
            if cell != "":
                texts[at] = read(cell)
        return PlannedGift(number, order, fen, day_text, *texts)

    def errors(self, row: Row) -> list[RowError]:
        """Everything that is wrong with a row, column by column."""
        cells = row.cells
        checks: list[tuple[int | None, Callable[[], object]]] = [
            (None, lambda: self._check_width(cells)),
            (self._order, lambda: order_number(cells[self._order])),
            (self._amount, lambda: self._fen(cells[self._amount])),
            (self._day, lambda: self._day_of(cells, None)),
        ]
        checks += [(place, partial(read, cells[place])) for _, place, read in self._texts]
        found = []
        for place, check in checks:
            try:
                check()
            except MalformedError as error:
                found.append(self._row_error(row, place, error))
        return found

    def note(self, row: Row) -> Note | None:
        """What a row without a readable order number is, if it is no gift."""
        cells = row.cells
        if all(is_blank(cells[place]) for place in self._places.values()):
            kind: NoteKind = "total" if any(map(_is_total, cells)) else "beside"
            return Note(row.number, kind)
        amount = cells[self._amount]
        first = next(cell for cell in cells if not is_blank(cell))
        if is_blank(amount) and isinstance(first, str) and first.lstrip().startswith("#"):
            return Note(row.number, "comment")
        if any(map(_is_total, cells)):
            return Note(row.number, "total", total_fen(amount, self._unit))
        return None

    def lone_amount(self, row: Row) -> int | None:
        """The amount in fen of a row that has nothing else in the columns of the list."""
        filled = [p for p in self._places.values() if not is_blank(row.cells[p])]
        if filled != [self._amount]:
            return None
        return total_fen(row.cells[self._amount], self._unit)

    def _row_error(self, row: Row, place: int | None, error: MalformedError) -> RowError:
        return RowError(
            row=row.number,
            column="" if place is None else self._columns[place],
            value="" if place is None else show(row.cells[place]),
            code=error.code,
            reason=str(error.details.get("reason", error.message)),
            remedy=str(error.details.get("remedy", "")),
        )

    def _fen(self, cell: Cell) -> int:
        # True equals 1 as a key, but is no amount.
        fen = self._fens.get(cell) if cell.__class__ is not bool else None
        if fen is None:
            fen = self._fens[cell] = amount_fen(cell, self._unit)
        return fen

    def _day_of(self, cells: Sequence[Cell], order: str | None) -> str:
        if self._day is not None:
            cell = cells[self._day]
            if cell.__class__ is dt.datetime:
                cell = cell.date()  # of which there are few different ones
            found = self._days.get(cell) if cell.__class__ is not bool else None
            if found is not None:
                return found
            if not is_blank(cell):
                found = self._days[cell] = self._checked_day(cell)
                return found
        if self._default_day is not None:
            return self._default_day
        if self._order_dates is not None:
            return "" if order is None else self._order_dates.of(order)
        if self._day is not None:
            raise MalformedError(
                "expected a date, the cell is empty",
                code="date_missing",
                details={
                    "reason": "expected a date, the cell is empty",
                    "remedy": "fill it in, or give a date for all rows without one",
                },
            )
        return ""

    def _checked_day(self, cell: Cell) -> str:
        found = day(cell)
        if found > self._day_last:
            reason = f"expected a day until {self._day_last}, got {show(cell)!r}"
            raise MalformedError(
                reason,
                code="date_in_future",
                details={"reason": reason, "remedy": "correct the date"},
            )
        return found

    def _check_width(self, cells: Sequence[Cell]) -> None:
        beyond = [cell for cell in cells[self._width :] if not is_blank(cell)]
        if beyond:
            reason = f"expected {self._width} cells, as in the header, got {len(cells)}"
            remedy = "put the text that contains the delimiter in quotation marks"
            raise MalformedError(
                f"{reason}; {remedy}",
                code="cells_beyond_header",
                details={"reason": reason, "remedy": remedy},
            )


def _read_name(cell: Cell) -> str | None:
    return text(cell, NAME_CHARS_MAX)


def _read_text(cell: Cell) -> str | None:
    return text(cell, TEXT_CHARS_MAX)


_TEXT_READERS: Mapping[str, Callable[[Cell], str | None]] = {
    "donor_name": _read_name,
    "message": _read_text,
    "contact": _read_text,
    "exact_time": exact_time,
}
"""In the order of the last fields of `PlannedGift`."""


def _is_total(cell: Cell) -> bool:
    if not isinstance(cell, str) or not 1 < len(cell) <= NAME_CHARS_MAX:
        return False
    return header_key(cell) in TOTAL_WORDS


def total_fen(cell: Cell, unit: Unit) -> int | None:
    """A stated total in fen, to the nearest fen; None where the cell is no amount.

    A total comes out of a spreadsheet's own sum over binary fractions
    (4761028.67999999): unlike a gift it may be rounded, for it is only compared.
    """
    if isinstance(cell, (int, float)) and not isinstance(cell, bool):
        if not abs(cell) < AMOUNT_FEN_MAX:
            return None
        factor = 100 if unit == "yuan" else 1
        return int((Decimal(repr(cell)) * factor).quantize(Decimal(1), ROUND_HALF_EVEN))
    try:
        return amount_fen(cell, unit)
    except MalformedError:
        return None
