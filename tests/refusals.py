"""Records that one rule refuses: those of the kinds beside money, goods and points.

Each has the records that it follows; `test_record_rules` records them in the small world.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from bodies import FULL, GIFT, full
from prerequisites import BEFORE, CLAIM, FLOOD_GIFT, RULE, SERVED, WISH

Body = tuple[str, dict[str, Any]]
NEXT = GIFT + 3
"""The index of the first entry after the small world."""


@dataclass(frozen=True, slots=True)
class Case:
    """A record that one rule refuses, after others that it follows."""

    code: str
    kind: str
    fields: dict[str, Any]
    where: str | None = None
    before: tuple[Body, ...] = ()
    day: str = "2022-01-10"
    more: dict[str, Any] = field(default_factory=dict)


def case(code: str, kind: str, where: str | None = None, **changes: Any) -> Case:
    """The kind's full body with changes, after what it needs."""
    return after(code, kind, where, (), **changes)


def after(
    code: str, kind: str, where: str | None, before: tuple[Body, ...], **changes: Any
) -> Case:
    """The same after more records, which come last."""
    needed = (*BEFORE.get(kind, []), *before)
    return Case(code, kind, full(kind, **changes), where, needed)


def published(code: str, topic: str, **terms: Any) -> Body:
    """A rule of one topic."""
    return "rule.published", {**RULE, "code": code, "topic": topic, topic: terms}


def gave(amount_fen: int = 10_000, **more: Any) -> Body:
    """A gift to the general fund."""
    fields = {"fund": "general", "amount_fen": amount_fen, "channel": "cash"}
    return "donation.money", {**fields, **more}


def undone(entry: int) -> Body:
    """The reversal of an entry."""
    return "entry.reversed", {"entry": entry, "reason": "登记有误"}


def refunded(gift: int, amount_fen: int) -> Body:
    return "donation.refunded", {"gift": gift, "amount_fen": amount_fen, "reason": "退款"}


CLOSED: Body = ("project.closed", {"project": "flood", "summary": "结项"})
BOUND: Body = ("receipt.bound", FULL["receipt.bound"]["fields"])
VOIDED: Body = ("receipt.voided", FULL["receipt.voided"]["fields"])
POSTED: Body = ("wish.posted", WISH)
CLAIMED: Body = ("wish.claimed", CLAIM)
SERVICE: Body = ("service.recorded", SERVED)
MATCHED: Body = ("donation.matched", FULL["donation.matched"]["fields"])
IMPORTED: Body = ("statement.imported", FULL["statement.imported"]["fields"])
CONFIRM = {"service": NEXT, "confirmed_by": "centre-1"}
ASIDE = {"by": "recorder-2"}
"""Somebody who did not record the service."""
FUND_OPENING = FULL["balance.opened"]["fields"]["fund"]


def opening(**more: Any) -> dict[str, Any]:
    """An opening balance of the fund `relief` with changes."""
    return full("balance.opened", **more)


def stock(**changes: Any) -> dict[str, Any]:
    """An opening stock of milk."""
    lot = {"quantity": 5, "best_before": "2022-03-01"}
    return opening(fund=None, stock={"site": "depot", "item": "milk", "lots": [lot]} | changes)


OPENINGS = [
    Case("one_account", "balance.opened", opening(fund=None), "fields"),
    Case("one_account", "balance.opened", {**opening(), "stock": stock()["stock"]}, "fields"),
    case("as_of_later", "balance.opened", "fields.as_of", as_of="2022-01-11"),
    case("account_in_use", "balance.opened", fund={"fund": "general", "amount_fen": 1}),
    after("account_in_use", "balance.opened", None, (("balance.opened", opening()),)),
    # An account that was spent to nothing is in use all the same.
    after(
        "account_in_use",
        "balance.opened",
        None,
        (
            ("balance.opened", opening(fund={"fund": "school", "amount_fen": 5})),
            (
                "aid.paid",
                {
                    "fund": "school",
                    "purpose": "student-aid",
                    "amount_fen": 5,
                    "payee_class": "student",
                },
            ),
        ),
        fund={"fund": "school", "amount_fen": 5},
    ),
    Case("account_in_use", "balance.opened", stock(item="rice")),
    case(
        "earmarked_over_amount",
        "balance.opened",
        "fields.fund.earmarked",
        fund={**FUND_OPENING, "amount_fen": 19_999},
    ),
    case(
        "project_of_other_fund",
        "balance.opened",
        "fields.project",
        fund={**FUND_OPENING, "fund": "school"},
    ),
    case("unknown_fund", "balance.opened", "fields.fund.fund", fund={"fund": "x", "amount_fen": 1}),
    Case("unknown_item", "balance.opened", stock(item="none"), "fields.stock.lots.0.item"),
    Case("unknown_site", "balance.opened", stock(site="none"), "fields.stock.site"),
    Case(
        "best_before_missing",
        "balance.opened",
        stock(lots=[{"quantity": 1}]),
        "fields.stock.lots.0.best_before",
    ),
    Case(
        "unknown_party",
        "balance.opened",
        opening(fund=None, points={"holder": "none", "points": 1}),
        "fields.points.holder",
    ),
    Case("approval_required", "balance.opened", opening(), more={"approved_by": None}),
]

