"""Reading the log itself in one snapshot: entries, tiles, checkpoints, what outsiders said."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa

from ledger.errors import CorruptionError, MalformedError, NotFoundError
from ledger.store import seeks
from ledger.store.chosen import IN_MAX, WANTED, execute_chosen
from ledger.store.failures import translated
from ledger.store.rows import AnchorRow, Head
from ledger.store.tables import TABLES
from ledger.tlog.merkle import HASH_SIZE, leaf_hash
from ledger.tlog.tiles import TILE_HEIGHT, TILE_WIDTH, format_bundle

SCAN_ROWS = 1000
"""Rows that a scan holds in memory at once."""
PAGE_ROWS_MAX = 10_000
"""The largest `limit` of the methods that have one."""
COSIGNATURES_MAX = 56
"""Cosignatures put on one checkpoint: a note holds 64 signatures, the log's own among them."""
NUMBER_MAX = 2**63 - 1
"""The largest number that a column holds; nothing stored comes near it."""

_HEAD, _ENTRY, _TILE, _EDGE = (TABLES[one] for one in ("head", "entry", "tile", "edge"))
_CHECKPOINT, _KEY = TABLES["checkpoint"], TABLES["idempotency"]
_ORDER, _ANCHOR = TABLES["order_number"], TABLES["anchor"]
_COSIGNATURE, _WITNESS = TABLES["cosignature"], TABLES["witness"]

# Each batch of the writer asks these: building a query anew costs more than the answer.
_HEAD_QUERY = sa.select(
    _HEAD.c.size,
    _HEAD.c.root,
    _HEAD.c.last_leaf_hash,
    _HEAD.c.last_recorded_at,
    _HEAD.c.checkpoint,
).limit(1)
_KEYS_QUERY = sa.select(_KEY.c.key, _KEY.c.digest, _KEY.c.entry).where(_KEY.c.key.in_(WANTED))
_ORDERS_QUERY = sa.select(_ORDER.c.digest, _ORDER.c.entry).where(_ORDER.c.digest.in_(WANTED))
CHOSEN_ENTRIES = sa.select(_ENTRY.c.index, _ENTRY.c.data, _ENTRY.c.leaf_hash).where(
    _ENTRY.c.index.in_(WANTED)
)
_ENTRIES = sa.select(_ENTRY.c.index, _ENTRY.c.data, _ENTRY.c.leaf_hash)


_Shape = list[tuple[Any, type[Any], bool]]


def _shape(query: sa.Select[Any]) -> _Shape:
    """What the rows of a query must look like; see `check_types`."""
    return [
        (column, column.type.python_type, getattr(column, "nullable", True))
        for column in query.selected_columns
    ]


_known_shape = cache(_shape)
"""For queries that are made once."""


