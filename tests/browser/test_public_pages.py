"""The public pages in a browser: accessible in every mode, no wider than the screen, and by
keyboard alone."""

from __future__ import annotations

import pytest
from chromium import DESKTOP_EN, ELDER_ZH, PHONE_ZH, Mode, Visiting, overflow, violations

PATHS = (
    "/",
    "/entries?kind=donation.goods",
    "/entries/2",
    "/funds/general",
    "/projects/giving-day-2021",
    "/items/rice",
    "/sites/shop-1",
    "/parties/holder-0001",
    "/points",
    "/wishes",
    "/search?q=rice",
    "/statistics",
    "/how",
    "/keys",
)


@pytest.mark.parametrize("mode", [PHONE_ZH, DESKTOP_EN, ELDER_ZH], ids=str)
def test_pages_are_accessible_and_fit(visit: Visiting, mode: Mode) -> None:
    page = visit(mode)
    found: dict[str, list[str]] = {}
    # Axe is slow: on the phone every page, elsewhere every other one.
    for path in PATHS if mode is PHONE_ZH else PATHS[::2]:
        page.goto(path)
        wrong = violations(page) + overflow(page)
        if wrong:
            found[path] = wrong
    assert found == {}


def test_shortcuts_lead_where_the_page_of_keys_says(visit: Visiting) -> None:
    page = visit(DESKTOP_EN)
    page.goto("/how")
    page.keyboard.press("?")
    page.wait_for_url("**/keys")
    for keys, path in (("gf", "/funds"), ("gp", "/projects"), ("ge", "/entries")):
        for key in keys:
            page.keyboard.press(key)
        page.wait_for_url(f"**{path}")
    page.keyboard.press("n")
    page.wait_for_url("**/entries?before=*")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "search-box"
    page.keyboard.type("rice g f ?")
    assert page.input_value("#search-box") == "rice g f ?"
    assert "/entries" in page.url
