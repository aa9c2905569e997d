"""Every page of a served site in every mode: what is visited, as whom and how it is looked at.

Imported by name. A `Place` is a page of one type, or what a form answers when it is sent
empty; a `Setting` is how it is looked at: language, size of type, window, and what the browser
makes of the colours. `places` lists the former (a test holds them against the service's
routes, so that no new page is forgotten), `settings_of` chooses the latter for each place by
``SHANJI_TEST_SWEEP``:

- nothing: each type of page once, the settings in turn, so that each of them occurs;
- ``pairs``: each page, every form and every kind included, in the twelve settings that have
  each pair of values (a fault of one value, or of two together, is found);
- ``all``: each page in all of them.
"""

from __future__ import annotations

import json
import os
import re
import urllib.request
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from itertools import product
from typing import Any, Literal

import httpx
from chromium import Site
from fastapi.routing import APIRoute
from page_checks import WORD
from starlette.responses import HTMLResponse

from api.app import ALL_ROUTERS
from api.pages.staff.desks import DESKS, desks_of
from api.pages.staff.suggestions import WORDS
from ledger.records.catalog import KIND_BY_NAME, KINDS
from ledger.records.kind import Role

SWEEP = "SHANJI_TEST_SWEEP"
LEVEL = os.environ.get(SWEEP, "each")
LEVELS = ("each", "pairs", "all")

Frame = Literal["phone", "desktop", "zoomed"]
Look = Literal["screen", "contrast", "forced", "print"]

FRAMES: dict[Frame, tuple[int, int]] = {
    "phone": (360, 740),
    "desktop": (1280, 800),
    # A desktop's window at 200% has half as many CSS pixels each way (WCAG 1.4.4).
    "zoomed": (640, 400),
}
LOOKS: dict[Look, dict[str, Any]] = {
    "screen": {"media": "screen", "contrast": "no-preference", "forced_colors": "none"},
    "contrast": {"media": "screen", "contrast": "more", "forced_colors": "none"},
    "forced": {"media": "screen", "contrast": "no-preference", "forced_colors": "active"},
    "print": {"media": "print", "contrast": "no-preference", "forced_colors": "none"},
}
"""What Playwright's ``emulate_media`` takes. There is no dark look: the pages say ``light``."""

VISITOR = "visitor"
FORMS = {"/staff/record/purchase.made", "/staff/record/rule.published", "/staff/record/key.added"}
"""Forms of kinds that are looked at in every run: those with rows, groups and choices."""
KINDS_EACH = {"donation.money", "goods.distributed", "statement.imported", "points.issued"}
"""Kinds whose entries are looked at in every run."""
LIST_MAX = 500
FIRST_ENTRIES = 1500
"""Among so many first entries the demonstration has one of each of its kinds."""


@dataclass(frozen=True, slots=True)
class Setting:
    """How a page is looked at."""

    language: Literal["zh", "en"]
    elder: bool
    frame: Frame
    look: Look

    def __str__(self) -> str:
        elder = "-elder" if self.elder else ""
        return f"{self.language}{elder}-{self.frame}-{self.look}"


EVERY = tuple(
    Setting(language, elder, frame, look)
    for elder, language, look, frame in product((False, True), ("zh", "en"), LOOKS, FRAMES)
)


