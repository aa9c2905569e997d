"""A table → a plan of gifts, with everything that is wrong, repeated or odd about it.

A plan is what a person reads and approves before anything is recorded, and what is then
recorded: `Plan.digest` is the same for the same file as long as its gifts are read the
same, before, during and after recording. A plan with errors or conflicts is not clean,
and nothing of it is recorded (domain, section 2).

What the ledger knows comes in as a function; this module opens nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from ledger.beside import rare_garbage
from ledger.errors import MalformedError
from ledger.intake.cells import (
    EXACT_DIGITS_MAX,
    Unit,
    day,
    format_yuan,
    is_rounded,
    order_number,
)
from ledger.intake.columns import Columns, header_unit
from ledger.intake.gift_rows import Note, PlannedGift, RowError, RowReader
from ledger.intake.oddities import (
    Notice,
    look_like_fen,
    odd_amounts,
    odd_cells,
    odd_days,
    odd_rows,
    odd_texts,
)
from ledger.intake.order_dates import DAY_LAST, OrderDates, find_order_dates
from ledger.intake.sheets import Row, Source, Table

ROUNDED_ORDERS_MIN = 3
"""So many long order numbers that all end in zeros after the 15th digit are destroyed."""
DIGEST_PREFIX = b"shanji/v1/intake-plan\n"


@dataclass(frozen=True, slots=True)
class KnownGift:
    """What the ledger has under an order number: the entry, its amount, its day if told."""

    index: int
    amount_fen: int
    occurred_on: str | None = None


Known = Callable[[Sequence[str]], Mapping[str, KnownGift]]
"""Order numbers → those of them that the ledger has."""


@dataclass(frozen=True, slots=True)
class Repeat:
    """A row that says again what an earlier row said: skipped."""

    row: int
    order_number: str = field(repr=False)
    first_row: int


@dataclass(frozen=True, slots=True)
class AlreadyRecorded:
    """A gift that the ledger has as the file says it: skipped."""

    row: int
    order_number: str = field(repr=False)
    amount_fen: int
    index: int


@dataclass(frozen=True, slots=True)
class Conflict:
    """Other content under an order number that is taken: stops the import.

    Attributes:
        row: The row that disagrees.
        first_row: The row that it disagrees with, where it is in the same file.
        index: The entry that it disagrees with, where it is in the ledger.
        reason, remedy: For people.
    """

    row: int
    order_number: str = field(repr=False)
    reason: str
    remedy: str
    first_row: int | None = None
    index: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What recording this file would do, and what keeps it from being recorded.

    Attributes:
        source, columns, unit: What was read, and as what.
        rows_total: Rows below the header that are not blank; rows_blank: those that are.
        gifts: To be recorded, in the file's order.
        sum_fen: Of `gifts`.
        listed_fen: Of every readable gift in the file, repeated and recorded ones included.
        repeats, already_recorded: Skipped.
        conflicts, errors: Each one keeps the whole file from being recorded.
        notes: Rows that are no gifts.
        warnings: What is odd, for a person to judge.
        order_days: The first and last day that the order numbers hold, where the file has no
            other day and this was not asked for.
        digest: SHA-256 in hex over the file's digest and every gift that it lists.
    """

    source: Source
    columns: Columns
    unit: Unit
    rows_total: int
    rows_blank: int
    gifts: tuple[PlannedGift, ...] = field(repr=False)
    sum_fen: int
    listed_fen: int
    repeats: tuple[Repeat, ...]
    already_recorded: tuple[AlreadyRecorded, ...]
    conflicts: tuple[Conflict, ...]
    errors: tuple[RowError, ...] = field(repr=False)
    notes: tuple[Note, ...]
    warnings: tuple[Notice, ...]
    order_days: tuple[str, str] | None
    digest: str

    @property
    def clean(self) -> bool:
        """Whether the plan may be recorded: no errors and no conflicts."""
        return not self.errors and not self.conflicts

    @property
    def earliest(self) -> str | None:
        """The first day of the gifts to be recorded."""
        return min((gift.occurred_on for gift in self.gifts), default=None)

    @property
    def latest(self) -> str | None:
        """The last day of the gifts to be recorded."""
        return max((gift.occurred_on for gift in self.gifts), default=None)

    @property
    def largest(self) -> PlannedGift | None:
        """The largest gift to be recorded; of equal ones the first."""
        return max(self.gifts, key=lambda gift: gift.amount_fen, default=None)


