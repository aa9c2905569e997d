"""The clerk's journey in a real browser: a gift, aid with a second person, a correction, receipts.

On a phone and on a desktop, in both languages, from the sign-in to the printed receipts, with
the keyboard where a clerk would use it. Each page on the way is looked at by axe-core and for
its width.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Sequence
from pathlib import Path

import openpyxl
import pytest
from chromium import (
    DESKTOP_EN,
    EVERYBODY,
    PHONE_ZH,
    PICTURES,
    Mode,
    Site,
    Visiting,
    overflow,
    picture,
    violations,
)
from playwright.sync_api import FilePayload, Page, expect

EXAMINED = (PHONE_ZH, DESKTOP_EN)
"""In these, each page on the way is held against WCAG by axe-core: each language, each device."""
PICTURED = frozenset(
    (
        "today",
        "gift-mistyped",
        "recorded",
        "anew",
        "proposal",
        "import-plan",
        "import-wrong",
        "bank",
    )
)
"""Pages of which the documentation has a picture (`scripts/screenshots`)."""
PDF_BYTES_MIN = 10_000


class Clerk:
    """One clerk at a browser; every page that is `looked` at must be in order."""

    def __init__(self, page: Page, mode: Mode, site: Site) -> None:
        self.page = page
        self.mode = mode
        self.site = site

    def looked(self, name: str) -> None:
        """Check the page as it is, and keep a picture of it where one is wanted."""
        # Before its styles have come a page may be wider than it is ever seen.
        self.page.wait_for_load_state("load")
        wrong = overflow(self.page)
        if self.mode in EXAMINED:
            wrong += violations(self.page)
        assert not wrong, "\n".join(wrong)
        if name in PICTURED:
            picture(self.page, f"staff-{name}-{self.mode}")

    def pictured_in_chinese(self, name: str) -> None:
        """Keep a second picture of a page that this journey sees in English alone."""
        if PICTURES not in os.environ:
            return
        for language in ("zh", "en"):
            cookie = {"name": "lang", "value": language, "url": self.site.url}
            self.page.context.add_cookies([cookie])
            self.page.reload()
            if language == "zh":
                picture(self.page, f"staff-{name}-{self.mode.device}-zh")

    def fill(self, **values: str) -> None:
        """Type into fields; ``__`` stands for a dot in a field's name."""
        for name, value in values.items():
            self.page.locator(f'[id="{name.replace("__", ".")}"]').fill(value)

    def send(self) -> None:
        """Press the button that records."""
        self.page.locator('button[value="record"]').click()

    def recorded(self) -> int:
        """The entry whose page follows a record."""
        expect(self.page).to_have_url(re.compile(r"/staff/recorded/\d+"))
        found = re.search(r"/staff/recorded/(\d+)", self.page.url)
        assert found is not None
        return int(found[1])


@pytest.fixture(params=EVERYBODY, ids=str)
def clerk(request: pytest.FixtureRequest, visit: Visiting, site: Site) -> Clerk:
    """A clerk who has signed in, on each device and in each language."""
    mode: Mode = request.param
    page = visit(mode)
    made = Clerk(page, mode, site)
    page.goto("/staff")
    expect(page).to_have_url(re.compile("/staff/sign-in"))
    made.looked("sign-in")
    page.locator("#token").fill(site.tokens["clerk"])
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/staff$"))
    return made


