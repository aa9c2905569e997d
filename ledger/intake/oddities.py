"""What is odd about a list of gifts, for a person to judge: nothing here stops an import.

Each function gives notices; a notice counts, names rows or places, and never repeats what
stands in a cell.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median_low

from ledger.intake.cells import REPLACEMENT, Cell, Unit, is_blank
from ledger.intake.columns import Columns, column_letters
from ledger.intake.gift_rows import Note, PlannedGift, total_fen
from ledger.intake.sheets import Table

ROWS_LISTED_MAX = 20
"""A notice names so many rows; its count tells how many there are."""
FEN_LIKE_GIFTS_MIN = 5
FEN_LIKE_MEDIAN_FEN = 100_000
"""A median gift from 1,000 yuan on, all in whole hundreds: probably fen taken for yuan."""
DAYS_APART_MAX = 366
"""A list of gifts of more than a year is unusual, and a mistyped year is not."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something odd.

    Attributes:
        code: A stable name for programs.
        message: For people; holds nothing personal.
        count: How many rows or cells it is about.
        rows: The first `ROWS_LISTED_MAX` of them, 1-based.
    """

    code: str
    message: str
    count: int
    rows: tuple[int, ...] = ()


def _notice(code: str, message: str, rows: Sequence[int]) -> Notice:
    return Notice(code, message, len(rows), tuple(rows[:ROWS_LISTED_MAX]))


def look_like_fen(gifts: Sequence[PlannedGift], unit: Unit) -> bool:
    """Whether amounts that were read as yuan look like fen."""
    return (
        unit == "yuan"
        and len(gifts) >= FEN_LIKE_GIFTS_MIN
        and all(gift.amount_fen % 10_000 == 0 for gift in gifts)
        and median_low(gift.amount_fen for gift in gifts) >= FEN_LIKE_MEDIAN_FEN
    )


def odd_amounts(gifts: Sequence[PlannedGift], unit: Unit) -> Iterable[Notice]:
    """Amounts that look like fen taken for yuan, and gifts under one yuan."""
    if look_like_fen(gifts, unit):
        yield Notice(
            "amounts_look_like_fen",
            "every amount is a whole multiple of 100 yuan and half of them are at least "
            f"{FEN_LIKE_MEDIAN_FEN // 100:,} yuan: if the column is in fen, say so",
            len(gifts),
        )
    small = [gift.row for gift in gifts if gift.amount_fen < 100]
    if small:
        yield _notice("under_one_yuan", f"{len(small):,} gifts are under one yuan", small)


def odd_days(gifts: Sequence[PlannedGift], from_orders: bool) -> Iterable[Notice]:
    """Days that lie far apart; days that were taken from the order numbers."""
    days = {gift.occurred_on for gift in gifts} - {""}
    if not days:
        return
    first, last = min(days), max(days)
    if from_orders:
        yield Notice(
            "days_from_order_numbers",
            f"days are taken from the order numbers: {first} to {last}",
            len(gifts),
        )
    apart = (dt.date.fromisoformat(last) - dt.date.fromisoformat(first)).days
    if apart > DAYS_APART_MAX:
        ends = [gift.row for gift in gifts if gift.occurred_on in (first, last)]
        yield _notice(
            "days_far_apart",
            f"the gifts lie {apart:,} days apart, from {first} to {last}: check both ends",
            ends,
        )


def odd_texts(table: Table, columns: Columns, gifts: Sequence[PlannedGift]) -> Iterable[Notice]:
    """Order numbers that were numbers in the file; characters that had to be replaced."""
    place = columns.places(table.columns)["order_number"]
    numbers = [row.number for row in table.rows if row.cells[place].__class__ in (int, float)]
    if numbers:
        yield _notice(
            "orders_as_numbers",
            f"{len(numbers):,} order numbers are numbers in the file: zeros at their beginning, "
            "if they had any, are gone",
            numbers,
        )
    if not {"donor_name", "message", "contact", "exact_time"} & columns.headers().keys():
        return
    replaced = [
        gift.row
        for gift in gifts
        if REPLACEMENT in f"{gift.donor_name}{gift.message}{gift.contact}{gift.exact_time}"
    ]
    if replaced:
        yield _notice(
            "characters_replaced",
            f"{len(replaced):,} rows hold characters that no record may hold (control or "
            f"private characters); each is replaced by {REPLACEMENT}",
            replaced,
        )


def odd_rows(notes: Sequence[Note]) -> Iterable[Notice]:
    """Rows that are no gifts: totals, comments, and what stands beside the list."""
    said = {
        "total": "rows state a total and are no gifts",
        "comment": "rows are comments and no gifts",
        "beside": "rows have nothing in the columns of the list and are no gifts",
    }
    for kind, what in said.items():
        rows = [note.row for note in notes if note.kind == kind]
        if rows:
            yield _notice(f"rows_{kind}", f"{len(rows):,} {what}", rows)


def odd_cells(table: Table, listed_fen: int, unit: Unit) -> Iterable[Notice]:
    """Cells in columns without a header, such as somebody's own sum beside the list.

    Args:
        table: The list.
        listed_fen: The sum of all its gifts: a number that equals it is said to.
        unit: The unit of the list's amounts.
    """
    stray: list[tuple[int, int, Cell]] = [
        (row.number, place, row.cells[place])
        for place, header in enumerate(table.columns)
        if not header
        for row in table.rows
        if row.cells[place] != "" and not is_blank(row.cells[place])
    ]
    if not stray:
        return
    agreeing = [
        f"{column_letters(place)}{row}"
        for row, place, cell in stray
        if not isinstance(cell, str) and total_fen(cell, unit) == listed_fen
    ]
    places = ", ".join(f"{column_letters(place)}{row}" for row, place, _ in stray[:5])
    message = f"{len(stray):,} cells in columns without a header are left out: {places}"
    if len(stray) > 5:
        message += " …"
    if agreeing:
        message += f"; the number in {agreeing[0]} equals the sum of the gifts"
    yield _notice("cells_without_header", message, [row for row, _, _ in stray])
