"""Every public page in a small log and in a large one, in turns: how much longer it takes.

Both services run in this process and are asked through ASGI, so that processor time is that of
the pages and of nothing else. `PLACES` has an address for every public route, several where a
page has a beginning, a depth, or a filter; a test holds it against the routes there are.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bench.measure import Row, Took
from bench.realistic import ORIGIN, make_log
from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from api.app import create_app
from api.settings import Settings
from ledger.attention.item import View
from ledger.book import Book
from ledger.entry import parse_entry
from ledger.locator import format_short_code
from ledger.store import Reader

REACH = 3.0
FLOOR_SECONDS = 0.003
"""A page below this in the small log is held to this: what a page costs whatever it shows."""
LOOKED_AT = 400
"""Entries from one place on that are looked through for one of each kind."""
EARLY_LOOKED_AT = 2_000
"""Entries from the beginning on that are looked through for a gift to the largest project."""
SAMPLED_MAX = 2_000
"""The size of which a sample is drawn is at most this: a page draws from so many, a command
from all."""
HOLDER = "holder-1"

FAMILIES: Mapping[str, str] = {
    "funds": "fund",
    "projects": "project",
    "items": "item",
    "sites": "site",
    "parties": "party",
    "wishes": "wish",
}
"""The lists of registered things, and what the state calls them."""

NOT_MEASURED: Mapping[str, str] = {
    "/staff": "for staff",
    "/v1/proposals": "for staff",
    "/audit/attention/decide": "for auditors who signed in",
    "/audit/export.zip": "all or nothing: a large log is refused",
    "/static": "a file",
    "/livez": "no page",
    "/readyz": "no page",
    "/metrics": "no page",
    "/v1/anchors/{size}/{authority}": "nothing outside answers here",
    "/v1/campaigns/{code}": "none in these logs",
    "/v1/entries/{index}/opening": "for who has the seed",
    "/notice": "drafted where a witness contradicts",
}
"""Routes that are left out, by how they begin, and why."""


@dataclass(frozen=True, slots=True)
class Log:
    """What a log's addresses are made of.

    Attributes:
        entries: An entry of each kind, from its middle.
        early, reversed: A gift of its beginning, and one that was reversed.
    """

    size: int
    entries: Mapping[str, int]
    early: int
    reversed: int
    leaf: str
    lot: str
    shipment: str
    checkpoint: int
    sampled: int
    deep: Mapping[str, str]


def places(log: Log) -> dict[str, str]:
    """Addresses by name; a name begins with its route."""
    return {**_lists(log), **_single(log), **_auditor(log), **_programs(log)}


def _lists(log: Log) -> dict[str, str]:
    middle, deep = log.size // 2, 60
    found = {
        "/": "/",
        "/entries": "/entries",
        "/entries middle": f"/entries?before={middle}",
        "/entries deepest": f"/entries?before={deep}",
        "/entries of a kind": "/entries?kind=donation.money",
        "/entries of a rare kind": "/entries?kind=fund.opened",
        "/entries of the largest project": "/entries?project=main",
        "/entries of it, deepest": f"/entries?project=main&before={deep}",
        "/entries of a project and kind": "/entries?project=main&kind=donation.money",
        "/entries up to a day": f"/entries?to={log.deep['day']}",
        "/entries.csv": "/entries.csv",
        "/entries.csv deep": f"/entries.csv?before={middle}",
        "/entries.csv deepest": f"/entries.csv?before={deep}",
        "/search by number": f"/search?q={middle}",
        "/search by name": f"/search?q={quote('示例项目project-7')}",
        "/search by code": "/search?q=holder-9",
        "/search by short code": f"/search?q={format_short_code(ORIGIN, middle)}",
        "/search by leaf": f"/search?q={log.leaf}",
        "/search for nothing": f"/search?q={'ab' * 32}",
        "/search by day": f"/search?q={log.deep['day']}",
        "/points": "/points",
        "/statistics": "/statistics",
        "/kinds": "/kinds",
        "/kinds/{name}": "/kinds/donation.money",
        "/how": "/how",
        "/docs": "/docs",
        "/keys": "/keys",
        "/verify": "/verify",
        "/r": "/r",
        "/lab": "/lab",
        "/verifier.html": "/verifier.html",
        "/verifier.html.sha256": "/verifier.html.sha256",
    }
    for family, after in log.deep.items():
        if family == "day":
            continue
        found[f"/{family}"] = f"/{family}"
        found[f"/{family} deepest"] = f"/{family}?after={after}"
    for family in ("funds", "projects", "items"):
        found[f"/{family}.csv"] = f"/{family}.csv"
    return {**found, "/projects closed": "/projects?state=closed"}


def _single(log: Log) -> dict[str, str]:
    found = {
        "/funds/{code} largest": "/funds/main",
        "/funds/{code}": "/funds/fund-2",
        "/projects/{code} largest": "/projects/main",
        "/projects/{code}": "/projects/project-2",
        "/items/{code}": "/items/item-2",
        "/items/{code} with most lots": "/items/rice",
        "/items/{code} with most lots, deep": "/items/rice?after=%2FR5",
        "/items/{code}/lot": f"/items/item-2/lot?label={quote(log.lot)}",
        "/sites/{code}": "/sites/depot-1",
        "/sites/{code} shop": "/sites/shop-1",
        "/parties/{code}": "/parties/centre",
        "/parties/{code} holder": f"/parties/{HOLDER}",
        "/wishes/{code}": "/wishes/wish-5",
        "/gifts/{index}": f"/gifts/{log.entries['donation.money']}",
        "/gifts/{index} early": f"/gifts/{log.early}",
        "/entries/{index}/correction": f"/entries/{log.early}/correction",
        "/entries/{index}/correction of a reversed one": f"/entries/{log.reversed}/correction",
    }
    return {**found, **{f"/entries/{{index}} {k}": f"/entries/{i}" for k, i in log.entries.items()}}


def _auditor(log: Log) -> dict[str, str]:
    size = log.size
    drawn = f"seed=1&n=20&size={log.sampled}"
    return {
        "/audit": "/audit",
        "/audit/accounts/{asset}/{account}": "/audit/accounts/CNY/fund:main",
        "/audit/accounts/{asset}/{account} deep": "/audit/accounts/CNY/fund:main?came=300000",
        "/audit/integrity": "/audit/integrity",
        "/audit/consistency": "/audit/consistency",
        "/audit/consistency of sizes": f"/audit/consistency?old={log.checkpoint}&new={size}",
        "/audit/attention": "/audit/attention",
        "/audit/attention of a topic": "/audit/attention?topic=project_report_overdue",
        "/audit/sample": f"/audit/sample?{drawn}",
        "/audit/sample.{form}": f"/audit/sample.csv?{drawn}",
        "/audit/downloads": "/audit/downloads",
    }


def _programs(log: Log) -> dict[str, str]:
    gift, middle, size = log.entries["donation.money"], log.size // 2, log.size
    statement = "/v1/accounts/CNY/fund:main/statement"
    tile = f"x{middle // 256:03d}" if middle >= 256_000 else f"{middle // 256:03d}"
    if middle >= 256_000:
        tile = f"x{middle // 256 // 1000:03d}/{middle // 256 % 1000:03d}"
    found = {
        "/v1/entries": "/v1/entries",
        "/v1/entries deep": "/v1/entries?before=100",
        "/v1/entries/{index}": f"/v1/entries/{gift}",
        "/v1/entries/{index}/referrers": "/v1/entries/30/referrers",
        "/v1/entries/{index}/receipt": f"/v1/entries/{gift}/receipt",
        "/v1/entries/{index}/receipt.pdf": f"/v1/entries/{gift}/receipt.pdf",
        "/v1/entries/{index}/receipt.svg": f"/v1/entries/{gift}/receipt.svg",
        "/v1/entries/{index}/correction": f"/v1/entries/{log.reversed}/correction",
        "/v1/entries/{index}/later-uses": f"/v1/entries/{log.early}/later-uses",
        "/v1/entries/{index}/trace": f"/v1/entries/{log.early}/trace",
        "/v1/proofs/inclusion": f"/v1/proofs/inclusion?index={gift}&size={size}",
        "/v1/proofs/consistency": f"/v1/proofs/consistency?old={log.checkpoint}&new={size}",
        "/v1/log": "/v1/log",
        "/v1/kinds": "/v1/kinds",
        "/v1/kinds/{name}": "/v1/kinds/donation.money",
        "/v1/keys": "/v1/keys",
        "/v1/keys/policy": "/v1/keys/policy",
        "/v1/attention": "/v1/attention?limit=50",
        "/v1/anchors": "/v1/anchors",
        "/checkpoint": "/checkpoint",
        "/tile/{path:path}": f"/tile/0/{tile}",
        "/tile/{path:path} bundle": f"/tile/entries/{tile}",
        "/v1/witnesses": "/v1/witnesses",
        "/v1/checkpoints/{size}": f"/v1/checkpoints/{log.checkpoint}",
        "/v1/reports/receipts": "/v1/reports/receipts",
        "/v1/reports/receipts/unbound": f"/v1/reports/receipts/unbound?after={middle}",
        "/v1/reports/receipts/disagreeing": "/v1/reports/receipts/disagreeing",
        "/v1/statistics": "/v1/statistics",
        "/v1/accounts/{asset}/{account}": "/v1/accounts/CNY/fund:main",
        "/v1/accounts/{asset}/{account}/statement": statement,
        "/v1/accounts/{asset}/{account}/statement deep": f"{statement}?after={gift}",
        "/v1/accounts/{asset}/{account}/statement by day": f"{statement}?by=occurred",
        "/v1/accounts/{asset}/{account}/statement by day, deep": (
            f"{statement}?by=occurred&after={gift}"
        ),
        "/v1/accounts/{asset}/{account}/statement by day, of an older size": (
            f"{statement}?by=occurred&from={log.deep['day']}&as_of={log.size * 7 // 8}"
        ),
        "/v1/shipments": "/v1/shipments",
        "/v1/shipments/{code}": f"/v1/shipments/{log.shipment}",
        "/v1/rules": "/v1/rules",
        "/v1/rules/{code}": "/v1/rules/points-for-money",
        "/v1/campaigns": "/v1/campaigns",
        "/v1/parties deepest": f"/v1/parties?after={log.deep['parties']}",
    }
    for family in ("parties", "funds", "projects", "items", "sites"):
        found[f"/v1/{family}"] = f"/v1/{family}"
    for family, code in (
        ("parties", HOLDER),
        ("funds", "main"),
        ("projects", "main"),
        ("items", "rice"),
        ("sites", "depot-1"),
    ):
        found[f"/v1/{family}/{{code}}"] = f"/v1/{family}/{code}"
    return found


def read_log(data: Path) -> Log:
    """What the addresses of a log are made of; the schema is brought up to date."""
    book = Book.open(data)
    try:
        with book.store.read() as reader:
            head = reader.head()
            assert head is not None
            return _read(reader, head.size)
    finally:
        book.close()


def _read(reader: Reader, size: int) -> Log:
    middle = size * 3 // 4
    entries: dict[str, int] = {}
    for data in reader.entries(middle, min(size, middle + LOOKED_AT)):
        entry = parse_entry(data)
        if "project" not in entry.fields or entry.fields["project"] == "main":
            entries.setdefault(entry.kind, entry.index)
    gift = parse_entry(reader.entry(entries["donation.money"]))
    early = next(
        entry.index
        for entry in map(parse_entry, reader.entries(0, min(size, EARLY_LOOKED_AT)))
        if entry.kind == "donation.money" and entry.fields.get("project") == "main"
    )
    account = reader.account_total("item:item-2", "stock:depot-1")
    assert account is not None
    (last,) = reader.newest_of_kinds(["entry.reversed"], before=size, limit=1)
    reversal = parse_entry(reader.entry(last))
    newest, early_one = (reader.newest_checkpoint(one) for one in (middle, SAMPLED_MAX))
    assert newest is not None
    assert early_one is not None
    deep = {"day": gift.occurred_on}
    for plural, family in FAMILIES.items():
        *_, before, _ = View(reader, gift.occurred_on).family(family)
        deep[plural] = before[0]
    return Log(
        size=size,
        entries=entries,
        early=early,
        reversed=reversal.fields["entry"],
        leaf=reader.leaf_hash(size // 3).hex(),
        lot=reader.account_pools(account.account, 1)[0].label,
        shipment="shipment-1",
        checkpoint=newest[0],
        sampled=early_one[0],
        deep=deep,
    )


Ask = Callable[[str], Awaitable[int]]
"""Asks for an address; gives the status."""


@asynccontextmanager
async def _served(data: Path) -> AsyncIterator[Ask]:
    """A service over a log that only answers: no inspection beside it."""
    settings = Settings(data=data, inspection_rows_per_second=0, inspection_audit_seconds=0)
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        # What is searched beside is no part of a page.
        await run_in_threadpool(app.state.board.settle)
        yield lambda address: _ask(app, address)


async def _ask(app: FastAPI, address: str) -> int:
    path, _, query = address.partition("?")
    status = 0

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        nonlocal status
        status = message.get("status", status)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(b"host", b"localhost"), (b"accept", b"text/html")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    await app(scope, receive, send)
    return status


async def _turn(ask: Ask, address: str) -> Took:
    cpu, wall = time.process_time(), time.perf_counter()
    status = await ask(address)
    took = Took(1, time.perf_counter() - wall, time.process_time() - cpu)
    if status != 200:
        raise SystemExit(f"{address}: expected 200, got {status}")
    return took


async def _measure(small: Path, large: Path, runs: int, only: str) -> list[Row]:
    logs = [read_log(small), read_log(large)]
    addresses = [places(log) for log in logs]
    rows = []
    async with AsyncExitStack() as stack:
        asks = [await stack.enter_async_context(_served(data)) for data in (small, large)]
        for name in addresses[0]:
            if name not in addresses[1] or only not in name:
                continue
            both = [(ask, found[name]) for ask, found in zip(asks, addresses, strict=True)]
            for ask, address in both:
                await _turn(ask, address)
            turns = [[await _turn(ask, address) for ask, address in both] for _ in range(runs)]
            rows.append(_row(name, turns, logs))
    return rows


def _row(name: str, turns: list[list[Took]], logs: list[Log]) -> Row:
    def median(side: int, what: str) -> float:
        return statistics.median(getattr(turn[side], what) for turn in turns)

    def growth(what: str) -> float:
        return median(1, what) / max(median(0, what), FLOOR_SECONDS)

    return Row(
        name,
        f"{logs[1].size:,} against {logs[0].size:,} entries",
        1 / median(1, "cpu"),
        1 / median(0, "cpu"),
        growth("wall"),
        growth("cpu"),
        REACH,
        at_most=True,
    )


def pages(
    folder: Path, small: int, large: int, runs: int, database: str | None, only: str = ""
) -> list[Row]:
    """Each public page's growth from a small log to a large one, what grows most first.

    Args:
        folder: Where the logs are, or are made.
        only: Only pages whose name has this in it.
    """
    if database is not None:
        raise SystemExit(f"--database {database}: pages are measured on SQLite only")
    folder.mkdir(parents=True, exist_ok=True)
    logs = [make_log(folder, size) for size in (small, large)]
    rows = asyncio.run(_measure(logs[0], logs[1], runs, only))
    return sorted(rows, key=lambda row: -min(row.ratio, row.cpu_ratio or row.ratio))
