"""A log source over the ledger's own database, and the choice among all sources."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from pathlib import Path

from ledger.audit.source import CHECKPOINT, FolderSource, LogSource
from ledger.audit.source_url import UrlSource
from ledger.book import DATABASE
from ledger.errors import MalformedError, NotFoundError
from ledger.store import Store

_URL_PREFIXES = ("http://", "https://")


class StoreSource:
    """One snapshot of a store: what is appended later is not seen. See `LogSource`.

    Args:
        store: An open store.
        own: Whether closing the source closes the store too.
    """

    def __init__(self, store: Store, *, own: bool = False) -> None:
        self.name = str(store.path)
        # A snapshot is one connection, for one thread at a time.
        self._lock = threading.Lock()
        self._stack = ExitStack()
        if own:
            self._stack.callback(store.close)
        try:
            self._reader = self._stack.enter_context(store.read())
            self._head = self._reader.head()
        except BaseException:
            self._stack.close()
            raise

    def checkpoint(self) -> bytes:
        """See `LogSource`."""
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
    if "://" in where:
        raise MalformedError(f"expected an http or https URL, a folder or a database, got {where}")
    path = Path(where)
    if (path / CHECKPOINT).is_file():
        return FolderSource(path)
    if (path / DATABASE).is_file():
        path /= DATABASE
    if path.is_file():
        return StoreSource(Store.open(str(path), create=False), own=True)
    if path.is_dir():
        raise NotFoundError(
            f"expected a checkpoint or {DATABASE} in the folder {where}; name the mirror's or the "
            "data folder"
        )
    raise NotFoundError(f"{where} is not there; name a URL, a folder or a database")
