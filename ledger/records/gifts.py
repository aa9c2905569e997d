"""Money in: gifts and their refunds (domain, section 1, "money in").

A gift's units carry its project as their label, so money earmarked for a project is
never picked for another one.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from ledger.entry import Entry
from ledger.errors import InsufficientError
from ledger.flows import Flow
from ledger.records.kind import (
    APPROVERS,
    Code,
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
from ledger.state import Move, State, references_of
from ledger.units import Range, slice_ranges, subtract, total

DONORS = "world:donor"


class DonationMoney(Fields):
    """A gift of money to a fund, earmarked for a project where one is named."""

    fund: Code
    amount_fen: Fen
    channel: Code = Field(description="how it came: wechat, alipay, tencent, bank, cash ...")
    project: Code | None = None
    campaign: Code | None = None
    visibility: Literal["anonymous", "named"] = Field(
        "anonymous", description="whether the donor wants to be named in public lists"
    )


class DonorSealed(Sealed):
    """Who gave, and the order of the platform or bank that brought it."""

    donor_name: Name | None = None
    contact: Text | None = None
    order_number: Annotated[str, Field(min_length=1, max_length=100), clean(100)] | None = Field(
        None, description="enters the log once"
    )
    exact_time: Annotated[str, Field(min_length=1, max_length=40), clean(40)] | None = None
    message: Text | None = None


def find_project(state: State, project: str | None, fund: str) -> list[Any]:
    """The project, if one is named, as a list of none or one.

    Raises:
        RejectedError: no such project, or it belongs to another fund.
    """
    if project is None:
        return []
    found = state.find("project", project, "fields.project")
    if found["fund"] != fund:
        reject(
            "project_of_other_fund",
            f"fields.project: {project} belongs to the fund {found['fund']}, not to {fund}",
            field="fields.project",
        )
    return [found]


def _plan_gift(draft: Draft[DonationMoney], state: State) -> Plan:
    fields = draft.fields
    about = [state.find("fund", fields.fund, "fields.fund")]
    about += find_project(state, fields.project, fields.fund)
    if fields.campaign is not None:
        campaign = state.find("campaign", fields.campaign, "fields.campaign")
        if campaign["fund"] != fields.fund:
            reject(
                "campaign_of_other_fund",
                f"fields.campaign: {fields.campaign} raises money for the fund "
                f"{campaign['fund']}, not for {fields.fund}",
                field="fields.campaign",
            )
        if not campaign["starts_on"] <= draft.occurred_on <= campaign["ends_on"]:
            reject(
                "campaign_not_open",
                f"occurred_on: the campaign {fields.campaign} ran from {campaign['starts_on']} "
                f"to {campaign['ends_on']}, not on {draft.occurred_on}",
                field="occurred_on",
            )
        about.append(campaign)
    label = fields.project or ""
    move = Move("CNY", fields.amount_fen, DONORS, f"fund:{fields.fund}", label=label)
    return Plan((move,), references_of(*about))


def _effects_gift(entry: Entry, state: State, sign: int) -> None:
    fields = entry.fields
    amounts = {"gifts": sign, "raised_fen": sign * fields["amount_fen"]}
    state.add(f"fund-total/{fields['fund']}", **amounts)
    if "project" in fields:
        state.add(f"project-total/{fields['project']}", **amounts)
    if "campaign" in fields:
        state.add(f"campaign-total/{fields['campaign']}", **amounts)


DONATION_MONEY = Kind(
    name="donation.money",
    title_zh="捐赠款项",
    title_en="Gift of money",
    moves="CNY world:donor → fund",
    fields=DonationMoney,
    sealed=DonorSealed,
    recorders=frozenset((Role.CLERK,)),
    unique=("order_number",),
    plan=_plan_gift,
    effects=_effects_gift,
    example={
        "occurred_on": "2021-10-08",
        "fields": {"fund": "general", "amount_fen": 10_000, "channel": "bank"},
        "sealed": {
            "donor_name": "示例捐赠人",
            "contact": "示例联系方式",
            "order_number": "EXAMPLE-20211008-0001",
            "message": "愿更多人受益",
        },
    },
)


class DonationRefunded(Fields):
    """Money given back to its donor: exactly units of that gift."""

    gift: Index
    amount_fen: Fen | None = Field(None, description="absent: the whole gift")
    reason: Text


class RefundSealed(Sealed):
    """Where the money went back to."""

    account: Text | None = None
    order_number: Annotated[str, Field(min_length=1, max_length=100), clean(100)] | None = None


def gift_ranges(flows: list[Flow]) -> list[Range]:
    """The numbers that a gift's units got in its account."""
    return [
        (flow.target_first, flow.target_first + flow.length)
        for flow in flows
        if flow.target_first is not None
    ]


def _plan_refund(draft: Draft[DonationRefunded], state: State) -> Plan:
    fields = draft.fields
    gift = state.entry(fields.gift, "fields.gift")
    if gift.kind != "donation.money":
        reject(
            "not_a_gift",
            f"fields.gift: entry {fields.gift} is {gift.kind}, not donation.money",
            field="fields.gift",
        )
    flows = state.entry_flows(fields.gift)
    amount = fields.amount_fen or gift.fields["amount_fen"]
    left = state.left_of(flows)
    if amount > total(left):
        gone = subtract(gift_ranges(flows), left)
        uses = state.uses("CNY", flows[0].target, gone)
        raise InsufficientError(
            f"fields.gift: {total(left)} fen of gift {fields.gift} are still in the fund, "
            f"{amount} were to be refunded; the others left by entries {uses}",
            code="gift_units_spent",
            field="fields.gift",
            details={"available": total(left), "entries": uses},
        )
    # The newest units of the gift go back, so that the oldest stay first in line.
    exact = slice_ranges(left, total(left) - amount, total(left))
    move = Move("CNY", amount, flows[0].target, DONORS, exact=exact)
    return Plan((move,), (fields.gift,))


def _effects_refund(entry: Entry, state: State, sign: int) -> None:
    gift = state.entry(entry.fields["gift"], "fields.gift")
    amount = sign * entry.postings[0]["amount"]
    state.add(f"refunded/{entry.fields['gift']}", amount_fen=amount)
    state.add(f"fund-total/{gift.fields['fund']}", refunded_fen=amount)
    if "project" in gift.fields:
        state.add(f"project-total/{gift.fields['project']}", refunded_fen=amount)


DONATION_REFUNDED = Kind(
    name="donation.refunded",
    title_zh="退还捐款",
    title_en="Gift refunded",
    moves="CNY fund → world:donor",
    fields=DonationRefunded,
    sealed=RefundSealed,
    recorders=frozenset((Role.CLERK,)),
    approvers=APPROVERS,
    plan=_plan_refund,
    effects=_effects_refund,
    example={
        "occurred_on": "2021-10-08",
        "fields": {"gift": 3, "reason": "捐赠人重复付款"},
    },
)
