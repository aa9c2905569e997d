"""The pages' addresses: each route reads one snapshot and renders one template.

Routes are plain functions, which FastAPI runs in threads: reading the database and
rendering never hold up the event loop.
"""

from __future__ import annotations

from typing import Annotated

import orjson
from fastapi import APIRouter, Path, Query, Request
from starlette.responses import HTMLResponse, Response

from api.answers import IMMUTABLE, answer_cached
from api.dependencies import (
    CODE_PATTERN,
    BookOf,
    IndexInPath,
    get_statistics,
)
from api.pages.annotations import find_annotations
from api.pages.assets import find_asset
from api.pages.corrections import BLANK, correction_view, use_rows
from api.pages.directory import Directory
from api.pages.endpoints import list_endpoints
from api.pages.entries import entry_row, entry_view, find_referrers, reversed_by
from api.pages.kinds import find_kind, kind_title, list_kinds
from api.pages.page import render, render_error, snapshot_log, translator_of
from api.pages.registers import Registers
from api.pages.statistics import ROWS_MAX, statistics_names
from api.pages.things import points_sums, time_sums
from api.pages.unspent import find_unspent
from api.pages.verifier import saved_page
from api.pages.whereabouts import find_whereabouts
from ledger.correction import corrections_of, replaced_by, replaces
from ledger.entry import parse_entry
from ledger.flows import REVERSAL
from ledger.records.corrections import holds_something

__all__ = ["render_error", "router"]

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
static_router = APIRouter(include_in_schema=False)
"""What pages ask for, whatever state the log is in."""

LATEST = 10
"""Entries on the home page."""
ROWS = 30
"""Funds, projects and goods on the home page; the lists have all."""

AfterCode = Annotated[str | None, Query(pattern=CODE_PATTERN)]


@router.get("/")
def home(request: Request, book: BookOf) -> Response:
    """What this is, the log's state, every register's totals, the latest entries."""
    translator = translator_of(request)
    with book.store.read() as reader:
        log = snapshot_log(book, reader)
        directory = Directory(reader, translator)
        registers = Registers(reader, directory, ROWS)
        rows = [
            entry_row(parse_entry(data), reader, directory, translator)
            for data in reversed(reader.entries(max(0, log.size - LATEST), log.size))
        ]
        values = {
            "sums": registers.in_all(),
            "funds": registers.funds(),
            "projects": registers.projects(),
            "items": registers.items(),
            "shops": registers.shops(),
            "rules": registers.points_rules(),
            "points": points_sums(reader, book.today()),
            "minutes": time_sums(reader),
            "entries": rows,
        }
    return render(request, "home.html", log=log, values=values)


@router.get("/entries/{index}")
def entry(request: Request, book: BookOf, index: IndexInPath) -> Response:
    """One entry: fields, movements, where its units went and came from, proof."""
    translator = translator_of(request)
    with book.store.read() as reader:
        log = snapshot_log(book, reader)
        data = reader.entry(index)
        hidden = reader.object(f"hidden/{index}")
        erased = reader.object(f"erased/{index}")
        corrections = corrections_of(reader, index)
        replacements, replaced = replaced_by(reader, index), replaces(reader, index)
        directory = Directory(reader, translator)
        parsed = parse_entry(data)
        view = entry_view(parsed, data, reader, directory, translator)
        forward = find_whereabouts(reader, index, "forward", directory, translator)
        backward = find_whereabouts(reader, index, "backward", directory, translator)
        unspent = find_unspent(parsed, forward, reader, directory, book.today())
        annotations = find_annotations(parsed, reader, translator)
        referrers, more = find_referrers(index, reader)
    values = {
        "entry": view,
        "hidden_by": None if hidden is None else orjson.loads(hidden)["entry"],
        "erased_by": None if erased is None else orjson.loads(erased)["entry"],
        "walks": (forward, backward),
        "unspent": unspent,
        "annotations": annotations,
        "corrections": corrections,
        "holds_something": holds_something(parsed),
        "replaced_by": replacements,
        "replaces": replaced,
        "referrers": [(number, kind_title(kind, translator)) for number, kind in referrers],
        "referrers_more": more,
        # Another snapshot, but of this size, so it proves what the page shows.
        "proof": book.inclusion(index, log.size),
    }
    return render(request, "entry.html", log=log, values=values)


@router.get("/entries/{index}/correction")
def correction(request: Request, book: BookOf, index: IndexInPath) -> Response:
    """A correction: both sides, the drafted notice; and what rests on the entry."""
    translator = translator_of(request)
    with book.store.read() as reader:
        log = snapshot_log(book, reader)
        view = correction_view(reader, index, log.origin, log.organisation, translator)
        uses, truncated = use_rows(reader, index, translator)
        corrected = parse_entry(reader.entry(index))
        can_be_reversed = (
            corrected.kind != REVERSAL
            and holds_something(corrected)
            and reversed_by(index, reader) is None
        )
    values = {
        "index": index,
        "view": view,
        "blank_line": BLANK,
        "can_be_reversed": can_be_reversed,
        "uses": uses,
        "uses_truncated": truncated,
    }
    return render(request, "correction.html", log=log, values=values)


@router.get("/statistics")
def statistics(request: Request, book: BookOf) -> Response:
    """Sums over the whole ledger, small groups of persons hidden."""
    translator = translator_of(request)
    with book.store.read() as reader:
        log = snapshot_log(book, reader)
        found = get_statistics(request).of(reader, book.today())
        directory = Directory(reader, translator)
        names = statistics_names(found, directory, translator)
    least = None if found.rule is None else found.rule["statistics"]["group_min"]
    values = {"statistics": found, "rule": found.rule, "least": least, "names": names}
    values["rows_max"] = ROWS_MAX
    return render(request, "statistics.html", log=log, values=values)


@router.get("/how")
def how(request: Request, book: BookOf) -> Response:
    """How to verify, what is checked, and what a proof cannot show."""
    with book.store.read() as reader:
        log = snapshot_log(book, reader)
    site = str(request.base_url).rstrip("/")
    values = {"site": site, "saved_sha256": saved_page().sha256}
    return render(request, "how.html", log=log, values=values)


@router.get("/kinds")
def kinds(request: Request) -> Response:
    """Every kind of record."""
    listed = list_kinds(translator_of(request))
    return render(request, "kinds.html", log=None, values={"kinds": listed})


@router.get("/kinds/{name}")
def kind(request: Request, name: Annotated[str, Path(max_length=80)]) -> Response:
    """One kind of record: its fields, who may record it, an example."""
    found = find_kind(name, translator_of(request))
    return render(request, "kind.html", log=None, values={"kind": found})


@router.get("/docs")
def docs(request: Request) -> Response:
    """The paths for programs."""
    listed = list_endpoints(request.app.openapi())
    return render(request, "docs.html", log=None, values={"endpoints": listed})


@static_router.get("/static/{digest}/{name:path}")
def static(
    request: Request,
    digest: Annotated[str, Path(max_length=64)],
    name: Annotated[str, Path(max_length=100)],
) -> Response:
    """A file that pages ask for; its address is its content's hash, so it never changes."""
    found = find_asset(digest, name)
    return answer_cached(request, found.data, media_type=found.media_type, cache=IMMUTABLE)
