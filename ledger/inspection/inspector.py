"""The thread that inspects, at its pace, and holds the data folder when something is wrong."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import orjson

from ledger.book import Book
from ledger.errors import LedgerError
from ledger.holds import DAMAGED
from ledger.inspection.slices import Slice, inspect_files, inspect_log, inspect_notes
from ledger.keys.access import KEYS_VARIABLE, PASSPHRASE_VARIABLE, KeyAccess
from ledger.store.place import DATABASE_VARIABLE

ROWS_PER_SECOND = 1000
"""Rows that the slices read in a second: some percent of one core."""
AUDIT_SECONDS = 86_400
"""From the end of one whole audit to the beginning of the next."""
FIRST_AUDIT_SECONDS_MAX = 600
"""The first one begins so long after the start at the latest: a service may never run a day."""
RETRY_SECONDS = 5.0
"""After a step that could not look: the database is away, or too many are reading."""
ROUND_SECONDS_MIN = 10.0
"""A small log is not read over and over: the least time from one round to the next."""
END_SECONDS_MAX = 5.0
"""A whole audit that was told to end and goes on for so long is killed: it only reads."""
FINDINGS_KEPT = 20
NICE = 19
AUDIT_BYTES_MAX = 64_000_000
AUDIT_PROGRAM = """
from ledger.beside import end_with_input
from ledger.cli import main
end_with_input()
main()
"""
"""The command, which does not go on without the service that has asked for it."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast it goes.

    Attributes:
        rows_per_second: Of the slices; 0 inspects nothing.
        audit_seconds: Between whole audits; 0 does without them.
        round_seconds_min: Between the beginnings of two rounds of slices.
    """

    rows_per_second: int = ROWS_PER_SECOND
    audit_seconds: float = AUDIT_SECONDS
    round_seconds_min: float = ROUND_SECONDS_MIN


@dataclass(frozen=True, slots=True)
class Standing:
    """How the inspection stands, as of now; times in seconds since 1970, None for never."""

    rounds: int
    rows: int
    audits: int
    round_ended: float | None
    audit_ended: float | None
    audit_failed: str | None
    findings: tuple[str, ...]


class Inspector(threading.Thread):
    """Inspects one book's data folder; `start` and `close` it.

    Args:
        book: The log, open.
        access: Where its keys are, and what opens them.
        pace: How fast.
    """

    def __init__(self, book: Book, access: KeyAccess, pace: Pace | None = None) -> None:
        super().__init__(name="inspection", daemon=True)
        self._book = book
        self._access = access
        self._pace = Pace() if pace is None else pace
        self._closing = threading.Event()
        self._rounds = self._rows = self._audits = 0
        self._round_ended: float | None = None
        self._audit_ended: float | None = None
        self._audit_failed: str | None = None
        self._findings: list[str] = []
        first = min(self._pace.audit_seconds, FIRST_AUDIT_SECONDS_MAX)
        self._audit_at = time.monotonic() + first

    def standing(self) -> Standing:
        """How it stands."""
        return Standing(
            self._rounds,
            self._rows,
            self._audits,
            self._round_ended,
            self._audit_ended,
            self._audit_failed,
            tuple(self._findings),
        )

    @property
    def pace(self) -> Pace:
        """How fast it goes; by it one sees what is switched off."""
        return self._pace

    def close(self) -> None:
        """Stop soon; a whole audit that is under way is ended."""
        self._closing.set()
        if self.is_alive():
            self.join()

    def run(self) -> None:
        """Round after round, until closed."""
        if not self._pace.rows_per_second:
            return
        while not self._closing.is_set():
            began = time.monotonic()
            try:
                self._round()
            except LedgerError as error:
                log.warning("the inspection could not look: %s", error)
                self._closing.wait(RETRY_SECONDS)
                continue
            except Exception:  # what is damaged may break anything; it must be told all the same
                log.exception("the inspection met what nobody foresaw")
                self._closing.wait(RETRY_SECONDS)
                continue
            while not self._closing.is_set() and self._left(began) > 0:
                self._audit_if_due()
                self._closing.wait(min(1.0, max(0.0, self._left(began))))

    def _left(self, began: float) -> float:
        return began + self._pace.round_seconds_min - time.monotonic()

    def slices(self) -> Iterator[Slice]:
        """One round, step by step."""
        book = self._book
        files = inspect_files(book.folder, book.origin, book.store, self._access)
        return chain([files], inspect_log(book.store, book.vault), inspect_notes(book.store))

    def _round(self) -> None:
        for one in self.slices():
            self.take(one)
            self._audit_if_due()
            if self._closing.wait(one.rows / self._pace.rows_per_second):
                return
        self._rounds += 1
        self._round_ended = time.time()

    def take(self, one: Slice) -> None:
        """Count a step, and hold the folder where it found something."""
        self._rows += one.rows
        if one.findings:
            self._found(one.findings)

    def _found(self, findings: list[str]) -> None:
        fresh = [text for text in findings if text not in self._findings]
        self._findings += fresh[: FINDINGS_KEPT - len(self._findings)]
        for text in fresh:
            log.error("damage: %s", text)
        try:
            self._book.held.place(
                DAMAGED,
                f"what is stored is not what was recorded: {'; '.join(self._findings)}. Nothing "
                "is recorded and no figure is shown: run shanji audit, keep this folder, and "
                "restore the newest backup or repair what it names",
            )
        except OSError as error:
            log.error("that the log is damaged could not be kept: %s", error)

    def _audit_if_due(self) -> None:
        if self._pace.audit_seconds and time.monotonic() >= self._audit_at:
            self._audit()
            self._audit_at = time.monotonic() + self._pace.audit_seconds

    def _audit(self) -> None:
        """The whole audit in a process of its own, which gives way to everybody."""
        access, folder = self._access, self._book.folder
        environment = {
            **os.environ,
            KEYS_VARIABLE: str(access.folder_of(folder)),
            # The very database of this service, whatever the folder or the environment says.
            DATABASE_VARIABLE: self._book.store.place,
        }
        if access.passphrase_file is not None:
            environment[PASSPHRASE_VARIABLE] = str(access.passphrase_file)
        command = [sys.executable, "-c", AUDIT_PROGRAM, "audit", "--data", str(folder), "--json"]
        with subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        ) as process:
            os.setpriority(os.PRIO_PROCESS, process.pid, NICE)
            assert process.stdout is not None
            ending = threading.Thread(target=self._end, args=(process,), daemon=True)
            ending.start()
            output = process.stdout.read(AUDIT_BYTES_MAX)
        ending.join()
        if self._closing.is_set():
            return
        if process.returncode not in (0, 1):
            self._audit_failed = f"shanji audit ended with {process.returncode}"
            log.warning("the inspection's whole audit could not be done: %s", self._audit_failed)
            return
        try:
            report = orjson.loads(output)
            findings = [f"{one['place']}: {one['message']}" for one in report["findings"]]
        except (ValueError, KeyError, TypeError):
            self._audit_failed = "shanji audit gave no report"
            log.warning("the inspection's whole audit gave no report")
            return
        if findings:
            self._found(findings)
        # Counted last: who reads that an audit has ended reads what it found too.
        self._audits += 1
        self._audit_ended, self._audit_failed = time.time(), None

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        """End the audit when the service stops, which waits for it."""
        while process.poll() is None:
            if self._closing.wait(0.2):
                process.terminate()
                try:
                    process.wait(END_SECONDS_MAX)
                except subprocess.TimeoutExpired:
                    process.kill()
                return
