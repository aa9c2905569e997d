"""Proposals: what waits for a second person, what each would change, and the decision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import HTMLResponse, Response

from api.auth import Person
from api.dependencies import get_book
from api.forms import FormOf, SessionOf
from api.pages.directory import Directory, Place
from api.pages.entries import EntryRow, entry_row, field_rows
from api.pages.format import format_instant
from api.pages.kinds import kind_title
from api.pages.page import translator_of
from api.pages.staff.frame import go_to, render_staff
from api.pages.staff.recording import told
from api.pages.staff.sheet import Told, tell
from api.pages.texts import Translator
from api.routes.entries import check_roles
from api.routes.proposals import reject_proposal
from api.sessions import Session
from api.witnessed import Deadline
from ledger.book import Book
from ledger.entry import Entry, parse_entry
from ledger.errors import LedgerError
from ledger.flows import is_world
from ledger.proposals import NUMBER_MAX, REASON_CHARS_MAX, STATUSES, Proposal, Status
from ledger.records.catalog import KIND_BY_NAME
from ledger.records.kind import OPENERS, Draft, Role
from ledger.records.request import record_model
from ledger.state import State
from ledger.store import Reader

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

PROPOSALS_PER_PAGE = 50
REFERENCES_SHOWN = 5
MOVES_SHOWN = 50

Number = Annotated[int, Path(ge=1, le=NUMBER_MAX)]


@dataclass(frozen=True, slots=True)
class ProposalRow:
    """A proposal in the list."""

    number: int
    title: str
    proposed_by: str
    instant: str
    created_at: str
    status: str


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """An account as it is and as it would be; None for the outside, which has no balance."""

    account: Place
    unit: str
    now: str | None
    change: str
    after: str | None


@dataclass(frozen=True, slots=True)
class Preview:
    """What approving would do now: accounts before and after, or why a rule refuses it."""

    changes: tuple[ChangeRow, ...]
    about: tuple[EntryRow, ...]
    refused: Told | None


@router.get("/staff/proposals")
def proposals(
    request: Request,
    session: SessionOf,
    status: Annotated[Status, Query()] = "open",
    before: Annotated[int | None, Query(ge=1, le=NUMBER_MAX)] = None,
) -> Response:
    """Proposals of one status, newest first."""
    translator = translator_of(request)
    page = get_book(request).proposals.latest(PROPOSALS_PER_PAGE, before=before, status=status)
    values = {
        "rows": [row_of(one, translator) for one in page.proposals],
        "status": status,
        "statuses": STATUSES,
        "older": page.before,
    }
    return render_staff(request, session, "staff/proposals.html", values=values)


@router.get("/staff/proposals/{number}")
def proposal(request: Request, session: SessionOf, number: Number) -> Response:
    """One proposal in full, with what would change."""
    return _show(request, session, number)


@router.post("/staff/proposals/{number}/approve")
def approve(request: Request, session: SessionOf, form: FormOf, number: Number) -> Response:
    """Record it; sending it again shows the same entry."""
    proposals = get_book(request).proposals
    found = proposals.read(number)
    try:
        check_roles(found.body, Person(found.proposed_by, Role(found.role)), session.person)
        done = proposals.approve(number, person=session.person.id)
        recorded = Deadline(request.app).wait(done)
    except LedgerError as error:
        return _show(request, session, number, error=error)
    return go_to(f"/staff/recorded/{recorded.index}{'?again=1' if recorded.replayed else ''}")


@router.post("/staff/proposals/{number}/reject")
def reject(request: Request, session: SessionOf, form: FormOf, number: Number) -> Response:
    """Refuse it with a reason, or take one's own back."""
    reason = form.get("reason")
    try:
        reject_proposal(get_book(request).proposals, number, session.person, reason)
    except LedgerError as error:
        return _show(request, session, number, error=error, reason=reason)
    return go_to(f"/staff/proposals/{number}")


def row_of(one: Proposal, translator: Translator) -> ProposalRow:
    """A proposal for a list."""
    return ProposalRow(
        one.number,
        kind_title(str(one.body["kind"]), translator),
        one.proposed_by,
        one.created_at,
        format_instant(one.created_at),
        one.status,
    )


