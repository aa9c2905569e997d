"""Goods by the code on the box: a lot is typed or scanned, and its stock and next steps shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse, Response

from api.dependencies import get_book
from api.forms import SessionOf
from api.pages.directory import Amount, Directory, Place
from api.pages.page import log_state, translator_of
from api.pages.staff.desks import desks_of
from api.pages.staff.frame import render_staff
from ledger.errors import NotFoundError
from ledger.store import PoolRow, Reader

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

CODE_CHARS_MAX = 80
POOLS_PER_READ = 1000
POOLS_LOOKED_AT = 50_000
"""Pools (account and lot) that one search looks through."""
LOTS_SHOWN = 20

STEPS: tuple[tuple[str, str], ...] = (("deliver", "site"), ("move", "from_site"))
"""What is done with a lot in stock: the desk, and its field for where the lot is."""


@dataclass(frozen=True, slots=True)
class LotRow:
    """One lot in one place: how much is there, and where its next steps are recorded."""

    lot: str
    best_before: str
    place: Place
    amount: Amount
    steps: tuple[tuple[str, str], ...]


@router.get("/staff/lots")
def lots(
    request: Request,
    session: SessionOf,
    code: Annotated[str, Query(max_length=CODE_CHARS_MAX)] = "",
) -> Response:
    """The lots with a code, or the items; a scanner types the code and presses Enter."""
    translator = translator_of(request)
    book = get_book(request)
    code = code.strip()
    at = {name for name, _ in desks_of(session.person.role)}
    with book.store.read() as reader:
        head = reader.head()
        if head is None:
            raise NotFoundError("the log is empty")
        log = log_state(book, head)
        directory = Directory(reader, translator)
        found, whole = _search(reader, code) if code else ([], True)
        rows = [_row(pool, directory, at) for pool in found[:LOTS_SHOWN]]
    values = {
        "code": code,
        "rows": rows,
        "more": len(found) > LOTS_SHOWN,
        "whole": whole,
        "can_receive": "receive" in at,
    }
    return render_staff(request, session, "staff/lots.html", values=values, log=log)


def _search(reader: Reader, code: str) -> tuple[list[PoolRow], bool]:
    """The pools in stock with that lot or of that item, soonest best-before date first."""
    found: list[PoolRow] = []
    looked = 0
    for pool in _pools(reader):
        looked += 1
        if looked > POOLS_LOOKED_AT:
            break
        item = pool.asset.removeprefix("item:")
        if pool.name.startswith("stock:") and code in (_lot(pool), item):
            found.append(pool)
    return sorted(found, key=lambda pool: (pool.label, pool.name)), looked <= POOLS_LOOKED_AT


def _pools(reader: Reader) -> Iterator[PoolRow]:
    after = (-1, "")
    while rows := reader.held_pools(after, POOLS_PER_READ):
        yield from rows
        after = (rows[-1].account, rows[-1].label)


def _lot(pool: PoolRow) -> str:
    """The code on the box: what follows the best-before date in the label."""
    return pool.label.partition("/")[2]


def _row(pool: PoolRow, directory: Directory, at: set[str]) -> LotRow:
    site, item = pool.name.removeprefix("stock:"), pool.asset.removeprefix("item:")
    best_before, _, lot = pool.label.partition("/")
    known = {"fields.item": item, **({"fields.lot": lot} if lot else {})}
    steps = tuple(
        (name, f"/staff/desk/{name}?{urlencode({**known, f'fields.{field}': site})}")
        for name, field in STEPS
        if name in at
    )
    amount = directory.amount(pool.asset, pool.held)
    return LotRow(lot, best_before, directory.account(pool.name), amount, steps)
