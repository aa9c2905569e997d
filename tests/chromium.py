"""A real browser for tests: Debian's Chromium through Playwright, with the network closed.

Imported by name. ``tests/browser/conftest.py`` has the fixtures: ``site`` is a served
demonstration, ``visit`` opens it as somebody with a device, a language and a mode. What
holds of every visit is checked when its test ends, whatever the test looked at: no request
to another host was even attempted, nothing was refused by the content security policy, and
the console has no error.

Playwright's synchronous interface keeps an event loop running in the thread that uses it;
so it lives no longer than a module of tests does.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import (
    Browser,
    BrowserContext,
    BrowserType,
    ConsoleMessage,
    Page,
    Request,
    Route,
    expect,
    sync_playwright,
)

PROGRAMS = ("chromium", "chromium-browser")
AXE_TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa")
"""WCAG 2.2, levels A and AA: all rules of axe-core that are no mere advice."""
PICTURES = "SHANJI_SCREENSHOTS"
"""Names the folder for pictures; without it none is taken."""
WAIT_MS_MAX = 120_000
"""How long anything in a page may take on a slow machine."""
expect.set_options(timeout=WAIT_MS_MAX)
STOPS_INSIDE = 4
"""How often Tab is pressed within one such field at most."""
REFUSED_FORM = (400, 409, 422)
"""How the service answers a form that cannot be taken: with the form, to be mended."""
NO_HOST = frozenset(("data", "blob", "about", "file"))
"""Schemes that reach no host."""

SIZES = {"phone": (360, 740), "desktop": (1280, 800)}
LANGUAGES = {"zh": "zh-CN", "en": "en-GB"}

_FLAGS = (
    # Chromium's sandbox does not start as root; it opens nothing here but our own pages.
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)


@dataclass(frozen=True, slots=True)
class Mode:
    """As whom and with what a site is visited."""

    device: Literal["phone", "desktop"] = "desktop"
    language: Literal["zh", "en"] = "zh"
    elder: bool = False
    script: bool = True

    def __str__(self) -> str:
        parts = [self.device, self.language]
        parts += ["elder"] if self.elder else []
        parts += [] if self.script else ["no script"]
        return "-".join(parts)


PHONE_ZH, PHONE_EN = Mode("phone", "zh"), Mode("phone", "en")
DESKTOP_ZH, DESKTOP_EN = Mode("desktop", "zh"), Mode("desktop", "en")
ELDER_ZH, ELDER_EN = Mode("phone", "zh", elder=True), Mode("phone", "en", elder=True)
EVERYBODY = (PHONE_ZH, PHONE_EN, DESKTOP_ZH, DESKTOP_EN)
"""Both devices, both languages: what a journey is made with."""


def find_program() -> str:
    """Debian's Chromium; the test is skipped where there is none."""
    for name in PROGRAMS:
        found = shutil.which(name)
        if found is not None:
            return found
    pytest.skip("chromium is missing (Debian's package chromium): pages in a real browser")


@contextmanager
def launched() -> Iterator[Browser]:
    """Chromium without a window."""
    find_program()
    with sync_playwright() as playwright:
        browser = launch(playwright.chromium)
        try:
            yield browser
        finally:
            browser.close()


def launch(kind: BrowserType, *flags: str) -> Browser:
    """Another one beside it, with Chromium's own `flags`; to be closed by who asked."""
    return kind.launch(executable_path=find_program(), args=[*_FLAGS, *flags])


@dataclass
class Visit:
    """One visitor's browser: a context of its own, with what went wrong in it.

    `foreign` are requests to another host, which were refused; `complaints` are errors and
    warnings of the console, which has what the content security policy refused too. `leads` is
    the address of the page that was asked for last.
    """

    context: BrowserContext
    leads: str = ""
    foreign: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def check(self) -> None:
        """Fail where anything went wrong since it began."""
        assert not self.foreign, f"requests to another host: {self.foreign}"
        assert not self.complaints, f"the browser complains: {self.complaints}"


def open_visit(browser: Browser, url: str, mode: Mode, **options: Any) -> Visit:
    """A new visitor of the site at `url`; `options` go to Playwright's ``new_context``."""
    width, height = SIZES[mode.device]
    context = browser.new_context(
        base_url=url,
        viewport={"width": width, "height": height},
        is_mobile=mode.device == "phone",
        has_touch=mode.device == "phone",
        locale=LANGUAGES[mode.language],
        timezone_id="Asia/Shanghai",
        java_script_enabled=mode.script,
        reduced_motion="reduce",
        **options,
    )
    context.set_default_timeout(WAIT_MS_MAX)
    cookies = {"lang": mode.language, **({"elder": "1"} if mode.elder else {})}
    context.add_cookies([{"name": k, "value": v, "url": url} for k, v in cookies.items()])
    visit = Visit(context)
    host = urlsplit(url).netloc

    def is_foreign(address: str) -> bool:
        parts = urlsplit(address)
        return parts.scheme not in NO_HOST and parts.netloc != host

    def note(request: Request) -> None:
        if request.is_navigation_request():
            visit.leads = request.url
        if is_foreign(request.url):
            visit.foreign.append(request.url)

    def refuse(route: Route) -> None:
        route.abort()

    def watch(page: Page) -> None:
        page.on("websocket", lambda socket: visit.foreign.append(socket.url))
        page.on("pageerror", lambda error: visit.complaints.append(str(error)))

    context.route(is_foreign, refuse)
    context.on("request", note)
    context.on("page", watch)
    context.on(
        "console",
        lambda message: (
            visit.complaints.append(f"{message.type}: {message.text}")
            if message.type in ("error", "warning") and not _is_refused_form(message, visit.leads)
            else None
        ),
    )
    return visit


