"""Bank statements: taken from a file, recorded by their totals, matched with gifts.

::

    file ──► draft: do the sums tie? ──► statement.imported ──► lines | gifts
                                                          └──► statement.matched
                                                     lines out | payments: shown, never recorded

The draft is looked at before it is recorded, for nothing takes a recorded statement back. Then
its lines stand beside the gifts of those days; what fits is suggested with its reason, and a
person confirms it or matches by hand. A difference needs its reason and stays visible.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, Response

from api.dependencies import INDEX_MAX, IndexInPath, get_book
from api.forms import CSRF_FIELD, Form, FormOf, SessionOf, get_sessions, require_role
from api.imports.statement_files import DAYS_MAX, TOKEN_CHARS, Draft, StatementFiles
from api.pages.entries import reversed_by
from api.pages.page import snapshot_log, translator_of
from api.pages.staff.bank_views import (
    GIFTS_SHOWN,
    STATES,
    LineState,
    all_statements,
    bank_row,
    both_sides,
    outgoing,
)
from api.pages.staff.frame import go_to, render_staff
from api.pages.staff.import_views import ProblemRow
from api.pages.staff.recording import given_key, new_key, record, told
from api.pages.staff.sheet import tell
from api.pages.staff.typed import Problem, TypedError, format_typed_yuan, parse_yuan
from api.pages.uploads import drain, read_upload
from api.receipts_pdf.bundle import parse_spans
from api.sessions import Session
from ledger.book import Book
from ledger.day import parse_day
from ledger.entry import Entry
from ledger.errors import LedgerError, MalformedError, NotFoundError, RejectedError
from ledger.intake.bank_lines import Stated, StatementError, read_bank_statement
from ledger.intake.bank_matching import GIFTS_MAX
from ledger.intake.gift_rows import RowError
from ledger.records.evidence import LINES_MAX, STATEMENT_IMPORTED, STATEMENT_MATCHED
from ledger.records.kind import OPENERS
from ledger.records.request import rehearse
from ledger.state import State

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

PATH = "/staff/statements"
UPLOAD_BYTES_MAX = 8 * 1024 * 1024
UPLOAD_SECONDS_MAX = 300
FORM_BYTES = 64 * 1024
FIELDS_MAX = 12
CONFIRMED_MAX = 50
"""Suggestions that one form confirms: those of one page."""
SPANS_CHARS_MAX = 8000
REASON_CHARS_MAX = 2000
RECORDERS = STATEMENT_IMPORTED.recorders & STATEMENT_MATCHED.recorders
TYPED = ("account", "opening", "closing", "period_from", "period_to")

Token = Annotated[str, Path(pattern=rf"^[0-9a-f]{{{TOKEN_CHARS}}}$")]
Shown = Annotated[LineState | None, Query()]
After = Annotated[int | None, Query(ge=1, le=INDEX_MAX)]


@router.get(PATH)
def statements(request: Request, session: SessionOf) -> Response:
    """The statements of all accounts, and where a new one begins."""
    require_role(session, *OPENERS)
    return _begin_page(request, session, dict.fromkeys(TYPED, ""), new_key())


@router.post(PATH)
async def upload(request: Request, session: SessionOf) -> Response:
    """Read a statement's file."""
    require_role(session, *RECORDERS)
    values = dict.fromkeys(TYPED, "")
    taken = await _take(request, session)
    if taken is None:
        problem = Problem("file", "import_too_large", facts=_limits())
        return await run_in_threadpool(
            _begin_page, request, session, values, new_key(), [problem], 413
        )
    form, data = taken
    return await run_in_threadpool(_read_file, request, session, form, data)


async def _take(request: Request, session: Session) -> tuple[Form, bytes] | None:
    """The posted form and its file; None where it is too large.

    Raises:
        LedgerError: it is no form of this session.
    """
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
        await drain(request, UPLOAD_BYTES_MAX * 4)
        return None
    sessions = get_sessions(request)
    sessions.check(request, sent.text(CSRF_FIELD), sessions.csrf_of(session))
    names = [name for name in sent.fields if name != "file"]
    return Form({name: (sent.text(name),) for name in names}), sent.fields.get("file", b"")


