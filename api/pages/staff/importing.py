"""Lists of gifts in the browser: upload, plan, total, approval, recording, result.

One page for one import, which is what its state is: the plan with every problem, the total to
type, the approval for another person, the progress, the result. What is done with the file is
``api.imports``; here a form is read, one change is made, and the page is asked for again. The
pages are for the roles that may see personal fields: a list of gifts is full of them.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, Response

from api.answers import PRIVATE, attachment
from api.dependencies import get_book
from api.forms import CSRF_FIELD, Form, FormOf, SessionOf, get_sessions, require_role
from api.imports.desk import NUMBER_MAX, Desk, stamp
from api.imports.job import AT_WORK, CHANGEABLE, DAYS_MAX, OPEN, Job
from api.imports.worker import PROBLEMS_SHOWN, Worker
from api.pages.format import format_instant
from api.pages.kinds import kind_title
from api.pages.page import translator_of
from api.pages.staff.frame import go_to, render_staff
from api.pages.staff.import_form import (
    COLUMN,
    FORM,
    PARTS,
    TARGET_FIELDS,
    UNITS,
    choice_values,
    read_choices,
    read_target,
    target_values,
    written_choices,
    written_target,
)
from api.pages.staff.import_views import notice_rows, problem_rows, row_of, undo_view
from api.pages.staff.recording import KEY, given_key, new_key, told
from api.pages.staff.sheet import Drawer, tell
from api.pages.staff.suggestions import find_suggestions
from api.pages.staff.typed import Problem, TypedError, Values, parse_yuan
from api.pages.texts import Translator
from api.pages.uploads import Upload, drain, read_upload
from api.receipts_pdf.typesetting import PAPERS_MAX
from api.sessions import Session
from ledger.book import Book
from ledger.errors import (
    LedgerError,
    MalformedError,
    NotAllowedError,
    QueueFullError,
    RejectedError,
)
from ledger.intake.gift_list import Choices
from ledger.proposals import REASON_CHARS_MAX
from ledger.records.kind import APPROVERS, OPENERS

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

PATH = "/staff/import"
UPLOAD_BYTES_MAX = 16 * 1024 * 1024
"""A list of half a million gifts has about as much; a larger one is split."""
UPLOAD_SECONDS_MAX = 600
"""So long an upload may take on a slow line."""
FORM_BYTES = 64 * 1024
"""What a form has beside its file."""
FIELDS_MAX = 20
UPLOADS_AT_ONCE_MAX = 4
"""Uploads at one time, so that their bytes take at most a few hundred MiB; one more gets 429."""
FILE_NAME_CHARS_MAX = 120
WAIT_SECONDS = 5.0
"""A form's answer waits so long for the worker: most lists are read by then."""
JOBS_SHOWN = 50
RECORDERS = FORM.kind.recorders

Number = Annotated[int, Path(ge=1, le=NUMBER_MAX)]


@router.get(PATH)
def imports(request: Request, session: SessionOf) -> Response:
    """The imports, and where a new one begins."""
    require_role(session, *OPENERS)
    values: Values = {f"fields.{name}": "" for name in TARGET_FIELDS}
    return _begin_page(request, session, values, new_key())


@router.post(PATH)
async def upload(request: Request, session: SessionOf) -> Response:
    """Take a file, and have it read."""
    require_role(session, *RECORDERS)
    app = request.app
    if app.state.uploads_running >= UPLOADS_AT_ONCE_MAX:
        raise QueueFullError(
            f"at most {UPLOADS_AT_ONCE_MAX} files are taken at once; send this one again in a "
            "moment, nothing of it was kept"
        )
    app.state.uploads_running += 1
    try:
        return await _take_upload(request, session)
    finally:
        app.state.uploads_running -= 1


async def _take_upload(request: Request, session: Session) -> Response:
    try:
        sent = await read_upload(
            request,
            bytes_max=UPLOAD_BYTES_MAX + FORM_BYTES,
            fields_max=FIELDS_MAX,
            seconds_max=UPLOAD_SECONDS_MAX,
        )
    except MalformedError as error:
        if error.code != "body_too_large":
            raise
        await drain(request, UPLOAD_BYTES_MAX * UPLOADS_AT_ONCE_MAX)
        problem = Problem("file", "import_too_large", facts=_limits())
        values: Values = {f"fields.{name}": "" for name in TARGET_FIELDS}
        return await run_in_threadpool(
            _begin_page, request, session, values, new_key(), [problem], 413
        )
    sessions = get_sessions(request)
    sessions.check(request, sent.text(CSRF_FIELD), sessions.csrf_of(session))
    key = given_key(Form({KEY: (sent.text(KEY),)}))
    return await run_in_threadpool(_keep, request, session, sent, key)


