"""The pages that verify receipts, in a real browser: by file, PDF, text, code and QR code; with the
service gone; by the reader's own key; the QR code's page; the tamper lab."""

from __future__ import annotations

import json
import urllib.request
from base64 import b64encode, urlsafe_b64encode
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import segno
from chromium import (
    DESKTOP_EN,
    DESKTOP_ZH,
    ELDER_ZH,
    EVERYBODY,
    PHONE_EN,
    PHONE_ZH,
    Mode,
    Site,
    Visit,
    Visiting,
    open_visit,
    overflow,
    violations,
    walk_by_tab,
)
from playwright.sync_api import Browser, Page, Route, expect
from pypdf import PdfWriter

from api.pages.verifier import saved_page
from ledger.locator import Locator, format_locator, format_short_code, log_id
from ledger.receipt import parse_receipt
from ledger.tlog.checkpoint import parse_checkpoint
from ledger.tlog.note import split_note

WORDS = {
    "zh": {"verified": "通过", "pending": "待封账", "mismatch": "不一致", "undecided": "无法判断"},
    "en": {
        "verified": "Verified",
        "pending": "Pending",
        "mismatch": "Mismatch",
        "undecided": "Cannot decide",
    },
}
CANARY = "金丝雀捐赠人"
TAB_PRESSES_MAX = 60


@dataclass(frozen=True)
class Gift:
    """A gift recorded in the served log: its receipt, with everything opened."""

    index: int
    receipt: bytes
    seed: bytes
    origin: str
    key: str

    @property
    def locator(self) -> str:
        return format_locator(Locator(log_id(self.origin), self.index, self.seed))


