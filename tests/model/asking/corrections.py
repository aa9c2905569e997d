"""Requests for opening balances, reversals, annotations."""

from __future__ import annotations

from ..world import CLAIMING, Told
from .chooser import Ask, Chooser, Fields


def opened(c: Chooser) -> Fields:
    as_of = c.day_near(1, 1) if c.rarely() else c.day_near(-9, -7)
    fields: Fields = {"as_of": as_of, "basis": "审计报告"}
    part = c.pick(("fund", "stock", "points"))
    made = {"fund": fund, "stock": stock, "points": points}
    fields[part] = made[part](c)
    if c.rarely():
        fields["points"] = points(c)
    return fields


def fund(c: Chooser) -> Fields:
    unused = [
        one.fields["code"]
        for one in c.things("fund")
        if ("CNY", f"fund:{one.get('code')}") not in c.world.accounts.places
    ]
    code = c.pick(unused) if unused and not c.rarely(8) else c.code("fund")
    fields: Fields = {"fund": code, "amount_fen": c.number(1, 80)}
    project = c.project_of(code)
    if project is not None and c.number(0, 1):
        amount = fields["amount_fen"] + 1 if c.rarely(6) else c.amount(fields["amount_fen"])
        fields["earmarked"] = [{"project": project, "amount_fen": amount}]
    return fields


def stock(c: Chooser) -> Fields:
    site, item = c.code("site"), c.code("item")
    lots = [{**c.quantity(item, 15), **c.lot(item)} for _ in range(c.number(1, 2))]
    return {"site": site, "item": item, "lots": lots}


def points(c: Chooser) -> Fields:
    expires = c.day_near(-3, 5) if c.number(0, 1) else None
    fields = {"holder": c.code("party"), "points": c.number(1, 20)}
    return fields if expires is None else {**fields, "expires_on": expires}


def reversed_(c: Chooser) -> Fields:
    alive = [one for one in c.world.entries if one.reversible]
    took = [one.index for one in alive if one.postings and one.postings[0].takes]
    stirred = [one.index for one in alive if c.came_back(one.index)]
    claims = [one.index for one in alive if one.kind in CLAIMING]
    again = [one.index for one in c.world.entries if one.reversed_by is not None]
    if again and c.rarely():
        return {"entry": c.pick(again), "reason": "冲正"}
    if claims and c.rarely(6):
        return {"entry": c.pick(claims), "reason": "冲正"}
    entry = c.one_of(stirred) or c.one_of(took) or c.entry(wanted=lambda one: one in alive)
    return {"entry": entry, "reason": "冲正"}


def undone(c: Chooser) -> list[int]:
    """Reversed entries."""
    return [one.index for one in c.world.entries if one.reversed_by is not None]


def replaced(c: Chooser) -> Fields:
    """A later entry of the same kind, mostly, in the place of a reversed one."""
    index = c.entry(wanted=lambda one: one.reversed_by is not None)
    before = c.world.entries[index] if index < len(c.world.entries) else c.world.entries[-1]
    taken = [one.get("by") for one in c.world.entries if one.kind == "entry.replaced"]

    def anew(one: Told) -> bool:
        later = one.index > before.index and one.reversed_by is None
        return later and one.index not in taken

    if taken and c.rarely(8):
        return {"entry": index, "by": c.pick(taken)}
    same = [one for one in c.world.entries if one.kind == before.kind and anew(one)]
    by = c.pick(same).index if same and not c.rarely(6) else c.entry(wanted=anew)
    return {"entry": index, "by": by, "reason": c.maybe("重新登记")}


def annotated(c: Chooser) -> Fields:
    index = c.entry(wanted=lambda one: one.kind != "log.opened")
    entry = c.world.entries[index] if index < len(c.world.entries) else c.world.entries[-1]
    names = sorted(c.world.public_fields.get(entry.kind) or ("reason",))
    name = c.pick(("donor_name", "nothing")) if c.rarely(8) else c.pick(names)
    inner = entry.get(name)
    if isinstance(inner, dict) and not c.rarely(4):
        name = f"{name}.{c.pick(sorted(inner))}"
    return {"entry": index, "field": name, "correct": "更正", "reason": "有误"}


ASKS: dict[str, Ask] = {
    "balance.opened": opened,
    "entry.reversed": reversed_,
    "entry.replaced": replaced,
    "entry.annotated": annotated,
}
