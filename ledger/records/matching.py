"""Matching gifts 配捐: a published rule adds to gifts, each of them once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from ledger.entry import Entry
from ledger.records.gifts import DONORS, find_project
from ledger.records.kind import (
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
    reject,
)
from ledger.records.rules import rule_in_force
from ledger.records.totals import add_money
from ledger.state import Move, State, references_of

GIFTS_MAX = 1000


class DonationMatched(Fields):
    """What a matching partner adds to gifts of one fund and project."""

    rule: Code
    rule_version: Annotated[int, Field(ge=1, le=10_000)]
    matcher: Code = Field(description="the party code of who adds")
    gifts: Annotated[list[Index], Field(min_length=1, max_length=GIFTS_MAX)]
    amount_fen: Fen = Field(description="what the rule gives for these gifts, exactly")
    channel: Code


class MatcherSealed(Sealed):
    """The transfer that brought it."""

    order_number: OrderNumber | None = None
    contact: Text | None = None
    account: Name | None = None


def _plan_matched(draft: Draft[DonationMatched], state: State) -> Plan:
    fields = draft.fields
    rule = rule_in_force(
        state,
        code=fields.rule,
        version=fields.rule_version,
        topic="matching",
        day=draft.occurred_on,
        where="fields.rule",
    )
    matcher = state.find("party", fields.matcher, "fields.matcher")
    if len(set(fields.gifts)) != len(fields.gifts):
        reject("gift_twice", "fields.gifts: expected each gift once", field="fields.gifts")
    terms = rule["matching"]
    places: set[tuple[str, str | None]] = set()
    amount = 0
    for number, gift in enumerate(fields.gifts):
        where = f"fields.gifts.{number}"
        given = _matchable(state, fields.rule, gift, terms, where)
        places.add((given.fields["fund"], given.fields.get("project")))
        refunded = (state.get(f"refunded/{gift}") or {"amount_fen": 0})["amount_fen"]
        amount += matched_fen(terms, given.fields["amount_fen"] - refunded)
    if len(places) != 1:
        reject(
            "gifts_of_several_funds",
            "fields.gifts: expected gifts of one fund and one project; match each apart",
            field="fields.gifts",
        )
    if fields.amount_fen != amount:
        reject(
            "matching_amount",
            f"fields.amount_fen: the rule {fields.rule} gives {amount} fen for these gifts, "
            f"not {fields.amount_fen}",
            field="fields.amount_fen",
            expected=amount,
        )
    fund, project = places.pop()
    find_project(state, project, fund)
    move = Move("CNY", amount, DONORS, f"fund:{fund}", label=project or "")
    return Plan((move,), references_of(rule, matcher, fields.gifts))


def matched_fen(terms: Mapping[str, Any], amount_fen: int) -> int:
    """What a rule adds to an amount of money, by its terms; the rest of a division is nothing."""
    added: int = amount_fen * terms["numerator"] // terms["denominator"]
    return min(added, int(terms.get("per_gift_fen_max", added)))


def _matchable(state: State, rule: str, gift: int, terms: Any, where: str) -> Entry:
    entry = state.entry(gift, where)
    matched = state.get(f"matched/{rule}/{gift}")
    if entry.kind != "donation.money":
        reject("not_a_gift", f"{where}: entry {gift} is {entry.kind}, no gift", field=where)
    if matched is not None:
        reject(
            "gift_matched",
            f"{where}: entry {matched['entry']} already matched gift {gift} by the rule {rule}",
            field=where,
            entry=matched["entry"],
        )
    if state.get(f"reversed/{gift}") is not None:
        reject("gift_reversed", f"{where}: gift {gift} was reversed", field=where)
    if "campaign" in terms and entry.fields.get("campaign") != terms["campaign"]:
        reject(
            "gift_of_other_campaign",
            f"{where}: the rule {rule} matches gifts of {terms['campaign']} only",
            field=where,
        )
    return entry


def _effects_matched(entry: Entry, state: State, sign: int) -> None:
    fields = entry.fields
    first = state.entry(fields["gifts"][0], "fields.gifts").fields
    amounts = {"gifts": sign, "raised_fen": sign * fields["amount_fen"]}
    add_money(state, first["fund"], first.get("project"), **amounts)
    for gift in fields["gifts"]:
        claim = {"entry": entry.index} if sign > 0 else None
        state.put(f"matched/{fields['rule']}/{gift}", claim)
        key = f"matchings-of/{gift}"
        entries = (state.get(key) or {"entries": []})["entries"]
        entries = [one for one in entries if one != entry.index] + [entry.index] * (sign > 0)
        state.put(key, {"entries": entries} if entries else None)


DONATION_MATCHED = Kind(
    name="donation.matched",
    title_zh="配捐",
    title_en="Matching gift",
    moves="CNY world:donor → fund",
    fields=DonationMatched,
    sealed=MatcherSealed,
    recorders=frozenset((Role.CLERK,)),
    unique=("order_number",),
    plan=_plan_matched,
    effects=_effects_matched,
    example={
        "occurred_on": "2021-10-10",
        "fields": {
            "rule": "match-one-to-one",
            "rule_version": 1,
            "matcher": "supplier-goods",
            "gifts": [16],
            "amount_fen": 10_000,
            "channel": "bank",
        },
    },
)