def _pairwise() -> tuple[Setting, ...]:
    """Each frame with each look; language and elder mode so that every pair of values occurs."""
    return tuple(
        Setting(("zh", "en")[(row + column) % 2], (row + column // 2) % 2 == 1, frame, look)
        for row, frame in enumerate(FRAMES)
        for column, look in enumerate(LOOKS)
    )


PAIRWISE = _pairwise()


@dataclass(frozen=True, slots=True)
class Place:
    """One page: who opens it, its path, the route that makes it.

    Attributes:
        each: Whether it is looked at in every run, or in the long ones only.
        sent: Whether its form is sent empty first, so that it comes back with its errors.
    """

    who: str
    path: str
    route: str
    each: bool = True
    sent: bool = False

    def __str__(self) -> str:
        return f"{self.who} {self.path}{' sent empty' if self.sent else ''}"


@dataclass(frozen=True, slots=True)
class Stage:
    """What there is to look at: entries of each kind, and what `set_stage` recorded.

    Attributes:
        entries: An entry of each kind that the log has.
        gift: A gift that was taken back.
        annotated: A gift to a project by its campaign, whose public field was corrected.
        proposals: Waiting, rejected.
        decision: The page on which an open flag is decided.
        uploads: The pages of a list of gifts to be confirmed, and of a bank statement's draft.
        words: Words in Latin letters that are codes: recorded ones, and those that forms suggest.
    """

    entries: dict[str, int]
    gift: int
    annotated: int
    proposals: tuple[int, int]
    decision: str
    uploads: tuple[str, str]
    words: frozenset[str]


def settings_of(number: int, place: Place, level: str) -> Sequence[Setting]:
    """The settings in which the place of that number is looked at; none where it is left out."""
    if level == "all":
        return EVERY
    if level == "pairs":
        return PAIRWISE
    return (EVERY[number % len(EVERY)],) if place.each else ()


def places(stage: Stage) -> list[Place]:
    """Every page, each type at least once."""
    return [*_public(stage), *_staff(stage)]


def _public(stage: Stage) -> Iterator[Place]:
    paths = {
        "/": ("/",),
        "/search": ("/search", "/search?q=rice", "/search?q=nothing-of-that-name"),
        "/verify": ("/verify",),
        "/r": ("/r",),
        "/lab": ("/lab",),
        "/entries": ("/entries", "/entries?kind=donation.goods&account=stock:rice"),
        "/funds": ("/funds",),
        "/funds/{code}": ("/funds/general", "/funds/next-year"),
        "/projects": ("/projects",),
        "/projects/{code}": ("/projects/giving-day-2021",),
        "/items": ("/items",),
        "/items/{code}": ("/items/rice",),
        "/items/{code}/lot": ("/items/relief-pack/lot?label=%2FR2021-06",),
        "/sites": ("/sites",),
        "/sites/{code}": ("/sites/shop-1",),
        "/parties": ("/parties",),
        "/parties/{code}": ("/parties/holder-0001", "/parties/community-centre"),
        "/points": ("/points",),
        "/wishes": ("/wishes",),
        "/wishes/{code}": ("/wishes/wish-0001",),
        "/statistics": ("/statistics",),
        "/how": ("/how",),
        "/kinds": ("/kinds",),
        "/docs": ("/docs",),
        "/keys": ("/keys",),
        "/notice": ("/notice",),
        "/verifier.html": ("/verifier.html",),
        "/gifts/{index}": (f"/gifts/{stage.gift}", f"/gifts/{stage.annotated}"),
        "/entries/{index}/correction": tuple(
            f"/entries/{index}/correction" for index in (stage.gift, stage.annotated)
        ),
        "/audit": ("/audit",),
        "/audit/integrity": ("/audit/integrity",),
        "/audit/consistency": ("/audit/consistency",),
        "/audit/attention": ("/audit/attention",),
        "/audit/sample": ("/audit/sample", "/audit/sample?seed=2026-11&n=5"),
        "/audit/downloads": ("/audit/downloads",),
        "/audit/accounts/{asset}/{account}": ("/audit/accounts/CNY/fund:general",),
        "/staff/sign-in": ("/staff/sign-in",),
    }
    for route, ones in paths.items():
        for path in ones:
            yield Place(VISITOR, path, route)
    for kind, index in stage.entries.items():
        yield Place(VISITOR, f"/entries/{index}", "/entries/{index}", kind in KINDS_EACH)
    for one in KINDS:
        yield Place(VISITOR, f"/kinds/{one.name}", "/kinds/{name}", one.name == "donation.goods")


def _staff(stage: Stage) -> Iterator[Place]:
    waiting, rejected = stage.proposals
    fresh = stage.entries["donation.money"]
    paths: dict[Role, dict[str, tuple[str, ...]]] = {
        Role.CLERK: {
            "/staff": ("/staff",),
            "/staff/record": ("/staff/record",),
            "/staff/recorded/{index}": (f"/staff/recorded/{fresh}",),
            "/staff/correct/{index}": (f"/staff/correct/{fresh}",),
            "/staff/correct/{index}/anew": (f"/staff/correct/{fresh}/anew",),
            "/staff/lots": ("/staff/lots", "/staff/lots?code=rice"),
            "/staff/receipts": ("/staff/receipts",),
            "/staff/proposals": ("/staff/proposals",),
            "/staff/proposals/{number}": (f"/staff/proposals/{waiting}",),
            "/staff/import": ("/staff/import",),
            "/staff/import/{number}": (stage.uploads[0],),
            "/staff/statements": ("/staff/statements",),
            "/staff/statements/draft/{token}": (stage.uploads[1],),
            "/staff/statements/{index}": (
                f"/staff/statements/{stage.entries['statement.imported']}",
            ),
        },
        Role.APPROVER: {
            "/staff": ("/staff",),
            "/staff/proposals": ("/staff/proposals?status=rejected",),
            "/staff/proposals/{number}": tuple(
                f"/staff/proposals/{number}" for number in (waiting, rejected)
            ),
        },
        Role.AUDITOR: {
            "/staff": ("/staff",),
            "/audit/attention": ("/audit/attention",),
            "/audit/attention/decide": (stage.decision,),
        },
        Role.WAREHOUSE: {"/staff": ("/staff",)},
        Role.SHOP: {"/staff": ("/staff",)},
        Role.REGISTRAR: {"/staff": ("/staff",)},
    }
    for role, routes in paths.items():
        for route, ones in routes.items():
            for path in ones:
                yield Place(role.value, path, route)
        yield from _forms(role)


def _forms(role: Role) -> Iterator[Place]:
    """The desks and the forms of the kinds that a role is the first to record."""
    for name, path in desks_of(role):
        if first_recorder(DESKS[name].kind) is role:
            yield Place(role.value, path, "/staff/desk/{name}")
    for kind in KINDS:
        if kind.recorders and first_recorder(kind.name) is role:
            path = f"/staff/record/{kind.name}"
            each = path in FORMS
            yield Place(role.value, path, "/staff/record/{name}", each)
            sent = each and path.endswith("purchase.made")
            yield Place(role.value, path, "/staff/record/{name}", sent, sent=True)


def first_recorder(kind: str) -> Role:
    """The role that a kind's form is looked at as."""
    return min(KIND_BY_NAME[kind].recorders)


def page_routes() -> set[str]:
    """The routes of the service that answer with a page."""
    return {
        route.path
        for router in ALL_ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute)
        and "GET" in (route.methods or ())
        and isinstance(route.response_class, type)
        and issubclass(route.response_class, HTMLResponse)
    }


# --- what there is to look at ---


def ask(site: Site, path: str, body: Any = None, **headers: str) -> Any:
    """The JSON that the service answers."""
    data = None if body is None else json.dumps(body).encode()
    sent = {"Idempotency-Key": str(uuid.uuid4()), **headers} if data else {}
    with urllib.request.urlopen(
        urllib.request.Request(site.url + path, data, sent), timeout=60
    ) as answer:
        return json.load(answer)


def set_stage(site: Site) -> Stage:
    """Record what the demonstration has not: corrections, and proposals of each state."""
    clerk = {"Authorization": f"Bearer {site.tokens['clerk']}"}
    approver = {"Approval": f"Bearer {site.tokens['approver']}"}
    gift = {
        "kind": "donation.money",
        "occurred_on": "2021-10-08",
        "fields": {"fund": "general", "amount_fen": 4_321, "channel": "bank"},
    }
    aid = {
        "kind": "aid.paid",
        "occurred_on": "2021-10-08",
        "fields": {
            "fund": "general",
            "purpose": "elderly-care",
            "amount_fen": 1_234,
            "payee_class": "elderly",
        },
    }
    earmarked = {
        "kind": "donation.money",
        "occurred_on": "2021-09-09",
        "fields": {
            "fund": "giving-day",
            "project": "giving-day-2021",
            "campaign": "giving-day-2021",
            "amount_fen": 8_765,
            "channel": "bank",
        },
    }
    first, second = (ask(site, "/v1/entries", one, **clerk)["index"] for one in (gift, earmarked))
    reversal = {
        "kind": "entry.reversed",
        "occurred_on": "2021-10-08",
        "fields": {"entry": first, "reason": "重复登记"},
    }
    ask(site, "/v1/entries", reversal, **clerk, **approver)
    change = {"entry": second, "field": "channel", "correct": "cash", "reason": "渠道录错"}
    note = {"kind": "entry.annotated", "occurred_on": "2021-10-08", "fields": change}
    ask(site, "/v1/entries", note, **clerk, **approver)
    waiting, rejected = (ask(site, "/v1/proposals", aid, **clerk)["id"] for _ in range(2))
    judge = {"Authorization": f"Bearer {site.tokens['approver']}"}
    ask(site, f"/v1/proposals/{rejected}/reject", {"reason": "材料不全"}, **judge)
    flag = next(one for one in ask(site, "/v1/attention")["items"] if one["entries"])
    listed = ",".join(str(index) for index in flag["entries"])
    decision = f"/audit/attention/decide?flag={flag['code']}&entries={listed}"
    entries, words = read_entries(site)
    return Stage(entries, first, second, (waiting, rejected), decision, upload(site), words)


GIFTS = "订单号,捐赠金额(元),捐赠日期\nSWEEP-1,1.25,2022-01-10\nSWEEP-2,2.50,2022-01-10\n"
STATEMENT = "交易日期,贷方发生额,借方发生额,余额\n2022-01-11,3.75,,103.75\n"
HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')


def upload(site: Site) -> tuple[str, str]:
    """Give a list of gifts and a bank statement to the staff pages; where each one goes on."""
    lists = (
        ("/staff/import", GIFTS, {"fields.fund": "general", "fields.channel": "bank"}),
        ("/staff/statements", STATEMENT, {"account": "bank-sweep"}),
    )
    pages: list[str] = []
    with httpx.Client(base_url=site.url, headers={"Origin": site.url}, timeout=60) as client:
        form = dict(HIDDEN.findall(client.get("/staff/sign-in").text))
        client.post("/staff/sign-in", data={**form, "token": site.tokens["clerk"]})
        for path, text, fields in lists:
            form = dict(HIDDEN.findall(client.get(path).text))
            answer = client.post(path, data={**form, **fields}, files={"file": ("a.csv", text)})
            assert answer.status_code == HTTPStatus.SEE_OTHER, answer.text
            pages.append(answer.headers["location"])
    return pages[0], pages[1]


def read_entries(site: Site) -> tuple[dict[str, int], frozenset[str]]:
    """One entry of each kind among the log's first, and its last; and the words in them."""
    found: dict[str, int] = {}
    words = {word for codes in WORDS.values() for word in codes}
    for before in (*range(LIST_MAX, FIRST_ENTRIES + 1, LIST_MAX), None):
        more = f"&before={before}" if before else ""
        for one in ask(site, f"/v1/entries?limit={LIST_MAX}{more}")["entries"]:
            entry = one["entry"]
            found.setdefault(entry["kind"], entry["index"])
            words.update(filter(WORD.fullmatch, _texts(entry["fields"])))
    return found, frozenset(words)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _texts(one)
