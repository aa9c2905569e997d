"""Requests for official receipts, documents, bank statements, privacy, dispositions."""

from __future__ import annotations

from ..money import refunded_fen
from ..papers import BOUND, number_of, receipt_of, status_of
from ..points import later
from ..world import CORRECTIONS, Told
from .chooser import Ask, Chooser, Fields

CODE = "440601"
MONEY = ("donation.money", "donation.matched")
GIFTS = (*MONEY, "donation.goods")
FILE = "5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9"


def number(c: Chooser) -> str:
    return f"0000{c.number(10, 29)}"


def value_of(c: Chooser, index: int) -> int:
    """What a gift is worth on a receipt; 0 for what is no gift."""
    gift = c.world.entries[index] if index < len(c.world.entries) else None
    if gift is None or gift.kind not in GIFTS:
        return 0
    if gift.kind == "donation.goods":
        return int((gift.get("valuation") or {"amount_fen": 0})["amount_fen"])
    return int(gift.fields["amount_fen"]) - refunded_fen(c.world, index)


def bound(c: Chooser) -> Fields:
    def fresh(one: Told) -> bool:
        free = one.reversed_by is None and not receipt_of(c.world, one.index)
        return free and value_of(c, one.index) > 0

    return receipt(c, c.entries(*GIFTS, wanted=fresh))


def receipt(c: Chooser, gifts: list[int]) -> Fields:
    total = sum(value_of(c, one) for one in gifts)
    fields = {"receipt_code": CODE, "receipt_number": number(c), "check_code": "a1b2"}
    issued = c.day_near(1, 2) if c.rarely(10) else c.day_near(-9, -7)
    return {**fields, "issued_on": issued, "amount_fen": c.near(total), "gifts": gifts}


def numbers(c: Chooser, *statuses: str) -> list[Told]:
    """The bindings of official receipts of such a status."""
    found = [one for one in c.world.entries if one.kind in BOUND]
    return [one for one in found if status_of(c.world, number_of(one)) in statuses]


def voided(c: Chooser) -> Fields:
    valid = numbers(c, "valid")
    chosen = c.pick(valid).fields["receipt_number"] if valid and not c.rarely(6) else number(c)
    fields = {"receipt_code": CODE, "receipt_number": chosen, "reason": "有误"}
    return {**fields, "form": c.pick(("void", "red"))}


def reissued(c: Chooser) -> Fields:
    void = numbers(c, "void")
    if not void or c.rarely(6):
        return {**bound(c), "replaces_code": CODE, "replaces_number": number(c)}
    old = c.pick(void)
    gifts = [one for one in old.fields["gifts"] if receipt_of(c.world, one) is None]
    if c.rarely(6) or not gifts:
        gifts = [*gifts, c.entry(*GIFTS)]
    fields = receipt(c, gifts)
    return {**fields, "replaces_code": CODE, "replaces_number": old.fields["receipt_number"]}


def document(c: Chooser) -> Fields:
    fields = {"sha256": FILE, "media_type": "application/pdf", "size_bytes": 9, "shows": "协议"}
    notice_of = c.entry(*CORRECTIONS) if c.number(0, 1) else None
    about = [c.entry() for _ in range(c.number(1, 3))]
    if c.rarely(4):
        fields["discloses"] = c.pick(("annual_report", "major_change"))
        fields["year"] = int(c.day_near(-6, 6)[:4]) - 1 if c.number(0, 1) else None
    return {**fields, "about": about, "notice_of": notice_of}


def statement(c: Chooser) -> Fields:
    alias = c.pick(("bank-1", "bank-2"))
    ends = [
        one.fields["period_to"]
        for one in c.world.entries
        if one.kind == "statement.imported" and one.get("account_alias") == alias
    ]
    if ends and not c.rarely(4):
        begins = later(max(ends), 1)
        days = [begins, later(begins, c.number(0, 3))]
    else:
        days = [c.day_near(-6, 6), c.day_near(-6, 6)]
        days.sort(reverse=c.rarely())
    opening, credits, debits = c.number(0, 50), c.number(0, 200), c.number(0, 50)
    fields = {"account_alias": alias, "period_from": days[0], "period_to": days[1]}
    fields |= {"opening_fen": opening, "credits": 3, "credits_fen": credits, "debits": 1}
    closing = opening + credits - debits + (1 if c.rarely() else 0)
    return {**fields, "debits_fen": debits, "closing_fen": closing, "lines_sha256": FILE}


def statements(c: Chooser) -> list[int]:
    return [one.index for one in c.world.alive("statement.imported")]


def matched(c: Chooser) -> Fields:
    used = [gift for one in c.world.alive("statement.matched") for gift in one.fields["gifts"]]

    def fresh(one: Told) -> bool:
        return one.reversed_by is None and one.index not in used

    gifts = [c.entry(*MONEY, wanted=fresh)]
    if c.rarely(4):
        gifts.append(c.entry(*MONEY, wanted=fresh))
    known = [c.world.entries[one] for one in gifts if one < len(c.world.entries)]
    given = sum(one.fields["amount_fen"] for one in known if one.kind in MONEY)
    brought = max(1, given + (c.number(-3, 3) if c.rarely(3) else 0))
    lines = [{"line": c.number(1, 9), "amount_fen": brought}]
    if c.rarely(4):
        lines.append({"line": c.number(1, 9), "amount_fen": 1})
        brought += 1
    fields = {"statement": c.entry("statement.imported"), "lines": lines, "gifts": gifts}
    return {**fields, **difference(c, brought - given)}


def difference(c: Chooser, right: int) -> Fields:
    """The difference, and why, mostly."""
    shown = right + 1 if c.rarely() else right
    return {"difference_fen": shown, "reason": "利息" if shown and not c.rarely(6) else None}


def asserted(c: Chooser) -> Fields:
    funds = [c.code("fund") for _ in range(c.number(1, 2))]
    held = sum(c.world.accounts.balance("CNY", f"fund:{one}") for one in dict.fromkeys(funds))
    bank = held + (c.number(-5, 5) if c.rarely(3) else 0)
    fields = {"account_alias": "bank-1", "funds": funds, "bank_fen": bank}
    as_of = c.day_near(1, 1) if c.rarely() else c.day_near(-9, -7)
    return {**fields, "as_of": as_of, **difference(c, bank - held)}


def erased(c: Chooser) -> Fields:
    entries = c.entries(wanted=lambda one: bool(one.sealed))
    return {"entries": entries, "legal_basis": "本人撤回同意"}


def hidden(c: Chooser) -> Fields:
    before = [one for one in c.world.entries if one.kind == "entry.hidden"]
    again = before and c.rarely(5)
    entries = c.pick(before).fields["entries"] if again else c.entries()
    return {"entries": entries, "legal_basis": "本人申请"}


def disposed(c: Chooser) -> Fields:
    entries = c.entries()
    entries = [*entries, entries[0]] if c.rarely(5) else sorted(set(entries))
    fields = {"flag": c.pick(("restricted_unspent", "handover_differs")), "entries": entries}
    return {**fields, "decision": "in_order", "reason": "已核对"}


ASKS: dict[str, Ask] = {
    "receipt.bound": bound,
    "receipt.voided": voided,
    "receipt.reissued": reissued,
    "document.attached": document,
    "statement.imported": statement,
    "statement.matched": matched,
    "balance.asserted": asserted,
    "privacy.erased": erased,
    "entry.hidden": hidden,
    "attention.disposed": disposed,
}
