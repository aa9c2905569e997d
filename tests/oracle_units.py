"""Slow, obvious numbered units: each one is an object, and remembers what it went through.

The oracle for traces. It plays a log's entries one unit at a time, from what the
postings say (`takes`, `at`) and the design's rules for purchases and reversals, and
knows no range: an account is a list with a place for each unit it ever received.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ledger.entry import Entry
from ledger.flows import Walk


@dataclass(eq=False)
class Unit:
    """One unit: where it is, where it first came in, what it was made from or became."""

    asset: str
    account: str
    number: int | None
    entry: int
    """The entry that moved it last."""
    entered: tuple[str, int, int] | None = None
    """``(account, number, entry)`` of a unit that came from outside as it is."""
    made_from: list[Unit] = field(default_factory=list)
    became: Unit | None = None


class UnitOracle:
    """Plays entries; then tells of each posting's units where they ended and began."""

    def __init__(self) -> None:
        self.accounts: dict[tuple[str, str], list[Unit | None]] = {}
        self.moved: dict[tuple[int, int], list[Unit]] = {}
        self.paid: set[tuple[int, int]] = set()
        """The postings that paid for another one of their entry."""

    def play(self, entry: Entry) -> None:
        """Move the units of one entry, posting by posting."""
        reverses = entry.fields["entry"] if entry.kind == "entry.reversed" else None
        for number, posting in enumerate(entry.postings):
            if posting["from"].startswith("world:"):
                units = self._from_outside(entry, number, posting, reverses)
            else:
                units = self._taken(posting)
            self.moved[entry.index, number] = units
            self._arrive(entry.index, posting, units)

    def _taken(self, posting: Mapping[str, object]) -> list[Unit]:
        account = self.accounts[str(posting["asset"]), str(posting["from"])]
        takes = posting["takes"]
        assert isinstance(takes, Sequence)
        units: list[Unit] = []
        for first, end in takes:
            for number in range(first, end):
                unit = account[number]
                assert unit is not None, "a unit left twice"
                account[number] = None
                units.append(unit)
        return units

    def _from_outside(
        self, entry: Entry, number: int, posting: Mapping[str, object], reverses: int | None
    ) -> list[Unit]:
        asset, world, amount = str(posting["asset"]), str(posting["from"]), posting["amount"]
        assert isinstance(amount, int)
        if reverses is not None:
            back = self.moved[reverses, number]
            for unit in back:
                unit.became = None
            return back
        paid: dict[str, list[Unit]] = {}
        before = number - 1
        run: list[int] = []
        while before >= 0 and entry.postings[before]["to"] == world:
            run.insert(0, before)
            before -= 1
        for one in run:
            self.paid.add((entry.index, one))
            paid.setdefault(entry.postings[one]["asset"], []).extend(self.moved[entry.index, one])
        units = [Unit(asset, world, None, entry.index) for _ in range(amount)]
        for sources in paid.values():
            for place, unit in enumerate(units):
                first = place * len(sources) // amount
                end = (place + 1) * len(sources) // amount
                for source in sources[first:end]:
                    unit.made_from.append(source)
                    source.became = unit
        if not paid:
            for place, unit in enumerate(units):
                at = posting["at"]
                assert isinstance(at, int)
                unit.entered = (str(posting["to"]), at + place, entry.index)
        return units

    def _arrive(self, entry: int, posting: Mapping[str, object], units: list[Unit]) -> None:
        asset, target = str(posting["asset"]), str(posting["to"])
        outside = target.startswith("world:")
        account = self.accounts.setdefault((asset, target), [])
        if not outside:
            assert posting["at"] == len(account), "the next free number was skipped"
        for unit in units:
            unit.account, unit.entry = target, entry
            unit.number = None if outside else len(account)
            if not outside:
                account.append(unit)

    def ends(self, entry: int, posting: int) -> list[Unit]:
        """What became of each unit of a posting, in order."""
        return [_last(unit) for unit in self.moved[entry, posting]]

    def beginnings(self, entry: int, posting: int) -> Counter[tuple[str, str, int, int]]:
        """``(asset, account, number, entry)`` of all that the units are made from."""
        return Counter(
            (unit.asset, *entered)
            for moved in self.moved[entry, posting]
            for unit, entered in _entered(moved)
        )

    def held(self) -> dict[tuple[str, str], list[int]]:
        """The numbers that are still in each account."""
        return {
            key: [number for number, unit in enumerate(units) if unit is not None]
            for key, units in self.accounts.items()
            if not key[1].startswith("world:")
        }


def _last(unit: Unit) -> Unit:
    while unit.became is not None:
        unit = unit.became
    return unit


def _entered(unit: Unit) -> list[tuple[Unit, tuple[str, int, int]]]:
    if unit.entered is not None:
        return [(unit, unit.entered)]
    return [found for source in unit.made_from for found in _entered(source)]


def check_walk(one: Walk, oracle: UnitOracle, entry: int, direction: str) -> None:
    """A walk says of each of its units what the oracle says."""
    if direction == "forward":
        _check_forward(one, oracle.ends(entry, one.posting))
    else:
        _check_backward(one, oracle.beginnings(entry, one.posting))


def _check_forward(one: Walk, units: Sequence[Unit]) -> None:
    """Each unit of the posting ends where the oracle's unit is."""
    assert one.amount == len(units)
    assert sum(end.amount for end in one.ends) == one.amount
    assert dict(one.amounts) == {one.asset: one.amount}
    place = 0
    for end in one.ends:
        assert end.share is not None
        assert end.share == (place, place + end.amount)
        for unit in units[place : place + end.amount]:
            state = "left" if unit.number is None else "held"
            assert (end.state, end.asset, end.account) == (state, unit.asset, unit.account)
            assert end.entry == unit.entry
            if end.units is None or unit.number is None:
                assert end.units is unit.number is None
            else:
                assert end.units[0] <= unit.number < end.units[1]
        place += end.amount
    for hop in one.hops:
        assert hop.share is not None
        assert 0 <= hop.share[0] < hop.share[1] <= one.amount
        for moved in (hop.source_units, hop.target_units):
            assert moved is None or moved[1] - moved[0] == hop.amount


def _check_backward(one: Walk, beginnings: Counter[tuple[str, str, int, int]]) -> None:
    """The walk finds exactly the units that the oracle's units were made from."""
    found: Counter[tuple[str, str, int, int]] = Counter()
    for end in one.ends:
        assert end.state == "entered"
        assert end.share is None
        assert end.units is not None
        assert end.units[1] - end.units[0] == end.amount
        for number in range(*end.units):
            found[end.asset, end.account, number, end.entry] += 1
    assert found == beginnings
    amounts: Counter[str] = Counter()
    for (asset, *_), count in beginnings.items():
        amounts[asset] += count
    assert dict(one.amounts) == amounts
