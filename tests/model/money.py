"""The model's rules: gifts, matching gifts, refunds, allocations, payments, fees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .registry import terms_of, the, versions
from .units import Move, Rank, Tag
from .world import Rule, Told, World, refuse_if

DONOR = "world:donor"


def fund_account(code: str) -> str:
    return f"fund:{code}"


def open_project(world: World, code: str | None, fund: str) -> None:
    """A project that is named is the fund's, and not closed."""
    if code is None:
        return
    found = the(world, "project", code)
    refuse_if(found.get("fund") != fund, "project_of_other_fund")
    refuse_if(closing(world, code), "project_closed")


def closing(world: World, project: str) -> Told | None:
    """The entry that closed a project."""
    closed = (one for one in world.alive("project.closed") if one.get("project") == project)
    return next(closed, None)


def earmark(project: str | None) -> Tag:
    return (project or "",)


def own_then_free(project: str | None) -> Rank:
    """The project's own money first, then what has no earmark; nobody else's."""

    def rank(tag: Tag) -> tuple[str, ...] | None:
        if project is not None and tag == (project,):
            return ("own",)
        return ("then free",) if tag == ("",) else None

    return rank


def only(project: str | None) -> Rank:
    return lambda tag: () if tag == earmark(project) else None


# In


def gift(world: World, told: Told) -> list[Move]:
    fund = told.fields["fund"]
    the(world, "fund", fund)
    open_project(world, told.get("project"), fund)
    if told.get("campaign") is not None:
        campaign = the(world, "campaign", told.fields["campaign"])
        refuse_if(campaign.get("fund") != fund, "campaign_of_other_fund")
        begins, ends = campaign.fields["starts_on"], campaign.fields["ends_on"]
        refuse_if(not begins <= told.day <= ends, "campaign_not_open")
    tag = earmark(told.get("project"))
    return [Move("CNY", told.fields["amount_fen"], DONOR, fund_account(fund), tag=tag)]


def refunded_fen(world: World, gift: int) -> int:
    """How much of a gift went back to its donor."""
    refunds = [one for one in world.alive("donation.refunded") if one.get("gift") == gift]
    return sum(one.postings[0].amount for one in refunds)


def matched(world: World, told: Told) -> list[Move]:
    terms = terms_of(world, told, "matching")
    the(world, "party", told.fields["matcher"])
    gifts = told.fields["gifts"]
    refuse_if(len(gifts) > len(set(gifts)), "gift_twice")
    places, amount = set(), 0
    for index in gifts:
        given = world.entry(index)
        refuse_if(given.kind != "donation.money", "not_a_gift")
        others = [
            one for one in world.alive("donation.matched") if one.get("rule") == told.get("rule")
        ]
        refuse_if(any(index in one.fields["gifts"] for one in others), "gift_matched")
        refuse_if(given.reversed_by is not None, "gift_reversed")
        wanted = terms.get("campaign")
        refuse_if(wanted and given.get("campaign") != wanted, "gift_of_other_campaign")
        places.add((given.get("fund"), given.get("project")))
        amount += added_fen(world, terms, given)
    refuse_if(len(places) > 1, "gifts_of_several_funds")
    refuse_if(told.get("amount_fen") != amount, "matching_amount")
    fund, project = places.pop()
    open_project(world, project, fund)
    return [Move("CNY", amount, DONOR, fund_account(fund), tag=earmark(project))]


def added_fen(world: World, terms: Mapping[str, Any], given: Told) -> int:
    """What a matching rule adds to one gift, as far as it was not refunded."""
    rest = given.fields["amount_fen"] - refunded_fen(world, given.index)
    added: int = rest * terms["numerator"] // terms["denominator"]
    return min(added, terms.get("per_gift_fen_max") or added)


def refund(world: World, told: Told) -> list[Move]:
    """Exactly units of a gift or matching gift, its last ones first; points go with them."""
    index = told.fields["gift"]
    given = world.entry(index)
    refuse_if(given.kind not in ("donation.money", "donation.matched"), "not_a_gift")
    amount = told.get("amount_fen") or given.fields["amount_fen"]
    left = world.there(index)
    refuse_if(amount > len(left), "gift_units_spent")
    account = given.postings[0].target
    moves = [Move("CNY", amount, account, DONOR, units=left[len(left) - amount :])]
    rest = given.fields["amount_fen"] - refunded_fen(world, index) - amount
    for issue in world.alive("points.issued"):
        if issue.get("source") == index:
            moves += claw(world, issue, rest)
    return moves


def claw(world: World, issue: Told, rest_fen: int) -> list[Move]:
    """Unredeemed points that the rest of the gift would not have earned."""
    terms = issue_terms(world, issue)
    points = len(issue.moved[0])
    back = taken_back(world, issue.index)
    left = world.there(issue.index)
    amount = min(points - back - earned(terms, rest_fen), len(left))
    if amount <= 0:
        return []
    units = left[len(left) - amount :]
    return [Move("points", amount, left[0].account, "world:issuer", units=units)]


def issue_terms(world: World, issue: Told) -> Mapping[str, Any]:
    """The terms by which points were issued."""
    found = [
        one.fields["points_issue"]
        for one in versions(world, issue.fields["rule"])
        if one.get("version") == issue.get("rule_version")
    ]
    terms: Mapping[str, Any] = found[0]
    return terms


