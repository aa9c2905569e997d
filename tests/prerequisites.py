"""What must be recorded before a kind's full body works in the small world."""

from __future__ import annotations

from typing import Any

from bodies import FULL, GIFT
from log_keys import key_text
from scribe import ORIGIN

RULE = {"version": 1, "name": "示例规则", "text": "示例", "in_force_from": "2021-01-01"}
MATCH_RULE = {
    **RULE,
    "code": "match",
    "topic": "matching",
    "matching": {"numerator": 1, "denominator": 2, "per_gift_fen_max": 30_000},
}
FEE_RULE = {**RULE, "code": "fee-cap", "topic": "fee_cap", "fee_cap": {"basis_points_max": 1000}}
CLUB_FUND = {
    "code": "club",
    "name": "示例专项资金",
    "fund_class": "restricted",
    "purposes": ["community"],
    "fee_clause": "不超过百分之十",
}
CLUB_PROJECT = {
    "code": "club-days",
    "name": "示例活动",
    "fund": "club",
    "purpose": "community",
    "starts_on": "2021-01-01",
}
CLUB: list[tuple[str, dict[str, Any]]] = [
    ("fund.opened", CLUB_FUND),
    ("project.opened", CLUB_PROJECT),
    ("rule.published", FEE_RULE),
    (
        "donation.money",
        {"fund": "club", "project": "club-days", "amount_fen": 10_000, "channel": "cash"},
    ),
]
"""A fund with a fee clause, a project and 100 yuan, and a cap of ten percent."""
BOOKS = {
    "code": "books",
    "name": "图书",
    "fund": "school",
    "purpose": "student-aid",
    "starts_on": "2021-01-01",
}
FLOOD_GIFT = {"fund": "relief", "project": "flood", "amount_fen": 5_000, "channel": "cash"}
SERVED = {
    "volunteer": "holder-1",
    "organiser": "centre-1",
    "activity": "陪伴",
    "starts_at": "14:00",
    "ends_at": "15:30",
}
WISH = {"code": "wish-1", "wish_class": "schoolbag", "age_band": "6-11"}
CLAIM = {"wish": "wish-1", "claimant": "holder-1"}
BOUND = FULL["receipt.bound"]["fields"]
KIT = {"code": "kit", "name": "慰问包", "unit": "个"}
OLD_POINTS: dict[str, Any] = {
    "as_of": "2021-01-01",
    "basis": "旧系统",
    "points": {"holder": "holder-2", "points": 300, "expires_on": "2021-12-31"},
}

UNDONE = ("entry.reversed", {"entry": GIFT + 1, "reason": "数量有误"})
SPARE_KEY = {"verifier_key": key_text(3, ORIGIN), "algorithm": "ed25519", "reason": "备用"}

BEFORE: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "document.attached": [UNDONE],
    "entry.replaced": [
        UNDONE,
        ("donation.goods", {"item": "rice", "quantity": 21, "site": "depot"}),
    ],
    "donation.matched": [("rule.published", MATCH_RULE)],
    "fee.charged": CLUB,
    "purpose.changed": [("project.opened", BOOKS), ("donation.money", FLOOD_GIFT)],
    "leftover.assigned": [
        ("donation.money", FLOOD_GIFT),
        ("project.closed", {"project": "flood", "summary": "结项"}),
    ],
    "goods.repacked": [("item.registered", KIT)],
    "points.expired": [
        ("party.registered", {"code": "holder-2", "party_class": "person"}),
        ("balance.opened", OLD_POINTS),
    ],
    "service.confirmed": [("service.recorded", SERVED)],
    "hours.spent": [
        ("service.recorded", SERVED),
        ("service.confirmed", {"service": GIFT + 3, "confirmed_by": "centre-1"}),
    ],
    "wish.claimed": [("wish.posted", WISH)],
    "wish.fulfilled": [("wish.posted", WISH), ("wish.claimed", CLAIM)],
    "wish.withdrawn": [("wish.posted", WISH), ("wish.claimed", CLAIM)],
    "receipt.voided": [("receipt.bound", BOUND)],
    "receipt.reissued": [
        ("receipt.bound", BOUND),
        ("receipt.voided", FULL["receipt.voided"]["fields"]),
    ],
    "statement.matched": [("statement.imported", FULL["statement.imported"]["fields"])],
    "goods.received": [
        (
            "goods.moved",
            {
                "shipment": "trip-0",
                "item": "rice",
                "quantity": 1,
                "unit": "箱",
                "from_site": "depot",
                "to_site": "shop",
            },
        )
    ],
    "points.issued": [
        ("donation.money", {"fund": "general", "channel": "bank", "amount_fen": 1_000}),
        ("donation.money", {"fund": "general", "channel": "bank", "amount_fen": 2_050}),
    ],
    "points.redeemed": [
        (
            "goods.moved",
            {
                "shipment": "trip-0",
                "item": "rice",
                "quantity": 4,
                "from_site": "depot",
                "to_site": "shop",
            },
        ),
        ("goods.received", {"shipment": "trip-0", "quantity": 4, "site": "shop"}),
    ],
    "key.revoked": [("key.added", SPARE_KEY)],
}
"""What must be recorded first, for the bodies that do not work at once."""
