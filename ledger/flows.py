"""Flows: an entry's postings as rows, and the walk over them.

A posting (design, section 4) moves units of one asset from one account to another;
each range that it moves is one `Flow`. The walk answers the two questions of a
donor and an auditor, where did these units go and whose units are these, through
any number of entries, by range overlap alone. It knows two rules beside overlap:

- *conversion*: a posting out of ``world:w`` that directly follows a run of postings
  into the same ``world:w`` received what that run paid for (a purchase, a repacking,
  a sale), in proportion (`units.made_from`);
- *reversal*: an entry that reverses entry e has one posting for each of e's, in the
  same order, each the reverse; its postings are never conversions.

The same walk runs over the database (``trace``) and over the entries of a trace
proof (``verify``): both are a `FlowSource`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from ledger.errors import LedgerError
from ledger.frozen import frozen
from ledger.units import Range, made_from, made_into

HOPS_MAX = 200_000
"""A walk that meets more flows than this stops with an error instead of an answer."""

REVERSAL = "entry.reversed"
"""The kind whose `fields.entry` names the entry that it reverses."""
GIVERS = frozenset(("world:donor", "world:issuer"))
"""Where units go only to be given back: a refund, points that are taken back."""

Posting = Mapping[str, Any]


def is_world(account: str) -> bool:
    """Whether the account is the outside: no numbers, no limit."""
    return account.startswith("world:")


def takes_back(source: str, target: str, *, reversal: bool) -> bool:
    """Whether a posting undoes an earlier one that counts: what moved so was not used.

    A refund gives back what came in, and so does the reversal of anything; the reversal
    of a refund brings in again what should not have gone back, and undoes no use.
    """
    return target in GIVERS or (reversal and source not in GIVERS)


@frozen
class Flow:
    """One range of units that moved.

    `source_first` and `target_first` are the first number of the range in either
    account, None where that account is the outside. `part` counts the ranges of one
    posting. `label` is what the units carry in the target account.
    """

    entry: int
    posting: int
    part: int
    asset: str
    source: str
    source_first: int | None
    target: str
    target_first: int | None
    length: int
    label: str = ""


@dataclass(frozen=True, slots=True)
class Moves:
    """One entry as the walk sees it."""

    entry: int
    kind: str
    flows: tuple[Flow, ...]
    reverses: int | None
    """The entry that this one reverses."""

    def posting(self, number: int) -> tuple[Flow, ...]:
        """The flows of one posting, in order."""
        return tuple(flow for flow in self.flows if flow.posting == number)

    def postings(self) -> list[int]:
        """The numbers of the postings, rising."""
        return sorted({flow.posting for flow in self.flows})


class FlowSource(Protocol):
    """Where the walk reads: the database, or the entries of a proof."""

    def arrivals(self, asset: str, account: str, first: int, end: int) -> Sequence[Flow]:
        """Flows whose target range overlaps [first, end), by rising target number."""
        ...

    def departures(self, asset: str, account: str, first: int, end: int) -> Sequence[Flow]:
        """Flows whose source range overlaps [first, end), by rising source number."""
        ...

    def moves(self, entry: int) -> Moves:
        """One entry's flows, kind and what it reverses."""
        ...

    def reversed_by(self, entry: int) -> int | None:
        """The entry that reverses this one, if any does."""
        ...


Ending = Literal["held", "left", "entered"]


@dataclass(frozen=True, slots=True)
class Hop:
    """A part of one flow that the walk went through.

    `share` is the half-open range of the traced amount that this part stands for in a
    forward walk; None in a backward walk.
    """

    entry: int
    kind: str
    posting: int
    asset: str
    source: str
    source_units: Range | None
    target: str
    target_units: Range | None
    amount: int
    share: Range | None


@dataclass(frozen=True, slots=True)
class End:
    """Where a part of the traced units rests: still held, gone out, or come in.

    `entry` is the last entry that the part went through. `amount` counts units of
    the traced asset in a forward walk, of `asset` in a backward walk.
    """

    state: Ending
    asset: str
    account: str
    units: Range | None
    entry: int
    amount: int
    share: Range | None


@dataclass(frozen=True, slots=True)
class Walk:
    """The answer for one posting; the amounts of a forward walk's ends sum to `amount`.

    In a backward walk the ends of each asset sum to what of it went in (`amounts`).
    """

    posting: int
    asset: str
    amount: int
    hops: tuple[Hop, ...]
    ends: tuple[End, ...]
    amounts: Mapping[str, int]


