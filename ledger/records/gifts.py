"""Money in: gifts and their refunds (domain, section 1, "money in").

A gift's units carry its project as their label, so money earmarked for a project is
never picked for another one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from ledger.entry import Entry
from ledger.errors import InsufficientError
from ledger.records.kind import (
    APPROVERS,
    Code,
    Draft,
    Fen,
    Fields,
    Index,
    Kind,
    Name,
    OrderNumber,
    Plan,
    Role,
    Sealed,
    Text,
    clean,
    reject,
)
from ledger.records.lineage import remaining
from ledger.records.totals import add_money, add_taken_back
from ledger.state import Move, State, references_of
from ledger.units import slice_ranges, total

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
    order_number: OrderNumber | None = Field(None, description="enters the log once")
    exact_time: Annotated[str, Field(min_length=1, max_length=40), clean(40)] | None = None
    message: Text | None = None


def find_project(state: State, project: str | None, fund: str) -> list[Any]:
    """The project, if one is named, as a list of none or one.

    Raises:
        RejectedError: no such project, it belongs to another fund, or it is closed.
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
    check_open(state, project)
    return [found]


def check_open(state: State, project: str) -> None:
    """A closed project gets and pays nothing more.

    Raises:
        RejectedError: ``project_closed``.
    """
    closed = state.get(f"project-closed/{project}")
    if closed is not None:
        reject(
            "project_closed",
            f"fields.project: {project} was closed by entry {closed['entry']}; "
            "its leftover can only be assigned",
            field="fields.project",
            entry=closed["entry"],
        )


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
    add_money(state, fields["fund"], fields.get("project"), **amounts)
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
    """Money given back to its donor or its matcher: exactly units of that gift."""

    gift: Index = Field(description="a gift of money, or a matching gift (donation.matched)")
    amount_fen: Fen | None = Field(None, description="absent: the whole gift")
    reason: Text


class RefundSealed(Sealed):
    """Where the money went back to."""

    account: Text | None = None
    order_number: OrderNumber | None = None


def _plan_refund(draft: Draft[DonationRefunded], state: State) -> Plan:
    fields = draft.fields
    gift = state.entry(fields.gift, "fields.gift")
    if gift.kind not in ("donation.money", "donation.matched"):
        reject(
            "not_a_gift",
            f"fields.gift: entry {fields.gift} is {gift.kind}, not donation.money or "
            "donation.matched",
            field="fields.gift",
        )
    flows = state.entry_flows(fields.gift)
    amount = fields.amount_fen or gift.fields["amount_fen"]
    left, gone = remaining(state, flows)
    if amount > total(left):
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
    clawed, about = claw_back(state, fields.gift, amount)
    return Plan((move, *clawed), references_of([fields.gift], about))


def points_earned(terms: Mapping[str, Any], amount_fen: int) -> int:
    """How many points an amount of money earns by a rule's terms."""
    points: int = terms["points"]
    if "per_fen" in terms:
        points = max(0, amount_fen) * points // int(terms["per_fen"])
    elif amount_fen <= 0:
        points = 0
    return min(points, int(terms.get("points_max", points)))


def claw_back(state: State, gift: int, refunded_fen: int) -> tuple[list[Move], list[int]]:
    """The points that a refund takes back, as far as they have not been redeemed.

    Each issuance for the gift keeps what the rest of the gift would have earned.

    Returns:
        Moves back to the issuer, and the entries of the issuances.
    """
    moves: list[Move] = []
    about: list[int] = []
    before = (state.get(f"refunded/{gift}") or {"amount_fen": 0})["amount_fen"]
    rest = state.entry(gift, "fields.gift").fields["amount_fen"] - before - refunded_fen
    for issue in (state.get(f"points-of/{gift}") or {"issues": []})["issues"]:
        issued = state.entry(issue, "fields.gift")
        rule = state.get(f"rule/{issued.fields['rule']}")
        terms = rule["versions"][issued.fields["rule_version"] - 1]["points_issue"]
        flows = state.entry_flows(issue)
        left, _ = remaining(state, flows)
        clawed = (state.get(f"clawed/{issue}") or {"points": 0})["points"]
        excess = issued.postings[0]["amount"] - clawed - points_earned(terms, rest)
        amount = min(excess, total(left))
        if amount > 0:
            exact = slice_ranges(left, total(left) - amount, total(left))
            moves.append(Move("points", amount, flows[0].target, "world:issuer", exact=exact))
            about.append(issue)
    return moves, about


def _effects_refund(entry: Entry, state: State, sign: int) -> None:
    gift = state.entry(entry.fields["gift"], "fields.gift")
    amount = sign * entry.postings[0]["amount"]
    for issue, posting in zip(_clawed_issues(entry, state), entry.postings[1:], strict=True):
        add_taken_back(state, issue, sign * posting["amount"])
    state.add(f"refunded/{entry.fields['gift']}", amount_fen=amount)
    # A matching gift names no fund of its own: it is for what its gifts are for.
    meant = gift if "fund" in gift.fields else state.entry(gift.fields["gifts"][0], "fields.gift")
    add_money(state, meant.fields["fund"], meant.fields.get("project"), refunded_fen=amount)


def _clawed_issues(entry: Entry, state: State) -> list[int]:
    """The issuances that a refund's further postings take back, in their order."""
    return [index for index in entry.references if index != entry.fields["gift"]]


DONATION_REFUNDED = Kind(
    name="donation.refunded",
    title_zh="退还捐款",
    title_en="Gift refunded",
    moves="CNY fund → world:donor; points points:holder → world:issuer",
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
