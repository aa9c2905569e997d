"""Correct a mistake: take an entry back, record it anew, or add the right value to a field.

Nothing recorded is ever changed. Recording anew is three entries in one step, each under a key
of its own made from the form's: the reversal, the new record, and the entry that names it in
place of the old one. Where one is refused or an answer is lost, sending the form again goes on
from there: what is recorded already is not recorded twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from api.dependencies import IndexInPath, get_book
from api.forms import Form, FormOf, SessionOf, require_role
from api.pages.corrections import use_rows
from api.pages.directory import Directory
from api.pages.entries import entry_row, field_rows, reversed_by
from api.pages.kinds import kind_title
from api.pages.page import translator_of
from api.pages.staff.fields import RecordForm, form_of
from api.pages.staff.frame import go_to, render_staff
from api.pages.staff.record import like_entry, may_record
from api.pages.staff.recording import (
    Desk,
    Draft,
    approver_of,
    change_rows,
    check_typed,
    given_key,
    new_key,
    record,
    show,
    told,
)
from api.pages.staff.sheet import TOKEN
from api.pages.staff.typed import Problem, Typed, Values, read_body, read_values, write_values
from api.sessions import Session
from ledger.book import Book
from ledger.entry import Entry, parse_entry
from ledger.errors import LedgerError, MalformedError, NotFoundError
from ledger.flows import REVERSAL
from ledger.records.catalog import KIND_BY_NAME
from ledger.records.corrections import REPLACEMENT, holds_something
from ledger.records.kind import OPENERS, Role

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

ANNOTATION = "entry.annotated"
REASON = "reason"
TEMPLATE = "staff/anew.html"


@router.get("/staff/correct/{index}")
def correct(request: Request, session: SessionOf, index: IndexInPath) -> Response:
    """The entry, and the ways in which it can be corrected."""
    translator = translator_of(request)
    with get_book(request).store.read() as reader:
        entry = parse_entry(reader.entry(index))
        directory = Directory(reader, translator)
        uses, truncated = use_rows(reader, index, translator)
        undone = reversed_by(index, reader)
        values = {
            "entry": entry,
            "row": entry_row(entry, reader, directory, translator),
            "rows": field_rows(entry, entry.fields, directory, translator)
            if reader.object(f"hidden/{index}") is None
            else (),
            "uses": uses,
            "uses_truncated": truncated,
            "undone": undone,
        }
    role = session.person.role
    holds = holds_something(entry) and entry.kind != REVERSAL
    offered = {
        "anew": holds and may_record(role, REVERSAL) and _is_recorded_by(role, entry.kind),
        "reverse": holds and undone is None and may_record(role, REVERSAL),
        "annotate": may_record(role, ANNOTATION),
    }
    return render_staff(
        request, session, "staff/correct.html", values={**values, "offered": offered}
    )


@router.get("/staff/correct/{index}/anew")
def anew(request: Request, session: SessionOf, index: IndexInPath) -> Response:
    """The form of the entry's kind, filled in with what it says."""
    entry, desk = _desk(request, session, index)
    values = first_values(get_book(request), desk.form, entry, session.person.role)
    return show(request, session, desk, Draft(values, new_key()), _more(request, entry, ""))


@router.post("/staff/correct/{index}/anew")
def send(request: Request, session: SessionOf, posted: FormOf, index: IndexInPath) -> Response:
    """Reverse the entry, record it anew, and name the new one in its place."""
    entry, desk = _desk(request, session, index)
    key, reason = given_key(posted), posted.get(REASON)
    changed = change_rows(desk.form, posted, posted.get("do"))
    if changed is not None:
        return show(request, session, desk, Draft(changed, key), _more(request, entry, reason))
    typed = read_body(desk.form, read_values(desk.form, posted))
    try:
        number = _replace(request, session, posted, entry, desk.form, typed, key)
    except LedgerError as error:
        status, problems = told(error, typed.problems)
        draft = Draft(typed.values, key, problems, status=status)
        return show(request, session, desk, draft, _more(request, entry, reason, problems))
    return go_to(f"/staff/recorded/{number}")


def first_values(book: Book, form: RecordForm, entry: Entry, role: Role) -> Values:
    """What the entry says, to be mended; its personal fields for who may see them.

    An order number enters the log once and stays with the entry that brought it.
    """
    values = {**like_entry(book, form, entry.index), "occurred_on": entry.occurred_on}
    opening = book.opening(entry.index) if role in OPENERS else None
    if opening is not None:
        kept = {name: one for name, one in opening[1].items() if name not in form.kind.unique}
        values |= write_values(form, {"sealed": kept})
    return values


def _is_recorded_by(role: Role, kind: str) -> bool:
    known = KIND_BY_NAME.get(kind)
    return known is not None and role in known.recorders


def _desk(request: Request, session: Session, index: int) -> tuple[Entry, Desk]:
    """The entry and the form to record it anew.

    Raises:
        NotFoundError: no such entry, or nobody records its kind.
        NotAllowedError: this role does not.
    """
    _, entry = get_book(request).entry(index)
    form = form_of(entry.kind)
    require_role(session, *(form.kind.recorders & form_of(REVERSAL).kind.recorders))
    if not holds_something(entry) or entry.kind == REVERSAL:
        raise NotFoundError(
            f"entry {index} moved nothing that could be taken back; annotate it instead",
            code="nothing_to_reverse",
        )
    extra = {REASON: "correct.reason", TOKEN: "form.approver_token"}
    return entry, Desk(f"/staff/correct/{index}/anew", TEMPLATE, entry.kind, extra)


def _more(
    request: Request, entry: Entry, reason: str, problems: list[Problem] | None = None
) -> Mapping[str, Any]:
    translator = translator_of(request)
    with get_book(request).store.read() as reader:
        directory = Directory(reader, translator)
        return {
            "entry": entry,
            "rows": field_rows(entry, entry.fields, directory, translator),
            "kind_title": kind_title(entry.kind, translator),
            "reason": reason,
            "reason_missing": any(one.path == REASON for one in problems or ()),
            "undone": reversed_by(entry.index, reader),
        }


def _replace(
    request: Request,
    session: Session,
    posted: Form,
    entry: Entry,
    form: RecordForm,
    typed: Typed,
    key: str,
) -> int:
    """The three entries; the new record's number.

    Raises:
        LedgerError: something is wrong with what was typed, or a rule refuses a step.
    """
    person, reason = session.person, posted.get(REASON)
    approver = approver_of(request, form_of(REVERSAL), posted)
    for_record = approver if form.kind.approvers else None
    check_typed(request, person, typed.body, typed.problems, for_record)
    if not reason:
        raise MalformedError("expected a reason", code="reason_missing", field=REASON)
    day = get_book(request).today()
    undo = {
        "kind": REVERSAL,
        "occurred_on": day,
        "fields": {"entry": entry.index, "reason": reason},
    }
    check_typed(request, person, undo, (), approver)
    with get_book(request).store.read() as reader:
        undone = reversed_by(entry.index, reader)
    if undone is None:
        record(request, person, approver, undo, f"{key}/undo")
    recorded = record(request, person, for_record, typed.body, f"{key}/anew")
    name = {
        "kind": REPLACEMENT,
        "occurred_on": day,
        "fields": {"entry": entry.index, "by": recorded.index, "reason": reason},
    }
    record(request, person, approver, name, f"{key}/name")
    return recorded.index
