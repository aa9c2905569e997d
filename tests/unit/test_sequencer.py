"""The one write path: batches, repetitions, the clock, two writers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from scribe import FIRST_GIFT, Scribe, StepClock, audited, gifts, other_book, results, whole_log
from tamper import Tamper

from ledger.book import Book
from ledger.errors import (
    ConflictError,
    CorruptionError,
    FatalError,
    LedgerError,
    NotReadyError,
    QueueFullError,
    RejectedError,
)
from ledger.recorded import recall
from ledger.sequencer import BATCH_MAX, Sequencer, utc_now
from ledger.store import Appender
from ledger.verify import verify_receipt


class Gate:
    """Stops the writer at the store's door until it is opened."""

    def __init__(self, book: Book) -> None:
        self.batches = 0
        self._open = threading.Event()
        self._waiting = threading.Event()
        self._append = book.store.append
        book.store.append = self._gated  # type: ignore[method-assign]

    @contextmanager
    def _gated(self) -> Iterator[Appender]:
        self._waiting.set()
        assert self._open.wait(60)
        self.batches += 1
        with self._append() as appender:
            yield appender

    def reached(self) -> None:
        """Wait until the writer stands at the door."""
        assert self._waiting.wait(60)

    def open(self) -> None:
        """Let the writer through, from now on."""
        self._open.set()


def checkpoint_sizes(book: Book) -> list[int]:
    """The sizes at which a checkpoint was signed."""
    with book.store.read() as reader:
        return [size for size, _ in reader.checkpoints(0, 10_000)]


# Batches


def test_a_receipt_is_finished_and_verifies(world: Scribe) -> None:
    before = world.book.head().size
    done = results(world.book.sequencer.submit(gifts(world, 5)))
    head = world.book.head()
    assert [one.index for one in done] == list(range(before, before + 5))
    for one in done:
        verified = verify_receipt(one.receipt, world.book.verifier_keys)
        assert verified.checkpoint.size == one.size <= head.size
        assert verified.entry.index == one.index
        assert verified.leaf_hash == one.leaf_hash
        assert verified.values["donor_name"] == "示例捐赠人"
        assert not one.replayed
        assert "示例捐赠人" not in repr(one)
    audited(world.book)


def test_what_waits_is_appended_in_batches(world: Scribe) -> None:
    gate = Gate(world.book)
    before = world.book.head().size
    sequencer = Sequencer(
        world.book.store, world.book.vault, world.book.origin, world.book.keyring, batch_max=4
    )
    futures = sequencer.submit(gifts(world, 10))
    gate.open()
    done = results(futures)
    sequencer.close()
    assert gate.batches == 3
    assert [one.size - before for one in done] == [4, 4, 4, 4, 8, 8, 8, 8, 10, 10]
    assert checkpoint_sizes(world.book)[-3:] == [before + 4, before + 8, before + 10]
    stats = sequencer.stats()
    assert (stats["batches"], stats["entries"], stats["batch_size_last"]) == (3, 10, 2)
    assert (stats["queue_length"], stats["rejected"], stats["failed"]) == (0, 0, 0)
    assert stats["commit_seconds_last"] > 0
    audited(world.book)


def test_a_batch_is_one_commit(world: Scribe) -> None:
    before = world.book.head().size
    gate = Gate(world.book)
    first = world.book.sequencer.submit([world.gift(1)])
    gate.reached()
    rest = world.book.sequencer.submit(gifts(world, BATCH_MAX))
    gate.open()
    results([*first, *rest])
    # What came while the first waited for the lock went with it, as far as there was room.
    assert checkpoint_sizes(world.book)[-2:] == [before + BATCH_MAX, before + BATCH_MAX + 1]
    times = [entry.recorded_at for entry in whole_log(world.book)[-1 - BATCH_MAX : -1]]
    assert len(set(times)) == 1
    audited(world.book)


def test_an_empty_submission_is_nothing(world: Scribe) -> None:
    assert world.book.sequencer.submit([]) == []


