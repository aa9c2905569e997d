"""Reversals: everything that moved goes back, whatever it was."""

from __future__ import annotations

from typing import Any

import pytest
from bodies import DOCUMENT, FULL
from scribe import Scribe, audited, stored_object
from told import TODAY, by, recorded, rejected, tell_before

from ledger.book import Book
from ledger.errors import RejectedError

STILL = {
    "registry": ("party", "fund", "project", "campaign", "item", "site", "rule", "key"),
    "kinds": (
        "entry.reversed",
        "entry.annotated",
        "entry.replaced",
        "entry.hidden",
        "document.attached",
        "statement.imported",
        "balance.asserted",
        "privacy.erased",
    ),
    "families": ("wish", "receipt", "attention"),
}
"""What moves no units and holds nothing, and so is never reversed."""
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
    # The document stays named by the entry, which stays in the log.
    assert after.pop(f"documented/{DOCUMENT}/{index:016d}") == {"entry": index}
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


def refused(scribe: Scribe, entry: int) -> RejectedError:
    """Why an entry cannot be reversed."""
    return rejected(scribe, "entry.reversed", {"entry": entry, "reason": "登记有误"})


def test_a_mistaken_service_is_undone_and_its_time_is_free_again(world: Scribe) -> None:
    service = recorded(world, "service.recorded")
    day = service.occurred_on
    undone = world.tell("entry.reversed", {"entry": service.index, "reason": "登记错人"})
    assert world.entry(undone).postings == []
    assert stored_object(world.book, f"served/holder-1/{day}") is None
    confirm = {"service": service.index, "confirmed_by": "centre-1"}
    refusal = rejected(world, "service.confirmed", confirm)
    assert (refusal.code, refusal.details) == ("service_reversed", {"entry": undone})
    # The same time may be recorded anew, and that counts.
    again = world.tell("service.recorded", service.fields, day=day)
    done = world.tell("service.confirmed", {**confirm, "service": again}, by="recorder-2")
    refusal = refused(world, again)
    assert (refusal.code, refusal.details["entries"]) == ("entry_relied_on", [done])
    undo_first: Any = refusal.details["undo_first"]
    (use,) = undo_first
    assert (use["entry"], use["why"], use["undone_by"]) == (
        done,
        ["confirmation"],
        "entry.reversed",
    )
    world.tell("entry.reversed", {"entry": done, "reason": "未到场"})
    world.tell("entry.reversed", {"entry": again, "reason": "未到场"})
    assert refused(world, again).code == "already_reversed"
    audited(world.book)


def test_a_mistaken_match_is_undone_and_its_lines_and_gifts_are_free_again(world: Scribe) -> None:
    match = recorded(world, "statement.matched")
    assert rejected(world, "statement.matched", match.fields).code == "line_matched"
    world.tell("entry.reversed", {"entry": match.index, "reason": "匹配有误"})
    again = world.tell("statement.matched", match.fields)
    total = stored_object(world.book, "bank-total")
    assert total["matched_lines"] == len(match.fields["lines"])
    gift = match.fields["gifts"][0]
    assert stored_object(world.book, f"bank-match/{gift}") == {"entry": again}
    audited(world.book)


def test_matching_money_is_given_back_when_its_gift_was(world: Scribe) -> None:
    matching = recorded(world, "donation.matched")
    fund = world.entry(matching.fields["gifts"][0]).fields["fund"]
    before = stored_object(world.book, f"fund-total/{fund}")
    give_back = {"gift": matching.index, "amount_fen": 400, "reason": "捐赠已退款"}
    part = world.entry(world.tell("donation.refunded", give_back))
    (posting,) = part.postings
    # The newest units of the matching gift itself, back to where they came from.
    at, amount = matching.postings[0]["at"], matching.fields["amount_fen"]
    assert posting["takes"] == [[at + amount - 400, at + amount]]
    assert (posting["from"], posting["to"]) == (f"fund:{fund}", "world:donor")
    after = stored_object(world.book, f"fund-total/{fund}")
    assert after["refunded_fen"] - before.get("refunded_fen", 0) == 400
    over = {**give_back, "amount_fen": amount}
    assert rejected(world, "donation.refunded", over).code == "gift_units_spent"
    world.tell("entry.reversed", {"entry": part.index, "reason": "退回有误"})
    world.tell("donation.refunded", {"gift": matching.index, "reason": "捐赠已退款"})
    assert stored_object(world.book, f"refunded/{matching.index}") == {"amount_fen": amount}
    audited(world.book)
