"""A strict reader of pages: what holds of every page is checked of each that is read.

Imported by name, as ``caller``. It reads HTML with the standard library's parser and
refuses what a browser would silently mend.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import httpx
from caller import Caller

VOID = frozenset(("area", "base", "br", "col", "hr", "img", "input", "link", "meta", "wbr"))
HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
CLOSED_EARLY = frozenset(("style", "iframe", "object", "embed"))
"""Elements that no page of ours has: nothing is loaded from elsewhere."""


@dataclass
class Element:
    """One element with its text, and the elements around it."""

    tag: str
    attributes: dict[str, str]
    around: tuple[str, ...]
    text: str = ""


@dataclass
class Table:
    """A table as its reader sees it: caption, column heads, and rows of cells."""

    caption: str = ""
    rows: list[list[str]] = field(default_factory=list)

    def row(self, first: str) -> list[str]:
        """The row whose first cell starts so."""
        return next(row for row in self.rows if row and row[0].startswith(first))


class Page(HTMLParser):
    """A parsed page; parsing fails the test where the page is not well-formed."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.html = html
        self.elements: list[Element] = []
        self.tables: list[Table] = []
        self._open: list[Element] = []
        assert html.startswith("<!doctype html>")
        self.feed(html)
        self.close()
        assert not self._open, f"never closed: {[one.tag for one in self._open]}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names), f"an attribute twice: {tag} {names}"
        around = tuple(one.tag for one in self._open)
        element = Element(tag, {name: value or "" for name, value in attrs}, around)
        self.elements.append(element)
        if tag == "table":
            self.tables.append(Table())
        elif tag == "tr":
            self.tables[-1].rows.append([])
        if tag not in VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert tag not in VOID
        assert self._open, f"closed but never opened: {tag}"
        element = self._open.pop()
        assert element.tag == tag, f"{element.tag} is closed by {tag}"
        element.text = " ".join(element.text.split())
        if tag in ("td", "th"):
            self.tables[-1].rows[-1].append(element.text)
        elif tag == "caption":
            self.tables[-1].caption = element.text

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text += data

    def all(self, tag: str) -> list[Element]:
        """Every element of that tag, in order."""
        return [one for one in self.elements if one.tag == tag]

    def one(self, tag: str) -> Element:
        """The only element of that tag."""
        (element,) = self.all(tag)
        return element

    def links(self) -> list[str]:
        """Where the page's links lead."""
        return [one.attributes["href"] for one in self.all("a")]

    def table(self, caption: str) -> Table:
        """The table whose caption starts so."""
        return next(one for one in self.tables if one.caption.startswith(caption))

    def facts(self) -> dict[str, str]:
        """The page's terms and what is said of each."""
        names = [one.text for one in self.all("dt")]
        values = [
            one.text
            for before, one in zip(
                [None, *(two.tag for two in self._terms())], self._terms(), strict=False
            )
            if one.tag == "dd" and before == "dt"
        ]
        return dict(zip(names, values, strict=True))

    def _terms(self) -> list[Element]:
        return [one for one in self.elements if one.tag in ("dt", "dd")]


def check_page(page: Page, language: str) -> None:
    """What holds of every page, whoever reads it with whatever."""
    assert page.one("html").attributes["lang"] == {"zh": "zh-Hans", "en": "en"}[language]
    (title,) = [one for one in page.all("title") if "svg" not in one.around]
    assert title.text.strip(" ·")
    assert {"charset": "utf-8"} in [one.attributes for one in page.all("meta")]
    assert any(one.attributes.get("name") == "viewport" for one in page.all("meta"))
    main = page.one("main")
    assert main.attributes["id"] == "main"
    skip = page.all("a")[0]
    assert skip.attributes["href"] == "#main", "the first link leads past the navigation"
    _check_ids(page)
    _check_headings(page)
    _check_nothing_from_elsewhere(page)
    _check_tables(page)
    for image in page.all("img"):
        assert "alt" in image.attributes
    _check_forms(page)
    for link in page.all("a"):
        assert link.text, f"a link without a name: {link.attributes}"
        assert "a" not in link.around
    for one in page.all("dt") + page.all("dd"):
        assert "dl" in one.around
    for one in page.all("time"):
        assert one.attributes["datetime"]


def _check_ids(page: Page) -> None:
    ids = [one.attributes["id"] for one in page.elements if "id" in one.attributes]
    assert len(set(ids)) == len(ids), f"an id twice: {sorted(ids)}"
    for one in page.elements:
        assert set(one.attributes.get("aria-labelledby", ids[0]).split()) <= set(ids)
        if one.tag == "a" and one.attributes["href"].startswith("#"):
            assert one.attributes["href"][1:] in ids


def _check_forms(page: Page) -> None:
    """Every control has a name that is read out, and hints that it names are there."""
    ids = {one.attributes.get("id") for one in page.elements}
    labelled = {one.attributes["for"] for one in page.all("label") if "for" in one.attributes}
    for tag in ("input", "select", "textarea"):
        for one in page.all(tag):
            if one.attributes.get("type") in ("hidden", "submit"):
                continue
            named = one.attributes.get("id") in labelled or "aria-label" in one.attributes
            assert named or "label" in one.around, f"a control without a label: {one.attributes}"
            for described in one.attributes.get("aria-describedby", "").split():
                assert described in ids
    for form in page.all("form"):
        assert form.attributes.get("method") in ("get", "post")


def _check_headings(page: Page) -> None:
    levels = [HEADINGS.index(one.tag) + 1 for one in page.elements if one.tag in HEADINGS]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def _check_nothing_from_elsewhere(page: Page) -> None:
    for one in page.elements:
        assert one.tag not in CLOSED_EARLY
        if one.tag == "script":
            assert one.attributes.get("type") == "module"
            assert one.attributes["src"].startswith("/static/"), "no script in the page itself"
            assert not one.text
        for name, value in one.attributes.items():
            assert not name.startswith("on")
            assert name != "style"
            if name in ("href", "src", "action", "srcset", "poster", "data"):
                parts = urlsplit(value)
                assert not parts.scheme, value
                assert not parts.netloc, value
                assert value.startswith(("/", "#", "?")), value


def _check_tables(page: Page) -> None:
    for table in page.tables:
        assert table.caption
        assert len({len(row) for row in table.rows if len(row) > 1}) <= 1, table.caption
    for one in page.all("th"):
        assert one.attributes.get("scope") in ("col", "row")


def read(
    caller: Caller,
    path: str,
    language: str = "zh",
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> Page:
    """One page in a language, which has been checked."""
    sent = {"Accept": "text/html", "Cookie": f"lang={language}", **(headers or {})}
    answer = fetch(caller, path, sent)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    page = Page(answer.text)
    check_page(page, language)
    return page


def fetch(caller: Caller, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
    """One GET, unchecked; errors too are answers."""
    return caller.portal.call(_fetch, caller.app, path, headers or {})


async def _fetch(app: Any, path: str, headers: dict[str, str]) -> httpx.Response:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://shanji.test") as client:
        return await client.get(path, headers=headers)
