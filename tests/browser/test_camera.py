"""Scanning a receipt's QR code with the camera: a film of it in the place of the camera.

Chromium on Linux has no BarcodeDetector, so it is the vendored jsQR that reads here, from the
frames as they come. What cannot be done is told with what can be done instead.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import segno
from chromium import PHONE_ZH, Mode, Site, launch, open_visit, violations
from playwright.sync_api import Browser, Page, expect

from ledger.locator import Locator, format_locator, log_id
from ledger.receipt import parse_receipt
from ledger.tlog.checkpoint import parse_checkpoint
from ledger.tlog.note import split_note

DONOR = "镜头前的示例捐赠人"
WIDTH, HEIGHT = 640, 480
SQUARE = 6
BEFORE = 3
"""Frames in which there is nothing yet."""


def film(path: Path, text: str) -> None:
    """A film of a QR code that comes into sight, as YUV4MPEG2: what a camera would see."""
    matrix = [[*row] for row in segno.make(text, micro=False, error="m").matrix_iter(border=4)]
    side = len(matrix) * SQUARE
    top, left = (HEIGHT - side) // 2, (WIDTH - side) // 2
    grey = bytes([120]) * WIDTH
    rows = [grey] * top
    for line in matrix:
        drawn = b"".join(bytes([16 if dark else 235]) * SQUARE for dark in line)
        rows += [grey[:left] + drawn + grey[left + side :]] * SQUARE
    rows += [grey] * (HEIGHT - len(rows))
    colour = bytes([128]) * (WIDTH * HEIGHT // 2)
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F10:1 Ip A1:1 C420jpeg\n".encode())
        for luma in [grey * HEIGHT] * BEFORE + [b"".join(rows)] * BEFORE:
            file.write(b"FRAME\n" + luma + colour)


@pytest.fixture(scope="module")
def address(site: Site) -> str:
    """What the QR code of a gift's receipt holds."""
    body = {
        "kind": "donation.money",
        "occurred_on": "2021-10-08",
        "fields": {"fund": "general", "amount_fen": 7_777, "channel": "bank"},
        "sealed": {"donor_name": DONOR},
    }
    headers = {"Authorization": f"Bearer {site.tokens['clerk']}", "Idempotency-Key": "camera"}
    sent = urllib.request.Request(f"{site.url}/v1/entries", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(sent, timeout=60) as answer:
        receipt = parse_receipt(json.load(answer)["receipt"].encode())
    seed = receipt.opening.seed
    assert seed is not None
    origin = parse_checkpoint(split_note(receipt.checkpoint)[0]).origin
    return f"{site.url}/r#{format_locator(Locator(log_id(origin), receipt.index, seed))}"


@contextmanager
def verifying(browser: Browser, site: Site, mode: Mode, before: str = "") -> Iterator[Page]:
    """The page that verifies; `before` is a script that runs before those of the page."""
    visit = open_visit(browser, site.url, mode)
    visit.context.add_init_script(f"delete globalThis.BarcodeDetector; {before}")
    page = visit.context.new_page()
    page.goto("/verify")
    page.locator("[data-verifier=ready]").wait_for(state="attached")
    yield page
    visit.context.close()
    visit.check()


@contextmanager
def with_camera(beside: Browser, *flags: str) -> Iterator[Browser]:
    """A browser with a camera, which asks whether it may be used unless a flag says so."""
    browser = launch(beside.browser_type, "--use-fake-device-for-media-stream", *flags)
    try:
        yield browser
    finally:
        browser.close()


def test_a_code_before_the_camera_is_verified(
    chromium: Browser, site: Site, address: str, tmp_path: Path
) -> None:
    film(tmp_path / "code.y4m", address)
    shown = f"--use-file-for-fake-video-capture={tmp_path / 'code.y4m'}"
    with with_camera(chromium, "--use-fake-ui-for-media-stream", shown) as browser:
        with verifying(browser, site, PHONE_ZH) as page:
            page.locator("#scan").press("Enter")
            expect(page.locator("#verdict")).to_have_attribute("data-outcome", "verified")
            expect(page.locator(".opened")).to_contain_text(DONOR)
            # The camera is off again.
            assert page.evaluate("document.getElementById('camera').srcObject") is None
            expect(page.locator("#camera")).to_be_hidden()
            expect(page.locator("#scan")).to_be_visible()
            # What reads nothing looks on until somebody stops it.
            page.evaluate("() => { globalThis.jsQR = () => null; }")
            page.locator("#scan").click()
            expect(page.locator("#scan-stop")).to_be_focused()
            expect(page.locator("#scan-state")).to_contain_text("请把二维码对准摄像头")
            expect(page.locator("#camera")).to_be_visible()
            assert not violations(page)
            page.keyboard.press("Enter")
            expect(page.locator("#scan")).to_be_focused()
            expect(page.locator("#camera")).to_be_hidden()
        with verifying(browser, site, PHONE_ZH) as page:
            page.evaluate(
                "() => { document.head.append = (one) => one.dispatchEvent(new Event('error')); }"
            )
            expect_other_ways(page, "识别二维码的程序没有加载成功")
            expect_only_codes_are_taken(page, site)


def expect_only_codes_are_taken(page: Page, site: Site) -> None:
    """A box's code goes into its field; a receipt's QR code, which holds a key, goes nowhere."""
    page.goto("/staff/sign-in")
    page.locator("#token").fill(site.tokens["warehouse"])
    page.keyboard.press("Enter")
    page.wait_for_url("**/staff")
    page.goto("/staff/lots")
    page.locator("[data-scan] button").first.press("Enter")
    expect(page.locator("[data-scan] [role=status]")).to_contain_text("没有填入")
    assert page.input_value("#code") == ""
    assert not violations(page)
    page.evaluate("() => { globalThis.jsQR = () => ({ data: 'D2021-01' }); }")
    page.locator("[data-scan] button").first.press("Enter")
    page.wait_for_url("**/staff/lots?code=D2021-01")
    page.locator("main .waiting a[href*='/desk/move']").first.click()
    expect(page.locator("[data-scan='fields.lot'] button").first).to_be_visible()
    assert page.input_value("[name='fields.lot']") == "D2021-01"


def expect_other_ways(page: Page, told: str) -> None:
    """Scanning fails with these words, which name what can be done instead."""
    page.locator("#scan").click()
    expect(page.locator("#scan-state")).to_contain_text(told)
    expect(page.locator("#scan-state")).to_contain_text("短码")
    expect(page.locator("#camera")).to_be_hidden()
    expect(page.locator("#scan")).to_be_focused()


def test_where_no_camera_helps_the_other_ways_are_told(chromium: Browser, site: Site) -> None:
    with verifying(chromium, site, PHONE_ZH) as page:
        expect_other_ways(page, "没有找到摄像头")
    never = "Object.defineProperty(navigator, 'mediaDevices', { value: undefined });"
    with verifying(chromium, site, PHONE_ZH, never) as page:
        expect(page.locator("#scan-state")).to_contain_text("用手机相机扫码")
        expect(page.locator("#scan")).to_have_count(0)
    with with_camera(chromium) as browser, verifying(browser, site, PHONE_ZH) as page:
        expect_other_ways(page, "没有使用摄像头的许可")