class LogReader:
    """What of a snapshot is the log; `Reader` adds what follows from it."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._open: set[sa.CursorResult[Any]] = set()

    def close(self) -> None:
        """End scans that were not read to their end: they would hold on to the snapshot."""
        for result in list(self._open):
            result.close()

    def _rows(
        self,
        query: sa.Select[Any],
        parameters: Mapping[str, Any] | None = None,
        *,
        wanted: Sequence[Any] | None = None,
        stream: bool = False,
    ) -> Iterator[Any]:
        """The rows of a query; each value is of its column's type.

        Args:
            query: What is asked.
            parameters: The values of its bound parameters, for one that is made once.
            wanted: The values of `WANTED`, if it has that parameter; made once, too.
            stream: Whether to hold `SCAN_ROWS` at once, which takes a server more questions.
        """
        made_once = parameters is not None or wanted is not None
        shape = _known_shape(query) if made_once else _shape(query)
        options = {"yield_per": SCAN_ROWS} if stream else {}
        with translated():
            result = (
                self._connection.execute(query, parameters, execution_options=options)
                if wanted is None
                else execute_chosen(self._connection, query, wanted)
            )
            self._open.add(result)
            try:
                for row in result:
                    check_types(row, shape)
                    yield row
            finally:
                self._open.discard(result)
                result.close()

    def _one(self, query: sa.Select[Any]) -> Any:
        return next(self._rows(query.limit(1)), None)

    def _seek(self, query: sa.Select[Any], **values: Any) -> Any:
        """The only row of one of the ``seeks``; None without one."""
        return next(self._rows(query, values), None)

    def _all(self, query: sa.Select[Any]) -> list[Any]:
        return list(self._rows(query))

    def head(self) -> Head | None:
        """The newest state of the log, None before its first entry."""
        row = next(self._rows(_HEAD_QUERY), None)
        return None if row is None else Head(*row)

    def edges(self) -> list[bytes]:
        """The partial tiles of the right edge, by level; empty ones where there is none."""
        rows = self._all(sa.select(_EDGE.c.hashes).order_by(_EDGE.c.level))
        return [hashes for (hashes,) in rows]

    def entry(self, index: int) -> bytes:
        """An entry's bytes.

        Raises:
            NotFoundError: the log has no such entry.
            CorruptionError: it is not what its leaf hash is of.
        """
        return self._of_entry(index)[0]

    def leaf_hash(self, index: int) -> bytes:
        """An entry's leaf hash, 32 bytes.

        Raises:
            NotFoundError: the log has no such entry.
        """
        return self._of_entry(index)[1]

    def _of_entry(self, index: int) -> tuple[bytes, bytes]:
        row = self._seek(seeks.ENTRY, index=clamped(index))
        if row is None:
            raise NotFoundError(f"the log has no entry {index}", code="no_entry")
        return checked_entry(*row), bytes(row[2])

    def entries(self, first: int, end: int) -> list[bytes]:
        """The bytes of entries [first, end).

        Raises:
            CorruptionError: one of them is missing, or not what its leaf hash is of.
        """
        query = _ENTRIES.where(_ENTRY.c.index >= clamped(first), _ENTRY.c.index < clamped(end))
        rows = self._all(query.order_by(_ENTRY.c.index))
        if len(rows) != max(0, end - first):
            raise CorruptionError(
                f"expected the entries {first} to {end - 1}, {len(rows)} are stored; "
                "run shanji audit",
                code="entry_missing",
            )
        return [checked_entry(*row) for row in rows]

    def tile(self, level: int, number: int, width: int) -> bytes:
        """The first `width` hashes of a tile, full or on the right edge: 32 bytes each.

        Raises:
            NotFoundError: the tree has no tile of that width there.
        """
        row = self._one(
            sa.select(_TILE.c.hashes).where(
                _TILE.c.level == clamped(level), _TILE.c.number == clamped(number)
            )
        )
        if row is None and level >= 0 and width < TILE_WIDTH:
            head = self.head()
            if head is not None and head.size >> TILE_HEIGHT * (level + 1) == number:
                edge = sa.select(_EDGE.c.hashes).where(_EDGE.c.level == clamped(level))
                row = self._one(edge)
        if row is None or not 0 < width * HASH_SIZE <= len(row[0]):
            raise NotFoundError(
                f"the tree has no tile of level {level}, number {number} with {width} hashes",
                code="no_tile",
            )
        return bytes(row[0][: width * HASH_SIZE])

    def leaf_tiles(self, first: int, end: int) -> list[tuple[int, bytes]]:
        """The full tiles [first, end) of leaf hashes that are stored: ``(number, hashes)``."""
        query = sa.select(_TILE.c.number, _TILE.c.hashes).where(
            _TILE.c.level == 0,
            _TILE.c.number >= clamped(first),
            _TILE.c.number < clamped(end),
        )
        return [(number, hashes) for number, hashes in self._all(query.order_by(_TILE.c.number))]

    def size_of_root(self, root: bytes) -> int | None:
        """The size at which this root was signed; None where it never was."""
        row = self._one(sa.select(_CHECKPOINT.c.size).where(_CHECKPOINT.c.root == root))
        return None if row is None else int(row[0])

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
        row = self._seek(seeks.CHECKPOINT, size=clamped(size))
        if row is None:
            raise NotFoundError(f"no checkpoint was signed at size {size}", code="no_checkpoint")
        return bytes(row[0])

    def checkpoints(self, after: int, limit: int) -> list[tuple[int, bytes]]:
        """Checkpoints of sizes above `after`, ``(size, note)``, by rising size.

        Raises:
            MalformedError: `limit` is not 1 to `PAGE_ROWS_MAX`.
        """
        query = sa.select(_CHECKPOINT.c.size, _CHECKPOINT.c.note)
        query = query.where(_CHECKPOINT.c.size > clamped(after)).order_by(_CHECKPOINT.c.size)
        return [(size, note) for size, note in self._all(query.limit(checked_limit(limit)))]

    def cosignatures(self, size: int) -> list[tuple[str, bytes]]:
        """``(verifier key, signature line)`` of a checkpoint, in the order in which they came."""
        table = _COSIGNATURE.c
        query = sa.select(table.number, table.verifier_key, table.line)
        rows = sorted(map(tuple, self._all(query.where(table.size == clamped(size)))))
        return [(key, line) for _, key, line in rows]

    def cosigned_checkpoint(self, size: int) -> bytes:
        """The checkpoint that was signed at a size, with what witnesses said of it.

        Raises:
            NotFoundError: none was signed.
        """
        lines = [line for _, line in self.cosignatures(size)[:COSIGNATURES_MAX]]
        return b"".join([self.checkpoint(size), *lines])

    def cosigned_sizes(
        self, keys: Collection[str], count: int, *, after: int, limit: int, newest: bool = False
    ) -> list[int]:
        """Sizes above `after` that at least `count` of these keys cosigned.

        Args:
            keys: Verifier keys, as text; at most `IN_MAX`.
            count: How many; at least 1.
            after: Only larger sizes.
            limit: How many sizes at most.
            newest: By falling size; else by rising size.

        Raises:
            MalformedError: `limit` is not 1 to `PAGE_ROWS_MAX`, or there are too many keys.
        """
        if len(keys) > IN_MAX:
            raise MalformedError(f"expected at most {IN_MAX} keys, got {len(keys)}")
        size = _COSIGNATURE.c.size
        query = sa.select(size).where(
            size > clamped(after), _COSIGNATURE.c.verifier_key.in_(sorted(keys))
        )
        query = query.group_by(size).having(sa.func.count() >= count)
        query = query.order_by(size.desc() if newest else size)
        return [one for (one,) in self._all(query.limit(checked_limit(limit)))]

    def last_cosignature(self, verifier_key: str) -> tuple[int, bytes] | None:
        """The largest size that this key cosigned, and the line; None where it did none."""
        last = sa.select(_WITNESS.c.last_size).where(_WITNESS.c.verifier_key == verifier_key)
        row = self._one(last)
        if row is None:
            return None
        query = sa.select(_COSIGNATURE.c.line).where(
            _COSIGNATURE.c.size == row[0], _COSIGNATURE.c.verifier_key == verifier_key
        )
        found = self._one(query)
        if found is None:
            raise CorruptionError(
                f"the cosignature of size {row[0]} by {verifier_key} is missing; run shanji audit",
                code="cosignature_missing",
            )
        return int(row[0]), bytes(found[0])

    def witness_keys(self) -> list[str]:
        """The verifier keys of all witnesses that ever cosigned."""
        query = sa.select(_WITNESS.c.verifier_key).order_by(_WITNESS.c.verifier_key)
        return [key for (key,) in self._all(query.limit(PAGE_ROWS_MAX))]

    def vault(self, index: int) -> bytes | None:
        """The vault's row of an entry, encrypted; None where it has none."""
        row = self._seek(seeks.VAULT, entry=clamped(index))
        return None if row is None else bytes(row[0])

    def idempotency(self, keys: Collection[str]) -> dict[str, tuple[bytes, int]]:
        """What is known of these keys: ``{key: (digest, index)}``."""
        rows = self._chosen(_KEYS_QUERY, keys)
        return {key: (digest, entry) for key, digest, entry in rows}

    def order_numbers(self, digests: Collection[bytes]) -> dict[bytes, int]:
        """Which of these orders are recorded: ``{digest: index}``."""
        return dict(map(tuple, self._chosen(_ORDERS_QUERY, digests)))

    def _chosen(self, query: sa.Select[Any], values: Collection[Any], **others: Any) -> list[Any]:
        """The rows whose column is one of these values, which the query calls `wanted`.

        Args:
            query: One that is made once, with no other values in it than parameters.
            others: The values of its other parameters.
        """
        wanted = list(dict.fromkeys(values))
        rows: list[Any] = []
        for start in range(0, len(wanted), IN_MAX):
            part = wanted[start : start + IN_MAX]
            if others:
                rows += self._rows(query, {"wanted": part, **others})
            else:
                rows += self._rows(query, wanted=part)
        return rows

    def newest_checkpoint(self, size_max: int) -> tuple[int, bytes] | None:
        """The largest checkpoint of at most this size, ``(size, note)``; None if there is none."""
        query = sa.select(_CHECKPOINT.c.size, _CHECKPOINT.c.note)
        query = query.where(_CHECKPOINT.c.size <= clamped(size_max))
        row = self._one(query.order_by(_CHECKPOINT.c.size.desc()))
        return None if row is None else (row[0], bytes(row[1]))

    def anchors(self, size: int) -> list[AnchorRow]:
        """The time stamps of the checkpoint of a size, by authority."""
        query = sa.select(_ANCHOR).where(_ANCHOR.c.size == clamped(size))
        return [AnchorRow(*row) for row in self._all(query.order_by(_ANCHOR.c.authority))]

    def anchored(self, size_max: int, limit: int) -> list[tuple[int, str]]:
        """Which sizes up to this one have a time stamp, and of whom, newest first.

        Raises:
            MalformedError: `limit` is not 1 to `PAGE_ROWS_MAX`.
        """
        query = sa.select(_ANCHOR.c.size, _ANCHOR.c.authority)
        query = query.where(_ANCHOR.c.size <= clamped(size_max))
        query = query.order_by(_ANCHOR.c.size.desc(), _ANCHOR.c.authority).limit(
            checked_limit(limit)
        )
        return [(size, authority) for size, authority in self._all(query)]


