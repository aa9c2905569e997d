"""The audit's own state: what the entries so far give, kept beside the walk.

A replay needs accounts, units, objects and flows of everything before. They are written
into a small SQLite file of the audit's own as the walk goes on: memory stays bounded, a
killed audit goes on where it last saved, and the next one begins where this one ended.
Nothing in it comes from the audited database's derived tables.

    <folder>/state.sqlite3     the state; one transaction a save
    <folder>/state.sha256      the file's digest, while no audit is running

A state that was altered is refused: the digest covers every byte of a state at rest, and
a run that was killed leaves the number of SQLite's last transaction, which any other
write to the file raises. That is against mistakes. Who controls the auditor's machine
controls the audit: ``--full`` reads everything again.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import orjson

from ledger.errors import ConflictError, CorruptionError, FatalError, NotFoundError
from ledger.flows import Flow
from ledger.movements import MovementRow
from ledger.state import Changes
from ledger.units import Segment

FORMAT = 4
"""Of the state's file; another one is begun anew."""
FILE, DIGEST = "state.sqlite3", "state.sha256"
CACHE_KIBIBYTES = 8_192
ENTRIES_CACHED_MAX = 256
"""Earlier entries that records are about, kept for the next record about them."""
SCAN_ROWS = 1000

_CHANGE_COUNTER = slice(24, 28)
"""Where an SQLite file counts its transactions (sqlite.org/fileformat2.html, 1.3.7)."""

_TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID, STRICT;
CREATE TABLE account (
    id INTEGER PRIMARY KEY, asset TEXT NOT NULL, name TEXT NOT NULL, received INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX account_by_name ON account (asset, name);
CREATE TABLE holding (
    account INTEGER, first INTEGER, length INTEGER NOT NULL, label TEXT NOT NULL,
    PRIMARY KEY (account, first)
) WITHOUT ROWID, STRICT;
CREATE TABLE pool (
    account INTEGER, label TEXT, received INTEGER NOT NULL, held INTEGER NOT NULL,
    returned INTEGER NOT NULL, PRIMARY KEY (account, label)
) WITHOUT ROWID, STRICT;
CREATE TABLE asset (
    asset TEXT PRIMARY KEY, accounts INTEGER NOT NULL, received INTEGER NOT NULL,
    held INTEGER NOT NULL
) WITHOUT ROWID, STRICT;
CREATE TABLE entry_reference (
    target INTEGER, source INTEGER, PRIMARY KEY (target, source)
) WITHOUT ROWID, STRICT;
CREATE TABLE entry_kind (
    kind TEXT, entry INTEGER, PRIMARY KEY (kind, entry)
) WITHOUT ROWID, STRICT;
CREATE TABLE movement (
    account INTEGER, entry INTEGER, occurred_on TEXT NOT NULL, number INTEGER NOT NULL,
    received INTEGER NOT NULL, gone INTEGER NOT NULL, day_number INTEGER NOT NULL,
    day_received INTEGER NOT NULL, day_gone INTEGER NOT NULL, PRIMARY KEY (account, entry)
) WITHOUT ROWID, STRICT;
CREATE INDEX movement_by_day ON movement (account, occurred_on, entry);
CREATE TABLE state_object (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID, STRICT;
CREATE TABLE flow (
    entry INTEGER, posting INTEGER, part INTEGER, source INTEGER NOT NULL, source_first INTEGER,
    target INTEGER NOT NULL, target_first INTEGER, length INTEGER NOT NULL, label TEXT NOT NULL,
    PRIMARY KEY (entry, posting, part)
) WITHOUT ROWID, STRICT;
CREATE INDEX flow_by_target ON flow (target, target_first) WHERE target_first IS NOT NULL;
CREATE INDEX flow_by_source ON flow (source, source_first) WHERE source_first IS NOT NULL;
CREATE TABLE leaf (number INTEGER PRIMARY KEY, hashes BLOB NOT NULL) STRICT;
"""
_FLOWS = """
SELECT f.entry, f.posting, f.part, s.asset, s.name, f.source_first, t.name, f.target_first,
       f.length, f.label
FROM flow f JOIN account s ON f.source = s.id JOIN account t ON f.target = t.id
"""
_KEYS = {
    "account": ("id",),
    "holding": ("account", "first"),
    "pool": ("account", "label"),
    "asset": ("asset",),
    "entry_reference": ("target", "source"),
    "entry_kind": ("kind", "entry"),
    "movement": ("account", "entry"),
    "state_object": ("key",),
}
"""The derived tables that are compared, with their keys."""
_POOL = """
INSERT INTO pool VALUES (?, ?, ?, ?, ?) ON CONFLICT (account, label) DO UPDATE SET
    received = received + excluded.received, held = held + excluded.held,
    returned = returned + excluded.returned
"""

_ASSET = """
INSERT INTO asset VALUES (?, ?, ?, ?) ON CONFLICT (asset) DO UPDATE SET
    accounts = accounts + excluded.accounts, received = received + excluded.received,
    held = held + excluded.held
"""


_NEWEST = "SELECT * FROM movement WHERE account = ? ORDER BY entry DESC LIMIT 1"
_NEWEST_OF_DAY = """
SELECT * FROM movement WHERE account = ? AND occurred_on = ? ORDER BY entry DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class KeptAccount:
    """A `state.StoredAccount` of the audit's own."""

    id: int
    received: int
    segments: Sequence[Segment]


class FlowRows(Protocol):
    """Where flows of earlier entries are read from, if not from the state."""

    def entry_flows(self, index: int) -> Sequence[Flow]:
        """As in `state.StateReader`."""
        ...

    def arrivals(self, asset: str, account: str, first: int, end: int) -> Sequence[Flow]:
        """As in `state.StateReader`."""
        ...

    def departures(self, asset: str, account: str, first: int, end: int) -> Sequence[Flow]:
        """As in `state.StateReader`."""
        ...


class Shadow:
    """A `state.StateReader` over the audit's own file; `open` or `temporary`.

    Attributes:
        size: Entries whose changes are written; later ones are not met.
        folder: Where it is kept; None for a file that is gone with the process.
    """

    def __init__(self, connection: sqlite3.Connection, folder: Path | None) -> None:
        self.size = 0
        self.folder = folder
        self._flows: FlowRows | None = None
        self._read_entry: Callable[[int], bytes] | None = None
        self._entries: OrderedDict[int, bytes] = OrderedDict()
        self._connection = connection
        self._run = connection.execute

    @classmethod
    def temporary(cls) -> Shadow:
        """A fresh state in a file without a name: memory is bounded, nothing is kept."""
        shadow = cls(sqlite3.connect("", isolation_level=None), None)
        shadow._settle("OFF")
        shadow._connection.executescript(_TABLES)
        shadow._run("BEGIN")
        return shadow

    @classmethod
    def open(cls, folder: Path) -> Shadow:
        """The state in a folder; made where there is none.

        Raises:
            CorruptionError: it was altered since the audit that wrote it (``state_altered``).
            ConflictError: another audit is using it (``state_in_use``).
            FatalError: the folder cannot be written.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            file = folder / FILE
            fresh = not file.exists()
            whole = not fresh and _check_digest(folder)
            connection = sqlite3.connect(file, isolation_level=None, timeout=0)
        except (OSError, sqlite3.Error) as error:
            raise _unwritable(folder, error) from error
        shadow = cls(connection, folder)
        try:
            shadow._lock(fresh)
            if not fresh:
                shadow._check_counter(whole)
            # From here on the file is at work: what a killed run leaves has no digest.
            (folder / DIGEST).unlink(missing_ok=True)
        except BaseException:
            connection.close()
            raise
        return shadow

    def _settle(self, synchronous: str) -> None:
        self._run(f"PRAGMA synchronous = {synchronous}")
        self._run(f"PRAGMA cache_size = -{CACHE_KIBIBYTES}")
        # The counter of transactions counts each one in this mode.
        self._run("PRAGMA journal_mode = DELETE" if self.folder else "PRAGMA journal_mode = OFF")

    def _lock(self, fresh: bool) -> None:
        """Take the file for this process, and keep it until `close`."""
        assert self.folder is not None
        try:
            self._settle("FULL")
            if fresh:
                self._connection.executescript(f"BEGIN EXCLUSIVE; {_TABLES} COMMIT;")
            self._run("BEGIN EXCLUSIVE")
        except sqlite3.DatabaseError as error:
            code = (getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF
            if code == sqlite3.SQLITE_BUSY:
                raise ConflictError(
                    f"another audit is using the state in {self.folder}; wait for it, or name "
                    "another folder",
                    code="state_in_use",
                ) from None
            if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
                raise _altered(self.folder, str(error)) from error
            raise _unwritable(self.folder, error) from error

    def _check_counter(self, whole: bool) -> None:
        """The last transaction on the file is the last one of an audit, and the file is sound.

        Args:
            whole: Every byte was compared with a digest before.
        """
        assert self.folder is not None
        try:
            expected = self.meta("counter")
            found = self._counter()
            check = "ok" if whole else self._run("PRAGMA quick_check(1)").fetchone()[0]
        except sqlite3.DatabaseError as error:
            raise _altered(self.folder, str(error)) from error
        if check != "ok":
            raise _altered(self.folder, check)
        if expected is not None and expected != found:
            raise _altered(self.folder, f"{found - expected} transactions that no audit made")

    def _counter(self) -> int:
        assert self.folder is not None
        with (self.folder / FILE).open("rb") as file:
            return int.from_bytes(file.read(_CHANGE_COUNTER.stop)[_CHANGE_COUNTER], "big")

    def attach(self, read_entry: Callable[[int], bytes], flows: FlowRows | None = None) -> None:
        """Say where earlier entries come from, and earlier flows where the state keeps none."""
        self._read_entry, self._flows = read_entry, flows

    # What the audit keeps besides

    def meta(self, key: str) -> Any:
        """A value kept under a key, or None."""
        row = self._run("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else orjson.loads(row[0])

    def clear(self) -> None:
        """Forget everything."""
        for table in ("meta", *_KEYS, "flow", "leaf"):
            self._run(f"DELETE FROM {table}")
        self._entries.clear()

    # A `state.StateReader`

    def object(self, key: str) -> bytes | None:
        """See `state.StateReader`."""
        row = self._run("SELECT value FROM state_object WHERE key = ?", (key,)).fetchone()
        return None if row is None else row[0]

    def account_count(self) -> int:
        """See `state.StateReader`."""
        (count,) = self._run("SELECT count(*) FROM account").fetchone()
        return int(count)

    def account(self, asset: str, name: str) -> KeptAccount | None:
        """See `state.StateReader`."""
        query = "SELECT id, received FROM account WHERE asset = ? AND name = ?"
        row = self._run(query, (asset, name)).fetchone()
        if row is None:
            return None
        query = "SELECT first, first + length, label FROM holding WHERE account = ? ORDER BY first"
        return KeptAccount(row[0], row[1], self._run(query, row[:1]).fetchall())

    def newest_movements(self, days: Collection[tuple[int, str]]) -> list[MovementRow]:
        """See `state.StateReader`."""
        found = [self._run(_NEWEST_OF_DAY, one) for one in days]
        found += [self._run(_NEWEST, (account,)) for account in {account for account, _ in days}]
        return [MovementRow(*row) for rows in found for row in rows]

    def entry(self, index: int) -> bytes:
        """See `state.StateReader`.

        Raises:
            CorruptionError: it is another one than the walk met at that place.
        """
        if index >= self.size or self._read_entry is None:
            raise NotFoundError(f"entry {index} comes later")
        data = self._entries.get(index)
        if data is None:
            data = self._entries[index] = self._read_entry(index)
            if len(self._entries) > ENTRIES_CACHED_MAX:
                self._entries.popitem(last=False)
        return data

    def leaves(self, number: int) -> bytes | None:
        """The leaf hashes of a whole block of 256 entries, where they are kept."""
        row = self._run("SELECT hashes FROM leaf WHERE number = ?", (number,)).fetchone()
        return None if row is None else row[0]

    def entry_flows(self, index: int) -> Sequence[Flow]:
        """See `state.StateReader`."""
        if index >= self.size:
            return []
        if self._flows is not None:
            return self._flows.entry_flows(index)
        query = f"{_FLOWS} WHERE f.entry = ? ORDER BY f.posting, f.part"
        return [Flow(*row) for row in self._run(query, (index,))]

    def arrivals(self, asset: str, account: str, first: int, end: int) -> Sequence[Flow]:
        """See `state.StateReader`."""
        if self._flows is not None:
            return self._before(self._flows.arrivals(asset, account, first, end))
        return self._overlapping("target", asset, account, first, end)

    def departures(self, asset: str, account: str, first: int, end: int) -> Sequence[Flow]:
        """See `state.StateReader`."""
        if self._flows is not None:
            return self._before(self._flows.departures(asset, account, first, end))
        return self._overlapping("source", asset, account, first, end)

    def _before(self, flows: Sequence[Flow]) -> list[Flow]:
        return [flow for flow in flows if flow.entry < self.size]

    def _overlapping(self, side: str, asset: str, account: str, first: int, end: int) -> list[Flow]:
        """Ranges on one side of an account never overlap, so one seek finds the first."""
        query = "SELECT id FROM account WHERE asset = ? AND name = ?"
        row = self._run(query, (asset, account)).fetchone()
        if row is None:
            return []
        here = f"f.{side} = ? AND f.{side}_first"
        seek = f"SELECT max(f.{side}_first) FROM flow f WHERE {here} <= ?"
        (before,) = self._run(seek, (row[0], first)).fetchone()
        start = first if before is None else before
        query = f"{_FLOWS} WHERE {here} BETWEEN ? AND ? ORDER BY f.{side}_first"
        flows = [Flow(*one) for one in self._run(query, (row[0], start, end - 1))]
        if before is not None and flows and before + flows[0].length <= first:
            del flows[0]
        return flows

    # Writing

    def write(self, changes: Changes, size: int) -> None:
        """Take up what the entries below `size` changed; `save` keeps it.

        Flows are kept only where nobody else has them (`attach`).
        """
        many = self._connection.executemany
        many("INSERT OR REPLACE INTO account VALUES (?, ?, ?, ?)", changes.accounts)
        many("DELETE FROM holding WHERE account = ? AND first = ?", changes.holdings_gone)
        many("INSERT OR REPLACE INTO holding VALUES (?, ?, ?, ?)", changes.holdings_set)
        many(_POOL, changes.pools)
        many(_ASSET, changes.assets)
        many("INSERT OR IGNORE INTO entry_reference VALUES (?, ?)", changes.references)
        many("INSERT OR IGNORE INTO entry_kind VALUES (?, ?)", changes.kinds)
        many("INSERT OR IGNORE INTO movement VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", changes.movements)
        gone = [(key,) for key, value in changes.objects if value is None]
        many("DELETE FROM state_object WHERE key = ?", gone)
        kept = [row for row in changes.objects if row[1] is not None]
        many("INSERT OR REPLACE INTO state_object VALUES (?, ?)", kept)
        if self._flows is None:
            ids = changes.account_ids
            many(
                "INSERT INTO flow VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [flow_row(flow, ids) for flow in changes.flows],
            )
        self.size = size

    def write_leaves(self, number: int, hashes: bytes) -> None:
        """Keep the leaf hashes of a whole block."""
        self._run("INSERT OR REPLACE INTO leaf VALUES (?, ?)", (number, hashes))

    def save(self, meta: dict[str, Any]) -> None:
        """Make durable what was written, with what the audit needs to go on from here.

        A crash before the end leaves the save before.
        """
        if self.folder is None:
            return
        try:
            values = {**meta, "counter": self._counter() + 1}
            rows = [(key, orjson.dumps(value)) for key, value in values.items()]
            self._connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", rows)
            self._run("COMMIT")
            self._run("BEGIN EXCLUSIVE")
        except (OSError, sqlite3.Error) as error:
            raise _unwritable(self.folder, error) from error

    def scan(self, table: str) -> Iterator[tuple[Any, ...]]:
        """The rows of a derived table in the order of its key, as the store has them."""
        order = ", ".join(_KEYS[table])
        cursor = self._connection.execute(f"SELECT * FROM {table} ORDER BY {order}")
        while rows := cursor.fetchmany(SCAN_ROWS):
            yield from rows

    def count(self, table: str) -> int:
        """How many rows a derived table has."""
        (count,) = self._run(f"SELECT count(*) FROM {table}").fetchone()
        return int(count)

    def row(self, table: str, key: Sequence[Any]) -> tuple[Any, ...] | None:
        """One row of a derived table."""
        where = " AND ".join(f"{name} = ?" for name in _KEYS[table])
        query = f"SELECT * FROM {table} WHERE {where}"
        found: tuple[Any, ...] | None = self._run(query, key).fetchone()
        return found

    def numbers(self, prefix: str) -> set[int]:
        """The numbers that end the keys of the objects which start with `prefix`."""
        query = "SELECT key FROM state_object WHERE key >= ? AND key < ?"
        rows = self._run(query, (prefix, prefix + "\U0010ffff"))
        return {int(key.removeprefix(prefix)) for (key,) in rows}

    def held(self) -> Iterator[tuple[str, str, int, int]]:
        """``(asset, account, units ever received, units still there)``, in the accounts' order."""
        query = """
        SELECT a.asset, a.name, a.received, coalesce(sum(h.length), 0)
        FROM account a LEFT JOIN holding h ON h.account = a.id GROUP BY a.id ORDER BY a.id
        """
        yield from self._run(query)

    def close(self) -> None:
        """Drop what was not saved, release the file, and write its digest."""
        self._connection.close()
        if self.folder is not None and (self.folder / FILE).exists():
            _write_digest(self.folder)


def flow_row(flow: Flow, ids: Any) -> tuple[Any, ...]:
    """A flow as the store's table has it.

    Args:
        ids: Gives the id of ``(asset, account)``.
    """
    return (
        flow.entry,
        flow.posting,
        flow.part,
        ids[flow.asset, flow.source],
        flow.source_first,
        ids[flow.asset, flow.target],
        flow.target_first,
        flow.length,
        flow.label,
    )


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _check_digest(folder: Path) -> bool:
    """Whether there is a digest; it must be that of the file."""
    path = folder / DIGEST
    if not path.exists():
        return False
    if path.read_text("ascii", "replace").strip() != _digest(folder / FILE):
        raise _altered(folder, "its bytes are not those that the last audit left")
    return True


def _write_digest(folder: Path) -> None:
    part = folder / f"{DIGEST}.part"
    part.write_text(_digest(folder / FILE) + "\n", "ascii")
    os.replace(part, folder / DIGEST)


def _altered(folder: Path, what: str) -> CorruptionError:
    return CorruptionError(
        f"the audit's state in {folder} was altered since it was written ({what}); keep it, and "
        "begin with an empty folder or --full",
        code="state_altered",
    )


def _unwritable(folder: Path, error: Exception) -> FatalError:
    return FatalError(
        f"the audit's state cannot be kept in {folder} ({error}); let this user write there, or "
        "name another folder",
        code="state_unwritable",
    )
