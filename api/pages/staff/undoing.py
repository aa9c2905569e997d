"""Taking a whole import back: asked for on its page, decided by another person, done behind it.

What is done is ``api.imports.undo``; here a form is read, one change is made, and the import's
page is asked for again.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse, Response

from api.answers import PRIVATE
from api.auth import Person
from api.dependencies import INDEX_MAX, get_book
from api.forms import FormOf, SessionOf, require_role
from api.imports.desk import Desk
from api.imports.undo import EXPIRING, Undo
from api.pages.csv_file import ROWS_MAX, csv_answer
from api.pages.staff.frame import go_to
from api.pages.staff.import_views import UNDOERS
from api.pages.staff.importing import PATH, Number, refused_page, wait_for
from ledger.book import Book
from ledger.errors import LedgerError, MalformedError, NotAllowedError, NotFoundError
from ledger.flows import REVERSAL
from ledger.proposals import REASON_CHARS_MAX
from ledger.records.kind import APPROVERS, OPENERS
from ledger.records.request import validate

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

REASON = "undo_reason"


@router.post(f"{PATH}/{{number}}/undo")
def propose(request: Request, session: SessionOf, posted: FormOf, number: Number) -> Response:
    """Ask for all entries of an import to be reversed."""
    require_role(session, *UNDOERS)
    book = get_book(request)
    reason = posted.get(REASON)
    try:
        _check_reason(book, reason)
        Desk(book).propose_undo(number, person=session.person.id, reason=reason)
    except LedgerError as error:
        return refused_page(request, session, number, error)
    return go_to(f"{PATH}/{number}#undo")


def _check_reason(book: Book, reason: str) -> None:
    """Refuse what no reversal may say; every one of them says it in the log.

    Raises:
        MalformedError: there is none, or it is too long.
    """
    if not reason:
        raise MalformedError("say why", code="reason_missing", field=REASON)
    body = {
        "kind": REVERSAL,
        "occurred_on": book.today(),
        "fields": {"entry": 0, "reason": reason},
    }
    try:
        validate(body)
    except MalformedError as error:
        raise MalformedError(error.message, code="reason_unfit", field=REASON) from None


@router.post(f"{PATH}/{{number}}/undo/approve")
def approve(request: Request, session: SessionOf, posted: FormOf, number: Number) -> Response:
    """Have them reversed; by another person than the one who asked for it."""
    require_role(session, *APPROVERS)
    book = get_book(request)
    desk = Desk(book)
    try:
        undo = _undo(desk, number)
        if undo.proposed_by == session.person.id:
            raise NotAllowedError(
                f"{undo.proposed_by} asked for this and cannot approve it; ask another person",
                code="approved_by_recorder",
            )
        if undo.approved_by == session.person.id and undo.status in ("recording", "done"):
            return go_to(f"{PATH}/{number}#undo")
        desk.change_undo(
            number,
            ("waiting",),
            "recording",
            approved_by=session.person.id,
            day=book.today(),
        )
    except LedgerError as error:
        return refused_page(request, session, number, error)
    wait_for(request, number)
    return go_to(f"{PATH}/{number}#undo")


@router.post(f"{PATH}/{{number}}/undo/resume")
def resume(request: Request, session: SessionOf, posted: FormOf, number: Number) -> Response:
    """Go on with what stopped; what is reversed already stays so."""
    require_role(session, *UNDOERS, *APPROVERS)
    try:
        Desk(get_book(request)).change_undo(number, ("stopped", "recording"), "recording")
    except LedgerError as error:
        return refused_page(request, session, number, error)
    wait_for(request, number)
    return go_to(f"{PATH}/{number}#undo")


@router.post(f"{PATH}/{{number}}/undo/end")
def end(request: Request, session: SessionOf, posted: FormOf, number: Number) -> Response:
    """Withdraw what one asked for, or reject it with a reason; what is reversed stays so."""
    require_role(session, *UNDOERS, *APPROVERS)
    desk = Desk(get_book(request))
    reason = posted.get(REASON)
    try:
        own = _is_own(_undo(desk, number), session.person)
        if not own and not 0 < len(reason) <= REASON_CHARS_MAX:
            raise MalformedError("say why", code="reason_missing", field=REASON)
        desk.change_undo(
            number,
            tuple(EXPIRING),
            "withdrawn" if own else "rejected",
            decided_by=session.person.id,
            decided_why=reason[:REASON_CHARS_MAX] or None,
        )
    except LedgerError as error:
        return refused_page(request, session, number, error)
    return go_to(f"{PATH}/{number}#undo")


@router.get(f"{PATH}/{{number}}/refused.csv")
def refused_file(
    request: Request,
    session: SessionOf,
    number: Number,
    after: Annotated[int, Query(ge=0, le=INDEX_MAX)] = 0,
) -> Response:
    """The entries that could not be taken back, with the ledger's reason for each."""
    require_role(session, *OPENERS)
    found = Desk(get_book(request)).refused(number)
    if not found:
        raise NotFoundError(
            f"no entry of import {number} was refused; its page says how it stands",
            code="no_file_kept",
        )
    path, left = None, len(found) - after - ROWS_MAX
    if left > 0:
        path = f"{PATH}/{number}/refused.csv?after={after + ROWS_MAX}"
    answer = csv_answer(
        f"import-{number}-refused.csv",
        ("entry", "code", "reason"),
        [(one.entry, one.code, one.message) for one in found[after : after + ROWS_MAX]],
        more="" if path is None else f"{left} more: {path}",
        next_path=path,
    )
    answer.headers["cache-control"] = PRIVATE
    return answer


def _undo(desk: Desk, number: int) -> Undo:
    """What was asked for.

    Raises:
        NotFoundError: nobody did.
    """
    undo = desk.undo(number)
    if undo is None:
        raise NotFoundError(f"nobody asked to take import {number} back", code="no_file_kept")
    return undo


def _is_own(undo: Undo, person: Person) -> bool:
    """Whether it is this person's.

    Raises:
        NotAllowedError: it is another's, and this one is no approver.
    """
    own = undo.proposed_by == person.id
    if not own and person.role not in APPROVERS:
        raise NotAllowedError(
            f"{undo.proposed_by} asked for this; ask {undo.proposed_by}", code="import_of_another"
        )
    return own
