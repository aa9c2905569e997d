"""``/verify``, ``/r``, ``/verifier.html`` and ``/lab``: a receipt is verified by its holder.

The browser does it, with the modules that these pages bring along; the server hands out
the log's keys and says that it did. Who has no scripts may send the file: it is judged in
memory, answered, and forgotten, and the answer says who gave it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, Response

from api.answers import REVALIDATED, TEXT, answer_cached
from api.dependencies import BookOf
from api.pages.assets import asset_path
from api.pages.attached import attached_receipts, is_pdf
from api.pages.lab import example, worked_examples
from api.pages.navigation import served_paths
from api.pages.page import log_state, render, translator_of
from api.pages.texts import Translator
from api.pages.uploads import read_upload
from api.pages.verdicts import VerdictView, check_of, refusal_view, verdict_view
from api.pages.verifier import data_block, saved_page, script_texts
from ledger.book import Book
from ledger.errors import LedgerError, NotFoundError
from ledger.locator import format_short_code, log_id, parse_short_code
from ledger.tlog.note import format_verifier_key
from ledger.tlog.policy import Policy, format_policy
from ledger.verdict import FactName, Judgement, judge

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

RECEIPTS_SHOWN = 20
"""Receipts of one PDF that the server judges; the browser judges all."""
HTML = "text/html; charset=utf-8"
_GIFT_PAGE = "/gifts/{index}"
_NOTHING_HOLDS: dict[FactName, bool | None] = {
    "genuine": None,
    "recorded": None,
    "witnessed": None,
    "as_of": None,
}


@dataclass(frozen=True, slots=True)
class Sent:
    """What came with the form: the receipts to judge, or why there are none."""

    receipts: list[bytes]
    problem: str = ""


def trust_of(book: Book) -> Policy:
    """Whom this site tells its readers to trust: the log's keys, each for its sizes, and the
    witnesses of the service's policy, where it has one."""
    return replace(book.witnessing.policy, log_keys=book.key_history.policy().log_keys)


@router.get("/verify")
def verify(request: Request, book: BookOf) -> Response:
    """The page that verifies a receipt in the browser."""
    return _verify_page(request, book, [])


@router.post("/verify")
async def verify_here(request: Request, book: BookOf) -> Response:
    """For who has no scripts: the server's own verdict, marked as such. Nothing is kept."""
    upload = await read_upload(request)
    return await run_in_threadpool(_answer, request, book, dict(upload.fields))


def _answer(request: Request, book: Book, fields: dict[str, bytes]) -> Response:
    translator = translator_of(request)
    sent = _receipts_of(book, fields)
    if sent.problem:
        reason = translator.text(f"check.{sent.problem}")
        found = [refusal_view("undecided", "malformed", reason, _NOTHING_HOLDS, translator)]
    else:
        trust, now = trust_of(book), int(time.time())
        found = [
            verdict_view(judge(one, trust, now=now), translator)
            for one in sent.receipts[:RECEIPTS_SHOWN]
        ]
    return _verify_page(request, book, found)


def _receipts_of(book: Book, fields: dict[str, bytes]) -> Sent:
    """The receipts in a form: pasted text first, then a short code, then a file."""
    text = fields.get("text", b"").strip()
    code = fields.get("code", b"").strip()
    file = fields.get("file", b"")
    if text:
        # A form sends every line end as two characters.
        return Sent([text.replace(b"\r\n", b"\n") + b"\n"])
    if code:
        return _receipt_by_code(book, code.decode("utf-8", "replace"))
    if not file:
        return Sent([], "nothing")
    receipts = attached_receipts(file) if is_pdf(file) else [file]
    return Sent(receipts, "" if receipts else "no_attachment")


def _receipt_by_code(book: Book, code: str) -> Sent:
    try:
        return Sent([book.receipt_and_standing(parse_short_code(book.origin, code))[0]])
    except NotFoundError:
        return Sent([], "no_entry")
    except LedgerError:
        return Sent([], "short_code")


def _verify_page(request: Request, book: Book, found: list[VerdictView]) -> Response:
    values = {
        "found": found,
        "saved": saved_page(),
        "policy": _policy_text(book),
        "keys": [format_verifier_key(one) for one in book.key_history.active],
        "example_code": format_short_code(book.origin, 0),
        "data": _page_data(request, book),
    }
    return _rendered(request, book, "verify.html", values)


@router.get("/r")
def locator(request: Request, book: BookOf) -> Response:
    """Where a QR code leads: what stands after # never comes here."""
    values = {"data": _page_data(request, book), "policy": _policy_text(book)}
    return _rendered(request, book, "locator.html", values)


@router.get("/lab")
def lab(request: Request, book: BookOf) -> Response:
    """A receipt to tamper with, and worked examples for who has no scripts."""
    translator = translator_of(request)
    parts, key = example()
    rows = [_example_row(one.name, one.found, translator) for one in worked_examples()]
    data = {
        "language": translator.language,
        "words": script_texts(translator.language, plain=translator.plain),
        "receipt": parts.join().decode(),
        "trust": format_verifier_key(key),
    }
    return _rendered(request, book, "lab.html", {"rows": rows, "data": data_block(data)})


def _example_row(name: str, found: Judgement, translator: Translator) -> tuple[str, str, str, str]:
    """What was changed, the outcome's style and symbol, and the check that failed."""
    style = "cannot_decide" if found.outcome == "undecided" else found.outcome
    why = "lab.why_none" if found.outcome == "verified" else f"check.{check_of(found)}"
    symbol = {"verified": "✓", "pending": "…", "mismatch": "✕", "cannot_decide": "?"}[style]
    return translator.text(f"lab.{name}"), style, symbol, translator.text(why)


@router.get("/verifier.html")
def saved(request: Request) -> Response:
    """The whole verifier as one file, to keep: it works from a disk, without a network."""
    page = saved_page()
    headers = {
        "content-security-policy": page.policy,
        "content-disposition": 'inline; filename="verifier.html"',
    }
    return answer_cached(request, page.data, media_type=HTML, cache=REVALIDATED, headers=headers)


@router.get("/verifier.html.sha256")
def saved_hash(request: Request) -> Response:
    """The saved file's SHA-256, as ``sha256sum -c`` reads it."""
    data = f"{saved_page().sha256}  verifier.html\n".encode()
    return answer_cached(request, data, media_type=TEXT, cache=REVALIDATED)


def _policy_text(book: Book) -> str:
    """Whom to trust, as a policy file. Names of witnesses that are no UTF-8 hold only inside
    the file, so another spelling of them means the same."""
    return format_policy(trust_of(book)).decode("utf-8", "backslashreplace")


def _page_data(request: Request, book: Book) -> str:
    """What the page's modules need, as the JSON of a data block."""
    translator = translator_of(request)
    value = {
        "language": translator.language,
        "words": script_texts(translator.language, plain=translator.plain),
        "trust": _policy_text(book),
        "origin": book.origin,
        "logId": log_id(book.origin).hex(),
        "giftPage": _GIFT_PAGE if _GIFT_PAGE in served_paths(request) else None,
        "jsqr": asset_path("vendor/jsqr/jsQR.js"),
    }
    return data_block(value)


def _rendered(request: Request, book: Book, template: str, values: dict[str, Any]) -> Response:
    with book.store.read() as reader:
        head = reader.head()
    if head is None:
        raise NotFoundError("the log is empty")
    return render(request, template, log=log_state(book, head), values=values)
