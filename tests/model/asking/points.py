"""Requests for welfare points, service minutes and wishes."""

from __future__ import annotations

from ..points import expired_on, fulfilment, status_of, usable_on
from ..registry import in_force
from ..world import Told
from .chooser import Ask, Chooser, Fields

CLOCKS = ("08:00", "09:30", "10:00", "12:00", "14:00", "18:00")
GIFTS = ("donation.money", "donation.goods")


def issued(c: Chooser) -> Fields:
    rule, version = c.rule("points_issue")
    used = [one.get("source") for one in c.world.alive("points.issued") if one.get("rule") == rule]

    def fresh(one: Told) -> bool:
        return one.index not in used and one.reversed_by is None

    kinds = GIFTS[:1] if rule == "points-for-money" else (*GIFTS, "service.confirmed")
    source = c.entry(*kinds, wanted=fresh)
    return {"holder": c.code("party"), "rule": rule, "rule_version": version, "source": source}


def redeemed(c: Chooser) -> Fields:
    rule, version = c.rule("points_price")
    found = in_force(c.world, rule, c.world.today)
    terms = (None if found is None else found.get("points_price")) or {}
    item, price = terms.get("item", "rice"), terms.get("points_per_unit", 1)
    sites = [
        name.removeprefix("stock:")
        for asset, name in c.world.accounts.places
        if asset == f"item:{item}"
        and name.startswith("stock:")
        and c.world.accounts.held(asset, name)
    ]
    shops = [
        one.fields["code"]
        for one in c.things("site")
        if one.get("site_class") == "charity_supermarket"
    ]
    stocked = [one for one in shops if one in sites]
    shop = c.code("site") if c.rarely() else c.pick(stocked or shops)
    holder = c.holder()
    rank = usable_on(c.world.today)
    units = c.world.accounts.held("points", f"points:{holder}")
    usable = sum(rank(unit.tag) is not None for unit in units)
    affordable = min(usable // price, c.in_stock(item, shop))
    quantity = c.amount(affordable, 10)
    fields = {"holder": holder, "shop": shop, "item": item, "quantity": quantity}
    fields |= {"points": c.near(quantity * price), "price_rule": rule}
    return {**fields, "price_rule_version": version}


def with_expired(c: Chooser) -> list[str]:
    """Holders of points that have expired."""
    rank = expired_on(c.world.today)
    return [
        name.partition(":")[2]
        for asset, name in c.world.accounts.places
        if asset == "points" and any(rank(unit.tag) for unit in c.world.accounts.held(asset, name))
    ]


def expired(c: Chooser) -> Fields:
    over = with_expired(c)
    return {"holder": c.pick(over) if over and not c.rarely() else c.holder()}


def taken_back(c: Chooser) -> Fields:
    stirred = [one.index for one in c.world.alive("points.issued") if c.came_back(one.index)]
    issue = c.one_of(stirred) or c.entry(
        "points.issued", wanted=lambda one: bool(c.world.there(one.index))
    )
    return {"issue": issue, "reason": "冲回"}


def served(c: Chooser) -> Fields:
    begins = c.number(0, len(CLOCKS) - 2)
    ends = begins + 1 if not c.rarely(4) else c.number(0, len(CLOCKS) - 1)
    fields = {"volunteer": c.code("party"), "organiser": c.code("party"), "activity": "陪伴"}
    return {**fields, "starts_at": CLOCKS[begins], "ends_at": CLOCKS[ends]}


def unconfirmed(c: Chooser) -> list[int]:
    """Services that nobody has confirmed yet."""
    done = [one.get("service") for one in c.world.alive("service.confirmed")]
    return [one.index for one in c.world.alive("service.recorded") if one.index not in done]


def confirmed(c: Chooser) -> Fields:
    waiting = unconfirmed(c)
    if c.rarely(8):
        waiting = [one.index for one in c.world.entries if one.reversed_by is not None]
    service = c.entry("service.recorded", wanted=lambda one: one.index in waiting)
    known = c.world.entries[service] if service < len(c.world.entries) else None
    organiser = None if known is None else known.get("organiser")
    return {
        "service": service,
        "confirmed_by": c.code("party") if c.rarely(3) else organiser or "x",
    }


def spent(c: Chooser) -> Fields:
    holder = c.holder("minutes")
    available = c.world.accounts.balance("minutes", f"minutes:{holder}")
    return {"holder": holder, "minutes": c.amount(available, 90), "activity": "陪诊"}


# Wishes


def wishes(c: Chooser, *statuses: str) -> list[str]:
    codes = [one.fields["code"] for one in c.things("wish")]
    return [one for one in codes if status_of(c.world, one) in statuses]


def wish(c: Chooser, *statuses: str) -> str:
    """A wish of such a status, mostly."""
    fitting = wishes(c, *statuses)
    return c.code("wish") if c.rarely(8) or not fitting else c.pick(fitting)


def posted(c: Chooser) -> Fields:
    return {"code": f"wish-{c.number(1, 8)}", "wish_class": "schoolbag", "age_band": "6-11"}


def claimed(c: Chooser) -> Fields:
    return {"wish": wish(c, "posted"), "claimant": c.code("party")}


def fulfilled(c: Chooser) -> Fields:
    def fresh(one: Told) -> bool:
        return one.reversed_by is None and fulfilment(c.world, one.index) is None

    used = [one.fields["gift"] for one in c.world.entries if one.kind == "wish.fulfilled"]
    gift = c.pick(used) if used and c.rarely(8) else c.entry(*GIFTS, wanted=fresh)
    return {"wish": wish(c, "claimed"), "gift": gift}


def withdrawn(c: Chooser) -> Fields:
    part = c.pick(("claim", "fulfilment", "wish"))
    status = {"fulfilment": "fulfilled", "claim": "claimed", "wish": "posted"}[part]
    return {"wish": wish(c, status), "withdrawn": part, "reason": "撤回"}


ASKS: dict[str, Ask] = {
    "points.issued": issued,
    "points.redeemed": redeemed,
    "points.expired": expired,
    "points.reversed": taken_back,
    "service.recorded": served,
    "service.confirmed": confirmed,
    "hours.spent": spent,
    "wish.posted": posted,
    "wish.claimed": claimed,
    "wish.fulfilled": fulfilled,
    "wish.withdrawn": withdrawn,
}