def _show(
    request: Request,
    session: Session,
    number: int,
    *,
    error: LedgerError | None = None,
    reason: str = "",
) -> Response:
    translator = translator_of(request)
    book = get_book(request)
    found = book.proposals.read(number)
    own = found.proposed_by == session.person.id
    kind = KIND_BY_NAME[str(found.body["kind"])]
    sealed = found.body.get("sealed") or {}
    with book.store.read() as reader:
        directory = Directory(reader, translator)
        entry = _as_entry(found)
        public = field_rows(entry, entry.fields, directory, translator)
        visible = own or session.person.role in OPENERS
        personal = field_rows(entry, sealed, directory, translator) if visible else ()
        preview = None
        if found.status == "open":
            preview = _preview(reader, book, found, directory, translator)
    status, problems = (200, []) if error is None else told(error)
    values = {
        "proposal": found,
        "row": row_of(found, translator),
        "title": kind_title(kind.name, translator),
        "public": public,
        "documents": entry.documents,
        "personal": personal,
        "sealed_hidden": bool(sealed) and not visible,
        "preview": preview,
        "own": own,
        "may_approve": session.person.role in kind.approvers and not own,
        "reason": reason,
        "reason_most": REASON_CHARS_MAX,
        "problems": [
            ("reason" if reason or one.path == "reason" else "decide", tell(one, None, translator))
            for one in problems
        ],
        "expires": format_instant(found.expires_at),
        "decided": format_instant(found.decided_at) if found.decided_at else "",
    }
    return render_staff(request, session, "staff/proposal.html", values=values, status=status)


def _as_entry(found: Proposal, size: int = 0) -> Entry:
    """A proposal's record in the form of an entry that is not there yet."""
    body = found.body
    return Entry(
        index=size,
        previous="",
        recorded_at=found.created_at,
        occurred_on=str(body["occurred_on"]),
        recorded_by=found.proposed_by,
        approved_by=None,
        kind=str(body["kind"]),
        fields=body["fields"],
        sealed=dict.fromkeys(body.get("sealed") or {}, ""),
        postings=(),
        references=(),
        documents=body.get("documents", ()),
    )


def _preview(
    reader: Reader, book: Book, found: Proposal, directory: Directory, translator: Translator
) -> Preview:
    """Ask the kind's own rules what it would do on the ledger as it is."""
    kind = KIND_BY_NAME[str(found.body["kind"])]
    head = reader.head()
    record: Any = record_model(kind).model_validate(found.body)
    draft: Draft[Any] = Draft(
        index=head.size if head else 0,
        fields=record.fields,
        sealed=frozenset(found.body.get("sealed") or {}),
        occurred_on=record.occurred_on,
        recorded_on=book.today(),
        recorded_by=found.proposed_by,
        approved_by="",
        documents=record.documents,
    )
    try:
        plan = kind.plan(draft, State(reader))
    except LedgerError as error:
        _, problems = told(error)
        return Preview((), (), tell(problems[0], None, translator))
    totals: dict[tuple[str, str], int] = {}
    for move in plan.moves:
        for account, amount in ((move.source, -move.amount), (move.target, move.amount)):
            totals[move.asset, account] = totals.get((move.asset, account), 0) + amount
    changes = [
        _change(reader, directory, asset, account, amount)
        for (asset, account), amount in list(totals.items())[:MOVES_SHOWN]
    ]
    about = [
        entry_row(parse_entry(reader.entry(index)), reader, directory, translator)
        for index in list(plan.references)[:REFERENCES_SHOWN]
    ]
    return Preview(tuple(changes), tuple(about), None)


def _change(
    reader: Reader, directory: Directory, asset: str, account: str, amount: int
) -> ChangeRow:
    shown = directory.amount(asset, abs(amount))
    sign = "−" if amount < 0 else "+"
    now = after = None
    if not is_world(account):
        total = reader.account_total(asset, account)
        held = 0 if total is None else total.held
        now = directory.amount(asset, held).number
        after = directory.amount(asset, held + amount).number
    unit = shown.unit if shown.item is None else f"{shown.unit} {shown.item.name}"
    return ChangeRow(directory.account(account), unit, now, f"{sign}{shown.number}", after)
