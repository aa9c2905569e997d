"""SQLite: one file, its engines, its write-ahead log, its copies.

What the connections are set to and how the file is checked is in ``schema``.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import MutableMapping
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ledger.errors import FatalError, MalformedError, NotFoundError
from ledger.store import schema
from ledger.store.place import FILE_MODE, SQLITE_PREFIX

READERS_MAX = 16
"""Snapshots that can be read at once; more wait."""
STATEMENTS_MAX = 500
"""Statements that are kept compiled."""
WAIT_SECONDS_MAX = 30
"""How long a reader waits for another to finish, and a writer in this process too."""

# Compiling the statements took as long as running them where logs are opened by the dozen.
_COMPILED: MutableMapping[Any, Any] = sa.util.LRUCache(STATEMENTS_MAX)
"""By dialect and statement; all engines have the one dialect of `_dialect`."""


def path_of(url: str) -> Path:
    """The file that a path or a ``sqlite:///`` URL names.

    Raises:
        MalformedError: another database's URL.
    """
    path = url.removeprefix(SQLITE_PREFIX)
    if "://" in path or (path != url and ("?" in path or path in ("", ":memory:"))):
        raise MalformedError(
            f"expected the path of a file, or {SQLITE_PREFIX} and the path, got another database "
            "URL; name a file on a local disk",
            code="unknown_database_url",
        )
    return Path(path)


def make(file: Path) -> None:
    """An empty file that only this user may read: it will hold personal data, encrypted.

    Raises:
        NotFoundError: no such folder.
        FatalError: it cannot be made.
    """
    try:
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, FILE_MODE))
    except FileNotFoundError:
        raise NotFoundError(
            f"the folder {file.parent} is not there; make it, or name another"
        ) from None
    except OSError as error:
        raise FatalError(
            f"{file} cannot be made ({error.strerror}); let this user write to the folder",
            code="database_unwritable",
        ) from error


@cache
def _dialect() -> sa.Dialect:
    """How SQLAlchemy speaks to SQLite, having asked which SQLite it is."""
    probe = sa.create_engine("sqlite://", poolclass=sa.NullPool)
    with probe.connect():
        return probe.dialect


def engine(path: Path, *, writer: bool) -> sa.Engine:
    """Connections to the file: one that writes, or several that read."""

    def connect() -> Any:
        return sqlite3.connect(path.absolute(), check_same_thread=False)

    dialect = _dialect()
    pool = sa.QueuePool(
        connect,
        pool_size=1 if writer else READERS_MAX,
        max_overflow=0,
        timeout=WAIT_SECONDS_MAX,
        dialect=dialect,
    )
    made = sa.Engine(
        pool,
        dialect,
        sa.URL.create("sqlite", database=str(path.absolute())),
        # What is being written stays out of logs and tracebacks.
        hide_parameters=True,
        execution_options={"compiled_cache": _COMPILED},
    )

    @sa.event.listens_for(made, "connect")
    def _connect(connection: sqlite3.Connection, _record: Any) -> None:
        try:
            schema.settings(connection, writer=writer)
        except BaseException:
            connection.close()
            raise

    @sa.event.listens_for(made, "begin")
    def _begin(connection: sa.Connection) -> None:
        # The lock must be held from here, so that what is read before writing stays true.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writer else "BEGIN")

    return made


def copy_engine(path: Path) -> sa.Engine:
    """Reads a file that nobody writes, and leaves nothing beside it."""

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)

    return sa.create_engine("sqlite://", creator=connect, poolclass=sa.NullPool)


def is_connected(one: sa.Engine) -> bool:
    """Whether it has a connection that nobody uses at the moment."""
    pool = one.pool
    assert isinstance(pool, sa.QueuePool)
    return pool.checkedin() > 0


def drop_old_pages(writer: sa.Engine) -> bool:
    """Copy the write-ahead log into the file and cut it to nothing, unless somebody is busy.

    Returns:
        Whether no page as it was before is left.
    """
    try:
        connection = writer.raw_connection()
    except (sa.exc.SQLAlchemyError, sqlite3.Error):
        return False
    try:
        run = connection.cursor().execute
        run("PRAGMA busy_timeout = 0")
        try:
            (busy, _, _) = run("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            run(f"PRAGMA busy_timeout = {schema.BUSY_SECONDS_MAX * 1000}")
    except sqlite3.Error:
        return False
    else:
        return not busy
    finally:
        connection.close()


def copy_to(readers: sa.Engine, target: Path) -> None:
    """Copy the database, as it stands in one moment, to a new file (SQLite's online backup).

    Raises:
        FatalError: the disk failed, or the file is there already.
    """
    with readers.connect() as connection:
        source = connection.connection.driver_connection
        assert isinstance(source, sqlite3.Connection)
        make(target)
        try:
            with closing(sqlite3.connect(target)) as copy:
                source.backup(copy)
        except sqlite3.Error as error:
            raise FatalError(
                f"{target} could not be written ({error}); make room there, then try again",
                code="backup_unwritable",
            ) from error
