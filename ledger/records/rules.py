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

PointsSource = Literal["donation.money", "donation.goods"]


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


class RulePublished(Fields):
    """One version of a rule; exactly the part of its topic is given."""

    code: Code
    version: Annotated[int, Field(ge=1, le=10_000)] = Field(
        description="1, then one more each time"
    )
    name: Name
    text: Text = Field(description="the rule as people read it")
    in_force_from: Day
    topic: Literal["points_issue", "points_price"]
    points_issue: PointsIssue | None = None
    points_price: PointsPrice | None = None


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
    given = {"points_issue": fields.points_issue, "points_price": fields.points_price}
    if [topic for topic, part in given.items() if part is not None] != [fields.topic]:
        reject(
            "parameters_mismatch",
            f"fields.{fields.topic}: expected the parameters of the topic and of no other",
            field=f"fields.{fields.topic}",
        )
    about = [versions[-1]] if versions else []
    if fields.points_price is not None:
        about.append(state.find("item", fields.points_price.item, "fields.points_price.item"))
    return Plan(references=references_of(*about))


def _effects_rule(entry: Entry, state: State, sign: int) -> None:
    key = f"rule/{entry.fields['code']}"
    versions = (state.get(key) or {"versions": []})["versions"]
    state.put(key, {"versions": [*versions, {**entry.fields, "entry": entry.index}]})


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
