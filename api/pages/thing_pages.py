"""The addresses of funds, projects, goods and their lots, sites, parties, wishes and points."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse, Response

from api.dependencies import CODE_PATTERN, BookOf, CodeInPath, get_board
from api.pages.ages import unspent_ages
from api.pages.csv_file import csv_answer
from api.pages.directory import Directory
from api.pages.entries import entry_row
from api.pages.format import format_share
from api.pages.listing import Filters
from api.pages.page import render, snapshot_log, translator_of
from api.pages.points import prices_of, schedule_of
from api.pages.projects import find_latest, find_payments, find_reporting
from api.pages.registers import AMOUNTS, UNITS_IN, UNITS_OUT, ItemRow, Listing, MoneyRow, Registers
from api.pages.things import (
    LOT_LOOKED_AT,
    find_thing,
    holder_account,
    list_things,
    lot_entries,
    lot_sites,
    lots_of,
    points_sums,
    site_stock,
)
from api.pages.totals_picture import item_picture, money_picture
from ledger.errors import NotFoundError

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

LOT_CHARS_MAX = 120
AfterCode = Annotated[str | None, Query(pattern=CODE_PATTERN)]
State = Annotated[str, Query(pattern="^(open|closed)?$")]


@router.get("/funds")
def funds(request: Request, book: BookOf, after: AfterCode = None) -> Response:
    """The funds with their totals."""
    with book.store.read() as reader:
        log = snapshot_log(book, reader)
        listing = Registers(reader, Directory(reader, translator_of(request))).funds(after)
    return render(request, "funds.html", log=log, values={"funds": listing})


@router.get("/funds.csv")
def funds_csv(request: Request, book: BookOf, after: AfterCode = None) -> Response:
    """The same list as a file."""
    with book.store.read() as reader:
        listing = Registers(reader, Directory(reader, translator_of(request))).funds(after)
    return _money_csv(request, "funds", listing)


@router.get("/funds/{code}")
def fund(request: Request, book: BookOf, code: CodeInPath) -> Response:
    """One fund: what it is, its totals and their picture, what is unspent, its account."""
    translator = translator_of(request)
    about = ("fund", code)
    with book.store.read() as reader:
        log = snapshot_log(book, reader)
        directory = Directory(reader, translator)
        registers = Registers(reader, directory)
        row = registers.money("fund", code)
        values = {
            "fund": row,
            "statement": registers.statement("CNY", f"fund:{code}"),
            "picture": money_picture(row, row.balance, directory, translator),
            "ages": unspent_ages(reader, f"fund:{code}", row.balance, book.today()),
            "day": book.today(),
            "payments": find_payments(reader, log.size, about, directory, translator),
            "latest": find_latest(reader, log.size, about, directory, translator),
        }
    return render(request, "fund.html", log=log, values=values)


@router.get("/projects")
def projects(
    request: Request, book: BookOf, after: AfterCode = None, state: State = ""
) -> Response:
    """The projects with their totals; all, or those that are open, or closed."""
    with book.store.read() as reader:
        log = snapshot_log(book, reader)
        registers = Registers(reader, Directory(reader, translator_of(request)))
        listing = registers.projects(after, state)
    values = {"projects": listing, "state": state}
    return render(request, "projects.html", log=log, values=values)


@router.get("/projects.csv")
def projects_csv(
    request: Request, book: BookOf, after: AfterCode = None, state: State = ""
) -> Response:
    """The same list as a file."""
    with book.store.read() as reader:
        registers = Registers(reader, Directory(reader, translator_of(request)))
        listing = registers.projects(after, state)
    return _money_csv(request, "projects", listing, f"&state={state}" if state else "")


def _money_csv(request: Request, name: str, listing: Listing[MoneyRow], more: str = "") -> Response:
    translator = translator_of(request)
    # What a project has is in its fund's account, with other money: its page tells it.
    names = (*AMOUNTS, "balance") if name == "funds" else AMOUNTS
    heads = [translator.word("field", "code"), translator.text("search.name")]
    titles = {one: translator.text(f"money.{one}") for one in names}
    heads += [
        titles[one] if one == "gifts" else translator.text("csv.fen", name=titles[one])
        for one in names
    ]
    rows = [
        (row.thing["code"], row.place.name, *(getattr(row, one) for one in names))
        for row in listing.rows
    ]
    return _csv(request, name, heads, rows, listing.next, more)


def _csv(
    request: Request,
    name: str,
    heads: list[str],
    rows: list[tuple[str | int, ...]],
    following: str | None,
    more: str = "",
) -> Response:
    path = None if following is None else f"/{name}.csv?after={following}{more}"
    last = "" if path is None else translator_of(request).text("csv.more", path=path)
    return csv_answer(f"{name}.csv", heads, rows, more=last, next_path=path)


@router.get("/projects/{code}")
def project(request: Request, book: BookOf, code: CodeInPath) -> Response:
    """One project: target and totals, what is unspent, payments, reports and the next one."""
    translator = translator_of(request)
    about = ("project", code)
    with book.store.read() as reader:
        log = snapshot_log(book, reader)
        directory = Directory(reader, translator)
        registers = Registers(reader, directory)
        row = registers.money("project", code)
        held = registers.held_for(code, row.thing["fund"])
        account = f"fund:{row.thing['fund']}"
        target = row.thing.get("target_fen", 0)
        values = {
            "project": row,
            "fund": directory.place("fund", row.thing["fund"]),
            "held": held,
            "share": format_share(row.raised, target),
            "picture": money_picture(row, held, directory, translator),
            "ages": unspent_ages(reader, account, held, book.today(), label=code),
            "day": book.today(),
            "reporting": find_reporting(reader, code, row.thing, book.today()),
            "payments": find_payments(reader, log.size, about, directory, translator),
            "latest": find_latest(reader, log.size, about, directory, translator),
        }
    return render(request, "project.html", log=log, values=values)


@router.get("/items")
def items(request: Request, book: BookOf, after: AfterCode = None) -> Response:
    """The goods with their totals."""
    with book.store.read() as reader:
        log = snapshot_log(book, reader)
        listing = Registers(reader, Directory(reader, translator_of(request))).items(after)
    return render(request, "items.html", log=log, values={"items": listing})


@router.get("/items.csv")
def items_csv(request: Request, book: BookOf, after: AfterCode = None) -> Response:
    """The same list as a file."""
    translator = translator_of(request)
    with book.store.read() as reader:
        listing = Registers(reader, Directory(reader, translator)).items(after)
    names = (*UNITS_IN, *UNITS_OUT, "on_hand")
    heads = [translator.word("field", "code"), translator.text("item.name")]
    heads += [translator.text("item.unit"), *(translator.text(f"totals.{one}") for one in names)]
    rows = [_item_cells(row, names) for row in listing.rows]
    return _csv(request, "items", heads, rows, listing.next)


def _item_cells(row: ItemRow, names: tuple[str, ...]) -> tuple[str | int, ...]:
    counts = (int(getattr(row, one)) for one in names)
    return (row.thing["code"], row.place.name, row.thing["unit"], *counts)


@router.get("/items/{code}")
def item(
    request: Request,
    book: BookOf,
    code: CodeInPath,
    after: Annotated[str | None, Query(min_length=1, max_length=LOT_CHARS_MAX)] = None,
) -> Response:
    """One item: its units and packs, its totals, its lots, where its units are."""
    translator = translator_of(request)
    with book.store.read() as reader:
        log = snapshot_log(book, reader)
        directory = Directory(reader, translator)
        registers = Registers(reader, directory)
        row = registers.item(code)
        values = {
            "item": row,
            "stock": registers.stock(row),
            "picture": item_picture(row, directory, translator),
            "lots": lots_of(reader, code, after, directory),
            "latest": find_latest(reader, log.size, ("item", code), directory, translator),
        }
    return render(request, "item.html", log=log, values=values)


@router.get("/items/{code}/lot")
def lot(
    request: Request,
    book: BookOf,
    code: CodeInPath,
    label: Annotated[str, Query(min_length=1, max_length=LOT_CHARS_MAX)],
) -> Response:
    """One lot of an item: where it is or was, and what is recorded about it."""
    translator = translator_of(request)
    with book.store.read() as reader:
        log = snapshot_log(book, reader)
        directory = Directory(reader, translator)
        thing = find_thing(reader, "item", code)
        sites = lot_sites(reader, code, label, directory)
        if not sites:
            raise NotFoundError("no site ever had goods of this lot", code="no_such_lot")
        entries, whole = lot_entries(reader, log.size, code, label)
        values = {
            "item": directory.place("item", code),
            "unit": thing["unit"],
            "label": directory.label(f"item:{code}", label),
            "sites": sites,
            "latest": [entry_row(one, reader, directory, translator) for one in entries],
            "whole": whole,
            "looked_at": LOT_LOOKED_AT,
            "code": code,
        }
    return render(request, "lot.html", log=log, values=values)


@router.get("/sites")
def sites(request: Request, book: BookOf, after: AfterCode = None) -> Response:
    """Warehouses and charity supermarkets."""
    with book.store.read() as reader:
        log = snapshot_log(book, reader)
        listing = list_things(reader, "site", after, Directory(reader, translator_of(request)))
    return render(request, "sites.html", log=log, values={"sites": listing})


@router.get("/sites/{code}")
def site(request: Request, book: BookOf, code: CodeInPath, after: AfterCode = None) -> Response:
    """One site: its stock; of a charity supermarket, what was redeemed there."""
    translator = translator_of(request)
    with book.store.read() as reader:
        log = snapshot_log(book, reader)
        directory = Directory(reader, translator)
        values = {
            "thing": find_thing(reader, "site", code),
            "place": directory.place("site", code),
            "stock": site_stock(reader, code, after, directory),
            "shop": Registers(reader, directory).shop(code),
            "latest": find_latest(reader, log.size, ("site", code), directory, translator),
        }
    return render(request, "site.html", log=log, values=values)


@router.get("/parties")
def parties(request: Request, book: BookOf, after: AfterCode = None) -> Response:
    """Suppliers and organisations by name, persons by code."""
    with book.store.read() as reader:
        log = snapshot_log(book, reader)
        listing = list_things(reader, "party", after, Directory(reader, translator_of(request)))
    return render(request, "parties.html", log=log, values={"parties": listing})


@router.get("/parties/{code}")
def party(request: Request, book: BookOf, code: CodeInPath) -> Response:
    """One party: what was paid to it, the points and minutes of its code."""
    translator = translator_of(request)
    about = ("party", code)
    with book.store.read() as reader:
        log = snapshot_log(book, reader)
        directory = Directory(reader, translator)
        registers = Registers(reader, directory)
        values = {
            "thing": find_thing(reader, "party", code),
            "place": directory.place("party", code),
            "accounts": [
                (asset, account)
                for asset in ("points", "minutes")
                if (account := holder_account(reader, registers, asset, code, directory))
            ],
            "payments": find_payments(reader, log.size, about, directory, translator),
            "latest": find_latest(reader, log.size, about, directory, translator),
            "more": Filters(about=(about,)).query(),
        }
    return render(request, "party.html", log=log, values=values)


@router.get("/wishes")
def wishes(request: Request, book: BookOf, after: AfterCode = None) -> Response:
    """The micro wishes, by opaque code."""
    with book.store.read() as reader:
        log = snapshot_log(book, reader)
        listing = list_things(reader, "wish", after, Directory(reader, translator_of(request)))
    return render(request, "wishes.html", log=log, values={"wishes": listing})


@router.get("/wishes/{code}")
def wish(request: Request, book: BookOf, code: CodeInPath) -> Response:
    """One wish: what it is, how far it has come, which gift fulfilled it."""
    translator = translator_of(request)
    with book.store.read() as reader:
        log = snapshot_log(book, reader)
        directory = Directory(reader, translator)
        thing = find_thing(reader, "wish", code)
        claimant = thing.get("claimant")
        values = {
            "thing": thing,
            "claimant": None if claimant is None else directory.place("party", claimant),
        }
    return render(request, "wish.html", log=log, values=values)


@router.get("/points")
def points(request: Request, book: BookOf) -> Response:
    """Welfare points: sums, rules, when they run out, and what the shops have for them."""
    translator = translator_of(request)
    with book.store.read() as reader:
        log = snapshot_log(book, reader)
        directory = Directory(reader, translator)
        registers = Registers(reader, directory)
        values = {
            "sums": points_sums(reader, book.today()),
            "schedule": schedule_of(get_board(request), reader),
            "prices": prices_of(reader, book.today(), directory),
            "rules": registers.points_rules(),
            "shops": registers.shops(),
        }
    return render(request, "points.html", log=log, values=values)
