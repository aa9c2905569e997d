"""A person at the pages: keeps cookies, reads pages strictly, sends forms as a browser would.

Imported by name, as ``caller`` and ``browser``.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

import httpx
from browser import Element, Page, check_page
from caller import Caller

from ledger.records.kind import Role

SITE = "http://shanji.test"


class Clerk:
    """One browser of one person; `person` is signed in already when it is made with a role."""

    def __init__(self, caller: Caller, role: Role | None = None, language: str = "zh") -> None:
        self.caller = caller
        self.language = language
        self.cookies: dict[str, str] = {"lang": language}
        self.last: httpx.Response
        if role is not None:
            self.sign_in(caller.tokens[role])

    def request(
        self, method: str, path: str, headers: dict[str, str] | None = None, **more: Any
    ) -> httpx.Response:
        """One request with the cookies so far; what the answer sets is kept."""
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        sent = {"accept": "text/html", "cookie": cookie, **(headers or {})}
        answer = self.caller.portal.call(self._request, method, path, sent, more)
        for line in answer.headers.get_list("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            if value in ("", '""'):
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        self.last = answer
        return answer

    async def _request(
        self, method: str, path: str, headers: dict[str, str], more: dict[str, Any]
    ) -> httpx.Response:
        transport = httpx.ASGITransport(self.caller.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=SITE) as client:
            return await client.request(method, path, headers=headers, **more)

    def get(self, path: str, status: int = 200) -> Page:
        """One page, checked."""
        return self._page(self.request("GET", path), status)

    def send(
        self, path: str, fields: dict[str, str] | list[tuple[str, str]], **headers: str
    ) -> httpx.Response:
        """Post a form as it is."""
        sent = {
            "content-type": "application/x-www-form-urlencoded",
            "origin": SITE,
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        return self.request("POST", path, sent, content=urlencode(fields).encode())

    def submit(
        self, page: Page, changes: dict[str, str] | None = None, *, action: str, do: str = ""
    ) -> httpx.Response:
        """Send the form of a page with what was typed; `do` is the button pressed."""
        fields = {**form_values(page, action), **(changes or {})}
        if do:
            fields["do"] = do
        return self.send(action, fields)

    def follow(self, answer: httpx.Response, status: int = 200) -> Page:
        """The page that an answer leads to."""
        assert answer.status_code == 303, answer.text
        return self.get(answer.headers["location"], status)

    def shown(self, answer: httpx.Response, status: int = 200) -> Page:
        """The page that an answer is."""
        return self._page(answer, status)

    def sign_in(self, token: str, next_: str = "") -> httpx.Response:
        """Through the sign-in page."""
        page = self.get("/staff/sign-in" + (f"?next={next_}" if next_ else ""))
        return self.submit(page, {"token": token}, action="/staff/sign-in")

    def _page(self, answer: httpx.Response, status: int) -> Page:
        assert answer.status_code == status, re.findall(r'<a href="#[^<]+<|<h1>[^<]*', answer.text)
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["cache-control"] in ("private, no-store", "no-store")
        page = Page(answer.text)
        check_page(page, self.language)
        check_forms(page)
        return page


def form_values(page: Page, action: str) -> dict[str, str]:
    """What the form to an address would send untouched."""
    values: dict[str, str] = {}
    inside = ""
    select = ""
    for one in page.elements:
        if one.tag == "form":
            inside = one.attributes["action"]
        if inside != action or "form" not in one.around:
            continue
        name = one.attributes.get("name", "")
        if one.tag == "select":
            select = name
            values.setdefault(select, "")
        elif one.tag == "option":
            if "select" in one.around and "selected" in one.attributes:
                values[select] = one.attributes["value"]
        elif one.tag == "textarea":
            values[name] = one.text
        elif one.tag == "input":
            kind = one.attributes.get("type", "text")
            if kind in ("checkbox", "radio") and "checked" not in one.attributes:
                continue
            values[name] = one.attributes.get("value", "")
    return values


def errors_of(page: Page) -> dict[str, str]:
    """What the summary says is wrong: each field's id with its line."""
    return {
        one.attributes["href"].removeprefix("#"): one.text
        for one in page.all("a")
        if "ul" in one.around and one.attributes["href"].startswith("#")
    }


def check_forms(page: Page) -> None:
    """What holds of every form: it is sent to us with its token, and every field has a name."""
    labels = {one.attributes.get("for") for one in page.all("label")}
    for form in page.all("form"):
        if form.attributes.get("method") == "post":
            assert "csrf" in form_values(page, form.attributes["action"])
    for one in page.elements:
        if one.tag in ("input", "select", "textarea") and one.attributes.get("type") != "hidden":
            assert named(one, labels), f"no label: {one.attributes}"
        for reference in one.attributes.get("aria-describedby", "").split():
            assert any(two.attributes.get("id") == reference for two in page.elements), reference


def named(element: Element, labels: set[str | None]) -> bool:
    """Whether a field has a label, by its id or around it."""
    return element.attributes.get("id") in labels or "label" in element.around
