"""Groups of persons in public statistics: the small ones hidden, and not by subtraction either.

A group of fewer persons than the least size says only "fewer than". As the sum over all
groups is published too, one hidden group could be computed from it; so further groups,
the smallest first, are withheld until every number under the least size fits each small
group. Where there are not enough of them, the sum is withheld as well.

What a reader is assumed to know: the least size, the sum, the groups that are shown, and
how they were chosen (a withheld group is no smaller than the least size and no larger
than any group that is shown).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Mark = Literal["fewer_than", "withheld"]


@dataclass(frozen=True, slots=True)
class Group:
    """Persons (or what stands for one person each) that a statistic counts together.

    Attributes:
        key: What they have in common.
        count: How many.
        sums: What else is summed over them; hidden with the count.
    """

    key: Mapping[str, str]
    count: int
    sums: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cell:
    """A group as it is published: with its numbers, or with the mark that stands for them."""

    key: Mapping[str, str]
    count: int | None
    sums: Mapping[str, int]
    mark: Mark | None = None

    def as_json(self, counted: str, least: int | None) -> dict[str, Any]:
        """Plain values; `counted` names the count."""
        if self.mark is None:
            return {**self.key, counted: self.count, **self.sums}
        return {**self.key, self.mark: least if self.mark == "fewer_than" else True}


@dataclass(frozen=True, slots=True)
class Published:
    """Groups as they are published, and their sum.

    Attributes:
        counted: What the count counts.
        least: The least size of a group that is shown; None where no rule says it.
    """

    counted: str
    least: int | None
    cells: tuple[Cell, ...]
    total: Cell

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "groups": [one.as_json(self.counted, self.least) for one in self.cells],
            "total": self.total.as_json(self.counted, self.least),
        }


def publish(groups: Sequence[Group], least: int | None, counted: str) -> Published:
    """What may be published of groups that partition what they count.

    Args:
        groups: By their keys; empty ones are left out.
        least: The least size of a group that is shown; without it nothing is shown.
        counted: What the count counts, for the JSON.
    """
    there = sorted(
        (one for one in groups if one.count > 0), key=lambda one: tuple(one.key.values())
    )
    count = sum(one.count for one in there)
    sums: dict[str, int] = {}
    for one in there:
        for name, amount in one.sums.items():
            sums[name] = sums.get(name, 0) + amount
    whole = Cell({}, count, sums)
    if least is None:
        marks: dict[int, Mark] = dict.fromkeys(range(len(there)), "withheld")
        total = _marked(whole, "withheld")
    elif 0 < count < least:
        marks = dict.fromkeys(range(len(there)), "fewer_than")
        total = _marked(whole, "fewer_than")
    else:
        marks, sure = _marks([one.count for one in there], least)
        total = whole if sure else _marked(whole, "withheld")
    cells = []
    for place, one in enumerate(there):
        cell = Cell(one.key, one.count, one.sums)
        cells.append(_marked(cell, marks[place]) if place in marks else cell)
    return Published(counted, least, tuple(cells), total)


def _marked(cell: Cell, mark: Mark) -> Cell:
    return Cell(cell.key, None, {}, mark)


def _marks(counts: Sequence[int], least: int) -> tuple[dict[int, Mark], bool]:
    """Which groups are hidden, and whether the sum may still be shown."""
    small = [place for place, count in enumerate(counts) if count < least]
    marks: dict[int, Mark] = dict.fromkeys(small, "fewer_than")
    if not small:
        return marks, True
    rest = sorted(set(range(len(counts))) - set(small), key=lambda place: counts[place])
    for withheld in range(len(rest) + 1):
        hidden = [*small, *rest[:withheld]]
        shown = [counts[place] for place in rest[withheld:]]
        most = min(shown) if shown else None
        known = sum(counts[place] for place in hidden)
        if _is_open(known, len(small), withheld, least, most):
            return marks | dict.fromkeys(rest[:withheld], "withheld"), True
    return marks | dict.fromkeys(rest, "withheld"), False


def _is_open(known: int, small: int, withheld: int, least: int, most: int | None) -> bool:
    """Whether each small group may be anything from 1 to `least` - 1, for all that is known.

    Args:
        known: The sum of the hidden groups, which subtraction gives.
        small, withheld: How many hidden groups are small, and how many are not.
        most: The largest that a withheld group can be; None for no limit.
    """
    most_of_one = known - (small - 1) - withheld * least
    others = (small - 1) * (least - 1)
    if withheld and most is None:
        return most_of_one >= least - 1
    least_of_one = known - others - withheld * (most or 0)
    return most_of_one >= least - 1 and least_of_one <= 1
