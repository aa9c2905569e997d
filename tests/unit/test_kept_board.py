"""The kept board: fresh in a small log, and never waited for in a large one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from scribe import Scribe, tell_rules

from ledger.attention import Board, KeptBoard, board, kept
from ledger.errors import ConflictError, NotReadyError
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


def asked(world: Scribe, boards: KeptBoard, day: str | None = None) -> Board:
    with world.book.store.read() as reader:
        return boards.of(reader, day=day)


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


def test_a_day_that_is_asked_for_is_fresh_in_a_small_ledger(
    world: Scribe, boards: KeptBoard, clock: Clock
) -> None:
    clock.search = 10.0
    for day in ("2021-12-31", "2022-12-31", "2021-12-31"):
        world.submit([world.gift(100)])
        found = asked(world, boards, day)
        assert (found.day, found.size) == (day, world.book.head().size)


def test_a_day_of_a_large_ledger_is_searched_beside(
    world: Scribe, boards: KeptBoard, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "LARGE", 1)
    clock.search = 10.0
    asked(world, boards)
    day = "2021-12-31"
    with pytest.raises(NotReadyError, match="ask again in about 101 seconds"):
        asked(world, boards, day)
    assert boards._thread is None, "no search so soon after the last"
    clock.now += kept.REST * clock.search
    with pytest.raises(NotReadyError):
        asked(world, boards, day)
    boards.settle()
    before = asked(world, boards, day)
    assert (before.day, before.size) == (day, world.book.head().size)
    world.submit([world.gift(100)])
    assert asked(world, boards, day) == before
    assert asked(world, boards).day == "2022-12-31"


def test_another_process_goes_on_in_a_list_of_the_newest_size(
    world: Scribe, boards: KeptBoard, clock: Clock
) -> None:
    before = asked(world, boards)
    other = KeptBoard(world.book.store.read, world.book.today, clock)
    try:
        with world.book.store.read() as reader:
            assert other.again(reader, before.size, before.day) == before
        world.submit([world.gift(100)])
        with world.book.store.read() as reader, pytest.raises(ConflictError):
            KeptBoard(world.book.store.read, world.book.today).again(
                reader, before.size, before.day
            )
    finally:
        other.close()


def test_a_board_is_gone_on_in_while_it_is_kept(world: Scribe, boards: KeptBoard) -> None:
    before = asked(world, boards)
    for _ in range(kept.BOARDS_MAX - 1):
        world.submit([world.gift(100)])
        asked(world, boards)
    with world.book.store.read() as reader:
        assert boards.again(reader, before.size, before.day) == before
        with pytest.raises(ConflictError):
            boards.again(reader, before.size, "2021-12-31")
    world.submit([world.gift(100)])
    asked(world, boards)
    with world.book.store.read() as reader, pytest.raises(ConflictError):
        boards.again(reader, before.size, before.day)


def test_a_page_for_anybody_waits_for_no_newer_board(
    world: Scribe, boards: KeptBoard, clock: Clock
) -> None:
    def newest() -> Board | None:
        with world.book.store.read() as reader:
            return boards.newest(reader)

    clock.search = 1 / 16  # A search for each size would be quick enough.
    before = newest()
    world.submit([world.gift(100)])
    assert newest() == before
    assert boards._thread is None, "no search so soon after the last"
    clock.now += kept.REST * clock.search
    assert newest() == before
    boards.settle()
    after = newest()
    assert before is not None
    assert after is not None
    assert after.size == before.size + 1


@pytest.mark.parametrize("since_max", [board.SINCE_MAX, 1])
def test_a_decision_counts_at_once(
    world: Scribe,
    boards: KeptBoard,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    since_max: int,
) -> None:
    monkeypatch.setattr(board, "SINCE_MAX", since_max)
    tell_rules(world, [("ageing", {"subject": "unspent_restricted", "days": 30})])
    world.tell("donation.money", {"fund": "relief", "channel": "bank", "amount_fen": 100})
    clock.search = 10.0
    before = asked(world, boards)
    item = next(one for one in before.items if one.entries)
    fields = {"flag": item.code, "entries": list(item.entries)}
    decision = {**fields, "decision": "in_order", "reason": "已核对"}
    world.tell("attention.disposed", decision, by="auditor-1")
    now = asked(world, boards)
    assert now.size == before.size
    after = {(one.code, one.entries): one for one in now.items}
    found: Any = after[item.code, item.entries].disposition
    assert found["decision"] == "in_order"
    assert now.items[-1] == after[item.code, item.entries]
    assert [one.order for one in now.items] == sorted(one.order for one in now.items)


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
