"""The pages that verify receipts, as the server gives them: its own verdicts for who has no
scripts, the saved file, the QR code's page and the lab. The browser's part: ``tests/browser``."""

from __future__ import annotations

import hashlib
import logging
import re
import zlib
from base64 import b64encode
from io import BytesIO
from typing import Any

import pytest
from caller import Caller, gift
from pypdf import PdfWriter
from scribe import FIRST_GIFT

from api.pages.attached import RECEIPTS_MAX, attached_receipts
from api.pages.uploads import UPLOAD_BYTES_MAX
from api.pages.verifier import SAVED_BYTES_MAX, bundle, saved_page
from api.pages.verifying import RECEIPTS_SHOWN
from ledger.entry import base64url
from ledger.errors import CorruptionError
from ledger.locator import format_short_code
from ledger.records.kind import Role
from ledger.verify import verify_receipt

RECEIPT = f"/v1/entries/{FIRST_GIFT}/receipt"
DONOR = "示例捐赠人"
BY_SERVER = "由服务器回答，不是由您的浏览器验证。"


@pytest.fixture(scope="module")
def receipt(untouched: Caller) -> bytes:
    """A receipt that opens everything."""
    return untouched.get(RECEIPT, role=Role.CLERK).content


def send(caller: Caller, **more: Any) -> str:
    """What the page answers to a form without scripts."""
    answer = caller.call("POST", "/verify", **more)
    assert answer.status_code == 200, answer.text
    assert "no-cache" in answer.headers["cache-control"]
    return answer.text


def as_pdf(*receipts: bytes) -> bytes:
    writer = PdfWriter()
    writer.add_blank_page(100, 100)
    for number, one in enumerate(receipts):
        writer.add_attachment(f"{number}.tlog-proof", one)
    data = BytesIO()
    writer.write(data)
    return data.getvalue()


def as_deflated_pdf(receipt: bytes) -> bytes:
    """Its stream is deflated, and its length stands in another object."""
    head = b"%PDF-1.7\n1 0 obj\n<</Type/EmbeddedFile/Filter/FlateDecode/Length 2 0 R>>stream\n"
    return head + zlib.compress(receipt) + b"\nendstream\nendobj\n%%EOF\n"


