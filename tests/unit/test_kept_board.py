"""The kept board: fresh in a small log, and never waited for in a large one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from scribe import Scribe, tell_rules

from ledger.attention import Board, KeptBoard, board, kept
from ledger.store import Reader

SECONDS_MAX = 60


class Clock:
    """Seconds that pass when a search is made."""

    def __init__(self) -> None:
        self.now, self.search = 0.0, 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock that each search takes forward by `search` seconds."""
    found = Clock()

    def attend(reader: Reader, day: str, *, stopping: Callable[[], bool]) -> Board:
        answer = board.attend(reader, day, stopping=stopping)
        found.now += found.search
        return answer

    monkeypatch.setattr(kept, "attend", attend)
    return found


@pytest.fixture
def boards(world: Scribe, clock: Clock) -> Iterator[KeptBoard]:
    found = KeptBoard(world.book.store.read, lambda: "2022-12-31", clock)
    yield found
    found.close()


def asked(world: Scribe, boards: KeptBoard) -> Board:
    with world.book.store.read() as reader:
        return boards.of(reader)


def test_a_quick_search_is_made_for_each_size(world: Scribe, boards: KeptBoard) -> None:
    before = asked(world, boards)
    world.submit([world.gift(100)])
    assert asked(world, boards).size == before.size + 1 == world.book.head().size


def test_a_slow_search_is_made_beside(world: Scribe, boards: KeptBoard, clock: Clock) -> None:
    clock.search = 10.0
    before = asked(world, boards)
    world.submit([world.gift(100)])
    assert asked(world, boards).size == before.size
    assert boards._thread is None, "no search so soon after the last"
    clock.now += kept.REST * clock.search
    assert asked(world, boards).size == before.size
    assert boards._thread is not None
    boards.settle()
    assert asked(world, boards).size == before.size + 1


def test_a_decision_counts_at_once(world: Scribe, boards: KeptBoard, clock: Clock) -> None:
    tell_rules(world, [("ageing", {"subject": "unspent_restricted", "days": 30})])
    world.tell("donation.money", {"fund": "relief", "channel": "bank", "amount_fen": 100})
    clock.search = 10.0
    item = next(one for one in asked(world, boards).items if one.entries)
    fields = {"flag": item.code, "entries": list(item.entries)}
    decision = {**fields, "decision": "in_order", "reason": "已核对"}
    world.tell("attention.disposed", decision, by="auditor-1")
    after = {(one.code, one.entries): one for one in asked(world, boards).items}
    found: Any = after[item.code, item.entries].disposition
    assert found["decision"] == "in_order"


def test_a_large_log_is_searched_before_anybody_asks(
    world: Scribe, boards: KeptBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    boards.begin()
    assert boards._thread is None
    monkeypatch.setattr(kept, "LARGE", 1)
    boards.begin()
    assert boards._thread is not None
    boards.settle()
    assert boards._board is not None


def test_closing_ends_a_search(world: Scribe, monkeypatch: pytest.MonkeyPatch) -> None:
    boards = KeptBoard(world.book.store.read, lambda: "2022-12-31")
    began = threading.Event()

    def attend(reader: Reader, day: str, *, stopping: Callable[[], bool]) -> Board:
        began.set()
        while True:
            board.attend(reader, day, stopping=stopping)

    monkeypatch.setattr(kept, "attend", attend)
    monkeypatch.setattr(kept, "LARGE", 1)
    boards.begin()
    assert began.wait(SECONDS_MAX)
    boards.close()
    assert boards._thread is not None
    assert not boards._thread.is_alive()
