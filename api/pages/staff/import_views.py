"""Imports as pages show them: one row of a list, the rows that are wrong, the first gifts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from api.imports.desk import Desk
from api.imports.job import Job, Status
from api.pages.format import format_instant
from api.pages.staff.sheet import Told, tell
from api.pages.staff.typed import Problem
from api.pages.texts import Translator, catalogue

ASKING: frozenset[Status] = frozenset(
    ("reading", "unread", "planned", "waiting", "recording", "stopped")
)
"""Somebody has to do something, or is about to see the result."""


@dataclass(frozen=True, slots=True)
class ImportRow:
    """One import in a list; nothing in it is personal."""

    number: int
    created_by: str
    instant: str
    created_at: str
    status: str
    tone: str
    gifts: int
    sum_fen: int
    recorded: int
    problems: int


@dataclass(frozen=True, slots=True)
class ProblemRow:
    """One thing that is wrong with one row of a file."""

    row: int
    column: str
    value: str
    told: Told


@dataclass(frozen=True, slots=True)
class NoticeRow:
    """Something odd: told, how often, and the first rows."""

    text: str
    detail: str
    count: int
    rows: str


def row_of(job: Job) -> ImportRow:
    """An import for a list."""
    summary = job.summary
    wrong = job.status in ("unread", "stopped") or (summary is not None and not summary.clean)
    return ImportRow(
        job.number,
        job.created_by,
        job.created_at,
        format_instant(job.created_at),
        job.status,
        "wrong" if wrong and job.status in ASKING else "",
        0 if summary is None else summary.gifts,
        0 if summary is None else summary.sum_fen,
        job.recorded,
        0 if summary is None else summary.problems,
    )


def asking(desk: Desk, most: int) -> list[ImportRow]:
    """The imports that wait for somebody, the newest first."""
    found: list[ImportRow] = []
    for job in desk.jobs():
        if job.status in ASKING:
            found.append(row_of(job))
            if len(found) == most:
                break
    return found


def problem_rows(details: Mapping[str, Any], translator: Translator) -> list[ProblemRow]:
    """The first rows that are wrong, in a person's words."""
    return [
        ProblemRow(
            row,
            column,
            value,
            tell(Problem("", code, f"{reason}; {remedy}"), None, translator),
        )
        for row, column, value, code, reason, remedy in details["problems"]
    ]


def notice_rows(details: Mapping[str, Any], translator: Translator) -> list[NoticeRow]:
    """What is odd about the list, for a person to judge."""
    return [
        _notice(code, message, count, rows, translator)
        for code, message, count, rows in details["notices"]
    ]


def _notice(
    code: str, message: str, count: int, rows: Iterable[int], translator: Translator
) -> NoticeRow:
    key = f"oddity.{code}"
    listed = ", ".join(map(str, rows))
    if translator.language == "en" or key not in catalogue():
        return NoticeRow(message, "", count, listed)
    return NoticeRow(translator.text(key), message, count, listed)