def test_a_file_is_judged_in_memory_and_the_answer_says_by_whom(
    untouched: Caller, receipt: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        text = send(untouched, files={"file": ("a.tlog-proof", receipt)})
    assert 'class="verdict verified"' in text
    witnessed = text.partition('data-row="witnessed"')[2].partition("</dd>")[0]
    assert "—" in witnessed, "the policy names no witness, so nothing is ticked"
    assert BY_SERVER in text
    assert DONOR in text
    for row in ("genuine", "recorded", "as_of"):
        assert f'data-row="{row}" data-holds="true"' in text
    assert DONOR not in caplog.text
    assert "tlog-proof" not in caplog.text


def test_pasted_text_counts_with_the_line_ends_of_a_form(untouched: Caller, receipt: bytes) -> None:
    pasted = receipt.decode().replace("\n", "\r\n")
    assert 'class="verdict verified"' in send(untouched, data={"text": pasted})
    assert 'class="verdict verified"' in send(untouched, data={"text": pasted.strip()})


@pytest.mark.parametrize("compressed", [False, True])
def test_a_pdf_is_judged_by_what_is_attached(
    untouched: Caller, receipt: bytes, compressed: bool
) -> None:
    pdf = as_deflated_pdf(receipt) if compressed else as_pdf(receipt)
    assert (receipt[:30] in pdf) is not compressed
    assert attached_receipts(pdf) == [receipt]
    assert 'class="verdict verified"' in send(untouched, files={"file": ("a.pdf", pdf)})


def test_our_own_pdf_is_judged(untouched: Caller) -> None:
    pdf = untouched.get(f"{RECEIPT}.pdf", role=Role.CLERK).content
    (found,) = attached_receipts(pdf)
    keys = list(untouched.book.key_history.active)
    assert verify_receipt(found, keys).entry.index == FIRST_GIFT


def test_a_pdf_with_many_or_none(untouched: Caller, receipt: bytes) -> None:
    many = as_pdf(*(receipt + b"%d" % number for number in range(RECEIPTS_SHOWN + 3)))
    assert len(attached_receipts(many)) == RECEIPTS_SHOWN + 3 < RECEIPTS_MAX
    text = send(untouched, files={"file": ("a.pdf", many)})
    assert text.count('class="verdict ') == RECEIPTS_SHOWN
    assert "没有附带存证凭证" in send(untouched, files={"file": ("a.pdf", as_pdf())})
    broken = b"%PDF-1.7\n1 0 obj<</Filter/FlateDecode>>stream\nnot deflate\nendstream"
    assert attached_receipts(broken) == []
    assert attached_receipts(broken[:-10]) == []


def test_a_short_code_finds_the_public_receipt(untouched: Caller) -> None:
    origin = untouched.book.origin
    text = send(untouched, data={"code": format_short_code(origin, FIRST_GIFT).lower()})
    assert 'class="verdict verified"' in text
    assert DONOR not in text
    for code, why in (
        (format_short_code("other.example/log", FIRST_GIFT), "短码有误"),
        ("hello", "短码有误"),
        (format_short_code(origin, 10**6), "没有这一条目"),
    ):
        text = send(untouched, data={"code": code})
        assert 'class="verdict cannot_decide"' in text
        assert why in text


@pytest.mark.parametrize(
    ("change", "style", "why"),
    [
        ((b"index 1", b"index 2"), "mismatch", "不是账本签名的树根"),
        ((b"c2sp.org", b"C2SP.org"), "cannot_decide", "不是存证凭证"),
        ((b"\n\n", b"\n"), "cannot_decide", "读不出来"),
        (("— ".encode(), "— x".encode()), "cannot_decide", "没有一个签名"),
    ],
)
def test_what_does_not_hold_is_told(
    untouched: Caller, receipt: bytes, change: tuple[bytes, bytes], style: str, why: str
) -> None:
    changed = receipt.replace(*change)
    if style == "mismatch":
        number = str(FIRST_GIFT - 1).encode()
        changed = re.sub(rb"\nindex \d+\n", b"\nindex " + number + b"\n", receipt)
    text = send(untouched, files={"file": ("a", changed)})
    assert f'class="verdict {style}"' in text
    assert why in text
    assert DONOR not in text


def test_a_checkpoint_that_was_changed_is_told(untouched: Caller, receipt: bytes) -> None:
    text = send(untouched, files={"file": ("a", receipt[:-30] + b"AAAA" + receipt[-26:])})
    assert 'class="verdict mismatch"' in text
    assert 'data-row="genuine" data-holds="false"' in text
    assert 'data-row="recorded" data-holds="null"' in text


def test_nothing_given_and_too_much_given(untouched: Caller) -> None:
    assert "还没有给出凭证" in send(untouched, data={"code": " "})
    big = {"file": ("a", b"x" * (UPLOAD_BYTES_MAX + 1))}
    untouched.problem(untouched.call("POST", "/verify", files=big), 413, "body_too_large")
    untouched.problem(untouched.call("POST", "/verify", json={}), 400, "bad_form")
    broken = {"content-type": "multipart/form-data; boundary=x"}
    answer = untouched.call("POST", "/verify", content=b"--y", headers=broken)
    assert answer.status_code in (200, 400)
    missing = untouched.call(
        "POST", "/verify", content=b"--x", headers={"content-type": "multipart/form-data"}
    )
    untouched.problem(missing, 400, "bad_form")


def test_the_saved_file_runs_its_own_script_alone(untouched: Caller) -> None:
    answer = untouched.get("/verifier.html")
    data, policy = answer.content, answer.headers["content-security-policy"]
    assert len(data) < SAVED_BYTES_MAX
    script = data.decode().split("<script>")[1].split("</script>")[0]
    digest = b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert policy in data.decode()
    told = untouched.get("/verifier.html.sha256").text
    assert told == f"{hashlib.sha256(data).hexdigest()}  verifier.html\n"
    assert saved_page().sha256 in untouched.get("/verify").text
    assert saved_page().sha256 in untouched.get("/how").text
    assert not re.findall(r"https?://(?!paulmillr)", data.decode().split("<script>")[1])


def test_a_module_that_cannot_be_joined_is_our_own_mistake(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setattr("api.pages.verifier._STATIC", tmp_path)
    for name, text in {
        "default.js": "export default 1;\n",
        "lines.js": "const a = `one\ntwo`;\n",
        "loop.js": 'import { a } from "./loop.js";\n',
        "end.js": 'const a = "</script>";\n',
    }.items():
        (tmp_path / name).write_text(text, "utf-8")
        with pytest.raises(CorruptionError):
            bundle(name)


def test_the_pages_hold_the_logs_keys_and_nothing_sealed(untouched: Caller) -> None:
    for path in ("/verify", "/r", "/lab"):
        text = untouched.get(path).text
        assert DONOR not in text or path == "/lab"
        assert '<script type="application/json"' in text
    assert untouched.book.origin in untouched.get("/r").text


def test_the_receipt_of_an_erased_entry_still_proves_it(service: Caller) -> None:
    told = service.record(gift(donor_name="要删的人"))
    index = told["index"]
    found = service.book.opening(index)
    assert found is not None
    erased = {"entries": [index], "legal_basis": "本人要求"}
    body = {"kind": "privacy.erased", "occurred_on": "2022-01-10", "fields": erased}
    service.record(body, approval=Role.APPROVER)
    seed = base64url(found[0])
    path = f"/v1/entries/{index}/receipt"
    service.problem(service.get(path, seed=seed), 403, "wrong_seed")
    bare = service.get(path).content
    assert 'class="verdict verified"' in send(service, files={"file": ("a", bare)})
