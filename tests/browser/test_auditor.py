"""An auditor's journey: all adds up, a kept checkpoint holds, a flag is decided, a sample drawn.

In a real browser, on a phone and a desktop, in both languages, from the home page on.
"""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
import subprocess
import sys
import urllib.request
from base64 import b64decode
from dataclasses import replace
from pathlib import Path

import pytest
from chromium import DESKTOP_ZH, EVERYBODY, Mode, Site, Visiting, picture, violations
from playwright.sync_api import Page, expect
from processes import until

from ledger.receipt import build_receipt, parse_receipt

KEPT_SIZE_MIN = 100
"""The checkpoint that the auditor kept from an earlier visit is of an entry after this one."""
DRAWN = 5
AMOUNT = b'"amount":'

WORDS = {
    "zh": {
        "audit": "审计",
        "adds_up": "全部相符",
        "integrity": "账本完整性",
        "two": "两个检查点是否一致",
        "compare": "比较",
        "contains": "此前的条目没有改动",
        "forged": "签名不成立",
        "flags": "关注事项",
        "sign_in": "审计人员登录后可以登记处理意见",
        "log_in": "登录",
        "decide": "登记处理意见",
        "record": "登记",
        "sample": "审计抽样",
        "seed": "种子",
        "draw": "抽取",
        "table": "下载表格（CSV）",
    },
    "en": {
        "audit": "Audit",
        "adds_up": "Everything adds up",
        "integrity": "Integrity",
        "two": "Two checkpoints",
        "compare": "Compare",
        "contains": "nothing before was changed",
        "forged": "The signature fails",
        "flags": "Attention list",
        "sign_in": "Auditors can record decisions after signing in",
        "log_in": "Sign in",
        "decide": "Record a decision",
        "record": "Record it",
        "sample": "Sampling",
        "seed": "Seed",
        "draw": "Draw",
        "table": "Table (CSV)",
    },
}


HOLDER = "holder-0001"
"""Whose points are past their expiry in the demonstration."""


def fetched(site: Site, path: str, **headers: str) -> str:
    """What the service answers, as the auditor's own program gets it."""
    asked = urllib.request.Request(site.url + path, headers=headers)
    with urllib.request.urlopen(asked, timeout=60) as answer:
        return str(answer.read().decode())


@pytest.fixture(scope="module")
def kept(site: Site) -> str:
    """A checkpoint that the auditor kept: that of a receipt of long ago."""
    receipt = fetched(site, f"/v1/entries/{KEPT_SIZE_MIN}/receipt")
    return receipt.partition("\n\n")[2]


@pytest.mark.parametrize("mode", EVERYBODY, ids=str)
def test_an_auditor_checks_that_all_adds_up(
    visit: Visiting, site: Site, kept: str, mode: Mode, tmp_path: Path
) -> None:
    page, words = visit(mode), WORDS[mode.language]
    page.goto("/")
    if mode == DESKTOP_ZH:
        picture(page, "home-zh")
    page.get_by_role("contentinfo").get_by_role("link", name=words["audit"], exact=True).click()
    expect(page.locator("#verdict")).to_contain_text(words["adds_up"])
    expect(page.locator("main")).not_to_contain_text("✕")
    picture(page, f"audit-{mode}")
    follow_a_number(page)

    go(page, words["integrity"])
    root = b64decode(fetched(site, "/checkpoint").splitlines()[2])
    expect(page.locator(".hash.copy").first).to_have_text(root.hex())

    go(page, words["two"])
    compare(page, words, kept, "verified", words["contains"])
    picture(page, f"audit-consistency-{mode}")
    if mode == DESKTOP_ZH:
        check_with_the_command(page, kept, tmp_path)
    forged = kept.replace("\n", "\n1", 1)
    compare(page, words, forged, "mismatch", words["forged"])
    assert violations(page) == []

    catch_a_tampered_receipt(page, site, mode)
    decide_a_flag(page, site, words)
    draw_a_sample(page, words, f"audit {mode}")


def go(page: Page, name: str) -> None:
    """To another of the auditor's pages."""
    page.get_by_role("main").get_by_role("link", name=name, exact=True).first.click()


def follow_a_number(page: Page) -> None:
    """From a sum to its account, and from there to an entry, and back."""
    row = page.get_by_role("row").filter(has=page.locator("a[href='/funds/general']"))
    held = row.locator("a[href^='/audit/accounts/']").last
    amount = held.inner_text()
    held.click()
    expect(page.locator(".facts")).to_contain_text(amount)
    page.locator("#came").locator("xpath=..").locator("a[href^='/entries/']").first.click()
    expect(page).to_have_url(re.compile("/entries/"))
    page.go_back()
    page.go_back()


