"""A flipped bit in each column of each table, and in each file that is compared: the service
finds it itself, and never serves it as good.

One service inspects one log all the time. A bit is flipped behind its back; it is asked at
once, and again when it has told. Then the bit is put back, and once the inspection has read
everything after that, a person's release lifts the hold and the service takes records again. So
a service is started once, and not for each column.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from faults.database import children, new_url
from faults.full_log import FILES, fill
from faults.trial import Outcome, Trial
from postgresql_server import Databases
from service import Service
from tamper import ENTRY_OF, REFUSED, Key, Row, Tamper

from ledger.book import Book
from ledger.holds import DAMAGED
from ledger.store.tables import TABLES

FIND_SECONDS_MAX = 300
"""Something hangs, if it takes so long; that nothing is found is told by the number of audits."""
AUDITS_MAX = 3
"""The first may have begun before the bit was flipped; when the third begins the second has
ended, which read all of it."""
POLL_SECONDS = 0.1
ASK_SECONDS_MAX = 30
GIFTS = 256
FLIPS_MAX = 100
FAST = {"SHANJI_INSPECTION_ROWS_PER_SECOND": "1000000", "SHANJI_INSPECTION_AUDIT_SECONDS": "1"}
FILE = "file"
"""Stands where a table's name would, for the files beside the database."""
CHECKPOINT = "/checkpoint"
PATHS = (
    CHECKPOINT,
    "/tile/0/000",
    "/tile/1/000.p/1",
    "/tile/entries/000",
)
ENTRY = 40
OF_AN_ENTRY = ("/v1/entries/{index}", "/v1/entries/{index}/receipt?reveal=all")
INTEGER_BITS = 62
"""An integer's bits, but for its sign and the one that SQLite's or the server's sums need."""


@dataclass(frozen=True)
class Flip:
    """A bit that is another now.

    Attributes:
        what: The column or the file.
        entry: The entry that it belongs to, or any.
        undo: Puts the bit back.
    """

    what: str
    entry: int
    undo: Callable[[], object]


def kinds(data: Path) -> list[tuple[str, str]]:
    """Each column of each table, and each file.

    Raises:
        RuntimeError: a table is empty: nothing would be shown of it.
    """
    with closing(Tamper(data)) as tamper:
        if empty := [name for name in TABLES if not tamper.rows(name)]:
            raise RuntimeError(f"the log has no row in {', '.join(empty)}")
    columns = [(name, column.name) for name, table in TABLES.items() for column in table.columns]
    return [*columns, *((FILE, name) for name in FILES)]