Runs = Sequence[tuple[int, str]]
"""``(length, label)`` of the units of one posting, in their order in the target."""


def flows_of(
    entry: int, postings: Sequence[Posting], runs: Sequence[Runs] | None = None
) -> list[Flow]:
    """An entry's postings as flows, one for each range that moves.

    `runs` gives the labels that each posting's units carry in the target account; a
    range is cut where its label changes, so that one flow has one label. The postings
    must be well-formed (``entry.parse_entry`` sees to it).
    """
    rows: list[Flow] = []
    for number, posting in enumerate(postings):
        source, target, asset = posting["from"], posting["to"], posting["asset"]
        amount: int = posting["amount"]
        labelled: Runs = ((amount, ""),) if runs is None else runs[number]
        takes = posting.get("takes")
        target_first: int | None = posting.get("at")
        if takes is None:
            pieces: list[tuple[int | None, int, str]] = [(None, n, label) for n, label in labelled]
        else:
            pieces = list(_cut(takes, labelled))
        for part, (source_first, length, label) in enumerate(pieces):
            rows.append(
                Flow(
                    entry,
                    number,
                    part,
                    asset,
                    source,
                    source_first,
                    target,
                    target_first,
                    length,
                    label,
                )
            )
            if target_first is not None:
                target_first += length
    return rows


def _cut(takes: Sequence[Sequence[int]], runs: Runs) -> Iterator[tuple[int, int, str]]:
    """The ranges and the label runs, both laid end to end, cut at every border of either."""
    labels = iter(runs)
    left, label = next(labels)
    for first, end in takes:
        at = first
        while at < end:
            if not left:
                left, label = next(labels)
            length = min(end - at, left)
            yield at, length, label
            at += length
            left -= length


def walk_forward(source: FlowSource, entry: int) -> list[Walk]:
    """Where the units went that this entry moved, one `Walk` for each of its postings.

    A posting whose units were turned into others inside the entry is told by the
    posting that received them.

    Raises:
        LedgerError: the walk met more than `HOPS_MAX` flows (code ``trace_too_large``).
    """
    moves = source.moves(entry)
    return [
        _Forward(source).run(moves, number)
        for number in moves.postings()
        if _product_of(moves, number) is None
    ]


def walk_backward(source: FlowSource, entry: int) -> list[Walk]:
    """Whose units these are that this entry moved, one `Walk` for each posting.

    A posting that paid for others inside the entry is told by the posting that
    received what it paid for.

    Raises:
        LedgerError: as in `walk_forward`.
    """
    moves = source.moves(entry)
    return [
        _Backward(source).run(moves, number)
        for number in moves.postings()
        if _product_of(moves, number) is None
    ]


def _product_of(moves: Moves, number: int) -> Flow | None:
    """What this posting paid for: the flow of the posting that received it, if one did.

    A posting out of the outside is one flow, since nothing is taken there.
    """
    if moves.reverses is not None:
        return None
    flows = moves.posting(number)
    world = flows[0].target
    if not is_world(world):
        return None
    while flows and flows[0].target == world:
        number += 1
        flows = moves.posting(number)
    return flows[0] if flows and flows[0].source == world else None


def _sources_of(moves: Moves, flow: Flow) -> list[tuple[Flow, ...]]:
    """The run of postings that paid for this flow; empty where it came in as it is.

    `flow` comes from the outside, and its entry is no reversal.
    """
    run: list[tuple[Flow, ...]] = []
    number = flow.posting
    while number > 0 and moves.posting(number - 1)[0].target == flow.source:
        number -= 1
        run.append(moves.posting(number))
    return run[::-1]


def _length(flows: Iterable[Flow]) -> int:
    return sum(flow.length for flow in flows)


def _range(first: int | None, low: int, high: int) -> Range | None:
    return None if first is None else (first + low, first + high)


class _Walker:
    """What both directions share: where to read, what was met, and the limit."""

    def __init__(self, source: FlowSource) -> None:
        self.source = source
        self.hops: list[Hop] = []
        self.ends: list[End] = []

    def hop(self, moves: Moves, flow: Flow, low: int, high: int, share: Range | None) -> None:
        """Note that units at places [low, high) of `flow` were met."""
        self.hops.append(
            Hop(
                flow.entry,
                moves.kind,
                flow.posting,
                flow.asset,
                flow.source,
                _range(flow.source_first, low, high),
                flow.target,
                _range(flow.target_first, low, high),
                high - low,
                share,
            )
        )
        if len(self.hops) > HOPS_MAX:
            raise LedgerError(
                f"the trace meets more than {HOPS_MAX} flows; trace an entry that moved less",
                code="trace_too_large",
                details={"hops_max": HOPS_MAX},
            )


