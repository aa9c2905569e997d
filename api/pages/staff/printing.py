"""Receipts to print: many at once, by the day on which they were recorded or by number."""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, Response

from api.answers import PRIVATE
from api.dependencies import IndexInPath, get_book
from api.forms import Form, FormOf, SessionOf, require_role
from api.pages.language import language_of
from api.pages.page import translator_of
from api.pages.staff.frame import render_staff
from api.pages.staff.recorded import GIFTS
from api.pages.staff.recording import told
from api.pages.staff.sheet import tell
from api.pages.staff.typed import Problem
from api.receipts_pdf.bundle import parse_spans
from api.receipts_pdf.typesetting import PAPERS_MAX
from api.routes.printed import PRINT_MAX, PrintRequest, answer_many, answer_pdf, limiter_of
from api.sessions import Session
from ledger.book import Book
from ledger.day import CHINA, parse_day
from ledger.entry import parse_entry
from ledger.errors import LedgerError, MalformedError
from ledger.records.kind import OPENERS
from ledger.store import Reader

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

PATH = "/staff/receipts"
SPANS_CHARS_MAX = 2000
DAY_ENTRIES_MAX = 20_000
"""Entries of one day that are looked through for gifts; a busier day is printed by number."""

_SEPARATOR = re.compile(r"[,，、\s]+")


@router.get(PATH)
def receipts(
    request: Request,
    session: SessionOf,
    entries: Annotated[str, Query(max_length=SPANS_CHARS_MAX)] = "",
) -> Response:
    """Choose what to print; a link may name the entries."""
    require_role(session, *OPENERS)
    day = "" if entries else get_book(request).today()
    return _page(request, session, {"day": day, "entries": entries, "form": "pdf"})


@router.post(f"{PATH}/print")
async def print_many(request: Request, session: SessionOf, form: FormOf) -> Response:
    """One PDF for the printer, or a ZIP with each receipt's PDF and proof file."""
    require_role(session, *OPENERS)
    values = {name: form.get(name) for name in ("day", "entries", "form")}
    try:
        indices = await run_in_threadpool(_chosen, get_book(request), form)
        asked = PrintRequest(
            entries=[str(one) for one in indices],
            form="zip" if values["form"] == "zip" else "pdf",
            reveal="all",
            lang=language_of(request),
        )
        return await answer_many(request, get_book(request), indices, asked)
    except LedgerError as error:
        status, problems = told(error)
        return await run_in_threadpool(_page, request, session, values, problems, status)


@router.get(f"{PATH}/{{index}}.pdf")
async def print_one(request: Request, session: SessionOf, index: IndexInPath) -> Response:
    """The receipt of one entry with its personal fields, for who may see them."""
    book = get_book(request)

    def make() -> Response:
        opened = session.person.role in OPENERS and book.opening(index) is not None
        return answer_pdf(request, book, index, "all" if opened else "none", language_of(request))

    answer = await to_thread.run_sync(make, limiter=limiter_of(request))
    answer.headers["cache-control"] = PRIVATE
    return answer


def _page(
    request: Request,
    session: Session,
    values: dict[str, str],
    problems: list[Problem] | None = None,
    status: int = 200,
) -> Response:
    translator = translator_of(request)
    errors = {one.path or "entries": tell(one, None, translator) for one in problems or ()}
    more = {"values": values, "errors": errors, "most": PRINT_MAX, "pdf_most": PAPERS_MAX}
    return render_staff(request, session, "staff/printing.html", values=more, status=status)


def _chosen(book: Book, form: Form) -> list[int]:
    """The entries that were asked for.

    Raises:
        MalformedError: neither a day nor numbers, or too much at once.
    """
    most = PRINT_MAX if form.get("form") == "zip" else PAPERS_MAX
    text = form.get("entries")[:SPANS_CHARS_MAX]
    if text:
        return parse_spans([one for one in _SEPARATOR.split(text) if one], most)
    if not form.get("day"):
        raise MalformedError("expected a day or numbers", code="nothing_chosen", field="entries")
    day = parse_day(form.get("day"), "day")
    with book.store.read() as reader:
        found = gifts_of_day(reader, day)
    if not found:
        raise MalformedError("no gift was recorded on that day", code="no_gifts", field="day")
    if len(found) > most:
        raise MalformedError(
            f"{len(found)} gifts were recorded on that day, {most} are printed at once: print "
            f"them by number, from {found[0]} to {found[-1]}",
            code="too_many_receipts",
            field="day",
        )
    return found


def gifts_of_day(reader: Reader, day: str) -> list[int]:
    """The gifts recorded on a day (Asia/Shanghai), rising.

    Raises:
        MalformedError: more entries that day than are looked through.
    """
    begins = dt.datetime.fromisoformat(day).replace(tzinfo=CHINA)
    first = _first_since(reader, begins)
    end = _first_since(reader, begins + dt.timedelta(days=1))
    if end - first > DAY_ENTRIES_MAX:
        raise MalformedError(
            f"expected at most {DAY_ENTRIES_MAX} entries of one day, there are {end - first}; "
            f"print them by number, from {first} to {end - 1}",
            code="too_many_receipts",
            field="day",
        )
    entries = (parse_entry(data) for data in reader.entries(first, end))
    return [entry.index for entry in entries if entry.kind in GIFTS]


def _first_since(reader: Reader, moment: dt.datetime) -> int:
    """The first entry recorded at a moment or later; times never go back, so it is bisected."""
    head = reader.head()
    low, high = 0, head.size if head else 0
    while low < high:
        middle = (low + high) // 2
        recorded_at = parse_entry(reader.entry(middle)).recorded_at
        if dt.datetime.fromisoformat(recorded_at) < moment:
            low = middle + 1
        else:
            high = middle
    return low
