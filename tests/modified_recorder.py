"""A recorder that somebody modified: one rule of it no longer refuses.

The modification is as small as it can be: the refusal with one code does nothing, and
what the refusing code would have had to give is made up. All other rules stay.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from typing import Any, cast

import orjson
import pytest
from bodies import GIFT, full
from prerequisites import BEFORE, FLOOD_GIFT
from refusals import NEXT, Body, Case, after, case, published, undone

import ledger.records
from ledger.entry import Entry
from ledger.errors import RejectedError
from ledger.flows import Runs
from ledger.records import kind as kinds
from ledger.state import State
from ledger.store import Reader
from ledger.units import Holdings, Range, Rank, total

MODULES = [
    importlib.import_module(f"ledger.records.{one.name}")
    for one in pkgutil.iter_modules(ledger.records.__path__)
]


def ignore_rule(code: str, patch: pytest.MonkeyPatch) -> None:
    """Make the recorder ignore one code, until the patch is undone."""
    reject, find, entry = kinds.reject, State.find, State.entry

    def lenient(broken: str, *args: Any, **more: Any) -> None:
        if broken != code:
            reject(broken, *args, **more)

    def found(self: State, family: str, name: str, where: str) -> Any:
        """What is not registered is taken for the first thing that is."""
        try:
            return find(self, family, name, where)
        except RejectedError as error:
            rows = cast(Reader, self.reader).objects(f"{family}/", limit=1)
            if error.code != code or not rows:
                raise
            return orjson.loads(rows[0][1])

    def any_entry(self: State, index: int, where: str) -> Entry:
        try:
            return entry(self, index, where)
        except RejectedError as error:
            if error.code != code:
                raise
            return entry(self, 0, where)

    for module in MODULES:
        if hasattr(module, "reject"):
            patch.setattr(module, "reject", lenient)
    patch.setattr(State, "find", found)
    patch.setattr(State, "entry", any_entry)
    if code in ("insufficient_units", "units_moved_on"):
        _forge_units(patch)


def _forge_units(patch: pytest.MonkeyPatch) -> None:
    """Units that are not in an account leave it all the same."""

    def pick(self: Holdings, amount: int, rank: Rank) -> list[Range]:
        return [(0, amount)]

    def take(self: Holdings, ranges: Sequence[Range]) -> Runs:
        return ((total(ranges), ""),)

    patch.setattr(Holdings, "pick", pick)
    patch.setattr(Holdings, "missing", lambda self, ranges: [])
    patch.setattr(Holdings, "take", take)


def _line(line: int, amount_fen: int) -> dict[str, int]:
    return {"line": line, "amount_fen": amount_fen}


ONCE: Body = published("once", "points_issue", sources=["donation.goods"], points=5)
ANY: Body = published("any", "points_issue", sources=["donation.money"], points=5)
AID: Body = (
    "aid.paid",
    {"fund": "general", "purpose": "any", "amount_fen": 1, "payee_class": "family"},
)
POINTS = {"holder": "holder-1", "rule": "once", "rule_version": 1, "source": GIFT}

ALONE: dict[str, Case] = {
    one.code: one
    for one in (
        Case("already_reversed", *undone(NEXT), None, (AID, undone(NEXT))),
        Case(
            "campaign_of_other_fund",
            "donation.money",
            {"fund": "general", "amount_fen": 1, "channel": "cash", "campaign": "flood-2021"},
            day="2021-08-01",
        ),
        case("filing_number_missing", "purpose.changed", filing_number=None),
        case("gift_twice", "donation.matched", gifts=[GIFT, GIFT], amount_fen=60_000),
        after(
            "gift_of_other_campaign",
            "donation.matched",
            None,
            (published("of-flood", "matching", numerator=1, denominator=1, campaign="flood-2021"),),
            rule="of-flood",
            amount_fen=100_000,
        ),
        after(
            "gifts_of_several_funds",
            "donation.matched",
            None,
            (("donation.money", FLOOD_GIFT),),
            gifts=[GIFT, NEXT + 1],
            amount_fen=32_500,
        ),
        case(
            "line_matched",
            "statement.matched",
            lines=[_line(1, 50_050), _line(1, 50_050)],
        ),
        case(
            "lines_over_statement",
            "statement.matched",
            lines=[_line(1, 100_200)],
            difference_fen=200,
        ),
        after(
            "no_fee_clause",
            "fee.charged",
            None,
            (("donation.money", FLOOD_GIFT),),
            from_fund="relief",
            from_project="flood",
            amount_fen=1,
        ),
        Case(
            "price_mismatch",
            "points.redeemed",
            full("points.redeemed", points=121),
            None,
            tuple(BEFORE["points.redeemed"]),
        ),
        Case(
            "purpose_not_of_project",
            "aid.paid",
            {**AID[1], "fund": "relief", "project": "flood", "purpose": "medical-aid"},
            None,
            (("donation.money", FLOOD_GIFT),),
        ),
        Case(
            "source_is_later",
            "points.issued",
            {**POINTS, "rule": "any"},
            None,
            (ANY,),
            "2021-07-01",
        ),
        Case("source_not_of_rule", "points.issued", POINTS, None, (ONCE,)),
    )
}
"""Records that break one rule and no other: the listed case of these breaks a second one too,
or rests on what the modified recorder cannot make up."""

NO_ENTRY: dict[str, str] = {
    "earmarked_over_amount": "the entry would move fewer than no units",
    "gift_units_spent": "a refund names units of its gift, and there are none to name",
    "gift_without_value": "a receipt's sum needs the value that is not there",
    "last_key": "without a key no checkpoint can be signed, and nothing is recorded",
    "log_already_open": "only the service's own start makes this record",
    "no_points": "the entry would move no points",
    "no_points_left": "the entry would move no points",
    "not_a_service": "the minutes are read from fields that only a service has",
    "not_a_statement": "the credits are read from fields that only a statement has",
    "not_an_issue": "the points are read from a movement that only an issue has",
    "not_reversed": "the entry refers to the reversal, and there is none",
    "nothing_expired": "the entry would move no points",
    "project_not_closed": "the leftover is read from a close that is not there",
    "reversal_of_reversal": "a reversal has no effects that could be undone",
    "too_many_ranges": "an entry of so many ranges is no entry: its format refuses them",
    "unknown_key": "the history of keys has no such key to end",
    "units_moved_on": "a unit leaves once: the index of the flows refuses the second row",
    "units_overflow": "no account can be filled with so many units in a test",
    "unknown_shipment": "what came is taken out of the shipment's own account",
    "unknown_wish": "a claim is written to the wish of that code",
    "unknown_unit": "the quantity is computed from the unit's factor",
}
"""Codes whose rule a recorder cannot just leave out: without it there is nothing to record."""
