"""Reading the running sums of accounts: each answer is some seeks, however many entries there are.

By days of occurrence it is one seek for each day on which the account moved.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from itertools import chain
from typing import Any

import sqlalchemy as sa

from ledger.movements import NOTHING, MovementRow, Sums
from ledger.store.failures import translated
from ledger.store.log_reader import LogReader, check_types, checked_limit, clamped
from ledger.store.rows import HolderRow
from ledger.store.tables import TABLES, WIDE

DAYS_AT_ONCE = 64
"""Days of accounts in one statement; each number of them is a text to be kept."""

_MOVED, _ACCOUNT = TABLES["movement"], TABLES["account"]
_COLUMNS = ", ".join(f"m.{column.name}" for column in _MOVED.columns)
_SHAPE = [(column, column.type.python_type, False) for column in _MOVED.columns]
_NEWEST = f"""
SELECT {_COLUMNS} FROM wanted w JOIN movement m ON m.account = w.account
    AND m.entry = (SELECT max(n.entry) FROM movement n WHERE n.account = w.account)
UNION ALL SELECT {_COLUMNS} FROM wanted w JOIN movement m ON m.account = w.account
    AND m.entry = (SELECT max(n.entry) FROM movement n
        WHERE n.account = w.account AND n.occurred_on = w.day)
"""
_DAY, _LAST, _SEEK = (_MOVED.alias(name) for name in ("day", "last", "seek"))


@cache
def _newest(days: int) -> str:
    """`_NEWEST` for so many days, as SQLite's driver takes it."""
    return f"WITH wanted(account, day) AS (VALUES {', '.join(['(?, ?)'] * days)}) {_NEWEST}"


NEWEST_ON_SERVER = f"""
WITH wanted AS (SELECT * FROM unnest(%(accounts)s, %(days)s) AS given(account, day)) {_NEWEST}
"""


class SumsReader(LogReader):
    """What of a snapshot are the running sums."""

    def newest_movements(self, days: Collection[tuple[int, str]]) -> list[MovementRow]:
        """Of each of these accounts (their ids) its newest movement, and that of the day.

        Args:
            days: Account and day of occurrence.
        """
        wanted = list(days)
        rows: list[MovementRow] = []
        if not wanted:
            return rows
        with translated():
            if self._connection.dialect.name == "sqlite":
                for start in range(0, len(wanted), DAYS_AT_ONCE):
                    some = wanted[start : start + DAYS_AT_ONCE]
                    flat = tuple(chain.from_iterable(some))
                    rows += map(
                        movement_row, self._connection.exec_driver_sql(_newest(len(some)), flat)
                    )
                return rows
            found = self._connection.exec_driver_sql(NEWEST_ON_SERVER, newest_values(wanted))
            return list(map(movement_row, found))

    def movement(self, account: int, entry: int) -> MovementRow | None:
        """What an entry moved in an account (its id); None where it moved nothing there."""
        here = _MOVED.c.account == account
        row = self._one(sa.select(_MOVED).where(here, _MOVED.c.entry == clamped(entry)))
        return None if row is None else MovementRow(*row)

    def account_sums(self, account: int, end: int) -> Sums:
        """What the entries below `end` moved in an account (its id)."""
        query = sa.select(_MOVED).where(_MOVED.c.account == account, _MOVED.c.entry < clamped(end))
        row = self._one(query.order_by(_MOVED.c.entry.desc()))
        return NOTHING if row is None else MovementRow(*row).sums

    def named_sums(self, name: str, *, after: str = "", limit: int) -> list[HolderRow]:
        """What one holder has or had of each asset, by rising asset.

        Args:
            name: The accounts' name, like ``stock:depot``.
            after: Only assets above this one.

        Raises:
            MalformedError: `limit` is not 1 to `PAGE_ROWS_MAX`.
        """
        where = sa.and_(_ACCOUNT.c.name == name, _ACCOUNT.c.asset > after)
        return self._sums_of(where, _ACCOUNT.c.asset, limit)

    def asset_sums(self, asset: str, prefix: str, *, limit: int) -> list[HolderRow]:
        """Who has or had an asset, by rising name.

        Args:
            prefix: What the accounts' names begin with, like ``stock:``.

        Raises:
            MalformedError: `limit` is not 1 to `PAGE_ROWS_MAX`.
        """
        return self._sums_of(named(asset, prefix), _ACCOUNT.c.name, limit)

    def _sums_of(
        self, where: sa.ColumnElement[bool], order: sa.ColumnElement[Any], limit: int
    ) -> list[HolderRow]:
        """By the newest movement of each account: its pools may be many, one for each lot."""
        chosen = sa.select(_ACCOUNT.c.id, _ACCOUNT.c.asset, _ACCOUNT.c.name).where(where)
        some = chosen.order_by(order).limit(checked_limit(limit)).subquery("some")
        newest = sa.select(sa.func.max(_SEEK.c.entry)).where(_SEEK.c.account == some.c.id)
        found = sa.and_(_MOVED.c.account == some.c.id, _MOVED.c.entry == newest.scalar_subquery())
        query = sa.select(some.c.id, some.c.asset, some.c.name, _MOVED.c.received, _MOVED.c.gone)
        query = query.select_from(some.join(_MOVED, found)).order_by(some.c[order.name])
        return [
            HolderRow(account, asset, name, received, received - gone)
            for account, asset, name, received, gone in self._all(query)
        ]

    def movements(self, account: int, first: int, end: int, limit: int) -> list[MovementRow]:
        """What the entries [first, end) moved in an account (its id), by rising entry.

        Raises:
            MalformedError: `limit` is not 1 to `PAGE_ROWS_MAX`.
        """
        query = sa.select(_MOVED).where(
            _MOVED.c.account == account,
            _MOVED.c.entry >= clamped(first),
            _MOVED.c.entry < clamped(end),
        )
        rows = self._all(query.order_by(_MOVED.c.entry).limit(checked_limit(limit)))
        return [MovementRow(*row) for row in rows]

    def movements_of_day(
        self, account: int, day: str, *, after: int = -1, end: int, limit: int
    ) -> list[MovementRow]:
        """What entries that occurred on a day moved in an account (its id), by rising entry.

        Args:
            after, end: Only entries above the one and below the other.

        Raises:
            MalformedError: `limit` is not 1 to `PAGE_ROWS_MAX`.
        """
        # As pairs: of single columns SQLite would rather use those of the table's own key.
        key = (_MOVED.c.occurred_on, _MOVED.c.entry)
        query = sa.select(_MOVED).where(
            _MOVED.c.account == account,
            sa.tuple_(*key) > sa.tuple_(day, clamped(after)),
            sa.tuple_(*key) < sa.tuple_(day, clamped(end)),
        )
        rows = self._all(query.order_by(*key).limit(checked_limit(limit)))
        return [MovementRow(*row) for row in rows]

    def movements_of_days(
        self, account: int, end: int, *, after: str, last: str, limit: int
    ) -> list[MovementRow]:
        """What entries below `end` that occurred in a period moved in an account (its id).

        It reads all of the period, and the database puts them in order: ask for days whose
        movements were counted before (`movement_days`).

        Args:
            after, last: Only days above the one, and up to the other.

        Returns:
            By day, and by entry on each day.

        Raises:
            MalformedError: `limit` is not 1 to `PAGE_ROWS_MAX`.
        """
        of_day = sa.and_(
            _MOVED.c.account == account,
            _MOVED.c.occurred_on == _DAY.c.occurred_on,
            _MOVED.c.entry < clamped(end),
        )
        query = sa.select(_MOVED).select_from(_DAY.join(_MOVED, of_day))
        query = query.where(*_in_period(account, end, after, last))
        query = query.order_by(_MOVED.c.occurred_on, _MOVED.c.entry).limit(checked_limit(limit))
        return [MovementRow(*row) for row in self._all(query)]

    def movement_days(
        self, account: int, end: int, *, after: str, last: str, limit: int
    ) -> list[tuple[str, Sums]]:
        """The days on which entries below `end` moved an account (its id), with their sums.

        Args:
            after, last: Only days above the one, and up to the other.

        Returns:
            By rising day.

        Raises:
            MalformedError: `limit` is not 1 to `PAGE_ROWS_MAX`.
        """
        query = _days(account, end, after, last).order_by(_DAY.c.occurred_on)
        rows = self._all(query.limit(checked_limit(limit)))
        return [(day, Sums(*sums)) for day, *sums in rows]

    def days_sums(self, account: int, end: int, *, after: str, last: str) -> Sums:
        """What entries below `end` that occurred in a period moved in an account (its id).

        Args:
            after, last: Only days above the one, and up to the other.
        """
        some = _days(account, end, after, last).subquery("some")
        names = ("day_number", "day_received", "day_gone")
        sums: list[Any] = [
            sa.cast(sa.func.coalesce(sa.func.sum(some.c[name]), 0), WIDE) for name in names
        ]
        return Sums(*self._one(sa.select(*sums)))


