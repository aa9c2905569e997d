"""Numbered units by example: ranges, proportional maps, one account's holdings."""

from __future__ import annotations

import pytest

from ledger.errors import InsufficientError
from ledger.units import (
    Holdings,
    Rank,
    joined,
    made_from,
    made_into,
    oldest_first,
    slice_ranges,
    subtract,
    total,
)


def dated(label: str) -> tuple[str, ...]:
    """A rank by the label itself."""
    return (label,)


def only(wanted: str) -> Rank:
    """A rank that lets one label go and no other."""
    return {wanted: ("",)}.get


def listed(holdings: Holdings) -> list[tuple[int, int, str]]:
    return list(holdings.segments())


class TestRanges:
    def test_total(self) -> None:
        assert total([]) == 0
        assert total([(3, 5), (9, 10)]) == 3

    def test_joined_keeps_the_order_and_joins_only_what_touches(self) -> None:
        assert joined([(0, 2), (2, 5), (7, 8), (0, 1)]) == [(0, 5), (7, 8), (0, 1)]

    @pytest.mark.parametrize(
        ("ranges", "taken", "left"),
        [
            ([(0, 10)], [], [(0, 10)]),
            ([(0, 10)], [(0, 10)], []),
            ([(0, 10)], [(3, 5)], [(0, 3), (5, 10)]),
            ([(0, 10)], [(5, 7), (1, 2)], [(0, 1), (2, 5), (7, 10)]),
            ([(20, 30), (0, 10)], [(8, 22)], [(0, 8), (22, 30)]),
            ([(5, 10)], [(0, 5), (10, 12)], [(5, 10)]),
            ([(0, 5), (5, 10)], [(20, 30)], [(0, 10)]),
            ([(0, 10)], [(2, 6), (4, 8)], [(0, 2), (8, 10)]),
        ],
    )
    def test_subtract(
        self,
        ranges: list[tuple[int, int]],
        taken: list[tuple[int, int]],
        left: list[tuple[int, int]],
    ) -> None:
        assert subtract(ranges, taken) == left

    def test_slice_counts_places_not_numbers(self) -> None:
        ranges = [(10, 13), (0, 2), (50, 60)]
        assert slice_ranges(ranges, 2, 7) == [(12, 13), (0, 2), (50, 52)]
        assert slice_ranges(ranges, 0, 3) == [(10, 13)]
        assert slice_ranges(ranges, 4, 4) == []
        assert slice_ranges(ranges, 14, 99) == [(59, 60)]


class TestProportion:
    def test_two_packs_of_five_yuan_make_three(self) -> None:
        # 10 units became 3: 3 + 3 + 4.
        assert [made_from(k, k + 1, 10, 3) for k in range(3)] == [(0, 3), (3, 6), (6, 10)]
        assert made_into(2, 4, 10, 3) == (0, 2)
        assert made_into(9, 10, 10, 3) == (2, 3)

    def test_fewer_units_than_came_of_them(self) -> None:
        # 2 units became 5: units 2 and 4 hold one each, the others hold none.
        assert [made_from(k, k + 1, 2, 5) for k in range(5)] == [
            (0, 0),
            (0, 0),
            (0, 1),
            (1, 1),
            (1, 2),
        ]
        assert made_into(0, 1, 2, 5) == (2, 3)
        assert made_into(1, 2, 2, 5) == (4, 5)
        assert made_into(0, 2, 2, 5) == (2, 5)