def test_records_that_are_waited_for_together_have_one_answer(world: Scribe) -> None:
    together = world.book.sequencer.submit_together
    assert together([]).result() == []
    done = together(gifts(world, 3)).result()
    assert [one.index for one in done] == list(range(done[0].index, done[0].index + 3))
    # Repetitions are answered beside the writer, and in their places all the same.
    again = together([world.gift(9, key="ninth"), *gifts(world, 3)]).result()
    assert [one.index for one in again] == [done[-1].index + 1, *(one.index for one in done)]
    assert [one.replayed for one in again] == [False, True, True, True]
    future = world.gift(1, day="2099-01-01", key="future")
    unknown = world.prepare("donation.money", {"fund": "none", "channel": "x", "amount_fen": 1})
    with pytest.raises(RejectedError) as refused:
        together([world.gift(10, key="tenth"), future, unknown]).result()
    assert refused.value.code == "occurs_in_future"
    assert world.book.sequencer.record(world.gift(10, key="tenth")).replayed
    audited(world.book)


def test_a_rejected_record_fails_alone(world: Scribe) -> None:
    gate = Gate(world.book)
    before = world.book.head().size
    good = gifts(world, 3)
    bad = [
        world.gift(1, day="2099-01-01", key="bad-1"),
        world.prepare("donation.money", {"fund": "none", "channel": "x", "amount_fen": 1}),
        world.prepare(
            "aid.paid",
            {"fund": "school", "purpose": "student-aid", "amount_fen": 1, "payee_class": "x"},
        ),
    ]
    mixed = [bad[0], good[0], bad[1], good[1], bad[2], good[2]]
    futures = world.book.sequencer.submit(mixed)
    gate.open()
    for future in futures[::2]:
        with pytest.raises(RejectedError):
            future.result()
    assert [one.index for one in results(futures[1::2])] == [before, before + 1, before + 2]
    assert gate.batches == 1
    assert world.book.sequencer.stats()["rejected"] == 3
    with world.book.store.read() as reader:
        assert reader.idempotency([one.row.key for one in bad]) == {}
    audited(world.book)


def test_the_key_of_a_rejected_record_may_be_used_again(world: Scribe) -> None:
    with pytest.raises(RejectedError):
        world.record(
            "donation.money",
            {"fund": "general", "channel": "x", "amount_fen": 1},
            {"order_number": "AGAIN"},
            key="again",
            day="2099-01-01",
        )
    done = world.record(
        "donation.money",
        {"fund": "general", "channel": "x", "amount_fen": 2},
        {"order_number": "AGAIN"},
        key="again",
    )
    assert not done.replayed


def test_a_batch_of_rejected_records_signs_nothing(world: Scribe) -> None:
    head = world.book.head()
    for future in world.book.sequencer.submit([world.gift(1, day="2099-01-01")] * 3):
        with pytest.raises(RejectedError):
            future.result()
    assert world.book.head() == head
    assert world.book.sequencer.stats()["batches"] == 0


def test_records_of_one_batch_see_each_other(world: Scribe) -> None:
    gate = Gate(world.book)
    first = world.book.head().size
    records = [
        world.prepare("fund.opened", {"code": "new", "name": "新", "fund_class": "unrestricted"}),
        world.prepare("donation.money", {"fund": "new", "channel": "x", "amount_fen": 100}),
        world.prepare("fund.opened", {"code": "new", "name": "新", "fund_class": "unrestricted"}),
        world.prepare(
            "aid.paid", {"fund": "new", "purpose": "x", "amount_fen": 30, "payee_class": "x"}
        ),
        world.prepare("donation.refunded", {"gift": first + 1, "amount_fen": 70, "reason": "x"}),
        world.prepare("entry.reversed", {"entry": first + 2, "reason": "x"}),
        world.prepare("entry.reversed", {"entry": first + 1, "reason": "x"}),
    ]
    futures = world.book.sequencer.submit(records)
    gate.open()
    outcomes = [getattr(one.exception(), "code", None) for one in futures]
    assert outcomes == [None, None, "code_taken", None, None, None, "units_moved_on"]
    assert gate.batches == 1
    audited(world.book)


# Repetitions


