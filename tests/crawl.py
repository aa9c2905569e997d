"""Every public page of a served site, found by following its links from the home page.

Imported by name. Pages are of one type where one route makes them (for entries: where they
are of one kind too), so that a test can look at each type once.
"""

from __future__ import annotations

import json
import urllib.request
from collections import Counter, deque
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

from fastapi.routing import APIRoute

from api.app import ALL_ROUTERS

PAGES_MAX = 300
"""Pages that are fetched; a site with more types than this is not a site of ours."""
OF_ONE_TYPE_MAX = 2
"""Pages of one type whose links are followed: the others lead to the same types."""
ENTRIES_MAX = 5
"""Entries that are fetched: each may be of a kind of its own."""
FIRST_ENTRIES = 1500
"""Among so many first entries the demonstration has one of each of its kinds."""
LIST_MAX = 500

ENTRY = "/entries/{index}"


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.kind = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "a" and values.get("href"):
            self.found.append(str(values["href"]))
        if tag == "a" and (values.get("href") or "").startswith("/kinds/") and not self.kind:
            self.kind = str(values["href"]).rpartition("/")[2]


def route_of(path: str) -> str | None:
    """The route that makes the page at a path; None where nothing of ours does."""
    for router in ALL_ROUTERS:
        for route in router.routes:
            if isinstance(route, APIRoute) and route.path_regex.match(path):
                return route.path
    return None


def crawl(url: str) -> dict[str, str]:
    """Follow the links of a site.

    Returns:
        Of each type of page the path of one, with its query: the first that was found. Types
        are routes like ``/funds/{code}``; entries are ``/entries/{index} <kind>``.
    """
    found: dict[str, str] = {}
    seen, waiting = {"/"}, deque(["/"])
    counts: Counter[str] = Counter()
    while waiting and counts.total() < PAGES_MAX:
        path = waiting.popleft()
        route = route_of(urlsplit(path).path)
        if route is None or counts[route] >= (ENTRIES_MAX if route == ENTRY else OF_ONE_TYPE_MAX):
            continue
        counts[route] += 1
        links = _read(url, path)
        if links is None:
            continue
        found.setdefault(f"{route} {links.kind}" if route == ENTRY else route, path)
        for href in links.found:
            target = urlsplit(urljoin(url + path, href))
            place = target.path + (f"?{target.query}" if target.query else "")
            # The other language is the same page; who looks chooses the language.
            is_new = place not in seen and "lang=" not in target.query
            if f"{target.scheme}://{target.netloc}" == url and is_new:
                seen.add(place)
                waiting.append(place)
    return found


def entries_by_kind(url: str) -> dict[str, str]:
    """The page of one entry of each kind, as `crawl` gives them."""
    found: dict[str, str] = {}
    for before in range(LIST_MAX, FIRST_ENTRIES + 1, LIST_MAX):
        place = f"{url}/v1/entries?before={before}&limit={LIST_MAX}"
        with urllib.request.urlopen(place, timeout=60) as answer:
            for one in json.load(answer)["entries"]:
                entry = one["entry"]
                found[f"{ENTRY} {entry['kind']}"] = f"/entries/{entry['index']}"
    return found


def _read(url: str, path: str) -> _Links | None:
    """A page's links; None where it is no page."""
    request = urllib.request.Request(url + path, headers={"Accept": "text/html"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        if not answer.headers["content-type"].startswith("text/html"):
            return None
        links = _Links()
        links.feed(answer.read().decode())
        return links
