"""Keyboard alone: the shortcuts do what their page says, and the first link skips the ways."""

from __future__ import annotations

from chromium import DESKTOP_EN, Visiting
from playwright.sync_api import expect

PATIENT = """
const soon = globalThis.setTimeout;
globalThis.setTimeout = (act, milliseconds, ...more) => soon(act, milliseconds * 100, ...more);
"""
"""A loaded machine may take longer between two keys than the page waits for the second."""


def test_shortcuts_lead_where_the_page_of_keys_says(visit: Visiting) -> None:
    page = visit(DESKTOP_EN)
    page.add_init_script(PATIENT)
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


def test_the_first_link_leads_past_the_ways(visit: Visiting) -> None:
    page = visit(DESKTOP_EN)
    page.goto("/funds")
    page.keyboard.press("Tab")
    skip = page.locator("a.skip")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null")
    # And back out again: nothing holds the focus.
    for _ in range(2):
        page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement.closest('main') === null")
