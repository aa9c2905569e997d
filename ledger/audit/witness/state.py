"""What a witness has cosigned and seen: one SQLite file, of which every byte counts.

One table holds every checkpoint that a log signed and the witness met, by origin, size
and root. Those that it cosigned say so; the largest of them is what it answers for. Two
rows of one size with two roots are a fork, and their two notes prove it to anybody.

The state is the witness's memory: with an older copy it could cosign two histories. So
a file is made only when asked for, names its key, and is written through to the disk
before anything is answered (synchronous=EXTRA: the folder too). There is no write-ahead
log beside it that a copy could leave out. Any number of threads and processes may share
it: ``BEGIN IMMEDIATE`` orders them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ledger.errors import ConflictError, CorruptionError, FatalError, NotFoundError, RetryableError
from ledger.tlog.checkpoint import Checkpoint

APPLICATION_ID = int.from_bytes(b"SHJW", "big")
VERSION = 1
BUSY_SECONDS_MAX = 30
COSIGNED_ROWS_MAX = 10_000
"""Checkpoints cosigned that are remembered of one log, to recognise old forks by."""
MET_ROWS_MAX = 1_000
"""Checkpoints met and not cosigned that are remembered of one log, forks apart."""

_SCHEMA = f"""
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {VERSION};
CREATE TABLE key (verifier_key TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TABLE met (
    origin TEXT NOT NULL,
    size INTEGER NOT NULL,
    root BLOB NOT NULL,
    note BLOB NOT NULL,
    lines BLOB NOT NULL,
    standing TEXT NOT NULL CHECK (standing IN ('cosigned', 'unproven', 'stale')),
    met_at INTEGER NOT NULL,
    PRIMARY KEY (origin, size, root)
) STRICT, WITHOUT ROWID;
CREATE INDEX met_by_standing ON met (origin, standing, size);
"""


@dataclass(frozen=True, slots=True)
class Met:
    """A checkpoint that a log signed and the witness met.

    Attributes:
        note: The checkpoint with the log's signatures.
        lines: The witness's own signature lines; empty where it did not cosign.
        standing: ``cosigned``; ``unproven``: its consistency proof was wrong; ``stale``: the
            request started from another size than the witness's.
        met_at: Seconds since 1970.
    """

    origin: str
    size: int
    root: bytes
    note: bytes
    lines: bytes
    standing: str
    met_at: int


class Change:
    """One transaction: what it reads stays true until it is committed."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def latest(self, origin: str) -> Met | None:
        """The largest checkpoint of this log that was cosigned."""
        return _latest(self._connection, origin)

    def remember(
        self, checkpoint: Checkpoint, note: bytes, lines: bytes, standing: str, now: int
    ) -> None:
        """Write a checkpoint down; one that is known keeps its better standing."""
        origin, size, root = checkpoint.origin, checkpoint.size, checkpoint.root
        self._connection.execute(
            "INSERT INTO met VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
            "note = excluded.note, lines = excluded.lines, standing = excluded.standing, "
            "met_at = excluded.met_at WHERE excluded.standing = 'cosigned' "
            "OR (met.standing = 'stale' AND excluded.standing = 'unproven')",
            (origin, size, root, note, lines, standing, now),
        )
        self._forget(origin, standing == "cosigned")

    def _forget(self, origin: str, cosigned: bool) -> None:
        """Keep the table bounded: the smallest sizes go first, those of a fork never."""
        most = COSIGNED_ROWS_MAX if cosigned else MET_ROWS_MAX
        some = "('cosigned')" if cosigned else "('unproven', 'stale')"
        which = f"standing IN {some}"
        (count,) = self._connection.execute(
            f"SELECT count(*) FROM met WHERE origin = ? AND {which}", (origin,)
        ).fetchone()
        if count > most:
            self._connection.execute(
                f"DELETE FROM met WHERE (origin, size, root) IN (SELECT origin, size, root "
                f"FROM met AS old WHERE origin = ? AND {which} AND NOT EXISTS (SELECT 1 FROM met "
                "AS other WHERE other.origin = old.origin AND other.size = old.size AND "
                "other.root <> old.root) ORDER BY size LIMIT ?)",
                (origin, count - most),
            )


class WitnessState:
    """The state file of one witness; `open` or `create` it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, path: Path, verifier_keys: Sequence[str]) -> WitnessState:
        """Make an empty state: of a witness that has cosigned nothing yet.

        Raises:
            ConflictError: the file is there already.
            FatalError: it cannot be written.
        """
        # A creation that was interrupted leaves an empty file.
        if path.exists() and path.stat().st_size:
            raise ConflictError(
                f"{path} is a state already; leave --new out, or the witness would forget it"
            )
        state = cls(path)
        with closing(state._connect("rwc")) as connection, _translated(path):
            connection.executescript("BEGIN IMMEDIATE;" + _SCHEMA)
            rows = [(one,) for one in verifier_keys]
            connection.executemany("INSERT INTO key VALUES (?)", rows)
            connection.execute("COMMIT")
        return state

    @classmethod
    def open(cls, path: Path, verifier_keys: Sequence[str] = ()) -> WitnessState:
        """Open the state that `create` made.

        Args:
            path: The file.
            verifier_keys: The witness's keys, if it is to cosign; at least one must be one
                that the state knows, and the others become known.

        Raises:
            NotFoundError: the file is not there: a witness must not begin anew unnoticed.
            ConflictError: it is the state of another witness.
            CorruptionError: not a witness's state.
        """
        if not path.exists() or not path.stat().st_size:
            raise NotFoundError(
                f"{path} is not there: with its memory gone a witness could cosign two "
                "histories. Restore the newest copy; only for a key that never cosigned "
                "anything, start with --new",
                code="no_state",
            )
        state = cls(path)
        with closing(state._connect("rw")) as connection, _translated(path):
            mark = connection.execute("PRAGMA application_id").fetchone()
            form = connection.execute("PRAGMA user_version").fetchone()
            if (mark, form) != ((APPLICATION_ID,), (VERSION,)):
                raise CorruptionError(
                    f"{path}: expected a witness's state of version {VERSION}; name the right file",
                    code="foreign_state",
                )
            if verifier_keys:
                _join_keys(connection, path, verifier_keys)
        return state

    @contextmanager
    def change(self) -> Iterator[Change]:
        """A transaction that nobody else can write during; durable when the block ends.

        Raises:
            RetryableError: another process holds it for too long; nothing was written.
            FatalError: the disk failed.
        """
        with closing(self._connect("rw")) as connection, _translated(self.path):
            connection.execute("BEGIN IMMEDIATE")
            # Closing without a commit undoes whatever stands open.
            yield Change(connection)
            connection.execute("COMMIT")

    def latest(self, origin: str) -> Met | None:
        """The largest checkpoint of this log that was cosigned."""
        with closing(self._connect("rw")) as connection, _translated(self.path):
            return _latest(connection, origin)

    def all_latest(self) -> list[Met]:
        """The largest cosigned checkpoint of each log."""
        query = "SELECT DISTINCT origin FROM met ORDER BY origin"
        with closing(self._connect("rw")) as connection, _translated(self.path):
            origins = [origin for (origin,) in connection.execute(query)]
            found = [_latest(connection, origin) for origin in origins]
        return [one for one in found if one is not None]

    def forks(self) -> list[tuple[Met, Met]]:
        """Pairs of checkpoints that one log signed for one size, with two roots."""
        query = (
            "SELECT one.*, other.* FROM met AS one JOIN met AS other ON other.origin = "
            "one.origin AND other.size = one.size AND other.root > one.root "
            "ORDER BY one.origin, one.size"
        )
        with closing(self._connect("rw")) as connection, _translated(self.path):
            rows = connection.execute(query).fetchall()
        return [(Met(*row[:7]), Met(*row[7:])) for row in rows]

    def unproven(self) -> list[Met]:
        """Checkpoints that a log signed, and whose consistency proof was wrong; forks apart.

        A wrong proof may come from anybody, so this is a question to the log, no evidence.
        """
        query = (
            "SELECT * FROM met AS one WHERE standing = 'unproven' AND NOT EXISTS (SELECT 1 FROM "
            "met AS other WHERE other.origin = one.origin AND other.size = one.size AND "
            "other.root <> one.root) ORDER BY origin, size"
        )
        with closing(self._connect("rw")) as connection, _translated(self.path):
            return [Met(*row) for row in connection.execute(query)]

    def _connect(self, mode: str) -> sqlite3.Connection:
        name = f"{self.path.absolute().as_uri()}?mode={mode}"
        with _translated(self.path):
            connection = sqlite3.connect(
                name, uri=True, timeout=BUSY_SECONDS_MAX, isolation_level=None
            )
            connection.execute("PRAGMA synchronous = EXTRA")
        return connection


def _latest(connection: sqlite3.Connection, origin: str) -> Met | None:
    row = connection.execute(
        "SELECT * FROM met WHERE origin = ? AND standing = 'cosigned' ORDER BY size DESC LIMIT 1",
        (origin,),
    ).fetchone()
    return None if row is None else Met(*row)


def _join_keys(connection: sqlite3.Connection, path: Path, verifier_keys: Sequence[str]) -> None:
    known = {one for (one,) in connection.execute("SELECT verifier_key FROM key")}
    if not known & set(verifier_keys):
        raise ConflictError(
            f"{path} is the state of another witness, {', '.join(sorted(known))}; give that "
            "key, or another state file"
        )
    rows = [(one,) for one in verifier_keys if one not in known]
    if rows:
        connection.executemany("INSERT OR IGNORE INTO key VALUES (?)", rows)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise RetryableError(f"{path} is busy; ask again in a moment") from error
        raise FatalError(f"{path}: {error}", code="state_unusable") from error
    except sqlite3.DatabaseError as error:
        raise CorruptionError(
            f"{path} is damaged ({error}); restore the newest copy", code="state_damaged"
        ) from error
