"""Each step of the commit fails, both as "not done" and as "done, but the answer was lost".

The steps are the statements of a real commit, and the commit itself. A table of them is
printed; after each failure the batch is sent again, and stands there exactly once.
"""

from __future__ import annotations

import random
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from faults.trial import Outcome, Trial, prepared_gift

from ledger.book import Book
from ledger.errors import LedgerError

COMMIT = "COMMIT"


class Seam:
    """Makes one statement of the writer's fail, before it is carried out or after it."""

    def __init__(self, book: Book) -> None:
        self.steps: list[str] = []
        self.fail: tuple[int, bool] | None = None
        engine = book.store._writer
        for moment, done in (("before", False), ("after", True)):
            sa.event.listen(
                engine,
                f"{moment}_cursor_execute",
                lambda c, cursor, statement, *rest, done=done: self._step(statement, done),
            )
        sa.event.listen(engine, "commit", self._commit)

    def _step(self, statement: str, done: bool) -> None:
        number = len(self.steps) - done
        if not done:
            self.steps.append(" ".join(statement.split()[:3]))
        if self.fail == (number, done):
            self.fail = None
            raise sa.exc.OperationalError(statement, {}, sqlite3.OperationalError("disk I/O error"))

    def _commit(self, connection: sa.Connection) -> None:
        number = len(self.steps)
        self.steps.append(COMMIT)
        if self.fail is not None and self.fail[0] == number:
            if self.fail[1]:
                raw: Any = connection.connection.driver_connection
                raw.execute("COMMIT")
            self.fail = None
            raise sa.exc.OperationalError(COMMIT, {}, sqlite3.OperationalError("disk I/O error"))


def play(folder: Path, *, rounds: int = 0, seed: int = 1) -> Outcome:
    """Play every step both ways; `rounds` takes that many of them by chance, 0 all."""
    trial = Trial(folder, "steps", seed)
    outcome = trial.outcome
    book = Book.open(trial.data)
    table: Counter[str] = Counter()
    try:
        record(trial, book, ["warm"])
        seam = Seam(book)
        record(trial, book, ["count-1", "count-2"])
        count = len(seam.steps)
        every = [(number, done) for number in range(count) for done in (False, True)]
        if rounds:
            every = random.Random(seed).sample(every, min(rounds, len(every)))
        for number, done in every:
            keys = [f"step-{number}-{done}-{part}" for part in range(2)]
            seam.steps, seam.fail = [], (number, done)
            codes = record(trial, book, keys)
            outcome.played += seam.fail is None
            name = seam.steps[number] if number < len(seam.steps) else "?"
            how = "done, answer lost" if done else "not done"
            table[f"{name} ({how}): {', '.join(sorted(set(codes))) or 'answered'}"] += 1
            seam.fail = None
            if record(trial, book, keys) or not set(keys) <= trial.seen.keys():
                outcome.wrong.append(f"{name} ({how}): not recorded afterwards")
    finally:
        book.close()
    outcome.notes += [f"{times} x {row}" for row, times in sorted(table.items())]
    return trial.check()


def record(trial: Trial, book: Book, keys: list[str]) -> list[str]:
    """Record one batch in this process; the codes of what failed."""
    codes: list[str] = []
    for key, future in zip(
        keys, book.sequencer.submit([prepared_gift(book, key) for key in keys]), strict=True
    ):
        try:
            done = future.result(60)
        except LedgerError as error:
            codes.append(error.code)
        else:
            trial.take(key, done.index, done.receipt.decode(), replayed=done.replayed)
    return codes
