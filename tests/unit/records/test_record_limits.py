"""What an account and a posting can hold at the most."""

from __future__ import annotations

from typing import Any

from scribe import Scribe, audited
from told import rejected

from ledger.entry import TAKES_MAX
from ledger.records.kind import AMOUNT_FEN_MAX
from ledger.units import UNITS_MAX

Body = tuple[str, dict[str, Any]]


def gift(amount_fen: int, fund: str = "general", **more: Any) -> Body:
    """The body of a gift."""
    return "donation.money", {"fund": fund, "amount_fen": amount_fen, "channel": "cash", **more}


def aid(amount_fen: int, fund: str = "general", purpose: str = "any", **more: Any) -> Body:
    """The body of a payment to a person."""
    fields = {"fund": fund, "purpose": purpose, "amount_fen": amount_fen, "payee_class": "family"}
    return "aid.paid", {**fields, **more}


def test_an_account_numbers_no_more_units_than_a_canonical_integer(world: Scribe) -> None:
    room = UNITS_MAX - 100_000
    full_gifts, rest = divmod(room, AMOUNT_FEN_MAX)
    world.submit(world.gift(AMOUNT_FEN_MAX) for _ in range(full_gifts))
    error = rejected(world, *gift(rest + 1))
    assert error.code == "units_overflow"
    assert error.details == {"account": "fund:general", "asset": "CNY"}
    world.tell(*gift(rest))
    assert rejected(world, *gift(1)).code == "units_overflow"
    world.tell(*aid(AMOUNT_FEN_MAX))
    assert rejected(world, *gift(1)).code == "units_overflow"
    audited(world.book)


def test_units_in_too_many_ranges_are_taken_in_parts(world: Scribe) -> None:
    gifts = (
        world.prepare(*gift(1, "relief", project=project))
        for _ in range(TAKES_MAX + 1)
        for project in ("flood", "clinic")
    )
    world.submit(gifts)
    whole = aid(TAKES_MAX + 1, "relief", "disaster-relief", project="flood")
    error = rejected(world, *whole)
    assert error.code == "too_many_ranges"
    assert error.details["ranges"] == TAKES_MAX + 1
    part = aid(TAKES_MAX, "relief", "disaster-relief", project="flood")
    assert len(world.entry(world.tell(*part)).postings[0]["takes"]) == TAKES_MAX
    audited(world.book)
