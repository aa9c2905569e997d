"""What an audit adds up on its way: entries by kind, and sums by fund, item and rule.

Totals are only ever derived. They are added up from the postings, apart from the state;
what is still held is counted in the state at the end, and the two must agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ledger.entry import Entry
from ledger.flows import is_world
from ledger.state import State
from ledger.units import Range, slice_ranges

OPENING = "world:opening"
"""Where what was there before the log comes from (``records.openings``)."""

POINTS = "points"
REVERSAL = "entry.reversed"
_POINTS_OUT = {
    "world:redeemed": "redeemed",
    "world:expired": "expired",
    "world:issuer": "taken_back",
}
UNKNOWN_RULE = "(opening)"
"""Points that no rule issued: those of the opening balance."""

Sums = dict[str, dict[str, int]]


class Tally:
    """Counts and sums; `kept` gives and takes them as plain values.

    Attributes:
        kinds: How many entries of each kind.
        funds: By fund, in fen: ``opening``, ``in``, ``out``.
        items: By item, in base units: ``opening``, ``in`` and ``out`` of all stocks together.
        rules: By points rule: ``issued``, ``redeemed``, ``expired``, ``taken_back``.
        minutes: Service minutes: ``in``, ``out``.
    """

    def __init__(self, kept: Mapping[str, Any] | None = None) -> None:
        kept = kept or {}
        self.kinds: dict[str, int] = dict(kept.get("kinds", {}))
        self._sums: dict[str, Sums] = {
            name: {key: dict(value) for key, value in kept.get(name, {}).items()}
            for name in ("funds", "items", "rules", "minutes")
        }

    def kept(self) -> dict[str, Any]:
        """What the constructor takes."""
        return {"kinds": self.kinds, **self._sums}

    def take(self, entry: Entry, state: State) -> None:
        """Add an entry that was applied to the state."""
        self.kinds[entry.kind] = self.kinds.get(entry.kind, 0) + 1
        for posting in entry.postings:
            asset = posting["asset"]
            if asset == "CNY":
                self._fund(posting)
            elif asset == POINTS:
                self._points(entry, posting, state)
            elif asset == "minutes":
                self._crossing("minutes", asset, posting)
            else:
                self._crossing("items", asset.partition(":")[2], posting)

    def _add(self, name: str, key: str, column: str, amount: int) -> None:
        sums = self._sums[name].setdefault(key, {})
        sums[column] = sums.get(column, 0) + amount

    def _fund(self, posting: Mapping[str, Any]) -> None:
        """Money between two funds is out of the one and into the other."""
        source, target, amount = posting["from"], posting["to"], posting["amount"]
        if not is_world(source):
            self._add("funds", source.partition(":")[2], "out", amount)
        if not is_world(target):
            column = "opening" if source == OPENING else "in"
            self._add("funds", target.partition(":")[2], column, amount)

    def _crossing(self, name: str, key: str, posting: Mapping[str, Any]) -> None:
        """Goods count where they cross the border of the federation, not between its sites."""
        source, target, amount = posting["from"], posting["to"], posting["amount"]
        if is_world(source):
            self._add(name, key, "opening" if source == OPENING else "in", amount)
        if is_world(target):
            self._add(name, key, "out", amount)

    def _points(self, entry: Entry, posting: Mapping[str, Any], state: State) -> None:
        """Points count for the rules that issued them: their numbers tell which."""
        source, target, amount = posting["from"], posting["to"], posting["amount"]
        if not is_world(source):
            column = _POINTS_OUT.get(target, "taken_back")
            for rule, units in _issued_by(state, source, posting["takes"]):
                self._add("rules", rule, column, units)
        elif entry.kind == REVERSAL:
            column = _POINTS_OUT.get(source, "taken_back")
            arrived = [(posting["at"], posting["at"] + amount)]
            for rule, units in _issued_by(state, target, arrived):
                self._add("rules", rule, column, -units)
        else:
            self._add("rules", _rule_of(entry), "issued", amount)

    def sums(self, held: Iterable[tuple[str, str, int, int]]) -> tuple[dict[str, Sums], list[str]]:
        """The sums with what is held, and what does not agree.

        Args:
            held: As `shadow.Shadow.held` gives it.

        Returns:
            The sums by name; what of them differs from what is held.
        """
        holding: dict[tuple[str, str], int] = {}
        for asset, account, _, units in held:
            if not is_world(account):
                place = _place(asset, account)
                holding[place] = holding.get(place, 0) + units
        found: dict[str, Sums] = {}
        wrong: list[str] = []
        for name in ("funds", "items", "minutes"):
            found[name] = {}
            keys = {key for place, key in holding if place == name} | self._sums[name].keys()
            for key in sorted(keys):
                added = self._sums[name].get(key, {})
                row = {column: added.get(column, 0) for column in ("opening", "in", "out")}
                row["held"] = holding.get((name, key), 0)
                if row["opening"] + row["in"] - row["out"] != row["held"]:
                    wrong.append(f"{name} {key}")
                found[name][key] = row
        found["rules"] = {}
        outstanding = 0
        for key, added in sorted(self._sums["rules"].items()):
            row = {column: added.get(column, 0) for column in _RULE_COLUMNS}
            row["outstanding"] = row["issued"] - sum(row[one] for one in _RULE_COLUMNS[1:])
            outstanding += row["outstanding"]
            found["rules"][key] = row
        if outstanding != holding.get((POINTS, POINTS), 0):
            wrong.append(POINTS)
        return found, wrong


_RULE_COLUMNS = ("issued", *dict.fromkeys(_POINTS_OUT.values()))


def _place(asset: str, account: str) -> tuple[str, str]:
    if asset == "CNY":
        return "funds", account.partition(":")[2]
    if asset in (POINTS, "minutes"):
        return asset, asset
    return "items", asset.partition(":")[2]


def _rule_of(issue: Entry) -> str:
    return str(issue.fields["rule"]) if issue.kind == "points.issued" else UNKNOWN_RULE


def _issued_by(state: State, account: str, ranges: Iterable[Range]) -> Iterator[tuple[str, int]]:
    """``(rule, units)``: which rule issued these units of a holder.

    Units that a reversal brought back are those that the reversed entry took.
    """
    for first, end in ranges:
        for flow in state.arrivals(POINTS, account, first, end):
            start = max(first, flow.target_first or 0)
            units = min(end, (flow.target_first or 0) + flow.length) - start
            issue = state.entry(flow.entry, "points")
            if issue.kind != REVERSAL:
                yield _rule_of(issue), units
                continue
            place = start - issue.postings[flow.posting]["at"]
            reversed_entry = state.entry(issue.fields["entry"], "points")
            taken = reversed_entry.postings[flow.posting]["takes"]
            yield from _issued_by(state, account, slice_ranges(taken, place, place + units))