def checked_entry(index: int, data: bytes, leaf: bytes) -> bytes:
    """An entry's bytes, if they are what its leaf hash is of: a disk may have changed either.

    Raises:
        CorruptionError: they are not (``entry_damaged``).
    """
    if leaf_hash(data) != leaf:
        raise CorruptionError(
            f"entry {index} is not what was recorded: its stored leaf hash is another; stop and "
            "run shanji audit",
            code="entry_damaged",
            details={"index": index},
        )
    return data


def check_types(row: sa.Row[Any], shape: Sequence[tuple[Any, type[Any], bool]]) -> None:
    """A damaged file can have any type in any column, and even SQLite gives it out."""
    for value, (column, kind, optional) in zip(row, shape, strict=True):
        if type(value) is not kind and not (optional and value is None):
            raise CorruptionError(
                f"expected {column} to be {kind.__name__}, a row has {type(value).__name__}; "
                "run shanji audit",
                code="database_damaged",
            )


def clamped(value: int) -> int:
    """A number as a column can be compared with it: what is past the ends stays past all rows."""
    return max(-NUMBER_MAX, min(value, NUMBER_MAX))


def checked_limit(limit: int) -> int:
    if not 0 < limit <= PAGE_ROWS_MAX:
        raise MalformedError(f"expected a limit of 1 to {PAGE_ROWS_MAX}, got {limit}")
    return limit