def _read_file(request: Request, session: Session, form: Form, data: bytes) -> Response:
    book = get_book(request)
    key = given_key(form)
    values = {name: form.get(name) for name in TYPED}
    problems: list[Problem] = []
    stated = _stated(values, problems)
    if not values["account"]:
        problems.append(Problem("account", "missing"))
    if not data:
        problems.insert(0, Problem("file", "import_no_file"))
    rows: Sequence[RowError] = ()
    status = 422
    if not problems:
        try:
            statement = read_bank_statement("statement", data, stated, book.today())
            files = StatementFiles(book)
            token = files.token_of(session.person.id, key)
            draft = Draft(session.person.id, values["account"], statement)
            _check(book, session, draft)
            files.keep_draft(token, draft)
            return go_to(f"{PATH}/draft/{token}")
        except StatementError as error:
            rows = error.errors
            problems.append(Problem("file", "statement_rows", facts={"count": str(len(rows))}))
        except LedgerError as error:
            status, found = told(error)
            problems += [_placed(one) for one in found]
    return _begin_page(request, session, values, key, problems, status, rows)


def _placed(problem: Problem) -> Problem:
    """A problem of the record at the field of this form that says it."""
    places = {
        "fields.account_alias": "account",
        "fields.period_from": "period_from",
        "fields.period_to": "period_to",
        "fields.closing_fen": "closing",
        "fields.opening_fen": "opening",
    }
    known = {*TYPED, "file"}
    path = places.get(problem.path, problem.path if problem.path in known else "file")
    return Problem(path, problem.code, problem.message, problem.facts)


def _stated(values: Mapping[str, str], problems: list[Problem]) -> Stated:
    """The balances and days that were typed."""
    fens: dict[str, int | None] = {}
    for name in ("opening", "closing"):
        fens[name] = None
        if values[name]:
            try:
                fens[name] = parse_yuan(values[name])
            except TypedError as error:
                problems.append(Problem(name, error.code, facts=error.facts))
    for name in ("period_from", "period_to"):
        if values[name]:
            try:
                parse_day(values[name], name)
            except LedgerError:
                problems.append(Problem(name, "string_pattern_mismatch_day"))
    return Stated(
        opening_fen=fens["opening"],
        closing_fen=fens["closing"],
        period_from=values["period_from"] or None,
        period_to=values["period_to"] or None,
    )


def _body(book: Book, draft: Draft) -> dict[str, Any]:
    """The record of a statement: its totals, and what fixes its file."""
    one = draft.statement
    return {
        "kind": STATEMENT_IMPORTED.name,
        "occurred_on": min(one.period_to, book.today()),
        "fields": {
            "account_alias": draft.account,
            "period_from": one.period_from,
            "period_to": one.period_to,
            "opening_fen": one.opening_fen,
            "closing_fen": one.closing_fen,
            "credits": len(one.credits),
            "credits_fen": one.credits_fen,
            "debits": one.debits,
            "debits_fen": one.debits_fen,
            "lines_sha256": one.sha256,
        },
    }


def _check(book: Book, session: Session, draft: Draft) -> None:
    """Refuse before the draft what no rule would let be recorded.

    Raises:
        LedgerError: the account's name, the period or a sum is none.
    """
    with book.store.read() as reader:
        rehearse(
            _body(book, draft),
            State(reader),
            index=0,
            today=book.today(),
            recorded_by=session.person.id,
        )


@router.get(f"{PATH}/draft/{{token}}")
def draft(request: Request, session: SessionOf, token: Token) -> Response:
    """What was read, before it is recorded."""
    require_role(session, *RECORDERS)
    return _draft_page(request, session, token)


