"""Reading one consistent snapshot of the store."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from ledger.errors import NotFoundError
from ledger.flows import Flow
from ledger.store import operational, seeks
from ledger.store.chosen import WANTED
from ledger.store.failures import translated
from ledger.store.log_reader import (
    CHOSEN_ENTRIES,
    PAGE_ROWS_MAX,
    checked_entry,
    checked_limit,
    clamped,
)
from ledger.store.rows import AccountRow, AssetRow, PoolRow
from ledger.store.sums_reader import SumsReader, named
from ledger.store.tables import TABLES, WIDE

_ACCOUNT, _HOLDING, _POOL = (TABLES[one] for one in ("account", "holding", "pool"))
_ASSET = TABLES["asset"]
_FLOW, _OBJECT, _PROPOSAL = TABLES["flow"], TABLES["state_object"], TABLES["proposal"]
_ENTRY, _REFERENCE, _KIND = (TABLES[one] for one in ("entry", "entry_reference", "entry_kind"))

_SOURCE, _TARGET = _ACCOUNT.alias("source_account"), _ACCOUNT.alias("target_account")
_FLOWS = (
    sa.select(
        _FLOW.c.entry,
        _FLOW.c.posting,
        _FLOW.c.part,
        _SOURCE.c.asset,
        _SOURCE.c.name,
        _FLOW.c.source_first,
        _TARGET.c.name,
        _FLOW.c.target_first,
        _FLOW.c.length,
        _FLOW.c.label,
    )
    .join(_SOURCE, _FLOW.c.source == _SOURCE.c.id)
    .join(_TARGET, _FLOW.c.target == _TARGET.c.id)
)
_OVERLAPPING: dict[seeks.Side, sa.Select[Any]] = {
    side: _FLOWS.where(
        _FLOW.c[side] == sa.bindparam("account"),
        _FLOW.c[f"{side}_first"] >= sa.bindparam("first"),
        _FLOW.c[f"{side}_first"] < sa.bindparam("end"),
    ).order_by(_FLOW.c[f"{side}_first"])
    for side in seeks.BEFORE
}
_POOLS = sa.select(
    _POOL.c.account,
    _ACCOUNT.c.asset,
    _ACCOUNT.c.name,
    _POOL.c.label,
    _POOL.c.received,
    _POOL.c.held,
    _POOL.c.returned,
).join(_ACCOUNT, _ACCOUNT.c.id == _POOL.c.account)

_CHOSEN_OBJECTS = sa.select(_OBJECT.c.key, _OBJECT.c.value).where(_OBJECT.c.key.in_(WANTED))
_CHOSEN_ACCOUNTS = sa.select(
    _ACCOUNT.c.id, _ACCOUNT.c.asset, _ACCOUNT.c.name, _ACCOUNT.c.received
).where(_ACCOUNT.c.id.in_(WANTED))
_CHOSEN_HOLDINGS = sa.select(
    _HOLDING.c.account, _HOLDING.c.first, _HOLDING.c.length, _HOLDING.c.label
).where(_HOLDING.c.account.in_(WANTED))
_THOSE_OF_KINDS = sa.select(_KIND.c.entry).where(
    _KIND.c.kind.in_(sa.bindparam("kinds", expanding=True)), _KIND.c.entry.in_(WANTED)
)
_THOSE_ABOUT = sa.select(_REFERENCE.c.source).where(
    _REFERENCE.c.target == sa.bindparam("target"), _REFERENCE.c.source.in_(WANTED)
)
_CAME = _FLOW.alias("came")
_CARRIED = (
    sa.select(_CAME.c.label)
    .where(_CAME.c.target == _FLOW.c.source, _CAME.c.target_first <= _FLOW.c.source_first)
    .order_by(_CAME.c.target_first.desc())
    .limit(1)
)
"""What a range's first unit carried in the account that it left: arrivals never overlap."""
_THOSE_THAT_MOVED = (
    sa.select(_FLOW.c.entry)
    .join(_SOURCE, _SOURCE.c.id == _FLOW.c.source)
    .where(
        _FLOW.c.entry.in_(WANTED),
        _SOURCE.c.asset == sa.bindparam("asset"),
        sa.or_(
            _FLOW.c.label == sa.bindparam("label"),
            _CARRIED.scalar_subquery() == sa.bindparam("label"),
        ),
    )
)


