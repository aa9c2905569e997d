"""Receipts as PDF: what stands on them, what lies in them, and who gets which."""

from __future__ import annotations

import sys
from io import BytesIO
from zipfile import ZipFile

import pytest
from browser import read
from caller import Caller, gift, serving
from pdf_reader import read_pdf
from qr_reader import read_svg, read_text
from scribe import FIRST_GIFT

from api.receipts_pdf import glyphs, typesetting
from api.receipts_pdf.paper import VALUE_CHARS_MAX
from api.routes import printed
from ledger.entry import base64url
from ledger.locator import format_short_code, log_id, parse_locator, parse_short_code
from ledger.records.catalog import KIND_BY_NAME
from ledger.records.kind import OPENERS, Role
from ledger.verify import verify_receipt

PATH = f"/v1/entries/{FIRST_GIFT}/receipt.pdf"
CODE = f"/v1/entries/{FIRST_GIFT}/receipt.svg"
PRINT = "/v1/receipts/print"
DONOR, ORDER, MESSAGE = "示例捐赠人", "ORDER-1", "加油"
GOODS, POINTS = FIRST_GIFT + 1, FIRST_GIFT + 2


@pytest.fixture(scope="module")
def seed(untouched: Caller) -> str:
    found = untouched.book.opening(FIRST_GIFT)
    assert found is not None
    return base64url(found[0])


def test_the_receipt_of_a_gift_says_all_and_carries_its_proof(untouched: Caller, seed: str) -> None:
    answer = untouched.get(PATH, seed=seed)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["cache-control"] == "private, no-store"
    assert answer.headers["vary"] == "authorization, seed"
    name = f'attachment; filename="{FIRST_GIFT}.pdf"'
    assert answer.headers["content-disposition"] == name
    pdf = read_pdf(answer.content)
    code = format_short_code(untouched.book.origin, FIRST_GIFT)
    for text in (
        "存证凭证 Proof of record",
        "捐赠款项 Gift of money",
        f"#{FIRST_GIFT}",
        "¥1,000.00",
        "人民币壹仟元整",
        "非限定性资金",
        "2021-08-01",
        "UTC+08:00",
        *(DONOR, ORDER, MESSAGE),
        untouched.book.origin,
        "示例慈善会（测试）",
        f"钥匙 Key {seed}",
        code,
        "不证明：款物已经送达",
        "It does not prove",
        "不是捐赠票据",
    ):
        assert pdf.says(text), text
    assert parse_short_code(untouched.book.origin, code) == FIRST_GIFT
    receipt = pdf.files[f"{FIRST_GIFT}.tlog-proof"]
    path = f"/v1/entries/{FIRST_GIFT}/receipt"
    assert receipt == untouched.get(path, seed=seed).content
    verified = verify_receipt(receipt, untouched.book.verifier_keys)
    assert verified.values["donor_name"] == DONOR
    for text in (
        verified.checkpoint.root.hex(),
        verified.leaf_hash.hex(),
        untouched.book.verifier_keys[0].key_id.hex(),
    ):
        assert pdf.says(text), text
    assert untouched.get(PATH, seed=seed).content == answer.content


def test_it_is_a_pdf_that_keeps_for_decades_and_can_be_read_aloud(untouched: Caller) -> None:
    pdf = read_pdf(untouched.get(PATH).content)
    assert pdf.pages == 1
    assert {name.removesuffix("-Identity-H") for name in pdf.fonts} == {"NotoSansSC-Regular"}
    assert "<pdfaid:part>3</pdfaid:part>" in pdf.claims
    assert "<pdfaid:conformance>A</pdfaid:conformance>" in pdf.claims
    assert "<pdfuaid:part>1</pdfuaid:part>" in pdf.claims
    assert pdf.relations == ["/Data"]
    assert pdf.lang == "zh-CN"
    english = read_pdf(untouched.get(PATH, params={"lang": "en"}).content)
    assert english.says("Proof of record 存证凭证")
    assert english.lang == "en"


