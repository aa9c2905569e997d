"""Money across and out: allocation, aid, grants, purchases (domain, section 1).

Money leaves by purpose: a restricted or agency fund pays only for its own purposes,
money earmarked for a project only for that project, and one person records what
another approves.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from ledger.entry import Entry
from ledger.records.disclosures import note_major
from ledger.records.gifts import find_project
from ledger.records.goods import Lot, base_quantity, check_shelf_life, lot_label
from ledger.records.kind import (
    APPROVERS,
    Code,
    Draft,
    Fen,
    Fields,
    Kind,
    Name,
    Plan,
    Quantity,
    Role,
    Sealed,
    Text,
    clean,
    reject,
)
from ledger.records.totals import add_fund, add_money, add_payment
from ledger.state import Move, State, references_of
from ledger.units import Rank

LINES_MAX = 100

CostClass = Literal["programme", "management", "fundraising"]


def earmarked(project: str | None) -> Rank:
    """Which money a spending may take: its project's first, then what has no earmark."""
    order = {"": ("1",)} if project is None else {project: ("0",), "": ("1",)}
    return order.get


def check_purpose(fund: Any, purpose: str) -> None:
    """A fund with purposes pays for no other (domain, "purpose must match").

    Raises:
        RejectedError: ``purpose_not_of_fund``.
    """
    if fund["purposes"] and purpose not in fund["purposes"]:
        reject(
            "purpose_not_of_fund",
            f"fields.purpose: the fund {fund['code']} ({fund['fund_class']}) may be spent on "
            f"{', '.join(fund['purposes'])}, not on {purpose}",
            field="fields.purpose",
            purposes=fund["purposes"],
        )


class _Payment(Fields):
    """What every payment says."""

    fund: Code
    project: Code | None = None
    purpose: Code
    cost_class: CostClass = "programme"


def _find_money(fields: _Payment, state: State) -> list[Any]:
    fund = state.find("fund", fields.fund, "fields.fund")
    check_purpose(fund, fields.purpose)
    found = find_project(state, fields.project, fields.fund)
    for project in found:
        if project["purpose"] != fields.purpose:
            reject(
                "purpose_not_of_project",
                f"fields.purpose: the project {project['code']} is for {project['purpose']}, "
                f"not for {fields.purpose}",
                field="fields.purpose",
            )
    return [fund, *found]


class MoneyAllocated(Fields):
    """Money without an earmark moved to another fund, or earmarked for a project.

    Money that carries an earmark stays with its project: changing that is a purpose
    change, which needs a record of its own.
    """

    from_fund: Code
    to_fund: Code
    to_project: Code | None = None
    amount_fen: Fen
    reason: Text
    basis: Text | None = Field(None, description="the decision or agreement it rests on")


def _plan_allocated(draft: Draft[MoneyAllocated], state: State) -> Plan:
    fields = draft.fields
    source = state.find("fund", fields.from_fund, "fields.from_fund")
    target = state.find("fund", fields.to_fund, "fields.to_fund")
    wider = set(target["purposes"]) - set(source["purposes"])
    if source["purposes"] and (not target["purposes"] or wider):
        reject(
            "purpose_not_of_fund",
            f"fields.to_fund: {fields.from_fund} may be spent on "
            f"{', '.join(source['purposes'])} only, and {fields.to_fund} would allow more; "
            "a purpose change needs its own record",
            field="fields.to_fund",
        )
    if fields.from_fund == fields.to_fund and fields.to_project is None:
        reject(
            "allocation_to_itself",
            "fields.to_fund: expected another fund, or a project of this one",
            field="fields.to_fund",
        )
    about = [source, target, *find_project(state, fields.to_project, fields.to_fund)]
    move = Move(
        "CNY",
        fields.amount_fen,
        f"fund:{fields.from_fund}",
        f"fund:{fields.to_fund}",
        rank=earmarked(None),
        label=fields.to_project or "",
    )
    return Plan((move,), references_of(*about))


def _effects_allocated(entry: Entry, state: State, sign: int) -> None:
    note_major(entry, state, sign)
    fields = entry.fields
    amount = sign * fields["amount_fen"]
    add_fund(state, fields["from_fund"], allocated_fen=amount)
    add_money(state, fields["to_fund"], fields.get("to_project"), received_fen=amount)


MONEY_ALLOCATED = Kind(
    name="money.allocated",
    title_zh="划拨资金",
    title_en="Money allocated",
    moves="CNY fund → fund",
    fields=MoneyAllocated,
    recorders=frozenset((Role.CLERK,)),
    approvers=APPROVERS,
    plan=_plan_allocated,
    effects=_effects_allocated,
    example={
        "occurred_on": "2021-10-09",
        "fields": {
            "from_fund": "general",
            "to_fund": "student-aid",
            "to_project": "student-aid-2021",
            "amount_fen": 5_000,
            "reason": "补充助学资金",
        },
    },
)


class AidPaid(_Payment):
    """Aid paid to a person, who is named in the sealed fields only."""

    amount_fen: Fen
    payee_class: Code = Field(description="who is helped, as a class: student, patient, family ...")


class AidSealed(Sealed):
    """Who was helped."""

    payee_name: Name | None = None
    account: Text | None = None
    diagnosis: Text | None = None
    school: Text | None = None