MATCHINGS = [
    case("unknown_rule", "donation.matched", "fields.rule", rule="none"),
    case("rule_not_in_force", "donation.matched", "fields.rule", rule="points-for-money"),
    case("unknown_party", "donation.matched", "fields.matcher", matcher="none"),
    case("gift_twice", "donation.matched", "fields.gifts", gifts=[GIFT, GIFT]),
    case("not_a_gift", "donation.matched", "fields.gifts.1", gifts=[GIFT, GIFT + 1]),
    case("unknown_entry", "donation.matched", "fields.gifts.0", gifts=[99]),
    after("gift_matched", "donation.matched", "fields.gifts.0", (MATCHED,)),
    after(
        "gift_reversed",
        "donation.matched",
        "fields.gifts.0",
        (gave(), undone(NEXT + 1)),
        gifts=[NEXT + 1],
    ),
    after(
        "gifts_of_several_funds",
        "donation.matched",
        "fields.gifts",
        (("donation.money", FLOOD_GIFT),),
        gifts=[GIFT, NEXT + 1],
    ),
    case("matching_amount", "donation.matched", "fields.amount_fen", amount_fen=29_999),
    # What was given back is not matched: half of 100 yuan, 40 refunded.
    after(
        "matching_amount",
        "donation.matched",
        "fields.amount_fen",
        (gave(), refunded(NEXT + 1, 4_000)),
        gifts=[NEXT + 1],
        amount_fen=5_000,
    ),
    after(
        "gift_of_other_campaign",
        "donation.matched",
        "fields.gifts.0",
        (published("of-flood", "matching", numerator=1, denominator=1, campaign="flood-2021"),),
        rule="of-flood",
    ),
    after(
        "project_closed",
        "donation.matched",
        "fields.project",
        (("donation.money", FLOOD_GIFT), CLOSED),
        gifts=[NEXT + 1],
        amount_fen=2_500,
    ),
    Case(
        "unknown_campaign",
        *published("m", "matching", numerator=1, denominator=1, campaign="none"),
        "fields.matching.campaign",
    ),
]

ACROSS = [
    case("unknown_fund", "fee.charged", "fields.from_fund", from_fund="none"),
    case("unknown_fund", "fee.charged", "fields.to_fund", to_fund="none"),
    case("fee_to_itself", "fee.charged", "fields.to_fund", to_fund="club"),
    case("no_fee_clause", "fee.charged", "fields.from_fund", from_fund="relief"),
    case("rule_not_in_force", "fee.charged", "fields.rule", rule_version=2),
    case("fee_over_cap", "fee.charged", "fields.amount_fen", amount_fen=1_001),
    after(
        "fee_over_cap",
        "fee.charged",
        "fields.amount_fen",
        (("fee.charged", full("fee.charged", amount_fen=600)),),
        amount_fen=401,
    ),
    # Money sent round in the fund does not raise the cap, and what was refunded lowers it.
    after(
        "fee_over_cap",
        "fee.charged",
        "fields.amount_fen",
        (
            ("donation.money", {"fund": "club", "amount_fen": 1_000, "channel": "cash"}),
            (
                "money.allocated",
                {
                    "from_fund": "club",
                    "to_fund": "club",
                    "to_project": "club-days",
                    "amount_fen": 1_000,
                    "reason": "立项",
                },
            ),
        ),
        amount_fen=1_101,
    ),
    after("fee_over_cap", "fee.charged", "fields.amount_fen", (refunded(NEXT + 3, 1_000),)),
    case("unknown_project", "fee.charged", "fields.project", from_project="none"),
    Case(
        "consent_missing",
        "purpose.changed",
        full("purpose.changed"),
        "documents",
        tuple(BEFORE["purpose.changed"]),
        more={"documents": []},
    ),
    case(
        "filing_number_missing",
        "purpose.changed",
        "fields.filing_number",
        filing_number=None,
    ),
    case(
        "allocation_to_itself",
        "purpose.changed",
        "fields.to_fund",
        to_fund="relief",
        to_project="flood",
    ),
    case("unknown_fund", "purpose.changed", "fields.from_fund", from_fund="none"),
    case("unknown_fund", "purpose.changed", "fields.to_fund", to_fund="none"),
    case("project_of_other_fund", "purpose.changed", "fields.project", to_project="clinic"),
    # Money of another earmark does not count.
    case("insufficient_units", "purpose.changed", from_project="clinic"),
    case("insufficient_units", "purpose.changed", from_project=None),
    after("project_closed", "purpose.changed", "fields.project", (CLOSED,)),
    Case(
        "project_not_closed",
        "leftover.assigned",
        full("leftover.assigned"),
        "fields.project",
        (("donation.money", FLOOD_GIFT),),
    ),
    case("unknown_project", "leftover.assigned", "fields.project", project="none"),
    case("unknown_fund", "leftover.assigned", "fields.to_fund", to_fund="none"),
    case("project_of_other_fund", "leftover.assigned", "fields.from_fund", from_fund="general"),
    case("insufficient_units", "leftover.assigned", amount_fen=5_001),
    after("project_closed", "leftover.assigned", "fields.project", (), to_project="flood"),
]

