"""The model's rules: official receipts, documents, the bank, privacy, dispositions."""

from __future__ import annotations

from collections.abc import Callable

from .money import refunded_fen
from .registry import the
from .units import Move
from .world import CORRECTIONS, Rule, Told, World, refuse_if

BOUND = ("receipt.bound", "receipt.reissued")
Number = tuple[str, str]


def number_of(told: Told) -> Number:
    return told.fields["receipt_code"], told.fields["receipt_number"]


def binding(world: World, number: Number) -> Told | None:
    """The entry that brought an official receipt."""
    found = (one for one in world.entries if one.kind in BOUND and number_of(one) == number)
    return next(found, None)


def status_of(world: World, number: Number) -> str:
    """Of an official receipt: unknown, valid, void or replaced."""
    status = "unknown" if binding(world, number) is None else "valid"
    for one in world.entries:
        if one.kind == "receipt.voided" and number_of(one) == number:
            status = "void"
        if one.kind == "receipt.reissued":
            replaced = (one.get("replaces_code"), one.get("replaces_number"))
            status = "replaced" if replaced == number else status
    return status


def receipt_of(world: World, gift: int) -> Told | None:
    """The valid receipt that a gift is on."""
    naming = [one for one in world.entries if one.kind in BOUND and gift in one.fields["gifts"]]
    valid = (one for one in naming if status_of(world, number_of(one)) == "valid")
    return next(valid, None)


def bound(world: World, told: Told) -> list[Move]:
    refuse_if(status_of(world, number_of(told)) != "unknown", "receipt_known")
    refuse_if(told.fields["issued_on"] > told.day, "receipt_issued_later")
    gifts = told.fields["gifts"]
    refuse_if(len(gifts) > len(set(gifts)), "gift_twice")
    total = sum(value_of(world, gift) for gift in gifts)
    refuse_if(total != told.fields["amount_fen"], "receipt_sum")
    if told.kind == "receipt.reissued":
        old = told.fields["replaces_code"], told.fields["replaces_number"]
        refuse_if(status_of(world, old) != "void", "replaced_not_void")
        before = binding(world, old)
        assert before is not None
        refuse_if(set(gifts) - set(before.fields["gifts"]), "gift_not_of_replaced")
    return []


def value_of(world: World, index: int) -> int:
    """What a receipt says of a gift."""
    gift = world.entry(index)
    kinds = ("donation.money", "donation.matched", "donation.goods")
    refuse_if(gift.kind not in kinds, "not_a_gift")
    refuse_if(gift.reversed_by is not None, "gift_reversed")
    refuse_if(receipt_of(world, index), "gift_has_receipt")
    if gift.kind == "donation.goods":
        refuse_if(gift.get("valuation") is None, "gift_without_value")
        return int(gift.fields["valuation"]["amount_fen"])
    return int(gift.fields["amount_fen"]) - refunded_fen(world, index)


def voided(world: World, told: Told) -> list[Move]:
    refuse_if(status_of(world, number_of(told)) != "valid", "receipt_not_valid")
    return []


# Documents and the bank


def document(world: World, told: Told) -> list[Move]:
    for index in told.fields["about"]:
        world.entry(index)
    year, annual = told.get("year"), told.get("discloses") == "annual_report"
    over = year is None or f"{year}-12-31" < told.day
    refuse_if(annual != (year is not None) or not over, "annual_report_year")
    if told.get("notice_of") is not None:
        corrects = world.entry(told.fields["notice_of"]).kind in CORRECTIONS
        refuse_if(not corrects, "not_a_correction")
    return []


def statement(world: World, told: Told) -> list[Move]:
    fields = told.fields
    refuse_if(fields["period_to"] < fields["period_from"], "period_reversed")
    closing = fields["opening_fen"] + fields["credits_fen"] - fields["debits_fen"]
    refuse_if(closing != fields["closing_fen"], "statement_does_not_add_up")
    for one in world.alive(told.kind):
        if one.get("account_alias") == told.get("account_alias"):
            refuse_if(fields["period_from"] <= one.fields["period_to"], "statement_overlaps")
    return []


def bank_matched(world: World, told: Told) -> list[Move]:
    fields, index = told.fields, told.fields["statement"]
    found = world.entry(index)
    refuse_if(found.kind != "statement.imported", "not_a_statement")
    refuse_if(found.reversed_by is not None, "statement_reversed")
    matches = list(world.alive("statement.matched"))
    taken = [
        line["line"]
        for one in matches
        if one.get("statement") == index
        for line in one.fields["lines"]
    ]
    before = sum(
        line["amount_fen"]
        for one in matches
        if one.get("statement") == index
        for line in one.fields["lines"]
    )
    for line in fields["lines"]:
        refuse_if(line["line"] in taken, "line_matched")
        taken.append(line["line"])
    brought = sum(line["amount_fen"] for line in fields["lines"])
    refuse_if(before + brought > found.fields["credits_fen"], "lines_over_statement")
    given, used = 0, [gift for one in matches for gift in one.fields["gifts"]]
    for number in fields["gifts"]:
        gift = world.entry(number)
        refuse_if(gift.kind not in ("donation.money", "donation.matched"), "not_a_gift")
        refuse_if(gift.reversed_by is not None, "gift_reversed")
        again = fields["gifts"].count(number) > 1
        refuse_if(again or number in used, "gift_matched")
        given += gift.fields["amount_fen"]
    check_difference(told, brought - given)
    return []


def check_difference(told: Told, difference: int) -> None:
    """A difference is shown as it is, and explained."""
    refuse_if(told.fields["difference_fen"] != difference, "difference")
    refuse_if(difference and told.get("reason") is None, "difference_unexplained")


def asserted(world: World, told: Told) -> list[Move]:
    refuse_if(told.fields["as_of"] > told.day, "as_of_later")
    held = 0
    for code in dict.fromkeys(told.fields["funds"]):
        the(world, "fund", code)
        held += world.accounts.balance("CNY", f"fund:{code}")
    check_difference(told, told.fields["bank_fen"] - held)
    return []


# Privacy and attention


def once_each(world: World, told: Told, code: str, check: Callable[[Told], None]) -> list[Move]:
    """Each entry is there, passes `check`, and was not named before, here or elsewhere."""
    before = [
        index for one in world.entries if one.kind == told.kind for index in one.fields["entries"]
    ]
    entries = told.fields["entries"]
    for index in entries:
        check(world.entry(index))
        refuse_if(index in before or entries.count(index) > 1, code)
    return []


def erased(world: World, told: Told) -> list[Move]:
    def check(one: Told) -> None:
        refuse_if(not one.sealed, "nothing_sealed")

    return once_each(world, told, "already_erased", check)


def hidden(world: World, told: Told) -> list[Move]:
    return once_each(world, told, "already_hidden", lambda one: None)


def disposed(world: World, told: Told) -> list[Move]:
    entries = list(told.fields["entries"])
    refuse_if(entries != sorted(set(entries)), "entries_not_rising")
    for index in entries:
        world.entry(index)
    return []


RULES: dict[str, Rule] = {
    "receipt.bound": bound,
    "receipt.voided": voided,
    "receipt.reissued": bound,
    "document.attached": document,
    "statement.imported": statement,
    "statement.matched": bank_matched,
    "balance.asserted": asserted,
    "privacy.erased": erased,
    "entry.hidden": hidden,
    "attention.disposed": disposed,
}
