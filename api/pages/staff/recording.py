"""From a posted form to an entry: read it, warn, record or propose it, or show it again.

Whatever goes wrong, the form comes back with everything that was typed, each error at its
field. The idempotency key is minted when a form is drawn and kept while it is mended, so a
repeated tap, a reload or a second try after an uncertain answer records once.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from api.auth import Person, Tokens
from api.dependencies import get_book
from api.forms import Form
from api.pages.kinds import kind_title
from api.pages.page import translator_of
from api.pages.staff.balances import find_balance
from api.pages.staff.duplicates import Likeness, find_likenesses
from api.pages.staff.fields import RecordForm, form_of
from api.pages.staff.frame import go_to, render_staff
from api.pages.staff.sheet import TOKEN, Drawer, bare, problems_of
from api.pages.staff.suggestions import find_suggestions
from api.pages.staff.typed import (
    Problem,
    Values,
    add_row,
    read_body,
    read_values,
    remove_row,
)
from api.problems import problem_of
from api.routes.entries import check_roles
from api.sessions import Session
from api.witnessed import Deadline
from ledger.book import Book
from ledger.errors import FatalError, LedgerError, MalformedError
from ledger.recorded import Recorded
from ledger.records.request import prepare

KEY = "key"
CHECKED = "checked"
DO = "do"
PROPOSE = "propose"
LOOK = "look"
"""The button that shows the holder's balance and sends nothing."""

_KEY = re.compile(r"staff-[A-Za-z0-9_-]{22}")


@dataclass(frozen=True, slots=True)
class Desk:
    """A form's place: where it is posted to, how it is laid out, what it records.

    `extra` are the page's own fields, beside those of the record, and their labels' texts.
    """

    path: str
    template: str
    kind: str
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def form(self) -> RecordForm:
        """What it asks for."""
        return form_of(self.kind)


@dataclass(frozen=True, slots=True)
class Draft:
    """A form on its way: what was typed, under which key, and what is wrong so far."""

    values: Values
    key: str
    problems: Sequence[Problem] = ()
    likenesses: Sequence[Likeness] = ()
    status: int = 200


def new_key() -> str:
    """A fresh idempotency key, for one form."""
    return f"staff-{secrets.token_urlsafe(16)}"


def show(
    request: Request,
    session: Session,
    desk: Desk,
    draft: Draft,
    more: Mapping[str, Any] | None = None,
) -> Response:
    """The form as a page."""
    translator = translator_of(request)
    extra = {name: translator.text(key) for name, key in desk.extra.items()}
    drawn = Drawer(desk.form, draft.values, draft.problems, translator, extra).sheet()
    with get_book(request).store.read() as reader:
        suggestions = find_suggestions(drawn.families, reader, translator)
        day = get_book(request).today()
        balance = find_balance(reader, desk.kind, draft.values, day)
    values = {
        "desk": desk,
        "title": kind_title(desk.kind, translator),
        "sheet": drawn,
        "key": draft.key,
        "needs_approval": bool(desk.form.kind.approvers),
        "likenesses": draft.likenesses,
        "suggestions": suggestions,
        "balance": balance,
        **(more or {}),
    }
    return render_staff(request, session, desk.template, values=values, status=draft.status)


def take(
    request: Request,
    session: Session,
    posted: Form,
    desk: Desk,
    more: Mapping[str, Any] | None = None,
) -> Response:
    """A posted form: its rows changed, proposed, or recorded; else the form again.

    Args:
        more: What the desk's template shows besides.
    """
    key = given_key(posted)
    do = posted.get(DO)
    changed = change_rows(desk.form, posted, do)
    if changed is not None:
        return show(request, session, desk, Draft(changed, key), more)
    values = read_values(desk.form, posted)
    if do == LOOK:
        return show(request, session, desk, Draft(values, key), more)
    typed = read_body(desk.form, values)
    try:
        if do == PROPOSE:
            check_typed(request, session.person, typed.body, typed.problems)
            number = propose(request, session.person, typed.body, key)
            return go_to(f"/staff/proposals/{number}")
        approver = approver_of(request, desk.form, posted)
        check_typed(request, session.person, typed.body, typed.problems, approver)
        if posted.get(CHECKED) != key and not was_used(get_book(request), key):
            likenesses = find_likenesses(get_book(request), typed.body, translator_of(request))
            if likenesses:
                draft = Draft(values, key, likenesses=likenesses, status=409)
                return show(request, session, desk, draft, more)
        recorded = record(request, session.person, approver, typed.body, key)
    except LedgerError as error:
        status, problems = told(error, typed.problems)
        return show(request, session, desk, Draft(values, key, problems, status=status), more)
    again = "?again=1" if recorded.replayed else ""
    return go_to(f"/staff/recorded/{recorded.index}{again}")