def _keep(request: Request, session: Session, sent: Upload, key: str) -> Response:
    book = get_book(request)
    values = target_values(sent.text)
    problems: list[Problem] = []
    target = read_target(book, values, session.person.id, problems)
    data = sent.fields.get("file", b"")
    if not data:
        problems.insert(0, Problem("file", "import_no_file"))
    if problems:
        # A browser gives no file back: it has to be chosen again.
        return _begin_page(request, session, values, key, problems, 422)
    name = sent.file_names.get("file", "").rpartition("/")[2].rpartition("\\")[2]
    try:
        job, again = Desk(book).add(
            person=session.person.id,
            key=key,
            file_name=_printable(name)[:FILE_NAME_CHARS_MAX],
            data=data,
            target=target,
            choices=Choices(),
        )
    except RejectedError as error:
        status, found = told(error)
        return _begin_page(request, session, values, key, found, status)
    wait_for(request, job.number)
    return go_to(f"{PATH}/{job.number}{'?again=1' if again else ''}")


@router.get(f"{PATH}/{{number}}")
def one_import(
    request: Request, session: SessionOf, number: Number, again: bool = False
) -> Response:
    """One import, as far as it has come."""
    require_role(session, *OPENERS)
    return _show(request, session, Desk(get_book(request)).read(number), again=again)


@router.get(f"{PATH}/{{number}}/problems.csv")
def problems_file(request: Request, session: SessionOf, number: Number) -> Response:
    """The rows that are wrong, in the file's own layout, with what to do about each."""
    require_role(session, *OPENERS)
    data = Desk(get_book(request)).problems(number)
    headers = {**attachment(f"import-{number}-problems.csv"), "cache-control": PRIVATE}
    return Response(data, media_type="text/csv; charset=utf-8", headers=headers)


@router.post(f"{PATH}/{{number}}/read")
def read_anew(request: Request, session: SessionOf, posted: FormOf, number: Number) -> Response:
    """Read the same file again with what a person says of it."""
    require_role(session, *RECORDERS)
    book = get_book(request)
    values = target_values(posted.get) | choice_values(posted.get)
    problems: list[Problem] = []
    target = read_target(book, values, session.person.id, problems)
    choices = read_choices(values, problems)
    if problems:
        job = Desk(book).read(number)
        return _show(request, session, job, values=values, problems=problems, status=422)
    try:
        with Desk(book).changing(number) as change:
            _require_own(change.job, session)
            change.job.require(*CHANGEABLE)
            job = change.to("reading", target=target, choices=choices, summary=None)
    except LedgerError as error:
        return refused_page(request, session, number, error)
    wait_for(request, job.number)
    return go_to(f"{PATH}/{number}")


@router.post(f"{PATH}/{{number}}/confirm")
def confirm(request: Request, session: SessionOf, posted: FormOf, number: Number) -> Response:
    """The total, typed by the person who uploaded the file: then a second person is asked."""
    require_role(session, *RECORDERS)
    typed = posted.get("total")
    try:
        with Desk(get_book(request)).changing(number) as change:
            job = change.job
            _require_own(job, session)
            if job.status == "waiting":
                return go_to(f"{PATH}/{number}")
            job.require("planned")
            problem = _wrong_total(job, typed)
            if problem is None:
                change.to("waiting", confirmed_at=stamp())
    except LedgerError as error:
        return refused_page(request, session, number, error)
    if problem is None:
        return go_to(f"{PATH}/{number}")
    return _show(request, session, job, values={"total": typed}, problems=[problem], status=422)


