"""The board of what asks for attention, kept: a page never waits for a search of a large log.

A search looks at every pool and every project, so it grows with the ledger. In a small one
each size of the log is searched when it is asked for. Where the last search took longer than
`QUICK_SECONDS`, the board that there is answers, with the size and the day that it is of, and
a newer one is searched beside, at most a tenth of the time. So is that of a day that is asked
for, in a log of `LARGE` entries; in a smaller one it is of the newest size. What auditors
decided since then is looked up each time, in the snapshot of who asks. The last boards are
kept, so that who reads one page by page goes on in the same.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from ledger.attention.board import Board, attend, decided_since, held
from ledger.errors import ConflictError, LedgerError, NotReadyError
from ledger.holds import Hold
from ledger.store import Reader

QUICK_SECONDS = 0.1
"""A search that takes no longer than this is made for each size that is asked for."""
REST = 9
"""After a search beside, none begins for so many times as long as it took."""
LARGE = 100_000
"""A log of so many entries is searched when the service starts, before anybody asks, and never
in a request that asks for a day."""
BOARDS_MAX = 4
"""Boards that are kept, by size and day."""

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
        self._boards: dict[tuple[int, str], Board] = {}
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

    def of(self, reader: Reader, *, day: str | None = None, holds: Holds = ()) -> Board:
        """The board of this snapshot, or the one that there is.

        Args:
            day: The day to count to that was asked for; today if it is None.
            holds: Why nothing more is recorded, if so.

        Raises:
            NotReadyError: another day's board is still to be searched (``searching``).
        """
        head, today = reader.head(), self._today()
        wanted = (head.size if head else 0, day or today)
        with self._lock:
            kept = self._board if wanted[1] == today else self._newest_of(wanted[1])
            took = self._took
        in_request = took <= QUICK_SECONDS if day is None else wanted[0] < LARGE
        if in_request or (kept is None and wanted[1] == today):
            if kept is None or (kept.size, kept.day) != wanted:
                kept = self._search(reader, wanted)
        else:
            self._renew(kept, wanted, day)
            if kept is None:
                raise NotReadyError(
                    f"the search of a large ledger as of {wanted[1]} goes on beside; ask again "
                    f"in about {1 + round((1 + REST) * took)} seconds",
                    code="searching",
                )
        return held(decided_since(kept, reader), holds)

    def again(self, reader: Reader, size: int, day: str, *, holds: Holds = ()) -> Board:
        """A board that was given before, to go on in it.

        Another process may have given it: as long as nothing was recorded since, it is searched
        here as `of` would.

        Raises:
            ConflictError: it is not kept any more (``list_changed``).
            NotReadyError: as `of`.
        """
        with self._lock:
            kept = self._boards.get((size, day))
        if kept is not None:
            return held(decided_since(kept, reader), holds)
        head = reader.head()
        if head is not None and head.size == size:
            found = self.of(reader, day=day, holds=holds)
            if (found.size, found.day) == (size, day):
                return found
        raise ConflictError(
            f"the list as of {day} and {size} entries was made anew since; begin again "
            "without `after`",
            code="list_changed",
        )

    def _newest_of(self, day: str) -> Board | None:
        """The newest board of a day; the lock is held."""
        sizes = [size for size, of_day in self._boards if of_day == day]
        return self._boards[max(sizes), day] if sizes else None

    def newest(self, reader: Reader) -> Board | None:
        """The board that there is, without what auditors decided, for a page that anybody asks for.

        It waits for no search but a small log's first, and has at most a tenth of the time spent on
        newer ones. None while a large log is searched for the first time.
        """
        if self.beginning:
            return None
        head = reader.head()
        wanted = (head.size if head else 0, self._today())
        kept = self._board
        if kept is None:
            return self._search(reader, wanted)
        self._renew(kept, wanted)
        return kept

    def _renew(self, kept: Board | None, wanted: tuple[int, str], day: str | None = None) -> None:
        """Search beside for a newer board, unless the last search was only now."""
        with self._lock:
            rested = self._clock() - self._ended >= REST * self._took
        if rested and (kept is None or (kept.size, kept.day) != wanted):
            self._search_beside(day)

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
        with self._lock:
            before = self._newest_of(wanted[1])
        with self._searching:
            with self._lock:
                kept = self._newest_of(wanted[1])
            if kept is not None and (kept is not before or kept.size == wanted[0]):
                return kept
            start = self._clock()
            found = attend(reader, wanted[1], stopping=self._closed.is_set)
            with self._lock:
                self._keep(found)
                self._ended = self._clock()
                self._took = self._ended - start
            return found

    def _keep(self, found: Board) -> None:
        """Take up a board; the lock is held."""
        if found.day == self._today():
            self._board = found
        self._boards[found.size, found.day] = found
        while len(self._boards) > BOARDS_MAX:
            del self._boards[next(iter(self._boards))]

    def _search_beside(self, day: str | None = None) -> None:
        """Search the newest snapshot, as of a day, or as of today."""
        if self._thread is not None and self._thread.is_alive():
            return
        self._thread = threading.Thread(
            target=self._beside, args=(day,), name="attention", daemon=True
        )
        self._thread.start()

    def _beside(self, day: str | None) -> None:
        try:
            with self._read() as reader:
                head = reader.head()
                self._search(reader, (head.size if head else 0, day or self._today()))
        except LedgerError as error:
            # The next who asks begins another search; meanwhile the board that there is answers.
            logger.warning("the search for what asks for attention ended: %s", error)
            with self._lock:
                self._ended = self._clock()
