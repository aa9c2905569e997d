"""The time bank 时间银行: service minutes earned by helping, spent on being helped.

Service counts only when somebody else confirms it; one person's hours never overlap, and
a dated rule limits a day (domain, section 1, "time bank").
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from ledger.entry import Entry
from ledger.records.kind import (
    Code,
    Draft,
    Fields,
    Index,
    Kind,
    Name,
    Plan,
    Role,
    Sealed,
    Text,
    reject,
)
from ledger.records.rules import rules_of_topic
from ledger.records.totals import add_service
from ledger.state import Move, State, references_of

CLOCK_PATTERN = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"
UNTIL_PATTERN = r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"
Clock = Annotated[str, Field(pattern=CLOCK_PATTERN, description="a time of the day, like 09:30")]
Until = Annotated[
    str,
    Field(pattern=UNTIL_PATTERN, description="like 11:30; 24:00 where it went on until midnight"),
]


def _minutes(clock: str) -> int:
    hours, _, minutes = clock.partition(":")
    return int(hours) * 60 + int(minutes)


class ServiceRecorded(Fields):
    """Hours that a volunteer served on one day; they count when confirmed."""

    volunteer: Code
    organiser: Code
    activity: Name
    place: Name | None = None
    starts_at: Clock
    ends_at: Until


class VolunteerSealed(Sealed):
    """Who served, and whom."""

    volunteer_name: Name | None = None
    person_helped: Name | None = None


def _plan_served(draft: Draft[ServiceRecorded], state: State) -> Plan:
    fields = draft.fields
    volunteer = state.find("party", fields.volunteer, "fields.volunteer")
    organiser = state.find("party", fields.organiser, "fields.organiser")
    start, end = _minutes(fields.starts_at), _minutes(fields.ends_at)
    if end <= start:
        reject(
            "service_ends_first",
            f"fields.ends_at: {fields.ends_at} is not after {fields.starts_at}; "
            "service over midnight is two records, until 24:00 and from 00:00",
            field="fields.ends_at",
        )
    served = _served(state, fields.volunteer, draft.occurred_on)
    for other_start, other_end, entry in served:
        if start < other_end and other_start < end:
            reject(
                "service_overlaps",
                f"fields.starts_at: entry {entry} has {fields.volunteer} serving at that time "
                f"on {draft.occurred_on} already",
                field="fields.starts_at",
                entry=entry,
            )
    about: list[Any] = [volunteer, organiser]
    total = end - start + sum(one[1] - one[0] for one in served)
    for rule in rules_of_topic(state, "time_bank", draft.occurred_on):
        limit = rule["time_bank"]["minutes_per_day_max"]
        if total > limit:
            reject(
                "service_over_daily_limit",
                f"fields.ends_at: {total} minutes on {draft.occurred_on}; the rule "
                f"{rule['code']} version {rule['version']} counts {limit} a day",
                field="fields.ends_at",
                rule=rule["code"],
                version=rule["version"],
            )
        about.append(rule)
    return Plan(references=references_of(*about))


def _served(state: State, volunteer: str, day: str) -> list[list[int]]:
    return list((state.get(f"served/{volunteer}/{day}") or {"times": []})["times"])


def _effects_served(entry: Entry, state: State, sign: int) -> None:
    fields = entry.fields
    before = _served(state, fields["volunteer"], entry.occurred_on)
    times = [one for one in before if one[2] != entry.index]
    if sign > 0:
        times.append([_minutes(fields["starts_at"]), _minutes(fields["ends_at"]), entry.index])
    key = f"served/{fields['volunteer']}/{entry.occurred_on}"
    state.put(key, {"times": times} if times else None)


SERVICE_RECORDED = Kind(
    name="service.recorded",
    title_zh="登记服务时长",
    title_en="Service recorded",
    moves="nothing until it is confirmed",
    fields=ServiceRecorded,
    sealed=VolunteerSealed,
    recorders=frozenset((Role.CLERK, Role.SHOP)),
    plan=_plan_served,
    effects=_effects_served,
    example={
        "occurred_on": "2021-10-09",
        "fields": {
            "volunteer": "holder-0001",
            "organiser": "community-centre",
            "activity": "助残陪伴",
            "starts_at": "09:00",
            "ends_at": "11:30",
        },
    },
)


class ServiceConfirmed(Fields):
    """The other side's word that the service was done: the organiser's, or who was helped."""

    service: Index
    confirmed_by: Code = Field(description="the party code of the organiser or the one helped")


def _plan_confirmed(draft: Draft[ServiceConfirmed], state: State) -> Plan:
    fields = draft.fields
    service = state.entry(fields.service, "fields.service")
    if service.kind != "service.recorded":
        reject(
            "not_a_service",
            f"fields.service: entry {fields.service} is {service.kind}, not service.recorded",
            field="fields.service",
        )
    undone = state.get(f"reversed/{fields.service}")
    if undone is not None:
        reject(
            "service_reversed",
            f"fields.service: entry {undone['entry']} reversed entry {fields.service}; record the "
            "service as it was, then confirm that",
            field="fields.service",
            entry=undone["entry"],
        )
    confirmed = state.get(f"confirmed/{fields.service}")
    if confirmed is not None:
        reject(
            "service_confirmed",
            f"fields.service: entry {confirmed['entry']} confirmed entry {fields.service}",
            field="fields.service",
            entry=confirmed["entry"],
        )
    party = state.find("party", fields.confirmed_by, "fields.confirmed_by")
    if fields.confirmed_by == service.fields["volunteer"]:
        reject(
            "confirmed_by_volunteer",
            "fields.confirmed_by: nobody confirms their own service",
            field="fields.confirmed_by",
        )
    if party["party_class"] != "person" and fields.confirmed_by != service.fields["organiser"]:
        reject(
            "confirmed_by_stranger",
            f"fields.confirmed_by: expected the organiser {service.fields['organiser']} or the "
            f"person who was helped, {fields.confirmed_by} is neither",
            field="fields.confirmed_by",
        )
    if draft.occurred_on < service.occurred_on:
        reject(
            "confirmed_before_service",
            f"occurred_on: the service was on {service.occurred_on}, after {draft.occurred_on}",
            field="occurred_on",
        )
    if draft.recorded_by == service.recorded_by:
        reject(
            "confirmed_by_recorder",
            f"{draft.recorded_by} recorded this service; another person records its confirmation",
        )
    amount = _minutes(service.fields["ends_at"]) - _minutes(service.fields["starts_at"])
    account = f"minutes:{service.fields['volunteer']}"
    move = Move("minutes", amount, "world:service", account, label="")
    return Plan((move,), references_of([fields.service], party))


def _effects_confirmed(entry: Entry, state: State, sign: int) -> None:
    claim = {"entry": entry.index} if sign > 0 else None
    state.put(f"confirmed/{entry.fields['service']}", claim)
    minutes = sign * entry.postings[0]["amount"]
    state.add("time-total", confirmed_minutes=minutes, services=sign)
    served = state.entry(entry.fields["service"], "fields.service").fields
    add_service(state, served["organiser"], served["volunteer"], minutes, sign)


SERVICE_CONFIRMED = Kind(
    name="service.confirmed",
    title_zh="确认服务时长",
    title_en="Service confirmed",
    moves="minutes world:service → minutes:holder",
    fields=ServiceConfirmed,
    recorders=frozenset((Role.CLERK, Role.SHOP, Role.REGISTRAR)),
    plan=_plan_confirmed,
    effects=_effects_confirmed,
    example={
        "occurred_on": "2021-10-10",
        "fields": {"service": 11, "confirmed_by": "community-centre"},
    },
)


class HoursSpent(Fields):
    """Minutes that a person, who once helped, is now helped for."""

    holder: Code
    minutes: Annotated[int, Field(ge=1, le=100_000)]
    activity: Name
    reason: Text | None = None


class HelpedSealed(Sealed):
    """Who was helped."""

    person_helped: Name | None = None


def _plan_spent(draft: Draft[HoursSpent], state: State) -> Plan:
    fields = draft.fields
    holder = state.find("party", fields.holder, "fields.holder")
    move = Move("minutes", fields.minutes, f"minutes:{fields.holder}", "world:helped")
    return Plan((move,), references_of(holder))


def _effects_spent(entry: Entry, state: State, sign: int) -> None:
    state.add("time-total", spent_minutes=sign * entry.fields["minutes"])


HOURS_SPENT = Kind(
    name="hours.spent",
    title_zh="兑换服务时长",
    title_en="Hours spent",
    moves="minutes minutes:holder → world:helped",
    fields=HoursSpent,
    sealed=HelpedSealed,
    recorders=frozenset((Role.CLERK, Role.SHOP)),
    plan=_plan_spent,
    effects=_effects_spent,
    example={
        "occurred_on": "2021-12-31",
        "fields": {"holder": "volunteer-0001", "minutes": 30, "activity": "上门陪诊"},
    },
)
