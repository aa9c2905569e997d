"""Welfare points 公益积分: issued by a rule, redeemed for goods (domain, section 1).

Points are not money and not transferable. They are issued once per source and rule,
may be used after the rule's waiting time, and those that expire first leave first:
a holder's units carry ``<expires on>/<usable from>`` as their label.
"""

from __future__ import annotations

import datetime
from typing import Annotated

from pydantic import Field

from ledger.entry import Entry
from ledger.errors import InsufficientError
from ledger.records.gifts import points_earned
from ledger.records.goods import NEVER, base_quantity, first_expired, note_expired
from ledger.records.kind import (
    APPROVERS,
    Code,
    Draft,
    Fields,
    Index,
    Kind,
    Name,
    Plan,
    Quantity,
    Role,
    Sealed,
    Text,
    reject,
)
from ledger.records.lineage import remaining
from ledger.records.rules import rule_in_force
from ledger.records.totals import add_taken_back
from ledger.state import Move, State, references_of
from ledger.units import Rank, total

RuleVersion = Annotated[int, Field(ge=1, le=10_000)]


class PointsIssued(Fields):
    """Points for what an earlier entry records, by the rule in force that day.

    How many is the rule's business and stands in the entry's posting.
    """

    holder: Code = Field(description="the party code of who gets them")
    rule: Code
    rule_version: RuleVersion
    source: Index


class HolderSealed(Sealed):
    """Who holds the points."""

    holder_name: Name | None = None


def _plan_issued(draft: Draft[PointsIssued], state: State) -> Plan:
    fields = draft.fields
    holder = state.find("party", fields.holder, "fields.holder")
    rule = rule_in_force(
        state,
        code=fields.rule,
        version=fields.rule_version,
        topic="points_issue",
        day=draft.occurred_on,
        where="fields.rule",
    )
    source = state.entry(fields.source, "fields.source")
    terms = rule["points_issue"]
    if source.kind not in terms["sources"]:
        reject(
            "source_not_of_rule",
            f"fields.source: entry {fields.source} is {source.kind}; the rule {fields.rule} "
            f"gives points for {', '.join(terms['sources'])}",
            field="fields.source",
        )
    if source.occurred_on > draft.occurred_on:
        reject(
            "source_is_later",
            f"occurred_on: the source happened on {source.occurred_on}, after {draft.occurred_on}",
            field="occurred_on",
        )
    claimed = state.get(f"issued/{fields.rule}/{fields.source}")
    if claimed is not None:
        reject(
            "source_used",
            f"fields.source: entry {claimed['entry']} already gave points by the rule "
            f"{fields.rule} for entry {fields.source}; a source counts once",
            field="fields.source",
            entry=claimed["entry"],
        )
    if state.get(f"reversed/{fields.source}") is not None:
        reject(
            "source_reversed",
            f"fields.source: entry {fields.source} was reversed and earns nothing",
            field="fields.source",
        )
    refunded = (state.get(f"refunded/{fields.source}") or {"amount_fen": 0})["amount_fen"]
    # A source that is no money earns once: any amount over nothing stands for it.
    points = points_earned(terms, source.fields.get("amount_fen", 1) - refunded)
    if points < 1:
        reject(
            "no_points",
            f"fields.source: entry {fields.source} earns no point by the rule {fields.rule}",
            field="fields.source",
        )
    move = Move(
        "points",
        points,
        "world:issuer",
        f"points:{fields.holder}",
        label=_label(draft.occurred_on, terms.get("wait_days", 0), terms.get("valid_days")),
    )
    return Plan((move,), references_of(holder, rule, [fields.source]))


def _label(day: str, wait_days: int, valid_days: int | None) -> str:
    issued = datetime.date.fromisoformat(day)
    usable = issued + datetime.timedelta(days=wait_days)
    expires = None
    if valid_days is not None:
        expires = (usable + datetime.timedelta(days=valid_days)).isoformat()
    return expiry_label(usable.isoformat(), expires)