@router.post(f"{PATH}/draft/{{token}}")
def record_draft(request: Request, session: SessionOf, posted: FormOf, token: Token) -> Response:
    """Record the statement's totals, and keep its lines to be matched."""
    require_role(session, *RECORDERS)
    book = get_book(request)
    files = StatementFiles(book)
    found = _own_draft(book, session, token)
    try:
        done = record(request, session.person, None, _body(book, found), f"statement/{token}")
    except LedgerError as error:
        status, problems = told(error)
        return _draft_page(request, session, token, problems, status)
    files.keep(done.index, found.statement)
    # The draft stays for a second tap, which is answered with the same entry; it is swept.
    return go_to(f"{PATH}/{done.index}")


def _own_draft(book: Book, session: Session, token: str) -> Draft:
    """A draft, for the person who made it.

    Raises:
        NotFoundError: there is none of theirs.
    """
    found = StatementFiles(book).draft(token)
    if found.person != session.person.id:
        raise NotFoundError("this was read by another person; read the file yourself")
    return found


def _draft_page(
    request: Request,
    session: Session,
    token: str,
    problems: Sequence[Problem] = (),
    status: int = 200,
) -> Response:
    translator = translator_of(request)
    book = get_book(request)
    found = _own_draft(book, session, token)
    with book.store.read() as reader:
        last = next((row for row in all_statements(reader) if row.account == found.account), None)
    one = found.statement
    more = {
        "token": token,
        "account": found.account,
        "statement": one,
        "last": last,
        "gap_fen": 0 if last is None else one.opening_fen - last.closing_fen,
        "problems": [("record", tell(problem, None, translator)) for problem in problems],
    }
    return render_staff(request, session, "staff/statement_draft.html", values=more, status=status)


@router.get(f"{PATH}/{{index}}")
def statement(
    request: Request,
    session: SessionOf,
    index: IndexInPath,
    state: Shown = None,
    after: After = None,
    out: After = None,
    done: Annotated[int, Query(ge=0, le=CONFIRMED_MAX)] = 0,
) -> Response:
    """One statement: its lines beside the gifts."""
    require_role(session, *OPENERS)
    return _page(request, session, index, state=state, after=after, out=out, done=done)


@router.post(f"{PATH}/{{index}}/lines")
async def give_lines(request: Request, session: SessionOf, index: IndexInPath) -> Response:
    """The same file once more, where its lines are no longer kept."""
    require_role(session, *RECORDERS)
    taken = await _take(request, session)
    return await run_in_threadpool(_keep_lines, request, session, index, taken)


def _keep_lines(
    request: Request, session: Session, index: int, taken: tuple[Form, bytes] | None
) -> Response:
    book = get_book(request)
    fields = _imported(book, index).fields
    files = StatementFiles(book)
    if files.find(index) is not None:
        return go_to(f"{PATH}/{index}")
    stated = Stated(
        opening_fen=fields["opening_fen"],
        closing_fen=fields["closing_fen"],
        period_from=fields["period_from"],
        period_to=fields["period_to"],
    )
    try:
        if taken is None:
            problem = Problem("file", "import_too_large", facts=_limits())
            return _page(request, session, index, problems=[problem], status=413)
        found = read_bank_statement("statement", taken[1], stated, book.today())
        if found.sha256 != fields["lines_sha256"]:
            raise RejectedError(
                "this is another file than the one that was recorded", code="statement_other_file"
            )
    except LedgerError as error:
        status, problems = told(error)
        placed = [Problem("file", one.code, one.message) for one in problems]
        return _page(request, session, index, problems=placed, status=status)
    files.keep(index, found)
    return go_to(f"{PATH}/{index}")