def ask(url: str, headers: dict[str, str], body: bytes | None = None) -> bytes:
    """What the service answers; with a body, to a POST."""
    request = urllib.request.Request(url, data=body, headers=headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        data: bytes = answer.read()
    return data


@pytest.fixture(scope="module")
def gift(site: Site) -> Gift:
    """One gift with a name that no page may show to others."""
    body = {
        "kind": "donation.money",
        "occurred_on": "2021-10-08",
        "fields": {"fund": "general", "amount_fen": 10_000, "channel": "bank"},
        "sealed": {"donor_name": CANARY, "order_number": f"BROWSER-{site.url[-5:]}"},
    }
    headers = {
        "Authorization": f"Bearer {site.tokens['clerk']}",
        "Idempotency-Key": "browser-verify",
    }
    told = json.loads(ask(f"{site.url}/v1/entries", headers, json.dumps(body).encode()))
    receipt = told["receipt"].encode()
    parsed = parse_receipt(receipt)
    assert parsed.opening.seed is not None
    origin = parse_checkpoint(split_note(parsed.checkpoint)[0]).origin
    keys = json.loads(ask(f"{site.url}/v1/keys", {}))["keys"]
    return Gift(parsed.index, receipt, parsed.opening.seed, origin, keys[0]["verifier_key"])


def opened(page: Page, path: str = "/verify") -> Page:
    page.goto(path)
    page.locator("[data-verifier=ready]").wait_for(state="attached")
    return page


def give(page: Page, data: bytes, name: str = "a.tlog-proof", kind: str = "text/plain") -> None:
    file: Any = {"name": name, "mimeType": kind, "buffer": data}
    page.set_input_files("#file", [])
    page.set_input_files("#file", file)


def expect_outcome(page: Page, outcome: str, language: str = "zh") -> None:
    expect(page.locator("#verdict")).to_have_attribute("data-outcome", outcome)
    expect(page.locator("#verdict .word")).to_contain_text(WORDS[language][outcome])
    expect(page.locator("#result [data-row]")).to_have_count(4)


def as_pdf(*receipts: bytes) -> bytes:
    writer = PdfWriter()
    writer.add_blank_page(100, 100)
    for number, one in enumerate(receipts):
        writer.add_attachment(f"{number}.tlog-proof", one)
    data = BytesIO()
    writer.write(data)
    return data.getvalue()


def qr_picture(text: str) -> bytes:
    data = BytesIO()
    segno.make(text, micro=False).save(data, kind="png", scale=6, border=4)
    return data.getvalue()


def test_every_outcome_is_told_first_with_its_rows(visit: Visiting, gift: Gift) -> None:
    page = opened(visit(PHONE_ZH))
    give(page, gift.receipt)
    expect_outcome(page, "verified")
    expect(page.locator("#verdict-word")).to_be_focused()
    expect(page.locator(".opened")).to_contain_text(CANARY)
    expect(page.locator("#result")).to_contain_text("100.00 元")
    give(page, gift.receipt.replace(b"index ", b"index 1", 1))
    expect_outcome(page, "mismatch")
    expect(page.locator("#result")).not_to_contain_text(CANARY)
    give(page, gift.receipt[:300])
    expect_outcome(page, "undecided")
    page.locator("details.trust summary").click()
    policy = f"log {gift.key}\nwitness w {WITNESS}\nquorum w\n"
    page.fill("#own-trust", policy)
    page.click("#own-trust-use")
    give(page, gift.receipt)
    expect_outcome(page, "pending")


WITNESS = "witness.example/w1+efcd800c+BGa+fjMsekUzMr2dCn99sFX1xe8aBq2mbZizn7aBDEc6"


def test_pdf_text_code_and_qr_picture(site: Site, visit: Visiting, gift: Gift) -> None:
    page = opened(visit(DESKTOP_EN))
    give(page, as_pdf(gift.receipt), "a.pdf", "application/pdf")
    expect_outcome(page, "verified", "en")
    seed = urlsafe_b64encode(gift.seed).decode().rstrip("=")
    own = ask(f"{site.url}/v1/entries/{gift.index}/receipt.pdf", {"Seed": seed})
    give(page, own, "own.pdf", "application/pdf")
    expect_outcome(page, "verified", "en")
    expect(page.locator(".opened")).to_contain_text(CANARY)
    give(page, as_pdf(), "none.pdf", "application/pdf")
    expect_outcome(page, "undecided", "en")
    give(page, as_pdf(gift.receipt, gift.receipt[:200]), "two.pdf", "application/pdf")
    expect(page.locator(".receipts > li")).to_have_count(2)
    page.locator(".receipts button").nth(1).click()
    expect_outcome(page, "undecided", "en")
    page.fill("#text", gift.receipt.decode())
    page.click("#verify-form [type=submit]")
    expect_outcome(page, "verified", "en")
    page.fill("#text", "")
    page.fill("#code", format_short_code(gift.origin, gift.index).lower())
    page.click("#verify-form [type=submit]")
    expect_outcome(page, "verified", "en")
    expect(page.locator("#result")).not_to_contain_text(CANARY)
    page.fill("#code", "0000-0000")
    page.click("#verify-form [type=submit]")
    expect_outcome(page, "undecided", "en")
    give(page, qr_picture(f"{site.url}/r#{gift.locator}"), "qr.png", "image/png")
    expect_outcome(page, "verified", "en")
    expect(page.locator(".opened")).to_contain_text(CANARY)
    give(page, qr_picture("hello"), "qr.png", "image/png")
    expect_outcome(page, "undecided", "en")


def test_the_verdict_is_of_what_was_given_last(visit: Visiting, gift: Gift) -> None:
    page = opened(visit(DESKTOP_EN))
    late: list[Route] = []

    def hold(route: Route) -> None:
        late.append(route)

    page.route("**/receipt", hold)
    page.fill("#code", format_short_code(gift.origin, gift.index))
    with page.expect_request("**/receipt"):
        page.click("#verify-form [type=submit]")
    give(page, gift.receipt)
    expect_outcome(page, "verified", "en")
    with page.expect_response("**/receipt"):
        late[0].fulfill(body=gift.receipt[:300])
    page.evaluate("new Promise((done) => setTimeout(done, 200))")
    expect_outcome(page, "verified", "en")


def test_once_loaded_it_needs_no_service(visit: Visiting, gift: Gift) -> None:
    page = opened(visit(PHONE_EN))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.context.set_offline(True)
    give(page, gift.receipt)
    expect_outcome(page, "verified", "en")
    give(page, as_pdf(gift.receipt), "a.pdf", "application/pdf")
    expect_outcome(page, "verified", "en")
    assert asked == []


def test_the_readers_own_key_counts(visit: Visiting, gift: Gift) -> None:
    page = opened(visit(DESKTOP_ZH))
    page.locator("details.trust summary").click()
    page.fill("#own-trust", "not a key")
    page.click("#own-trust-use")
    expect(page.locator("#trust-state")).to_contain_text("公钥读不出来")
    give(page, gift.receipt)
    expect_outcome(page, "undecided")
    expect(page.locator("#verdict .next")).to_contain_text("重新完整地复制公钥")
    # What is shown follows whom its reader trusts; channels are words.
    page.fill("#own-trust", "")
    page.click("#own-trust-use")
    expect_outcome(page, "verified")
    expect(page.locator("#result")).to_contain_text("银行转账（bank）")
    # The site's policy names no witness: nothing to tick.
    expect(page.locator('[data-row="witnessed"] .holds')).to_have_text("—")
    other = "shanji.example/golden+9d21d7bd+Aawnxtg4B75l7Z0nkdNbY7nQNvxZ/ad+/DFKV5jBaV9n"
    page.fill("#own-trust", other)
    page.click("#own-trust-use")
    expect_outcome(page, "undecided")
    page.fill("#own-trust", gift.key)
    page.click("#own-trust-use")
    expect(page.locator("#trust-state")).to_contain_text("您给出的")
    expect_outcome(page, "verified")
    expect(page.locator('[data-row="witnessed"]')).to_have_attribute("data-holds", "null")


def test_without_scripts_the_server_answers_and_says_so(visit: Visiting, gift: Gift) -> None:
    page = visit(Mode("phone", "zh", script=False))
    page.goto("/verify")
    expect(page.locator("[data-no-script]")).to_be_visible()
    give(page, gift.receipt)
    page.click("#verify-form [type=submit]")
    expect(page.locator(".verdict")).to_contain_text("由服务器回答")
    expect(page.locator(".verdict .word")).to_contain_text("通过")


def test_a_qr_code_leads_to_its_gift(site: Site, visit: Visiting, gift: Gift) -> None:
    page = visit(PHONE_ZH)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"/r#{gift.locator}")
    expect_outcome(page, "verified")
    expect(page.locator(".opened")).to_contain_text(CANARY)
    seed = urlsafe_b64encode(gift.seed).decode().rstrip("=")
    standard = b64encode(gift.seed).decode().rstrip("=")
    assert f"{site.url}/v1/entries/{gift.index}/receipt" in asked
    sent = [one.split("#")[0] for one in asked]
    assert not [one for one in sent if seed in one or standard in one or gift.locator in one]
    with page.expect_download() as saving:
        page.get_by_role("button", name="保存凭证文件").click()
    assert Path(saving.value.path()).read_bytes() == gift.receipt
    page.click("#to-gift")
    page.wait_for_url(f"**/gifts/{gift.index}")
    kept = page.evaluate("(key) => sessionStorage.getItem(key)", f"shanji.seed.{gift.index}")
    assert kept == seed


