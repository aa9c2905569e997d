"""A canary in every sealed field of every kind, looked for everywhere that anybody may look.

Each sealed field gets a value of its own. Then every GET route of the service, API and
pages, is asked as nobody and as each role; what is compressed, encoded or attached in an
answer is unwrapped first. A value may be found only in answers to roles that may open it, at
the few routes that open things, and such answers are kept by no cache. No log line has one.
"""

from __future__ import annotations

import binascii
import io
import logging
import re
import zipfile
from base64 import urlsafe_b64decode
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pypdf
import pytest
from caller import Caller, serving
from clerk import Clerk
from fastapi.routing import APIRoute

from api.app import ROUTERS
from ledger.book import Book
from ledger.demonstration import CHAPTERS, ORGANISATION, ORIGIN, PEOPLE, tell_spare_key
from ledger.demonstration.teller import Teller
from ledger.demonstration.year import giving_days
from ledger.records.catalog import KIND_BY_NAME, KINDS
from ledger.records.kind import OPENERS, Kind, Role
from ledger.records.request import example_body

CANARY = "Kanarienvogel"
CANARIES = re.compile(rf"{CANARY}[0-9]{{3}}")
ENCODED = re.compile(rb"[A-Za-z0-9+/_-]{16,}")
DEPTH_MAX = 4
"""A receipt holds an opening in base64, which holds disclosures in base64url."""

OPENING_ROUTES = frozenset(
    (
        "/v1/entries/{index}/receipt",
        "/v1/entries/{index}/receipt.pdf",
        "/v1/entries/{index}/receipt.svg",
        "/v1/entries/{index}/opening",
        "/v1/proposals",
        "/v1/proposals/{id}",
        "/staff/recorded/{index}",
        "/staff/proposals",
        "/staff/proposals/{number}",
        "/staff/correct/{index}/anew",
        "/staff/receipts/{index}.pdf",
    )
)
"""Where who may open a field can do so; nowhere else is one ever seen."""
NEVER_ANSWERED = frozenset(
    (
        # No authority has stamped this log.
        "/v1/anchors/{size}/{authority}",
    )
)
"""Routes with nothing to answer here; every other one must have answered with 200."""
ASKED_ONCE = frozenset(("/audit/export.zip",))
"""Large answers that know no roles."""
GIFTS = 200
ENTRIES_PER_ROLE = 2
"""Entries that each role reads by every route; nobody reads each of them."""


@dataclass
class World:
    """A served log with a canary in each sealed field, and an open proposal with some.

    `entries` are those with canaries, and a correction, which has pages of its own.
    """

    caller: Caller
    entries: dict[int, set[str]] = field(default_factory=dict)
    fields: dict[str, tuple[str, str]] = field(default_factory=dict)
    proposal: int = 0

    def canaries(self, kind: Kind[Any]) -> dict[str, str]:
        """A value of its own for each sealed field of a kind."""
        found = {}
        for name in kind.sealed.model_fields:
            value = f"{CANARY}{len(self.fields):03}"
            self.fields[value] = (kind.name, name)
            found[name] = value
        return found


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("canary") / "book"
    book = Book.create(folder, origin=ORIGIN, organisation=ORGANISATION)
    teller = Teller(book, None)
    # All of the demonstration but most of its gifts: the kinds' examples work on it.
    for chapter in CHAPTERS:
        chapter(teller)
    teller.tell_many(giving_days(GIFTS))
    tell_spare_key(teller, book.origin)
    fund = {"code": "next-year", "name": "下一年度备用资金", "fund_class": "unrestricted"}
    teller.tell("fund.opened", "2021-12-31", fund)
    book.close()
    with serving(folder, access_log=True) as caller:
        found = World(caller)
        for kind in KINDS:
            if kind.recorders:
                record(found, kind)
        body = example_body(KIND_BY_NAME["aid.paid"])
        body["sealed"] = found.canaries(KIND_BY_NAME["aid.paid"])
        answer = caller.call(
            "POST", "/v1/proposals", role=Role.CLERK, key="canary-proposal", json=body
        )
        assert answer.status_code == 201, answer.text
        found.proposal = answer.json()["id"]
        yield found


