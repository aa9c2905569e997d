"""Running sums in memory: what was read with the lock is not asked for again under it."""

from __future__ import annotations

from collections.abc import Collection

from ledger.movements import MovementRow, Movements

DAY, OTHER = "2022-01-10", "2022-01-11"


class Rows:
    """The newest movements of two accounts, and what was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, str]] = []

    def newest_movements(self, days: Collection[tuple[int, str]]) -> list[MovementRow]:
        self.asked += days
        first = MovementRow(1, 5, DAY, 2, 30, 7, 2, 30, 7)
        newest = MovementRow(1, 8, OTHER, 3, 31, 7, 1, 1, 0)
        return [newest, first] if {account for account, _ in days} & {1} else []


def test_what_was_read_beforehand_gives_the_same_rows_and_is_not_asked_again() -> None:
    stored, days = Rows(), {9: DAY, 10: DAY}
    hot, cold = Movements(), Movements()
    hot.preload([(1, DAY), (2, DAY)], stored.newest_movements([(1, DAY), (2, DAY)]))
    stored.asked.clear()
    for movements in (hot, cold):
        movements.take(1, 9, 4, 0)
        movements.take(2, 10, 6, 1)
    told = hot.drain(stored, days)
    assert not stored.asked
    assert told == cold.drain(stored, days)
    assert told == [(1, 9, DAY, 4, 35, 7, 3, 34, 7), (2, 10, DAY, 1, 6, 1, 1, 6, 1)]
    assert stored.asked == [(1, DAY), (2, DAY)]


def test_the_days_of_the_last_rows_are_likely_to_be_needed_next() -> None:
    movements = Movements()
    movements.preload([(1, DAY)], [])
    # A batch that moves nothing makes nothing forgotten.
    assert movements.drain(Rows(), {}) == []
    assert movements.lately == [(1, DAY)]
    movements.take(2, 9, 1, 0)
    movements.drain(Rows(), {9: OTHER})
    assert movements.lately == [(2, OTHER)]
