"""Reading one consistent snapshot of the store."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import groupby
from typing import Any, Literal

import sqlalchemy as sa

from ledger.errors import CorruptionError, MalformedError, NotFoundError
from ledger.flows import Flow
from ledger.store.failures import translated
from ledger.store.rows import AccountRow, Head
from ledger.store.tables import TABLES
from ledger.tlog.merkle import HASH_SIZE
from ledger.tlog.tiles import TILE_HEIGHT, TILE_WIDTH, format_bundle

IN_MAX = 500
"""Values in one IN list; longer ones are asked for in parts."""
SCAN_ROWS = 1000
"""Rows that a scan holds in memory at once."""
PAGE_ROWS_MAX = 10_000
"""The largest `limit` of the methods that have one."""
NUMBER_MAX = 2**63 - 1
"""The largest number that a column holds; nothing stored comes near it."""

_HEAD, _ENTRY, _TILE, _EDGE = (TABLES[one] for one in ("head", "entry", "tile", "edge"))
_CHECKPOINT, _VAULT, _KEY = (TABLES[one] for one in ("checkpoint", "vault", "idempotency"))
_ORDER, _ACCOUNT, _HOLDING = (TABLES[one] for one in ("order_number", "account", "holding"))
_FLOW, _OBJECT, _PROPOSAL = TABLES["flow"], TABLES["state_object"], TABLES["proposal"]

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


class Reader:
    """One snapshot: everything read through it is of one size of the log.

    For one thread. Numbers that no column can hold are simply not there. Besides what
    each method names, all raise:

        CorruptionError: a stored value is not of its column's type, or the file is damaged.
        FatalError: the disk failed.
        MalformedError: text with half a surrogate pair, which no store can hold.
    """

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._open: set[sa.CursorResult[Any]] = set()

    def close(self) -> None:
        """End scans that were not read to their end: they would hold on to the snapshot."""
        for result in list(self._open):
            result.close()

    def _rows(self, query: sa.Select[Any]) -> Iterator[Any]:
        """The rows of a query; each value is of its column's type."""
        shape = [
            (column, column.type.python_type, getattr(column, "nullable", True))
            for column in query.selected_columns
        ]
        kinds = tuple(kind for _, kind, _ in shape)
        options = {"yield_per": SCAN_ROWS}
        with translated():
            result = self._connection.execute(query, execution_options=options)
            self._open.add(result)
            try:
                for row in result:
                    # The usual case in one comparison: an audit reads every row there is.
                    if tuple(map(type, row)) != kinds:
                        _check_types(row, shape)
                    yield row
            finally:
                self._open.discard(result)
                result.close()

    def _one(self, query: sa.Select[Any]) -> Any:
        return next(self._rows(query.limit(1)), None)

    def _all(self, query: sa.Select[Any]) -> list[Any]:
        return list(self._rows(query))

    def head(self) -> Head | None:
        """The newest state of the log, None before its first entry."""
        row = self._one(
            sa.select(
                _HEAD.c.size,
                _HEAD.c.root,
                _HEAD.c.last_leaf_hash,
                _HEAD.c.last_recorded_at,
                _HEAD.c.checkpoint,
            )
        )
        return None if row is None else Head(*row)

    def edges(self) -> list[bytes]:
        """The partial tiles of the right edge, by level; empty ones where there is none."""
        rows = self._all(sa.select(_EDGE.c.hashes).order_by(_EDGE.c.level))
        return [hashes for (hashes,) in rows]

    def entry(self, index: int) -> bytes:
        """An entry's bytes.

        Raises:
            NotFoundError: the log has no such entry.
        """
        return self._of_entry(_ENTRY.c.data, index)

    def leaf_hash(self, index: int) -> bytes:
        """An entry's leaf hash, 32 bytes.

        Raises:
            NotFoundError: the log has no such entry.
        """
        return self._of_entry(_ENTRY.c.leaf_hash, index)

    def _of_entry(self, column: sa.Column[Any], index: int) -> bytes:
        row = self._one(sa.select(column).where(_ENTRY.c.index == _number(index)))
        if row is None:
            raise NotFoundError(f"the log has no entry {index}", code="no_entry")
        return bytes(row[0])

    def entries(self, first: int, end: int) -> list[bytes]:
        """The bytes of entries [first, end).

        Raises:
            CorruptionError: one of them is missing.
        """
        query = sa.select(_ENTRY.c.data).where(
            _ENTRY.c.index >= _number(first), _ENTRY.c.index < _number(end)
        )
        rows = self._all(query.order_by(_ENTRY.c.index))
        if len(rows) != max(0, end - first):
            raise CorruptionError(
                f"expected the entries {first} to {end - 1}, {len(rows)} are stored; "
                "run shanji audit",
                code="entry_missing",
            )
        return [data for (data,) in rows]

    def tile(self, level: int, number: int, width: int) -> bytes:
        """The first `width` hashes of a tile, full or on the right edge: 32 bytes each.

        Raises:
            NotFoundError: the tree has no tile of that width there.
        """
        row = self._one(
            sa.select(_TILE.c.hashes).where(
                _TILE.c.level == _number(level), _TILE.c.number == _number(number)
            )
        )
        if row is None and level >= 0 and width < TILE_WIDTH:
            head = self.head()
            if head is not None and head.size >> TILE_HEIGHT * (level + 1) == number:
                edge = sa.select(_EDGE.c.hashes).where(_EDGE.c.level == _number(level))
                row = self._one(edge)
        if row is None or not 0 < width * HASH_SIZE <= len(row[0]):
            raise NotFoundError(
                f"the tree has no tile of level {level}, number {number} with {width} hashes",
                code="no_tile",
            )
        return bytes(row[0][: width * HASH_SIZE])

    def bundle(self, number: int, width: int) -> bytes:
        """The first `width` entries of a bundle (c2sp.org/tlog-tiles).

        Raises:
            NotFoundError: the log has not that many there.
        """
        head = self.head()
        first = number * TILE_WIDTH
        inside = head is not None and first >= 0 and first + width <= head.size
        if not inside or not 0 < width <= TILE_WIDTH:
            raise NotFoundError(
                f"the log has no entry bundle {number} with {width} entries", code="no_tile"
            )
        return format_bundle(self.entries(first, first + width))

    def checkpoint(self, size: int) -> bytes:
        """The checkpoint that was signed at a size.

        Raises:
            NotFoundError: none was.
        """
        row = self._one(sa.select(_CHECKPOINT.c.note).where(_CHECKPOINT.c.size == _number(size)))
        if row is None:
            raise NotFoundError(f"no checkpoint was signed at size {size}", code="no_checkpoint")
        return bytes(row[0])

    def checkpoints(self, after: int, limit: int) -> list[tuple[int, bytes]]:
        """Checkpoints of sizes above `after`, ``(size, note)``, by rising size.

        Raises:
            MalformedError: `limit` is not 1 to `PAGE_ROWS_MAX`.
        """
        query = sa.select(_CHECKPOINT.c.size, _CHECKPOINT.c.note)
        query = query.where(_CHECKPOINT.c.size > _number(after)).order_by(_CHECKPOINT.c.size)
        return [(size, note) for size, note in self._all(query.limit(_page(limit)))]

    def vault(self, index: int) -> bytes | None:
        """The vault's row of an entry, encrypted; None where it has none."""
        row = self._one(sa.select(_VAULT.c.ciphertext).where(_VAULT.c.entry == _number(index)))
        return None if row is None else bytes(row[0])

    def idempotency(self, keys: Collection[str]) -> dict[str, tuple[bytes, int]]:
        """What is known of these keys: ``{key: (digest, index)}``."""
        query = sa.select(_KEY.c.key, _KEY.c.digest, _KEY.c.entry)
        rows = self._chosen(query, _KEY.c.key, keys)
        return {key: (digest, entry) for key, digest, entry in rows}

    def order_numbers(self, digests: Collection[bytes]) -> dict[bytes, int]:
        """Which of these orders are recorded: ``{digest: index}``."""
        query = sa.select(_ORDER.c.digest, _ORDER.c.entry)
        return dict(map(tuple, self._chosen(query, _ORDER.c.digest, digests)))

    def _chosen(
        self, query: sa.Select[Any], column: sa.ColumnElement[Any], values: Collection[Any]
    ) -> list[Any]:
        wanted = list(dict.fromkeys(values))
        rows: list[Any] = []
        for start in range(0, len(wanted), IN_MAX):
            rows += self._all(query.where(column.in_(wanted[start : start + IN_MAX])))
        return rows

    def object(self, key: str) -> bytes | None:
        """A named object's canonical JSON."""
        row = self._one(sa.select(_OBJECT.c.value).where(_OBJECT.c.key == key))
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
        rows = self._all(query.order_by(_OBJECT.c.key).limit(_page(limit)))
        return [(key, value) for key, value in rows]

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
        return self.count("account")

    def count(self, table: str) -> int:
        """How many rows a table has.

        Raises:
            NotFoundError: no such table.
        """
        (rows,) = self._one(sa.select(sa.func.count()).select_from(_table(table)))
        return int(rows)

    def account(self, asset: str, name: str) -> AccountRow | None:
        """An account with what is still in it."""
        row = self._one(
            sa.select(_ACCOUNT.c.id, _ACCOUNT.c.received).where(
                _ACCOUNT.c.asset == asset, _ACCOUNT.c.name == name
            )
        )
        if row is None:
            return None
        held = self._holdings(row[0], row[0])
        return AccountRow(row[0], asset, name, row[1], held.get(row[0], []))

    def accounts(self, after_id: int, limit: int) -> list[AccountRow]:
        """Accounts whose id is above `after_id`, by rising id: -1 begins.

        Raises:
            MalformedError: `limit` is not 1 to `PAGE_ROWS_MAX`.
        """
        query = sa.select(_ACCOUNT.c.id, _ACCOUNT.c.asset, _ACCOUNT.c.name, _ACCOUNT.c.received)
        query = query.where(_ACCOUNT.c.id > _number(after_id)).order_by(_ACCOUNT.c.id)
        rows = self._all(query.limit(_page(limit)))
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

    def arrivals(self, asset: str, account: str, first: int, end: int) -> list[Flow]:
        """Flows that brought units [first, end) into an account, by rising number."""
        return self._overlapping("target", asset, account, first, end)

    def departures(self, asset: str, account: str, first: int, end: int) -> list[Flow]:
        """Flows that took units [first, end) out of an account, by rising number."""
        return self._overlapping("source", asset, account, first, end)

    def _overlapping(
        self, side: Literal["source", "target"], asset: str, account: str, first: int, end: int
    ) -> list[Flow]:
        """Ranges on one side of an account never overlap, so one seek finds the first."""
        row = self._one(
            sa.select(_ACCOUNT.c.id).where(_ACCOUNT.c.asset == asset, _ACCOUNT.c.name == account)
        )
        if row is None:
            return []
        first, end = _number(first), _number(end)
        here, number = _FLOW.c[side] == row[0], _FLOW.c[f"{side}_first"]
        (before,) = self._one(sa.select(sa.func.max(number)).where(here, number <= first))
        start = first if before is None else before
        query = _FLOWS.where(here, number >= start, number < end).order_by(number)
        flows = [Flow(*one) for one in self._all(query)]
        # Only the range that the seek found can end before `first`.
        if before is not None and flows and before + flows[0].length <= first:
            del flows[0]
        return flows

    def account_moves(self, account: int, end: int) -> list[tuple[int, int, int]]:
        """What each entry below `end` moved: ``(entry, units in, units out)``, rising.

        By the two indexes of the flows: it reads those of this account (its id) only.
        """
        moved: dict[int, list[int]] = {}
        for place, side in enumerate(("target", "source")):
            here, number = _FLOW.c[side] == account, _FLOW.c[f"{side}_first"]
            query = sa.select(_FLOW.c.entry, _FLOW.c.length)
            for entry, length in self._rows(query.where(here, number >= 0)):
                if entry < end:
                    moved.setdefault(entry, [0, 0])[place] += length
        return [(entry, moved[entry][0], moved[entry][1]) for entry in sorted(moved)]

    def chosen_entries(self, indices: Collection[int]) -> dict[int, bytes]:
        """The bytes of these entries: ``{index: bytes}``; those that are not there are left out."""
        query = sa.select(_ENTRY.c.index, _ENTRY.c.data)
        return dict(map(tuple, self._chosen(query, _ENTRY.c.index, indices)))

    def entry_flows(self, index: int) -> list[Flow]:
        """The flows of one entry, by posting and part."""
        query = _FLOWS.where(_FLOW.c.entry == _number(index))
        rows = self._all(query.order_by(_FLOW.c.posting, _FLOW.c.part))
        return [Flow(*row) for row in rows]

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
        return map(tuple, self._rows(query))


def _check_types(row: sa.Row[Any], shape: Sequence[tuple[Any, type[Any], bool]]) -> None:
    """A damaged file can have any type in any column, and even SQLite gives it out."""
    for value, (column, kind, optional) in zip(row, shape, strict=True):
        if type(value) is not kind and not (optional and value is None):
            raise CorruptionError(
                f"expected {column} to be {kind.__name__}, a row has {type(value).__name__}; "
                "run shanji audit",
                code="database_damaged",
            )


def _table(name: str) -> sa.Table:
    if name not in TABLES:
        raise NotFoundError(f"the store has no table {name!r}, but {', '.join(TABLES)}")
    return TABLES[name]


def _number(value: int) -> int:
    """A number as a column can be compared with it: what is past the ends stays past all rows."""
    return max(-NUMBER_MAX, min(value, NUMBER_MAX))


def _page(limit: int) -> int:
    if not 0 < limit <= PAGE_ROWS_MAX:
        raise MalformedError(f"expected a limit of 1 to {PAGE_ROWS_MAX}, got {limit}")
    return limit
