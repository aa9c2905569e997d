"""The addresses by which readers find things: the search box, the list of entries, the keys."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.answers import PRIVATE
from api.dependencies import CODE_PATTERN, INDEX_MAX, BookOf
from api.pages.csv_file import ROWS_MAX, csv_answer
from api.pages.directory import Directory
from api.pages.entries import entry_row
from api.pages.kinds import kind_title
from api.pages.listing import LOOKED_AT_MAX, Filters, find_entries
from api.pages.navigation import SHORTCUTS
from api.pages.page import render, snapshot_log, translator_of
from api.pages.search import TEXT_MAX, Findings, locator_entry, search
from api.pages.texts import Translator
from ledger.day import parse_day
from ledger.entry import Entry
from ledger.records.catalog import KINDS

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

KIND_PATTERN = r"^[a-z]+\.[a-z]+$|^$"
Code = Annotated[str, Query(pattern=rf"{CODE_PATTERN}|^$", max_length=80)]
Day = Annotated[str, Query(max_length=10)]
Before = Annotated[int | None, Query(ge=0, le=INDEX_MAX)]


@router.get("/search")
def search_page(
    request: Request, book: BookOf, q: Annotated[str, Query(max_length=TEXT_MAX)] = ""
) -> Response:
    """What the typed text is, and what was found."""
    translator = translator_of(request)
    with book.store.read() as reader:
        log = snapshot_log(book, reader)
        index = locator_entry(q, log.origin)
        if index is not None:
            # A locator may hold a seed: on to the entry, and nothing of it on any page.
            return RedirectResponse(f"/entries/{index}", 303, {"cache-control": PRIVATE})
        found = Findings()
        if q.strip():
            found = search(
                q,
                reader=reader,
                leaves=book.store.leaves,
                origin=log.origin,
                size=log.size,
                directory=Directory(reader, translator),
                translator=translator,
            )
    values = {"typed": q.strip(), "found": found}
    return render(request, "search.html", log=log, values=values)


def _filters(
    kind: Annotated[str, Query(pattern=KIND_PATTERN, max_length=80)] = "",
    fund: Code = "",
    project: Code = "",
    item: Code = "",
    site: Code = "",
    party: Code = "",
    recorded_from: Annotated[str, Query(alias="from", max_length=10)] = "",
    recorded_to: Annotated[str, Query(alias="to", max_length=10)] = "",
) -> Filters:
    """What the address narrows the list to.

    Raises:
        MalformedError: a day that is none.
    """
    about = (
        ("fund", fund),
        ("project", project),
        ("item", item),
        ("site", site),
        ("party", party),
    )
    return Filters(
        kind,
        tuple(pair for pair in about if pair[1]),
        parse_day(recorded_from, "from") if recorded_from else "",
        parse_day(recorded_to, "to") if recorded_to else "",
    )


FiltersOf = Annotated[Filters, Depends(_filters)]


@router.get("/entries")
def entries(request: Request, book: BookOf, filters: FiltersOf, before: Before = None) -> Response:
    """Entries, newest first, all or some; `before` leads on to older ones."""
    translator = translator_of(request)
    with book.store.read() as reader:
        log = snapshot_log(book, reader)
        directory = Directory(reader, translator)
        found = find_entries(reader, log.size, filters, before=before)
        rows = [entry_row(one, reader, directory, translator) for one in found.entries]
        about = [
            (translator.word("family", family), directory.place(family, code))
            for family, code in filters.about
        ]
    kinds = [(kind.name, kind_title(kind.name, translator)) for kind in KINDS]
    turned = bool(filters.recorded_from) and "" < filters.recorded_to < filters.recorded_from
    errors = [("to", translator.text("entries.wrong_order"))] if turned else []
    values = {
        "errors": errors,
        "entries": rows,
        "filters": filters,
        "about": about,
        "kinds": kinds,
        "older": None if found.before is None else filters.query(before=found.before),
        "looked_at_all": found.looked_at_all,
        "looked_at_max": LOOKED_AT_MAX,
        "newest": before is None or before >= log.size,
        "csv": filters.query(before=before),
        "csv_max": ROWS_MAX,
    }
    return render(request, "entries.html", log=log, values=values, status=400 if turned else 200)


@router.get("/entries.csv")
def entries_csv(
    request: Request, book: BookOf, filters: FiltersOf, before: Before = None
) -> Response:
    """The same list as a file, at most `ROWS_MAX` rows of it."""
    translator = translator_of(request)
    with book.store.read() as reader:
        size = snapshot_log(book, reader).size
        directory = Directory(reader, translator)
        found = find_entries(reader, size, filters, before=before, limit=ROWS_MAX)
        rows = [row for one in found.entries for row in _csv_rows(one, directory, translator)]
    heads = [translator.text(f"csv.{name}") for name in _CSV]
    older = None if found.before is None else filters.query(before=found.before)
    following = None if older is None else f"/entries.csv{older}"
    more = "" if following is None else translator.text("csv.more", path=following)
    return csv_answer("entries.csv", heads, rows, more=more, next_path=following)


_CSV = (
    "entry",
    "title",
    "kind",
    "occurred_on",
    "recorded_at",
    "recorded_by",
    "asset",
    "amount",
    "from",
    "to",
)


def _csv_rows(
    entry: Entry, directory: Directory, translator: Translator
) -> list[tuple[str | int, ...]]:
    """An entry as rows: one for each movement, one where it moved nothing."""
    head = (
        entry.index,
        kind_title(entry.kind, translator),
        entry.kind,
        entry.occurred_on,
        entry.recorded_at,
        entry.recorded_by,
    )
    if not entry.postings:
        return [(*head, "", "", "", "")]
    return [
        (
            *head,
            one["asset"],
            one["amount"],
            directory.account(one["from"]).name,
            directory.account(one["to"]).name,
        )
        for one in entry.postings
    ]


@router.get("/keys")
def keys(request: Request) -> Response:
    """The keyboard shortcuts."""
    return render(request, "keys.html", log=None, values={"shortcuts": SHORTCUTS})
