"""Every public page, in a real browser: what holds of each, whoever reads it with what.

axe-core finds nothing against WCAG 2.2 A and AA; nothing is wider than the narrowest phone,
nor than the window at twice the size; Tab reaches everything, in order, and shows where it
is. Each type of page is looked at once as an elder on a phone in Chinese and once on a
desktop in English; with SHANJI_SOAK_PAGES set, every kind of entry is looked at in all modes.
That nothing was asked of another host and that the browser has no complaint, the fixture
``visit`` checks.
"""

from __future__ import annotations

import os

import pytest
from chromium import (
    DESKTOP_EN,
    ELDER_ZH,
    SIZES,
    Mode,
    Site,
    Visiting,
    overflow,
    violations,
    walk_by_tab,
)
from crawl import crawl, entries_by_kind
from playwright.sync_api import Page

NARROWEST = 320
"""CSS pixels (WCAG 1.4.10)."""
TYPES_MIN = 15
"""Fewer types of pages than this are no site: the crawl would have failed."""
PRESSES_MAX = 40
"""Tabs through a page: further on come rows like those before."""

LONG = "SHANJI_SOAK_PAGES" in os.environ
"""Whether every kind of entry is looked at in every mode."""
EVERY_MODE = [
    Mode(device, language, elder)
    for device in ("phone", "desktop")
    for language in ("zh", "en")
    for elder in (False, True)
]
MODES = EVERY_MODE if LONG else [ELDER_ZH, DESKTOP_EN]


@pytest.fixture(scope="module")
def pages(site: Site) -> dict[str, str]:
    """One page of each type."""
    found = crawl(site.url)
    assert len(found) >= TYPES_MIN, sorted(found)
    return found


def check_page(page: Page, path: str, mode: Mode) -> list[str]:
    """What is wrong with a page for a reader; [] where nothing is."""
    page.goto(path)
    wrong = violations(page)
    height = SIZES[mode.device][1]
    # A desktop's window at 200% has half as many CSS pixels across (WCAG 1.4.4).
    narrow = NARROWEST if mode.device == "phone" else SIZES["desktop"][0] // 2
    page.set_viewport_size({"width": narrow, "height": height})
    wrong += [f"{path} is too wide at {narrow} px: {one}" for one in overflow(page)]
    wrong += [f"{path}: {one}" for one in walk_by_tab(page, PRESSES_MAX)]
    return wrong


@pytest.mark.soak
@pytest.mark.parametrize("mode", MODES, ids=str)
def test_every_page_is_for_everybody(
    visit: Visiting, site: Site, pages: dict[str, str], mode: Mode
) -> None:
    page = visit(mode)
    every = {**pages, **(entries_by_kind(site.url) if LONG else {})}
    wrong = [one for path in every.values() for one in check_page(page, path, mode)]
    assert not wrong, "\n".join(wrong)