def _wrong_total(job: Job, typed: str) -> Problem | None:
    summary = job.summary
    if summary is None or not summary.clean or not summary.gifts or job.trouble is not None:
        raise RejectedError(
            "the plan cannot be recorded as it is; mend the file or what it is for first",
            code="plan_not_clean",
        )
    if not typed:
        return Problem("total", "missing")
    try:
        fen = parse_yuan(typed)
    except TypedError as error:
        return Problem("total", error.code, facts=error.facts)
    return None if fen == summary.sum_fen else Problem("total", "import_total")


@router.post(f"{PATH}/{{number}}/approve")
def approve(request: Request, session: SessionOf, posted: FormOf, number: Number) -> Response:
    """Have it recorded; by another person than the one who uploaded it."""
    require_role(session, *APPROVERS)
    try:
        with Desk(get_book(request)).changing(number) as change:
            job = change.job
            _require_other(job, session)
            if job.approved_by == session.person.id:
                return go_to(f"{PATH}/{number}")
            job.require("waiting")
            digest = "" if job.summary is None else job.summary.digest
            if not hmac.compare_digest(posted.get("digest").encode(), digest.encode()):
                raise RejectedError(
                    "this page is of another plan than the one that waits; look at it anew",
                    code="import_changed",
                )
            job = change.to("recording", approved_by=session.person.id, approved_at=stamp())
    except LedgerError as error:
        return refused_page(request, session, number, error)
    wait_for(request, job.number)
    return go_to(f"{PATH}/{number}")


@router.post(f"{PATH}/{{number}}/resume")
def resume(request: Request, session: SessionOf, posted: FormOf, number: Number) -> Response:
    """Go on with a recording that stopped; what is recorded already is skipped."""
    require_role(session, *RECORDERS, *APPROVERS)
    try:
        with Desk(get_book(request)).changing(number) as change:
            if change.job.status in ("recording", "done"):
                return go_to(f"{PATH}/{number}")
            change.job.require("stopped")
            job = change.to("recording")
    except LedgerError as error:
        return refused_page(request, session, number, error)
    wait_for(request, job.number)
    return go_to(f"{PATH}/{number}")


@router.post(f"{PATH}/{{number}}/end")
def end(request: Request, session: SessionOf, posted: FormOf, number: Number) -> Response:
    """Withdraw one's own, or reject another's with a reason; the file is deleted."""
    require_role(session, *RECORDERS, *APPROVERS)
    reason = posted.get("reason")
    try:
        with Desk(get_book(request)).changing(number) as change:
            job = change.job
            own = job.created_by == session.person.id
            if not own and session.person.role not in APPROVERS:
                _require_own(job, session)
            if job.status in ("withdrawn", "rejected"):
                return go_to(f"{PATH}/{number}")
            job.require("unread", "planned", "waiting", "stopped")
            if not own and not 0 < len(reason) <= REASON_CHARS_MAX:
                raise MalformedError("say why", code="reason_missing", field="reason")
            change.to(
                "withdrawn" if own else "rejected",
                decided_by=session.person.id,
                decided_at=stamp(),
                reason=reason[:REASON_CHARS_MAX] or None,
            )
    except LedgerError as error:
        return refused_page(request, session, number, error)
    return go_to(f"{PATH}/{number}")


def _require_own(job: Job, session: Session) -> None:
    """Let only the person who uploaded the file go on.

    Raises:
        NotAllowedError: ``import_of_another``.
    """
    if job.created_by != session.person.id:
        raise NotAllowedError(
            f"import {job.number} is {job.created_by}'s; ask {job.created_by}",
            code="import_of_another",
        )


def _require_other(job: Job, session: Session) -> None:
    """Nobody approves their own.

    Raises:
        NotAllowedError: ``approved_by_recorder``.
    """
    if job.created_by == session.person.id:
        raise NotAllowedError(
            f"{job.created_by} uploaded this and cannot approve it; ask another person",
            code="approved_by_recorder",
        )


def wait_for(request: Request, number: int) -> None:
    """Have the worker begin, and wait a moment for it."""
    worker: Worker = request.app.state.imports
    worker.wake()
    worker.wait(number, WAIT_SECONDS)


def _printable(name: str) -> str:
    return "".join(one for one in name if one.isprintable())


def _limits() -> Mapping[str, str]:
    return {"limit": f"{UPLOAD_BYTES_MAX // (1024 * 1024)} MiB"}


