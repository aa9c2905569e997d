"""Today: what waits for somebody, and where a working day begins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from api.dependencies import get_board, get_book
from api.forms import SessionOf
from api.imports.desk import Desk
from api.pages.audit.attention import ItemView, item_view
from api.pages.directory import Directory
from api.pages.entries import EntryRow, entry_row
from api.pages.page import log_state, translator_of
from api.pages.staff.bank_views import BankRow, bank_row, newest_statements
from api.pages.staff.desks import desks_of
from api.pages.staff.frame import render_staff
from api.pages.staff.import_views import asking
from api.pages.staff.proposals import row_of
from api.pages.texts import Translator
from api.sessions import HOME
from ledger.attention import Board
from ledger.entry import parse_entry
from ledger.errors import NotFoundError
from ledger.records.kind import OPENERS, Role
from ledger.store import Reader

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

WAITING_SHOWN = 10
"""Proposals that the page names; the list has the others."""
FLAGS_SHOWN = 6
"""Things of each group that the page names; the others are counted."""
OWN_LOOKED_AT = 500
"""So many of the newest entries are looked at for one's own."""
OWN_SHOWN = 10
IMPORTS_SHOWN = 10

GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "deadlines",
        (
            "project_report_overdue",
            "emergency_use_overdue",
            "campaign_disclosure_overdue",
            "leftover_unassigned",
            "annual_report_overdue",
            "major_change_undisclosed",
        ),
    ),
    ("stock", ("stock_expired", "stock_short_dated", "transit_long", "handover_differs")),
    ("points", ("points_past_expiry", "points_expiring")),
)
"""What the staff looks at every day; the auditor's list has everything."""
FIRST_GROUP: Mapping[Role, str] = {Role.WAREHOUSE: "stock", Role.SHOP: "points"}
"""Whose day begins with something else than deadlines: on a phone the rest is far below."""


@dataclass(frozen=True, slots=True)
class ItemGroup:
    """The open items of one group: the first ones, and how many there are."""

    name: str
    flags: tuple[ItemView, ...]
    total: int


@router.get(HOME)
def today(request: Request, session: SessionOf) -> Response:
    """What waits, and where to begin."""
    translator = translator_of(request)
    book = get_book(request)
    waiting = book.proposals.latest(WAITING_SHOWN + 1, status="open")
    with book.store.read() as reader:
        head = reader.head()
        if head is None:
            raise NotFoundError("the log is empty")
        log = log_state(book, head)
        directory = Directory(reader, translator)
        board = get_board(request).of(reader)
        groups = list(_groups(board, session.person.role, directory, translator))
        own = _own(reader, log.size, session.person.id, directory, translator)
        bank = _bank(reader) if session.person.role in OPENERS else []
    proposals = [row_of(one, translator) for one in waiting.proposals]
    values = {
        "desks": desks_of(session.person.role),
        "imports": asking(Desk(book), IMPORTS_SHOWN) if session.person.role in OPENERS else [],
        "proposals": proposals[:WAITING_SHOWN],
        "proposals_more": len(proposals) > WAITING_SHOWN or waiting.before is not None,
        "groups": groups,
        "board_last": board.size - 1,
        "own": own,
        "looked_at": OWN_LOOKED_AT,
        "bank": bank,
        "day": book.today(),
    }
    return render_staff(request, session, "staff/today.html", values=values, log=log)


def _groups(
    board: Board, role: Role, directory: Directory, translator: Translator
) -> Iterator[ItemGroup]:
    first = FIRST_GROUP.get(role)
    for name, codes in sorted(GROUPS, key=lambda group: group[0] != first):
        items = [one for one in board.items if one.code in codes and one.disposition is None]
        flags = tuple(item_view(one, directory, translator) for one in items[:FLAGS_SHOWN])
        yield ItemGroup(name, flags, len(items))


def _own(
    reader: Reader, size: int, person: str, directory: Directory, translator: Translator
) -> list[EntryRow]:
    """What this person recorded or approved last."""
    found: list[EntryRow] = []
    for data in reversed(reader.entries(max(0, size - OWN_LOOKED_AT), size)):
        entry = parse_entry(data)
        if person in (entry.recorded_by, entry.approved_by):
            found.append(entry_row(entry, reader, directory, translator))
            if len(found) == OWN_SHOWN:
                break
    return found


def _bank(reader: Reader) -> list[BankRow]:
    """The newest statement of each account with lines that wait for their gifts."""
    rows = (bank_row(reader, entry) for entry in newest_statements(reader))
    return [row for row in rows if row.unmatched_fen]
