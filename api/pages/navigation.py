"""The ways through the site that every page offers, and which of them this page is on.

A way is offered where the service serves it: a read-only copy without staff pages has no
link to them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from starlette.requests import Request

from api.pages.texts import Translator


@dataclass(frozen=True, slots=True)
class Way:
    """A link of the main navigation.

    `keys` are the keys that lead there, empty where there are none. `current` is the value
    of aria-current: this page, or a page below it; empty elsewhere.
    `apart` are the ways of those who work here; the elder mode leaves out all but `plain`.
    """

    href: str
    name: str
    current: str
    apart: bool
    keys: str


@dataclass(frozen=True, slots=True)
class Shortcut:
    """Keys, one after the other; the name of the text that tells what they do; where they
    lead, empty where that depends on the page."""

    keys: str
    name: str
    href: str


SHORTCUTS = (
    Shortcut("?", "list", "/keys"),
    Shortcut("/", "search", "/search"),
    Shortcut("g h", "home", "/"),
    Shortcut("g v", "verify", "/verify"),
    Shortcut("g e", "entries", "/entries"),
    Shortcut("g f", "funds", "/funds"),
    Shortcut("g p", "projects", "/projects"),
    Shortcut("g i", "items", "/items"),
    Shortcut("g s", "statistics", "/statistics"),
    Shortcut("g w", "how", "/how"),
    Shortcut("g a", "audit", "/audit"),
    Shortcut("g t", "staff", "/staff"),
    Shortcut("n", "next", ""),
    Shortcut("b", "previous", ""),
)
_KEYS = {one.href: one.keys for one in SHORTCUTS}

_WAYS = (
    ("/", "nav.home", True),
    ("/verify", "nav.verify", True),
    ("/entries", "nav.entries", False),
    ("/funds", "nav.funds", False),
    ("/projects", "nav.projects", True),
    ("/items", "nav.items", True),
    ("/statistics", "nav.statistics", False),
    ("/how", "nav.how", True),
)
"""Address, text, and whether the elder mode has it too."""
_WAYS_APART = (("/audit", "nav.audit", False), ("/staff", "nav.staff", False))


def served_paths(request: Request) -> Collection[str]:
    """The paths of the service's routes, as they are written in them."""
    paths: Collection[str] = request.app.state.paths
    return paths


def ways_of(request: Request, translator: Translator) -> list[Way]:
    """The ways of this page, in their order."""
    served = served_paths(request)
    here = request.url.path
    return [
        Way(href, translator.text(text), _current(href, here), apart, _KEYS.get(href, ""))
        for ways, apart in ((_WAYS, False), (_WAYS_APART, True))
        for href, text, plain in ways
        if href in served and (plain or not translator.plain)
    ]


def _current(href: str, here: str) -> str:
    if here == href:
        return "page"
    return "true" if href != "/" and here.startswith(f"{href}/") else ""