def _plan_payment(draft: Draft[Any], state: State) -> Plan:
    fields = draft.fields
    about = _find_money(fields, state)
    if isinstance(fields, GrantPaid):
        about.append(state.find("party", fields.payee, "fields.payee"))
    move = Move(
        "CNY",
        fields.amount_fen,
        f"fund:{fields.fund}",
        "world:beneficiary",
        rank=earmarked(fields.project),
    )
    return Plan((move,), references_of(*about))


def _effects_payment(entry: Entry, state: State, sign: int) -> None:
    note_major(entry, state, sign)
    add_payment(state, entry.kind, entry.fields, sign * entry.fields["amount_fen"], sign)


AID_PAID = Kind(
    name="aid.paid",
    title_zh="发放救助",
    title_en="Aid paid",
    moves="CNY fund → world:beneficiary",
    fields=AidPaid,
    sealed=AidSealed,
    recorders=frozenset((Role.CLERK,)),
    approvers=APPROVERS,
    plan=_plan_payment,
    effects=_effects_payment,
    example={
        "occurred_on": "2021-10-09",
        "fields": {
            "fund": "general",
            "amount_fen": 3_000,
            "purpose": "elderly-care",
            "payee_class": "elderly",
        },
        "sealed": {"payee_name": "示例受益人", "account": "示例账户"},
    },
)


class GrantPaid(_Payment):
    """A grant paid to a registered organisation."""

    amount_fen: Fen
    payee: Code = Field(description="the party code of the organisation")


class GrantSealed(Sealed):
    """The account that was paid."""

    account: Text | None = None


GRANT_PAID = Kind(
    name="grant.paid",
    title_zh="拨付资助",
    title_en="Grant paid",
    moves="CNY fund → world:beneficiary",
    fields=GrantPaid,
    sealed=GrantSealed,
    recorders=frozenset((Role.CLERK,)),
    approvers=APPROVERS,
    plan=_plan_payment,
    effects=_effects_payment,
    example={
        "occurred_on": "2021-10-09",
        "fields": {
            "fund": "general",
            "amount_fen": 2_000,
            "purpose": "elderly-care",
            "payee": "community-centre",
        },
        "sealed": {"account": "示例账户"},
    },
)


class PurchaseLine(Lot):
    """One line of an invoice: what was bought and what it cost."""

    item: Code
    quantity: Quantity
    unit: Name | None = Field(None, description="absent: the item's base unit")
    cost_fen: Fen


class PurchaseMade(_Payment):
    """Goods bought with a fund's money, received into a site's stock."""

    supplier: Code
    site: Code
    lines: Annotated[list[PurchaseLine], Field(min_length=1, max_length=LINES_MAX)]


class PurchaseSealed(Sealed):
    """The account that was paid, and the invoice."""

    account: Text | None = None
    invoice_number: Annotated[str, Field(min_length=1, max_length=60), clean(60)] | None = None


def _plan_purchase(draft: Draft[PurchaseMade], state: State) -> Plan:
    fields = draft.fields
    about = _find_money(fields, state)
    about.append(state.find("party", fields.supplier, "fields.supplier"))
    about.append(state.find("site", fields.site, "fields.site"))
    moves: list[Move] = []
    for number, line in enumerate(fields.lines):
        where = f"fields.lines.{number}"
        item, quantity = base_quantity(state, line.item, line.quantity, line.unit, where)
        about.append(item)
        about += check_shelf_life(state, item, line, draft.occurred_on, where)
        # What a line paid becomes what it received: the pair is one conversion (flows).
        moves.append(
            Move(
                "CNY",
                line.cost_fen,
                f"fund:{fields.fund}",
                "world:supplier",
                rank=earmarked(fields.project),
            )
        )
        moves.append(
            Move(
                f"item:{line.item}",
                quantity,
                "world:supplier",
                f"stock:{fields.site}",
                label=lot_label(item, line, where),
            )
        )
    return Plan(moves, references_of(*about))


def _effects_purchase(entry: Entry, state: State, sign: int) -> None:
    paid = 0
    for money, goods in zip(entry.postings[::2], entry.postings[1::2], strict=True):
        paid += money["amount"]
        state.add(
            f"item-total/{goods['asset'].removeprefix('item:')}",
            bought=sign * goods["amount"],
            paid_fen=sign * money["amount"],
        )
    note_major(entry, state, sign)
    add_payment(state, entry.kind, entry.fields, sign * paid, sign)


PURCHASE_MADE = Kind(
    name="purchase.made",
    title_zh="采购物资",
    title_en="Purchase made",
    moves="CNY fund → world:supplier; item world:supplier → stock",
    fields=PurchaseMade,
    sealed=PurchaseSealed,
    recorders=frozenset((Role.CLERK,)),
    approvers=APPROVERS,
    plan=_plan_purchase,
    effects=_effects_purchase,
    example={
        "occurred_on": "2021-10-09",
        "fields": {
            "fund": "general",
            "purpose": "elderly-care",
            "supplier": "supplier-goods",
            "site": "warehouse-central",
            "lines": [{"item": "rice", "quantity": 2, "cost_fen": 4_000}],
        },
    },
)
