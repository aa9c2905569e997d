"""Requests for codes and dated rules."""

from __future__ import annotations

from ..registry import TOPICS, versions
from .chooser import PURPOSES, Ask, Chooser, Fields


def party(c: Chooser) -> Fields:
    kind = c.pick(("person", "organisation", "supplier"))
    named = (kind != "person") != c.rarely(6)
    return {"code": c.new_code("party"), "party_class": kind, "name": "名称" if named else None}


def fund(c: Chooser) -> Fields:
    kind = c.pick(("unrestricted", "restricted", "agency"))
    bound = (kind != "unrestricted") != c.rarely(6)
    purposes = [c.pick(PURPOSES) for _ in range(c.number(1, 2))] if bound else None
    fee = c.maybe("可提取管理费")
    fields = {"code": c.new_code("fund"), "name": "资金", "fund_class": kind}
    return {**fields, "purposes": purposes, "fee_clause": fee}


def project(c: Chooser) -> Fields:
    found = c.code("fund")
    purposes = [
        purpose
        for one in c.things("fund")
        if one.get("code") == found
        for purpose in one.get("purposes") or ()
    ]
    purpose = c.pick(PURPOSES if c.rarely(8) or not purposes else purposes)
    fields = {"code": c.new_code("project"), "name": "项目", "fund": found, "purpose": purpose}
    return {**fields, **period(c)}


def period(c: Chooser) -> Fields:
    ends = c.day_near(-40, -31) if c.rarely(8) else c.day_near(0, 30)
    return {"starts_on": c.day_near(-30, 0), "ends_on": ends}


def campaign(c: Chooser) -> Fields:
    fields = {"code": c.new_code("campaign"), "name": "募捐", "filing_number": "示例"}
    platform = c.code("party") if c.rarely(4) else None
    return {**fields, "fund": c.code("fund"), "platform": platform, **period(c)}


def item(c: Chooser) -> Fields:
    code = c.new_code("item")
    packs = [{"unit": c.pick(("box", "bag")), "factor": 5}] if c.number(0, 1) else None
    aliases = [c.pick(("别名", "大米"))] if c.rarely(4) else None
    fields = {"code": code, "name": code, "unit": "bag", "packs": packs, "aliases": aliases}
    return {**fields, "perishable": True if c.rarely(4) else None}


def site(c: Chooser) -> Fields:
    kind = c.pick(("warehouse", "charity_supermarket"))
    return {"code": c.new_code("site"), "name": "场所", "site_class": kind}


def rule(c: Chooser) -> Fields:
    """A new version of a rule, or a new rule."""
    known = [one.fields["code"] for one in c.world.entries if one.kind == "rule.published"]
    code = c.pick(known) if c.number(0, 1) else f"rule-{c.number(1, 4)}"
    before = versions(c.world, code)
    right = before and not c.rarely(8)
    topic = before[-1].fields["topic"] if right else c.pick(TOPICS)
    fields: Fields = {
        "code": code,
        "version": len(before) + (2 if c.rarely() else 1),
        "name": "规则",
        "text": "示例",
        "topic": topic,
        "in_force_from": c.day_near(-400 if c.rarely(8) else -3, 3),
        topic: terms(c, topic),
    }
    if c.rarely(12):
        other = c.pick(TOPICS)
        fields[other] = terms(c, other)
    return fields


def terms(c: Chooser, topic: str) -> Fields:
    made = {
        "points_issue": points_issue,
        "points_price": lambda c: {"item": c.code("item"), "points_per_unit": c.number(1, 4)},
        "fee_cap": lambda c: {"basis_points_max": c.pick((0, 1000, 5000))},
        "matching": matching,
        "shelf_life": shelf_life,
        "time_bank": lambda c: {"minutes_per_day_max": c.pick((120, 240, 600))},
        "disclosure": disclosure,
        "ageing": ageing,
        "pattern": lambda c: {"subject": "refunds_of_holder", "count_min": c.number(2, 9)},
        "statistics": lambda c: {"group_min": c.number(3, 9)},
    }
    return made[topic](c)


def points_issue(c: Chooser) -> Fields:
    fields: Fields = {"sources": ["donation.money"], "points": c.number(1, 5)}
    if c.number(0, 1):
        fields["per_fen"] = c.number(1, 7)
    if c.number(0, 1):
        fields["sources"] = ["donation.money", "donation.goods", "service.confirmed"]
    if c.number(0, 1):
        fields["valid_days"] = c.number(1, 6)
    if c.number(0, 1):
        fields["wait_days"] = c.number(0, 3)
    return fields


def matching(c: Chooser) -> Fields:
    fields: Fields = {"numerator": c.number(1, 3), "denominator": c.number(1, 3)}
    if c.number(0, 1):
        fields["per_gift_fen_max"] = c.number(5, 40)
    if c.rarely(3):
        fields["campaign"] = c.code("campaign")
    return fields


def shelf_life(c: Chooser) -> Fields:
    return {"days_min": c.number(1, 9), "items": [c.code("item")] if c.number(0, 1) else []}


def ageing(c: Chooser) -> Fields:
    subject = c.pick(("unspent_restricted", "service_recorded_late"))
    return {"subject": subject, "days": c.number(1, 90)}


def disclosure(c: Chooser) -> Fields:
    fields: Fields = {"subject": "annual_report", "by_day": "05-31"}
    if c.rarely(3):
        fields["longer_than_days"] = c.number(1, 400)
    return {**fields, "every_days": 30} if c.rarely(4) else fields


ASKS: dict[str, Ask] = {
    "party.registered": party,
    "fund.opened": fund,
    "project.opened": project,
    "campaign.filed": campaign,
    "item.registered": item,
    "site.registered": site,
    "rule.published": rule,
}
