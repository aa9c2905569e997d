"""Units as objects, and accounts as lists with a place for each unit that ever arrived."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

Tag = tuple[str, ...]
"""What a unit carries: (project,) for money, (best before, lot), (expires, usable), ()."""

Rank = Callable[[Tag], tuple[str, ...] | None]
"""A tag's place in the queue; None: such units stay."""

Undone = tuple[int, tuple[int, ...], str | None]


class RefusedError(Exception):
    """The model refuses a record; `code` is what the ledger must answer, and `undo_first`
    which later entries, the entries that each rests on, and how each is undone."""

    def __init__(self, code: str, undo_first: Sequence[Undone] = ()) -> None:
        super().__init__(code)
        self.code = code
        self.undo_first = tuple(undo_first)


@dataclass(frozen=True)
class Step:
    """One move that brought a unit somewhere."""

    entry: int
    posting: int
    account: str
    tag: Tag


@dataclass(eq=False)
class Unit:
    """One fen, piece, point or minute.

    `steps` lead from outside to where it is; `entry` is the one that moved it last.
    """

    asset: str
    account: str
    entry: int
    number: int | None = None
    steps: list[Step] = field(default_factory=list)
    entered: tuple[str, int, int] | None = None
    """``(account, number, entry)`` of a unit that came in as it is."""
    made_from: list[Unit] = field(default_factory=list)
    became: Unit | None = None

    @property
    def tag(self) -> Tag:
        return self.steps[-1].tag

    def is_where(self, entry: int, posting: int) -> bool:
        """Whether it is where that posting brought it, all later steps taken back."""
        last = self.steps[-1] if self.steps else None
        return last is not None and (last.entry, last.posting) == (entry, posting)

    def after(self, entry: int, posting: int) -> int:
        """The entry that took it from where that posting had brought it."""
        brought = [(step.entry, step.posting) for step in self.steps]
        return self.steps[brought.index((entry, posting)) + 1].entry


@dataclass(frozen=True)
class Move:
    """What a record wants moved.

    `units` are the very ones, else `rank` says which; `tag` None keeps what they carry;
    `made_of` are the numbers of the moves before that paid for these.
    """

    asset: str
    amount: int
    source: str
    target: str
    rank: Rank | None = None
    units: Sequence[Unit] | None = None
    tag: Tag | None = None
    made_of: tuple[int, ...] = ()


@dataclass(frozen=True)
class Posted:
    """A posting as the entry must show it."""

    asset: str
    amount: int
    source: str
    target: str
    takes: list[list[int]] | None
    at: int | None

    def shown(self) -> dict[str, object]:
        shown: dict[str, object] = {
            "asset": self.asset,
            "amount": self.amount,
            "from": self.source,
            "to": self.target,
        }
        if self.takes is not None:
            shown["takes"] = self.takes
        if self.at is not None:
            shown["at"] = self.at
        return shown


def is_outside(account: str) -> bool:
    return account.startswith("world:")


def runs(numbers: Sequence[int]) -> list[list[int]]:
    """Numbers in their order as half-open ranges."""
    found: list[list[int]] = []
    for number in numbers:
        if found and found[-1][1] == number:
            found[-1][1] = number + 1
        else:
            found.append([number, number + 1])
    return found