def test_a_clerks_day(clerk: Clerk) -> None:
    page = clerk.page
    clerk.looked("today")

    # A gift, by keyboard alone: a mistake is shown at its field, and nothing typed is lost.
    page.goto("/staff/desk/gift")
    own = 100 + EVERYBODY.index(clerk.mode)
    clerk.fill(fields__amount_fen=f"1,{own}", fields__fund="general", fields__channel="cash")
    clerk.fill(sealed__donor_name="示例捐赠人甲")
    page.keyboard.press("Enter")
    expect(page.locator(".error-summary")).to_be_visible()
    expect(page.locator('[id="fields.fund"]')).to_have_value("general")
    clerk.looked("gift-mistyped")
    page.locator(".error-summary a").click()
    expect(page.locator('[id="fields.amount_fen"]')).to_be_focused()
    clerk.fill(fields__amount_fen=f"{own}.50")
    page.keyboard.press("Enter")
    gift = clerk.recorded()
    clerk.looked("recorded")

    # A reload of the result records nothing again.
    page.reload()
    assert clerk.recorded() == gift

    # Aid, which the second person approves at the counter.
    page.goto("/staff/desk/aid")
    clerk.fill(
        fields__amount_fen="30.00",
        fields__fund="general",
        fields__purpose="elderly-care",
        fields__payee_class="elderly",
        sealed__payee_name="示例受益人甲",
        approver_token=clerk.site.tokens["approver"],
    )
    clerk.looked("aid")
    clerk.send()
    assert clerk.recorded() == gift + 1

    # The gift's amount was wrong: taken back and recorded anew, with a second person.
    page.goto(f"/staff/correct/{gift}")
    clerk.looked("correct")
    page.locator(f'a[href="/staff/correct/{gift}/anew"]').click()
    expect(page.locator('[id="fields.amount_fen"]')).to_have_value(f"{own}.50")
    expect(page.locator('[id="sealed.donor_name"]')).to_have_value("示例捐赠人甲")
    clerk.fill(
        reason="金额录错",
        fields__amount_fen=f"{own}.05",
        approver_token=clerk.site.tokens["approver"],
    )
    clerk.looked("anew")
    clerk.send()
    right = clerk.recorded()
    assert right == gift + 3
    page.locator(f'a[href="/entries/{gift}/correction"]').click()
    expect(page).to_have_url(re.compile("/correction$"))
    expect(page.locator("main")).to_contain_text(f"{own}.05")

    # Its receipt, and all of them on one sheet for the printer.
    page.goto("/staff/receipts")
    clerk.fill(entries=f"{right}, {gift}")
    clerk.looked("receipts")
    with page.expect_download() as download:
        page.locator('button[value="pdf"]').click()
    data = Path(download.value.path()).read_bytes()
    assert data.startswith(b"%PDF-")
    assert len(data) > PDF_BYTES_MIN

    page.locator("form.who button").click()
    expect(page).to_have_url(re.compile("/staff/sign-in"))


def test_a_proposal_goes_from_desk_to_desk(visit: Visiting, site: Site) -> None:
    """A clerk proposes on a desktop; the approver looks and approves on a phone, scriptless."""
    clerk, approver = (
        Clerk(visit(mode), mode, site) for mode in (EVERYBODY[2], Mode("phone", "en", script=False))
    )
    for one, role in ((clerk, "clerk"), (approver, "approver")):
        one.page.goto("/staff/sign-in")
        one.page.locator("#token").fill(site.tokens[role])
        one.page.locator("main form button[type=submit]").click()
        expect(one.page).to_have_url(re.compile(r"/staff$"))
    clerk.page.goto("/staff/desk/aid")
    clerk.fill(
        fields__amount_fen="12.34",
        fields__fund="general",
        fields__purpose="elderly-care",
        fields__payee_class="elderly",
    )
    clerk.page.locator('button[value="propose"]').click()
    expect(clerk.page).to_have_url(re.compile(r"/staff/proposals/\d+$"))
    clerk.looked("proposal")
    path = clerk.page.url.removeprefix(site.url)
    assert clerk.page.locator(f'form[action="{path}/approve"]').count() == 0
    approver.page.goto(path)
    approver.page.locator(f'form[action="{path}/approve"] button').click()
    approver.recorded()


HEADER = ("订单号", "捐赠金额(元)", "捐赠日期", "捐赠人姓名")


def as_csv(*rows: Sequence[str]) -> FilePayload:
    """A list as a bank or platform exports it."""
    data = "\r\n".join(",".join(row) for row in rows).encode("gb18030")
    return {"name": "示例名单.csv", "mimeType": "text/csv", "buffer": data}


