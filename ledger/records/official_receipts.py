"""Official donation receipts 捐赠票据, bound to fixed sets of gifts.

The official receipt is the state's form; ours binds to it: an entry says which receipt
covers which gifts. A gift has one valid receipt, and sums agree (domain, sections 1, 4).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from ledger.entry import Entry
from ledger.records.kind import (
    Day,
    Draft,
    Fen,
    Fields,
    Index,
    Kind,
    Name,
    Plan,
    Role,
    Sealed,
    Text,
    clean,
    reject,
)
from ledger.state import State, references_of

GIFTS_MAX = 500
CLERK = frozenset((Role.CLERK,))

ReceiptCode = Annotated[str, Field(pattern=r"^[0-9]{6,12}$", description="票据代码")]
ReceiptNumber = Annotated[str, Field(pattern=r"^[0-9]{6,20}$", description="票据号码")]
CheckCode = Annotated[str, Field(pattern=r"^[0-9A-Za-z]{4,20}$", description="校验码")]


class ReceiptBound(Fields):
    """An official receipt and the gifts that it covers."""

    receipt_code: ReceiptCode
    receipt_number: ReceiptNumber
    check_code: CheckCode
    issued_on: Day = Field(description="开票日期")
    amount_fen: Fen
    gifts: Annotated[list[Index], Field(min_length=1, max_length=GIFTS_MAX)]


class PayerSealed(Sealed):
    """Who paid, as the receipt names them."""

    payer_name: Name | None = Field(None, description="交款人")
    tax_number: Annotated[str, Field(min_length=1, max_length=30), clean(30)] | None = None


def _key(fields: Any) -> str:
    return f"official-receipt/{fields.receipt_code}-{fields.receipt_number}"


def _plan_bound(draft: Draft[Any], state: State) -> Plan:
    fields = draft.fields
    known = state.get(_key(fields))
    if known is not None:
        reject(
            "receipt_known",
            f"fields.receipt_number: entry {known['entry']} has this receipt already",
            field="fields.receipt_number",
            entry=known["entry"],
        )
    if fields.issued_on > draft.occurred_on:
        reject(
            "receipt_issued_later",
            f"fields.issued_on: {fields.issued_on} is after the day it is bound, "
            f"{draft.occurred_on}",
            field="fields.issued_on",
        )
    if len(set(fields.gifts)) != len(fields.gifts):
        reject("gift_twice", "fields.gifts: expected each gift once", field="fields.gifts")
    total = 0
    for number, gift in enumerate(fields.gifts):
        total += _receiptable(state, gift, f"fields.gifts.{number}")
    if total != fields.amount_fen:
        reject(
            "receipt_sum",
            f"fields.amount_fen: the gifts are {total} fen together (refunds deducted), "
            f"the receipt says {fields.amount_fen}",
            field="fields.amount_fen",
            expected=total,
        )
    about: list[Any] = [list(fields.gifts)]
    if isinstance(fields, ReceiptReissued):
        about.append(_find_replaced(fields, state))
    return Plan(references=references_of(*about))


def _find_replaced(fields: ReceiptReissued, state: State) -> Any:
    """The void receipt that a new one stands for: once, and for gifts of its own."""
    old = state.get(f"official-receipt/{fields.replaces_code}-{fields.replaces_number}")
    if old is None or old["status"] != "void":
        reject(
            "replaced_not_void",
            "fields.replaces_number: expected a receipt that was voided before and not "
            "replaced since",
            field="fields.replaces_number",
        )
    others = sorted(set(fields.gifts) - set(old["gifts"]))
    if others:
        reject(
            "gift_not_of_replaced",
            f"fields.gifts: gifts {others} were not on the receipt that this one replaces; bind "
            "them by a receipt of their own",
            field="fields.gifts",
            entries=others,
        )
    return old


def _receiptable(state: State, gift: int, where: str) -> int:
    """What a receipt must say of a gift, in fen."""
    entry = state.entry(gift, where)
    if entry.kind not in ("donation.money", "donation.matched", "donation.goods"):
        reject("not_a_gift", f"{where}: entry {gift} is {entry.kind}, no gift", field=where)
    if state.get(f"reversed/{gift}") is not None:
        reject("gift_reversed", f"{where}: gift {gift} was reversed", field=where)
    bound = state.get(f"receipt-of/{gift}")
    if bound is not None:
        reject(
            "gift_has_receipt",
            f"{where}: gift {gift} is on the receipt of entry {bound['entry']}; void that first",
            field=where,
            entry=bound["entry"],
        )
    if entry.kind == "donation.goods":
        if "valuation" not in entry.fields:
            reject(
                "gift_without_value",
                f"{where}: gift {gift} has no valuation that a receipt could state",
                field=where,
            )
        return int(entry.fields["valuation"]["amount_fen"])
    refunded = (state.get(f"refunded/{gift}") or {"amount_fen": 0})["amount_fen"]
    return int(entry.fields["amount_fen"]) - int(refunded)


def _effects_bound(entry: Entry, state: State, sign: int) -> None:
    fields = entry.fields
    key = f"official-receipt/{fields['receipt_code']}-{fields['receipt_number']}"
    value = {"status": "valid", "amount_fen": fields["amount_fen"], "gifts": fields["gifts"]}
    state.put(key, {**value, "entry": entry.index})
    for gift in fields["gifts"]:
        state.put(f"receipt-of/{gift}", {"entry": entry.index})
    if "replaces_number" in fields:
        old_key = f"official-receipt/{fields['replaces_code']}-{fields['replaces_number']}"
        old = state.get(old_key)
        state.put(old_key, {**old, "status": "replaced", "entry": entry.index})


RECEIPT_BOUND = Kind(
    name="receipt.bound",
    title_zh="关联捐赠票据",
    title_en="Receipt bound",
    moves="nothing",
    fields=ReceiptBound,
    sealed=PayerSealed,
    recorders=CLERK,
    plan=_plan_bound,
    effects=_effects_bound,
    example={
        "occurred_on": "2021-10-10",
        "fields": {
            "receipt_code": "44060121",
            "receipt_number": "0000009001",
            "check_code": "a1b2c3",
            "issued_on": "2021-10-10",
            "amount_fen": 10_000,
            "gifts": [5],
        },
        "sealed": {"payer_name": "示例捐赠人"},
    },
)


class ReceiptVoided(Fields):
    """An official receipt declared void 作废, or reversed by a red one 红冲."""

    receipt_code: ReceiptCode
    receipt_number: ReceiptNumber
    form: Literal["void", "red"]
    reason: Text


def _plan_voided(draft: Draft[ReceiptVoided], state: State) -> Plan:
    fields = draft.fields
    receipt = state.get(_key(fields))
    if receipt is None or receipt["status"] != "valid":
        reject(
            "receipt_not_valid",
            "fields.receipt_number: expected a receipt that is bound and valid",
            field="fields.receipt_number",
        )
    return Plan(references=references_of(receipt))


def _effects_voided(entry: Entry, state: State, sign: int) -> None:
    fields = entry.fields
    key = f"official-receipt/{fields['receipt_code']}-{fields['receipt_number']}"
    receipt = state.get(key)
    state.put(key, {**receipt, "status": "void", "entry": entry.index})
    for gift in receipt["gifts"]:
        state.put(f"receipt-of/{gift}", None)


RECEIPT_VOIDED = Kind(
    name="receipt.voided",
    title_zh="票据作废或红冲",
    title_en="Receipt voided",
    moves="nothing",
    fields=ReceiptVoided,
    recorders=CLERK,
    plan=_plan_voided,
    effects=_effects_voided,
    example={
        "occurred_on": "2021-10-11",
        "fields": {
            "receipt_code": "44060121",
            "receipt_number": "0000000001",
            "form": "void",
            "reason": "抬头有误",
        },
    },
)


class ReceiptReissued(ReceiptBound):
    """A new official receipt in place of one that was voided."""

    replaces_code: ReceiptCode
    replaces_number: ReceiptNumber


RECEIPT_REISSUED = Kind(
    name="receipt.reissued",
    title_zh="重开票据",
    title_en="Receipt reissued",
    moves="nothing",
    fields=ReceiptReissued,
    sealed=PayerSealed,
    recorders=CLERK,
    plan=_plan_bound,
    effects=_effects_bound,
    example={
        "occurred_on": "2021-10-12",
        "fields": {
            "receipt_code": "44060121",
            "receipt_number": "0000009002",
            "check_code": "d4e5f6",
            "issued_on": "2021-10-12",
            "amount_fen": 50_000,
            "gifts": [13],
            "replaces_code": "44060121",
            "replaces_number": "0000000002",
        },
    },
)
