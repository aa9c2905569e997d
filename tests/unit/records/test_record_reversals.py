"""Reversals: everything that moved goes back, whatever it was."""

from __future__ import annotations

from typing import Any

import pytest
from bodies import DOCUMENT, FULL
from scribe import Scribe, audited, stored_object
from told import TODAY, by, recorded, tell_before

from ledger.book import Book

STILL = {
    "registry": ("party", "fund", "project", "campaign", "item", "site", "rule", "key"),
    "kinds": (
        "entry.reversed",
        "entry.annotated",
        "entry.hidden",
        "service.recorded",
        "document.attached",
        "statement.imported",
        "statement.matched",
        "balance.asserted",
        "privacy.erased",
    ),
    "families": ("wish", "receipt", "attention"),
}
"""What moves no units, and so is never reversed."""
REVERSIBLE = [
    name
    for name in FULL
    if name not in STILL["kinds"]
    and name.partition(".")[0] not in STILL["registry"] + STILL["families"]
]


@pytest.mark.parametrize("kind", REVERSIBLE)
def test_a_reversal_gives_back_the_state_before(world: Scribe, kind: str) -> None:
    tell_before(world, kind)
    before = snapshot(world.book)
    body = FULL[kind]
    day = body.get("occurred_on", TODAY)
    index = world.tell(kind, body["fields"], day=day, documents=[DOCUMENT], by=by(kind))
    entry = world.entry(world.tell("entry.reversed", {"entry": index, "reason": "登记有误"}))
    assert entry.references == [index]
    assert [(one["asset"], one["amount"]) for one in entry.postings] == [
        (one["asset"], one["amount"]) for one in world.entry(index).postings
    ]
    after = snapshot(world.book)
    assert after.pop(f"reversed/{index}") == {"entry": entry.index}
    assert {key: value for key, value in after.items() if value} == before
    audited(world.book)


def snapshot(book: Book) -> dict[str, Any]:
    """Balances by label and objects; counters that are nothing, and shipments, left out."""
    found: dict[str, Any] = {}
    with book.store.read() as reader:
        names = {row[0]: f"{row[1]} {row[2]}" for row in reader.scan("account")}
        for account, _, length, label in reader.scan("holding"):
            key = f"{names[account]} {label}"
            found[key] = found.get(key, 0) + length
        for key, _ in reader.objects("", limit=10_000):
            if not key.startswith(("shipment/", "opened/")):
                found[key] = stored_object(book, key)
    for key, value in found.items():
        if isinstance(value, dict):
            found[key] = {name: one for name, one in value.items() if one != 0}
    return {key: value for key, value in found.items() if value}


def test_a_reversed_shipment_is_marked(world: Scribe) -> None:
    index = recorded(world, "goods.moved").index
    world.tell("entry.reversed", {"entry": index, "reason": "未发出"})
    assert stored_object(world.book, "shipment/trip-1")["reversed"] is True


def test_points_of_a_reversed_issue_may_be_issued_again(world: Scribe) -> None:
    entry = recorded(world, "points.issued")
    world.tell("entry.reversed", {"entry": entry.index, "reason": "登记有误"})
    assert world.tell("points.issued", entry.fields)