class TestHoldings:
    def test_a_new_account_is_empty(self) -> None:
        holdings = Holdings()
        assert (holdings.received, listed(holdings), holdings.drain()) == (0, [], [])
        assert holdings.balance() == 0

    def test_an_account_as_it_was_stored(self) -> None:
        stored = [(2, 5, "a"), (7, 9, "")]
        holdings = Holdings(12, stored)
        assert listed(holdings) == stored
        assert holdings.balance() == 5
        assert holdings.balance(only("a")) == 3
        assert holdings.drain() == []
        assert holdings.receive([(1, "")]) == 12

    def test_receive_numbers_from_zero_and_joins_equal_neighbours(self) -> None:
        holdings = Holdings()
        assert holdings.receive([(10, "a")]) == 0
        assert holdings.receive([(5, "a"), (5, "b")]) == 10
        assert listed(holdings) == [(0, 15, "a"), (15, 20, "b")]
        assert holdings.received == 20

    def test_what_arrives_behind_units_that_left_is_a_segment_of_its_own(self) -> None:
        holdings = Holdings()
        holdings.receive([(10, "a")])
        holdings.take([(8, 10)])
        holdings.receive([(1, "a")])
        assert listed(holdings) == [(0, 8, "a"), (10, 11, "a")]

    def test_the_oldest_leave_first(self) -> None:
        holdings = Holdings(20, [(0, 4, "b"), (6, 9, "a"), (12, 20, "b")])
        assert holdings.pick(5) == [(0, 4), (6, 7)]
        assert holdings.pick(15) == [(0, 4), (6, 9), (12, 20)]
        assert listed(holdings)[0] == (0, 4, "b")

    def test_the_smallest_rank_leaves_first_and_none_stays(self) -> None:
        holdings = Holdings(20, [(0, 4, "b"), (6, 9, "a"), (12, 20, "b")])
        assert holdings.pick(9, dated) == [(6, 9), (0, 4), (12, 14)]
        assert holdings.pick(3, only("a")) == [(6, 9)]

    def test_picked_neighbours_are_one_range(self) -> None:
        holdings = Holdings(10, [(0, 4, "a"), (4, 9, "b")])
        assert holdings.pick(9) == [(0, 9)]
        assert holdings.pick(9, dated) == [(0, 9)]

    @pytest.mark.parametrize(("rank", "available"), [(oldest_first, 9), (only("a"), 4)])
    def test_too_few_units_are_told_of(self, rank: Rank, available: int) -> None:
        holdings = Holdings(9, [(0, 4, "a"), (4, 9, "b")])
        with pytest.raises(InsufficientError, match=f"10 units were asked for, {available}") as got:
            holdings.pick(10, rank)
        assert got.value.details == {"asked": 10, "available": available}

    def test_picking_from_an_empty_account(self) -> None:
        with pytest.raises(InsufficientError):
            Holdings().pick(1)

    def test_take_gives_labels_in_the_order_of_leaving(self) -> None:
        holdings = Holdings(20, [(0, 4, "a"), (4, 10, "b"), (15, 20, "a")])
        assert holdings.take([(16, 18), (2, 6)]) == [(2, "a"), (2, "a"), (2, "b")]
        assert listed(holdings) == [(0, 2, "a"), (6, 10, "b"), (15, 16, "a"), (18, 20, "a")]

    @pytest.mark.parametrize(
        "ranges", [[(0, 1)], [(3, 7)], [(4, 5), (9, 11)], [(2, 4), (3, 5)], [(2, 3), (2, 3)]]
    )
    def test_take_refuses_what_is_not_there_or_is_named_twice(
        self, ranges: list[tuple[int, int]]
    ) -> None:
        before = [(2, 6, "a"), (8, 10, "")]
        holdings = Holdings(12, before)
        with pytest.raises(InsufficientError, match="each named once"):
            holdings.take(ranges)
        assert listed(holdings) == before
        assert holdings.drain() == []

    def test_missing(self) -> None:
        holdings = Holdings(12, [(2, 6, "a"), (6, 8, ""), (10, 11, "")])
        assert holdings.missing([(2, 8)]) == []
        assert holdings.missing([(0, 3), (5, 12)]) == [(0, 2), (8, 10), (11, 12)]
        assert holdings.missing([(9, 11)]) == [(9, 10)]
        assert Holdings().missing([(0, 1)]) == [(0, 1)]

    def test_put_back_undoes_take(self) -> None:
        before = [(0, 4, "a"), (4, 10, "b"), (15, 20, "a")]
        holdings = Holdings(20, before)
        ranges = [(16, 18), (2, 6), (9, 10)]
        holdings.put_back(ranges, holdings.take(ranges))
        assert listed(holdings) == before

    def test_put_back_of_a_whole_account(self) -> None:
        holdings = Holdings(4, [(0, 4, "a")])
        holdings.put_back([(0, 4)], holdings.take([(0, 4)]))
        assert listed(holdings) == [(0, 4, "a")]

    def test_take_back_undoes_receive(self) -> None:
        holdings = Holdings(4, [(0, 4, "a")])
        at = holdings.receive([(2, "a"), (3, "b")])
        holdings.take_back(at)
        assert listed(holdings) == [(0, 4, "a")]
        assert holdings.received == 4

    def test_drain_tells_each_change_once(self) -> None:
        holdings = Holdings(10, [(0, 4, "a"), (6, 10, "b")])
        holdings.take([(2, 4), (6, 7)])
        holdings.receive([(1, "c")])
        assert holdings.drain() == [
            (0, (0, 2, "a")),
            (6, None),
            (7, (7, 10, "b")),
            (10, (10, 11, "c")),
        ]
        assert holdings.drain() == []