def record(world: World, kind: Kind[Any]) -> None:
    """A kind's example, with a canary in each of its sealed fields."""
    body = example_body(kind)
    canaries = world.canaries(kind)
    if canaries:
        body["sealed"] = canaries
    role = next(role for role in PEOPLE if role in kind.recorders)
    approval = next((role for role in PEOPLE if role in kind.approvers), None)
    answer = world.caller.record(body, role=role, approval=approval)
    if canaries or kind.name == "entry.reversed":
        world.entries[answer["index"]] = set(canaries.values())


def unwrapped(data: bytes, depth: int = DEPTH_MAX) -> Iterator[bytes]:
    """What is said in an answer, in whatever it is wrapped."""
    yield data
    if depth == 0:
        return
    inner: list[bytes] = []
    if zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            inner += [archive.read(name) for name in archive.namelist()]
    elif data.startswith(b"%PDF"):
        document = pypdf.PdfReader(io.BytesIO(data))
        inner += [page.extract_text().encode() for page in document.pages]
        inner += [one for files in document.attachments.values() for one in files]
    for run in ENCODED.findall(data):
        text = run.rstrip(b"=").replace(b"+", b"-").replace(b"/", b"_")
        try:
            inner.append(urlsafe_b64decode(text + b"=" * (-len(text) % 4)))
        except binascii.Error:
            continue
    for one in inner:
        yield from unwrapped(one, depth - 1)


def canaries_in(data: bytes) -> set[str]:
    """The canaries that an answer says."""
    return {value for part in unwrapped(data) for value in CANARIES.findall(part.decode("latin-1"))}


def get_routes() -> list[APIRoute]:
    """Every route that is read, of the API and of the pages."""
    return [
        route
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute) and "GET" in (route.methods or ())
    ]


def paths_of(world: World, route: APIRoute, entries: list[int]) -> Iterator[str]:
    """The addresses of a route: for each of these entries, where it is of an entry."""
    size = world.caller.book.head().size
    codes = {
        "parties": "holder-0001",
        "campaigns": "giving-day-2021",
        "items": "rice",
        "sites": "shop-1",
        "rules": "points-for-money",
        "shipments": "none",
        "wishes": example_body(KIND_BY_NAME["wish.posted"])["fields"]["code"],
    }
    family = route.path.removeprefix("/v1").split("/")[1]
    values: dict[str, object] = {
        "code": codes.get(family, "general" if family == "funds" else "children-2021"),
        "asset": "CNY",
        "account": "fund:general",
        "size": size,
        "authority": "nobody",
        "id": world.proposal,
        "number": world.proposal,
        "name": "gift" if route.path.startswith("/staff/desk/") else "donation.money",
        "form": "json",
        "path": "entries/000" if size > 256 else f"entries/000.p/{size}",
    }
    query = {
        "old": 1,
        "seed": "canary",
        "size": size,
        "flag": "stock_expired",
        "entries": "1",
        "label": "none",
    }
    names = {one.name for one in route.dependant.query_params}
    asked: dict[str, object] = {name: query[name] for name in query if name in names}
    if "index" in names:
        asked["index"] = entries[0]
    for index in entries if "{index}" in route.path else entries[:1]:
        path = route.path.replace(":path}", "}").format_map(defaultdict(str, values, index=index))
        yield path + (f"?{urlencode(asked)}" if asked else "")


def ask(world: World, route: APIRoute, path: str, role: Role | None, clerk: Clerk) -> Any:
    """One answer: the API by a token, pages by a session."""
    if route.include_in_schema:
        return world.caller.get(path, role=role)
    return clerk.request("GET", path)