@rare_garbage()
def plan_gifts(
    table: Table,
    columns: Columns,
    *,
    known: Known,
    unit: Unit = "yuan",
    unit_stated: bool = True,
    default_date: str | None = None,
    date_from_order: bool = False,
    today: str | None = None,
) -> Plan:
    """Plan the gifts of a table.

    The day of a gift is its date column's; where that is empty or there is none,
    `default_date`; else, with `date_from_order`, the day inside the order number.

    Args:
        table: What `read_table` gave.
        columns: Which column is what.
        known: Asked once, with every order number that the file lists.
        unit: What the amounts count.
        unit_stated: Whether somebody said so. Where neither a person nor the header does,
            amounts that look like the other unit are errors.
        default_date: A day for rows without one.
        date_from_order: Take days from the order numbers, if every one holds one.
        today: The last day that a gift can have; without it, any until 2100.

    Raises:
        MalformedError: a column is missing or ambiguous, the header states another unit, or
            `default_date` is no day. What is wrong with rows is in the plan instead.
    """
    _check_unit(columns.amount, unit)
    day_last = DAY_LAST if today is None else day(today)
    default_day = None if default_date is None else _default_day(default_date, day_last)
    orders = _read_orders(table, columns)
    readable = [order for order in orders if order is not None]
    needs_orders = default_day is None and (date_from_order or columns.occurred_on is None)
    dates = find_order_dates(readable, day_last) if needs_orders else None
    reader = RowReader(
        table,
        columns,
        unit=unit,
        default_day=default_day,
        order_dates=dates if date_from_order else None,
        day_last=day_last,
    )
    listing = _list_gifts(table, reader, orders)
    listed = list(listing.first.values())
    undated = any(not gift.occurred_on for gift in listed)
    # With unreadable rows no total can agree, and says nothing new.
    errors = listing.errors or _total_errors(listing, columns)
    if undated:
        errors.insert(0, _undated(table, dates, date_from_order))
    errors = [*_rounded_orders(table, columns, readable), *errors]
    if not unit_stated and header_unit(columns.amount) is None and look_like_fen(listed, unit):
        errors += _maybe_fen(listed, columns)
    gifts, already, conflicts = _compare(listed, known)
    return Plan(
        source=table.source,
        columns=columns,
        unit=unit,
        rows_total=len(table.rows),
        rows_blank=table.source.blank_rows,
        gifts=() if undated else tuple(gifts),
        sum_fen=0 if undated else sum(gift.amount_fen for gift in gifts),
        listed_fen=listing.fen,
        repeats=tuple(listing.repeats),
        already_recorded=tuple(already),
        conflicts=tuple(sorted(listing.conflicts + conflicts, key=lambda one: one.row)),
        errors=tuple(errors),
        notes=tuple(listing.notes),
        warnings=_warnings(table, columns, unit, listing, date_from_order and dates is not None),
        order_days=(dates.earliest, dates.latest) if undated and dates else None,
        digest=_digest(table.source, listed),
    )


def _default_day(date: str, day_last: str) -> str:
    found = day(date)
    if found > day_last:
        raise MalformedError(
            f"expected a day until {day_last} for the gifts without one, got {found}; correct it",
            code="date_in_future",
            field="default_date",
        )
    return found


def _check_unit(header: str, unit: Unit) -> None:
    stated = header_unit(header)
    if stated is not None and stated != unit:
        raise MalformedError(
            f"expected amounts in {unit}, the header {header!r} says {stated}; "
            + (
                f"read the column in {stated}"
                if stated in ("yuan", "fen")
                else "convert the column to yuan in the file"
            ),
            code="unit_differs",
            field="unit",
        )


