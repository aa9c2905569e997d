"""Imports kept in the data folder, encrypted under the vault's key, until they are done.

::

    <data>/imports/                  0700
    <data>/imports/<number>/job      the import's state (`job.Job`)
    <data>/imports/<number>/file     what was uploaded
    <data>/imports/<number>/details  rows that are wrong, and the first gifts
    <data>/imports/<number>/problems the rows that are wrong, as a CSV file
    <data>/imports/<number>/spans    its entries, where they are more ranges than its state holds
    <data>/imports/<number>/undo     that it is to be taken back (`undo.Undo`)
    <data>/imports/<number>/refused  the entries that could not be

Every file is 0600 and AES-256-GCM under the vault's key, with its own name as associated
data: whoever reads the folder learns nothing, and a byte that was changed is noticed. What came
from the file is deleted as soon as the import is over. A change of state is made under the folder's
lock, whichever process makes it; a crash leaves the old state or the new one.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import hashlib
import logging
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

import orjson

from api.imports.job import DAYS_MAX, OPEN, Job, Status, Trouble, parse_job
from api.imports.sealed_files import read_sealed, write_sealed
from api.imports.undo import UNDO_OPEN, Refusal, Undo, UndoStatus, parse_undo
from ledger.book import Book
from ledger.errors import ConflictError, CorruptionError, NotFoundError
from ledger.intake.gift_list import Choices
from ledger.intake.recording import Target
from ledger.sequencer import utc_now

FOLDER = "imports"
NUMBER_MAX = 10**9
KEPT_MAX = 300
"""Imports whose state is kept after they are over; the oldest are forgotten."""
OPEN_MAX = 50
"""Imports that may be under way; so many files are kept at most."""

T = TypeVar("T")

logger = logging.getLogger(__name__)

_PARTS = ("file", "details", "problems")


class Desk:
    """The imports of one book."""

    def __init__(self, book: Book) -> None:
        self._vault = book.vault
        self.folder = book.folder / FOLDER

    # Reading

    def numbers(self) -> list[int]:
        """Every import's number, rising."""
        try:
            names = os.listdir(self.folder)
        except FileNotFoundError:
            return []
        return sorted(int(name) for name in names if name.isascii() and name.isdigit())

    def jobs(self) -> Iterator[Job]:
        """Every import that can be read, the newest first."""
        for number in reversed(self.numbers()):
            try:
                yield self.read(number)
            except NotFoundError:
                continue  # Forgotten meanwhile, or its upload was cut off.
            except CorruptionError as error:
                # Its own page tells it; the others go on.
                logger.error("%s (%s)", error.message, error.code)

    def read(self, number: int) -> Job:
        """One import.

        Raises:
            NotFoundError: there is none of that number.
            CorruptionError: its file was altered, or was written under another key.
        """
        return self._parsed(number, "job", parse_job, "remove its folder")

    def file(self, job: Job) -> bytes:
        """What was uploaded.

        Raises:
            NotFoundError: it is deleted already.
            CorruptionError: it is not what was uploaded.
        """
        data = self._read(job.number, "file")
        if hashlib.sha256(data).hexdigest() != job.file_sha256:
            raise CorruptionError(
                f"import {job.number}: the file is not the one that was uploaded",
                code="import_file",
            )
        return data

    def details(self, number: int) -> Any:
        """What was found in the file, as plain values; None where there is nothing."""
        try:
            return orjson.loads(self._read(number, "details"))
        except NotFoundError:
            return None

    def problems(self, number: int) -> bytes:
        """The rows that are wrong, as a CSV file.

        Raises:
            NotFoundError: none are, or they are deleted already.
        """
        return self._read(number, "problems")

    def spans(self, job: Job) -> Sequence[Sequence[int]]:
        """The entries of an import that is done, as ranges that include both ends."""
        try:
            spans: list[list[int]] = orjson.loads(self._read(job.number, "spans"))
        except NotFoundError:
            return job.spans
        return spans

    def undo(self, number: int) -> Undo | None:
        """That an import is to be taken back, or was, as it is now; None: nobody asked for it.

        Raises:
            CorruptionError: its file was altered, or was written under another key.
        """
        try:
            undo = self._parsed(number, "undo", parse_undo, "remove that file")
        except NotFoundError:
            return None
        return undo.at(stamp())

    def open_undo(self, number: int) -> Undo | None:
        """An undo that somebody, or the worker, has something to do for.

        One that cannot be read is told on its own page; the others go on.
        """
        try:
            undo = self.undo(number)
        except CorruptionError as error:
            logger.error("%s (%s)", error.message, error.code)
            return None
        return undo if undo is not None and undo.status in UNDO_OPEN else None

    def refused(self, number: int) -> list[Refusal]:
        """The entries of an import that could not be taken back."""
        try:
            return [Refusal(*one) for one in orjson.loads(self._read(number, "refused"))]
        except NotFoundError:
            return []

    # Changing

    def propose_undo(self, number: int, *, person: str, reason: str) -> Undo:
        """Ask for an import to be taken back; asked again by the same person, it is the same.

        Raises:
            ConflictError: ``import_state``: it is not done, or that is under way already.
        """
        with self.changing(number) as change:
            change.job.require("done")
            before = self.undo(number)
            if before is not None and before.status in UNDO_OPEN:
                if before.proposed_by == person and before.reason == reason:
                    return before
                raise _undo_is(number, before)
            now = stamp()
            undo = Undo(
                status="waiting", reason=reason, proposed_by=person, proposed_at=now, changed_at=now
            )
            self._save_undo(number, undo)
            self.drop(number, "refused")
        return undo

    def change_undo(
        self, number: int, expected: Sequence[UndoStatus], status: UndoStatus, **values: Any
    ) -> Undo:
        """Bring the undo of an import from one of some states into another.

        Raises:
            NotFoundError: there is none.
            ConflictError: ``import_state``: somebody was quicker, or the page is an old one.
        """
        with self._locked():
            undo = self.undo(number)
            if undo is None:
                raise NotFoundError(
                    f"nobody asked to take import {number} back", code="no_file_kept"
                )
            if undo.status not in expected:
                raise _undo_is(number, undo)
            changed = {"status": status, "changed_at": stamp(), "trouble": None, **values}
            undo = replace(undo, **changed)
            self._save_undo(number, undo)
        return undo

    def _save_undo(self, number: int, undo: Undo) -> None:
        self._write(number, "undo", orjson.dumps(asdict(undo)))

    def add(
        self,
        *,
        person: str,
        key: str,
        file_name: str,
        data: bytes,
        target: Target,
        choices: Choices,
    ) -> tuple[Job, bool]:
        """Keep an uploaded file; it is read by the worker.

        Returns:
            The import, and whether it was there already: the same form, or the same bytes in
            an import that is under way.

        Raises:
            ConflictError: too many imports are under way.
        """
        digest = self._vault.digest("import-key", f"{person}\0{key}".encode()).hex()
        sha256 = hashlib.sha256(data).hexdigest()
        with self._locked():
            jobs = list(self.jobs())
            for one in jobs:
                if one.key == digest or (one.status in OPEN and one.file_sha256 == sha256):
                    return one, True
            if sum(one.status in OPEN for one in jobs) >= OPEN_MAX:
                raise ConflictError(
                    f"{OPEN_MAX} imports are under way, no more are kept; finish or withdraw one",
                    code="too_many_imports",
                    field="file",
                )
            number = max(self.numbers(), default=0) + 1
            now = stamp()
            job = Job(
                number=number,
                key=digest,
                created_by=person,
                created_at=now,
                changed_at=now,
                file_name=file_name,
                file_sha256=sha256,
                file_bytes=len(data),
                target=target,
                choices=choices,
            )
            (self.folder / str(number)).mkdir(mode=0o700)
            # The file first: an import whose state is there has its file.
            self.keep(number, "file", data)
            self.save(job)
            for old in [one for one in jobs if one.status not in OPEN][KEPT_MAX:]:
                if self.open_undo(old.number) is None:
                    shutil.rmtree(self.folder / str(old.number), ignore_errors=True)
        return job, False

    @contextmanager
    def changing(self, number: int) -> Iterator[Change]:
        """One change of one import's state, alone: `Change.to` writes it.

        Raises:
            NotFoundError: there is none of that number.
        """
        with self._locked():
            yield Change(self, self.read(number))

    def keep(self, number: int, part: str, data: bytes) -> None:
        """Keep one part of an import beside its state."""
        self._write(number, part, data)

    def drop(self, number: int, *parts: str) -> None:
        """Delete parts of an import; all that may hold personal data where none is named."""
        for part in parts or _PARTS:
            (self.folder / str(number) / part).unlink(missing_ok=True)

    def sweep(self) -> None:
        """Delete what has waited too long, and what an upload that was cut off left."""
        with self._locked():
            for number in self.numbers():
                if not (self.folder / str(number) / "job").exists():
                    shutil.rmtree(self.folder / str(number), ignore_errors=True)
        until = (utc_now() - dt.timedelta(days=DAYS_MAX)).isoformat()
        for one in self.jobs():
            if one.status in ("unread", "planned", "waiting", "stopped") and one.changed_at < until:
                with self.changing(one.number) as change:
                    if change.job.changed_at < until:
                        change.to("expired")

    def save(self, job: Job) -> None:
        """Write an import's state; `changing` is how to come by it."""
        self._write(job.number, "job", orjson.dumps(asdict(job)))

    def _parsed(
        self, number: int, part: str, parse: Callable[[Mapping[str, Any]], T], remedy: str
    ) -> T:
        """A part that holds plain values.

        Raises:
            NotFoundError: it is not there.
            CorruptionError: it was altered, or holds something else; the message has the `remedy`.
        """
        value = orjson.loads(self._read(number, part))
        try:
            return parse(value)
        except (TypeError, KeyError):
            raise CorruptionError(
                f"import {number}: its {part} file holds something else; {remedy}",
                code="import_file",
            ) from None

    def _read(self, number: int, part: str) -> bytes:
        path = self.folder / str(number) / part
        return read_sealed(self._vault, path, f"import/{number}/{part}")

    def _write(self, number: int, part: str, data: bytes) -> None:
        path = self.folder / str(number) / part
        write_sealed(self._vault, path, f"import/{number}/{part}", data)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.folder.mkdir(mode=0o700, exist_ok=True)
        with _flock(self.folder / "lock", wait=True):
            yield

    @contextmanager
    def working(self) -> Iterator[bool]:
        """Hold the worker's place; False where another process has it."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        with _flock(self.folder / "work-lock", wait=False) as held:
            yield held


class Change:
    """A change of one import under the folder's lock."""

    def __init__(self, desk: Desk, job: Job) -> None:
        self._desk = desk
        self.job = job

    def to(self, status: Status, *, trouble: Trouble | None = None, **values: Any) -> Job:
        """Write the new state; what is over keeps nothing of the file, not even its name."""
        over = status not in OPEN
        if over:
            values |= {"file_name": "", "choices": Choices()}
        self.job = replace(self.job, status=status, changed_at=stamp(), trouble=trouble, **values)
        self._desk.save(self.job)
        if over:
            self._desk.drop(self.job.number)
        return self.job


def _undo_is(number: int, undo: Undo) -> ConflictError:
    return ConflictError(
        f"taking import {number} back is {undo.status} since {undo.changed_at}: "
        "open its page again",
        code="import_state",
        details={"status": undo.status},
    )


def stamp() -> str:
    """Now, in UTC."""
    return utc_now().isoformat()


@contextmanager
def _flock(path: Path, *, wait: bool) -> Iterator[bool]:
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(handle)
