"""A donor's journey: a printed QR code is verified, and the money followed to the goods.

In a real browser, on a phone and a desktop, in both languages. What is on paper comes from
the receipt's own PDF; the code in it is read as a phone reads it, from its picture.
"""

from __future__ import annotations

import csv
import io
import json
import urllib.request
from typing import Any

import pytest
from chromium import EVERYBODY, PHONE_ZH, Mode, Site, Visiting, picture, violations
from pdf_reader import read_pdf
from playwright.sync_api import Page, expect
from qr_reader import read_svg, read_text

WORDS = {
    "zh": {"verified": "通过", "bought": "采购物资", "handed_out": "发放物资"},
    "en": {"verified": "Verified", "bought": "Purchase", "handed_out": "distributed"},
}
GOODS = "item:relief-pack"


def ask(site: Site, path: str, role: str = "") -> bytes:
    """What the service answers."""
    headers = {"Authorization": f"Bearer {site.tokens[role]}"} if role else {}
    with urllib.request.urlopen(
        urllib.request.Request(site.url + path, headers=headers), timeout=60
    ) as answer:
        data: bytes = answer.read()
    return data


@pytest.fixture(scope="module")
def purchase(site: Site) -> int:
    """The purchase of the relief packs, of which every unit was handed out."""
    listed = ask(site, "/entries.csv?kind=purchase.made").decode("utf-8-sig")
    return next(int(row[0]) for row in csv.reader(io.StringIO(listed)) if GOODS in row)


@pytest.fixture(scope="module")
def gift(site: Site, purchase: int) -> int:
    """The first of the gifts that paid for them."""
    trace: dict[str, Any] = json.loads(
        ask(site, f"/v1/entries/{purchase}/trace?direction=backward")
    )
    return int(trace["walks"][0]["hops"][0]["entry"])


@pytest.mark.parametrize("mode", EVERYBODY, ids=str)
def test_a_donor_follows_the_money_to_the_goods(
    visit: Visiting, site: Site, gift: int, purchase: int, mode: Mode
) -> None:
    paper = read_pdf(ask(site, f"/v1/entries/{gift}/receipt.pdf", "clerk"))
    assert "人民币壹仟元整" in paper.text
    drawn = ask(site, f"/v1/entries/{gift}/receipt.svg", "clerk").decode()
    printed, _ = read_text(read_svg(drawn))
    assert printed.startswith(f"{site.url}/r#")

    page, words = visit(mode), WORDS[mode.language]
    page.goto(printed)
    expect(page.locator("#verdict")).to_have_attribute("data-outcome", "verified")
    expect(page.locator("#verdict .word")).to_contain_text(words["verified"])
    picture(page, f"donor-verified-{mode}")
    page.click("#to-gift")
    page.wait_for_url(f"**/gifts/{gift}")
    expect(page.locator("main")).to_contain_text("1,000.00")
    picture(page, f"donor-gift-{mode}")
    if mode == PHONE_ZH:
        assert violations(page) == []

    follow(page, purchase)
    expect(page.locator("h1")).to_contain_text(words["bought"])
    expect(page.locator("main")).to_contain_text("7,250")
    handed_out = page.locator(f"main a[href^='/entries/{purchase + 1}']").first
    handed_out.click()
    expect(page.locator("h1")).to_contain_text(words["handed_out"])
    picture(page, f"donor-goods-{mode}")


def follow(page: Page, index: int) -> None:
    """Go to an entry by a link of the page's content."""
    page.locator(f"main a[href^='/entries/{index}']").first.click()
    page.wait_for_url(f"**/entries/{index}*")