def _read_orders(table: Table, columns: Columns) -> list[str | None]:
    """The order number of every row; None where it cannot be read."""
    place = columns.places(table.columns)["order_number"]
    orders: list[str | None] = []
    for row in table.rows:
        try:
            orders.append(order_number(row.cells[place]))
        except MalformedError:
            orders.append(None)
    return orders


@dataclass(slots=True)
class _Listing:
    """What the rows of the file say, before the ledger is asked."""

    first: dict[str, PlannedGift] = field(default_factory=dict)
    repeats: list[Repeat] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)
    errors: list[RowError] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    totals: list[tuple[Note, int, int]] = field(default_factory=list)
    fen: int = 0
    fen_at_total: int = 0
    gifts: int = 0


def _list_gifts(table: Table, reader: RowReader, orders: Sequence[str | None]) -> _Listing:
    listing = _Listing()
    first = listing.first
    for row, order in zip(table.rows, orders, strict=True):
        if order is None:
            _add_other_row(listing, reader, row)
            continue
        try:
            gift = reader.gift(row, order)
        except MalformedError:
            listing.errors += reader.errors(row)
            continue
        listing.fen += gift.amount_fen
        listing.gifts += 1
        earlier = first.setdefault(order, gift)
        if earlier is gift:
            continue
        if earlier[1:] == gift[1:]:
            listing.repeats.append(Repeat(gift.row, order, earlier.row))
        else:
            listing.conflicts.append(_conflict_in_file(earlier, gift))
    return listing


def _warnings(
    table: Table, columns: Columns, unit: Unit, listing: _Listing, from_orders: bool
) -> tuple[Notice, ...]:
    listed = list(listing.first.values())
    return (
        *odd_rows(listing.notes),
        *odd_cells(table, listing.fen, unit),
        *odd_amounts(listed, unit),
        *odd_days(listed, from_orders),
        *odd_texts(table, columns, listed),
    )


def _add_other_row(listing: _Listing, reader: RowReader, row: Row) -> None:
    """A row without a readable order number: a total, another note, or errors."""
    note = reader.note(row)
    since = listing.fen - listing.fen_at_total
    if note is None and listing.gifts > 1:
        lone = reader.lone_amount(row)
        if lone in (listing.fen, since):
            note = Note(row.number, "total", lone)
    if note is None:
        listing.errors += reader.errors(row)
        return
    listing.notes.append(note)
    if note.kind == "total":
        if note.amount_fen is not None:
            listing.totals.append((note, listing.fen, since))
        listing.fen_at_total = listing.fen


_PARTS = ("order number", "amount", "day", "donor", "message", "contact", "time")
"""The fields of `PlannedGift` after the row, in words."""


def _conflict_in_file(earlier: PlannedGift, gift: PlannedGift) -> Conflict:
    parts = zip(_PARTS, earlier[1:], gift[1:], strict=True)
    differing = [name for name, one, two in parts if one != two]
    return Conflict(
        row=gift.row,
        order_number=gift.order_number,
        reason=f"row {earlier.row} has the same order number with another "
        + " and another ".join(differing),
        remedy="find out which of the two rows is right and delete the other one",
        first_row=earlier.row,
    )


def _compare(
    listed: Sequence[PlannedGift], known: Known
) -> tuple[list[PlannedGift], list[AlreadyRecorded], list[Conflict]]:
    """Tell what is new from what the ledger has, alike or otherwise."""
    there = known([gift.order_number for gift in listed]) if listed else {}
    if not there:
        return list(listed), [], []
    gifts: list[PlannedGift] = []
    already: list[AlreadyRecorded] = []
    conflicts: list[Conflict] = []
    for gift in listed:
        one = there.get(gift.order_number)
        if one is None:
            gifts.append(gift)
        elif one.amount_fen != gift.amount_fen:
            said = f"{format_yuan(one.amount_fen)} yuan, here are {format_yuan(gift.amount_fen)}"
            conflicts.append(_conflict_in_ledger(gift, one, said))
        elif one.occurred_on not in (None, gift.occurred_on) and gift.occurred_on:
            said = f"the day {one.occurred_on}, here is {gift.occurred_on}"
            conflicts.append(_conflict_in_ledger(gift, one, said))
        else:
            already.append(AlreadyRecorded(gift.row, gift.order_number, gift.amount_fen, one.index))
    return gifts, already, conflicts