def test_a_repetition_gets_the_same_receipt(world: Scribe) -> None:
    first = world.book.sequencer.record(gifts(world, 1)[0])
    world.submit([world.gift(5)])
    again = world.book.sequencer.record(gifts(world, 1)[0])
    assert again.replayed
    assert again.receipt == first.receipt
    assert (again.index, again.leaf_hash, again.size) == (first.index, first.leaf_hash, first.size)
    assert world.book.sequencer.stats()["replayed"] == 1
    with world.book.store.read() as reader:
        assert recall(reader, world.book.vault, first.index) == again
    audited(world.book)


def test_a_repetition_in_one_batch(world: Scribe) -> None:
    gate = Gate(world.book)
    one = gifts(world, 1)
    futures = world.book.sequencer.submit([*one, *gifts(world, 1), *gifts(world, 2)])
    gate.open()
    done = results(futures)
    assert gate.batches == 1
    assert len({answer.receipt for answer in done}) == 2
    assert [answer.replayed for answer in done] == [False, True, True, False]
    assert done[0].index == done[1].index == done[2].index
    audited(world.book)


@pytest.mark.parametrize("together", [True, False])
def test_a_key_with_another_content_is_a_conflict(world: Scribe, together: bool) -> None:
    records = [world.gift(1, key="k"), world.gift(2, key="k"), world.gift(1, key="k", by="other")]
    if together:
        gate = Gate(world.book)
        futures = world.book.sequencer.submit(records)
        gate.open()
    else:
        futures = [world.book.sequencer.submit([one])[0] for one in records]
    done = results(futures[:1])
    for future in futures[1:]:
        with pytest.raises(ConflictError, match="'k' was used for another record") as caught:
            future.result()
        assert (caught.value.code, caught.value.field) == (
            "idempotency_conflict",
            "Idempotency-Key",
        )
    assert world.book.head().size == done[0].index + 1
    audited(world.book)


@pytest.mark.parametrize("together", [True, False])
def test_an_order_enters_once(world: Scribe, together: bool) -> None:
    records = [
        world.gift(1, key="a", sealed={"order_number": "ORDER-X"}),
        world.gift(1, key="b", sealed={"order_number": "ORDER-X"}),
        world.gift(9, key="c", sealed={"order_number": "ORDER-X"}),
        world.gift(1, key="d", sealed={"order_number": "ORDER-Y"}),
    ]
    gate = Gate(world.book)
    if together:
        futures = world.book.sequencer.submit(records)
        gate.open()
    else:
        gate.open()
        futures = [world.book.sequencer.submit([one])[0] for one in records]
    first = futures[0].result()
    for future in futures[1:3]:
        with pytest.raises(ConflictError, match=f"recorded by entry {first.index}") as caught:
            future.result()
        assert caught.value.code == "order_number_recorded"
        assert caught.value.field == "sealed.order_number"
        assert caught.value.details == {"entry": first.index}
    assert futures[3].result().index == first.index + 1
    assert world.book.sequencer.record(records[0]).replayed
    audited(world.book)


def test_the_order_of_another_kind_of_record_is_its_own(world: Scribe) -> None:
    fields = {"gift": FIRST_GIFT, "amount_fen": 1, "reason": "x"}
    for _ in range(2):
        world.tell("donation.refunded", fields, {"order_number": "ORDER-1"})