class Accounts:
    """Every account's list of places; a place is None once its unit has left."""

    def __init__(self) -> None:
        self.places: dict[tuple[str, str], list[Unit | None]] = {}
        self.moved: dict[tuple[int, int], list[Unit]] = {}
        """The units of each posting, in order."""

    def held(self, asset: str, account: str) -> list[Unit]:
        """The units in an account, by rising number."""
        return [unit for unit in self.places.get((asset, account), []) if unit is not None]

    def balance(self, asset: str, account: str) -> int:
        return len(self.held(asset, account))

    def choose(self, moves: Sequence[Move]) -> list[list[Unit]]:
        """The units of each move; new ones where they come from outside."""
        chosen: list[list[Unit]] = []
        for move in moves:
            if move.units is not None:
                found = list(move.units)
            elif is_outside(move.source):
                found = [Unit(move.asset, move.source, -1) for _ in range(move.amount)]
            else:
                gone = {id(unit) for units in chosen for unit in units}
                found = self._queue(move, gone)[: move.amount]
            if len(found) < move.amount:
                raise RefusedError("insufficient_units")
            chosen.append(found)
        return chosen

    def _queue(self, move: Move, gone: set[int]) -> list[Unit]:
        """Who leaves first: by rank, then by number."""
        waiting = []
        for unit in self.held(move.asset, move.source):
            place = () if move.rank is None else move.rank(unit.tag)
            if place is not None and id(unit) not in gone:
                waiting.append((place, unit.number, unit))
        waiting.sort(key=lambda one: (one[0], one[1] or 0))
        return [unit for _, _, unit in waiting]

    def carry_out(
        self, entry: int, moves: Sequence[Move], chosen: Sequence[list[Unit]], *, back: bool
    ) -> list[Posted]:
        """Move the chosen units; `back` takes their last step back."""
        postings: list[Posted] = []
        for posting, (move, units) in enumerate(zip(moves, chosen, strict=True)):
            takes = None if is_outside(move.source) else self._take(units)
            if move.made_of:
                _make(units, [chosen[one] for one in move.made_of])
            at = len(self.places.setdefault((move.asset, move.target), []))
            for unit in units:
                self._arrive(entry, posting, move, unit, back=back)
            self.moved[entry, posting] = units
            inside = None if is_outside(move.target) else at
            postings.append(
                Posted(move.asset, move.amount, move.source, move.target, takes, inside)
            )
        return postings

    def _take(self, units: Sequence[Unit]) -> list[list[int]]:
        numbers = []
        for unit in units:
            assert unit.number is not None, "a unit that is outside cannot be taken"
            places = self.places[unit.asset, unit.account]
            assert places[unit.number] is unit, "a unit is taken twice"
            places[unit.number] = None
            numbers.append(unit.number)
        return runs(numbers)

    def _arrive(self, entry: int, posting: int, move: Move, unit: Unit, *, back: bool) -> None:
        if back:
            unit.steps.pop()
            unit.became = None
        else:
            tag = unit.tag if move.tag is None and unit.steps else move.tag or ()
            unit.steps.append(Step(entry, posting, move.target, tag))
        unit.account, unit.entry, unit.number = move.target, entry, None
        if is_outside(move.target):
            return
        places = self.places[move.asset, move.target]
        unit.number = len(places)
        places.append(unit)
        if is_outside(move.source) and not move.made_of and not back:
            unit.entered = (move.target, unit.number, entry)

    # What a trace must say (the names are those that `oracle_units.check_walk` asks for)

    def ends(self, entry: int, posting: int) -> list[Unit]:
        """What became of each unit of a posting, in order."""
        return [_last(unit) for unit in self.moved[entry, posting]]

    def beginnings(self, entry: int, posting: int) -> Counter[tuple[str, str, int, int]]:
        """``(asset, account, number, entry)`` of all that the units are made from."""
        return Counter(one for unit in self.moved[entry, posting] for one in _entered(unit))


def _make(units: Sequence[Unit], paid: Sequence[list[Unit]]) -> None:
    """Unit k of b is made from units floor(k*a/b) to floor((k+1)*a/b) of the a of each asset."""
    by_asset: dict[str, list[Unit]] = {}
    for some in paid:
        for unit in some:
            by_asset.setdefault(unit.asset, []).append(unit)
    for sources in by_asset.values():
        for place, unit in enumerate(units):
            first = place * len(sources) // len(units)
            end = (place + 1) * len(sources) // len(units)
            for source in sources[first:end]:
                unit.made_from.append(source)
                source.became = unit


def _last(unit: Unit) -> Unit:
    while unit.became is not None:
        unit = unit.became
    return unit


def _entered(unit: Unit) -> list[tuple[str, str, int, int]]:
    if unit.entered is not None:
        return [(unit.asset, *unit.entered)]
    return [one for source in unit.made_from for one in _entered(source)]