STOCK = [
    case("unknown_item", "goods.repacked", "fields.item", item="none"),
    case("unknown_site", "goods.repacked", "fields.site", site="none"),
    case(
        "unknown_item",
        "goods.repacked",
        "fields.inputs.0.item",
        inputs=[{"item": "none", "quantity": 1}],
    ),
    case(
        "item_twice",
        "goods.repacked",
        "fields.inputs.1.item",
        inputs=[{"item": "rice", "quantity": 1}, {"item": "rice", "quantity": 1}],
    ),
    case(
        "item_twice",
        "goods.repacked",
        "fields.inputs.0.item",
        inputs=[{"item": "kit", "quantity": 1}],
    ),
    case(
        "insufficient_units",
        "goods.repacked",
        inputs=[{"item": "rice", "quantity": 21}],
    ),
    case(
        "insufficient_units",
        "goods.repacked",
        inputs=[{"item": "rice", "quantity": 1, "lot": "L9"}],
    ),
    after(
        "best_before_later",
        "goods.repacked",
        "fields.best_before",
        (("donation.goods", FULL["donation.goods"]["fields"]),),
        inputs=[{"item": "milk", "quantity": 1}],
    ),
    case("difference_unexplained", "goods.counted", "fields.reason", reason=None),
    case("difference_unexplained", "goods.counted", "fields.reason", reason=None, counted=0),
    case("unknown_item", "goods.counted", "fields.item", item="none"),
    case("unknown_site", "goods.counted", "fields.site", site="none"),
    case("insufficient_units", "goods.counted", counted=19, lot="L9"),
    case(
        "best_before_missing",
        "goods.counted",
        "fields.best_before",
        item="milk",
        best_before=None,
    ),
    Case("approval_required", "goods.counted", full("goods.counted"), more={"approved_by": None}),
    case("one_place", "goods.written_off", "fields", site=None),
    case("one_place", "goods.written_off", "fields", shipment="trip-0"),
    case("unknown_site", "goods.written_off", "fields.site", site="none"),
    case("unknown_shipment", "goods.written_off", "fields.shipment", site=None, shipment="none"),
    case("insufficient_units", "goods.written_off", quantity=21),
    case("unknown_fund", "goods.sold", "fields.fund", fund="none"),
    case("unknown_site", "goods.sold", "fields.site", site="none"),
    case("insufficient_units", "goods.sold", quantity=5),
    after("project_closed", "goods.sold", "fields.project", (CLOSED,)),
    after("project_closed", "donation.goods", "fields.project", (CLOSED,)),
    after(
        "shelf_life_too_short",
        "donation.goods",
        "fields.best_before",
        (published("fresh", "shelf_life", days_min=60, items=["milk"]),),
    ),
    after(
        "shelf_life_too_short",
        "purchase.made",
        "fields.lines.0.best_before",
        (published("fresh", "shelf_life", days_min=400),),
    ),
    Case(
        "unknown_item",
        *published("fresh", "shelf_life", days_min=60, items=["rice", "none"]),
        "fields.shelf_life.items.1",
    ),
]
