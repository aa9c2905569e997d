"""The store: one database, opened for any number of readers and one writer at a time."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ledger.errors import FatalError, MalformedError, NotFoundError, NotReadyError
from ledger.store import schema
from ledger.store.appender import Appender
from ledger.store.reader import Reader

READERS_MAX = 16
"""Snapshots that can be read at once; more wait."""
READER_WAIT_SECONDS_MAX = 30


class Store:
    """Bytes and rows on disk. Use `open`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._writer = _engine(path, writer=True)
        self._readers = _engine(path, writer=False)

    @classmethod
    def open(cls, path: str, *, create: bool = True) -> Store:
        """Open a database file, making it or bringing its schema up to date.

        Raises:
            NotFoundError: no such file, and it may not be made.
            MalformedError: not a database, or another program's, or a newer one's.
        """
        file = Path(path)
        if not file.exists():
            if not create:
                raise NotFoundError(f"{file} does not exist; start the service there once")
            os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
        store = cls(file)
        try:
            with _translated(), store._writer.begin() as connection:
                schema.upgrade(connection)
        except BaseException:
            store.close()
            raise
        return store

    @contextmanager
    def read(self) -> Iterator[Reader]:
        """One consistent snapshot, for the length of the block."""
        with _translated(), self._readers.connect() as connection:
            yield Reader(connection)

    @contextmanager
    def append(self) -> Iterator[Appender]:
        """The write lock; what is not committed inside the block never happened.

        Raises:
            NotReadyError: another process kept the lock too long.
            FatalError: the disk or the file failed; nothing was written.
        """
        with _translated(), self._writer.connect() as connection:
            yield Appender(connection)

    def check(self) -> list[str]:
        """What is wrong with the schema and the file's structure, in words."""
        with _translated(), self._readers.connect() as connection:
            return schema.check(connection)

    def close(self) -> None:
        """Release the file."""
        self._readers.dispose()
        self._writer.dispose()


def _engine(path: Path, *, writer: bool) -> sa.Engine:
    engine = sa.create_engine(
        f"sqlite:///{path}",
        poolclass=sa.QueuePool,
        pool_size=1 if writer else READERS_MAX,
        max_overflow=0,
        pool_timeout=READER_WAIT_SECONDS_MAX,
        connect_args={"check_same_thread": False},
    )

    @sa.event.listens_for(engine, "connect")
    def _connect(connection: sqlite3.Connection, _record: Any) -> None:
        schema.settings(connection, writer=writer)

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        # The driver would begin late and deferred; the lock must be held from here.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writer else "BEGIN")

    return engine


@contextmanager
def _translated() -> Iterator[None]:
    """The database's errors as the ledger's, each saying what to do."""
    try:
        yield
    except sa.exc.TimeoutError:
        raise NotReadyError("all readers of the database are busy; try again") from None
    except sa.exc.DBAPIError as error:
        text = str(error.orig)
        if "locked" in text or "busy" in text:
            raise NotReadyError(
                "another process is writing to the database; try again in a moment"
            ) from error
        if "not a database" in text or "malformed" in text:
            raise MalformedError(
                f"expected a database of Shanji's, but the file is damaged or of another kind "
                f"({text}); restore it from a backup",
                code="not_a_database",
            ) from error
        raise FatalError(
            f"the database failed ({text}); check the disk's space and health, then try again",
            code="database_failed",
        ) from error