def as_xlsx(*rows: Sequence[str]) -> FilePayload:
    """The same as a workbook."""
    book, out = openpyxl.Workbook(), io.BytesIO()
    for row in rows:
        book.active.append(list(row))
    book.save(out)
    return {"name": "示例名单.xlsx", "mimeType": "application/zip", "buffer": out.getvalue()}


def test_a_list_and_a_bank_statement(visit: Visiting, site: Site) -> None:
    """A clerk imports a list and matches the bank; the approver is on a phone, scriptless."""
    clerk, approver = (
        Clerk(visit(mode), mode, site) for mode in (DESKTOP_EN, Mode("phone", "zh", script=False))
    )
    for one, role in ((clerk, "clerk"), (approver, "approver")):
        one.page.goto("/staff/sign-in")
        one.page.locator("#token").fill(site.tokens[role])
        one.page.locator("main form button[type=submit]").click()
        expect(one.page).to_have_url(re.compile(r"/staff$"))

    def upload(file: FilePayload) -> None:
        clerk.page.goto("/staff/import")
        clerk.page.locator("#file").set_input_files(file)
        clerk.fill(fields__fund="general", fields__channel="wechat")
        clerk.page.locator("#form button[type=submit]").click()
        expect(clerk.page).to_have_url(re.compile(r"/staff/import/\d+$"))
        expect(clerk.page.locator("#plan")).to_be_visible()

    # A list with a mistake: told by row and column, and nothing to confirm.
    rows = [(f"JOURNEY-{n}", f"{n}.25", "2022-01-10", f"示例捐赠人{n}") for n in (1, 2, 3)]
    upload(as_csv(HEADER, *rows, ("1.465E+27", "12.345", "2022-01-10", "示例捐赠人")))
    clerk.looked("import-wrong")
    clerk.pictured_in_chinese("import-wrong")
    assert clerk.page.locator("#total").count() == 0
    with clerk.page.expect_download() as download:
        clerk.page.get_by_role("link", name="Download the wrong rows").click()
    assert Path(download.value.path()).read_bytes().startswith(b"\xef\xbb\xbf")

    # Mended, as a workbook; the keyboard alone from the total to the approval.
    upload(as_xlsx(HEADER, *rows))
    clerk.looked("import-plan")
    clerk.pictured_in_chinese("import-plan")
    clerk.page.locator("#total").fill("6.57")
    clerk.page.keyboard.press("Enter")
    clerk.page.locator(".error-summary a").click()
    expect(clerk.page.locator("#total")).to_be_focused()
    clerk.page.locator("#total").fill("6.75")
    clerk.page.keyboard.press("Enter")
    expect(clerk.page).to_have_url(re.compile(r"/staff/import/\d+$"))
    expect(clerk.page.locator("#approve")).to_have_count(0)
    path = clerk.page.url.removeprefix(site.url)
    approver.page.goto(path)
    approver.looked("import-approve")
    approver.page.locator(f'form[action="{path}/approve"] button').click()
    # It answers within some seconds, recorded or not; without scripts one looks again oneself.
    expect(approver.page).to_have_url(re.compile(r"/staff/import/\d+$"))
    while approver.page.locator("#progress[data-busy]").count():
        approver.page.goto(path)
    expect(approver.page.locator("#result")).to_be_visible()

    # The day's payout at the bank is the list: confirmed as it is suggested.
    lines = (["2022-01-11", "6.75", "", "106.75", "示例支付平台"],)
    clerk.page.goto("/staff/statements")
    clerk.fill(account="bank-journey")
    statement = as_csv(("交易日期", "贷方发生额", "借方发生额", "余额", "对方户名"), *lines)
    clerk.page.locator("#file").set_input_files(statement)
    clerk.page.locator("#form button[type=submit]").click()
    expect(clerk.page).to_have_url(re.compile("/draft/"))
    clerk.looked("bank-draft")
    clerk.page.get_by_role("button", name="Record the statement").click()
    expect(clerk.page).to_have_url(re.compile(r"/staff/statements/\d+$"))
    clerk.looked("bank")
    clerk.pictured_in_chinese("bank")
    clerk.page.locator("#confirm button").click()
    expect(clerk.page.locator("dl.facts").first).to_contain_text("All of it is matched")