def refused_page(request: Request, session: Session, number: int, error: LedgerError) -> Response:
    """The import's page as it is now, with why nothing was done."""
    status, problems = told(error)
    job = Desk(get_book(request)).read(number)
    return _show(request, session, job, problems=problems, status=status)


def _target_values(
    book: Book, values: Values, problems: Sequence[Problem], translator: Translator
) -> dict[str, Any]:
    """The fields that say what the gifts are for, as the record's own form draws them."""
    own = [one for one in problems if one.path.startswith("fields.")]
    sheet = Drawer(FORM, values, own, translator).sheet()
    with book.store.read() as reader:
        suggestions = find_suggestions(sheet.families, reader, translator)
    return {
        "target": [sheet.part(name) for name in TARGET_FIELDS],
        "suggestions": suggestions,
        "errors": {one.path: tell(one, None, translator) for one in problems if one not in own},
        "summary": [
            *(
                (one.path or "form", tell(one, None, translator))
                for one in problems
                if one not in own
            ),
            *sheet.summary,
        ],
    }


def _begin_page(
    request: Request,
    session: Session,
    values: Values,
    key: str,
    problems: Sequence[Problem] = (),
    status: int = 200,
) -> Response:
    translator = translator_of(request)
    book = get_book(request)
    jobs = list(Desk(book).jobs())
    more = {
        **_target_values(book, values, problems, translator),
        "rows": [row_of(one) for one in jobs[:JOBS_SHOWN]],
        "older": max(0, len(jobs) - JOBS_SHOWN),
        "key": key,
        "may_upload": session.person.role in RECORDERS,
        "limits": _limits(),
        "days": DAYS_MAX,
        "kind": kind_title(FORM.kind.name, translator),
    }
    return render_staff(request, session, "staff/imports.html", values=more, status=status)


def _show(
    request: Request,
    session: Session,
    job: Job,
    *,
    again: bool = False,
    values: Values | None = None,
    problems: Sequence[Problem] = (),
    status: int = 200,
) -> Response:
    translator = translator_of(request)
    book = get_book(request)
    own = job.created_by == session.person.id
    written = written_target(job.target) | written_choices(job.choices)
    typed = {"total": "", "reason": "", "undo_reason": ""} | written | (values or {})
    desk = Desk(book)
    details = desk.details(job.number) if job.status in OPEN else None
    undo = undo_view(desk, job, session.person, translator)
    trouble = job.trouble
    more = {
        **_target_values(book, typed, problems, translator),
        "job": job,
        "row": row_of(job),
        "values": typed,
        "again": again,
        "own": own,
        "undo": undo,
        "busy": job.status in AT_WORK or undo.status == "recording",
        "trouble": None
        if trouble is None
        else tell(Problem("", trouble.code, trouble.message), None, translator),
        "wrong": [] if details is None else problem_rows(details, translator),
        "wrong_most": PROBLEMS_SHOWN,
        "notices": [] if details is None else notice_rows(details, translator),
        "details": details,
        "parts": PARTS,
        "column": COLUMN,
        "units": UNITS,
        "may_change": own and session.person.role in RECORDERS and job.status in CHANGEABLE,
        "may_confirm": own and session.person.role in RECORDERS and _is_ready(job),
        "may_approve": not own and session.person.role in APPROVERS and job.status == "waiting",
        "may_end": (own or session.person.role in APPROVERS)
        and job.status in ("unread", "planned", "waiting", "stopped"),
        "may_resume": session.person.role in (RECORDERS | APPROVERS) and job.status == "stopped",
        "choices_open": job.status == "unread"
        or trouble is not None
        or any(one.path in written for one in problems)
        or bool(job.summary and not job.summary.clean),
        "reason_most": REASON_CHARS_MAX,
        "changed": format_instant(job.changed_at),
        "printed_most": PAPERS_MAX,
        "printed_last": min(job.spans[0][1], job.spans[0][0] + PAPERS_MAX - 1) if job.spans else 0,
        "days": DAYS_MAX,
    }
    return render_staff(request, session, "staff/import.html", values=more, status=status)


def _is_ready(job: Job) -> bool:
    """Whether its total may be typed."""
    summary = job.summary
    clean = summary is not None and summary.clean and summary.gifts > 0
    return job.status == "planned" and clean and job.trouble is None
