"""Requests for gifts, refunds, allocations, payments, fees, projects' lives."""

from __future__ import annotations

from ..money import added_fen, closing
from ..registry import in_force
from .chooser import PURPOSES, Ask, Chooser, Fields

GIFT_FEN_MAX = 90


def gift(c: Chooser) -> Fields:
    fund = c.code("fund")
    campaign = None
    if c.rarely(3):
        mine = [one.fields["code"] for one in c.things("campaign") if one.get("fund") == fund]
        campaign = c.code("campaign") if c.rarely() else c.pick([*mine, None])
    amount, project = c.number(1, GIFT_FEN_MAX), c.maybe(c.project_of(fund))
    fields = {"fund": fund, "amount_fen": amount, "channel": "bank", "project": project}
    return {**fields, "campaign": campaign}


def matched(c: Chooser) -> Fields:
    rule, version = c.rule("matching")
    found = in_force(c.world, rule, c.world.today)
    terms = None if found is None else found.get("matching")
    campaign = terms and terms.get("campaign")
    fresh = [
        one
        for one in c.world.alive("donation.money")
        if campaign is None or one.get("campaign") == campaign or c.rarely()
    ]
    first = c.pick(fresh).index if fresh and not c.rarely(8) else c.entry("donation.money")
    gifts = [first]
    if first < len(c.world.entries) and c.rarely(3):
        place = (c.world.entries[first].get("fund"), c.world.entries[first].get("project"))
        alike = [one.index for one in fresh if (one.get("fund"), one.get("project")) == place]
        gifts.append(c.pick(alike) if alike and not c.rarely(5) else c.entry("donation.money"))
        gifts = gifts if c.rarely(8) else list(dict.fromkeys(gifts))
    known = [c.world.entries[one] for one in gifts if one < len(c.world.entries)]
    right = terms is not None and all(one.kind == "donation.money" for one in known)
    amount = sum(added_fen(c.world, terms, one) for one in known) if right and terms else 5
    fields = {"rule": rule, "rule_version": version, "matcher": c.code("party")}
    return {**fields, "gifts": gifts, "amount_fen": c.near(amount), "channel": "bank"}


def refund(c: Chooser) -> Fields:
    kinds = ("donation.money", "donation.matched")
    stirred = [one.index for one in c.world.alive(*kinds) if c.came_back(one.index)]
    stirred += [
        one.fields["source"] for one in c.world.alive("points.issued") if c.came_back(one.index)
    ]
    matching = [one.index for one in c.world.alive(kinds[1]) if c.world.there(one.index)]
    gift = c.one_of(stirred) or c.entry(*kinds, wanted=lambda one: bool(c.world.there(one.index)))
    gift = c.pick(matching) if matching and c.rarely(5) else gift
    amount = None if c.rarely(3) else c.amount(len(c.world.there(gift)))
    return {"gift": gift, "amount_fen": amount, "reason": "退款"}


def allocated(c: Chooser) -> Fields:
    source = c.fund_with_money()
    target = source if c.rarely(4) else c.code("fund")
    project = c.project_of(target) if source == target else c.maybe(c.project_of(target))
    fields = {"from_fund": source, "to_fund": target, "reason": "划拨"}
    return {**fields, "to_project": project, "amount_fen": c.amount(c.free(source, None))}


def fee(c: Chooser) -> Fields:
    rule, version = c.rule("fee_cap")
    agreed = [one.fields["code"] for one in c.things("fund") if one.get("fee_clause")]
    source = c.fund_with_money() if c.rarely(6) else c.pick(agreed)
    target = c.code("fund") if c.rarely(4) else "school"
    project = c.project_of(source) if c.rarely(3) else None
    amount = c.number(1, 8) if not c.rarely(6) else c.amount(c.free(source, project))
    fields = {"from_fund": source, "from_project": project, "to_fund": target}
    return {**fields, "amount_fen": amount, "rule": rule, "rule_version": version, "reason": "费"}


