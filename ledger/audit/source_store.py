"""A log source over the ledger's own database, and the choice among all sources."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from pathlib import Path

from ledger.audit.source import CHECKPOINT, FolderSource, LogSource, Opener
from ledger.audit.source_url import UrlSource
from ledger.book import DATABASE
from ledger.errors import MalformedError, NotFoundError
from ledger.store import Head, Reader, Store
from ledger.store.place import is_postgresql, read_url

_URL_PREFIXES = ("http://", "https://")


class StoreSource:
    """A store's log as it was when its checkpoint was last read. See `LogSource`.

    Args:
        store: An open store.
        own: Whether closing the source closes the store too.
    """

    def __init__(self, store: Store, *, own: bool = False) -> None:
        self.name = store.name
        # A file can be read by many processes; a server's URL here is without its password.
        self.opener: Opener | None = (open_source, store.name) if store.is_file else None
        self._store = store
        # A snapshot is one connection, for one thread at a time.
        self._lock = threading.Lock()
        self._snapshot = ExitStack()
        self._stack = ExitStack()
        if own:
            self._stack.callback(store.close)
        try:
            self._reader, self._head = self._look()
        except BaseException:
            self._stack.close()
            raise

    def _look(self) -> tuple[Reader, Head | None]:
        """Take a snapshot; the one before is let go."""
        self._snapshot.close()
        reader = self._snapshot.enter_context(self._store.read())
        return reader, reader.head()

    def checkpoint(self) -> bytes:
        """See `LogSource`."""
        with self._lock:
            self._reader, self._head = self._look()
        if self._head is None:
            raise NotFoundError(f"{self.name} holds no log yet", code="no_checkpoint")
        return self._head.checkpoint

    def tile(self, level: int, number: int, width: int) -> bytes:
        """See `LogSource`."""
        with self._lock:
            return self._reader.tile(level, number, width)

    def bundle(self, number: int, width: int) -> bytes:
        """See `LogSource`."""
        with self._lock:
            return self._reader.bundle(number, width)

    def close(self) -> None:
        """See `LogSource`."""
        self._snapshot.close()
        self._stack.close()


def open_source(where: str) -> LogSource:
    """Open a log's public data by the form of its address.

    Args:
        where: An http or https URL; a database file, or the data folder that holds it;
            or a folder with the paths of tlog-tiles, such as a mirror's.

    Raises:
        NotFoundError: no such file or folder.
        MalformedError: neither of these forms.
    """
    if where.startswith(_URL_PREFIXES):
        return UrlSource(where)
    if is_postgresql(where):
        return StoreSource(Store.open(where, create=False), own=True)
    if "://" in where:
        raise MalformedError(f"expected an http or https URL, a folder or a database, got {where}")
    path = Path(where)
    if (path / CHECKPOINT).is_file():
        return FolderSource(path)
    if (path / DATABASE).is_file():
        path /= DATABASE
    elif (url := read_url(path)) is not None:
        return StoreSource(Store.open(url, create=False), own=True)
    if path.is_file():
        return StoreSource(Store.open(str(path), create=False), own=True)
    if path.is_dir():
        raise NotFoundError(
            f"expected a checkpoint or {DATABASE} in the folder {where}; name the mirror's or the "
            "data folder"
        )
    raise NotFoundError(f"{where} is not there; name a URL, a folder or a database")
