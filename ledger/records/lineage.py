"""Which numbers the units of an entry have today.

A reversal brings units back under new numbers. Whoever asks what is left of a gift or
of issued points means those too: else a claim would be lost, or a claw-back escaped, by
spending units and reversing that.
"""

from __future__ import annotations

from collections.abc import Sequence

from ledger.flows import Flow
from ledger.state import State
from ledger.units import Range, subtract


def current(state: State, asset: str, account: str, ranges: Sequence[Range]) -> list[Range]:
    """The numbers that units of one account have today, in the same order.

    A unit that left by an entry which was reversed later has the number under which it
    came back; one that left for good keeps the number under which it left.
    """
    found: list[Range] = []
    waiting = [(first, end, False) for first, end in reversed(ranges)]
    while waiting:
        first, end, known = waiting.pop()
        departures = [] if known else state.departures(asset, account, first, end)
        parts: list[tuple[int, int, bool]] = []
        at = first
        for flow in departures:
            start = flow.source_first or 0
            low, high = max(first, start), min(end, start + flow.length)
            if at < low:
                parts.append((at, low, True))
            back = _came_back(state, flow)
            if back is None:
                parts.append((low, high, True))
            else:
                parts.append((back + low - start, back + high - start, False))
            at = high
        if parts:
            if at < end:
                parts.append((at, end, True))
            waiting += reversed(parts)
        else:
            found.append((first, end))
    return found


def _came_back(state: State, flow: Flow) -> int | None:
    """The number that the first unit of this flow got when its entry was reversed."""
    reversed_by = state.get(f"reversed/{flow.entry}")
    if reversed_by is None:
        return None
    returned = [
        one.target_first
        for one in state.entry_flows(reversed_by["entry"])
        if one.posting == flow.posting and one.target_first is not None
    ]
    before = [
        one.length
        for one in state.entry_flows(flow.entry)
        if one.posting == flow.posting and one.part < flow.part
    ]
    return min(returned) + sum(before)


def remaining(state: State, flows: Sequence[Flow]) -> tuple[list[Range], list[Range]]:
    """Of the units that these flows brought into one account: what is there, what is gone.

    Both under the numbers that they have today (or had when they left), what is there
    in the order in which it came.
    """
    asset, account = flows[0].asset, flows[0].target
    brought = [
        (flow.target_first, flow.target_first + flow.length)
        for flow in flows
        if flow.target_first is not None
    ]
    ranges = current(state, asset, account, brought)
    gone = state.holdings(asset, account).missing(ranges)
    return [part for one in ranges for part in subtract([one], gone)], gone
