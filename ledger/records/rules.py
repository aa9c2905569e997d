"""Rules as dated entries: published on the ledger, in force from a day (domain, section 4).

A decision names the rule and the version that it used; the version must be the one in
force on the day it happened. A new version never changes what an older one decided.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from ledger.entry import Entry
from ledger.records.kind import Code, Day, Draft, Fields, Kind, Name, Plan, Role, Text, reject
from ledger.state import State, references_of

PointsSource = Literal["donation.money", "donation.goods", "service.confirmed"]
BASIS_POINTS = 10_000
YEARLY_PATTERN = (
    r"^(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])$|^(0[13-9]|1[0-2])-(29|30)$|^(0[13578]|1[02])-31$"
)
"""A month and day that every year has."""


class PointsIssue(Fields):
    """How many points an entry earns: `points` for each `per_fen` of money, or once.

    The rest of a division earns nothing.
    """

    sources: Annotated[list[PointsSource], Field(min_length=1, max_length=8)]
    points: Annotated[int, Field(ge=1, le=1_000_000)]
    per_fen: Annotated[int, Field(ge=1, le=10**9)] | None = Field(
        None, description="absent: the points are earned once, whatever the amount"
    )
    points_max: Annotated[int, Field(ge=1, le=10**9)] | None = None
    wait_days: Annotated[int, Field(ge=0, le=3650)] = 0
    valid_days: Annotated[int, Field(ge=1, le=36500)] | None = None


class PointsPrice(Fields):
    """What one base unit of an item costs in points at a charity supermarket."""

    item: Code
    points_per_unit: Annotated[int, Field(ge=1, le=10**9)]


class FeeCap(Fields):
    """The most that fees may take of what a fund raised: management fee 管理费用."""

    basis_points_max: Annotated[int, Field(ge=0, le=BASIS_POINTS)] = Field(
        description="1000 is 10 percent of what the fund raised and received"
    )


class Matching(Fields):
    """How much is added to a gift: 配捐."""

    numerator: Annotated[int, Field(ge=1, le=1000)]
    denominator: Annotated[int, Field(ge=1, le=1000)]
    per_gift_fen_max: Annotated[int, Field(ge=1, le=10**13)] | None = None
    campaign: Code | None = Field(None, description="only gifts of this campaign")


class ShelfLife(Fields):
    """The least shelf life that goods must have left when they come in."""

    days_min: Annotated[int, Field(ge=1, le=3650)]
    items: Annotated[list[Code], Field(max_length=200)] = Field(
        default_factory=list, description="empty: every item with a best-before date"
    )


class TimeBank(Fields):
    """The most service minutes that count for one person on one day."""

    minutes_per_day_max: Annotated[int, Field(ge=1, le=1440)]


class Disclosure(Fields):
    """A deadline of information disclosure 信息公开; overdue ones ask for attention."""

    subject: Literal[
        "project_progress",
        "campaign_progress",
        "emergency_use",
        "leftover_handling",
        "annual_report",
        "major_change",
    ]
    longer_than_days: Annotated[int, Field(ge=1, le=3660)] | None = Field(
        None, description="only projects and campaigns that last longer; one without end does"
    )
    every_days: Annotated[int, Field(ge=1, le=3660)] | None = None
    within_days: Annotated[int, Field(ge=1, le=3660)] | None = None
    by_day: Annotated[str, Field(pattern=YEARLY_PATTERN)] | None = Field(
        None, description="month and day of each year, like 05-31"
    )
    amount_fen_min: Annotated[int, Field(ge=1, le=10**13)] | None = Field(
        None, description="major_change only: what moves so much money between funds or out"
    )

    def deadlines(self) -> tuple[object, ...]:
        """The three ways to say when it falls due; a rule has one of them."""
        return self.every_days, self.within_days, self.by_day


class Ageing(Fields):
    """After how many days something asks for attention."""

    subject: Literal[
        "unspent_restricted",
        "in_transit",
        "short_dated",
        "points_expiring",
        "service_recorded_late",
    ]
    days: Annotated[int, Field(ge=1, le=3660)]


class Pattern(Fields):
    """How many alike things of one person are shown together for a look."""

    subject: Literal["refunds_of_holder"]
    count_min: Annotated[int, Field(ge=2, le=1000)]


class Statistics(Fields):
    """Public statistics: a group of fewer persons than this is not shown."""

    group_min: Annotated[int, Field(ge=3, le=1000)]


PARTS: tuple[str, ...] = (
    "points_issue",
    "points_price",
    "fee_cap",
    "matching",
    "shelf_life",
    "time_bank",
    "disclosure",
    "ageing",
    "pattern",
    "statistics",
)
"""The topics; each is also the name of the field that holds its parameters."""


class RulePublished(Fields):
    """One version of a rule; exactly the part of its topic is given."""

    code: Code
    version: Annotated[int, Field(ge=1, le=10_000)] = Field(
        description="1, then one more each time"
    )
    name: Name
    text: Text = Field(description="the rule as people read it")
    in_force_from: Day
    topic: Literal[
        "points_issue",
        "points_price",
        "fee_cap",
        "matching",
        "shelf_life",
        "time_bank",
        "disclosure",
        "ageing",
        "pattern",
        "statistics",
    ]
    points_issue: PointsIssue | None = None
    points_price: PointsPrice | None = None
    fee_cap: FeeCap | None = None
    matching: Matching | None = None
    shelf_life: ShelfLife | None = None
    time_bank: TimeBank | None = None
    disclosure: Disclosure | None = None
    ageing: Ageing | None = None
    pattern: Pattern | None = None
    statistics: Statistics | None = None


def _plan_rule(draft: Draft[RulePublished], state: State) -> Plan:
    fields = draft.fields
    versions = (state.get(f"rule/{fields.code}") or {"versions": []})["versions"]
    if fields.version != len(versions) + 1:
        reject(
            "version_not_next",
            f"fields.version: the next version of {fields.code} is {len(versions) + 1}, "
            f"got {fields.version}",
            field="fields.version",
        )
    if versions and versions[-1]["topic"] != fields.topic:
        reject(
            "topic_changed",
            f"fields.topic: the rule {fields.code} is about {versions[-1]['topic']}; "
            "another topic needs another code",
            field="fields.topic",
        )
    if versions and fields.in_force_from <= versions[-1]["in_force_from"]:
        reject(
            "not_after_last_version",
            f"fields.in_force_from: the last version is in force from "
            f"{versions[-1]['in_force_from']}; a new one starts later",
            field="fields.in_force_from",
        )
    if [part for part in PARTS if getattr(fields, part) is not None] != [fields.topic]:
        reject(
            "parameters_mismatch",
            f"fields.{fields.topic}: expected the parameters of the topic and of no other",
            field=f"fields.{fields.topic}",
        )
    about = [versions[-1]] if versions else []
    return Plan(references=references_of(*about, *_check_terms(fields, state)))


def _check_terms(fields: RulePublished, state: State) -> list[Any]:
    """What the parameters name must be there, and a deadline must be one; the things named."""
    about: list[Any] = []
    if fields.points_price is not None:
        about.append(state.find("item", fields.points_price.item, "fields.points_price.item"))
    if fields.shelf_life is not None:
        for number, item in enumerate(fields.shelf_life.items):
            about.append(state.find("item", item, f"fields.shelf_life.items.{number}"))
    if fields.matching is not None and fields.matching.campaign is not None:
        where = "fields.matching.campaign"
        about.append(state.find("campaign", fields.matching.campaign, where))
    due = fields.disclosure
    if due is not None and sum(one is not None for one in due.deadlines()) != 1:
        reject(
            "one_deadline",
            "fields.disclosure: expected exactly one of every_days, within_days and by_day",
            field="fields.disclosure",
        )
    if due is not None and due.amount_fen_min is not None and due.subject != "major_change":
        reject(
            "amount_without_change",
            f"fields.disclosure.amount_fen_min: it says which change is a major one; {due.subject} "
            "has no such amount",
            field="fields.disclosure.amount_fen_min",
        )
    return about


def _effects_rule(entry: Entry, state: State, sign: int) -> None:
    code, topic = entry.fields["code"], entry.fields["topic"]
    key = f"rule/{code}"
    versions = (state.get(key) or {"versions": []})["versions"]
    state.put(key, {"versions": [*versions, {**entry.fields, "entry": entry.index}]})
    codes = (state.get(f"topic/{topic}") or {"rules": []})["rules"]
    if code not in codes:
        state.put(f"topic/{topic}", {"rules": [*codes, code]})


def rule_in_force(
    state: State, *, code: str, version: int, topic: str, day: str, where: str
) -> Any:
    """The version of a rule that a record names.

    Args:
        day: When what the record tells happened, like 2021-09-09.
        where: The field that names the rule, for the message.

    Raises:
        RejectedError: no such rule, another topic, or a version that is not the one
            in force on that day.
    """
    rule = state.find("rule", code, where)
    valid = [one for one in rule["versions"] if one["in_force_from"] <= day]
    if not valid or valid[-1]["version"] != version or valid[-1]["topic"] != topic:
        now = f"version {valid[-1]['version']} ({valid[-1]['topic']})" if valid else "no version"
        reject(
            "rule_not_in_force",
            f"{where}: on {day} {now} of the rule {code} was in force, "
            f"not version {version} ({topic})",
            field=where,
        )
    return valid[-1]


def rules_of_topic(state: State, topic: str, day: str) -> list[Any]:
    """The version in force on a day of every rule of a topic, by code.

    A record that such a rule decides refers to the rule's entry, which names the rule
    and its version.
    """
    codes = (state.get(f"topic/{topic}") or {"rules": []})["rules"]
    found: list[Any] = []
    for code in sorted(codes):
        versions = state.get(f"rule/{code}")["versions"]
        valid = [one for one in versions if one["in_force_from"] <= day]
        found += valid[-1:]
    return found


RULE_PUBLISHED = Kind(
    name="rule.published",
    title_zh="发布规则",
    title_en="Rule published",
    moves="nothing",
    fields=RulePublished,
    recorders=frozenset((Role.REGISTRAR,)),
    plan=_plan_rule,
    effects=_effects_rule,
    example={
        "occurred_on": "2021-10-08",
        "fields": {
            "code": "points-for-goods",
            "version": 1,
            "name": "捐物积分",
            "text": "每次捐赠物资积 50 分。",
            "in_force_from": "2021-11-01",
            "topic": "points_issue",
            "points_issue": {"sources": ["donation.goods"], "points": 50},
        },
    },
)
