"""Linked traces: matching gifts, refunds, points and the goods that points redeemed.

Points of a gift are not units that flow from its money, and neither is the gift that
matches it: a walk over units (``trace``) does not meet them. They are linked by what the
entries say, and the state holds each link under the entry's own key. This module follows
those links from a trace, a bounded way, and gives each linked entry its own walk in the
same direction: forward from a gift to its matching gifts, its refunds, its points and what
they redeemed; backward from redeemed goods to the points and the gifts that earned them.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from ledger.entry import Entry, parse_entry
from ledger.errors import LedgerError
from ledger.flows import Walk
from ledger.store import Reader
from ledger.trace import TOO_LARGE, StoreFlows
from ledger.verify import Direction, walk, walks_as_json

RELATED_MAX = 40
"""Linked entries of one answer; one that leaves some out says so."""
RELATED_ENTRIES_MAX = 1000
"""Entries that the walks of all of them together may meet."""

Relation = Literal["matching_gift", "refund", "points", "redeemed_goods", "matched_gift", "source"]
"""Forward: what came of it. Backward (the last two): the gift that was matched, and what
the points were given for."""


@dataclass(frozen=True, slots=True)
class Part:
    """Of `whole` units that the linked entry moved, `amount` belong to this link."""

    asset: str
    amount: int
    whole: int


@dataclass(frozen=True, slots=True)
class Related:
    """An entry that is linked to the traced one, or to another linked one.

    Attributes:
        relation: How.
        of: The entry that it is linked to.
        entry, kind: The linked entry.
        part: The units that the link is about, where it is about units.
        shared_by: How many gifts a matching gift answers together.
        walks: Its own walks, in the direction of the trace; None where they were too large.
    """

    relation: Relation
    of: int
    entry: int
    kind: str
    part: Part | None
    shared_by: int | None
    walks: tuple[Walk, ...] | None

    def as_json(self) -> dict[str, Any]:
        """Plain values; what is absent is left out."""
        value: dict[str, Any] = {
            "relation": self.relation,
            "of": self.of,
            "entry": self.entry,
            "kind": self.kind,
        }
        if self.part is not None:
            value["part"] = {
                "asset": self.part.asset,
                "amount": self.part.amount,
                "whole": self.part.whole,
            }
        if self.shared_by is not None:
            value["shared_by"] = self.shared_by
        if self.walks is not None:
            value["walks"] = walks_as_json(self.walks)
        return value


@dataclass(frozen=True, slots=True)
class Relations:
    """All linked entries, those nearest to the trace first; `more`: some are left out."""

    rows: tuple[Related, ...]
    more: bool

    def as_json(self) -> dict[str, Any]:
        """Plain values: ``related`` and ``related_more``."""
        return {"related": [one.as_json() for one in self.rows], "related_more": self.more}


@dataclass(frozen=True, slots=True)
class _Link:
    relation: Relation
    of: int
    entry: int
    part: Part | None = None


def find_related(
    reader: Reader, entry: int, direction: Direction, walks: Sequence[Walk]
) -> Relations:
    """What is linked to a trace, each link once.

    Args:
        reader: The snapshot that the trace was made from.
        entry: The traced entry.
        direction: Of the trace, and of the linked walks.
        walks: The trace.
    """
    search = _Search(reader, direction)
    links = deque(search.links(entry, walks))
    followed = {entry}
    rows: list[Related] = []
    while links:
        link = links.popleft()
        if len(rows) == RELATED_MAX:
            return Relations(tuple(rows), True)
        found = search.related(link)
        rows.append(found)
        # An entry may be linked in two ways; what is linked to it is told once.
        if link.entry not in followed:
            followed.add(link.entry)
            links += search.links(found.entry, found.walks or ())
    return Relations(tuple(rows), False)


class _Search:
    """Reads links and linked entries from one snapshot, by key."""

    def __init__(self, reader: Reader, direction: Direction) -> None:
        self._reader = reader
        self._direction = direction
        self._flows = StoreFlows(reader, entries_max=RELATED_ENTRIES_MAX)
        self._entries: dict[int, Entry] = {}

    def related(self, link: _Link) -> Related:
        entry = self._entry(link.entry)
        try:
            walks = walk(self._flows, link.entry, self._direction)
        except LedgerError as error:
            if error.code != TOO_LARGE:
                raise
            walks = None
        matching = entry.kind == "donation.matched"
        shared_by = len(entry.fields["gifts"]) if matching else None
        return Related(link.relation, link.of, link.entry, entry.kind, link.part, shared_by, walks)

    def links(self, entry: int, walks: Sequence[Walk]) -> Iterator[_Link]:
        if self._direction == "forward":
            return self._onward(entry, walks)
        return self._back(entry, walks)

    def _onward(self, entry: int, walks: Sequence[Walk]) -> Iterator[_Link]:
        for one in self._object(f"matchings-of/{entry}", "entries"):
            yield _Link("matching_gift", entry, one)
        points: dict[int, int] = defaultdict(int)
        refunds: dict[int, int] = defaultdict(int)
        for hop in (hop for one in walks for hop in one.hops):
            if hop.kind == "points.redeemed" and hop.asset == "points" and hop.entry != entry:
                points[hop.entry] += hop.amount
            if hop.kind == "donation.refunded" and hop.asset == "CNY" and hop.entry != entry:
                refunds[hop.entry] += hop.amount
        for number, amount in sorted(refunds.items()):
            if self._entry(number).fields["gift"] == entry:
                yield _Link("refund", entry, number, self._part(number, "CNY", amount))
        for issue in self._object(f"points-of/{entry}", "issues"):
            yield _Link("points", entry, issue)
        for number, amount in sorted(points.items()):
            part = self._part(number, "points", amount)
            yield _Link("redeemed_goods", entry, number, part)

    def _back(self, entry: int, walks: Sequence[Walk]) -> Iterator[_Link]:
        """What came in by points or by a matching gift goes back to what it was for."""
        came: dict[int, int] = defaultdict(int)
        for end in (end for walked in walks for end in walked.ends):
            if end.state == "entered":
                came[end.entry] += end.amount
        found = [(self._entry(number), amount) for number, amount in sorted(came.items())]
        for one, amount in found:
            if one.kind == "points.issued":
                part = self._part(one.index, "points", amount)
                yield _Link("source", one.index, one.fields["source"], part)
        for one, _ in found:
            if one.kind == "donation.matched":
                for gift in one.fields["gifts"]:
                    yield _Link("matched_gift", one.index, gift)

    def _part(self, entry: int, asset: str, amount: int) -> Part:
        """So many of the units of an asset that an entry moved."""
        postings = self._entry(entry).postings
        return Part(asset, amount, sum(o["amount"] for o in postings if o["asset"] == asset))

    def _object(self, key: str, name: str) -> list[int]:
        data = self._reader.object(key)
        return [] if data is None else list(orjson.loads(data)[name])

    def _entry(self, index: int) -> Entry:
        if index not in self._entries:
            self._entries[index] = parse_entry(self._reader.entry(index))
        return self._entries[index]