_Step = tuple[int, int, int, int, int]
"""``(shift, a, b, low, high)``: takes border u to (u - shift) * a // b, held in [low, high]."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """Units [first, end) of one account in a forward walk, last moved by `entry`.

    `steps` lead from a border between two of its units back to a place in the traced
    amount; a move changes a shift, a conversion adds a step.
    """

    asset: str
    account: str
    first: int
    end: int
    steps: tuple[_Step, ...]
    entry: int

    def share(self, first: int, end: int) -> Range:
        """The places in the traced amount that units [first, end) stand for."""
        for shift, a, b, low, high in self.steps:
            first = min(max((first - shift) * a // b, low), high)
            end = min(max((end - shift) * a // b, low), high)
        return first, end

    def shifted(self, by: int) -> tuple[_Step, ...]:
        """The steps for the same units, numbered higher by `by`."""
        shift, a, b, low, high = self.steps[0]
        return ((shift + by, a, b, low, high), *self.steps[1:])

    def moved(self, account: str, to: int, low: int, high: int, entry: int) -> _Piece:
        """Units [low, high), numbered from `to` in another account."""
        steps = self.shifted(to - low)
        return _Piece(self.asset, account, to, to + high - low, steps, entry)


class _Forward(_Walker):
    """Follows pieces until each is held or has left."""

    def __init__(self, source: FlowSource) -> None:
        super().__init__(source)
        self.stack: list[_Piece] = []

    def run(self, moves: Moves, number: int) -> Walk:
        flows = moves.posting(number)
        amount, asset = _length(flows), flows[0].asset
        place = 0
        for flow in flows:
            first = flow.source_first or 0
            steps = ((first - place, 1, 1, 0, amount),)
            piece = _Piece(asset, flow.source, first, first + flow.length, steps, moves.entry)
            self._follow(piece, flow, moves, first, first + flow.length)
            place += flow.length
        while self.stack:
            self._step(self.stack.pop())
        self.hops.sort(key=lambda hop: (hop.entry, hop.posting, hop.share))
        self.ends.sort(key=lambda end: (end.share, end.entry))
        amounts = {asset: sum(end.amount for end in self.ends)}
        return Walk(number, asset, amount, tuple(self.hops), tuple(self.ends), amounts)

    def _step(self, piece: _Piece) -> None:
        """Everything that left of one piece, and what is still there between."""
        at = piece.first
        for flow in self.source.departures(piece.asset, piece.account, piece.first, piece.end):
            first = flow.source_first or 0
            low, high = max(first, piece.first), min(first + flow.length, piece.end)
            self._rest("held", piece, at, low)
            self._follow(piece, flow, self.source.moves(flow.entry), low, high)
            at = high
        self._rest("held", piece, at, piece.end)

    def _follow(self, piece: _Piece, flow: Flow, moves: Moves, low: int, high: int) -> None:
        """Go through units [low, high) of `piece`, which are a part of `flow`."""
        share = piece.share(low, high)
        if share[0] == share[1]:
            return
        offset = low - (flow.source_first or 0)
        self.hop(moves, flow, offset, offset + high - low, share)
        if flow.target_first is not None:
            to = flow.target_first + offset
            self.stack.append(piece.moved(flow.target, to, low, high, flow.entry))
            return
        place = _place(moves, flow) + offset
        reversal = self.source.reversed_by(flow.entry)
        if reversal is not None:
            self._return(piece, self.source.moves(reversal), flow.posting, place, low, high)
        elif product := _product_of(moves, flow.posting):
            self._convert(piece, moves, flow, product, place, low, high)
        else:
            gone = piece.moved(flow.target, low, low, high, flow.entry)
            self._rest("left", gone, low, high)

    def _return(
        self, piece: _Piece, reversal: Moves, number: int, place: int, low: int, high: int
    ) -> None:
        """Units that left for the outside, at `place` of their posting, came back."""
        at = 0
        for back in reversal.posting(number):
            start, stop = max(at, place), min(at + back.length, place + high - low)
            if start < stop and back.target_first is not None:
                first, end = low + start - place, low + stop - place
                to = back.target_first + start - at
                self.hop(reversal, back, start - at, stop - at, piece.share(first, end))
                self.stack.append(piece.moved(back.target, to, first, end, reversal.entry))
            at += back.length

    def _convert(
        self,
        piece: _Piece,
        moves: Moves,
        flow: Flow,
        product: Flow,
        place: int,
        low: int,
        high: int,
    ) -> None:
        """Units [low, high), at `place` of their posting, became units of `product`."""
        alike = [flows for flows in _sources_of(moves, product) if flows[0].asset == flow.asset]
        place += sum(_length(flows) for flows in alike if flows[0].posting < flow.posting)
        a, b = sum(_length(flows) for flows in alike), product.length
        first, end = made_into(place, place + high - low, a, b)
        to = (product.target_first or 0) + first
        # Border k of the product stands at k*a//b of what was paid; what was paid at
        # `place` is border `low` of the piece.
        step = (to - first, a, b, place, place + high - low)
        steps = (step, *piece.shifted(place - low))
        asset, account = product.asset, product.target
        made = _Piece(asset, account, to, to + end - first, steps, moves.entry)
        self.hop(moves, product, first, end, made.share(made.first, made.end))
        self.stack.append(made)

    def _rest(self, state: Ending, piece: _Piece, first: int, end: int) -> None:
        share = piece.share(first, end)
        if share[0] < share[1]:
            units = None if is_world(piece.account) else (first, end)
            amount = share[1] - share[0]
            self.ends.append(
                End(state, piece.asset, piece.account, units, piece.entry, amount, share)
            )


class _Backward(_Walker):
    """Follows ranges until each is found to have come in."""

    def __init__(self, source: FlowSource) -> None:
        super().__init__(source)
        self.stack: list[tuple[str, str, int, int]] = []
        self.amounts: Counter[str] = Counter()

    def run(self, moves: Moves, number: int) -> Walk:
        flows = moves.posting(number)
        amount, asset = _length(flows), flows[0].asset
        self.amounts[asset] = amount
        for flow in flows:
            self._arrived(flow, moves, 0, flow.length)
        while self.stack:
            asset_here, account, first, end = self.stack.pop()
            for flow in self.source.arrivals(asset_here, account, first, end):
                start = flow.target_first or 0
                low, high = max(start, first), min(start + flow.length, end)
                self._arrived(flow, self.source.moves(flow.entry), low - start, high - start)
        self.hops.sort(key=lambda hop: (hop.entry, hop.posting, hop.target_units or (0, 0)))
        self.ends.sort(key=lambda end: (end.entry, end.asset, end.units or (0, 0)))
        return Walk(number, asset, amount, tuple(self.hops), tuple(self.ends), +self.amounts)

    def _arrived(self, flow: Flow, moves: Moves, low: int, high: int) -> None:
        """Units at places [low, high) of `flow`: where did they come from?"""
        self.hop(moves, flow, low, high, None)
        if flow.source_first is not None:
            first = flow.source_first
            self.stack.append((flow.asset, flow.source, first + low, first + high))
            return
        if moves.reverses is not None:
            undone = self.source.moves(moves.reverses)
            self._push(undone, undone.posting(flow.posting), low, high)
        elif run := _sources_of(moves, flow):
            self.amounts[flow.asset] -= high - low
            for asset in dict.fromkeys(flows[0].asset for flows in run):
                alike = tuple(one for flows in run if flows[0].asset == asset for one in flows)
                first, end = made_from(low, high, _length(alike), flow.length)
                self.amounts[asset] += end - first
                self._push(moves, alike, first, end)
        else:
            units = _range(flow.target_first, low, high)
            self.ends.append(
                End("entered", flow.asset, flow.target, units, flow.entry, high - low, None)
            )

    def _push(self, moves: Moves, flows: Sequence[Flow], start: int, stop: int) -> None:
        """Go on with places [start, stop) of what these flows took, laid end to end."""
        at = 0
        for flow in flows:
            low, high = max(start - at, 0), min(stop - at, flow.length)
            if low < high and flow.source_first is not None:
                self.hop(moves, flow, low, high, None)
                first = flow.source_first
                self.stack.append((flow.asset, flow.source, first + low, first + high))
            at += flow.length


def _place(moves: Moves, flow: Flow) -> int:
    """How many units of the posting come before this flow."""
    return sum(one.length for one in moves.posting(flow.posting) if one.part < flow.part)
