"""Requests for goods: given, moved, received, handed out, repacked, counted, lost, sold."""

from __future__ import annotations

from ..goods import first_expired
from .chooser import Ask, Chooser, Fields


def given(c: Chooser) -> Fields:
    item = c.code("item")
    fields: Fields = {"item": item, "site": c.code("site"), **c.quantity(item, 20), **c.lot(item)}
    if c.number(0, 1):
        fields["valuation"] = {"amount_fen": c.number(1, 50), "basis": "fair_value"}
    fields["project"] = c.code("project") if c.rarely(4) else None
    return fields


def taken(c: Chooser) -> Fields:
    """An item, a site, a lot perhaps, and a quantity that is there, mostly."""
    item, site = c.stocked()
    lot = c.pick(("L1", "L2")) if c.rarely(4) else None
    available = c.in_stock(item, site, first_expired(lot))
    return {"item": item, "site": site, "lot": lot, **c.quantity(item, available)}


def moved(c: Chooser) -> Fields:
    fields = taken(c)
    site = fields.pop("site")
    others = [one.fields["code"] for one in c.things("site") if one.get("code") != site]
    target = c.code("site") if c.rarely() else c.pick(others)
    return {**fields, "shipment": c.shipment(), "from_site": site, "to_site": target}


def received(c: Chooser) -> Fields:
    item, shipment = c.stocked("transit:")
    sent = [
        one.fields["to_site"]
        for one in c.world.entries
        if one.kind == "goods.moved" and one.get("shipment") == shipment
    ]
    site = c.pick(sent) if sent and not c.rarely() else c.code("site")
    there = c.world.accounts.balance(f"item:{item}", f"transit:{shipment}")
    return {"shipment": shipment, "site": site, **c.quantity(item, there)}


def handed_out(c: Chooser) -> Fields:
    recipient = c.code("party") if c.rarely(4) else None
    project = c.code("project") if c.rarely(4) else None
    more = {"recipient": recipient, "project": project, "recipient_class": "family"}
    more["requested_on"] = c.day_near(-5, 3) if c.rarely(3) else None
    return {**taken(c), **more}


def repacked(c: Chooser) -> Fields:
    first = taken(c)
    site = first.pop("site")
    inputs = [first]
    items = [one.fields["code"] for one in c.things("item")]
    others = [one for one in items if one != first["item"] and c.in_stock(one, site)]
    if others and c.number(0, 1):
        item = c.pick(items if c.rarely(6) else others)
        inputs.append({"item": item, **c.quantity(item, c.in_stock(item, site))})
    used = [one["item"] for one in inputs]
    fresh = [one for one in items if one not in used]
    made = c.code("item") if c.rarely() or not fresh else c.pick(fresh)
    lot = dict(c.lot(made))
    if "best_before" in lot and not c.rarely(6):
        lot["best_before"] = c.world.day_after(-2)
        lot.pop("made_on", None)
    inputs = [{name: one[name] for name in one if one[name] is not None} for one in inputs]
    quantity = {"quantity": c.number(1, 12)}
    return {"site": site, "inputs": inputs, "item": made, **quantity, **lot, "reason": "改包"}


def counted(c: Chooser) -> Fields:
    item, site = c.stocked()
    booked = c.in_stock(item, site)
    found = max(0, booked + c.pick((0, -1, 1, -3, 4)))
    reason = "清点" if found != booked and not c.rarely(6) else None
    return {"site": site, "item": item, "counted": found, "reason": reason, **c.lot(item)}


def written_off(c: Chooser) -> Fields:
    fields = taken(c)
    if c.rarely(3):
        item, shipment = c.stocked("transit:")
        there = c.world.accounts.balance(f"item:{item}", f"transit:{shipment}")
        site = fields["site"] if c.rarely(6) else None
        fields = {"item": item, "shipment": shipment, "site": site, **c.quantity(item, there)}
    return {**fields, "cause": "lost", "reason": "报废"}


def sold(c: Chooser) -> Fields:
    fund = c.code("fund")
    money = {"fund": fund, "project": c.maybe(c.project_of(fund)), "amount_fen": c.number(1, 40)}
    return {**taken(c), **money, "reason": "变卖"}


ASKS: dict[str, Ask] = {
    "donation.goods": given,
    "goods.moved": moved,
    "goods.received": received,
    "goods.distributed": handed_out,
    "goods.repacked": repacked,
    "goods.counted": counted,
    "goods.written_off": written_off,
    "goods.sold": sold,
}
