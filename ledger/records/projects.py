"""A project's life: reports of its progress, and its close (domain, section 1)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ledger.entry import Entry
from ledger.records.kind import (
    APPROVERS,
    Code,
    Day,
    Draft,
    Fields,
    Kind,
    Name,
    Plan,
    Role,
    Text,
    reject,
)
from ledger.state import State, references_of


class ProjectReported(Fields):
    """What a project has reached, as it is disclosed 信息公开."""

    project: Code
    milestone: Name
    text: Text
    period_from: Day | None = None
    period_to: Day | None = None
    people_reached: Annotated[int, Field(ge=0, le=10**9)] | None = None
    activities: Annotated[int, Field(ge=0, le=10**6)] | None = None
    organisations: Annotated[int, Field(ge=0, le=10**6)] | None = None
    volunteers: Annotated[int, Field(ge=0, le=10**7)] | None = None


def _plan_reported(draft: Draft[ProjectReported], state: State) -> Plan:
    fields = draft.fields
    if fields.period_from and fields.period_to and fields.period_to < fields.period_from:
        reject(
            "period_reversed",
            f"fields.period_to: {fields.period_to} is before {fields.period_from}",
            field="fields.period_to",
        )
    project = state.find("project", fields.project, "fields.project")
    return Plan(references=references_of(project))


def _effects_reported(entry: Entry, state: State, sign: int) -> None:
    key = f"project-report/{entry.fields['project']}"
    before = state.get(key) or {"reports": 0, "people_reached": 0, "activities": 0}
    state.put(
        key,
        {
            "reports": before["reports"] + 1,
            "people_reached": before["people_reached"] + entry.fields.get("people_reached", 0),
            "activities": before["activities"] + entry.fields.get("activities", 0),
            "last_on": entry.occurred_on,
            "entry": entry.index,
        },
    )


PROJECT_REPORTED = Kind(
    name="project.reported",
    title_zh="项目进展公开",
    title_en="Project reported",
    moves="nothing",
    fields=ProjectReported,
    recorders=frozenset((Role.CLERK, Role.REGISTRAR)),
    plan=_plan_reported,
    effects=_effects_reported,
    example={
        "occurred_on": "2021-12-31",
        "fields": {
            "project": "student-aid-2021",
            "milestone": "年度总结",
            "text": "本年度助学款已全部发放。",
            "people_reached": 19,
        },
    },
)


class ProjectClosed(Fields):
    """The end of a project: no more gifts to it and payments for it."""

    project: Code
    summary: Text


def _plan_closed(draft: Draft[ProjectClosed], state: State) -> Plan:
    project = state.find("project", draft.fields.project, "fields.project")
    closed = state.get(f"project-closed/{draft.fields.project}")
    if closed is not None:
        reject(
            "project_closed",
            f"fields.project: {draft.fields.project} was closed by entry {closed['entry']}",
            field="fields.project",
            entry=closed["entry"],
        )
    return Plan(references=references_of(project))


def _effects_closed(entry: Entry, state: State, sign: int) -> None:
    closed = {"entry": entry.index, "closed_on": entry.occurred_on}
    state.put(f"project-closed/{entry.fields['project']}", closed)


PROJECT_CLOSED = Kind(
    name="project.closed",
    title_zh="项目结项",
    title_en="Project closed",
    moves="nothing",
    fields=ProjectClosed,
    recorders=frozenset((Role.REGISTRAR,)),
    approvers=APPROVERS,
    plan=_plan_closed,
    effects=_effects_closed,
    example={
        "occurred_on": "2021-12-31",
        "fields": {"project": "student-aid-2021", "summary": "款项全部发放，项目结项。"},
    },
)
