"""What rests on an entry: the later entries that are undone first, in the order to do it.

An entry is reversed only while the units that it moved are where it put them, and while
nothing else is claimed of it (domain, section 1, "correction"). What stands in the way has
later uses of its own, so the whole list is needed, newest first: a later entry never rests
on one that comes after it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ledger.entry import Entry
from ledger.flows import REVERSAL, is_world
from ledger.records.lineage import current, remaining
from ledger.state import State
from ledger.units import Range

USES_MAX = 1000
"""So many later entries are listed; where there are more, the list says so."""

Why = Literal[
    "units", "points", "receipt", "fulfilment", "matching", "confirmation", "bank", "statement"
]

UNDONE_BY: Mapping[Why, str] = {
    "units": REVERSAL,
    "points": "points.reversed",
    "receipt": "receipt.voided",
    "fulfilment": "wish.withdrawn",
    "matching": REVERSAL,
    "confirmation": REVERSAL,
    "bank": REVERSAL,
    "statement": REVERSAL,
}
"""The kind of record that gives up each claim."""


@dataclass(frozen=True, slots=True)
class LaterUse:
    """A later entry that stands in the way.

    Attributes:
        entry, kind: Which.
        why: What it has of the entries `of`.
        of: The entries that it rests on, rising.
        undone_by: The kind of record that undoes it; None for a reversal, which cannot be
            reversed.
    """

    entry: int
    kind: str
    why: tuple[Why, ...]
    of: tuple[int, ...]
    undone_by: str | None

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "entry": self.entry,
            "kind": self.kind,
            "why": list(self.why),
            "of": list(self.of),
            "undone_by": self.undone_by,
        }


@dataclass(frozen=True, slots=True)
class LaterUses:
    """All later uses of an entry, in the order in which they are undone: newest first."""

    entry: int
    uses: tuple[LaterUse, ...]
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class MovedOn:
    """Units that an entry brought into an account and that have left it for good."""

    asset: str
    account: str
    missing: tuple[Range, ...]
    entries: tuple[int, ...]


def moved_on(state: State, entry: Entry) -> list[MovedOn]:
    """What of the units that an entry moved is not where it put them, posting by posting."""
    found: list[MovedOn] = []
    for posting in entry.postings:
        asset, target = posting["asset"], posting["to"]
        if is_world(target):
            continue
        brought = [(posting["at"], posting["at"] + posting["amount"])]
        ranges = current(state, asset, target, brought)
        missing = state.holdings(asset, target).missing(ranges)
        if missing:
            uses = tuple(state.uses(asset, target, missing))
            found.append(MovedOn(asset, target, tuple(missing), uses))
    return found


def depending_points(state: State, number: int) -> list[int]:
    """The entries that issued points for this one, of which some are still there."""
    issues = (state.get(f"points-of/{number}") or {"issues": []})["issues"]
    return [one for one in issues if remaining(state, state.entry_flows(one))[0]]


def claims(state: State, number: int) -> dict[int, Why]:
    """The entries that rely on this one: its receipt, the wish it fulfils, matching gifts,
    the confirmation of the service that it recorded; of a bank statement, its matched lines
    and the statement that follows it."""
    found: dict[int, Why] = {}
    for one in (state.get(f"matches-of/{number}") or {"entries": []})["entries"]:
        found[one] = "bank"
    following = _statement_after(state, number)
    if following is not None:
        found[following] = "statement"
    for one in (state.get(f"matchings-of/{number}") or {"entries": []})["entries"]:
        found[one] = "matching"
    wish, receipt = state.get(f"fulfils/{number}"), state.get(f"receipt-of/{number}")
    if wish is not None:
        found[wish["entry"]] = "fulfilment"
    if receipt is not None:
        found[receipt["entry"]] = "receipt"
    confirmed = state.get(f"confirmed/{number}")
    if confirmed is not None:
        found[confirmed["entry"]] = "confirmation"
    return found


def _statement_after(state: State, number: int) -> int | None:
    """The next statement of the same bank account, from the last one back."""
    entry = state.entry(number, "entry")
    if entry.kind != "statement.imported":
        return None
    last = state.get(f"statement/{entry.fields['account_alias']}")
    at = number if last is None else int(last["entry"])
    after = None
    while at > number:
        after = at
        at = state.entry(at, "entry").references[0]
    return after


def later_uses(state: State, number: int) -> LaterUses:
    """Everything that has to be undone before an entry can be reversed.

    Args:
        state: The state as of one size.
        number: An entry of it.

    Raises:
        RejectedError: there is no such entry.
    """
    why: dict[int, set[Why]] = {}
    of: dict[int, set[int]] = {}
    # What is reversed already is gone, and not by a later use.
    waiting = [number] if state.get(f"reversed/{number}") is None else []
    seen = {number}
    while waiting and len(seen) <= USES_MAX:
        at = waiting.pop()
        for use, reason in _direct(state, at):
            why.setdefault(use, set()).add(reason)
            of.setdefault(use, set()).add(at)
            # What is voided or withdrawn moved no units, and nothing rests on it.
            if use not in seen and UNDONE_BY[reason] == REVERSAL:
                seen.add(use)
                waiting.append(use)
    uses = [
        _use(state.entry(one, "entry"), tuple(sorted(why[one])), tuple(sorted(of[one])))
        for one in sorted(why, reverse=True)
    ]
    return LaterUses(number, tuple(uses[:USES_MAX]), bool(waiting) or len(uses) > USES_MAX)


def _direct(state: State, number: int) -> Iterator[tuple[int, Why]]:
    yield from claims(state, number).items()
    for issue in depending_points(state, number):
        yield issue, "points"
    for one in moved_on(state, state.entry(number, "entry")):
        for use in one.entries:
            yield use, "units"


def _use(entry: Entry, why: tuple[Why, ...], of: tuple[int, ...]) -> LaterUse:
    undone_by = None if entry.kind == REVERSAL else UNDONE_BY[why[-1]]
    return LaterUse(entry.index, entry.kind, why, of, undone_by)
