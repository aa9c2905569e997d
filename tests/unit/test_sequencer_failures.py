"""The one write path when something fails: every step of a commit, both ways."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from processes import until
from scribe import (
    FIRST_GIFT,
    Scribe,
    StepClock,
    audited,
    gifts,
    open_copy,
    other_book,
    results,
)

from ledger.book import Book
from ledger.errors import (
    FatalError,
    LedgerError,
    NotReadyError,
    OutcomeUnknownError,
)
from ledger.records.request import Prepared
from ledger.store import Appender, postgresql
from ledger.verify import verify_receipt

BRIM = 250
"""The size of a log that six more entries fill to a whole tile."""


@pytest.fixture(autouse=True)
def _unprobed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between a failure and a look at what it left, the writer does not try by itself."""
    monkeypatch.setattr("ledger.sequencer.PROBE_SECONDS", 3600)


@pytest.fixture(scope="module")
def brim_template(world_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The closed folder of a log of `BRIM` entries."""
    folder = tmp_path_factory.mktemp("brim") / "book"
    book = open_copy(world_template, folder, clock=StepClock())
    scribe = Scribe(book)
    scribe.submit(gifts(scribe, BRIM - book.head().size, "brim"))
    book.close()
    return folder


@pytest.fixture
def brim(brim_template: Path, tmp_path: Path) -> Iterator[Scribe]:
    """A scribe in a copy of the log of `BRIM` entries."""
    scribe = warm_copy(brim_template, tmp_path / "brim")
    yield scribe
    scribe.book.close()


def warm_copy(template: Path, folder: Path) -> Scribe:
    """A scribe in a copy of a log, whose writer remembers the state from a first batch."""
    scribe = Scribe(open_copy(template, folder))
    scribe.submit([scribe.gift(1, key="first")])
    return scribe


def touching_all(scribe: Scribe) -> list[Prepared]:
    """Records that touch every table: new accounts, units that leave, a full tile."""
    return [
        *gifts(scribe, 4),
        scribe.prepare("entry.reversed", {"entry": FIRST_GIFT + 2, "reason": "x"}, key="reverse"),
        scribe.prepare("donation.refunded", {"gift": FIRST_GIFT, "reason": "x"}, key="refund"),
        scribe.prepare(
            "goods.moved",
            {
                "shipment": "trip",
                "item": "rice",
                "quantity": 4,
                "unit": "箱",
                "from_site": "depot",
                "to_site": "shop",
            },
            key="trip",
        ),
    ]


COUNT = 7
"""How many these are."""


def once_and_for_all(scribe: Scribe, size: int) -> None:
    """After a failure: send everything again, twice; each record is there exactly once."""
    done = results(scribe.book.sequencer.submit(touching_all(scribe)))
    again = results(scribe.book.sequencer.submit(touching_all(scribe)))
    assert [one.index for one in done] == list(range(size, size + len(done)))
    assert all(one.replayed for one in again)
    assert [one.receipt for one in done] == [one.receipt for one in again]
    assert scribe.book.head().size == size + len(done)
    scribe.book.sequencer.ready()
    audited(scribe.book)


class Fault:
    """Makes the writer's n-th statement fail, before it is carried out or after."""

    def __init__(self, book: Book, moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.statements: list[str] = []
        self.at: int | None = None
        engine = book.store._writer
        sa.event.listen(engine, f"{moment}_cursor_execute", self._step)
        # What goes to a server's driver past SQLAlchemy.
        run = postgresql.run

        def stepped(connection: sa.Connection, statement: str, values: Any = None) -> Any:
            if moment == "before":
                self._step(connection, None, statement)
            cursor = run(connection, statement, values)
            if moment == "after":
                self._step(connection, cursor, statement)
            return cursor

        monkeypatch.setattr(postgresql, "run", stepped)

    def _step(self, connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        number = len(self.statements)
        self.statements.append(statement)
        if number == self.at:
            raise sa.exc.OperationalError(statement, {}, sqlite3.OperationalError("disk I/O error"))


def statements_of_a_batch(template: Path, folder: Path) -> list[str]:
    """The statements that the writer needs for the records."""
    scribe = warm_copy(template, folder)
    with pytest.MonkeyPatch.context() as monkeypatch:
        fault = Fault(scribe.book, "before", monkeypatch)
        scribe.submit(touching_all(scribe))
        scribe.book.close()
    return fault.statements


def positions(statements: list[str]) -> list[int]:
    """Which of them to make fail: each kind of statement where it comes first and last.

    A server's commit begins with SET LOCAL: its failure is one of the commit, which is asked
    again by the keys (the tests of commits below).
    """
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for step, statement in enumerate(statements):
        if not statement.startswith("SET LOCAL"):
            first.setdefault(statement, step)
            last[statement] = step
    return sorted({*first.values(), *last.values()})


@pytest.mark.fault
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_failed_statement_leaves_nothing(
    brim_template: Path, tmp_path: Path, moment: str
) -> None:
    statements = statements_of_a_batch(brim_template, tmp_path / "count")
    written = {one.split()[2].strip('"') for one in statements if one.startswith("INSERT INTO")}
    assert written > {"entry", "tile", "edge", "vault", "flow", "account", "pool", "state_object"}
    assert any(one.replace('"', "").startswith("DELETE FROM holding") for one in statements)
    for step in positions(statements):
        scribe = warm_copy(brim_template, tmp_path / f"step-{step}")
        book, head = scribe.book, scribe.book.head()
        with pytest.MonkeyPatch.context() as monkeypatch:
            fault = Fault(book, moment, monkeypatch)
            fault.at = step
            for future in book.sequencer.submit(touching_all(scribe)):
                assert isinstance(future.exception(60), FatalError), statements[step]
            assert book.head() == head
            with pytest.raises(NotReadyError, match="no record can be written now"):
                book.sequencer.ready()
            assert book.sequencer.stats()["failed"] == COUNT
            fault.at = None
        once_and_for_all(scribe, head.size)
        book.close()


Commit = Callable[[Appender], None]


def failing_commits(monkeypatch: pytest.MonkeyPatch, times: int, *, done: bool) -> list[int]:
    """Make the next commits fail with an unknown outcome, having been done or not."""
    commit: Commit = Appender.commit
    calls: list[int] = []

    def fail(appender: Appender) -> None:
        calls.append(len(calls))
        if len(calls) <= times:
            if done:
                commit(appender)
            raise OutcomeUnknownError("the commit failed") from NotReadyError("it is away")
        commit(appender)

    monkeypatch.setattr(Appender, "commit", fail)
    return calls


@pytest.mark.fault
@pytest.mark.parametrize("done", [True, False])
def test_a_commit_of_unknown_outcome_is_found_out(
    brim: Scribe, monkeypatch: pytest.MonkeyPatch, done: bool
) -> None:
    size = brim.book.head().size
    calls = failing_commits(monkeypatch, 1, done=done)
    answers = results(brim.book.sequencer.submit(touching_all(brim)))
    assert len(calls) == (1 if done else 2)
    assert [one.index for one in answers] == list(range(size, size + COUNT))
    assert [one.replayed for one in answers] == [done] * COUNT
    for answer in answers[:3]:
        verify_receipt(answer.receipt, brim.book.verifier_keys)
    once_and_for_all(brim, size)


@pytest.mark.fault
def test_an_outcome_that_stays_unknown_is_told(
    brim: Scribe, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = brim.book.head()
    failing_commits(monkeypatch, 2, done=False)
    for future in brim.book.sequencer.submit(touching_all(brim)):
        assert isinstance(future.exception(60), OutcomeUnknownError)
    # Who asks whether it is ready is told the cause, and what to do.
    with pytest.raises(NotReadyError, match="no record can be written now: it is away"):
        brim.book.sequencer.ready()
    assert brim.book.head() == head
    once_and_for_all(brim, head.size)


@pytest.mark.fault
@pytest.mark.parametrize("done", [True, False])
def test_a_crash_at_the_commit(brim: Scribe, monkeypatch: pytest.MonkeyPatch, done: bool) -> None:
    """The writer's thread meets an error that nobody foresaw, after or before the commit."""
    size = brim.book.head().size
    commit: Commit = Appender.commit
    with monkeypatch.context() as patch:

        def crash(appender: Appender) -> None:
            if done:
                commit(appender)
            raise RuntimeError("unforeseen")

        patch.setattr(Appender, "commit", crash)
        for future in brim.book.sequencer.submit(touching_all(brim)):
            error = future.exception(60)
            assert isinstance(error, FatalError)
            assert "unforeseen" not in str(error)
    assert brim.book.head().size == size + (COUNT if done else 0)
    once_and_for_all(brim, size)


@pytest.mark.fault
@pytest.mark.parametrize(
    "name",
    [
        "Keyring.sign",
        "verify_inclusions",
        "leaf_hash",
        "Vault.encrypt",
        "State.drain",
        "TileWriter.extend",
    ],
)
def test_a_failure_between_the_statements(
    brim: Scribe, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    head = brim.book.head()

    def fail(*args: Any, **more: Any) -> Any:
        raise FatalError("broken")

    with monkeypatch.context() as patch:
        place = "appending" if name == "leaf_hash" else "sequencer"
        patch.setattr(f"ledger.{place}.{name}", fail)
        for future in brim.book.sequencer.submit(touching_all(brim)):
            with pytest.raises(FatalError, match="broken"):
                future.result(60)
    assert brim.book.head() == head
    once_and_for_all(brim, head.size)


@pytest.mark.fault
def test_another_process_appends_between_a_failure_and_its_repetition(
    brim: Scribe, monkeypatch: pytest.MonkeyPatch
) -> None:
    with other_book(brim.book) as other:
        failing_commits(monkeypatch, 2, done=False)
        for future in brim.book.sequencer.submit(touching_all(brim)):
            assert isinstance(future.exception(60), LedgerError)
        between = other.sequencer.record(Scribe(other).gift(5))
        once_and_for_all(brim, between.index + 1)


@pytest.mark.fault
def test_an_idle_writer_becomes_ready_again_by_itself(
    brim: Scribe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.sequencer.PROBE_SECONDS", 0.01)
    with monkeypatch.context() as broken:
        failing_commits(broken, 2, done=False)
        for future in brim.book.sequencer.submit(gifts(brim, 1)):
            assert isinstance(future.exception(60), OutcomeUnknownError)
    until(lambda: brim.book.sequencer._trouble is None)
    brim.book.sequencer.ready()
    once_and_for_all(brim, brim.book.head().size)