def entries_for(world: World, number: int) -> list[int]:
    """All entries with canaries for nobody (number 0); for each role some others."""
    every = sorted(world.entries)
    if number == 0:
        return every
    first = (number - 1) * ENTRIES_PER_ROLE
    return [every[(first + one) % len(every)] for one in range(ENTRIES_PER_ROLE)]


def test_no_sealed_value_is_seen_by_who_may_not_open_it(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    answered: set[str] = set()
    seen: dict[Role | None, set[str]] = defaultdict(set)
    caplog.set_level(logging.WARNING, "httpx")
    with caplog.at_level(logging.INFO):
        for number, role in enumerate((None, *Role)):
            clerk = Clerk(world.caller, role)
            for route in get_routes():
                once = route.path in ASKED_ONCE and role is not None
                if route.path.startswith("/static/") or once:
                    continue
                for path in paths_of(world, route, entries_for(world, number)):
                    answer = ask(world, route, path, role, clerk)
                    if answer.status_code == 200:
                        answered.add(route.path)
                    found = canaries_in(answer.content)
                    if found:
                        whom = "nobody" if role is None else role.value
                        where = f"{path} shows {found} to {whom}"
                        assert role in OPENERS, where
                        assert route.path in OPENING_ROUTES, where
                        assert answer.headers["cache-control"] == "private, no-store", where
                        seen[role].add(route.path)
    assert not CANARIES.findall(caplog.text)
    assert "GET /v1/entries/" in caplog.text
    silent = {one.path for one in get_routes()} - answered
    assert silent - {"/static/{digest}/{name:path}"} == NEVER_ANSWERED
    # It sees them where they may be seen, or the test above looks with closed eyes.
    for role in OPENERS:
        assert {"/v1/entries/{index}/receipt", "/v1/entries/{index}/opening"} <= seen[role]
    assert set(seen) == OPENERS


def test_who_may_open_an_entry_finds_every_value(world: World) -> None:
    found: set[str] = set()
    for index, canaries in world.entries.items():
        for path in (f"/v1/entries/{index}/opening", f"/v1/entries/{index}/receipt"):
            said = canaries_in(world.caller.get(path, role=Role.AUDITOR).content)
            assert said == canaries
        found |= canaries
    proposal = world.caller.get(f"/v1/proposals/{world.proposal}", role=Role.APPROVER)
    found |= canaries_in(proposal.content)
    assert found == set(world.fields)
    kinds = {kind.name for kind in KINDS if kind.recorders and kind.sealed.model_fields}
    assert {kind for kind, _ in world.fields.values()} == kinds


def test_what_is_refused_is_not_repeated(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """A record with a mistake comes back with the mistake, not with what it sealed."""
    with caplog.at_level(logging.DEBUG):
        for kind in KINDS:
            if kind.recorders and kind.sealed.model_fields:
                body = example_body(kind)
                body["sealed"] = dict.fromkeys(kind.sealed.model_fields, f"{CANARY}999")
                body["fields"] = {**body["fields"], "no_such_field": 1}
                role = next(role for role in PEOPLE if role in kind.recorders)
                answer = world.caller.post(body, role=role)
                assert answer.status_code == 422, answer.text
                assert canaries_in(answer.content) == frozenset()
        long = example_body(KIND_BY_NAME["donation.money"])
        long["sealed"] = {"donor_name": f"{CANARY}999" * 100}
        answer = world.caller.post(long)
        assert answer.status_code == 422
        assert canaries_in(answer.content) == frozenset()
    assert not CANARIES.findall(caplog.text)


def test_no_file_of_the_service_has_one_in_clear(world: World) -> None:
    """Neither the database nor what lies beside it: the vault is encrypted."""
    for path in Path(world.caller.folder).rglob("*"):
        if path.is_file():
            assert CANARY.encode() not in path.read_bytes(), path
