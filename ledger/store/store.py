"""The store: one database, opened for any number of readers and one writer at a time."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ledger.errors import CorruptionError, FatalError, MalformedError, NotFoundError
from ledger.store import schema
from ledger.store.appender import Appender
from ledger.store.failures import translated
from ledger.store.reader import Reader

READERS_MAX = 16
"""Snapshots that can be read at once; more wait."""
WAIT_SECONDS_MAX = 30
"""How long a reader waits for another to finish, and a writer in this process too."""
FILE_MODE = 0o600
URL_PREFIX = "sqlite:///"


class Store:
    """Bytes and rows on disk; may be used by several threads. Use `open`.

    Attributes:
        path: The database file. Its write-ahead log lies beside it while it is open.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._writer = _engine(path, writer=True)
        self._readers = _engine(path, writer=False)

    @classmethod
    def open(cls, url: str, *, create: bool = True) -> Store:
        """Open a database, making it or bringing its schema up to date.

        Any number of processes may do so at once: the first does it, the others wait.

        Args:
            url: The path of a file, or ``sqlite:///`` and the path.
            create: Whether to make a file that is not there.

        Raises:
            NotFoundError: no such file, and it may not be made; no such folder; a folder.
            MalformedError: not a database, or another program's, or a newer one's.
            NotReadyError: another process kept the write lock too long.
            CorruptionError: the file is damaged.
            FatalError: the disk or the file's permissions failed.
        """
        file = _path_of(url)
        if file.is_dir():
            raise NotFoundError(f"expected a database file, {file} is a folder; name a file in it")
        if not file.exists():
            if not create:
                raise NotFoundError(
                    f"{file} is not there; start the service there once, or name the right file",
                    code="no_database",
                )
            _make(file)
        store = cls(file)
        try:
            with translated(), store._writer.begin() as connection:
                schema.upgrade(connection)
        except BaseException:
            store.close()
            raise
        return store

    @contextmanager
    def read(self) -> Iterator[Reader]:
        """One consistent snapshot, for the length of the block: that of its first read.

        Raises:
            NotReadyError: too many are reading at once.
        """
        with translated():
            connection = self._readers.connect()
        with connection, closing(Reader(connection)) as reader:
            yield reader

    @contextmanager
    def append(self) -> Iterator[Appender]:
        """The write lock, held for the block; what it does not commit never happened.

        Raises:
            NotReadyError: another process kept the lock too long.
            FatalError: the disk or the file failed; nothing was written.
        """
        with translated():
            connection = self._writer.connect()
        with connection:
            with translated():
                connection.begin()
            with closing(Appender(connection)) as appender:
                yield appender

    def drop_old_pages(self) -> bool:
        """Copy the write-ahead log into the file and cut it to nothing.

        Until then it holds pages as they were before later commits, and what these
        erased. Never waits and never fails: it cannot be done while somebody reads or
        writes, and is asked for again later.

        Returns:
            Whether no page as it was before is left.
        """
        try:
            connection = self._writer.raw_connection()
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

    def copy_to(self, target: Path) -> None:
        """Copy the database, as it stands in one moment, to a new file, durably.

        Whoever writes goes on meanwhile (SQLite's online backup); what was erased before is
        not in the copy, which has no write-ahead log beside it.

        Args:
            target: The file to make; `read_copy` reads it.

        Raises:
            FatalError: the disk failed, or the file is there already.
        """
        with translated(), self._readers.connect() as connection:
            source = connection.connection.driver_connection
            assert isinstance(source, sqlite3.Connection)
            _make(target)
            try:
                with closing(sqlite3.connect(target)) as copy:
                    source.backup(copy)
            except sqlite3.Error as error:
                raise FatalError(
                    f"{target} could not be written ({error}); make room there, then try again",
                    code="backup_unwritable",
                ) from error
        handle = os.open(target, os.O_RDWR)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def check(self) -> list[str]:
        """What is wrong with the schema and the file's structure, in words.

        Raises:
            NotReadyError, FatalError: the file could not be read.
        """
        try:
            with translated(), self._readers.connect() as connection:
                return schema.check(connection)
        except CorruptionError as error:
            return [f"file: {error.message}"]

    def close(self) -> None:
        """Release the file; may be called more than once."""
        self._readers.dispose()
        self._writer.dispose()


@contextmanager
def read_copy(path: Path) -> Iterator[Reader]:
    """A file that `Store.copy_to` made, read without changing it or leaving anything beside it.

    Nobody may write to the file meanwhile.

    Raises:
        NotFoundError: no such file.
    """
    if not path.is_file():
        raise NotFoundError(f"{path} is not there; name the right file")

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)

    engine = sa.create_engine("sqlite://", creator=connect, poolclass=sa.NullPool)
    try:
        with translated():
            connection = engine.connect()
        with connection, closing(Reader(connection)) as reader:
            yield reader
    finally:
        engine.dispose()


def _path_of(url: str) -> Path:
    path = url.removeprefix(URL_PREFIX)
    if "://" in path or (path != url and ("?" in path or path in ("", ":memory:"))):
        raise MalformedError(
            f"expected the path of a file, or {URL_PREFIX} and the path, got another database "
            "URL; name a file on a local disk",
            code="unknown_database_url",
        )
    return Path(path)


def _make(file: Path) -> None:
    """An empty file that only this user may read: it will hold personal data, encrypted."""
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


def _engine(path: Path, *, writer: bool) -> sa.Engine:
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=str(path.absolute())),
        poolclass=sa.QueuePool,
        pool_size=1 if writer else READERS_MAX,
        max_overflow=0,
        pool_timeout=WAIT_SECONDS_MAX,
        connect_args={"check_same_thread": False},
        # What is being written stays out of logs and tracebacks.
        hide_parameters=True,
    )

    @sa.event.listens_for(engine, "connect")
    def _connect(connection: sqlite3.Connection, _record: Any) -> None:
        try:
            schema.settings(connection, writer=writer)
        except BaseException:
            connection.close()
            raise

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        # The lock must be held from here, so that what is read before writing stays true.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writer else "BEGIN")

    return engine
