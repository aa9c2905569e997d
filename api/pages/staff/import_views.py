"""Imports as pages show them: one row of a list, the rows that are wrong, the first gifts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from api.auth import Person
from api.imports.desk import Desk
from api.imports.job import Job, Status
from api.imports.undo import EXPIRING, UNDO_OPEN, Undo
from api.pages.format import format_instant
from api.pages.staff.sheet import Told, tell
from api.pages.staff.typed import Problem
from api.pages.texts import Translator, catalogue
from ledger.flows import REVERSAL
from ledger.records.catalog import KIND_BY_NAME
from ledger.records.kind import APPROVERS

ASKING: frozenset[Status] = frozenset(
    ("reading", "unread", "planned", "waiting", "recording", "stopped")
)
"""Somebody has to do something, or is about to see the result."""
UNDOERS = KIND_BY_NAME["donation.money"].recorders & KIND_BY_NAME[REVERSAL].recorders
"""Who may ask for an import to be taken back."""
REFUSED_SHOWN = 200
"""Entries that could not be taken back and that the page lists; the file of them has all."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoView:
    """Taking an import back, as its page shows it to one person; `status` is empty for none.

    `expires` says until when it waits for somebody, where it does.
    """

    status: str
    undo: Undo | None
    changed: str
    expires: str
    trouble: Told | None
    refused: Sequence[tuple[int, Told]]
    own: bool
    may_propose: bool
    may_approve: bool
    may_end: bool
    may_resume: bool


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
    """The imports that wait for somebody, the newest first; those to be taken back too."""
    found: list[ImportRow] = []
    for job in desk.jobs():
        row = row_of(job)
        undo = desk.open_undo(job.number) if job.status == "done" else None
        if undo is not None:
            tone = "wrong" if undo.status == "stopped" else ""
            found.append(replace(row, status=f"undo_{undo.status}", tone=tone))
        elif job.status in ASKING:
            found.append(row)
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


def undo_view(desk: Desk, job: Job, person: Person, translator: Translator) -> UndoView:
    """How an import is taken back, and what this person may do about it."""
    undo = desk.undo(job.number) if job.status == "done" else None
    spans = desk.spans(job)
    status = "" if undo is None else undo.status
    own = undo is not None and undo.proposed_by == person.id
    approver = person.role in APPROVERS
    named = sum(last - first + 1 for first, last in spans) == job.recorded
    begins = undo is None or undo.status not in UNDO_OPEN
    refused = desk.refused(job.number) if status == "done" else []
    trouble = None if undo is None else undo.trouble
    return UndoView(
        status=status,
        undo=undo,
        changed="" if undo is None else format_instant(undo.changed_at),
        expires=format_instant(undo.expires_at) if undo and undo.status in EXPIRING else "",
        trouble=None
        if trouble is None
        else tell(Problem("", trouble.code, trouble.message), None, translator),
        refused=[
            (one.entry, tell(Problem("", one.code, one.message), None, translator))
            for one in refused[:REFUSED_SHOWN]
        ],
        own=own,
        may_propose=job.recorded > 0
        and named
        and begins
        and person.role in UNDOERS
        and (undo is None or undo.reversed + undo.before < job.recorded),
        may_approve=status == "waiting" and not own and approver,
        may_end=status in EXPIRING and (own or approver),
        may_resume=status == "stopped" and (person.role in UNDOERS or approver),
    )


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
