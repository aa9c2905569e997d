"""The service over a real book, called through ASGI as a client would.

Every answer is held against what the service promises of all of them: the security
headers, the model that its route documents, the members of a problem. When
a service has stopped, its whole log is audited.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import httpx
from anyio.from_thread import BlockingPortal, start_blocking_portal
from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import TypeAdapter
from scribe import audited

from api.app import ALL_ROUTERS, create_app
from api.auth import create_token
from api.edge import SECURITY_HEADERS
from api.pages.verifier import saved_page
from api.problems import PROBLEM, TYPE_PREFIX
from api.settings import Settings
from ledger.book import Book
from ledger.records.kind import Role

ROUTES = [route for router in ALL_ROUTERS for route in router.routes if isinstance(route, APIRoute)]


class Caller:
    """Calls the service; `tokens` has one token for each role."""

    def __init__(self, app: FastAPI, portal: BlockingPortal, folder: Path) -> None:
        self.app = app
        self.folder = folder
        self.portal = portal
        self.tokens = {role: create_token(folder, f"{role.value}-1", role) for role in Role}
        self._numbers = count(1)

    @property
    def book(self) -> Book:
        book: Book = self.app.state.book
        return book

    def call(
        self,
        method: str,
        path: str,
        *,
        role: Role | None = None,
        approval: Role | None = None,
        seed: str | None = None,
        key: str | None = None,
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> httpx.Response:
        """One request; `more` goes to httpx (json, content, params)."""
        sent = dict(headers or {})
        if role is not None:
            sent["Authorization"] = f"Bearer {self.tokens[role]}"
        if approval is not None:
            sent["Approval"] = f"Bearer {self.tokens[approval]}"
        if seed is not None:
            sent["Seed"] = seed
        if key is not None:
            sent["Idempotency-Key"] = key
        answer = self.portal.call(self._call, method, path, sent, more)
        check_answer(answer)
        return answer

    async def _call(
        self, method: str, path: str, headers: dict[str, str], more: dict[str, Any]
    ) -> httpx.Response:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://shanji.test") as client:
            return await client.request(method, path, headers=headers, **more)

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.call("GET", path, **more)

    def value(self, path: str, **more: Any) -> Any:
        """The JSON of a GET that must succeed."""
        answer = self.get(path, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(
        self, body: Any, *, role: Role | None = Role.CLERK, key: str | None = "", **more: Any
    ) -> httpx.Response:
        """POST /v1/entries with a fresh key unless one is given; None sends none."""
        if key == "":
            key = f"test-{next(self._numbers)}"
        if isinstance(body, bytes):
            more["content"] = body
        else:
            more["json"] = body
        return self.call("POST", "/v1/entries", role=role, key=key, **more)

    def record(self, body: Any, **more: Any) -> Any:
        """Record a body that must be taken; the answer's JSON."""
        answer = self.post(body, **more)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def problem(self, answer: httpx.Response, status: int, code: str) -> Any:
        """The problem that an answer must be."""
        assert answer.status_code == status, answer.text
        value = answer.json()
        assert value["code"] == code, answer.text
        return value

    def bulk(self, content: bytes, *, role: Role = Role.CLERK, **more: Any) -> list[Any]:
        """The answers to a bulk request that must be taken."""
        answer = self.call("POST", "/v1/entries/bulk", role=role, content=content, **more)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/x-ndjson"
        return [json.loads(line) for line in answer.content.splitlines()]


def gift(amount_fen: Any = 10_000, **sealed: str) -> dict[str, Any]:
    """A gift to the general fund; without sealed fields unless they are given."""
    body: dict[str, Any] = {
        "kind": "donation.money",
        "occurred_on": "2022-01-10",
        "fields": {"fund": "general", "amount_fen": amount_fen, "channel": "bank"},
    }
    if sealed:
        body["sealed"] = sealed
    return body


def check_answer(answer: httpx.Response) -> None:
    """What holds of every answer."""
    for name, value in SECURITY_HEADERS:
        # The saved verifier may run its own script, by its hash, and nothing else.
        own = saved_page().policy if name == "content-security-policy" else value
        assert answer.headers[name] in (value, own)
    assert "cache-control" in answer.headers
    kind = answer.headers.get("content-type", "")
    if answer.status_code >= 400:
        assert kind == PROBLEM
        check_problem(answer.json(), answer.status_code)
        return
    assert answer.status_code in (200, 201, 304)
    if answer.status_code == 304 or kind != "application/json" or not answer.content:
        return
    method, path = answer.request.method, answer.request.url.path
    model = next(
        (
            route.response_model
            for route in ROUTES
            if route.path_regex.match(path) and method in (route.methods or ())
        ),
        None,
    )
    if model is not None and "content-disposition" not in answer.headers:
        TypeAdapter(model).validate_json(answer.content)


def check_problem(value: Any, status: int) -> None:
    """What holds of every problem."""
    assert value["status"] == status
    assert value["type"] == TYPE_PREFIX + value["code"]
    assert value["title"]
    assert value["title_en"]
    assert value["detail"]
    assert value["instance"]
    for one in value.get("errors", []):
        assert set(one) == {"field", "code", "message"}


@contextmanager
def serving(folder: Path, *, audit: bool = True, **settings: Any) -> Iterator[Caller]:
    """The service over the log in a folder; audited when it has stopped, unless it is large
    and nothing was recorded."""
    # The rolling inspection reads beside what a test asks, and tests count what is read.
    settings.setdefault("inspection_rows_per_second", 0)
    settings.setdefault("inspection_audit_seconds", 0)
    app = create_app(Settings(data=folder, **settings))
    with start_blocking_portal() as portal:
        lifespan = portal.wrap_async_context_manager(app.router.lifespan_context(app))
        with lifespan:
            yield Caller(app, portal, folder)
    if not audit:
        return
    book = Book.open(folder)
    try:
        audited(book)
    finally:
        book.close()
