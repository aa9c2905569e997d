"""The board of what asks for attention, kept: a page never waits for a search of a large log.

A search looks at every pool and every project, so it grows with the ledger. In a small one
each size of the log is searched when it is asked for. Where the last search took longer than
`QUICK_SECONDS`, the board that there is answers, with the size and the day that it is of, and
a newer one is searched beside, at most a tenth of the time. What auditors decided since then
is looked up each time, in the snapshot of who asks.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from ledger.attention.board import Board, attend, decided, held
from ledger.errors import LedgerError
from ledger.holds import Hold
from ledger.store import Reader

QUICK_SECONDS = 0.1
"""A search that takes no longer than this is made for each size that is asked for."""
REST = 9
"""After a search beside, none begins for so many times as long as it took."""
LARGE = 100_000
"""A log of so many entries is searched when the service starts, before anybody asks."""

logger = logging.getLogger(__name__)

Holds = Sequence[tuple[Hold, str]]


class KeptBoard:
    """The newest board that was searched, for one log.

    Args:
        read: Opens a snapshot of the log.
        today: The day to count to.
        clock: Seconds that only rise.
    """

    def __init__(
        self,
        read: Callable[[], AbstractContextManager[Reader]],
        today: Callable[[], str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._today = today
        self._clock = clock
        self._lock = threading.Lock()
        self._searching = threading.Lock()
        self._closed = threading.Event()
        self._board: Board | None = None
        self._took = 0.0
        self._ended = 0.0
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Search beside, where the log is so large that who asks first would wait."""
        with self._read() as reader:
            head = reader.head()
        if head is not None and head.size >= LARGE:
            self._search_beside()

    @property
    def beginning(self) -> bool:
        """Whether the first search of a large log is under way: who asks waits for it."""
        return self._board is None and self._thread is not None and self._thread.is_alive()

    def of(self, reader: Reader, *, holds: Holds = ()) -> Board:
        """The board of this snapshot, or the one that there is.

        Args:
            holds: Why nothing more is recorded, if so.
        """
        wanted, kept, took = self._state(reader)
        if kept is None or ((kept.size, kept.day) != wanted and took <= QUICK_SECONDS):
            kept = self._search(reader, wanted)
        else:
            self._renew(kept, wanted)
        return held(decided(kept, reader), holds)

    def newest(self, reader: Reader) -> Board | None:
        """The board that there is, without what auditors decided, for a page that anybody asks for.

        It waits for no search but a small log's first, and has at most a tenth of the time spent on
        newer ones. None while a large log is searched for the first time.
        """
        if self.beginning:
            return None
        wanted, kept, _ = self._state(reader)
        if kept is None:
            return self._search(reader, wanted)
        self._renew(kept, wanted)
        return kept

    def _state(self, reader: Reader) -> tuple[tuple[int, str], Board | None, float]:
        """The size and day that are wanted, the board that there is, how long a search takes."""
        head = reader.head()
        with self._lock:
            return (head.size if head else 0, self._today()), self._board, self._took

    def _renew(self, kept: Board, wanted: tuple[int, str]) -> None:
        """Search beside for a newer board, unless the last search was only now."""
        with self._lock:
            rested = self._clock() - self._ended >= REST * self._took
        if (kept.size, kept.day) != wanted and rested:
            self._search_beside()

    def settle(self) -> None:
        """Wait for the search beside, if there is one."""
        if self._thread is not None:
            self._thread.join()

    def close(self) -> None:
        """Give up the search that is under way, and wait for its end."""
        self._closed.set()
        self.settle()

    def _search(self, reader: Reader, wanted: tuple[int, str]) -> Board:
        """Search this snapshot; who waited for another's search takes what that found."""
        before = self._board
        with self._searching:
            kept = self._board
            if kept is not None and (kept is not before or (kept.size, kept.day) == wanted):
                return kept
            start = self._clock()
            found = attend(reader, wanted[1], stopping=self._closed.is_set)
            with self._lock:
                self._board = found
                self._ended = self._clock()
                self._took = self._ended - start
            return found

    def _search_beside(self) -> None:
        if self._thread is not None and self._thread.is_alive():
            return
        self._thread = threading.Thread(target=self._beside, name="attention", daemon=True)
        self._thread.start()

    def _beside(self) -> None:
        try:
            with self._read() as reader:
                head = reader.head()
                self._search(reader, (head.size if head else 0, self._today()))
        except LedgerError as error:
            # The next who asks begins another search; meanwhile the board that there is answers.
            logger.warning("the search for what asks for attention ended: %s", error)
            with self._lock:
                self._ended = self._clock()