def _conflict_in_ledger(gift: PlannedGift, one: KnownGift, said: str) -> Conflict:
    return Conflict(
        row=gift.row,
        order_number=gift.order_number,
        reason=f"entry {one.index} has the same order number with {said}",
        remedy="if the entry is wrong, reverse it and record the gift anew; if the file is, "
        "correct the row",
        index=one.index,
    )


def _total_errors(listing: _Listing, columns: Columns) -> list[RowError]:
    """Totals that the file states and its gifts do not add up to.

    A total may be of the rows above it, of those since the total before, or of the whole
    list, above which it may stand.
    """
    errors = []
    for note, running, since in listing.totals:
        if note.amount_fen is not None and note.amount_fen not in (running, since, listing.fen):
            stated = format_yuan(note.amount_fen)
            errors.append(
                RowError(
                    row=note.row,
                    column=columns.amount,
                    value=stated,
                    code="total_differs",
                    reason=f"the file states a total of {stated} yuan, its gifts add up to "
                    f"{format_yuan(running)} until there and to {format_yuan(listing.fen)} in all",
                    remedy="find the gift that is missing or altered, or delete the total",
                )
            )
    return errors


def _maybe_fen(listed: Sequence[PlannedGift], columns: Columns) -> list[RowError]:
    """One error for each gift of a list that looks as if its amounts were fen."""
    return [
        RowError(
            row=gift.row,
            column=columns.amount,
            value=format_yuan(gift.amount_fen),
            code="amount_maybe_fen",
            reason="the unit is stated nowhere, and every amount is a whole multiple of 100: read "
            f"as yuan this is {format_yuan(gift.amount_fen)} yuan, as fen "
            f"{format_yuan(gift.amount_fen // 100)} yuan",
            remedy="say which it is: --unit fen or --unit yuan",
        )
        for gift in listed
    ]


def _undated(table: Table, dates: OrderDates | None, asked: bool) -> RowError:
    """The one error of a list that says nowhere on which day its gifts were given."""
    remedy = "name the column that has the day, or give one day for all"
    if dates is not None:
        remedy += (
            "; or take the days from the order numbers, which hold real times from "
            f"{dates.earliest} to {dates.latest}"
        )
    return RowError(
        row=table.source.header_row,
        column="",
        value="",
        code="orders_without_days" if asked else "date_missing",
        reason="expected a time in every order number at the same place, not all have one"
        if asked
        else "expected a day for every gift, the file has no column for it",
        remedy=remedy,
    )


def _rounded_orders(table: Table, columns: Columns, orders: Iterable[str]) -> list[RowError]:
    """One error where every long order number has lost the digits after the 15th."""
    count = 0
    for order in orders:
        if len(order) > EXACT_DIGITS_MAX:
            if not is_rounded(order):
                return []
            count += 1
    if count < ROUNDED_ORDERS_MIN:
        return []
    return [
        RowError(
            row=table.source.header_row,
            column=columns.order_number,
            value="",
            code="order_destroyed",
            reason=f"all {count:,} order numbers of more than {EXACT_DIGITS_MAX} digits end in "
            "zeros: a spreadsheet has replaced their last digits",
            remedy="export the list again with this column as text",
        )
    ]


def _digest(source: Source, listed: Sequence[PlannedGift]) -> str:
    """SHA-256 over one JSON array: the file's digest, the sheet, then every gift listed.

    The gifts are written column by column, in the order of `PlannedGift`'s fields.
    """
    parts = range(len(PlannedGift._fields))
    content = [source.sha256, source.sheet, *([gift[at] for gift in listed] for at in parts)]
    return hashlib.sha256(DIGEST_PREFIX + orjson.dumps(content)).hexdigest()