def given_key(posted: Form) -> str:
    """The key that the form was drawn with.

    Raises:
        MalformedError: there is none, or not one of ours.
    """
    key = posted.get(KEY)
    if not _KEY.fullmatch(key):
        raise MalformedError(
            "expected the form as the page drew it; open the page again", code="malformed_form"
        )
    return key


def was_used(book: Book, key: str) -> bool:
    """Whether something was recorded under a key: then sending it again only tells what."""
    with book.store.read() as reader:
        return bool(reader.idempotency([key]))


def change_rows(form: RecordForm, posted: Form, do: str) -> Values | None:
    """The texts with a row more or less, where that was asked for."""
    what, _, path = do.partition(":")
    if what not in ("add", "remove"):
        return None
    values = read_values(form, posted, keep_rows=True)
    if what == "add":
        add_row(path, values)
    elif path.rpartition(".")[2].isdecimal():
        values = remove_row(path, values)
    return values


def approver_of(request: Request, form: RecordForm, posted: Form) -> Person | None:
    """The second person, by the token typed at the counter; None where the kind needs none.

    Raises:
        MalformedError: no token, or one that is not known.
    """
    if not form.kind.approvers:
        return None
    token = posted.get(TOKEN)
    if not token:
        raise MalformedError("expected a second person's token", code="token_missing", field=TOKEN)
    tokens: Tokens = request.app.state.tokens
    person = tokens.find(token)
    if person is None:
        raise MalformedError("the token is not known here", code="token_unknown", field=TOKEN)
    return person


def check_typed(
    request: Request,
    person: Person,
    body: Mapping[str, Any],
    problems: Sequence[Problem],
    approver: Person | None = None,
) -> None:
    """Refuse what is no record, with every error at once.

    Raises:
        LedgerError: the persons may not record it, or it is none.
    """
    check_roles(body, person, approver)
    prepare(
        body,
        key="check",
        recorded_by=person.id,
        approved_by=None if approver is None else approver.id,
        vault=get_book(request).vault,
    )
    if problems:
        # What could not be read was optional, so the record would do without it.
        raise MalformedError("a text could not be read", code="unreadable")


def propose(request: Request, person: Person, body: Mapping[str, Any], key: str) -> int:
    """Keep it for a second person; the proposal's number."""
    proposals = get_book(request).proposals
    proposal, _ = proposals.propose(dict(body), key=key, person=person.id, role=person.role)
    return proposal.number


def record(
    request: Request,
    person: Person,
    approver: Person | None,
    body: Mapping[str, Any],
    key: str,
) -> Recorded:
    """Append it and wait until it is finished.

    Raises:
        LedgerError: a rule refuses it, or the log takes nothing now.
    """
    book: Book = get_book(request)
    prepared = prepare(
        body,
        key=key,
        recorded_by=person.id,
        approved_by=None if approver is None else approver.id,
        vault=book.vault,
    )
    return Deadline(request.app).wait(book.sequencer.record(prepared))


def told(error: LedgerError, earlier: Sequence[Problem] = ()) -> tuple[int, list[Problem]]:
    """An error as a status and the form's problems; those of the form itself come first.

    Raises:
        FatalError: it is no person's to mend.
    """
    if isinstance(error, FatalError):
        raise error
    problem = problem_of(error, "")
    if error.code == "unreadable":
        return problem.status, list(earlier)
    if problem.errors and error.code == "invalid_record":
        return problem.status, [*earlier, *problems_of(problem.errors)]
    field = error.field or (TOKEN if error.code == "approver_role" else "")
    found = Problem(field, error.code, bare(error.message, field))
    return problem.status, [*earlier, found]
