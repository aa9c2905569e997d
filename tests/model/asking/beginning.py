"""What every sequence begins with: funds, projects, items, sites, people, rules."""

from __future__ import annotations

from typing import Any

from ..world import Body

FIRST_DAY = "2021-01-01"


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


def bodies() -> list[Body]:
    return [
        {"kind": kind, "occurred_on": FIRST_DAY, "fields": fields} for kind, fields in REGISTERS
    ]