def compare(page: Page, words: dict[str, str], note: str, outcome: str, sentence: str) -> None:
    """Paste a checkpoint, and read the verdict."""
    page.locator("#first").fill(note)
    page.get_by_role("button", name=words["compare"], exact=True).click()
    verdict = page.locator(f"#verdict.{outcome}")
    expect(verdict).to_contain_text(sentence)


def check_with_the_command(page: Page, kept: str, folder: Path) -> None:
    """The command that the page gives comes to the same, by the program of another machine."""
    lines = page.locator("#verdict pre").inner_text().splitlines()
    command = next(shlex.split(line) for line in lines if line.startswith("shanji verify-growth"))
    newest = next(line for line in lines if "-fo new.checkpoint" in line).split()[-1]
    (folder / "old.checkpoint").write_text(kept, encoding="utf-8")
    with urllib.request.urlopen(newest, timeout=60) as answer:
        (folder / "new.checkpoint").write_bytes(answer.read())
    program = [sys.executable, "-c", "from ledger.cli import main; main()"]
    ran = subprocess.run(
        [*program, *command[1:]],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr


def catch_a_tampered_receipt(page: Page, site: Site, mode: Mode) -> None:
    """A receipt whose amount somebody changed does not verify; the true one does."""
    receipt = fetched(site, f"/v1/entries/{KEPT_SIZE_MIN}/receipt")
    page.goto("/verify")
    for text, outcome in ((receipt, "verified"), (tampered(receipt), "mismatch")):
        page.locator("#text").fill(text)
        page.locator("#verify-form button[type=submit]").click()
        expect(page.locator(f"#result .verdict.{outcome}")).to_be_visible()
    picture(page, f"audit-tampered-{mode}")
    page.goto("/audit")


def tampered(receipt: str) -> str:
    """The receipt, with another digit in the amount of its entry."""
    found = parse_receipt(receipt.encode())
    entry = found.opening.entry
    at = entry.index(AMOUNT) + len(AMOUNT)
    changed = entry[:at] + (b"8" if entry[at : at + 1] == b"9" else b"9") + entry[at + 1 :]
    return build_receipt(replace(found, opening=replace(found.opening, entry=changed))).decode()


def decide_a_flag(page: Page, site: Site, words: dict[str, str]) -> None:
    """Sign in, and say what became of the first flag."""
    await_board(site)
    go(page, words["flags"])
    open_before = open_flags(page)
    path = "/v1/attention?limit=500"
    assert HOLDER not in fetched(site, path)
    assert HOLDER in fetched(site, path, Authorization=f"Bearer {site.tokens['auditor']}")
    expect(page.get_by_role("main")).not_to_contain_text(HOLDER)
    page.get_by_role("link", name=words["sign_in"]).click()
    page.locator("#token").fill(site.tokens["auditor"])
    page.get_by_role("main").get_by_role("button", name=words["log_in"], exact=True).click()
    expect(page.get_by_role("main")).to_contain_text(HOLDER)
    page.get_by_role("link", name=words["decide"]).first.click()
    page.locator("#decision").select_option("in_order")
    page.locator("#reason").fill("已核对公开材料")
    assert violations(page) == []
    page.get_by_role("button", name=words["record"], exact=True).click()
    expect(page.get_by_role("main")).to_contain_text("attention.disposed")
    await_board(site)
    page.goto("/audit/attention")
    assert open_flags(page) == open_before - 1


def await_board(site: Site) -> None:
    """Wait until the list is of the log as it is: where a search takes long, an older one stands
    until a search beside has ended."""

    def is_newest() -> bool:
        board, log = (json.loads(fetched(site, path)) for path in ("/v1/attention", "/v1/log"))
        return bool(board["as_of"] == log["size"])

    until(is_newest)


def open_flags(page: Page) -> int:
    """How many flags are open, as the first filter says."""
    text = page.locator("a[href='/audit/attention'][aria-current='true']").inner_text()
    return int(text.partition("(")[2].partition("/")[0])


def draw_a_sample(page: Page, words: dict[str, str], seed: str) -> None:
    """Draw, and take the table away: it has the entries that the page shows."""
    go(page, words["sample"])
    page.locator("#seed").fill(seed)
    page.locator("#n").fill(str(DRAWN))
    page.get_by_role("button", name=words["draw"], exact=True).click()
    rows = page.get_by_role("main").get_by_role("table").locator("tbody tr")
    shown = [rows.nth(number).locator("th").inner_text() for number in range(DRAWN)]
    with page.expect_download() as taken:
        page.get_by_role("link", name=words["table"]).click()
    text = Path(taken.value.path()).read_text("utf-8-sig")
    drawn = [f"#{row['index']}" for row in csv.DictReader(io.StringIO(text))]
    assert drawn == shown
