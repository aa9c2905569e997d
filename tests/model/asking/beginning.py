"""What every sequence begins with: registers and rules, and something of every asset."""

from __future__ import annotations

from typing import Any

from .chooser import Request

FIRST_DAY = "2021-01-01"
MOVES_DAY = "2022-01-05"


def _rule(code: str, topic: str, **terms: Any) -> tuple[str, dict[str, Any]]:
    fields = {"code": code, "version": 1, "name": "规则", "text": "示例", "topic": topic}
    return "rule.published", {**fields, "in_force_from": FIRST_DAY, topic: terms}


def _project(code: str, fund: str, purpose: str) -> tuple[str, dict[str, Any]]:
    fields = {"code": code, "name": "项目", "fund": fund, "purpose": purpose}
    return "project.opened", {**fields, "starts_on": FIRST_DAY}


def _fund(code: str, fund_class: str, *purposes: str, **more: Any) -> tuple[str, dict[str, Any]]:
    fields = {"code": code, "name": "资金", "fund_class": fund_class, "purposes": list(purposes)}
    return "fund.opened", {**fields, **more}


def _campaign(code: str, fund: str, ends_on: str) -> tuple[str, dict[str, Any]]:
    fields = {"code": code, "name": "募捐", "filing_number": "示例", "fund": fund}
    return "campaign.filed", {**fields, "starts_on": "2021-12-01", "ends_on": ends_on}


REGISTERS: tuple[tuple[str, dict[str, Any]], ...] = (
    _fund("general", "unrestricted", fee_clause="不超过两成"),
    _fund("relief", "restricted", "disaster-relief", "medical-aid", fee_clause="不超过两成"),
    _fund("school", "agency", "student-aid"),
    _project("flood", "relief", "disaster-relief"),
    _project("clinic", "relief", "medical-aid"),
    _project("visits", "general", "elderly-care"),
    _campaign("winter", "relief", "2022-01-12"),
    _campaign("spring", "general", "2022-03-31"),
    ("party.registered", {"code": "holder-1", "party_class": "person"}),
    ("party.registered", {"code": "holder-2", "party_class": "person"}),
    ("party.registered", {"code": "centre", "party_class": "organisation", "name": "中心"}),
    ("party.registered", {"code": "seller", "party_class": "supplier", "name": "供应商"}),
    ("site.registered", {"code": "depot", "name": "仓库", "site_class": "warehouse"}),
    ("site.registered", {"code": "shop", "name": "慈善超市", "site_class": "charity_supermarket"}),
    (
        "item.registered",
        {"code": "rice", "name": "大米", "unit": "bag", "packs": [{"unit": "box", "factor": 5}]},
    ),
    ("item.registered", {"code": "milk", "name": "牛奶", "unit": "box", "perishable": True}),
    ("item.registered", {"code": "kit", "name": "慰问包", "unit": "kit"}),
    _rule(
        "points-for-money",
        "points_issue",
        sources=["donation.money"],
        points=1,
        per_fen=2,
        points_max=30,
        wait_days=2,
        valid_days=4,
    ),
    _rule(
        "points-once",
        "points_issue",
        sources=["donation.money", "donation.goods", "service.confirmed"],
        points=7,
    ),
    _rule("price-rice", "points_price", item="rice", points_per_unit=3),
    _rule("fee-cap", "fee_cap", basis_points_max=2000),
    _rule("match-half", "matching", numerator=1, denominator=2, per_gift_fen_max=30),
    _rule("match-winter", "matching", numerator=2, denominator=1, campaign="winter"),
    _rule("fresh", "shelf_life", days_min=5, items=["milk"]),
    _rule("daily", "time_bank", minutes_per_day_max=300),
)


GIFT = 1 + len(REGISTERS)
SERVICE = GIFT + 7
FIRST_MOVES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("donation.money", {"fund": "general", "amount_fen": 80, "channel": "bank"}),
    (
        "donation.money",
        {"fund": "relief", "project": "flood", "campaign": "winter", "amount_fen": 60}
        | {"channel": "bank"},
    ),
    ("donation.money", {"fund": "school", "amount_fen": 50, "channel": "bank"}),
    ("donation.goods", {"item": "rice", "quantity": 12, "site": "depot", "lot": "L1"}),
    ("donation.goods", {"item": "rice", "quantity": 2, "unit": "box", "site": "shop"}),
    (
        "donation.goods",
        {"item": "milk", "quantity": 8, "site": "depot", "best_before": "2022-01-25"},
    ),
    (
        "points.issued",
        {"holder": "holder-1", "rule": "points-once", "rule_version": 1, "source": GIFT},
    ),
    (
        "service.recorded",
        {"volunteer": "holder-2", "organiser": "centre", "activity": "陪伴"}
        | {"starts_at": "08:00", "ends_at": "09:30"},
    ),
    ("service.confirmed", {"service": SERVICE, "confirmed_by": "centre"}),
)


def requests() -> list[Request]:
    """The beginning, as people sent it."""
    begun = [Request(kind, fields, FIRST_DAY, "recorder-1", None) for kind, fields in REGISTERS]
    for kind, fields in FIRST_MOVES:
        by = "recorder-2" if kind == "service.confirmed" else "recorder-1"
        begun.append(Request(kind, fields, MOVES_DAY, by, None))
    return begun
