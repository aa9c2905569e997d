"""``/gifts/{index}``: my gift, and the form by which its holder gets more of it.

The page is public and works without JavaScript. Who holds the receipt brings its seed: by
a script that sends it in the header ``Seed`` of the API's requests (``gift.js``), or in the
form here, which is posted so that the seed stands in no address and no log line, and
answers with the file, the code or the opened page. It changes nothing, so it needs no
token against forgery: another site that posted it would have to know the seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from anyio import to_thread
from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.answers import PRIVATE, attachment
from api.dependencies import BookOf, IndexInPath, parse_seed, read_body
from api.pages.annotations import find_annotations
from api.pages.directory import Directory
from api.pages.gifts import GIFTS, gift_view
from api.pages.kinds import order_of
from api.pages.language import language_of
from api.pages.page import log_state, render, translator_of
from api.pages.unspent import find_unspent
from api.pages.whereabouts import find_whereabouts
from api.routes.printed import answer_code, answer_pdf, limiter_of
from ledger.book import Book, Reveal
from ledger.correction import corrections_of, replaced_by, replaces
from ledger.entry import SEALED_MAX, parse_entry
from ledger.errors import MalformedError, NotFoundError
from ledger.receipt import MEDIA_TYPE, SUFFIX

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

FORM_BYTES_MAX = 8 * 1024
WHATS = ("show", "proof", "pdf", "code", "part", "part_pdf")
"""What the form asks for: the opened page, the file, the PDF, the QR code, a part of them."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the form said."""

    what: str
    seed: str
    fields: Sequence[str]


@router.get("/gifts/{index}")
def gift(request: Request, book: BookOf, index: IndexInPath) -> Response:
    """One gift: how far it went, what became of each part, what proves it."""
    return _page(request, book, index)


@router.post("/gifts/{index}")
async def opened(request: Request, book: BookOf, index: IndexInPath) -> Response:
    """What the form asks for, for who brings the gift's seed."""
    asked = _parse_form(await read_body(request, FORM_BYTES_MAX))
    limiter = limiter_of(request)
    return await to_thread.run_sync(_open, request, book, index, asked, limiter=limiter)


def _parse_form(body: bytes) -> Asked:
    """Read the form.

    Raises:
        MalformedError: not the form of the page.
    """
    try:
        values = parse_qs(body.decode("ascii"), max_num_fields=SEALED_MAX + len(WHATS))
    except ValueError:
        values = {}
    what, seed = values.get("what", [""])[-1], values.get("seed", [""])[-1]
    if what not in WHATS:
        raise MalformedError(
            "expected the form of the gift's page; open that page and use its buttons",
            code="invalid_form",
        )
    return Asked(what, seed.strip(), values.get("reveal", []))


def _open(request: Request, book: Book, index: int, asked: Asked) -> Response:
    """Answer the form; what is wrong with it is told on the page, at the field."""
    if not asked.seed:
        return _page(request, book, index, wrong="seed_missing")
    try:
        seed = parse_seed(asked.seed)
    except MalformedError:
        return _page(request, book, index, wrong="seed_malformed")
    if not book.seed_matches(index, seed):
        return _page(request, book, index, wrong="seed_wrong", status=403)
    names = list(dict.fromkeys(asked.fields))
    if asked.what in ("part", "part_pdf"):
        known = book.opening(index)
        if known is None or not names or set(names) - set(known[1]):
            return _page(request, book, index, wrong="nothing_chosen", seed=asked.seed)
    language = language_of(request)
    if asked.what == "code":
        return answer_code(request, book, index, opened=True)
    wanted: Reveal = names if asked.what in ("part", "part_pdf") else "all"
    if asked.what in ("pdf", "part_pdf"):
        return answer_pdf(request, book, index, wanted, language)
    if asked.what in ("proof", "part"):
        data = book.receipt(index, reveal=wanted)
        headers = {**attachment(f"{index}{SUFFIX}"), "cache-control": PRIVATE}
        return Response(data, 200, headers, MEDIA_TYPE)
    return _page(request, book, index, seed=asked.seed)


def _page(
    request: Request,
    book: Book,
    index: int,
    *,
    seed: str = "",
    wrong: str | None = None,
    status: int = 200,
) -> Response:
    """The page; with a seed that was found right, with the personal fields too.

    Args:
        seed: As it was typed, and right; it stays in its field, for the next button.
        wrong: What was wrong with the form: a text of the table ``gift``.
    """
    translator = translator_of(request)
    with book.store.read() as reader:
        head = reader.head()
        if head is None:
            raise NotFoundError("the log is empty")
        entry = parse_entry(reader.entry(index))
        if entry.kind not in GIFTS:
            # A locator may lead to any entry; its own page tells what it is.
            return RedirectResponse(f"/entries/{index}", 303)
        directory = Directory(reader, translator)
        hidden = reader.object(f"hidden/{index}") is not None
        forward = find_whereabouts(reader, index, "forward", directory, translator)
        values: dict[str, Any] = {
            "gift": gift_view(
                entry,
                forward.traced,
                reader,
                directory,
                translator,
                origin=book.origin,
                hidden=hidden,
            ),
            "forward": forward,
            "unspent": find_unspent(entry, forward, reader, directory, book.today()),
            "hidden": hidden,
            "corrections": corrections_of(reader, index),
            "replaced_by": replaced_by(reader, index),
            "replaces": replaces(reader, index),
            "annotations": [] if hidden else find_annotations(entry, reader, translator),
            "opened": _values(book, index, translator.word) if seed else [],
            "seed": seed,
            "wrong": wrong,
        }
        log = log_state(book, head)
    if wrong is not None and status == 200:
        status = 400
    answer = render(request, "gift.html", log=log, values=values, status=status)
    if request.method == "POST":
        answer.headers["cache-control"] = PRIVATE
    return answer


def _values(book: Book, index: int, word: Any) -> list[tuple[str, str]]:
    """The personal fields with their labels, in the order of the kind."""
    found = book.opening(index)
    values: Mapping[str, Any] = {} if found is None else found[1]
    order = order_of(book.entry(index)[1].kind)
    names = sorted(values, key=lambda one: order.get(one, len(order)))
    return [(word("field", name), str(values[name])) for name in names]