def _is_refused_form(message: ConsoleMessage, leads: str) -> bool:
    """Whether the browser only says that the page it shows is a form that was sent back; it may
    say so before it tells that it shows it."""
    refused = any(f"a status of {status} " in message.text for status in REFUSED_FORM)
    return (
        refused
        and message.page is not None
        and message.location["url"]
        in (
            message.page.url,
            leads,
        )
    )


@dataclass(frozen=True, slots=True)
class Site:
    """The served demonstration: its address, its data folder, a token for each role."""

    url: str
    data: Path
    tokens: dict[str, str]


Visiting = Callable[..., Page]
"""The fixture ``visit``: a mode, and what Playwright's ``new_context`` takes besides."""


# --- what is asked of a page ---


def violations(
    page: Page, tags: Sequence[str] = AXE_TAGS, without: Sequence[str] = ()
) -> list[str]:
    """What axe-core finds against WCAG 2.2 A and AA in a page as it is now.

    `without` names rules that are left out: what they ask has no meaning there.

    axe-core comes into the page as the developer's tools do, past the page's policy, which
    stays as it is for everything else.
    """
    return findings(page, {"type": "tag", "values": list(tags)}, without)


def findings(
    page: Page, asked: Mapping[str, Any], without: Sequence[str] = (), context: str = "document"
) -> list[str]:
    """What axe-core finds of what is `asked` (its ``runOnly``), in what `context` gives."""
    page.evaluate(f"() => {{ if (!window.axe) {{ {AXE_SCRIPT} }} }}")
    found = page.evaluate(
        f"async (options) => (await axe.run({context}, options)).violations",
        {
            "runOnly": dict(asked),
            "resultTypes": ["violations"],
            "rules": {name: {"enabled": False} for name in without},
        },
    )
    return [
        f"{page.url}: {one['id']} ({one['help']}): {json.dumps(node['target'])} {node['html']} "
        f"{node.get('failureSummary', '')}"
        for one in found
        for node in one["nodes"]
    ]


def overflow(page: Page) -> list[str]:
    """What is wider than the window, so that the page scrolls sideways; [] where nothing is."""
    found: list[str] = page.evaluate(_OVERFLOW)
    return found


_OVERFLOW = """() => {
  const root = document.documentElement;
  if (root.scrollWidth <= root.clientWidth) return [];
  const wide = [...document.body.querySelectorAll("*")].filter((one) => {
    if (one.getBoundingClientRect().right <= root.clientWidth + 0.5) return false;
    for (let box = one.parentElement; box; box = box.parentElement) {
      if (getComputedStyle(box).overflowX !== "visible" && box !== document.body) return false;
    }
    return true;
  });
  return [`${root.scrollWidth} of ${root.clientWidth} px`,
          ...wide.slice(0, 5).map((one) => one.outerHTML.slice(0, 200))];
}"""


def walk_by_tab(page: Page, presses_max: int) -> list[str]:
    """Press Tab through a page from its top; what is wrong on the way.

    Reached must be, in the order of the page, every link, field and button that is seen;
    each must show that it has the focus, and be in the window then. At most `presses_max`
    are walked; a longer page is walked that far.
    """
    # Where the page itself put the focus is no place to begin.
    page.evaluate(_TO_THE_TOP)
    expected = page.evaluate(_WATCH_FOCUS)
    count = min(expected, presses_max)
    # A field for a day or a time has stops of its own inside, for its parts.
    parts = page.locator("input[type=date], input[type=time]").count() * STOPS_INSIDE
    for _ in range(count + parts):
        page.keyboard.press("Tab")
    found: list[str] = page.evaluate("(count) => window.focusReport(count)", count)
    return found


_TO_THE_TOP = """() => {
  document.body.tabIndex = -1;
  document.body.focus();
  document.body.removeAttribute("tabindex");
  scrollTo(0, 0);
}"""

_WATCH_FOCUS = """() => {
  const can = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]";
  const seen = (one) => one.checkVisibility({ visibilityProperty: true });
  const radios = new Set();
  const stops = [...document.querySelectorAll(can)].filter((one) => {
    if (one.tabIndex < 0 || one.disabled || !seen(one)) return false;
    if (one.type !== "radio") return true;
    const group = document.querySelector(`input[name="${one.name}"]:checked`);
    if (group ? group !== one : radios.has(one.name)) return false;
    radios.add(one.name);
    return true;
  });
  const told = (one) => one.outerHTML.slice(0, 160);
  const reached = [];
  const wrong = [];
  document.addEventListener("focusin", (event) => {
    const one = event.target;
    reached.push(one);
    const style = getComputedStyle(one);
    const outlined = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
    if (!outlined && style.boxShadow === "none") wrong.push(`focus is not seen: ${told(one)}`);
    const box = one.getBoundingClientRect();
    const across = box.right > 0 && box.left < innerWidth;
    const down = box.bottom > 0 && box.top < innerHeight;
    if (!across || !down) wrong.push(`focus is out of sight: ${told(one)}`);
  });
  window.focusReport = (count) => {
    for (let at = 0; at < count; at += 1) {
      if (reached[at] !== stops[at]) {
        const came = reached[at] ? told(reached[at]) : "nothing";
        return [...wrong, `Tab ${at + 1} should reach ${told(stops[at])}, reached ${came}`];
      }
    }
    return wrong;
  };
  return stops.length;
}"""


# --- pictures for the documentation ---


def picture(page: Page, name: str) -> None:
    """Keep the top of the page as ``<name>.png``, where `scripts/screenshots` runs the tests."""
    folder = os.environ.get(PICTURES)
    if folder is not None:
        page.evaluate("scrollTo(0, 0)")
        page.evaluate("document.fonts.ready")
        page.screenshot(path=Path(folder) / f"{name}.png")