def changed(c: Chooser) -> Fields:
    source = c.fund_with_money()
    project = c.maybe(c.project_of(source))
    target = c.code("fund")
    basis = c.pick(("donor_consent", "filing"))
    filing = "示例" if (basis == "filing") != c.rarely(8) else None
    amount = c.amount(c.carrying(source, project))
    fields = {"from_fund": source, "from_project": project, "to_fund": target, "basis": basis}
    fields |= {"to_project": c.maybe(c.project_of(target)), "filing_number": filing}
    return {**fields, "amount_fen": amount, "reason": "变更"}


def leftovers(c: Chooser) -> list[str]:
    """Closed projects that money is left of."""
    shut = [one.fields["project"] for one in c.world.alive("project.closed")]
    return [one for one in shut if c.carrying(fund_of(c, one), one)]


def leftover(c: Chooser) -> Fields:
    shut = [one.fields["project"] for one in c.world.alive("project.closed")]
    left = leftovers(c)
    project = c.code("project") if c.rarely(6) or not shut else c.pick(left or shut)
    source = c.code("fund") if c.rarely() else fund_of(c, project)
    target = c.code("fund")
    fields = {"project": project, "from_fund": source, "to_fund": target, "basis": "约定"}
    to_project = c.project_of(target) if c.rarely(3) else None
    return {**fields, "to_project": to_project, "amount_fen": c.amount(c.carrying(source, project))}


def fund_of(c: Chooser, project: str) -> str:
    found = [one.fields["fund"] for one in c.things("project") if one.get("code") == project]
    return found[0] if found else c.code("fund")


def payment(c: Chooser) -> Fields:
    """Fund, project and purpose of a payment, mostly such that they agree."""
    fund = c.fund_with_money()
    project = c.maybe(c.project_of(fund))
    family, code = ("project", project) if project else ("fund", fund)
    found = [one for one in c.things(family) if one.get("code") == code]
    fitting = [
        purpose
        for one in found
        for purpose in ([one.get("purpose")] if project else one.get("purposes") or PURPOSES)
    ]
    purpose = c.pick(PURPOSES if c.rarely(10) or not fitting else fitting)
    return {"fund": fund, "project": project, "purpose": purpose}


def aid(c: Chooser) -> Fields:
    fields = payment(c)
    amount = c.amount(c.free(fields["fund"], fields["project"]))
    return {**fields, "amount_fen": amount, "payee_class": "family"}


def grant(c: Chooser) -> Fields:
    fields = payment(c)
    amount = c.amount(c.free(fields["fund"], fields["project"]))
    return {**fields, "amount_fen": amount, "payee": c.code("party")}


def purchase(c: Chooser) -> Fields:
    fields = payment(c)
    rest = c.free(fields["fund"], fields["project"])
    lines = []
    for _ in range(c.number(1, 2)):
        item, cost = c.code("item"), c.amount(rest, 30)
        rest -= cost
        lines.append({"item": item, **c.quantity(item, 20), "cost_fen": cost, **c.lot(item)})
    return {**fields, "supplier": c.code("party"), "site": c.code("site"), "lines": lines}


def reported(c: Chooser) -> Fields:
    fields = {"project": c.code("project"), "milestone": "进展", "text": "示例"}
    begins, ends = c.day_near(-30, -10), c.day_near(-40 if c.rarely(5) else -9, 0)
    return {**fields, "period_from": begins, "period_to": ends, "people_reached": c.number(0, 9)}


def closed(c: Chooser) -> Fields:
    open_ones = [
        one.fields["code"]
        for one in c.things("project")
        if closing(c.world, one.fields["code"]) is None
    ]
    left = [one for one in open_ones if c.carrying(fund_of(c, one), one)]
    project = c.code("project") if c.rarely(3) or not open_ones else c.pick(left or open_ones)
    return {"project": project, "summary": "结项"}


ASKS: dict[str, Ask] = {
    "donation.money": gift,
    "donation.matched": matched,
    "donation.refunded": refund,
    "money.allocated": allocated,
    "fee.charged": fee,
    "purpose.changed": changed,
    "leftover.assigned": leftover,
    "aid.paid": aid,
    "grant.paid": grant,
    "purchase.made": purchase,
    "project.reported": reported,
    "project.closed": closed,
}