def play(
    folder: Path, *, rounds: int = 0, seed: int = 1, place: Databases | None = None
) -> Outcome:
    """One bit in one row of each kind; `rounds` takes that many kinds by chance, 0 all."""
    trial = Trial(folder, "bits", seed, database=new_url(place))
    chance = random.Random(seed)
    fill(trial, folder, GIFTS)
    every = kinds(trial.data)
    asked = every if not rounds else chance.sample(every, min(rounds, len(every)))
    game = Game(trial, chance)
    try:
        for kind in asked:
            game.play(*kind)
        if trial.post(game.service.url, "after-all") != 201:
            trial.outcome.wrong.append("with every bit as it was nothing is recorded")
    finally:
        game.service.kill()
        game.http.close()
    if trial.outcome.played < len(asked):
        trial.outcome.wrong.append(f"{trial.outcome.played} of {len(asked)} bits were found")
    times = sorted(game.seconds) or [(0.0, "none")]
    (middle, _), (most, slowest) = times[len(times) // 2], times[-1]
    trial.outcome.notes.append(
        f"{len(asked)} of {len(every)} kinds; found after {middle:.1f} s in the middle, {most:.1f} "
        f"s at most ({slowest}); asked at once: {game.right} answers right, {game.refused} "
        f"refused; the service was started {game.started} times"
    )
    return trial.check()


class Game:
    """One service, and a bit after another that is not as it was."""

    def __init__(self, trial: Trial, chance: random.Random) -> None:
        self.trial = trial
        self.chance = chance
        self.seconds: list[tuple[float, str]] = []
        self.refused = self.right = self.started = 0
        self.http = httpx.Client(headers=trial.headers("none"), timeout=ASK_SECONDS_MAX)
        self.service = self._start()

    def _start(self) -> Service:
        self.started += 1
        service = Service(self.trial.data, environment=FAST)
        service.wait_ready()
        return service

    def play(self, table: str, column: str) -> None:
        """One kind: flip, ask, wait until it is told, ask, put back, release, ask."""
        outcome = self.trial.outcome
        began = time.monotonic()
        flipped = flip(self.trial.data, table, column, self.chance)
        try:
            answers = [self._ask(flipped)]
            if self._wait_found():
                self.seconds.append((time.monotonic() - began, f"{table}.{column}"))
                outcome.played += 1
            else:
                outcome.wrong.append(f"{flipped.what}: not found")
            answers.append(self._ask(flipped))
        finally:
            flipped.undo()
        if self.service.process.poll() is not None:
            outcome.wrong.append(f"{flipped.what}: the service has ended")
            self.service = self._start()
        self._go_on(flipped)
        good = self._ask(flipped)
        if missing := [path for path, body in good.items() if not body]:
            outcome.wrong.append(f"{flipped.what}: with the bit put back {missing} are refused")
        for given in answers:
            for path, body in given.items():
                if body and not is_right(path, body, good[path]):
                    outcome.wrong.append(f"{flipped.what}: {path} served as good")
        right = sum(bool(body) for body in answers[0].values())
        self.right += right
        self.refused += len(good) - right

    def _ask(self, flipped: Flip) -> dict[str, bytes]:
        """What a clerk is given; empty where it is refused."""
        given: dict[str, bytes] = {}
        for path in (*PATHS, *(one.format(index=flipped.entry) for one in OF_AN_ENTRY)):
            try:
                answer = self.http.get(self.service.url + path)
            except httpx.HTTPError as error:
                self.trial.outcome.wrong.append(f"{flipped.what}: {path}: {error!r}")
                given[path] = b""
            else:
                given[path] = answer.content if answer.status_code == 200 else b""
        return given

    def _wait_found(self) -> bool:
        """Whether the service says of itself that something is damaged."""
        end = time.monotonic() + FIND_SECONDS_MAX
        audits: set[int] = set()
        while time.monotonic() < end and self.service.process.poll() is None:
            if self._says("damaged"):
                return True
            if len(audits) >= AUDITS_MAX:
                break
            audits |= self._hurry()
        return self._says("damaged")

    def _hurry(self) -> set[int]:
        """Wait a little; the audit beside the service, which gives way to everybody, need not.

        On a busy machine it would take a minute for each bit. Only root may say so.

        Returns:
            The audits that run now.
        """
        time.sleep(POLL_SECONDS)
        audits = set(children(self.service.process.pid))
        with suppress(OSError):
            pace = os.getpriority(os.PRIO_PROCESS, self.service.process.pid)
            for audit in audits:
                os.setpriority(os.PRIO_PROCESS, audit, pace)
        return audits

    def _says(self, code: str) -> bool:
        """Whether /readyz says this; empty: that it is ready.

        Where the log's head cannot be read /readyz is a 500: then the hold is what it says.
        """
        try:
            answer = self.http.get(f"{self.service.url}/readyz")
        except httpx.HTTPError:
            return False
        if not code:
            return answer.status_code == 200
        if answer.status_code == 500:
            return (self.trial.data / DAMAGED.file).exists()
        return answer.status_code == 503 and answer.json()["code"] == code

    def _go_on(self, flipped: Flip) -> None:
        """Once nothing that was read before the bit was put back can be told, a person lifts
        the hold.

        An audit that may have read it is killed. One thread inspects, and asks for audits: when
        it has begun another, it has told whatever it had read itself.
        """
        end = time.monotonic() + FIND_SECONDS_MAX
        before = set(children(self.service.process.pid))
        for audit in before:
            with suppress(ProcessLookupError):
                os.kill(audit, signal.SIGKILL)
        while not self._hurry() - before:
            if time.monotonic() > end:
                raise RuntimeError(f"{flipped.what}: put back, and no audit begins")
        book = Book.open(self.trial.data)
        try:
            book.release(DAMAGED, f"{flipped.what} is as it was")
        finally:
            book.close()
        while not self._says(""):
            if time.monotonic() > end:
                raise RuntimeError(f"{flipped.what}: put back, and the service is not ready")
            time.sleep(POLL_SECONDS)


def is_right(path: str, body: bytes, good: bytes) -> bool:
    """Whether an answer is the good log's.

    A checkpoint may lack a cosignature whose row is another size's now: the text is the same, the
    log's own signature comes first, and what else is there is what the witnesses said of it.
    """
    if path != CHECKPOINT or not body:
        return body == good
    (text, _, lines), (good_text, _, good_lines) = (one.partition(b"\n\n") for one in (body, good))
    given, whole = lines.splitlines(), good_lines.splitlines()
    return text == good_text and given[:1] == whole[:1] and set(given) <= set(whole)


def flip(data: Path, table: str, column: str, chance: random.Random) -> Flip:
    """Change one bit of one column of one row, or of one file, behind the service's back.

    The database refuses what would be there twice, or is no text: then it is another bit.
    """
    if table == FILE:
        return flip_file(data / column)
    names = [one.name for one in TABLES[table].columns]
    place = names.index(column)
    with closing(Tamper(data)) as tamper:
        rows = [row for row in tamper.rows(table) if row[place] is not None]
        for _ in range(FLIPS_MAX):
            row = chance.choice(rows)
            key, value = tamper.key(table, row), flipped(row[place], chance)
            try:
                tamper.change(table, key, column, value)
            except REFUSED:
                continue
            now = (*key[:place], value, *key[place + 1 :]) if place < len(key) else key
            what = f"{table}.{column} of {key!r}: {row[place]!r:.60} is {value!r:.60}"
            return Flip(
                what, entry_of(table, row), partial(put_back, data, table, now, column, row)
            )
    raise RuntimeError(f"no bit of {table}.{column} can be flipped in {FLIPS_MAX} tries")


def put_back(data: Path, table: str, key: Key, column: str, row: Row) -> None:
    """Give a column its value again, in the row that has this key now."""
    place = [one.name for one in TABLES[table].columns].index(column)
    with closing(Tamper(data)) as tamper:
        tamper.change(table, key, column, row[place])


def flip_file(path: Path) -> Flip:
    """Change the lowest bit of a file's middle byte."""
    data = path.read_bytes()
    place = len(data) // 2
    path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
    return Flip(f"{FILE} {path.name}", ENTRY, lambda: path.write_bytes(data))


def entry_of(table: str, row: Row) -> int:
    """The entry that a row belongs to; any, where it belongs to none."""
    return int(row[ENTRY_OF[table]]) if table in ENTRY_OF else ENTRY


def flipped(value: Any, chance: random.Random) -> Any:
    """The value with one bit changed."""
    if isinstance(value, int):
        return value ^ (1 << chance.randrange(INTEGER_BITS))
    raw = value.encode() if isinstance(value, str) else value
    if not raw:
        return "\1" if isinstance(value, str) else b"\1"
    place = chance.randrange(len(raw))
    changed = raw[:place] + bytes([raw[place] ^ (1 << chance.randrange(8))]) + raw[place + 1 :]
    return changed.decode("utf-8", "replace") if isinstance(value, str) else changed
