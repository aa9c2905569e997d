"""After a record: the entry, what the service itself verified of it, and what to do next."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from api.dependencies import IndexInPath, get_book
from api.forms import SessionOf
from api.pages.directory import Directory
from api.pages.entries import entry_row
from api.pages.navigation import served_paths
from api.pages.page import log_state, translator_of
from api.pages.staff.balances import find_balance
from api.pages.staff.desks import path_of
from api.pages.staff.frame import render_staff
from api.pages.staff.record import may_record
from api.pages.texts import Translator
from ledger.correction import replaces
from ledger.entry import Entry
from ledger.errors import NotFoundError
from ledger.records.catalog import KIND_BY_NAME
from ledger.verdict import facts
from ledger.verify import verify_receipt

GIFTS = frozenset(("donation.money", "donation.goods"))
"""Kinds whose donor has a page."""

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/staff/recorded/{index}")
def recorded(
    request: Request, session: SessionOf, index: IndexInPath, again: bool = False
) -> Response:
    """The finished entry; `again` tells that it was recorded before, and once only."""
    translator = translator_of(request)
    book = get_book(request)
    receipt = book.receipt(index)
    verified = verify_receipt(receipt, book.verifier_keys)
    with book.store.read() as reader:
        head = reader.head()
        if head is None:
            raise NotFoundError("the log is empty")
        log = log_state(book, head)
        replaced = replaces(reader, index)
        fields = {f"fields.{name}": one for name, one in verified.entry.fields.items()}
        balance = find_balance(reader, verified.entry.kind, fields, book.today())
        row = entry_row(verified.entry, reader, Directory(reader, translator), translator)
    kind = verified.entry.kind
    known = kind in KIND_BY_NAME and may_record(session.person.role, kind)
    values = {
        "row": row,
        "entry": verified.entry,
        # Witnesses are the donor's to ask about, by a policy of their own.
        "facts": [one for one in facts(verified, translator.language) if one.holds is not None],
        "again": again,
        "another": path_of(kind) if known else None,
        "links": _links(request, verified.entry, translator),
        "replaced": replaced,
        "balance": balance,
    }
    return render_staff(request, session, "staff/recorded.html", values=values, log=log)


def _links(request: Request, entry: Entry, translator: Translator) -> list[tuple[str, str]]:
    """What to do next with the entry; only what this service has."""
    served = served_paths(request)
    found = [(f"/v1/entries/{entry.index}/receipt", "save")]
    if entry.kind in GIFTS:
        found.insert(0, (f"/staff/receipts/{entry.index}.pdf", "pdf"))
    if entry.kind in GIFTS and "/gifts/{index}" in served:
        found.append((f"/gifts/{entry.index}", "gift"))
    found.append((f"/staff/correct/{entry.index}", "correct"))
    found.append((f"/entries/{entry.index}", "page"))
    return [(href, translator.text(f"recorded.{name}")) for href, name in found]
