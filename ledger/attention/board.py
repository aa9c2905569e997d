"""All items of one snapshot, with what auditors decided about them."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from ledger.attention.deadlines import overdue
from ledger.attention.expiring import Expiring, by_month
from ledger.attention.holdings import ageing
from ledger.attention.item import Item, View, make_item
from ledger.attention.patterns import patterns
from ledger.entry import parse_entry
from ledger.holds import DAMAGED, HALTED, UNCONFIRMED, Hold
from ledger.records.dispositions import ATTENTION_DISPOSED, disposition_key
from ledger.store import PoolRow, Reader

_CODES: Mapping[Hold, str] = {
    HALTED: "witness_contradicts",
    DAMAGED: "damage_found",
    UNCONFIRMED: "restore_unconfirmed",
}
ITEMS_MAX = 1000
"""Items of one topic (code) in an answer, the open ones before the others; how many more there
are is said."""
SINCE_MAX = 100
"""Decisions since a board was searched that are read one by one; above it all are looked up."""


@dataclass(frozen=True, slots=True)
class Board:
    """What asks for attention on a day, as of one size of the log.

    Attributes:
        items: Those without a disposition first, warnings before notices.
        left_out: Of the topics with more items than are here, how many: ``{code: number}``.
        expiring: When holders' points run out; it counts persons, so it is for no answer as it is.
    """

    day: str
    size: int
    items: tuple[Item, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)
    expiring: tuple[Expiring, ...] = ()

    def page(self, after: tuple[int, int] | None, limit: int) -> tuple[list[Item], bool]:
        """Some items, and whether there are more.

        Args:
            after: Only items behind this one, by their `order`.
        """
        start = 0
        if after is not None:
            start = bisect_right(self.items, after, key=lambda one: one.order)
        return list(self.items[start : start + limit]), len(self.items) > start + limit

    def as_json(self, items: Sequence[Item] | None = None) -> dict[str, Any]:
        """Plain values, with all items or only these."""
        return {
            "day": self.day,
            "as_of": self.size,
            "open": sum(one.disposition is None for one in self.items),
            "truncated": bool(self.left_out),
            "left_out": dict(self.left_out),
            "items": [one.as_json() for one in (self.items if items is None else items)],
        }


def attend(
    reader: Reader,
    day: str,
    *,
    holds: Sequence[tuple[Hold, str]] = (),
    stopping: Callable[[], bool] | None = None,
    items_max: int | None = ITEMS_MAX,
) -> Board:
    """Look for everything that asks for attention.

    Args:
        reader: One snapshot; what it holds counts, whatever the day.
        day: The day (Asia/Shanghai) to count ages and deadlines to.
        holds: Why nothing more is recorded, if so: they come first, and no auditor's
            decision disposes of them.
        stopping: Says whether the answer is not wanted any more.
        items_max: At most so many items of a topic; None for all.

    Raises:
        NotReadyError: ``stopping``.
    """
    view = View(reader, day) if stopping is None else View(reader, day, stopping)
    head = reader.head()
    size = head.size if head else 0
    points: list[PoolRow] = []
    items, left_out = _gathered(view, items_max, points)
    board = Board(day, size, items, left_out, by_month(points))
    return held(decided(board, reader), holds)


def _gathered(
    view: View, items_max: int | None, points: list[PoolRow]
) -> tuple[tuple[Item, ...], Mapping[str, int]]:
    """What the search finds, as it finds it, and how much of each topic is left out.

    A topic with many items hides no other, and what is decided hides nothing that is open.
    """
    found: dict[str, list[tuple[int, Item]]] = {}
    counts: Counter[str] = Counter()
    for number, item in enumerate(_search(view, points)):
        counts[item.code] += 1
        topic = found.setdefault(item.code, [])
        topic.append((number, item))
        if items_max is not None and len(topic) >= 2 * items_max:
            _cut(topic, view.reader, items_max)
    for topic in found.values():
        if items_max is not None and len(topic) > items_max:
            _cut(topic, view.reader, items_max)
    in_order = sorted((one for topic in found.values() for one in topic), key=lambda one: one[0])
    left_out = {code: counts[code] - len(topic) for code, topic in found.items()}
    items = tuple(replace(item, place=place) for place, (_, item) in enumerate(in_order))
    return items, {code: n for code, n in left_out.items() if n}


def _cut(topic: list[tuple[int, Item]], reader: Reader, items_max: int) -> None:
    """Keep so many items of a topic: the open ones first, then the first that were found."""
    keys = [_disposition_key(item) for _, item in topic]
    disposed = reader.chosen_objects(keys)
    in_order = sorted(
        zip(keys, topic, strict=True), key=lambda one: (one[0] in disposed, one[1][0])
    )
    topic[:] = [one for _, one in in_order[:items_max]]


def decided(board: Board, reader: Reader) -> Board:
    """The same items with what auditors decided of them, as of a snapshot."""
    keys = [_disposition_key(one) for one in board.items]
    found = reader.chosen_objects(keys)
    items = [
        replace(one, disposition=orjson.loads(found[key]) if key in found else None)
        for one, key in zip(board.items, keys, strict=True)
    ]
    items.sort(key=lambda one: one.order)
    return replace(board, items=tuple(items))


def decided_since(board: Board, reader: Reader) -> Board:
    """The same as `decided`, for a board whose items have what was decided up to its size.

    Only the decisions above that are read, where they are few.
    """
    head = reader.head()
    before = head.size if head else 0
    newest = reader.newest_of_kinds([ATTENTION_DISPOSED.name], before=before, limit=SINCE_MAX)
    since = [index for index in newest if index >= board.size]
    if not since:
        return board
    if len(since) == SINCE_MAX:
        return decided(board, reader)
    keys = set()
    for data in reader.chosen_entries(since).values():
        fields = parse_entry(data).fields
        keys.add(disposition_key(fields["flag"], fields["entries"], fields.get("entries_total")))
    found = reader.chosen_objects(keys)
    items = [
        replace(one, disposition=orjson.loads(found[key])) if key in found else one
        for one, key in ((one, _disposition_key(one)) for one in board.items)
    ]
    items.sort(key=lambda one: one.order)
    return replace(board, items=tuple(items))


def held(board: Board, holds: Sequence[tuple[Hold, str]]) -> Board:
    """The same board with the reasons why nothing more is recorded before everything else."""
    if not holds:
        return board
    first = (
        replace(make_item(_CODES[hold], "warning", (), {"message": reason}), place=place)
        for place, (hold, reason) in enumerate(holds, start=-len(holds))
    )
    return replace(board, items=(*first, *board.items))


def _disposition_key(item: Item) -> str:
    return disposition_key(item.code, item.entries, item.details.get("entries_total"))


def _search(view: View, points: list[PoolRow]) -> Iterator[Item]:
    yield from overdue(view)
    yield from ageing(view, points)
    yield from patterns(view)
