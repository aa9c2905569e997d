"""Numbered units: what is still in an account, which units leave, what became what.

Every account numbers the units it receives, from 0 up (design, section 4). This
module knows ranges of those numbers and nothing of records: `Holdings` is one
account's remaining units, `made_from` and `made_into` are the proportional map
of a purchase or a repacking. All ranges are half-open: ``(first, end)``.

A *label* is a short text that units carry inside one account (the project a gift
is earmarked for, the best-before date and lot of goods, the dates of points).
Picking by label is what makes "never another project's money" and "first
expired, first out" hold by construction.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise

from ledger.errors import InsufficientError

Range = tuple[int, int]
Segment = tuple[int, int, str]
"""``(first, end, label)``: a run of units in one account with one label."""

Rank = Callable[[str], tuple[str, ...] | None]
"""A label's place in the order of leaving (smaller leaves first); None: must stay."""

UNITS_MAX = 2**53 - 1
"""No account numbers more units than a canonical integer holds (design, section 3)."""


def oldest_first(label: str) -> tuple[str, ...]:
    """The default `Rank`: all labels alike, so the oldest units leave first."""
    return ()


def total(ranges: Iterable[Range]) -> int:
    """How many units the ranges hold together."""
    return sum(end - first for first, end in ranges)


def joined(ranges: Iterable[Range]) -> list[Range]:
    """The same units in the same order, with neighbours that touch made one range."""
    result: list[Range] = []
    for first, end in ranges:
        if result and result[-1][1] == first:
            result[-1] = (result[-1][0], end)
        else:
            result.append((first, end))
    return result


def subtract(ranges: Iterable[Range], taken: Iterable[Range]) -> list[Range]:
    """The units of `ranges` that are in none of `taken`; both in any order.

    Returns ranges in rising order.
    """
    gone = sorted(taken)
    result: list[Range] = []
    for first, end in sorted(ranges):
        at = first
        for gone_first, gone_end in gone:
            if gone_end <= at or gone_first >= end:
                continue
            if gone_first > at:
                result.append((at, gone_first))
            at = max(at, gone_end)
        if at < end:
            result.append((at, end))
    return joined(result)


def slice_ranges(ranges: Iterable[Range], start: int, stop: int) -> list[Range]:
    """The units at places [start, stop) of the ranges laid end to end."""
    result: list[Range] = []
    place = 0
    for first, end in ranges:
        length = end - first
        low, high = max(start - place, 0), min(stop - place, length)
        if low < high:
            result.append((first + low, first + high))
        place += length
    return result


def made_from(first: int, end: int, a: int, b: int) -> Range:
    """Which of `a` units that left became units [first, end) of the `b` that arrived.

    Unit k of b is made from [floor(k*a/b), floor((k+1)*a/b)) (design, section 4).
    """
    return first * a // b, end * a // b


def made_into(first: int, end: int, a: int, b: int) -> Range:
    """Which of `b` units that arrived hold a part of units [first, end) of `a` that left.

    The inverse of `made_from`: the smallest run of units whose sources cover
    [first, end). `end` must be greater than `first`.
    """
    return _unit_holding(first, a, b), _unit_holding(end - 1, a, b) + 1


def _unit_holding(place: int, a: int, b: int) -> int:
    """The k with floor(k*a/b) <= place < floor((k+1)*a/b)."""
    return ((place + 1) * b + a - 1) // a - 1


