"""The store: one database, opened for any number of readers and one writer at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import sqlalchemy as sa

from ledger.errors import ConflictError, CorruptionError, NotFoundError, NotReadyError
from ledger.store import operational, postgresql, schema, sqlite
from ledger.store.appender import Appender
from ledger.store.failures import translated
from ledger.store.leaves import LeafPlaces
from ledger.store.place import is_postgresql, shown
from ledger.store.reader import Reader

LOCK_ATTEMPTS = 2
"""By the connection that was kept, and by a new one where that has been lost since."""


class Store:
    """Bytes and rows on disk; may be used by several threads. Use `open`.

    Attributes:
        name: The database as people may see it: a path, or a URL without its password.
        place: As a process that this one starts finds it; it may hold a password, and belongs
            into that process's environment, not on its command line.
        leaves: Where leaf hashes stand, as far as this process was asked.
    """

    def __init__(self, place: Path | str) -> None:
        self._file = place if isinstance(place, Path) else None
        self.place = str(place)
        self.name = shown(self.place)
        self.leaves = LeafPlaces()
        if isinstance(place, Path):
            self._writer = sqlite.engine(place, writer=True)
            self._readers = sqlite.engine(place, writer=False)
        else:
            self._writer = postgresql.engine(place, writer=True)
            self._readers = postgresql.engine(place, writer=False)
        self._closed = False

    @property
    def is_file(self) -> bool:
        """Whether the database is a file on this machine."""
        return self._file is not None

    @property
    def path(self) -> Path:
        """The database file. Its write-ahead log lies beside it while it is open.

        Raises:
            NotFoundError: the database is on a server.
        """
        if self._file is None:
            raise NotFoundError(f"{self.name} is no file")
        return self._file

    @classmethod
    def open(cls, url: str, *, create: bool = True) -> Store:
        """Open a database, making it or bringing its schema up to date.

        Any number of processes may do so at once: the first does it, the others wait. On a
        server the database must be there; only its tables are made.

        Args:
            url: The path of a file, ``sqlite:///`` and the path, or ``postgresql://…``.
            create: Whether to make a file that is not there, or tables.

        Raises:
            NotFoundError: no such file, and it may not be made; no such folder; a folder; a
                database without tables, and they may not be made.
            MalformedError: not a database, or another program's, or a newer one's.
            NotReadyError: another process kept the write lock too long, or the server cannot
                be reached.
            CorruptionError: the file is damaged.
            FatalError: the disk or the permissions failed, or the server is set to lose
                commits.
        """
        place = url if is_postgresql(url) else _file_of(url, create=create)
        store = cls(place)
        try:
            with translated(), store._writer.begin() as connection:
                if store._file is None:
                    store._check_server(connection, create=create)
                schema.upgrade(connection)
        except BaseException:
            store.close()
            raise
        return store

    def _check_server(self, connection: sa.Connection, *, create: bool) -> None:
        postgresql.check_server(connection)
        if not create and not schema.is_made(connection):
            raise NotFoundError(
                f"{self.name} holds no log; start the service on it once, or name the right one",
                code="no_database",
            )

    @contextmanager
    def read(self) -> Iterator[Reader]:
        """One consistent snapshot, for the length of the block: that of its first read.

        Raises:
            NotReadyError: too many are reading at once.
        """
        with translated():
            connection = self._readers.connect()
        with _given_back(connection), closing(Reader(connection)) as reader:
            try:
                yield reader
            finally:
                if self._closed and not connection.invalidated:
                    # Its pool is gone: nobody else would close it, and let the file be whole.
                    connection.detach()

    @contextmanager
    def append(self) -> Iterator[Appender]:
        """The write lock, held for the block; what it does not commit never happened.

        Raises:
            NotReadyError: another process kept the lock too long.
            FatalError: the disk or the file failed; nothing was written.
        """
        with translated():
            connection, locked = self._locked()
        with _given_back(connection), closing(Appender(connection, locked)) as appender:
            try:
                yield appender
            finally:
                if self._file is None:
                    postgresql.drop_if_lost(connection)

    def _locked(
        self, attempts: int = LOCK_ATTEMPTS
    ) -> tuple[sa.Connection, postgresql.Locked | None]:
        """A transaction that has the lock; a server has told the head and the holds with it."""
        connection = self._writer.connect()
        try:
            connection.begin()
            return connection, None if self._file else postgresql.lock_head(connection)
        except BaseException as error:
            # A server that was started again has ended the connection that was kept.
            stale = self._file is None and postgresql.drop_if_lost(connection)
            connection.close()
            if not stale or attempts == 1 or not isinstance(error, Exception):
                raise
        return self._locked(attempts - 1)

    def drop_old_pages(self) -> bool:
        """Let go of pages and rows as they were before later commits, and what these erased.

        Never waits and never fails: it cannot be done while somebody reads or writes, and is
        asked for again later.

        Returns:
            Whether nothing as it was before is left in the database's own files.
        """
        if self._file is None:
            return postgresql.forget_old_rows(self._writer)
        return sqlite.drop_old_pages(self._writer)

    def copy_to(self, target: Path) -> None:
        """Copy the database, as it stands in one moment, to a new SQLite file, durably.

        Whoever writes goes on meanwhile; what was erased before is not in the copy, which has
        no write-ahead log beside it. From a server it is a copy row by row, in one snapshot.

        Args:
            target: The file to make; `read_copy` reads it.

        Raises:
            FatalError: the disk failed, or the file is there already.
        """
        if self._file is None:
            sqlite.make(target)
            with closing(Store.open(str(target))) as copy, self.read() as reader:
                copy.fill(reader)
        else:
            with translated():
                sqlite.copy_to(self._readers, target)
        handle = os.open(target, os.O_RDWR)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def fill(self, reader: Reader, holds: Mapping[str, str] | None = None) -> None:
        """Write all rows of another store into this one, which must be empty; all or none.

        Args:
            reader: The other store.
            holds: Reasons by the codes of holds which are there with the rows, not after.

        Raises:
            ConflictError: this one holds a log already.
            FatalError: the disk failed; nothing was written.
        """
        with self.append() as appender:
            if appender.head() is not None:
                raise ConflictError(f"{self.name} holds a log already; name an empty database")
            appender.fill(reader)
            for code, reason in (holds or {}).items():
                appender.place_hold(code, reason)
            appender.commit()

    @property
    def shared(self) -> bool:
        """Whether other machines may use the same database: it is on a server."""
        return self._file is None

    def place_hold(self, code: str, reason: str) -> None:
        """Hold all who share the database; what was first said stays.

        Raises:
            NotReadyError, FatalError: the database could not be had; nothing is held.
        """
        with translated(), self._writer.begin() as connection:
            operational.place_hold(connection, code, reason)

    def lift_hold(self, code: str, by: str) -> bool:
        """End a hold; it is kept, with who decided it. Whether it held.

        Raises:
            NotReadyError, FatalError: the database could not be had; it holds.
        """
        with translated(), self._writer.begin() as connection:
            return operational.lift_hold(connection, code, by)

    def agree(
        self, digests: Mapping[str, bytes], machine: str, now: str
    ) -> list[operational.Agreed]:
        """Note what this machine has; where the one before it had something else, that.

        Raises:
            NotReadyError, FatalError: the database could not be had; nothing was noted.
        """
        with translated(), self._writer.begin() as connection:
            return operational.agree(connection, digests, machine, now)

    def check_writable(self) -> None:
        """Return if the database takes writes, as far as can be told without its lock.

        Raises:
            NotReadyError: it does not.
        """
        if self._file is None:
            with translated(), self._readers.connect() as connection:
                postgresql.require_reachable(connection)
        elif not os.access(self._file, os.W_OK):
            raise NotReadyError("the data folder cannot be written; give the service that right")

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
        """Release the file; may be called more than once.

        A stopped service leaves its file whole: SQLite folds the write-ahead log into it only
        where no connection is left, and one whose cursor waits for the garbage collector is.
        Where somebody still reads, whoever ends last does it.
        """
        self._closed = True
        self._readers.dispose()
        if self._file is not None and sqlite.is_connected(self._writer):
            sqlite.drop_old_pages(self._writer)
        self._writer.dispose()


@contextmanager
def _given_back(connection: sa.Connection) -> Iterator[None]:
    """End what was begun on a connection, and give it back to its pool.

    That the connection is lost meanwhile changes nothing: a reader has been told all that it
    asked for, and what a writer did not commit, the server ends by itself.

    Raises:
        FatalError: the disk failed.
    """
    try:
        yield
    finally:
        with suppress(NotReadyError), translated():
            connection.close()


@contextmanager
def read_copy(path: Path) -> Iterator[Reader]:
    """A file that `Store.copy_to` made, read without changing it or leaving anything beside it.

    Nobody may write to the file meanwhile.

    Raises:
        NotFoundError: no such file.
    """
    if not path.is_file():
        raise NotFoundError(f"{path} is not there; name the right file")

    engine = sqlite.copy_engine(path)
    try:
        with translated():
            connection = engine.connect()
        with connection, closing(Reader(connection)) as reader:
            yield reader
    finally:
        engine.dispose()


def _file_of(url: str, *, create: bool) -> Path:
    """The file that a URL or a path names; made where it is not there and may be."""
    file = sqlite.path_of(url)
    if file.is_dir():
        raise NotFoundError(f"expected a database file, {file} is a folder; name a file in it")
    if not file.exists():
        if not create:
            raise NotFoundError(
                f"{file} is not there; start the service there once, or name the right file",
                code="no_database",
            )
        sqlite.make(file)
    return file