def expiry_label(usable: str, expires: str | None) -> str:
    """The label of points that may be used from one day to another; None: for ever."""
    return f"{expires or NEVER}/{usable}"


def usable_on(day: str) -> Rank:
    """Points that may be used on a day; those that expire first leave first."""

    def rank(label: str) -> tuple[str, ...] | None:
        expires, _, usable = label.partition("/")
        return (expires,) if usable <= day <= expires else None

    return rank


def _effects_issued(entry: Entry, state: State, sign: int) -> None:
    fields = entry.fields
    key = f"issued/{fields['rule']}/{fields['source']}"
    state.put(key, {"entry": entry.index} if sign > 0 else None)
    issues = (state.get(f"points-of/{fields['source']}") or {"issues": []})["issues"]
    issues = [*issues, entry.index] if sign > 0 else [i for i in issues if i != entry.index]
    state.put(f"points-of/{fields['source']}", {"issues": issues} if issues else None)
    state.add(f"points-total/{fields['rule']}", issued=sign * entry.postings[0]["amount"])


POINTS_ISSUED = Kind(
    name="points.issued",
    title_zh="发放积分",
    title_en="Points issued",
    moves="points world:issuer → points:holder",
    fields=PointsIssued,
    sealed=HolderSealed,
    recorders=frozenset((Role.CLERK, Role.SHOP)),
    plan=_plan_issued,
    effects=_effects_issued,
    example={
        "occurred_on": "2021-10-10",
        "fields": {
            "holder": "holder-0001",
            "rule": "points-for-money",
            "rule_version": 1,
            "source": 5,
        },
    },
)


class PointsRedeemed(Fields):
    """Points given for goods of a charity supermarket, at the published price."""

    holder: Code
    shop: Code
    item: Code
    quantity: Quantity
    unit: Name | None = None
    points: Annotated[int, Field(ge=1, le=10**12)]
    price_rule: Code
    price_rule_version: RuleVersion


def _plan_redeemed(draft: Draft[PointsRedeemed], state: State) -> Plan:
    fields = draft.fields
    holder = state.find("party", fields.holder, "fields.holder")
    shop = state.find("site", fields.shop, "fields.shop")
    if shop["site_class"] != "charity_supermarket":
        reject(
            "not_a_shop",
            f"fields.shop: {fields.shop} is a {shop['site_class']}, not a charity supermarket",
            field="fields.shop",
        )
    item, quantity = base_quantity(state, fields.item, fields.quantity, fields.unit, "fields")
    rule = rule_in_force(
        state,
        code=fields.price_rule,
        version=fields.price_rule_version,
        topic="points_price",
        day=draft.occurred_on,
        where="fields.price_rule",
    )
    price = rule["points_price"]
    cost = price["points_per_unit"] * quantity
    if price["item"] != fields.item or fields.points != cost:
        reject(
            "price_mismatch",
            f"fields.points: by the rule {fields.price_rule} one {price['item']} costs "
            f"{price['points_per_unit']} points; {quantity} {fields.item} for {fields.points} "
            "does not agree",
            field="fields.points",
        )
    account = f"points:{fields.holder}"
    holdings = state.holdings("points", account)
    usable = holdings.balance(usable_on(draft.occurred_on))
    if usable < cost:
        raise InsufficientError(
            f"fields.points: {fields.holder} can use {usable} points on {draft.occurred_on} "
            f"(of {holdings.balance()} held, the others wait or have expired), "
            f"{cost} are needed",
            field="fields.points",
            details={"available": usable, "held": holdings.balance(), "asked": cost},
        )
    moves = (
        Move("points", cost, account, "world:redeemed", rank=usable_on(draft.occurred_on)),
        Move(
            f"item:{fields.item}",
            quantity,
            f"stock:{fields.shop}",
            "world:beneficiary",
            rank=first_expired(),
        ),
    )
    return Plan(moves, references_of(holder, shop, item, rule))


def _effects_redeemed(entry: Entry, state: State, sign: int) -> None:
    points, goods = entry.postings
    note_expired(entry, state, sign, goods)
    item_total = f"item-total/{entry.fields['item']}"
    state.add(item_total, redeemed=sign * goods["amount"])
    shop_total = f"site-total/{entry.fields['shop']}"
    state.add(shop_total, redemptions=sign, points_redeemed=sign * points["amount"])


