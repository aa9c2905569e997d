"""My gift: the public page, what it counts, and what only its holder gets from the form."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest
from browser import Page, check_page, fetch, read
from caller import Caller, gift, serving
from pdf_reader import read_pdf
from qr_reader import read_svg, read_text
from scribe import FIRST_GIFT

from api.pages.gift_routes import FORM_BYTES_MAX
from ledger.entry import base64url
from ledger.locator import parse_locator
from ledger.records.catalog import KIND_BY_NAME
from ledger.records.kind import Role
from ledger.verify import verify_receipt

PATH = f"/gifts/{FIRST_GIFT}"
GOODS = FIRST_GIFT + 1
DONOR, ORDER, MESSAGE = "示例捐赠人", "ORDER-1", "加油"


@pytest.fixture(scope="module")
def seed(untouched: Caller) -> str:
    found = untouched.book.opening(FIRST_GIFT)
    assert found is not None
    return base64url(found[0])


def post(caller: Caller, path: str = PATH, language: str = "zh", **form: object) -> httpx.Response:
    """Send the page's form as a browser does."""
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Accept": "text/html",
        "Cookie": f"lang={language}",
    }
    content = urlencode(form, doseq=True)

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(caller.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://shanji.test") as client:
            return await client.post(path, content=content, headers=headers)

    return caller.portal.call(send)


def shown(answer: httpx.Response, status: int = 200) -> Page:
    assert answer.status_code == status, answer.text
    assert answer.headers["cache-control"] == "private, no-store"
    page = Page(answer.text)
    check_page(page, "zh")
    return page


@pytest.mark.parametrize("language", ["zh", "en"])
def test_everybody_sees_the_gift_and_nobody_its_donor(untouched: Caller, language: str) -> None:
    page = read(untouched, PATH, language)
    for value in (DONOR, ORDER, MESSAGE):
        assert value not in page.html
    assert "1,000.00" in page.html
    table = page.table({"zh": "各部分之和等于这笔捐赠", "en": "The parts sum"}[language])
    assert [row[1:] for row in table.rows[1:]] == [
        [{"zh": "1,000.00 元", "en": "1,000.00 yuan"}[language], "100.00%"]
    ] * 2
    links = {one.attributes["href"] for one in page.all("a")}
    assert f"/v1/entries/{FIRST_GIFT}/receipt?reveal=none" in links
    assert f"/v1/entries/{FIRST_GIFT}/receipt.pdf?reveal=none&lang={language}" in links
    states = [one.text for one in page.all("h3") if one.around[-1] == "li"]
    wanted = {
        "zh": ["收到 全部", "划拨 尚无", "使用 尚无", "送达 尚无"],
        "en": ["Received all of it", "Allocated none", "Spent none", "Delivered none"],
    }[language]
    assert all(one.startswith(two) for one, two in zip(states, wanted, strict=True)), states
    assert "500" in page.facts()[{"zh": "公益积分", "en": "Welfare points"}[language]]


def test_the_entry_leads_to_it_and_other_kinds_to_their_entry(untouched: Caller) -> None:
    links = {one.attributes["href"] for one in read(untouched, f"/entries/{FIRST_GIFT}").all("a")}
    assert PATH in links
    answer = fetch(untouched, "/gifts/1", {"Accept": "text/html"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/entries/1")
    assert "/gifts/1" not in read(untouched, "/entries/1").html
    size = untouched.book.head().size
    assert read(untouched, f"/gifts/{size}", status=404)


def test_goods_have_their_own_stages(untouched: Caller) -> None:
    page = read(untouched, f"/gifts/{GOODS}")
    states = [one.text.split()[0] for one in page.all("h3") if one.around[-1] == "li"]
    assert states == ["收到", "调拨", "送达"]
    assert page.table("各部分之和").rows[1][:2] == ["物资在库", "20 袋 大米"]
    assert "我是捐赠人" not in page.html, "it has no personal fields"


def test_its_holder_sees_who_gave_it(untouched: Caller, seed: str) -> None:
    page = shown(post(untouched, what="show", seed=f" {seed} "))
    facts = page.facts()
    assert facts["捐赠人姓名"] == DONOR
    assert facts["订单号"] == ORDER
    assert f'value="{seed}"' in page.html, "for the next button"
    assert seed not in "".join(one.attributes.get("href", "") for one in page.elements)


def test_its_holder_saves_the_receipt_the_pdf_and_the_code(untouched: Caller, seed: str) -> None:
    proof = post(untouched, what="proof", seed=seed)
    own = untouched.get(f"/v1/entries/{FIRST_GIFT}/receipt", seed=seed)
    assert proof.content == own.content
    assert proof.headers["content-disposition"] == own.headers["content-disposition"]
    pdf = post(untouched, what="pdf", seed=seed, language="en")
    assert read_pdf(pdf.content).lang == "en"
    assert read_pdf(pdf.content).says(DONOR)
    code = post(untouched, what="code", seed=seed)
    locator = parse_locator(read_text(read_svg(code.text))[0].partition("#")[2])
    assert locator.seed is not None
    assert base64url(locator.seed) == seed
    for answer in (proof, pdf, code):
        assert answer.headers["cache-control"] == "private, no-store"


def test_its_holder_reveals_single_fields(untouched: Caller, seed: str) -> None:
    chosen = ["message", "donor_name"]
    part = post(untouched, what="part", seed=seed, reveal=chosen)
    found = verify_receipt(part.content, untouched.book.verifier_keys)
    assert found.values == {"donor_name": DONOR, "message": MESSAGE}
    assert found.hidden == ("order_number",)
    assert seed.encode() not in part.content
    pdf = read_pdf(post(untouched, what="part_pdf", seed=seed, reveal="message").content)
    assert pdf.says(MESSAGE)
    assert not pdf.says(DONOR)
    for wrong in ({}, {"reveal": ["message", "diagnosis"]}):
        page = shown(post(untouched, what="part", seed=seed, **wrong), 400)
        assert "请至少勾选一项" in page.html


@pytest.mark.parametrize(
    ("typed", "status", "told"),
    [
        ("", 400, "请先填入凭证的钥匙"),
        ("abc", 400, "钥匙应为 22 个字符"),
        ("é" * 22, 400, "钥匙应为 22 个字符"),
        ("A" * 22, 403, "这不是这笔捐赠的钥匙"),
    ],
)
@pytest.mark.parametrize("what", ["show", "proof", "pdf", "code", "part", "part_pdf"])
def test_without_the_right_key_nothing_is_opened(
    untouched: Caller, typed: str, status: int, told: str, what: str
) -> None:
    answer = post(untouched, what=what, seed=typed, reveal="donor_name")
    page = shown(answer, status)
    summary = next(one for one in page.all("a") if one.attributes["href"] == "#seed")
    assert summary.text.startswith(told)
    for value in (DONOR, ORDER, MESSAGE):
        assert value not in page.html
    assert not typed or f'value="{typed}"' not in page.html


def test_what_is_no_form_of_the_page_is_refused(untouched: Caller, seed: str) -> None:
    assert post(untouched, what="all", seed=seed).status_code == 400
    assert post(untouched, seed=seed).status_code == 400
    assert post(untouched, what="show", seed="A" * FORM_BYTES_MAX).status_code == 413
    assert post(untouched, what="show", seed=seed, reveal=["a"] * 100).status_code == 400
    assert post(untouched, f"/gifts/{2**53 - 1}", what="show", seed=seed).status_code == 404


def test_what_was_undone_or_erased_stands_on_it(service: Caller) -> None:
    canary = "别让人看见的名字"
    index = service.record(gift(5_000, donor_name=canary))["index"]
    opening = service.book.opening(index)
    assert opening is not None
    own = base64url(opening[0])
    path = f"/gifts/{index}"
    assert canary in post(service, path, what="show", seed=own).text
    refund = {"gift": index, "amount_fen": 2_000, "reason": "重复付款"}
    record = {"kind": "donation.refunded", "occurred_on": "2022-01-10", "fields": refund}
    service.record(record, approval=Role.APPROVER)
    page = read(service, path)
    rows = {row[0]: row[1:] for row in page.table("各部分之和").rows[1:]}
    assert rows["已退还"] == ["20.00 元", "40.00%"]
    assert rows["尚未使用，仍在资金账上"] == ["30.00 元", "60.00%"]
    erased = {"entries": [index], "legal_basis": "本人要求"}
    record = {"kind": "privacy.erased", "occurred_on": "2022-01-10", "fields": erased}
    service.record(record, approval=Role.APPROVER)
    page = read(service, path)
    assert "个人信息已删除" in page.html
    assert "内容再也不能打开" in read(service, f"/entries/{index}").html
    answer = post(service, path, what="show", seed=own)
    assert answer.status_code == 403
    assert canary not in answer.text


STORY: tuple[tuple[str, dict[str, object]], ...] = (
    (
        "receipt.bound",
        {
            "receipt_code": "44060122",
            "receipt_number": "0000000001",
            "check_code": "a1b2c3",
            "issued_on": "2022-01-09",
            "amount_fen": 100_000,
            "gifts": [FIRST_GIFT],
        },
    ),
    (
        "money.allocated",
        {
            "from_fund": "general",
            "to_fund": "relief",
            "to_project": "flood",
            "amount_fen": 30_000,
            "reason": "补充救灾资金",
            "basis": "理事会决议",
        },
    ),
    (
        "aid.paid",
        {
            "fund": "general",
            "purpose": "medical-aid",
            "cost_class": "programme",
            "amount_fen": 20_000,
            "payee_class": "patient",
        },
    ),
    (
        "purchase.made",
        {
            "fund": "general",
            "purpose": "community",
            "cost_class": "programme",
            "supplier": "supplier-1",
            "site": "depot",
            "lines": [
                {
                    "item": "milk",
                    "quantity": 100,
                    "unit": "盒",
                    "cost_fen": 10_000,
                    "lot": "M1",
                    "made_on": "2021-12-01",
                    "best_before": "2022-12-01",
                }
            ],
        },
    ),
    (
        "goods.distributed",
        {
            "item": "milk",
            "quantity": 40,
            "unit": "盒",
            "site": "depot",
            "recipient_class": "family",
            "recipient": "centre-1",
            "lot": "M1",
        },
    ),
    (
        "goods.moved",
        {
            "shipment": "trip-1",
            "item": "milk",
            "quantity": 30,
            "unit": "盒",
            "from_site": "depot",
            "to_site": "shop",
            "lot": "M1",
        },
    ),
    (
        "goods.written_off",
        {
            "site": "depot",
            "item": "milk",
            "quantity": 10,
            "unit": "盒",
            "lot": "M1",
            "cause": "spoiled",
            "reason": "受潮",
        },
    ),
    ("donation.refunded", {"gift": FIRST_GIFT, "amount_fen": 15_000, "reason": "多付"}),
)
"""What happens to the small world's gift of 1,000.00 yuan."""


def tell(caller: Caller, kind: str, fields: dict[str, object]) -> int:
    known = KIND_BY_NAME[kind]
    role = next(one for one in (Role.CLERK, Role.WAREHOUSE) if one in known.recorders)
    body = {"kind": kind, "occurred_on": "2022-01-10", "fields": fields}
    return int(
        caller.record(body, role=role, approval=Role.APPROVER if known.approvers else None)["index"]
    )


def test_the_parts_sum_to_the_gift_and_the_stages_tell_how_far_it_came(service: Caller) -> None:
    told = {kind: tell(service, kind, fields) for kind, fields in STORY}
    page = read(service, PATH)
    rows = {row[0]: row[1:] for row in page.table("各部分之和").rows[1:]}
    assert rows == {
        "尚未使用，仍在资金账上": ["550.00 元", "55.00%"],
        "物资在库": ["20.00 元", "2.00%"],
        "物资在途": ["30.00 元", "3.00%"],
        "已送达受益人或受助机构": ["240.00 元", "24.00%"],
        "已退还": ["150.00 元", "15.00%"],
        "损耗或报废": ["10.00 元", "1.00%"],
        "合计": ["1,000.00 元", "100.00%"],
    }
    stages = stages_of(page)
    assert stages["划拨"].startswith("300.00 元 30.00%")
    assert stages["使用"].startswith("300.00 元 30.00%")
    assert stages["送达"].startswith("240.00 元 24.00%")
    assert f"#{told['aid.paid']} #{told['goods.distributed']}" in stages["送达"]
    assert "0000000001" in page.facts()["捐赠票据"]
    aid = {"entry": told["aid.paid"], "reason": "重复支付"}
    tell(service, "entry.reversed", aid)
    page = read(service, PATH)
    rows = {row[0]: row[1:] for row in page.table("各部分之和").rows[1:]}
    assert rows["尚未使用，仍在资金账上"] == ["750.00 元", "75.00%"]
    assert stages_of(page)["使用"].startswith("100.00 元 10.00%")
    assert stages_of(page)["送达"].startswith("40.00 元 4.00%")


def stages_of(page: Page) -> dict[str, str]:
    """What each stage says, by its name."""
    found: dict[str, str] = {}
    name = ""
    for one in page.elements:
        if one.around and one.around[-1] == "li" and one.tag in ("h3", "p"):
            if one.tag == "h3":
                name = one.text.split()[0]
            else:
                found[name] = f"{found.get(name, '')} {one.text}".strip()
    return found


def test_it_is_served_without_the_extra(untouched: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "typst", None)
    assert read(untouched, PATH)


def test_no_line_of_the_log_has_the_key(
    small_template: Path, tmp_path: Path, seed: str, caplog: pytest.LogCaptureFixture
) -> None:
    copy = tmp_path / "data"
    shutil.copytree(small_template, copy)
    with caplog.at_level("DEBUG"), serving(copy, audit=False, access_log=True) as service:
        assert post(service, what="show", seed=seed).status_code == 200
        assert post(service, what="pdf", seed=seed).status_code == 200
        assert service.get(f"/v1/entries/{FIRST_GIFT}/receipt.pdf", seed=seed).status_code == 200
    lines = "\n".join(record.getMessage() for record in caplog.records)
    assert f"POST {PATH} 200" in lines
    for secret in (seed, DONOR, ORDER):
        assert secret not in lines