@router.post(f"{PATH}/{{index}}/confirm")
def confirm(request: Request, session: SessionOf, posted: FormOf, index: IndexInPath) -> Response:
    """Record the suggestions that were ticked, each as a match of its own."""
    require_role(session, *RECORDERS)
    key = given_key(posted)
    pairs = posted.values.get("pair", ())[:CONFIRMED_MAX]
    if not pairs:
        return _page(
            request, session, index, problems=[Problem("confirm", "nothing_ticked")], status=422
        )
    count = 0
    for pair in pairs:
        row, _, spans = pair.partition(":")
        try:
            gifts = _gifts([spans])
            body = _match(get_book(request), index, [row], gifts, "")
            record(request, session.person, None, body, f"{key}/{row}/{gifts[0]}")
        except LedgerError as error:
            status, problems = told(error)
            placed = [Problem("confirm", one.code, one.message, one.facts) for one in problems]
            return _page(request, session, index, problems=placed, status=status, done=count)
        count += 1
    return go_to(f"{PATH}/{index}?done={count}")


@router.post(f"{PATH}/{{index}}/match")
def match(request: Request, session: SessionOf, posted: FormOf, index: IndexInPath) -> Response:
    """Record a match by hand: lines and gifts, and the reason of a difference."""
    require_role(session, *RECORDERS)
    key = given_key(posted)
    typed = {name: posted.get(name) for name in ("lines", "gifts", "reason")}
    ticked = (posted.values.get("line", ()), posted.values.get("gift", ()))
    problems: list[Problem] = []
    try:
        rows = _numbers("lines", [*ticked[0], typed["lines"]], LINES_MAX)
        gifts = _numbers("gifts", [*ticked[1], typed["gifts"]], GIFTS_MAX)
        body = _match(get_book(request), index, list(map(str, rows)), gifts, typed["reason"])
        difference = body["fields"]["difference_fen"]
        if difference and not typed["reason"]:
            facts = {"difference": format_typed_yuan(difference)}
            problems = [Problem("reason", "match_differs", facts=facts)]
            status = 422
        else:
            record(request, session.person, None, body, key)
    except LedgerError as error:
        status, problems = told(error)
        problems = [_at_match(one) for one in problems]
    if problems:
        return _page(
            request, session, index, problems=problems, status=status, typed=typed, ticked=ticked
        )
    return go_to(f"{PATH}/{index}?done=1")


def _at_match(problem: Problem) -> Problem:
    path = problem.path.removeprefix("fields.").partition(".")[0]
    known = path if path in ("lines", "gifts", "reason") else "lines"
    return Problem(known, problem.code, problem.message, problem.facts)


def _numbers(name: str, texts: Sequence[str], most: int) -> list[int]:
    """Rows or entries that were ticked or typed, like ``3, 7-9``.

    Raises:
        MalformedError: none, too many, or no numbers.
    """
    parts = [one for text in texts for one in text[:SPANS_CHARS_MAX].replace("，", ",").split(",")]
    try:
        found = parse_spans([one for one in parts if one.strip()], most)
    except MalformedError as error:
        raise MalformedError(
            error.message, code="invalid_numbers", field=f"fields.{name}"
        ) from None
    if not found:
        raise MalformedError("expected at least one", code="missing", field=f"fields.{name}")
    return found


def _gifts(texts: Sequence[str]) -> list[int]:
    return _numbers("gifts", texts, GIFTS_MAX)


def _match(
    book: Book, index: int, rows: Sequence[str], gifts: Sequence[int], reason: str
) -> dict[str, Any]:
    """The record of a match; amounts are the statement's and the ledger's, never the form's.

    Raises:
        LedgerError: the lines are not kept here, or a number is none of the statement's.
    """
    _imported(book, index)
    kept = StatementFiles(book).find(index)
    if kept is None:
        raise NotFoundError("the lines are not kept here; give the file", code="lines_missing")
    amounts = {str(line.row): line.moved_fen for line in kept.credits}
    unknown = [row for row in rows if row not in amounts]
    if unknown:
        raise MalformedError(
            f"row {unknown[0][:20]} is no line that brought something",
            code="line_unknown",
            field="fields.lines",
        )
    given = 0
    for gift in gifts:
        _, entry = book.entry(gift)
        given += int(entry.fields.get("amount_fen", 0))
    lines = [{"line": int(row), "amount_fen": amounts[row]} for row in rows]
    fields: dict[str, Any] = {
        "statement": index,
        "lines": lines,
        "gifts": list(gifts),
        "difference_fen": sum(amounts[row] for row in rows) - given,
    }
    if reason:
        fields["reason"] = reason[:REASON_CHARS_MAX]
    return {"kind": STATEMENT_MATCHED.name, "occurred_on": book.today(), "fields": fields}