def test_the_public_receipt_shows_no_personal_field(untouched: Caller) -> None:
    answer = untouched.get(PATH)
    assert answer.headers["cache-control"] == "public, no-cache"
    pdf = read_pdf(answer.content)
    path = f"/v1/entries/{FIRST_GIFT}/receipt"
    assert pdf.files == {f"{FIRST_GIFT}.tlog-proof": untouched.get(path).content}
    for value in (DONOR, ORDER, MESSAGE):
        assert not pdf.says(value)
    assert pdf.says("本凭证未公开：捐赠人姓名、订单号、捐赠留言")
    again = untouched.get(PATH, headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304


@pytest.mark.parametrize("role", sorted(Role))
def test_a_role_gets_what_it_may(untouched: Caller, role: Role) -> None:
    pdf = read_pdf(untouched.get(PATH, role=role).content)
    assert pdf.says(DONOR) == (role in OPENERS)
    if role not in OPENERS:
        refused = untouched.get(PATH, role=role, params={"reveal": "all"})
        untouched.problem(refused, 403, "opening_not_allowed")
        one = untouched.call("POST", PRINT, role=role, json={"entries": ["1"]})
        untouched.problem(one, 403, "opening_not_allowed")


def test_a_part_is_revealed_without_the_key_to_the_rest(untouched: Caller, seed: str) -> None:
    answer = untouched.get(PATH, seed=seed, params={"reveal": "donor_name"})
    pdf = read_pdf(answer.content)
    assert pdf.says(DONOR)
    assert not pdf.says(ORDER)
    assert not pdf.says("钥匙 Key")
    assert not pdf.says(seed)
    receipt = verify_receipt(pdf.files[f"{FIRST_GIFT}.tlog-proof"], untouched.book.verifier_keys)
    assert receipt.values == {"donor_name": DONOR}
    assert seed.encode() not in answer.content
    untouched.problem(untouched.get(PATH, seed="A" * 22), 403, "wrong_seed")


def test_the_code_leads_to_the_receipt_and_holds_the_seed_for_its_holder(
    untouched: Caller, seed: str
) -> None:
    public = untouched.get(CODE)
    assert public.headers["content-type"] == "image/svg+xml"
    link, version = read_text(read_svg(public.text))
    base, _, fragment = link.partition("#")
    assert base == "http://shanji.test/r"
    locator = parse_locator(fragment)
    assert (locator.index, locator.seed) == (FIRST_GIFT, None)
    assert locator.log_id == log_id(untouched.book.origin)
    own = untouched.get(CODE, seed=seed)
    assert own.headers["cache-control"] == "private, no-store"
    link, own_version = read_text(read_svg(own.text))
    found = parse_locator(link.partition("#")[2])
    assert found.seed is not None
    assert base64url(found.seed) == seed
    assert version <= own_version <= 10


def test_the_operator_says_where_the_code_leads(untouched: Caller, seed: str) -> None:
    elsewhere = {"Host": "a" * 130 + ".example"}
    untouched.problem(untouched.get(CODE, headers=elsewhere), 404, "no_public_url")
    with serving(
        untouched.folder, audit=False, public_url="https://ledger.example.org/"
    ) as service:
        svg = service.get(CODE, headers={"Host": "evil.example"}).text
        assert read_text(read_svg(svg))[0].startswith("https://ledger.example.org/r#")


def test_goods_points_and_other_kinds_have_receipts(untouched: Caller) -> None:
    goods = read_pdf(untouched.get(f"/v1/entries/{GOODS}/receipt.pdf").content)
    assert goods.says("20 袋 大米")
    assert goods.says("贰拾袋")
    points = read_pdf(untouched.get(f"/v1/entries/{POINTS}/receipt.pdf").content)
    assert points.says("500 积分")
    assert points.says("伍佰积分")
    for index in range(FIRST_GIFT):
        answer = untouched.get(f"/v1/entries/{index}/receipt.pdf", role=Role.AUDITOR)
        assert answer.status_code == 200, (index, answer.text)
        assert read_pdf(answer.content).says("本条目没有个人信息")


def test_hard_values_are_set_or_marked(service: Caller) -> None:
    name = "𰀀𠮷\u200b龘" + "长" * 116
    message = "很长的话" * 500
    order = "X" * 100
    canary = "#let x = [*not markup*] \\ $1$ @here"
    sealed = {"donor_name": name, "message": message, "order_number": order, "contact": canary}
    index = service.record(gift(140_950, **sealed))["index"]
    answer = service.get(f"/v1/entries/{index}/receipt.pdf", role=Role.CLERK)
    assert answer.status_code == 200, answer.text
    pdf = read_pdf(answer.content)
    assert pdf.says("〓〓〓龘" + "长" * 20)
    assert pdf.says("U+30000 U+20BB7 U+200B")
    assert pdf.says(message[:VALUE_CHARS_MAX] + "……（全文共 2000 字")
    assert pdf.says(order)
    assert pdf.says(canary)
    assert pdf.says("人民币壹仟肆佰零玖元伍角")
    receipt = verify_receipt(pdf.files[f"{index}.tlog-proof"], service.book.verifier_keys)
    assert receipt.values == sealed


def test_what_happened_since_stands_on_it(service: Caller) -> None:
    index = service.record(gift(5_000))["index"]
    before = service.get(f"/v1/entries/{index}/receipt.pdf").content
    body = {
        "kind": "donation.refunded",
        "occurred_on": "2022-01-10",
        "fields": {"gift": index, "amount_fen": 2_000, "reason": "重复付款"},
    }
    service.record(body, approval=Role.APPROVER)
    after = service.get(f"/v1/entries/{index}/receipt.pdf").content
    assert not read_pdf(before).says("已退还")
    assert read_pdf(after).says("本笔捐款已退还 20.00 元")
    assert read_pdf(before).files == read_pdf(after).files


@pytest.mark.parametrize(
    ("kind", "fields", "told"),
    [
        ("entry.hidden", {"entries": [FIRST_GIFT], "legal_basis": "当事人申请"}, "屏蔽"),
        ("entry.reversed", {"entry": FIRST_GIFT, "reason": "重复登记"}, "冲正，不再有效"),
        (
            "entry.annotated",
            {"entry": FIRST_GIFT, "field": "channel", "correct": "wechat", "reason": "渠道有误"},
            "更正",
        ),
    ],
)
def test_what_was_hidden_reversed_or_corrected_is_said_first(
    service: Caller, kind: str, fields: dict[str, object], told: str
) -> None:
    path = f"/v1/entries/{POINTS}"
    if kind == "entry.reversed":
        undo = {"entry": POINTS, "reason": "重复登记"}
        body = {"kind": kind, "occurred_on": "2022-01-10", "fields": undo}
        service.record(body, approval=Role.APPROVER)
        assert read_pdf(service.get(f"{path}/receipt.pdf").content).says(told)
    known = KIND_BY_NAME[kind]
    role = next(one for one in Role if one in known.recorders)
    approval = next((one for one in Role if one in known.approvers), None)
    body = {"kind": kind, "occurred_on": "2022-01-10", "fields": fields}
    entry = service.record(body, role=role, approval=approval)["index"]
    pdf = read_pdf(service.get(PATH).content)
    assert pdf.says(told)
    assert pdf.says(f"#{entry}")
    assert pdf.says("人民币壹仟元整")
    assert pdf.says("bank") == (kind != "entry.hidden")
    page = read(service, f"/gifts/{FIRST_GIFT}")
    assert f"/entries/{entry}" in page.html or kind == "entry.hidden"
    assert len([one for one in page.all("p") if one.attributes.get("class") == "notice"]) > 0


def test_many_are_printed_as_a_zip_with_their_proofs(untouched: Caller) -> None:
    asked = {"entries": [f"{FIRST_GIFT}-{POINTS}", str(GOODS), "0"]}
    answer = untouched.call("POST", PRINT, role=Role.CLERK, json=asked)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "private, no-store"
    name = f'attachment; filename="receipts-0-{POINTS}.zip"'
    assert answer.headers["content-disposition"] == name
    with ZipFile(BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        wanted = (FIRST_GIFT, GOODS, POINTS, 0)
        assert names == [f"{one}.{end}" for one in wanted for end in ("pdf", "tlog-proof")]
        for index in wanted:
            single = untouched.get(f"/v1/entries/{index}/receipt.pdf", role=Role.CLERK)
            assert archive.read(f"{index}.pdf") == single.content
            proof = untouched.get(f"/v1/entries/{index}/receipt", role=Role.CLERK)
            assert archive.read(f"{index}.tlog-proof") == proof.content
    again = untouched.call("POST", PRINT, role=Role.CLERK, json=asked)
    assert again.content == answer.content


def test_many_are_printed_as_one_pdf(untouched: Caller) -> None:
    asked = {"entries": [f"{FIRST_GIFT}-{POINTS}"], "form": "pdf", "reveal": "none", "lang": "en"}
    answer = untouched.call("POST", PRINT, role=Role.AUDITOR, json=asked)
    pdf = read_pdf(answer.content)
    assert pdf.pages == 3
    assert list(pdf.files) == [f"{one}.tlog-proof" for one in (FIRST_GIFT, GOODS, POINTS)]
    assert not pdf.says(DONOR)
    assert pdf.says("¥1,000.00")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"entries": []}, "invalid_print_request"),
        ({"entries": [1]}, "invalid_print_request"),
        ({"entries": ["1"], "form": "odt"}, "invalid_print_request"),
        ({"entries": ["1"], "more": 1}, "invalid_print_request"),
        ({"entries": ["x"]}, "invalid_span"),
        ({"entries": ["5-4"]}, "invalid_span"),
        ({"entries": ["0-1000"]}, "too_many_receipts"),
        ({"entries": ["0-200"], "form": "pdf"}, "too_many_receipts"),
        ({"entries": ["0-9007199254740991"]}, "too_many_receipts"),
    ],
)
def test_what_cannot_be_printed_is_told(untouched: Caller, body: object, code: str) -> None:
    answer = untouched.call("POST", PRINT, role=Role.CLERK, json=body)
    untouched.problem(answer, 400, code)


