"""Properties of numbered units: holdings against a plain dict, the proportional map."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import InsufficientError
from ledger.units import (
    Holdings,
    Range,
    Rank,
    Segment,
    joined,
    made_from,
    made_into,
    slice_ranges,
    subtract,
    total,
)

repeatable = settings(derandomize=True, deadline=None, max_examples=150)

LABELS = ("", "a", "b")
RANKS: dict[str, Rank] = {
    "oldest": lambda label: (),
    "by label": lambda label: (label,),
    "reversed": lambda label: (str(9 - LABELS.index(label)),),
    "not a": lambda label: None if label == "a" else ("",),
    "none": lambda label: None,
}


@st.composite
def ranges(draw: st.DrawFn) -> list[Range]:
    """Some disjoint ranges, in any order."""
    borders = sorted(draw(st.sets(st.integers(0, 60), max_size=12)))
    pairs = [(a, b) for a, b in zip(borders[::2], borders[1::2], strict=False)]
    return draw(st.permutations(pairs))


def numbers(some: list[Range]) -> list[int]:
    return [number for first, end in some for number in range(first, end)]


@repeatable
@given(ranges(), ranges())
def test_subtract_is_the_difference_of_sets(some: list[Range], taken: list[Range]) -> None:
    left = subtract(some, taken)
    assert numbers(left) == sorted(set(numbers(some)) - set(numbers(taken)))
    assert left == joined(left)
    assert total(left) == len(numbers(left))


@repeatable
@given(ranges(), st.integers(0, 70), st.integers(0, 70))
def test_slice_is_a_slice_of_the_numbers(some: list[Range], start: int, stop: int) -> None:
    assert numbers(slice_ranges(some, start, stop)) == numbers(some)[start:stop]
    assert numbers(joined(some)) == numbers(some)


amounts = st.integers(1, 200) | st.integers(1, 2**53 - 1)


@repeatable
@given(amounts, amounts, st.data())
def test_every_source_unit_is_in_exactly_one_product(a: int, b: int, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, a - 1))
    first, end = made_into(place, place + 1, a, b)
    assert end == first + 1
    assert 0 <= first < b
    low, high = made_from(first, end, a, b)
    assert low <= place < high


@repeatable
@given(st.integers(1, 60), st.integers(1, 60))
def test_the_products_share_out_the_sources(a: int, b: int) -> None:
    parts = [made_from(k, k + 1, a, b) for k in range(b)]
    assert numbers(parts) == list(range(a))
    sizes = {end - first for first, end in parts}
    assert sizes <= {a // b, -(-a // b)}


@repeatable
@given(amounts, amounts, st.data())
def test_made_into_is_the_smallest_run_that_covers(a: int, b: int, data: st.DataObject) -> None:
    low = data.draw(st.integers(0, a - 1))
    high = data.draw(st.integers(low + 1, a))
    first, end = made_into(low, high, a, b)
    covered = made_from(first, end, a, b)
    assert covered[0] <= low
    assert covered[1] >= high
    # Without its first or its last unit it would not cover.
    assert made_from(first + 1, end, a, b)[0] > low
    assert made_from(first, end - 1, a, b)[1] < high


class Plain:
    """The oracle: each unit by its number, with its label."""

    def __init__(self) -> None:
        self.received = 0
        self.labels: dict[int, str] = {}

    def segments(self) -> list[Segment]:
        found: list[Segment] = []
        for number in sorted(self.labels):
            label = self.labels[number]
            if found and found[-1][1] == number and found[-1][2] == label:
                found[-1] = (found[-1][0], number + 1, label)
            else:
                found.append((number, number + 1, label))
        return found

    def receive(self, runs: list[tuple[int, str]]) -> None:
        for length, label in runs:
            for _ in range(length):
                self.labels[self.received] = label
                self.received += 1

    def pick(self, amount: int, rank: str) -> list[int] | None:
        order = [
            (place, number)
            for number, label in self.labels.items()
            if (place := RANKS[rank](label)) is not None
        ]
        return [number for _, number in sorted(order)][:amount] if len(order) >= amount else None


def apply(rows: dict[int, Segment], holdings: Holdings) -> None:
    """Write what `drain` tells to the rows that a store would have."""
    for first, segment in holdings.drain():
        if segment is None:
            rows.pop(first, None)
        else:
            assert segment[0] == first
            rows[first] = segment


runs_given = st.lists(st.tuples(st.integers(1, 9), st.sampled_from(LABELS)), min_size=1, max_size=3)


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.data())
def test_holdings_do_what_a_dict_of_units_does(data: st.DataObject) -> None:
    holdings, plain = Holdings(), Plain()
    rows: dict[int, Segment] = {}
    for _ in range(data.draw(st.integers(1, 25))):
        step = data.draw(st.sampled_from(["receive", "pick", "take", "undo take", "undo receive"]))
        if step in ("receive", "undo receive"):
            runs = data.draw(runs_given)
            at = holdings.receive(runs)
            assert at == plain.received
            if step == "undo receive":
                if data.draw(st.booleans()):
                    apply(rows, holdings)
                holdings.take_back(at)
            else:
                plain.receive(runs)
        elif step == "pick":
            rank = data.draw(st.sampled_from(sorted(RANKS)))
            amount = data.draw(st.integers(1, 12))
            wanted = plain.pick(amount, rank)
            if wanted is None:
                with pytest.raises(InsufficientError):
                    holdings.pick(amount, RANKS[rank])
                continue
            picked = holdings.pick(amount, RANKS[rank])
            assert picked == joined(picked)
            assert numbers(picked) == wanted
            taken = holdings.take(picked)
            assert [label for length, label in taken for _ in range(length)] == [
                plain.labels.pop(number) for number in wanted
            ]
        else:
            some = data.draw(ranges())
            present = [one for one in some if set(numbers([one])) <= plain.labels.keys()]
            if present != some:
                gone = sorted(set(numbers(some)) - plain.labels.keys())
                assert numbers(holdings.missing(some)) == gone
                with pytest.raises(InsufficientError):
                    holdings.take(some)
            taken = holdings.take(present)
            if step == "undo take":
                if data.draw(st.booleans()):
                    apply(rows, holdings)
                holdings.put_back(present, taken)
            else:
                for number in numbers(present):
                    del plain.labels[number]
        assert holdings.received == plain.received
        assert list(holdings.segments()) == plain.segments()
        assert holdings.balance() == len(plain.labels)
        if data.draw(st.booleans()):
            apply(rows, holdings)
            assert sorted(rows.values()) == plain.segments()
    apply(rows, holdings)
    assert sorted(rows.values()) == plain.segments()
    assert list(Holdings(plain.received, sorted(rows.values())).segments()) == plain.segments()