class Reader(SumsReader):
    """One snapshot: everything read through it is of one size of the log.

    For one thread. Numbers that no column can hold are simply not there. Besides what
    each method names, all raise:

        CorruptionError: a stored value is not of its column's type, or the file is damaged.
        FatalError: the disk failed.
        MalformedError: text with half a surrogate pair, which no store can hold.
    """

    def object(self, key: str) -> bytes | None:
        """A named object's canonical JSON."""
        row = self._seek(seeks.OBJECT, key=key)
        return None if row is None else bytes(row[0])

    def objects(self, prefix: str, *, after: str = "", limit: int) -> list[tuple[str, bytes]]:
        """Objects whose key starts with `prefix` and is above `after`, by rising key.

        Raises:
            MalformedError: `limit` is not 1 to `PAGE_ROWS_MAX`.
        """
        query = sa.select(_OBJECT.c.key, _OBJECT.c.value).where(
            _OBJECT.c.key >= prefix,
            _OBJECT.c.key > after,
            _OBJECT.c.key < prefix + "\U0010ffff",
        )
        rows = self._all(query.order_by(_OBJECT.c.key).limit(checked_limit(limit)))
        return [(key, value) for key, value in rows]

    def holds(self) -> dict[str, str]:
        """Why nothing may be written by anybody who shares the database, by code."""
        with translated():
            return operational.holds(self._connection)

    def objects_with(
        self, prefix: str, text: str, *, looked_at: int, limit: int
    ) -> list[tuple[str, bytes]]:
        """Objects whose key starts with `prefix` and whose key or value has a text in it.

        The database looks through the first objects; upper and lower case are the same for it
        where they are ASCII.

        Args:
            text: In lower case, as it stands in JSON.
            looked_at: How many objects are looked through.

        Raises:
            MalformedError: `looked_at` or `limit` is not 1 to `PAGE_ROWS_MAX`.
        """
        query = sa.select(_OBJECT.c.key, _OBJECT.c.value).where(
            _OBJECT.c.key >= prefix, _OBJECT.c.key < prefix + "\U0010ffff"
        )
        some = query.order_by(_OBJECT.c.key).limit(checked_limit(looked_at)).subquery("some")
        if self._connection.dialect.name == "sqlite":
            told: sa.ColumnElement[Any] = sa.cast(some.c.value, sa.Text)
        else:
            told = sa.func.convert_from(some.c.value, "UTF8")
        has = sa.or_(
            *(sa.func.lower(one).contains(text, autoescape=True) for one in (some.c.key, told))
        )
        found = sa.select(some.c.key, some.c.value).where(has).order_by(some.c.key)
        return [(key, value) for key, value in self._all(found.limit(checked_limit(limit)))]

    def proposal(self, row: str) -> bytes | None:
        """A row of the proposals, encrypted; None where there is none of that id."""
        found = self._one(sa.select(_PROPOSAL.c.ciphertext).where(_PROPOSAL.c.id == row))
        return None if found is None else bytes(found[0])

    def proposals(self, first: str, end: str) -> list[tuple[str, bytes]]:
        """Rows of the proposals with ids in [first, end), by rising id."""
        query = sa.select(_PROPOSAL.c.id, _PROPOSAL.c.ciphertext).where(
            _PROPOSAL.c.id >= first, _PROPOSAL.c.id < end
        )
        rows = self._all(query.order_by(_PROPOSAL.c.id).limit(PAGE_ROWS_MAX))
        return [(row, ciphertext) for row, ciphertext in rows]

    def account_count(self) -> int:
        """How many accounts there are: ids count from 0, so it is the next new one's id."""
        (last,) = self._one(sa.select(sa.func.max(_ACCOUNT.c.id)))
        return 0 if last is None else int(last) + 1

    def count(self, table: str, most: int | None = None) -> int:
        """How many rows a table has.

        Args:
            most: Count no further than this; None counts all, which reads all.

        Raises:
            NotFoundError: no such table.
        """
        found: sa.FromClause = _table(table)
        if most is not None:
            found = sa.select(sa.literal(1)).select_from(found).limit(most).subquery()
        (rows,) = self._one(sa.select(sa.func.count()).select_from(found))
        return int(rows)

    def account(self, asset: str, name: str) -> AccountRow | None:
        """An account with what is still in it."""
        row = self._seek(seeks.ACCOUNT, asset=asset, name=name)
        if row is None:
            return None
        held = self._holdings(row[0], row[0])
        return AccountRow(row[0], asset, name, row[1], held.get(row[0], []))

    def chosen_objects(self, keys: Collection[str]) -> dict[str, bytes]:
        """These named objects' canonical JSON; those that are not there are left out."""
        return dict(map(tuple, self._chosen(_CHOSEN_OBJECTS, keys)))

    def chosen_accounts(self, ids: Collection[int]) -> list[AccountRow]:
        """The accounts of these ids with what is still in them."""
        rows = self._chosen(_CHOSEN_ACCOUNTS, ids)
        held: dict[int, list[tuple[int, int, str]]] = {}
        for account, first, length, label in sorted(
            map(tuple, self._chosen(_CHOSEN_HOLDINGS, ids))
        ):
            held.setdefault(account, []).append((first, first + length, label))
        return [
            AccountRow(id_, asset, name, received, held.get(id_, []))
            for id_, asset, name, received in rows
        ]

    def accounts(self, after_id: int, limit: int) -> list[AccountRow]:
        """Accounts whose id is above `after_id`, by rising id: -1 begins.

        Raises:
            MalformedError: `limit` is not 1 to `PAGE_ROWS_MAX`.
        """
        query = sa.select(_ACCOUNT.c.id, _ACCOUNT.c.asset, _ACCOUNT.c.name, _ACCOUNT.c.received)
        query = query.where(_ACCOUNT.c.id > clamped(after_id)).order_by(_ACCOUNT.c.id)
        rows = self._all(query.limit(checked_limit(limit)))
        held = self._holdings(rows[0][0], rows[-1][0]) if rows else {}
        return [
            AccountRow(id_, asset, name, received, held.get(id_, []))
            for id_, asset, name, received in rows
        ]

    def _holdings(self, first_id: int, last_id: int) -> dict[int, list[tuple[int, int, str]]]:
        query = sa.select(
            _HOLDING.c.account, _HOLDING.c.first, _HOLDING.c.length, _HOLDING.c.label
        ).where(_HOLDING.c.account.between(first_id, last_id))
        rows = self._all(query.order_by(_HOLDING.c.account, _HOLDING.c.first))
        return {
            account: [(first, first + length, label) for _, first, length, label in held]
            for account, held in groupby(rows, key=lambda row: row[0])
        }

    def account_total(self, asset: str, name: str) -> PoolRow | None:
        """All pools of an account as one, without a label; None where it was never used."""
        amounts = (_POOL.c.received, _POOL.c.held, _POOL.c.returned)
        query = sa.select(_ACCOUNT.c.id, *(_sum(one) for one in amounts))
        query = query.join(_POOL, _ACCOUNT.c.id == _POOL.c.account, isouter=True)
        query = query.where(_ACCOUNT.c.asset == asset, _ACCOUNT.c.name == name)
        row = self._one(query.group_by(_ACCOUNT.c.id))
        if row is None:
            return None
        id_, *sums = row
        received, held, returned = (one or 0 for one in sums)
        return PoolRow(id_, asset, name, "", received, held, returned)

    def asset(self, asset: str) -> AssetRow | None:
        """What all accounts of an asset are together; None where none ever received any."""
        row = self._one(sa.select(_ASSET).where(_ASSET.c.asset == asset))
        return None if row is None else AssetRow(*row)

    def asset_totals(self) -> list[AssetRow]:
        """Every asset's accounts together, by asset."""
        return [AssetRow(*row) for row in self._rows(sa.select(_ASSET).order_by(_ASSET.c.asset))]

    def asset_holders(
        self, asset: str, prefix: str, *, after: str = "", limit: int
    ) -> list[PoolRow]:
        """Who has or had an asset, as `account_total` gives it, by rising name.

        It reads all pools of each; `asset_sums` does not, but rests on the running sums.

        Args:
            prefix: What the accounts' names begin with, like ``stock:``.
            after: Only names above this one.

        Raises:
            MalformedError: `limit` is not 1 to `PAGE_ROWS_MAX`.
        """
        chosen = sa.select(_ACCOUNT.c.id, _ACCOUNT.c.asset, _ACCOUNT.c.name)
        chosen = chosen.where(named(asset, prefix), _ACCOUNT.c.name > after)
        some = chosen.order_by(_ACCOUNT.c.name).limit(checked_limit(limit)).subquery("some")
        sums = [_sum(_POOL.c[name]) for name in ("received", "held", "returned")]
        query = sa.select(some.c.id, some.c.asset, some.c.name, *sums)
        query = query.join(_POOL, _POOL.c.account == some.c.id)
        query = query.group_by(some.c.id, some.c.asset, some.c.name).order_by(some.c.name)
        return [
            PoolRow(account, asset, name, "", received, held, returned)
            for account, asset, name, received, held, returned in self._all(query)
        ]

    def account_ids(self, name: str) -> set[int]:
        """The ids of all accounts of this name, one an asset."""
        query = sa.select(_ACCOUNT.c.id).where(_ACCOUNT.c.name == name)
        return {id_ for (id_,) in self._all(query)}

    def pool(self, asset: str, name: str, label: str) -> PoolRow | None:
        """What an account's units of one label are in all; None where it never had any."""
        row = self._one(
            _POOLS.where(_ACCOUNT.c.asset == asset, _ACCOUNT.c.name == name, _POOL.c.label == label)
        )
        return None if row is None else PoolRow(*row)

    def labelled_pools(
        self, asset: str, prefix: str, label: str, *, looked_at: int
    ) -> list[PoolRow]:
        """The pools of one label in the accounts of an asset, by rising name of the account.

        Args:
            prefix: What the accounts' names begin with, like ``stock:``.
            looked_at: How many accounts are looked at.

        Raises:
            MalformedError: `looked_at` is not 1 to `PAGE_ROWS_MAX`.
        """
        chosen = sa.select(_ACCOUNT.c.id).where(named(asset, prefix)).order_by(_ACCOUNT.c.name)
        some = chosen.limit(checked_limit(looked_at)).subquery("some")
        query = _POOLS.join(some, some.c.id == _POOL.c.account).where(_POOL.c.label == label)
        return [PoolRow(*row) for row in self._all(query.order_by(_ACCOUNT.c.name))]

    def held_pools(self, after: tuple[int, str], limit: int) -> list[PoolRow]:
        """Pools of any account that hold something, by rising (account id, label).

        Args:
            after: The account id and label to begin behind; (-1, "") begins.

        Raises:
            MalformedError: `limit` is not 1 to `PAGE_ROWS_MAX`.
        """
        key = sa.tuple_(_POOL.c.account, _POOL.c.label)
        query = _POOLS.where(key > sa.tuple_(*after), _POOL.c.held > 0)
        # Follows from the join; said, so that no plan reads the accounts from the first one.
        query = query.where(_ACCOUNT.c.id >= after[0])
        query = query.order_by(_POOL.c.account, _POOL.c.label).limit(checked_limit(limit))
        return [PoolRow(*row) for row in self._all(query)]

    def account_pools(self, account: int, limit: int, *, after: str = "") -> list[PoolRow]:
        """The labelled pools of an account (its id), also those that hold nothing more.

        Args:
            after: Only labels above this one.

        Returns:
            By rising label.

        Raises:
            MalformedError: `limit` is not 1 to `PAGE_ROWS_MAX`.
        """
        query = _POOLS.where(_POOL.c.account == account, _POOL.c.label > after)
        query = query.order_by(_POOL.c.label)
        return [PoolRow(*row) for row in self._all(query.limit(checked_limit(limit)))]

    def held_ranges(
        self, account: int, *, first: int = 0, label: str | None = None, limit: int
    ) -> list[tuple[int, int, str]]:
        """Ranges still in an account (its id) that start at `first` or above, by rising number.

        Args:
            label: Only those that carry it; None for all.

        Raises:
            MalformedError: `limit` is not 1 to `PAGE_ROWS_MAX`.
        """
        query = sa.select(_HOLDING.c.first, _HOLDING.c.length, _HOLDING.c.label).where(
            _HOLDING.c.account == account, _HOLDING.c.first >= clamped(first)
        )
        if label is not None:
            query = query.where(_HOLDING.c.label == label)
        rows = self._all(query.order_by(_HOLDING.c.first).limit(checked_limit(limit)))
        return [(start, start + length, carried) for start, length, carried in rows]

    def held_arrivals(
        self, account: int, *, label: str | None = None, ranges: int, limit: int
    ) -> list[tuple[int, int]]:
        """By which entries what is still in an account (its id) came: ``(entry, units)``.

        Args:
            label: Only units that carry it; None for all.
            ranges: How many of the oldest ranges are looked at.
            limit: Arrivals at most.

        Returns:
            By rising unit number; an entry may be there more than once.

        Raises:
            MalformedError: `ranges` or `limit` is not 1 to `PAGE_ROWS_MAX`.
        """
        query = sa.select(_HOLDING.c.first, _HOLDING.c.length).where(_HOLDING.c.account == account)
        if label is not None:
            query = query.where(_HOLDING.c.label == label)
        some = query.order_by(_HOLDING.c.first).limit(checked_limit(ranges)).subquery("some")
        seek, number = _FLOW.alias("seek"), _FLOW.c.target_first
        # Arrivals never overlap: one seek finds that of a range's first unit.
        before = sa.select(sa.func.max(seek.c.target_first)).where(
            seek.c.target == account, seek.c.target_first <= some.c.first
        )
        came = sa.and_(
            _FLOW.c.target == account,
            number >= sa.func.coalesce(before.scalar_subquery(), some.c.first),
            number < some.c.first + some.c.length,
        )
        columns = (_FLOW.c.entry, number, _FLOW.c.length, some.c.first, some.c.length)
        found = sa.select(*columns).select_from(some.join(_FLOW, came))
        found = found.order_by(number, some.c.first).limit(checked_limit(limit))
        rows = [
            (entry, min(start + length, first + held) - max(start, first))
            for entry, start, length, first, held in self._all(found)
        ]
        return [(entry, units) for entry, units in rows if units > 0]

    def arrivals(self, asset: str, account: str, first: int, end: int) -> list[Flow]:
        """Flows that brought units [first, end) into an account, by rising number."""
        return self._overlapping("target", asset, account, first, end)

    def departures(self, asset: str, account: str, first: int, end: int) -> list[Flow]:
        """Flows that took units [first, end) out of an account, by rising number."""
        return self._overlapping("source", asset, account, first, end)

    def _overlapping(
        self, side: seeks.Side, asset: str, account: str, first: int, end: int
    ) -> list[Flow]:
        """Ranges on one side of an account never overlap, so one seek finds the first."""
        row = self._seek(seeks.ACCOUNT, asset=asset, name=account)
        if row is None:
            return []
        first, end = clamped(first), clamped(end)
        (before,) = self._seek(seeks.BEFORE[side], account=row[0], first=first)
        values = {"account": row[0], "first": first if before is None else before, "end": end}
        flows = [Flow(*one) for one in self._rows(_OVERLAPPING[side], values)]
        # Only the range that the seek found can end before `first`.
        if before is not None and flows and before + flows[0].length <= first:
            del flows[0]
        return flows

    def numbered_flows(
        self, side: seeks.Side, account: int, *, first: int = 0, limit: int
    ) -> list[Flow]:
        """Flows out of an account (its id) or into it, by the rising numbers of its units.

        By the index: it reads as many rows as it returns.

        Args:
            first: The number at which the first of them begins, or above.

        Raises:
            MalformedError: `limit` is not 1 to `PAGE_ROWS_MAX`.
        """
        number = _FLOW.c[f"{side}_first"]
        query = _FLOWS.where(_FLOW.c[side] == account, number >= clamped(first))
        rows = self._all(query.order_by(number).limit(checked_limit(limit)))
        return [Flow(*one) for one in rows]

    def chosen_entries(self, indices: Collection[int]) -> dict[int, bytes]:
        """The bytes of these entries: ``{index: bytes}``; those that are not there are left out."""
        rows = self._chosen(CHOSEN_ENTRIES, indices)
        return {row[0]: checked_entry(*row) for row in rows}

    def entry_flows(self, index: int) -> list[Flow]:
        """The flows of one entry, by posting and part."""
        query = _FLOWS.where(_FLOW.c.entry == clamped(index))
        rows = self._all(query.order_by(_FLOW.c.posting, _FLOW.c.part))
        return [Flow(*row) for row in rows]

    def those_that_moved(self, indices: Collection[int], asset: str, label: str) -> set[int]:
        """Which of these entries moved units of an asset that carry a label, or carried it where
        they left; of each range that moved, its first unit counts."""
        found = self._chosen(_THOSE_THAT_MOVED, indices, asset=asset, label=label)
        return {entry for (entry,) in found}

    def referrers(self, index: int, *, after: int = -1, limit: int) -> list[int]:
        """Later entries that refer to an entry, above `after`, by rising index.

        By the table's key: it reads as many rows as it returns.

        Raises:
            MalformedError: `limit` is not 1 to `PAGE_ROWS_MAX`.
        """
        query = sa.select(_REFERENCE.c.source).where(
            _REFERENCE.c.target == clamped(index), _REFERENCE.c.source > clamped(after)
        )
        rows = self._all(query.order_by(_REFERENCE.c.source).limit(checked_limit(limit)))
        return [source for (source,) in rows]

    def newest_referrers(self, index: int, *, before: int, limit: int) -> list[int]:
        """Later entries that refer to an entry, below `before`, by falling index.

        By the table's key: it reads as many rows as it returns.

        Raises:
            MalformedError: `limit` is not 1 to `PAGE_ROWS_MAX`.
        """
        query = sa.select(_REFERENCE.c.source).where(
            _REFERENCE.c.target == clamped(index), _REFERENCE.c.source < clamped(before)
        )
        query = query.order_by(_REFERENCE.c.source.desc()).limit(checked_limit(limit))
        return [source for (source,) in self._all(query)]

    def newest_of_kinds(self, kinds: Collection[str], *, before: int, limit: int) -> list[int]:
        """Entries of these kinds below `before`, by falling index.

        By the table's key: it reads at most `limit` rows of each kind.

        Raises:
            MalformedError: `limit` is not 1 to `PAGE_ROWS_MAX`.
        """
        found: list[int] = []
        for kind in dict.fromkeys(kinds):
            query = sa.select(_KIND.c.entry).where(
                _KIND.c.kind == kind, _KIND.c.entry < clamped(before)
            )
            query = query.order_by(_KIND.c.entry.desc()).limit(checked_limit(limit))
            found += [entry for (entry,) in self._all(query)]
        return sorted(found, reverse=True)[:limit]

    def those_of_kinds(self, indices: Collection[int], kinds: Collection[str]) -> set[int]:
        """Which of these entries are of one of these kinds."""
        found = self._chosen(_THOSE_OF_KINDS, indices, kinds=sorted(kinds))
        return {entry for (entry,) in found}

    def those_about(self, indices: Collection[int], target: int) -> set[int]:
        """Which of these entries refer to an entry."""
        found = self._chosen(_THOSE_ABOUT, indices, target=clamped(target))
        return {entry for (entry,) in found}

    def row(self, table: str, key: Sequence[Any]) -> tuple[Any, ...] | None:
        """One row of a table, whole and as stored; None where there is none.

        Args:
            table: The name of one of `tables.TABLES`.
            key: Its whole primary key.

        Raises:
            NotFoundError: no such table.
        """
        found = _table(table)
        columns = zip(found.primary_key.columns, key, strict=True)
        row = self._one(sa.select(found).where(*(column == value for column, value in columns)))
        return None if row is None else tuple(row)

    def scan(self, table: str, *, after: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """All rows of a table, whole and as stored, in the order of its primary key.

        Several scans and other reads may go on at once; each holds `SCAN_ROWS` rows.

        Args:
            table: The name of one of `tables.TABLES`.
            after: A whole primary key, to begin behind it.

        Raises:
            NotFoundError: no such table.
        """
        found = _table(table)
        key = list(found.primary_key.columns)
        query = sa.select(found).order_by(*key)
        if after:
            query = query.where(sa.tuple_(*key) > sa.tuple_(*after))
        return map(tuple, self._rows(query, stream=True))


def _sum(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """The sum as what the column holds: PostgreSQL sums whole numbers into decimals."""
    return sa.cast(sa.func.sum(column), WIDE)


def _table(name: str) -> sa.Table:
    if name not in TABLES:
        raise NotFoundError(f"the store has no table {name!r}, but {', '.join(TABLES)}")
    return TABLES[name]
