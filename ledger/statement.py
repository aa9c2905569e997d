"""Statements: an account's opening, movements and closing, as of any size and between days.

A movement is one entry: what it brought into the account and what it took out. Days are
those on which entries were *recorded* (in the order of the log) or those on which they
*occurred* (by day, then in the order of the log); the two are never mixed. By days of
occurrence a balance in between may be below nothing: then something was recorded late.

Nothing is summed up here: each movement's row says the account's sums up to it, and those of its
day (``movements``). In the order of the log that is one seek for each end of the period, by
days of occurrence one for each day on which the account moved; the page is as many rows as it has.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from typing import Any, Literal, NoReturn

from ledger.entry import Entry, parse_entry
from ledger.errors import CorruptionError, MalformedError, NotFoundError
from ledger.flows import is_world
from ledger.movements import NOTHING, MovementRow, Sums
from ledger.sequencer import CHINA
from ledger.store import PoolRow, Reader
from ledger.store.log_reader import NUMBER_MAX

PAGE_MAX = 500
LAST_DAY = dt.date.max.isoformat()

By = Literal["recorded", "occurred"]


@dataclass(frozen=True, slots=True)
class Movement:
    """What one entry brought into the account and took out; `balance` is that after it."""

    entry: int
    kind: str
    recorded_on: str
    occurred_on: str
    incoming: int
    outgoing: int
    balance: int


@dataclass(frozen=True, slots=True)
class Statement:
    """One page of an account's statement; all but `movements` and `next` is of the whole.

    Attributes:
        as_of: The size of the log that counts.
        day_from, day_to: The days, both included; None: from the beginning, to the end.
        opening, incoming, outgoing, closing: Units; the closing is the opening with what
            came in and less what went out.
        movements_total: How many there are in the whole.
        next: The entry after which the next page begins; None at the end.
    """

    asset: str
    account: str
    as_of: int
    by: By
    day_from: str | None
    day_to: str | None
    opening: int
    incoming: int
    outgoing: int
    closing: int
    movements_total: int
    movements: tuple[Movement, ...]
    next: int | None

    def as_json(self) -> dict[str, Any]:
        """Plain values, without what is None."""
        value = {name: one for name, one in asdict(self).items() if one is not None}
        return {**value, "movements": [asdict(one) for one in self.movements]}


def account_statement(
    reader: Reader,
    asset: str,
    account: str,
    *,
    by: By = "recorded",
    day_from: str | None = None,
    day_to: str | None = None,
    as_of: int | None = None,
    after: int | None = None,
    limit: int = PAGE_MAX,
) -> Statement:
    """An account's statement.

    Args:
        day_from, day_to: Days like 2021-12-31 in Asia/Shanghai, both included.
        as_of: Only entries below this index; None: all.
        after: The entry that the last page ended with.
        limit: Movements of one page, at most `PAGE_MAX`.

    Raises:
        NotFoundError: no such account, the outside, or a size that the log has not reached.
        MalformedError: days the wrong way round, or an `after` that is not of this statement.
        CorruptionError: the movements do not add up to what the account holds.
    """
    if day_from and day_to and day_to < day_from:
        raise MalformedError(
            f"expected from <= to, got {day_from} and {day_to}", code="period_reversed", field="to"
        )
    head = reader.head()
    size = head.size if head else 0
    end = size if as_of is None else as_of
    if not 0 <= end <= size:
        raise NotFoundError(f"the log has {size} entries, not {end}", code="no_size")
    row = find_account(reader, asset, account)
    if end == size:
        _check_whole(reader, row)
    limit = min(limit, PAGE_MAX)
    pick = _recorded if by == "recorded" else _occurred
    part = pick(reader, row.account, end, (day_from, day_to), after, limit + 1)
    shown = part.moves[:limit]
    data = reader.chosen_entries([one.entry for one, _ in shown])
    balances = accumulate((moved.held for _, moved in shown), initial=part.before)
    movements = tuple(
        _movement(parse_entry(data[one.entry]), moved, balance)
        for (one, moved), balance in zip(shown, list(balances)[1:], strict=True)
    )
    return Statement(
        asset=asset,
        account=account,
        as_of=end,
        by=by,
        day_from=day_from,
        day_to=day_to,
        opening=part.opening,
        incoming=part.inside.received,
        outgoing=part.inside.gone,
        closing=part.opening + part.inside.held,
        movements_total=part.inside.number,
        movements=movements,
        next=shown[-1][0].entry if len(part.moves) > limit else None,
    )


Moves = list[tuple[MovementRow, Sums]]
"""Each movement, and what it alone moved."""


@dataclass(frozen=True, slots=True)
class _Part:
    """The whole's sums, and the movements of one page and one more.

    `before` is the balance before the first of them.
    """

    opening: int
    inside: Sums
    before: int
    moves: Moves


Days = tuple[str | None, str | None]
"""The first and the last day, both included."""


def find_account(reader: Reader, asset: str, account: str) -> PoolRow:
    """An account's totals.

    Raises:
        NotFoundError: the outside (``outside_account``), or never used (``no_account``).
    """
    if is_world(account):
        raise NotFoundError(
            f"{account} is the outside (donors, suppliers, beneficiaries): it numbers no units "
            "and has no balance",
            code="outside_account",
        )
    row = reader.account_total(asset, account)
    if row is None:
        raise NotFoundError(
            f"the account {account} has never held any {asset}; funds are fund:<code>, stocks "
            "stock:<site>",
            code="no_account",
        )
    return row


def _check_whole(reader: Reader, row: PoolRow) -> None:
    """The movements must give what is held.

    Raises:
        CorruptionError: they do not.
    """
    sums = reader.account_sums(row.account, NUMBER_MAX)
    if (sums.received, sums.held) != (row.received, row.held):
        raise CorruptionError(
            f"the movements of {row.name} do not add up to the {row.held} {row.asset} that it "
            "holds; run shanji audit",
            details={"asset": row.asset, "account": row.name},
        )


def _recorded(
    reader: Reader, account: int, end: int, days: Days, after: int | None, rows: int
) -> _Part:
    """In the order of the log."""
    first = 0 if days[0] is None else first_after(reader, end, days[0], included=True)
    last = end if days[1] is None else first_after(reader, end, days[1], included=False)
    opening = before = reader.account_sums(account, first)
    inside = reader.account_sums(account, last).less(opening)
    start = first
    if after is not None:
        found = reader.movement(account, after)
        if found is None or not first <= after < last:
            _refuse_cursor(after)
        start, before = after + 1, found.sums
    moves: Moves = []
    sums = before
    for row in reader.movements(account, start, last, rows):
        moves.append((row, row.sums.less(sums)))
        sums = row.sums
    return _Part(opening.held, inside, before.held, moves)


def first_after(reader: Reader, end: int, day: str, *, included: bool) -> int:
    """The first entry below `end` recorded after a day (or on it): times only rise."""
    low, high = 0, end
    while low < high:
        middle = (low + high) // 2
        recorded = _recorded_on(parse_entry(reader.entry(middle)))
        if recorded > day or (included and recorded == day):
            high = middle
        else:
            low = middle + 1
    return low


def _occurred(
    reader: Reader, account: int, end: int, days: Days, after: int | None, rows: int
) -> _Part:
    """By day of occurrence, and in the order of the log on each day."""
    start, last = "" if days[0] is None else _day_before(days[0]), days[1] or LAST_DAY
    opening = reader.days_sums(account, end, after="", last=start) if start else NOTHING
    if days[1] is None:
        inside = reader.account_sums(account, end).less(opening)
    else:
        inside = reader.days_sums(account, end, after=start, last=last)
    before = opening
    moves: Moves = []
    if after is not None:
        found = reader.movement(account, after)
        if found is None or after >= end or not start < found.occurred_on <= last:
            _refuse_cursor(after)
        day = found.occurred_on
        earlier = reader.days_sums(account, end, after=start, last=_day_before(day))
        before = opening.plus(earlier).plus(found.day_sums)
        rest = reader.movements_of_day(account, day, after=after, end=end, limit=rows)
        moves, start = _by_day(rest, found), day
    if len(moves) < rows:
        moves += _by_day(_of_days(reader, account, end, (start, last), rows - len(moves)))
    return _Part(opening.held, inside, before.held, moves)


def _of_days(
    reader: Reader, account: int, end: int, days: tuple[str, str], rows: int
) -> list[MovementRow]:
    """The first movements after one day and up to another: all of some days, part of one more."""
    start, last = days
    whole, missing = "", rows
    part: list[MovementRow] = []
    for day, sums in reader.movement_days(account, end, after=start, last=last, limit=rows):
        if sums.number > missing:
            part = reader.movements_of_day(account, day, end=end, limit=missing) if missing else []
            break
        whole, missing = day, missing - sums.number
    if not whole:
        return part
    return reader.movements_of_days(account, end, after=start, last=whole, limit=rows) + part


def _by_day(rows: Sequence[MovementRow], before: MovementRow | None = None) -> Moves:
    """Movements in the order of their days, and what each alone moved.

    Args:
        before: The one before the first, on the same day; None where a day begins.
    """
    moves: Moves = []
    day, sums = ("", NOTHING) if before is None else (before.occurred_on, before.day_sums)
    for row in rows:
        moves.append((row, row.day_sums.less(sums) if row.occurred_on == day else row.day_sums))
        day, sums = row.occurred_on, row.day_sums
    return moves


def _day_before(day: str) -> str:
    """The day before one; nothing before the first that there is."""
    date = dt.date.fromisoformat(day)
    return "" if date == dt.date.min else (date - dt.timedelta(days=1)).isoformat()


def _refuse_cursor(after: int) -> NoReturn:
    raise MalformedError(
        f"after: entry {after} is no movement of this statement; follow `next` with the same days",
        code="unknown_cursor",
        field="after",
    )


def _recorded_on(entry: Entry) -> str:
    moment = dt.datetime.fromisoformat(entry.recorded_at)
    return moment.astimezone(CHINA).date().isoformat()


def _movement(entry: Entry, moved: Sums, balance: int) -> Movement:
    return Movement(
        entry.index,
        entry.kind,
        _recorded_on(entry),
        entry.occurred_on,
        moved.received,
        moved.gone,
        balance,
    )