def named(asset: str, prefix: str) -> sa.ColumnElement[bool]:
    """Accounts of an asset whose names begin with a prefix."""
    name = _ACCOUNT.c.name
    return sa.and_(_ACCOUNT.c.asset == asset, name >= prefix, name < prefix + "\U0010ffff")


def _days(account: int, end: int, after: str, last: str) -> sa.Select[Any]:
    """The days of an account's period with their sums as of a size: of each day, its first
    movement says that there is one, and its last one below the size says the sums."""
    newest = sa.select(sa.func.max(_SEEK.c.entry)).where(
        _SEEK.c.account == account,
        _SEEK.c.occurred_on == _DAY.c.occurred_on,
        _SEEK.c.entry < clamped(end),
    )
    found = sa.and_(_LAST.c.account == account, _LAST.c.entry == newest.scalar_subquery())
    sums = (_LAST.c.day_number, _LAST.c.day_received, _LAST.c.day_gone)
    query = sa.select(_DAY.c.occurred_on, *sums).select_from(_DAY.join(_LAST, found))
    return query.where(*_in_period(account, end, after, last))


def _in_period(account: int, end: int, after: str, last: str) -> list[sa.ColumnElement[bool]]:
    """The first movements of an account's days above one and up to another, below a size."""
    return [
        _DAY.c.account == account,
        # As the index says it: a bound value would not be known to be its condition.
        _DAY.c.day_number == sa.literal_column("1", WIDE),
        # The sum keeps SQLite from seeking by entry, where it would read all of the account.
        _DAY.c.entry + 0 < clamped(end),
        _DAY.c.occurred_on > after,
        _DAY.c.occurred_on <= last,
    ]


def newest_values(days: Collection[tuple[int, str]]) -> dict[str, Any]:
    """What `NEWEST_ON_SERVER` is asked with: accounts (their ids), each with a day."""
    from ledger.store.arrays import Column

    return {
        "accounts": Column("bigint", [account for account, _ in days]),
        "days": Column("text", [day for _, day in days]),
    }


def movement_row(row: Any) -> MovementRow:
    """A row as the database has it; refused where its types are not a movement's."""
    check_types(row, _SHAPE)
    return MovementRow(*row)