def test_printing_asks_for_who_it_is_and_for_entries_that_are_there(untouched: Caller) -> None:
    body = {"entries": ["1"]}
    untouched.problem(untouched.call("POST", PRINT, json=body), 401, "no_token")
    size = untouched.book.head().size
    beyond = untouched.call("POST", PRINT, role=Role.CLERK, json={"entries": [f"1-{size}"]})
    untouched.problem(beyond, 404, "no_entry")
    plain = untouched.call("POST", PRINT, role=Role.CLERK, content=b"{")
    untouched.problem(plain, 400, "not_json")
    untouched.problem(untouched.get(f"/v1/entries/{size}/receipt.pdf"), 404, "no_entry")


def test_when_too_many_wait_the_next_is_sent_away(
    untouched: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(printed, "WAITING_MAX", 0)
    answer = untouched.get(PATH)
    untouched.problem(answer, 429, "queue_full")
    assert answer.headers["retry-after"] == "1"


@pytest.mark.parametrize("package", ["typst", "pylopdf_fonts_zh_cn"])
def test_without_the_extra_the_answer_says_what_to_install(
    untouched: Caller, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    typesetting._typesetter.cache_clear()
    glyphs.coverage.cache_clear()
    try:
        problem = untouched.problem(untouched.get(PATH), 501, "receipts_extra_missing")
        many = untouched.call("POST", PRINT, role=Role.CLERK, json={"entries": ["1"]})
        untouched.problem(many, 501, "receipts_extra_missing")
    finally:
        typesetting._typesetter.cache_clear()
        glyphs.coverage.cache_clear()
    assert "shanji[receipts]" in problem["detail"]
    assert untouched.get(f"/v1/entries/{FIRST_GIFT}/receipt").status_code == 200