class Holdings:
    """One account's units: how many it ever received and which are still there.

    Segments are kept maximal (neighbours with one label are one segment), so the
    state has one form only. `touched` collects the first numbers of segments that
    changed since the last `drain`, for whoever stores them.
    """

    __slots__ = ("_ends", "_labels", "_starts", "received", "touched")

    def __init__(self, received: int = 0, segments: Sequence[Segment] = ()) -> None:
        self.received = received
        self._starts = [first for first, _, _ in segments]
        self._ends = [end for _, end, _ in segments]
        self._labels = [label for _, _, label in segments]
        self.touched: set[int] = set()

    def segments(self) -> Iterator[Segment]:
        """All remaining units, by rising number."""
        return zip(self._starts, self._ends, self._labels, strict=True)

    def balance(self, rank: Rank = oldest_first) -> int:
        """How many units are there that `rank` lets go."""
        return sum(end - first for first, end, label in self.segments() if rank(label) is not None)

    def missing(self, ranges: Iterable[Range]) -> list[Range]:
        """The units of `ranges` that are not in the account any more."""
        present: list[Range] = []
        wanted = list(ranges)
        for first, end in wanted:
            at = max(bisect_right(self._starts, first) - 1, 0)
            while at < len(self._starts) and self._starts[at] < end:
                low, high = max(first, self._starts[at]), min(end, self._ends[at])
                if low < high:
                    present.append((low, high))
                at += 1
        return subtract(wanted, present)

    def receive(self, segments: Sequence[tuple[int, str]]) -> int:
        """Add ``(length, label)`` runs at the end; returns the first number they get."""
        at = self.received
        for length, label in segments:
            first = self.received
            self.received += length
            if self._ends and self._ends[-1] == first and self._labels[-1] == label:
                self._ends[-1] = self.received
                self.touched.add(self._starts[-1])
            else:
                self._starts.append(first)
                self._ends.append(self.received)
                self._labels.append(label)
                self.touched.add(first)
        return at

    def pick(self, amount: int, rank: Rank = oldest_first) -> list[Range]:
        """Choose `amount` (over 0) units: smallest rank first, the oldest within one rank.

        Returns ranges in the order of leaving; the account is unchanged.

        Raises:
            InsufficientError: fewer units are there; details say how many.
        """
        chosen: list[Range] = []
        needed = amount
        for first, end in self._in_order(rank):
            chosen.append((first, min(end, first + needed)))
            needed -= chosen[-1][1] - first
            if not needed:
                return joined(chosen)
        available = amount - needed
        raise InsufficientError(
            f"{amount} units were asked for, {available} are there; record no more than that",
            details={"asked": amount, "available": available},
        )

    def _in_order(self, rank: Rank) -> Iterator[Range]:
        ranks: dict[str, tuple[str, ...] | None] = {}
        groups: dict[tuple[str, ...], list[Range]] = {}
        for label in dict.fromkeys(self._labels):
            ranks[label] = rank(label)
        if set(ranks.values()) == {()}:
            return iter(zip(self._starts, self._ends, strict=True))
        for first, end, label in self.segments():
            place = ranks[label]
            if place is not None:
                groups.setdefault(place, []).append((first, end))
        return (one for place in sorted(groups) for one in groups[place])

    def take(self, ranges: Sequence[Range]) -> list[tuple[int, str]]:
        """Remove exactly these units.

        Returns ``(length, label)`` runs in the order of `ranges`.

        Raises:
            InsufficientError: some are not there, or are named twice; nothing was removed.
        """
        missing = self.missing(ranges)
        if missing or any(end > first for (_, end), (first, _) in pairwise(sorted(ranges))):
            wrong = f"{missing} are not there" if missing else f"got {list(ranges)}"
            raise InsufficientError(
                f"expected units that are in the account, each named once; {wrong}",
                details={"missing": [list(one) for one in missing]},
            )
        runs: list[tuple[int, str]] = []
        for first, end in ranges:
            runs.extend(self._remove(first, end))
        return runs

    def _remove(self, first: int, end: int) -> list[tuple[int, str]]:
        runs: list[tuple[int, str]] = []
        at = bisect_right(self._starts, first) - 1
        while first < end:
            seg_first, seg_end, label = self._starts[at], self._ends[at], self._labels[at]
            stop = min(end, seg_end)
            runs.append((stop - first, label))
            kept = [
                (low, high) for low, high in ((seg_first, first), (stop, seg_end)) if low < high
            ]
            self._starts[at : at + 1] = [low for low, _ in kept]
            self._ends[at : at + 1] = [high for _, high in kept]
            self._labels[at : at + 1] = [label] * len(kept)
            self.touched.update((seg_first, *(low for low, _ in kept)))
            first = stop
            at += len(kept)
        return runs

    def put_back(self, ranges: Sequence[Range], runs: Sequence[tuple[int, str]]) -> None:
        """Undo `take`: the same ranges, with the runs that it returned."""
        place = iter(runs)
        for first, end in ranges:
            at = first
            while at < end:
                length, label = next(place)
                self._insert(at, at + length, label)
                at += length

    def _insert(self, first: int, end: int, label: str) -> None:
        at = bisect_right(self._starts, first)
        low, high = first, end
        start, stop = at, at
        if at > 0 and self._ends[at - 1] == first and self._labels[at - 1] == label:
            start, low = at - 1, self._starts[at - 1]
        if at < len(self._starts) and self._starts[at] == end and self._labels[at] == label:
            stop, high = at + 1, self._ends[at]
            self.touched.add(end)
        self._starts[start:stop] = [low]
        self._ends[start:stop] = [high]
        self._labels[start:stop] = [label]
        self.touched.update((first, low))

    def take_back(self, at: int) -> None:
        """Undo `receive`: forget all units numbered `at` and above."""
        while self._starts and self._ends[-1] > at:
            first = self._starts[-1]
            self.touched.add(first)
            if first >= at:
                self._starts.pop()
                self._ends.pop()
                self._labels.pop()
            else:
                self._ends[-1] = at
        self.received = at

    def drain(self) -> list[tuple[int, Segment | None]]:
        """What changed since the last call: ``(first, segment or None when gone)``."""
        changed: list[tuple[int, Segment | None]] = []
        for first in sorted(self.touched):
            at = bisect_right(self._starts, first) - 1
            if at >= 0 and self._starts[at] == first:
                changed.append((first, (first, self._ends[at], self._labels[at])))
            else:
                changed.append((first, None))
        self.touched.clear()
        return changed
