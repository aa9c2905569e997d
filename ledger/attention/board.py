"""All items of one snapshot, with what auditors decided about them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import orjson

from ledger.attention.deadlines import overdue
from ledger.attention.holdings import ageing
from ledger.attention.item import Item, View, make_item
from ledger.attention.patterns import patterns
from ledger.holds import DAMAGED, HALTED, UNCONFIRMED, Hold
from ledger.records.dispositions import disposition_key
from ledger.store import Reader

_CODES: Mapping[Hold, str] = {
    HALTED: "witness_contradicts",
    DAMAGED: "damage_found",
    UNCONFIRMED: "restore_unconfirmed",
}
ITEMS_MAX = 1000
"""Items of one answer; one that is cut says so."""


@dataclass(frozen=True, slots=True)
class Board:
    """What asks for attention on a day, as of one size of the log.

    Attributes:
        items: Those without a disposition first, warnings before notices.
        truncated: True where there are more than `ITEMS_MAX`.
    """

    day: str
    size: int
    items: tuple[Item, ...]
    truncated: bool

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "day": self.day,
            "as_of": self.size,
            "open": sum(one.disposition is None for one in self.items),
            "truncated": self.truncated,
            "items": [one.as_json() for one in self.items],
        }


def attend(
    reader: Reader,
    day: str,
    *,
    holds: Sequence[tuple[Hold, str]] = (),
    stopping: Callable[[], bool] | None = None,
) -> Board:
    """Look for everything that asks for attention.

    Args:
        reader: One snapshot; what it holds counts, whatever the day.
        day: The day (Asia/Shanghai) to count ages and deadlines to.
        holds: Why nothing more is recorded, if so: they come first, and no auditor's
            decision disposes of them.
        stopping: Says whether the answer is not wanted any more.

    Raises:
        NotReadyError: ``stopping``.
    """
    view = View(reader, day) if stopping is None else View(reader, day, stopping)
    head = reader.head()
    found = list(islice(_search(view), ITEMS_MAX + 1))
    size = head.size if head else 0
    board = Board(day, size, tuple(found[:ITEMS_MAX]), len(found) > ITEMS_MAX)
    return held(decided(board, reader), holds)


def decided(board: Board, reader: Reader) -> Board:
    """The same items with what auditors decided of them, as of a snapshot."""
    keys = [_disposition_key(one) for one in board.items]
    found = reader.chosen_objects(keys)
    items = [
        replace(one, disposition=orjson.loads(found[key]) if key in found else None)
        for one, key in zip(board.items, keys, strict=True)
    ]
    items.sort(key=lambda one: (one.disposition is not None, one.severity != "warning"))
    return replace(board, items=tuple(items))


def held(board: Board, holds: Sequence[tuple[Hold, str]]) -> Board:
    """The same board with the reasons why nothing more is recorded before everything else."""
    if not holds:
        return board
    first = [make_item(_CODES[hold], "warning", (), {"message": reason}) for hold, reason in holds]
    return replace(board, items=(*first, *board.items))


def _disposition_key(item: Item) -> str:
    return disposition_key(item.code, item.entries, item.details.get("entries_total"))


def _search(view: View) -> Iterator[Item]:
    yield from overdue(view)
    yield from ageing(view)
    yield from patterns(view)
