"""All items of one snapshot, with what auditors decided about them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from ledger.attention.deadlines import overdue
from ledger.attention.holdings import ageing
from ledger.attention.item import Item, View, make_item
from ledger.attention.patterns import patterns
from ledger.records.dispositions import disposition_key
from ledger.store import Reader

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


def attend(reader: Reader, day: str, *, halted: str | None = None) -> Board:
    """Look for everything that asks for attention.

    Args:
        reader: One snapshot; what it holds counts, whatever the day.
        day: The day (Asia/Shanghai) to count ages and deadlines to.
        halted: Why the service records nothing more, if so: it comes first, and no auditor's
            decision disposes of it.
    """
    view = View(reader, day)
    head = reader.head()
    found = list(islice(_search(view), ITEMS_MAX + 1))
    items = [
        replace(one, disposition=view.get(disposition_key(one.code, one.entries)))
        for one in found[:ITEMS_MAX]
    ]
    items.sort(key=lambda one: (one.disposition is not None, one.severity != "warning"))
    if halted is not None:
        items.insert(0, make_item("witness_contradicts", "warning", (), {"message": halted}))
    return Board(day, head.size if head else 0, tuple(items), len(found) > ITEMS_MAX)


def _search(view: View) -> Iterator[Item]:
    yield from overdue(view)
    yield from ageing(view)
    yield from patterns(view)
