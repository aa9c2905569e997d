"""My gift in a real browser: its holder's key opens it in this tab, and without scripts too."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from chromium import DESKTOP_EN, ELDER_ZH, PHONE_ZH, Mode, Site, Visiting, overflow, violations
from pdf_reader import read_pdf
from playwright.sync_api import Page, Route, expect

from ledger.entry import base64url
from ledger.receipt import parse_receipt
from ledger.tlog.note import parse_verifier_key
from ledger.verify import verify_receipt

DONOR = "只给持有人看的名字"


@dataclass(frozen=True)
class Given:
    """A gift that was recorded for these tests."""

    index: int
    seed: str

    @property
    def path(self) -> str:
        return f"/gifts/{self.index}"


@pytest.fixture(scope="module")
def given(site: Site) -> Given:
    body = {
        "kind": "donation.money",
        "occurred_on": "2021-10-08",
        "fields": {"fund": "general", "amount_fen": 12_345, "channel": "bank"},
        "sealed": {"donor_name": DONOR, "order_number": f"BROWSER-{uuid.uuid4()}"},
    }
    request = Request(
        f"{site.url}/v1/entries",
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {site.tokens['clerk']}", "Idempotency-Key": str(uuid.uuid4())},
    )
    with urlopen(request, timeout=60) as answer:
        value = json.load(answer)
    seed = parse_receipt(value["receipt"].encode()).opening.seed
    assert seed is not None
    return Given(value["index"], base64url(seed))


def verified_values(site: Site, path: Path) -> Any:
    with urlopen(f"{site.url}/v1/keys", timeout=60) as answer:
        keys = [parse_verifier_key(one["verifier_key"]) for one in json.load(answer)["keys"]]
    return verify_receipt(path.read_bytes(), keys).values


def save(page: Page, what: str) -> Path:
    with page.expect_download() as download:
        page.locator(f"button[value={what}]").click()
    return Path(download.value.path())


def test_the_key_that_the_scanner_left_opens_the_gift(
    site: Site, visit: Visiting, given: Given
) -> None:
    page = visit(PHONE_ZH)
    page.goto(given.path)
    assert DONOR not in page.content()
    page.evaluate(
        "([key, seed]) => sessionStorage.setItem(key, seed)",
        [f"shanji.seed.{given.index}", given.seed],
    )
    page.reload()
    expect(page.locator("#opened")).to_contain_text(DONOR)
    assert given.seed not in page.url
    assert verified_values(site, save(page, "proof"))["donor_name"] == DONOR
    pdf = read_pdf(save(page, "pdf").read_bytes())
    assert pdf.says(DONOR)
    page.locator("button[value=part]").click()
    expect(page.locator("#told")).to_have_text("请至少勾选一项")
    page.get_by_label("捐赠人姓名").check()
    assert verified_values(site, save(page, "part")) == {"donor_name": DONOR}
    page.locator("button[value=code]").click()
    expect(page.get_by_role("img", name="二维码：这笔捐赠的凭证").last).to_be_visible()
    assert violations(page) == []
    assert overflow(page) == []
    page.locator("#forget button").click()
    assert DONOR not in page.content()
    assert page.evaluate("sessionStorage.length") == 0


def test_a_wrong_key_is_told_and_opens_nothing(visit: Visiting, given: Given) -> None:
    page = visit(DESKTOP_EN)
    page.goto(given.path)
    key = page.get_by_label("The receipt's key")
    show = page.get_by_role("button", name="Show personal data")
    for typed, told in (("", "Fill in"), ("abc", "22 characters")):
        key.fill(typed)
        show.click()
        expect(page.locator("#told")).to_contain_text(told)
    assert DONOR not in page.content()
    # What was asked for before it was forgotten, and comes afterwards, is not shown either.
    key.fill(given.seed)
    show.click()
    expect(page.locator("#opened")).to_contain_text(DONOR)
    late: list[Route] = []

    def hold(route: Route) -> None:
        late.append(route)

    page.route("**/opening", hold)
    with page.expect_request("**/opening"):
        show.click()
    page.locator("#forget button").click()
    with page.expect_response("**/opening"):
        late[0].continue_()
    page.evaluate("new Promise((done) => setTimeout(done, 200))")
    assert DONOR not in page.content()


@pytest.mark.parametrize("mode", [Mode("phone", "zh", script=False), ELDER_ZH], ids=str)
def test_without_scripts_the_form_does_the_same(
    site: Site, visit: Visiting, given: Given, mode: Mode
) -> None:
    page = visit(mode)
    page.goto(given.path)
    page.get_by_label("凭证的钥匙").fill(given.seed)
    page.get_by_role("button", name="查看个人信息").click()
    expect(page.locator("#opened")).to_contain_text(DONOR)
    assert page.url.endswith(given.path)
    assert verified_values(site, save(page, "proof"))["donor_name"] == DONOR
    assert overflow(page) == []