def _imported(book: Book, index: int) -> Entry:
    """The entry of a statement.

    Raises:
        NotFoundError: there is none of that number.
    """
    _, entry = book.entry(index)
    if entry.kind != STATEMENT_IMPORTED.name:
        raise NotFoundError(
            f"entry {index} is no bank statement; {PATH} lists them", code="no_statement"
        )
    return entry


def _limits() -> Mapping[str, str]:
    return {"limit": f"{UPLOAD_BYTES_MAX // (1024 * 1024)} MiB"}


def _begin_page(
    request: Request,
    session: Session,
    values: Mapping[str, str],
    key: str,
    problems: Sequence[Problem] = (),
    status: int = 200,
    rows: Sequence[RowError] = (),
) -> Response:
    translator = translator_of(request)
    with get_book(request).store.read() as reader:
        log = snapshot_log(get_book(request), reader)
        found = all_statements(reader)
    errors = {one.path: tell(one, None, translator) for one in reversed(problems)}
    more = {
        "rows": found,
        "accounts": sorted({row.account for row in found}),
        "values": values,
        "errors": errors,
        "summary": list(errors.items()),
        "wrong": [
            ProblemRow(
                one.row,
                one.column,
                one.value,
                tell(Problem("", one.code, f"{one.reason}; {one.remedy}"), None, translator),
            )
            for one in rows
        ],
        "key": key,
        "limits": _limits(),
        "may_upload": session.person.role in RECORDERS,
        "days": DAYS_MAX,
    }
    page = "staff/statements.html"
    return render_staff(request, session, page, values=more, log=log, status=status)


def _page(
    request: Request,
    session: Session,
    index: int,
    *,
    state: LineState | None = None,
    after: int | None = None,
    out: int | None = None,
    done: int = 0,
    problems: Sequence[Problem] = (),
    status: int = 200,
    typed: Mapping[str, str] | None = None,
    ticked: tuple[Sequence[str], Sequence[str]] = ((), ()),
) -> Response:
    translator = translator_of(request)
    book = get_book(request)
    entry = _imported(book, index)
    kept = StatementFiles(book).find(index)
    with book.store.read() as reader:
        log = snapshot_log(book, reader)
        row = bank_row(reader, entry)
        undone = reversed_by(index, reader)
        sides = went = None
        if kept is not None:
            sides = both_sides(book, reader, index, kept, translator, state=state, after=after)
            went = outgoing(book, reader, kept, translator, after=out)
    errors = {one.path: tell(one, None, translator) for one in reversed(problems)}
    more = {
        "row": row,
        "entry": entry,
        "sides": sides,
        "went": went,
        "state": state,
        "states": STATES,
        "done": done,
        "errors": errors,
        "summary": list(errors.items()),
        "typed": typed or dict.fromkeys(("lines", "gifts", "reason"), ""),
        "ticked_lines": ticked[0],
        "ticked_gifts": ticked[1],
        "key": new_key(),
        "reversed_by": undone,
        "may_match": session.person.role in RECORDERS and undone is None,
        "gifts_shown": GIFTS_SHOWN,
        "reason_most": REASON_CHARS_MAX,
        "limits": _limits(),
        "days": DAYS_MAX,
    }
    page = "staff/statement.html"
    return render_staff(request, session, page, values=more, log=log, status=status)
