"""Small groups stay hidden from a reader who knows everything that is published.

The oracle is slow and obvious: it lists every way to fill the hidden groups that fits
what is published, and asks what a small group could be.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hypothesis import example, given, settings
from hypothesis import strategies as st

from ledger.statistics import Group, Published, publish

LEAST = st.integers(3, 5)
COUNTS = st.lists(st.integers(0, 12), max_size=5)


def groups(counts: Sequence[int]) -> list[Group]:
    return [
        Group({"kind": f"kind-{number}"}, count, {"amount_fen": count * 7})
        for number, count in enumerate(counts)
    ]


def fillings(total: int, bounds: Sequence[tuple[int, int]]) -> Iterator[tuple[int, ...]]:
    """Numbers within these bounds that add up to the total."""
    if not bounds:
        if total == 0:
            yield ()
        return
    low, high = bounds[0]
    for number in range(low, min(high, total) + 1):
        for rest in fillings(total - number, bounds[1:]):
            yield (number, *rest)


def possible(published: Published, least: int) -> dict[str, set[int]]:
    """By small group: what it could be, for all that a reader knows."""
    total = published.total.count
    assert total is not None
    shown = [one.count for one in published.cells if one.count is not None]
    hidden = [one for one in published.cells if one.mark is not None]
    most = min(shown, default=total)
    bounds = [(1, least - 1) if one.mark == "fewer_than" else (least, most) for one in hidden]
    found: dict[str, set[int]] = {
        one.key["kind"]: set() for one in hidden if one.mark == "fewer_than"
    }
    for filling in fillings(total - sum(shown), bounds):
        for one, number in zip(hidden, filling, strict=True):
            if one.mark == "fewer_than":
                found[one.key["kind"]].add(number)
    return found


@settings(max_examples=300, deadline=None)
@given(COUNTS, LEAST)
@example([1, 5], 5)
@example([4, 4, 9, 9], 5)
@example([1, 5, 7, 12, 12], 5)
def test_a_small_group_could_be_anything_that_is_small(counts: list[int], least: int) -> None:
    published = publish(groups(counts), least, "people")
    if published.total.count is None:
        assert all(one.count is None for one in published.cells)
        return
    for number in possible(published, least).values():
        assert number == set(range(1, least))


@given(COUNTS, LEAST)
def test_what_is_shown_is_true_and_nothing_small_is(counts: list[int], least: int) -> None:
    published = publish(groups(counts), least, "people")
    there = {f"kind-{number}": count for number, count in enumerate(counts) if count}
    assert [one.key["kind"] for one in published.cells] == list(there)
    for one in published.cells:
        count = there[one.key["kind"]]
        assert (one.mark == "fewer_than") >= (count < least)
        if one.count is not None:
            assert (one.count, one.sums) == (count, {"amount_fen": count * 7})
            assert count >= least
        else:
            assert one.sums == {}
    if published.total.count is not None:
        assert published.total.count == sum(there.values())
        hidden = [one for one in published.cells if one.mark]
        # One hidden group alone would be the total less the others.
        assert len(hidden) != 1
    if all(count >= least for count in there.values()):
        assert not any(one.mark for one in published.cells)


@given(COUNTS)
def test_without_a_rule_nothing_that_counts_persons_is_shown(counts: list[int]) -> None:
    published = publish(groups(counts), None, "people")
    assert all(one.mark == "withheld" for one in (*published.cells, published.total))
