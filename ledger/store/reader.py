"""Reading one consistent snapshot of the store."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, NoReturn

import sqlalchemy as sa

from ledger.errors import CorruptionError, NotFoundError
from ledger.flows import Flow
from ledger.store.rows import AccountRow, Head
from ledger.store.tables import TABLES
from ledger.tlog.merkle import HASH_SIZE
from ledger.tlog.tiles import TILE_WIDTH, format_bundle

IN_MAX = 500
"""Values in one IN list; longer ones are asked for in parts."""
SCAN_ROWS = 1000

_HEAD, _ENTRY, _TILE, _EDGE = (TABLES[one] for one in ("head", "entry", "tile", "edge"))
_CHECKPOINT, _VAULT, _KEY = (TABLES[one] for one in ("checkpoint", "vault", "idempotency"))
_ORDER, _ACCOUNT, _HOLDING = (TABLES[one] for one in ("order_number", "account", "holding"))
_FLOW, _OBJECT = TABLES["flow"], TABLES["state_object"]

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
    """One snapshot: everything read through it is of one size of the log."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def _one(self, query: sa.Select[Any]) -> Any:
        return self._connection.execute(query).first()

    def _all(self, query: sa.Select[Any]) -> list[Any]:
        return list(self._connection.execute(query))

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
        """The partial tiles of the right edge, by level."""
        rows = self._all(sa.select(_EDGE.c.hashes).order_by(_EDGE.c.level))
        return [hashes for (hashes,) in rows]

    def entry(self, index: int) -> bytes:
        """An entry's bytes.

        Raises:
            NotFoundError: the log has no such entry.
        """
        row = self._one(sa.select(_ENTRY.c.data).where(_ENTRY.c.index == index))
        return self._no_entry(index) if row is None else bytes(row[0])

    def leaf_hash(self, index: int) -> bytes:
        """An entry's leaf hash.

        Raises:
            NotFoundError: the log has no such entry.
        """
        row = self._one(sa.select(_ENTRY.c.leaf_hash).where(_ENTRY.c.index == index))
        return self._no_entry(index) if row is None else bytes(row[0])

    def _no_entry(self, index: int) -> NoReturn:
        raise NotFoundError(f"the log has no entry {index}", code="no_entry")

    def entries(self, first: int, end: int) -> list[bytes]:
        """The bytes of entries [first, end).

        Raises:
            CorruptionError: one of them is missing.
        """
        query = sa.select(_ENTRY.c.data).where(_ENTRY.c.index >= first, _ENTRY.c.index < end)
        rows = self._all(query.order_by(_ENTRY.c.index))
        if len(rows) != max(0, end - first):
            raise CorruptionError(
                f"expected the entries {first} to {end - 1}, {len(rows)} are stored; "
                "run shanji audit"
            )
        return [data for (data,) in rows]

    def tile(self, level: int, number: int, width: int) -> bytes:
        """The first `width` hashes of a tile, full or on the right edge.

        Raises:
            NotFoundError: the tree has no tile of that width there.
        """
        full = sa.select(_TILE.c.hashes).where(_TILE.c.level == level, _TILE.c.number == number)
        row = self._one(full)
        if row is None and width < TILE_WIDTH:
            head = self.head()
            if head is not None and head.size >> 8 * (level + 1) == number:
                row = self._one(sa.select(_EDGE.c.hashes).where(_EDGE.c.level == level))
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
        if head is None or not 0 < width <= TILE_WIDTH or first + width > head.size:
            raise NotFoundError(
                f"the log has no entry bundle {number} with {width} entries", code="no_tile"
            )
        return format_bundle(self.entries(first, first + width))

    def checkpoint(self, size: int) -> bytes:
        """The checkpoint that was signed at a size.

        Raises:
            NotFoundError: none was.
        """
        row = self._one(sa.select(_CHECKPOINT.c.note).where(_CHECKPOINT.c.size == size))
        if row is None:
            raise NotFoundError(f"no checkpoint was signed at size {size}", code="no_checkpoint")
        return bytes(row[0])

    def checkpoints(self, after: int, limit: int) -> list[tuple[int, bytes]]:
        """Checkpoints of sizes above `after`, ``(size, note)``, by rising size."""
        query = sa.select(_CHECKPOINT.c.size, _CHECKPOINT.c.note).where(_CHECKPOINT.c.size > after)
        rows = self._all(query.order_by(_CHECKPOINT.c.size).limit(limit))
        return [(size, note) for size, note in rows]

    def vault(self, index: int) -> bytes | None:
        """The vault's row of an entry."""
        row = self._one(sa.select(_VAULT.c.ciphertext).where(_VAULT.c.entry == index))
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
        """Objects whose key starts with `prefix` and is above `after`, by rising key."""
        low = max(prefix, after)
        query = sa.select(_OBJECT.c.key, _OBJECT.c.value).where(
            _OBJECT.c.key >= low, _OBJECT.c.key < prefix + "\U0010ffff"
        )
        if after:
            query = query.where(_OBJECT.c.key > after)
        return [
            (key, value) for key, value in self._all(query.order_by(_OBJECT.c.key).limit(limit))
        ]

    def account_count(self) -> int:
        """How many accounts there are."""
        return int(
            self._connection.execute(sa.select(sa.func.count()).select_from(_ACCOUNT)).scalar_one()
        )

    def account(self, asset: str, name: str) -> AccountRow | None:
        """An account with what is still in it."""
        row = self._one(
            sa.select(_ACCOUNT.c.id, _ACCOUNT.c.received).where(
                _ACCOUNT.c.asset == asset, _ACCOUNT.c.name == name
            )
        )
        if row is None:
            return None
        query = sa.select(_HOLDING.c.first, _HOLDING.c.length, _HOLDING.c.label)
        held = self._all(query.where(_HOLDING.c.account == row[0]).order_by(_HOLDING.c.first))
        segments = [(first, first + length, label) for first, length, label in held]
        return AccountRow(row[0], asset, name, row[1], segments)

    def arrivals(self, asset: str, account: str, first: int, end: int) -> list[Flow]:
        """Flows that brought units [first, end) into an account, by rising number."""
        return self._overlapping(_FLOW.c.target, _FLOW.c.target_first, asset, account, first, end)

    def departures(self, asset: str, account: str, first: int, end: int) -> list[Flow]:
        """Flows that took units [first, end) out of an account, by rising number."""
        return self._overlapping(_FLOW.c.source, _FLOW.c.source_first, asset, account, first, end)

    def _overlapping(
        self,
        side: sa.ColumnElement[Any],
        number: sa.ColumnElement[Any],
        asset: str,
        account: str,
        first: int,
        end: int,
    ) -> list[Flow]:
        """Ranges on one side of an account never overlap, so one seek finds the first."""
        row = self._one(
            sa.select(_ACCOUNT.c.id).where(_ACCOUNT.c.asset == asset, _ACCOUNT.c.name == account)
        )
        if row is None:
            return []
        before = sa.select(sa.func.max(number)).where(side == row[0], number <= first)
        start = self._connection.execute(before).scalar()
        start = first if start is None else start
        query = _FLOWS.where(side == row[0], number >= start, number < end).order_by(number)
        return [
            flow
            for flow in (Flow(*one) for one in self._all(query))
            if _number(flow, number is _FLOW.c.target_first) + flow.length > first
        ]

    def entry_flows(self, index: int) -> list[Flow]:
        """The flows of one entry, in order."""
        query = _FLOWS.where(_FLOW.c.entry == index).order_by(_FLOW.c.posting, _FLOW.c.part)
        return [Flow(*row) for row in self._all(query)]

    def scan(self, table: str) -> Iterator[Sequence[Any]]:
        """All rows of a table, whole and as stored, in the order of its primary key."""
        found = TABLES[table]
        query = sa.select(found).order_by(*found.primary_key.columns)
        result = self._connection.execution_options(yield_per=SCAN_ROWS).execute(query)
        return iter(result)


def _number(flow: Flow, target: bool) -> int:
    return (flow.target_first if target else flow.source_first) or 0