def test_a_repetition_that_cannot_be_read_fails_alone(
    world: Scribe, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = gifts(world, 1)[0]
    first = world.book.sequencer.record(record)
    decrypt = type(world.book.vault).decrypt

    def fail(vault: Any, index: int, data: bytes) -> Any:
        if index == first.index:
            raise CorruptionError("altered")
        return decrypt(vault, index, data)

    monkeypatch.setattr(type(world.book.vault), "decrypt", fail)
    gate = Gate(world.book)
    futures = world.book.sequencer.submit([world.gift(7), record, world.gift(8)])
    gate.open()
    with pytest.raises(CorruptionError, match="altered"):
        futures[1].result()
    assert [futures[0].result().index, futures[2].result().index] == [
        first.index + 1,
        first.index + 2,
    ]


@pytest.mark.parametrize(
    ("failure", "told", "text"),
    [
        (NotReadyError("all readers are busy"), NotReadyError, "all readers are busy"),
        (RuntimeError("unforeseen"), FatalError, "in the server's log"),
    ],
)
def test_every_repetition_is_answered_when_the_store_cannot_be_read(
    world: Scribe,
    monkeypatch: pytest.MonkeyPatch,
    failure: Exception,
    told: type[LedgerError],
    text: str,
) -> None:
    results(world.book.sequencer.submit(gifts(world, 3)))
    records = [*gifts(world, 3), world.gift(50)]

    def fail() -> Any:
        raise failure

    with monkeypatch.context() as patch:
        patch.setattr(world.book.store, "read", fail)
        futures = world.book.sequencer.submit(records)
        for future in futures[:3]:
            with pytest.raises(told, match=text):
                future.result(60)
        assert not futures[3].result(60).replayed
    assert all(one.replayed for one in results(world.book.sequencer.submit(gifts(world, 3))))


def test_what_is_stored_must_prove_a_repetition(world: Scribe) -> None:
    first = world.book.sequencer.record(gifts(world, 1)[0])
    with closing(Tamper(world.book.folder)) as tamper:
        edges, checkpoints = tamper.rows("edge"), tamper.rows("checkpoint")
        tamper.replace("edge", [(0, bytes(len(edges[0][1]))), *edges[1:]])
        with pytest.raises(CorruptionError, match="do not prove entry") as caught:
            world.book.sequencer.record(gifts(world, 1)[0])
        assert caught.value.details == {"index": first.index, "size": first.size}
        tamper.replace("edge", edges)
        tamper.replace("checkpoint", checkpoints[:-1])
        with pytest.raises(CorruptionError, match="no checkpoint covers"):
            world.book.sequencer.record(gifts(world, 1)[0])
        tamper.replace("checkpoint", checkpoints)
    assert world.book.sequencer.record(gifts(world, 1)[0]).receipt == first.receipt


def test_an_erased_opening_is_recalled_without_it(world: Scribe) -> None:
    record = gifts(world, 1)[0]
    first = world.book.sequencer.record(record)
    row = replace(record.row, seed=None, values=None)
    with closing(Tamper(world.book.folder)) as tamper:
        tamper.change(
            "vault", (first.index,), "ciphertext", world.book.vault.encrypt(first.index, row)
        )
    again = world.book.sequencer.record(record)
    assert again.replayed
    assert again.opening.seed is None
    verified = verify_receipt(again.receipt, world.book.verifier_keys)
    assert verified.hidden == ("donor_name", "order_number")


# The queue


def test_a_full_queue_takes_all_or_none(world: Scribe, tmp_path: Path) -> None:
    book = Book.open(world.book.folder, queue_max=3)
    gate = Gate(book)
    first = book.sequencer.submit([world.gift(1)])
    gate.reached()
    waiting = book.sequencer.submit([world.gift(2), world.gift(3)])
    with pytest.raises(QueueFullError, match="at most 3 records and has 2"):
        book.sequencer.submit([world.gift(4), world.gift(5)])
    waiting += book.sequencer.submit([world.gift(6)])
    assert book.sequencer.stats()["queue_length"] == 3
    assert book.sequencer.stats()["queue_max"] == 3
    gate.open()
    amounts = [one.opening.entry for one in results([*first, *waiting])]
    assert [
        b'"amount_fen":%d,' % number in data
        for number, data in zip((1, 2, 3, 6), amounts, strict=True)
    ] == [True] * 4
    book.close()
    audited(world.book)


def test_closing_finishes_the_queue(world: Scribe) -> None:
    gate = Gate(world.book)
    sequencer = world.book.sequencer
    futures = sequencer.submit(gifts(world, 3))
    closing = threading.Thread(target=sequencer.close)
    gate.reached()
    more = sequencer.submit(gifts(world, 4))
    closing.start()
    gate.open()
    closing.join(60)
    assert all(future.done() for future in [*futures, *more])
    with pytest.raises(NotReadyError, match="stopping"):
        sequencer.submit(gifts(world, 5))
    with pytest.raises(NotReadyError, match="stopped"):
        sequencer.ready()
    sequencer.close()
    audited(world.book)


def test_a_cancelled_answer_is_recorded_all_the_same(world: Scribe) -> None:
    gate = Gate(world.book)
    (future,) = world.book.sequencer.submit([world.gift(1, key="cancelled")])
    assert future.cancel()
    gate.open()
    again = world.book.sequencer.record(world.gift(1, key="cancelled"))
    assert again.replayed


def test_memory_that_is_emptied_after_each_batch_changes_nothing(
    world: Scribe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.state.CACHED_OBJECTS_MAX", 0)
    monkeypatch.setattr("ledger.state.CACHED_ACCOUNTS_MAX", 0)
    for _ in range(3):
        gift, _ = world.submit([world.gift(10), world.gift(20)])
        world.tell("donation.refunded", {"gift": gift.index, "amount_fen": 3, "reason": "x"})
        world.tell("entry.reversed", {"entry": gift.index + 2, "reason": "x"})
    audited(world.book)


# The clock


def test_a_clock_that_goes_back_is_held(world: Scribe) -> None:
    clock = world.book._clock
    assert isinstance(clock, StepClock)
    world.submit([world.gift(1)])
    clock.now -= timedelta(days=1)
    for number in (2, 3):
        world.submit([world.gift(number, day="2022-01-09")])
    clock.now += timedelta(days=2)
    world.submit([world.gift(4)])
    first, held, held_too, later = (entry.recorded_at for entry in whole_log(world.book)[-4:])
    assert first == held == held_too
    assert later > held
    audited(world.book)


def test_a_held_clock_holds_the_day_too(world: Scribe) -> None:
    clock = world.book._clock
    assert isinstance(clock, StepClock)
    clock.now += timedelta(days=1)
    world.submit([world.gift(1, day="2022-01-11")])
    clock.now -= timedelta(days=1)
    world.submit([world.gift(2, day="2022-01-11")])
    audited(world.book)


def test_the_day_is_that_of_shanghai(world: Scribe) -> None:
    clock = world.book._clock
    assert isinstance(clock, StepClock)
    clock.now = clock.now.replace(hour=15, minute=59, second=50)
    with pytest.raises(RejectedError, match="after today, 2022-01-10"):
        world.submit([world.gift(1, day="2022-01-11")])
    clock.now += timedelta(seconds=10)
    world.submit([world.gift(2, day="2022-01-11")])
    audited(world.book)


def test_the_clock_of_the_system_is_in_utc() -> None:
    assert utc_now().utcoffset() == timedelta(0)


# Two writers


def test_two_processes_take_turns(world: Scribe) -> None:
    with other_book(world.book) as other:
        scribes = [world, Scribe(other)]
        for number in range(12):
            index = scribes[number % 2].tell(
                "donation.money",
                {"fund": "general", "channel": f"writer-{number % 2}", "amount_fen": 10},
                key=f"turn-{number}",
            )
            paid = scribes[(number + 1) % 2].tell(
                "donation.refunded", {"gift": index, "amount_fen": 4, "reason": "x"}
            )
            assert paid == index + 1
        for number in range(12):
            fields = {"fund": "general", "channel": f"writer-{number % 2}", "amount_fen": 10}
            again = scribes[(number + 1) % 2].record("donation.money", fields, key=f"turn-{number}")
            assert again.replayed
        audited(other)
    audited(world.book)


def test_two_processes_at_once(world: Scribe) -> None:
    before = world.book.head().size
    with other_book(world.book) as other:
        records = gifts(world, 60)
        mine = [world.book.sequencer.submit([one])[0] for one in records]
        theirs = [other.sequencer.submit([one])[0] for one in reversed(records)]
        first = results(mine)
        second = results(theirs)[::-1]
        assert [one.receipt for one in first] == [one.receipt for one in second]
        assert sorted(one.index for one in first) == list(range(before, before + 60))
        assert all(one.replayed != two.replayed for one, two in zip(first, second, strict=True))
        assert other.head() == world.book.head()
    assert len(set(checkpoint_sizes(world.book))) == len(checkpoint_sizes(world.book))
    audited(world.book)
