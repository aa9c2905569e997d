"""Record anything: the list of kinds, and a form for each, made from its schema."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import HTMLResponse, Response

from api.dependencies import INDEX_MAX, get_book
from api.forms import FormOf, SessionOf, require_role
from api.pages.kinds import kind_title
from api.pages.page import translator_of
from api.pages.staff.fields import RecordForm, form_of, leaves
from api.pages.staff.frame import render_staff
from api.pages.staff.recording import Desk, Draft, new_key, show, take
from api.pages.staff.typed import Values, write_values
from ledger.book import Book
from ledger.errors import NotFoundError
from ledger.records.catalog import KINDS
from ledger.records.kind import Role

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

KIND_CHARS_MAX = 80
PREFILL_CHARS_MAX = 200
"""A field that a link fills in."""

Name = Annotated[str, Path(max_length=KIND_CHARS_MAX)]
Like = Annotated[int | None, Query(ge=0, le=INDEX_MAX)]


@dataclass(frozen=True, slots=True)
class KindRow:
    """A kind in the list."""

    name: str
    title: str
    needs_approval: bool


@router.get("/staff/record")
def kinds(request: Request, session: SessionOf) -> Response:
    """The kinds that this person may record, by family."""
    translator = translator_of(request)
    rows = [
        KindRow(kind.name, kind_title(kind.name, translator), bool(kind.approvers))
        for kind in KINDS
        if session.person.role in kind.recorders
    ]
    families: dict[str, list[KindRow]] = {}
    for family, some in groupby(rows, key=lambda row: row.name.partition(".")[0]):
        families.setdefault(family, []).extend(some)
    values = {"families": families}
    return render_staff(request, session, "staff/kinds.html", values=values)


@router.get("/staff/record/{name}")
def form(request: Request, session: SessionOf, name: Name, like: Like = None) -> Response:
    """The form of a kind, perhaps with what an earlier entry or a link says."""
    desk = desk_of(name)
    require_role(session, *desk.form.kind.recorders)
    return show(request, session, desk, Draft(first_values(request, desk.form, like), new_key()))


@router.post("/staff/record/{name}")
def send(request: Request, session: SessionOf, posted: FormOf, name: Name) -> Response:
    """Record it, or propose it."""
    desk = desk_of(name)
    require_role(session, *desk.form.kind.recorders)
    return take(request, session, posted, desk)


def desk_of(name: str) -> Desk:
    """Where a kind is recorded by its schema's form."""
    return Desk(f"/staff/record/{form_of(name).kind.name}", "staff/record.html", name)


def first_values(request: Request, form: RecordForm, like: int | None = None) -> Values:
    """What a fresh form has: today, defaults, what `like` or the link gives; nothing sealed."""
    book = get_book(request)
    values = {} if like is None else like_entry(book, form, like)
    values.setdefault("occurred_on", book.today())
    known = {f"fields.{part.name}" for part in form.public.parts for _ in leaves(part)}
    for name, text in request.query_params.items():
        if name in known and len(text) <= PREFILL_CHARS_MAX:
            values[name] = text
    return values


def like_entry(book: Book, form: RecordForm, index: int) -> Values:
    """The public fields of an entry of the same kind; its day and its persons are not taken.

    Raises:
        NotFoundError: no such entry, it is of another kind, or its content is hidden.
    """
    _, entry = book.entry(index)
    with book.store.read() as reader:
        hidden = reader.object(f"hidden/{index}") is not None
    if entry.kind != form.kind.name or hidden:
        raise NotFoundError(
            f"entry {index} is no {form.kind.name} that can be shown; open an empty form",
            code="no_kind",
        )
    return write_values(form, {"fields": entry.fields})


def may_record(role: Role, kind: str) -> bool:
    """Whether a role has the form of a kind."""
    return role in form_of(kind).kind.recorders