def test_what_a_qr_code_may_lead_to_besides(site: Site, chromium: Browser, gift: Gift) -> None:
    visitor: Visit = open_visit(chromium, site.url, PHONE_EN)
    page = visitor.context.new_page()
    other = format_locator(Locator(log_id("other.example/log"), gift.index, gift.seed))
    beyond = format_locator(Locator(log_id(gift.origin), 10**9, gift.seed))
    for fragment, why in (
        (gift.locator[:-3], "cut or changed"),
        ("", "cut or changed"),
        (other, "of another log"),
        (beyond, "no such entry"),
    ):
        page.goto("about:blank")
        page.goto(f"/r#{fragment}")
        expect_outcome(page, "undecided", "en")
        expect(page.locator("#verdict")).to_contain_text(why)
    wrong = format_locator(Locator(log_id(gift.origin), gift.index, b"\0" * 16))
    page.goto("about:blank")
    page.goto(f"/r#{wrong}")
    expect_outcome(page, "verified", "en")
    expect(page.locator("#closed")).to_contain_text("erased")
    expect(page.locator("#result")).not_to_contain_text(CANARY)
    # What the browser complains of are the service's refusals, which are wanted here.
    assert all("Failed to load resource" in one for one in visitor.complaints)
    assert not visitor.foreign
    visitor.context.close()


def test_the_lab_names_the_check_that_fails(visit: Visiting) -> None:
    page = opened(visit(DESKTOP_EN), "/lab")
    expect_outcome(page, "verified", "en")
    for button, outcome, row in (
        ("The amount, ten times as much", "mismatch", "recorded"),
        ("The donor's name", "mismatch", "recorded"),
        ("One letter of the signature", "mismatch", "genuine"),
        ("Another signer's name", "undecided", ""),
        ("The file cut short", "undecided", ""),
    ):
        page.get_by_role("button", name=button).click()
        expect_outcome(page, outcome, "en")
        if row:
            expect(page.locator(f'[data-row="{row}"]')).to_have_attribute("data-holds", "false")
    page.get_by_role("button", name="Put it back").click()
    expect_outcome(page, "verified", "en")
    page.fill("#lab-index", "8")
    expect_outcome(page, "mismatch", "en")
    expect(page.locator("#lab-index")).to_be_focused()
    expect(page.locator("#lab-status")).to_contain_text("Mismatch")


def test_the_saved_file_verifies_from_a_disk(chromium: Browser, tmp_path: Path, gift: Gift) -> None:
    path = tmp_path / "verifier.html"
    path.write_bytes(saved_page().data)
    context = chromium.new_context(offline=True, locale="en-GB")
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(path.as_uri())
    page.fill("#own-trust", gift.key)
    give(page, gift.receipt)
    page.get_by_role("button", name="Verify").click()
    expect_outcome(page, "verified", "en")
    page.get_by_role("button", name="中文").click()
    expect_outcome(page, "verified", "zh")
    expect(page.locator("#own-trust")).to_have_value(gift.key)
    assert not violations(page)
    assert not complaints
    context.close()


@pytest.mark.parametrize("mode", [*EVERYBODY, ELDER_ZH], ids=str)
def test_everybody_can_read_and_use_the_pages(visit: Visiting, gift: Gift, mode: Mode) -> None:
    page = opened(visit(mode))
    assert not violations(page)
    assert not overflow(page)
    assert not walk_by_tab(page, TAB_PRESSES_MAX)
    give(page, gift.receipt)
    expect_outcome(page, "verified", mode.language)
    assert not violations(page)
    assert not overflow(page)
    opened(page, "/lab")
    assert not violations(page)
    assert not overflow(page)
    page.goto(f"/r#{gift.locator}")
    expect_outcome(page, "verified", mode.language)
    assert not violations(page)
    assert not overflow(page)
