"""Every page of the service, in a real browser: what holds of each, whoever reads it with what.

axe-core finds nothing against WCAG 2.2 A and AA (targets of 24 px are among its rules); nothing
is wider than the window, on the narrowest phone and at twice the size too, nor than paper; Tab
reaches everything in order and shows where it is; nothing is told by colour alone, nothing
moves for who asked for less; a Chinese page speaks Chinese. ``tests/sweep.py`` has the pages
and the settings, and how many of them a run looks at. One window is used for all: a setting is
cookies, its size and what it emulates. That nothing was asked of another host and that the
browser has no complaint, the fixture ``visit`` checks.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from chromium import DESKTOP_ZH, Site, Visiting, overflow
from looking import SEEN, Eye, Seen
from page_checks import colour_alone, latin_words, moving, printed_controls, same_words
from playwright.sync_api import Page, expect
from sweep import (
    EVERY,
    FRAMES,
    LEVEL,
    LEVELS,
    LOOKS,
    PAIRWISE,
    VISITOR,
    Place,
    Setting,
    Stage,
    page_routes,
    places,
    set_stage,
    settings_of,
)

from ledger.records.kind import Role

NARROWEST = 320
"""CSS pixels (WCAG 1.4.10)."""
PAPER = 718
"""A4 within margins of 10 mm, in CSS pixels."""
PRESSES_MAX = 40 if LEVEL == "each" else 1000
"""Tabs through a page, where one kind of stop leads to another as never before."""
ON_SCREEN = ("link-in-text-block", "target-size")
"""Rules of axe-core about what is pressed: nothing is, on paper."""
NO_PAGE = {
    # Files to take away, and what only leads on.
    "/notice.css",
    "/entries.csv",
    "/funds.csv",
    "/staff/import/{number}/problems.csv",
    "/staff/import/{number}/refused.csv",
    "/projects.csv",
    "/items.csv",
    "/audit/sample.{form}",
    "/audit/export.zip",
    "/verifier.html.sha256",
    "/staff/receipts/{index}.pdf",
}


@pytest.fixture(scope="module")
def seen() -> Iterator[Seen]:
    """What was looked at already: in this run, and in those before that it goes on with."""
    folder = os.environ.get(SEEN)
    seen = Seen(None if folder is None else Path(folder))
    yield seen
    print(seen.told())


@pytest.fixture(scope="module")
def stage(site: Site) -> Stage:
    """What there is to look at."""
    return set_stage(site)


def test_the_settings_in_turn_and_in_pairs_are_all_of_them() -> None:
    assert LEVEL in LEVELS
    assert len(set(EVERY)) == 2 * 2 * len(FRAMES) * len(LOOKS)
    parts = ("language", "elder", "frame", "look")
    for one in parts:
        for two in parts:
            pairs = {(getattr(each, one), getattr(each, two)) for each in EVERY}
            assert pairs == {(getattr(each, one), getattr(each, two)) for each in PAIRWISE}


def test_no_page_and_no_setting_is_forgotten(stage: Stage) -> None:
    every = places(stage)
    assert page_routes() - {one.route for one in every if one.each} == NO_PAGE & page_routes()
    turned = {
        one for number, place in numbered(stage) for one in settings_of(number, place, "each")
    }
    assert turned == set(EVERY)


def numbered(stage: Stage) -> list[tuple[int, Place]]:
    """The places, those of every run numbered in turn."""
    every = places(stage)
    in_turn = sorted(every, key=lambda one: not one.each)
    return list(enumerate(in_turn))


def sign_in(page: Page, site: Site, who: str) -> None:
    """Through the page, by keyboard."""
    page.goto("/staff/sign-in")
    page.locator("#token").fill(site.tokens[who])
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/staff$"))


def look_as(page: Page, setting: Setting) -> None:
    """Set the window as a reader has it."""
    width, height = FRAMES[setting.frame]
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(reduced_motion="reduce", **LOOKS[setting.look])


def speak_as(page: Page, site: Site, setting: Setting) -> None:
    """Set the cookies that say in which language and type the next page comes."""
    cookies: dict[str, str] = {"lang": setting.language, "elder": "1" if setting.elder else "0"}
    page.context.add_cookies(
        [{"name": name, "value": value, "url": site.url} for name, value in cookies.items()]
    )


def arrive(page: Page, place: Place) -> None:
    """Open a place; its form comes back where it is sent empty."""
    page.goto(place.path)
    if place.sent:
        page.locator('#form button[value="record"]').click()
        expect(page.locator(".error-summary")).to_be_attached()
        # Before its styles have come a page looks as it never does.
        page.wait_for_load_state("load")


def check_document(page: Page, setting: Setting, words: frozenset[str]) -> list[str]:
    """What is wrong with a page however large the window is and whatever it is shown on."""
    wrong = moving(page) + same_words(page)
    return wrong + (latin_words(page, words) if setting.language == "zh" else [])


def check_page(page: Page, setting: Setting, eye: Eye) -> list[str]:
    """What is wrong with the page for a reader; [] where nothing is."""
    paper = setting.look == "print"
    wrong = eye.violations(page, ON_SCREEN if paper else ())
    wrong += colour_alone(page)
    if paper:
        wrong += printed_controls(page)
    width, height = FRAMES[setting.frame]
    if setting.frame == "phone":
        width = NARROWEST
    if paper or setting.frame == "phone":
        page.set_viewport_size({"width": PAPER if paper else width, "height": height})
    wrong += [f"too wide: {one}" for one in overflow(page)]
    if paper:
        page.emulate_media(media="screen")
        page.set_viewport_size({"width": width, "height": height})
    look = "screen" if paper else setting.look
    return wrong + eye.walk(page, f"{setting.elder} {setting.frame} {look}", PRESSES_MAX)


@pytest.mark.soak
@pytest.mark.parametrize("who", [*sorted(Role), VISITOR])
def test_every_page_is_for_everybody(
    visit: Visiting, site: Site, stage: Stage, seen: Seen, who: str
) -> None:
    page = visit(DESKTOP_ZH)
    wrong: list[str] = []
    for number, place in numbered(stage):
        if place.who != who:
            continue
        asked = [one for one in settings_of(number, place, LEVEL) if not seen.is_clean(place, one)]
        # One document is shown in each window and on each thing; only what asks for another
        # language or another size of type is asked for again.
        for _, settings in groupby(sorted(asked, key=_document), key=_document):
            for first, setting in enumerate(settings):
                found: list[str] = []
                if not first:
                    # Nobody fills in a form on paper.
                    look_as(page, replace(setting, look="screen"))
                    speak_as(page, site, setting)
                    if who != VISITOR and not _signed_in(page):
                        sign_in(page, site, who)
                    arrive(page, place)
                    found += check_document(page, setting, stage.words)
                look_as(page, setting)
                found += check_page(page, setting, seen.eye)
                seen.note(place, setting, found)
                wrong += [f"{place} {setting}: {one}" for one in found]
    assert not wrong, "\n".join(wrong)


def _document(setting: Setting) -> tuple[str, bool]:
    return setting.language, setting.elder


def _signed_in(page: Page) -> Any:
    return urlsplit(page.url).path not in ("blank", "/staff/sign-in")