POINTS_REDEEMED = Kind(
    name="points.redeemed",
    title_zh="积分兑换",
    title_en="Points redeemed",
    moves="points points:holder → world:redeemed; item stock → world:beneficiary",
    fields=PointsRedeemed,
    sealed=HolderSealed,
    recorders=frozenset((Role.SHOP,)),
    plan=_plan_redeemed,
    effects=_effects_redeemed,
    example={
        "occurred_on": "2021-10-10",
        "fields": {
            "holder": "holder-0001",
            "shop": "shop-1",
            "item": "rice",
            "quantity": 1,
            "points": 60,
            "price_rule": "price-rice",
            "price_rule_version": 1,
        },
    },
)


class PointsExpired(Fields):
    """All points of a holder that expired before the day it happened."""

    holder: Code


def expired_on(day: str) -> Rank:
    """Points whose last day is over, the earliest first."""

    def rank(label: str) -> tuple[str, ...] | None:
        expires = label.partition("/")[0]
        return (expires,) if expires < day else None

    return rank


def _plan_expired(draft: Draft[PointsExpired], state: State) -> Plan:
    holder = state.find("party", draft.fields.holder, "fields.holder")
    account = f"points:{draft.fields.holder}"
    rank = expired_on(draft.occurred_on)
    amount = state.holdings("points", account).balance(rank)
    if amount == 0:
        reject(
            "nothing_expired",
            f"fields.holder: no points of {draft.fields.holder} expired before {draft.occurred_on}",
            field="fields.holder",
        )
    return Plan(
        (Move("points", amount, account, "world:expired", rank=rank),), references_of(holder)
    )


def _effects_expired(entry: Entry, state: State, sign: int) -> None:
    state.add("points-total", expired=sign * entry.postings[0]["amount"])


POINTS_EXPIRED = Kind(
    name="points.expired",
    title_zh="积分过期",
    title_en="Points expired",
    moves="points points:holder → world:expired",
    fields=PointsExpired,
    recorders=frozenset((Role.CLERK, Role.SHOP)),
    plan=_plan_expired,
    effects=_effects_expired,
    example={"occurred_on": "2022-03-01", "fields": {"holder": "holder-0005"}},
)


class PointsReversed(Fields):
    """What is left of points that should not have been issued, taken back."""

    issue: Index
    reason: Text


def _plan_points_reversed(draft: Draft[PointsReversed], state: State) -> Plan:
    number = draft.fields.issue
    issue = state.entry(number, "fields.issue")
    if issue.kind != "points.issued":
        reject(
            "not_an_issue",
            f"fields.issue: entry {number} is {issue.kind}, not points.issued",
            field="fields.issue",
        )
    flows = state.entry_flows(number)
    left, gone = remaining(state, flows)
    if not left:
        reject(
            "no_points_left",
            f"fields.issue: all points of entry {number} were redeemed, expired or taken back",
            field="fields.issue",
            entries=state.uses("points", flows[0].target, gone),
        )
    move = Move("points", total(left), flows[0].target, "world:issuer", exact=left)
    return Plan((move,), (number,))


def _effects_points_reversed(entry: Entry, state: State, sign: int) -> None:
    amount = sign * entry.postings[0]["amount"]
    add_taken_back(state, entry.fields["issue"], amount)
    state.add("points-total", reversed=amount)


POINTS_REVERSED = Kind(
    name="points.reversed",
    title_zh="积分冲回",
    title_en="Points reversed",
    moves="points points:holder → world:issuer",
    fields=PointsReversed,
    recorders=frozenset((Role.CLERK,)),
    approvers=APPROVERS,
    plan=_plan_points_reversed,
    effects=_effects_points_reversed,
    example={
        "occurred_on": "2021-10-10",
        "fields": {"issue": 10, "reason": "活动取消，冲回未使用积分"},
    },
)