def taken_back(world: World, issue: int) -> int:
    """How many points of an issue refunds and reversals took back."""
    units = {id(unit) for unit in world.accounts.moved[issue, 0]}
    return sum(
        sum(id(unit) in units for unit in moved)
        for one in world.alive("donation.refunded", "points.reversed")
        for moved in one.moved
    )


def earned(terms: Mapping[str, Any], amount_fen: int) -> int:
    """Points for an amount: so many for each full part, or once for anything at all."""
    if terms.get("per_fen") is not None:
        points = max(amount_fen, 0) * terms["points"] // terms["per_fen"]
    else:
        points = terms["points"] if amount_fen > 0 else 0
    return int(min(points, terms.get("points_max") or points))


# Across


def allocated(world: World, told: Told) -> list[Move]:
    source, target = told.fields["from_fund"], told.fields["to_fund"]
    mine = set(the(world, "fund", source).get("purposes") or ())
    others = set(the(world, "fund", target).get("purposes") or ())
    refuse_if(mine and not (others and others <= mine), "purpose_not_of_fund")
    refuse_if(source == target and told.get("to_project") is None, "allocation_to_itself")
    open_project(world, told.get("to_project"), target)
    return [across(told, own_then_free(None))]


def across(told: Told, rank: Rank) -> Move:
    source, target = told.fields["from_fund"], told.fields["to_fund"]
    amount, tag = told.fields["amount_fen"], earmark(told.get("to_project"))
    return Move("CNY", amount, fund_account(source), fund_account(target), rank, tag=tag)


ACROSS = ("money.allocated", "purpose.changed", "leftover.assigned")


def fee(world: World, told: Told) -> list[Move]:
    source, target = told.fields["from_fund"], told.fields["to_fund"]
    found = the(world, "fund", source)
    the(world, "fund", target)
    refuse_if(source == target, "fee_to_itself")
    refuse_if(found.get("fee_clause") is None, "no_fee_clause")
    terms = terms_of(world, told, "fee_cap")
    cap = max(0, fee_base(world, source)) * terms["basis_points_max"] // 10_000
    charged = [one for one in world.alive("fee.charged") if one.get("from_fund") == source]
    before = sum(one.fields["amount_fen"] for one in charged)
    refuse_if(before + told.fields["amount_fen"] > cap, "fee_over_cap")
    open_project(world, told.get("from_project"), source)
    return [across(told, own_then_free(told.get("from_project")))]


def fee_base(world: World, fund: str) -> int:
    """What a fund raised and received, less what it gave back or passed on."""
    account, base = fund_account(fund), 0
    for one in world.alive("donation.money", "donation.matched", *ACROSS, "fee.charged"):
        for posting in one.postings:
            base += posting.amount if posting.target == account else 0
    for one in world.alive("donation.refunded", *ACROSS):
        for posting in one.postings:
            base -= posting.amount if posting.source == account else 0
    return base


def changed(world: World, told: Told) -> list[Move]:
    refuse_if(not told.documents, "consent_missing")
    filed = told.get("basis") != "filing" or told.get("filing_number") is not None
    refuse_if(not filed, "filing_number_missing")
    source = told.fields["from_fund"], told.get("from_project")
    target = told.fields["to_fund"], told.get("to_project")
    refuse_if(source == target, "allocation_to_itself")
    the(world, "fund", source[0])
    the(world, "fund", target[0])
    open_project(world, source[1], source[0])
    open_project(world, target[1], target[0])
    return [across(told, only(source[1]))]


def leftover(world: World, told: Told) -> list[Move]:
    project = told.fields["project"]
    found = the(world, "project", project)
    refuse_if(found.get("fund") != told.get("from_fund"), "project_of_other_fund")
    refuse_if(closing(world, project) is None, "project_not_closed")
    the(world, "fund", told.fields["to_fund"])
    open_project(world, told.get("to_project"), told.fields["to_fund"])
    return [across(told, only(project))]


# Out


def check_payment(world: World, told: Told) -> Rank:
    """Fund, purpose and project agree; which money may be taken."""
    fund, purpose = told.fields["fund"], told.fields["purpose"]
    purposes = the(world, "fund", fund).get("purposes")
    refuse_if(purposes and purpose not in purposes, "purpose_not_of_fund")
    project = told.get("project")
    open_project(world, project, fund)
    if project is not None:
        wanted = the(world, "project", project).get("purpose")
        refuse_if(wanted != purpose, "purpose_not_of_project")
    return own_then_free(project)


def payment(world: World, told: Told) -> list[Move]:
    rank = check_payment(world, told)
    if told.kind == "grant.paid":
        the(world, "party", told.fields["payee"])
    account = fund_account(told.fields["fund"])
    return [Move("CNY", told.fields["amount_fen"], account, "world:beneficiary", rank)]


def closed(world: World, told: Told) -> list[Move]:
    the(world, "project", told.fields["project"])
    refuse_if(closing(world, told.fields["project"]), "project_closed")
    return []


def reported(world: World, told: Told) -> list[Move]:
    begins, ends = told.get("period_from"), told.get("period_to")
    refuse_if(begins and ends and ends < begins, "period_reversed")
    the(world, "project", told.fields["project"])
    return []


RULES: dict[str, Rule] = {
    "donation.money": gift,
    "donation.matched": matched,
    "donation.refunded": refund,
    "money.allocated": allocated,
    "fee.charged": fee,
    "purpose.changed": changed,
    "leftover.assigned": leftover,
    "aid.paid": payment,
    "grant.paid": payment,
    "project.reported": reported,
    "project.closed": closed,
}
