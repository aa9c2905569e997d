"""The holds of one log: files of its data folder, and rows where machines share its database.

A hold on a log whose database is on a server is kept there, so that it holds every machine
and is lifted for all of them at once. The folder's file is what is left where the database
cannot be had: then it holds this machine, and the database that is away holds the others.
A file counts wherever the log is: a person may hold one machine by hand.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ledger.errors import LedgerError, NotReadyError
from ledger.holds import HOLDS, Hold, lift_hold, read_hold, told, told_shared, write_hold
from ledger.store import Store

FRESH_SECONDS = 2.0
"""How long what the database said may be repeated to readers; writers ask under the lock."""

log = logging.getLogger(__name__)


class Holds:
    """Everything that holds one log.

    Args:
        folder: The data folder.
        store: Its database.
        clock: Seconds, going on.
    """

    def __init__(
        self, folder: Path, store: Store, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._folder = folder
        self._store = store
        self._clock = clock
        self._rows: Mapping[str, str] = {}
        self._fresh_until: float | None = None

    @property
    def stale(self) -> bool:
        """Whether `recent` would repeat what the database said a while ago."""
        return self._store.shared and (
            self._fresh_until is None or self._clock() >= self._fresh_until
        )

    def refresh(self) -> None:
        """Ask the database, where there may be something in it.

        Raises:
            NotReadyError, FatalError: it could not be had.
        """
        if self._store.shared:
            with self._store.read() as reader:
                self._rows = reader.holds()
            self._fresh_until = self._clock() + FRESH_SECONDS

    def recent(self, hold: Hold) -> str | None:
        """Why this holds the log, as of now or of the last `refresh`; None where it does not.

        Raises:
            MalformedError: the file is there and cannot be read.
        """
        return read_hold(self._folder, hold) or self._rows.get(hold.code)

    def read(self) -> list[tuple[Hold, str]]:
        """Everything that holds the log now, and why.

        Raises:
            NotReadyError, FatalError: the database could not be had.
            MalformedError: a file is there and cannot be read.
        """
        self.refresh()
        found = [(hold, self.recent(hold)) for hold in HOLDS]
        return [(hold, reason) for hold, reason in found if reason is not None]

    def require_free(self, holds: Sequence[Hold] = HOLDS) -> None:
        """Return if none of these holds the log.

        Raises:
            NotReadyError: with the code of the first that does, or the database is away.
            MalformedError: a file is there and cannot be read.
        """
        for hold, reason in self.read():
            if hold in holds:
                raise NotReadyError(self.told(hold, reason), code=hold.code)

    def told(self, hold: Hold, reason: str) -> str:
        """The reason, and what lifts the hold."""
        if read_hold(self._folder, hold) is not None:
            return told(self._folder, hold, reason)
        return told_shared(self._folder, hold, reason)

    def place(self, hold: Hold, reason: str) -> None:
        """Write nothing more, here or on any other machine; what was first said stays.

        Raises:
            OSError: neither the database nor the folder could keep it.
        """
        if self._store.shared:
            try:
                self._store.place_hold(hold.code, reason)
            except LedgerError as error:
                log.error("the hold %s is kept on this machine only: %s", hold.code, error)
            else:
                self._fresh_until = None
                return
        write_hold(self._folder, hold, reason)

    def lift(self, hold: Hold, by: str) -> bool:
        """Let the log be written again; what held it is kept, with who said so and when.

        Raises:
            OSError, NotReadyError, FatalError: it could not be kept; the log is still held.
        """
        lifted = self._store.shared and self._store.lift_hold(hold.code, by)
        self._fresh_until = None
        return lift_hold(self._folder, hold, by) or lifted
