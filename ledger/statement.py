"""Statements: an account's opening, movements and closing, as of any size and between days.

A movement is one entry: what it brought into the account and what it took out. Days are
those on which entries were *recorded* (in the order of the log) or those on which they
*occurred* (by day, then in the order of the log); the two are never mixed. By days of
occurrence a balance in between may be below nothing: then something was recorded late.

It reads the account's flows by their index, and the entries that they belong to.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass
from itertools import accumulate
from typing import Any, Literal

from ledger.entry import Entry, parse_entry
from ledger.errors import CorruptionError, LedgerError, MalformedError, NotFoundError
from ledger.flows import is_world
from ledger.sequencer import CHINA
from ledger.store import Reader

OCCURRED_ENTRIES_MAX = 200_000
"""Entries of one account that can be put in the order of their days in one answer."""
PAGE_MAX = 500

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


Moves = list[tuple[int, int, int]]
"""``(entry, units in, units out)``."""


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
        LedgerError: too many entries to put in the order of their days.
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
    moves = _moves(reader, asset, account, end, whole=end == size)
    if by == "recorded":
        opening, inside = _recorded(reader, moves, end, day_from, day_to)
    else:
        opening, inside = _occurred(reader, moves, day_from, day_to)
    incoming = sum(one[1] for one in inside)
    outgoing = sum(one[2] for one in inside)
    start = 0 if after is None else _place(inside, after)
    stop = min(len(inside), start + min(limit, PAGE_MAX))
    balances = list(accumulate((one[1] - one[2] for one in inside), initial=opening))
    data = reader.chosen_entries([one[0] for one in inside[start:stop]])
    movements = tuple(
        _movement(parse_entry(data[one[0]]), one, balances[number + 1])
        for number, one in enumerate(inside[start:stop], start)
    )
    return Statement(
        asset=asset,
        account=account,
        as_of=end,
        by=by,
        day_from=day_from,
        day_to=day_to,
        opening=opening,
        incoming=incoming,
        outgoing=outgoing,
        closing=opening + incoming - outgoing,
        movements_total=len(inside),
        movements=movements,
        next=inside[stop - 1][0] if stop < len(inside) else None,
    )


def _moves(reader: Reader, asset: str, account: str, end: int, *, whole: bool) -> Moves:
    if is_world(account):
        raise NotFoundError(
            f"{account} is the outside (donors, suppliers, beneficiaries): it has no balance",
            code="outside_account",
        )
    row = reader.account(asset, account)
    if row is None:
        raise NotFoundError(
            f"the account {account} has never held any {asset}; funds are fund:<code>, stocks "
            "stock:<site>",
            code="no_account",
        )
    moves = reader.account_moves(row.id, end)
    held = sum(last - first for first, last, _ in row.segments)
    if whole and sum(one[1] - one[2] for one in moves) != held:
        raise CorruptionError(
            f"the flows of {account} do not add up to the {held} {asset} that it holds; "
            "run shanji audit",
            details={"asset": asset, "account": account},
        )
    return moves


def _recorded(
    reader: Reader, moves: Moves, end: int, day_from: str | None, day_to: str | None
) -> tuple[int, Moves]:
    """The opening and the movements inside, in the order of the log."""
    first = 0 if day_from is None else _first_after(reader, end, day_from, included=True)
    last = end if day_to is None else _first_after(reader, end, day_to, included=False)
    opening = sum(one[1] - one[2] for one in moves if one[0] < first)
    return opening, [one for one in moves if first <= one[0] < last]


def _first_after(reader: Reader, end: int, day: str, *, included: bool) -> int:
    """The first entry that was recorded after a day (or on it): times only rise."""
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
    reader: Reader, moves: Moves, day_from: str | None, day_to: str | None
) -> tuple[int, Moves]:
    """The opening and the movements inside, by day."""
    if len(moves) > OCCURRED_ENTRIES_MAX:
        raise LedgerError(
            f"the account has {len(moves)} movements, at most {OCCURRED_ENTRIES_MAX} can be put "
            "in the order of their days; ask by=recorded, or as of a smaller size",
            code="statement_too_large",
        )
    data = reader.chosen_entries([one[0] for one in moves])
    days = {index: parse_entry(one).occurred_on for index, one in data.items()}
    opening = sum(one[1] - one[2] for one in moves if day_from and days[one[0]] < day_from)
    inside = [
        one
        for one in moves
        if (not day_from or days[one[0]] >= day_from) and (not day_to or days[one[0]] <= day_to)
    ]
    return opening, sorted(inside, key=lambda one: (days[one[0]], one[0]))


def _place(inside: Moves, after: int) -> int:
    for number, one in enumerate(inside, 1):
        if one[0] == after:
            return number
    raise MalformedError(
        f"after: entry {after} is no movement of this statement; follow `next` with the same days",
        code="unknown_cursor",
        field="after",
    )


def _recorded_on(entry: Entry) -> str:
    moment = dt.datetime.fromisoformat(entry.recorded_at)
    return moment.astimezone(CHINA).date().isoformat()


def _movement(entry: Entry, move: tuple[int, int, int], balance: int) -> Movement:
    _, incoming, outgoing = move
    return Movement(
        entry.index,
        entry.kind,
        _recorded_on(entry),
        entry.occurred_on,
        incoming,
        outgoing,
        balance,
    )
