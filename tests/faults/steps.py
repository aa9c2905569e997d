"""Each step of the commit fails, both as "not done" and as "done, but the answer was lost".

The steps are the statements of a real commit, and the commit itself. A table of them is
printed; after each failure the batch is sent again, and stands there exactly once. On a
server a step fails by the loss of the connection, which is closed there and then.
"""

from __future__ import annotations

import random
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psycopg
import sqlalchemy as sa
from faults.database import new_url
from faults.trial import ANSWER_SECONDS_MAX, Outcome, Trial, prepared_gift
from postgresql_server import Databases

from ledger.book import Book
from ledger.errors import LedgerError

COMMIT = "COMMIT"


class Seam:
    """Makes one step of the writer's fail, before it is carried out or after it.

    Attributes:
        steps: What the running batch has done so far.
        fail: The number of the step that is to fail, and whether after it was done.
    """

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.fail: tuple[int, bool] | None = None

    def is_due(self, number: int, *, done: bool) -> bool:
        """Whether this step fails now; it does so once."""
        if self.fail != (number, done):
            return False
        self.fail = None
        return True


@contextmanager
def file_seam(book: Book) -> Iterator[Seam]:
    """The statements that SQLAlchemy hands to SQLite."""
    seam, engine = Seam(), book.store._writer

    def step(statement: str, *, done: bool) -> None:
        if not done:
            seam.steps.append(_name(statement))
        if seam.is_due(len(seam.steps) - 1, done=done):
            raise sa.exc.OperationalError(statement, {}, sqlite3.OperationalError("disk I/O error"))

    def commit(connection: sa.Connection) -> None:
        number = len(seam.steps)
        seam.steps.append(COMMIT)
        fails_after = seam.is_due(number, done=True)
        if fails_after:
            raw: Any = connection.connection.driver_connection
            raw.execute(COMMIT)
        if fails_after or seam.is_due(number, done=False):
            raise sa.exc.OperationalError(COMMIT, {}, sqlite3.OperationalError("disk I/O error"))

    for moment, done in (("before", False), ("after", True)):
        sa.event.listen(
            engine,
            f"{moment}_cursor_execute",
            lambda c, cursor, statement, *rest, done=done: step(statement, done=done),
        )
    sa.event.listen(engine, "commit", commit)
    yield seam


@contextmanager
def server_seam() -> Iterator[Seam]:
    """What the writer's thread asks of the driver: statements, COPY and the commit."""
    seam = Seam()

    def broken(real: Callable[..., Any], name: Callable[..., str]) -> Callable[..., Any]:
        def step(self: Any, *values: Any, **named: Any) -> Any:
            if threading.current_thread().name != "sequencer":
                return real(self, *values, **named)
            number = len(seam.steps)
            seam.steps.append(name(*values))
            connection = self if isinstance(self, psycopg.Connection) else self.connection
            if seam.is_due(number, done=False):
                connection.close()
                raise psycopg.OperationalError("the connection was lost")
            answer = real(self, *values, **named)
            if seam.is_due(number, done=True):
                connection.close()
                raise psycopg.OperationalError("the connection was lost")
            return answer

        return step

    with ExitStack() as stack:
        for owner, method, name in (
            (psycopg.Cursor, "execute", _name),
            (psycopg.Cursor, "copy", _name),
            (psycopg.Connection, "commit", lambda: COMMIT),
        ):
            real = getattr(owner, method)
            stack.enter_context(patch.object(owner, method, broken(real, name)))
        yield seam


def _name(statement: Any, *_: Any) -> str:
    return " ".join(str(statement).split()[:3])


def play(
    folder: Path, *, rounds: int = 0, seed: int = 1, place: Databases | None = None
) -> Outcome:
    """Play every step both ways; `rounds` takes that many of them by chance, 0 all."""
    trial = Trial(folder, "steps", seed, database=new_url(place))
    outcome = trial.outcome
    book = Book.open(trial.data)
    table: Counter[str] = Counter()
    try:
        record(trial, book, ["warm"])
        with file_seam(book) if place is None else server_seam() as seam:
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
            done = future.result(ANSWER_SECONDS_MAX)
        except LedgerError as error:
            codes.append(error.code)
        else:
            trial.take(key, done.index, done.receipt.decode(), replayed=done.replayed)
    return codes
