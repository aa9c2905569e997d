"""Statements: an account's opening, movements and closing, as of any size and between days.

A movement is one entry: what it brought into the account and what it took out. Days are
those on which entries were *recorded* (in the order of the log) or those on which they
*occurred* (by day, then in the order of the log); the two are never mixed. By days of
occurrence a balance in between may be below nothing: then something was recorded late.

It reads the account's flows by their index; the sums and the page are the database's, but
for days of occurrence, which are read from the account's entries.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass
from itertools import accumulate
from typing import Any, Literal, NoReturn

import orjson

from ledger.entry import Entry, parse_entry
from ledger.errors import CorruptionError, LedgerError, MalformedError, NotFoundError
from ledger.flows import is_world
from ledger.sequencer import CHINA
from ledger.store import PoolRow, Reader
from ledger.store.log_reader import NUMBER_MAX

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
    row = find_account(reader, asset, account)
    if end == size:
        _check_whole(reader, row)
    limit = min(limit, PAGE_MAX)
    pick = _recorded if by == "recorded" else _occurred
    part = pick(reader, row.account, end, (day_from, day_to), after, limit)
    shown = part.moves[:limit]
    data = reader.chosen_entries([one[0] for one in shown])
    balances = accumulate((one[1] - one[2] for one in shown), initial=part.before)
    movements = tuple(
        _movement(parse_entry(data[one[0]]), one, balance)
        for one, balance in zip(shown, list(balances)[1:], strict=True)
    )
    return Statement(
        asset=asset,
        account=account,
        as_of=end,
        by=by,
        day_from=day_from,
        day_to=day_to,
        opening=part.opening,
        incoming=part.incoming,
        outgoing=part.outgoing,
        closing=part.opening + part.incoming - part.outgoing,
        movements_total=part.total,
        movements=movements,
        next=shown[-1][0] if len(part.moves) > limit else None,
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """The whole's sums, and the movements of one page and one more.

    `before` is the balance before the first of them.
    """

    opening: int
    incoming: int
    outgoing: int
    total: int
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
    """The flows must give what is held.

    Raises:
        CorruptionError: they do not.
    """
    _, incoming, outgoing = reader.account_sums(row.account, 0, NUMBER_MAX)
    if incoming - outgoing != row.held:
        raise CorruptionError(
            f"the flows of {row.name} do not add up to the {row.held} {row.asset} that it holds; "
            "run shanji audit",
            details={"asset": row.asset, "account": row.name},
        )


def _recorded(
    reader: Reader, account: int, end: int, days: Days, after: int | None, limit: int
) -> _Part:
    """In the order of the log: every sum and the page are the database's."""
    first = 0 if days[0] is None else first_after(reader, end, days[0], included=True)
    last = end if days[1] is None else first_after(reader, end, days[1], included=False)
    _, came, went = reader.account_sums(account, 0, first)
    total, incoming, outgoing = reader.account_sums(account, first, last)
    opening = before = came - went
    start = first
    if after is not None:
        if not first <= after < last or not reader.account_moves(account, after + 1, first=after):
            _refuse_cursor(after)
        start = after + 1
        _, came, went = reader.account_sums(account, first, start)
        before += came - went
    moves = reader.account_moves(account, last, first=start, limit=limit + 1)
    return _Part(opening, incoming, outgoing, total, before, moves)


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
    reader: Reader, account: int, end: int, days: Days, after: int | None, limit: int
) -> _Part:
    """By day of occurrence, which the entries alone know: all of the account's are read."""
    moves = reader.account_moves(account, end, limit=OCCURRED_ENTRIES_MAX + 1)
    if len(moves) > OCCURRED_ENTRIES_MAX:
        raise LedgerError(
            f"the account has more than {OCCURRED_ENTRIES_MAX} movements, no more can be put "
            "in the order of their days; ask by=recorded, or as of a smaller size",
            code="statement_too_large",
        )
    data = reader.chosen_entries([one[0] for one in moves])
    when = {index: str(orjson.loads(one)["occurred_on"]) for index, one in data.items()}
    day_from, day_to = days
    opening = sum(one[1] - one[2] for one in moves if day_from and when[one[0]] < day_from)
    inside = sorted(
        (
            one
            for one in moves
            if (not day_from or when[one[0]] >= day_from) and (not day_to or when[one[0]] <= day_to)
        ),
        key=lambda one: (when[one[0]], one[0]),
    )
    incoming, outgoing = (sum(one[side] for one in inside) for side in (1, 2))
    start = 0
    if after is not None:
        places = {one[0]: number for number, one in enumerate(inside, 1)}
        start = places.get(after) or _refuse_cursor(after)
    before = opening + sum(one[1] - one[2] for one in inside[:start])
    page = inside[start : start + limit + 1]
    return _Part(opening, incoming, outgoing, len(inside), before, page)


def _refuse_cursor(after: int) -> NoReturn:
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
