"""Receipts on paper: one as PDF, its QR code, or many at once for who prints them.

Whoever may have the receipt's file may have it as PDF, with the same personal fields and
no other. Setting pages is work for a processor: a few threads of their own do it, so that
recording and reading stay quick beside them, and what they cannot take is sent away.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Literal

import orjson
from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import Response, StreamingResponse

from api.answers import PRIVATE, REVALIDATED, answer_cached, attachment
from api.auth import Person
from api.dependencies import (
    BEARER,
    SEED_HEADER,
    BookOf,
    IndexInPath,
    MaybePerson,
    MaybeSeed,
    person_required,
    read_body,
    site_of,
)
from api.receipts_pdf.bundle import ZIP_MEDIA_TYPE, ZipPieces, bundle_name, parse_spans
from api.receipts_pdf.code import SVG_MEDIA_TYPE, locator_picture
from api.receipts_pdf.paper import Paper, draw_up
from api.receipts_pdf.typesetting import MEDIA_TYPE, PAPERS_MAX, prepare_typesetter, typeset
from api.routes.receipts import RevealInQuery, may_open, wanted_fields
from ledger.book import Book, Reveal
from ledger.errors import MalformedError, NotAllowedError, NotFoundError, QueueFullError
from ledger.locator import Locator, locator_link, log_id
from ledger.records.kind import OPENERS
from ledger.verify import Language

router = APIRouter(tags=["receipts"])

THREADS_MAX = 2
"""Receipts that are drawn up at one time."""
WAITING_MAX = 40
"""Requests that may wait for one of those threads; one more is answered with 429."""
PRINT_MAX = 1000
"""Receipts in one request; one PDF holds `PAPERS_MAX`."""
PRINT_BYTES_MAX = 64 * 1024
SPANS_MAX = PRINT_MAX

VARY = {"vary": "authorization, seed"}

LanguageInQuery = Annotated[
    Language, Query(description="Which language comes first; the other stands beside it.")
]


class PrintRequest(BaseModel):
    """Which receipts, and how."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    entries: Annotated[
        list[Annotated[str, Field(max_length=40)]], Field(min_length=1, max_length=SPANS_MAX)
    ] = Field(description="Indices like 12, and ranges like 20-40, first and last included.")
    form: Literal["zip", "pdf"] = Field(
        "zip", description="zip: for each a PDF and its proof file; pdf: one file to print."
    )
    reveal: Literal["all", "none"] = Field(
        "all", description="Whether the personal fields are opened."
    )
    lang: Language = "zh"


def receipts_limiter() -> CapacityLimiter:
    """The threads that receipts are drawn up in; one for each service."""
    return CapacityLimiter(THREADS_MAX)


def limiter_of(request: Request) -> CapacityLimiter:
    """The service's threads for receipts, if one may still wait for them.

    Raises:
        QueueFullError: too many wait already.
    """
    limiter: CapacityLimiter = request.app.state.receipts_limiter
    if limiter.statistics().tasks_waiting >= WAITING_MAX:
        raise QueueFullError(
            f"{WAITING_MAX} receipts wait to be drawn up already; ask again in a moment"
        )
    return limiter


@router.get(
    "/v1/entries/{index}/receipt.pdf",
    response_class=Response,
    responses={200: {"content": {MEDIA_TYPE: {"schema": {"type": "string"}}}}},
    openapi_extra={"parameters": [SEED_HEADER], "security": [{}, *BEARER]},
    summary="Download the receipt as PDF",
)
async def read_pdf(
    request: Request,
    book: BookOf,
    index: IndexInPath,
    person: MaybePerson,
    seed: MaybeSeed,
    reveal: RevealInQuery = None,
    lang: LanguageInQuery = "zh",
) -> Response:
    """The receipt to print or to keep: amounts in digits and in words, a QR code and a short
    code by which it is found again, what it proves and what not. The proof file lies in the
    PDF as an attachment (PDF/A-3), with the same personal fields as are shown."""

    def make() -> Response:
        wanted = wanted_fields(book, index, person, seed, reveal)
        return answer_pdf(request, book, index, wanted, lang)

    return await to_thread.run_sync(make, limiter=limiter_of(request))


def answer_pdf(
    request: Request, book: Book, index: int, wanted: Reveal, language: Language
) -> Response:
    """The PDF of an entry's receipt; for a thread."""
    paper, _ = draw_up(book, index, reveal=wanted, language=language, site=site_of(request))
    data = typeset([paper])
    headers = {**attachment(f"{index}.pdf"), **VARY}
    if wanted != "none":
        return Response(data, 200, {**headers, "cache-control": PRIVATE}, MEDIA_TYPE)
    # What was corrected or refunded since stands on it, so that it may be another one later.
    return answer_cached(request, data, media_type=MEDIA_TYPE, cache=REVALIDATED, headers=headers)


@router.get(
    "/v1/entries/{index}/receipt.svg",
    response_class=Response,
    responses={200: {"content": {SVG_MEDIA_TYPE: {"schema": {"type": "string"}}}}},
    openapi_extra={"parameters": [SEED_HEADER], "security": [{}, *BEARER]},
    summary="Show the receipt's QR code",
)
def read_code(
    request: Request, book: BookOf, index: IndexInPath, person: MaybePerson, seed: MaybeSeed
) -> Response:
    """The QR code that leads to the receipt. For who may see the personal fields it holds the
    seed that opens them; for everybody else it leads to the public receipt."""
    return answer_code(request, book, index, opened=may_open(book, index, person, seed))


def answer_code(request: Request, book: Book, index: int, *, opened: bool) -> Response:
    """The QR code of an entry's locator, with its seed where it is opened.

    Raises:
        NotFoundError: no such entry, or no address that the code could lead to.
    """
    opening = book.opening(index)
    site = site_of(request)
    if site is None:
        raise NotFoundError(
            "the address of these pages is not known here; have the operator set public_url",
            code="no_public_url",
        )
    seed = opening[0] if opened and opening is not None else None
    link = locator_link(site, Locator(log_id(book.origin), index, seed))
    headers = {"cache-control": REVALIDATED if seed is None else PRIVATE, **VARY}
    return Response(locator_picture(link), 200, headers, SVG_MEDIA_TYPE)


@router.post(
    "/v1/receipts/print",
    response_class=Response,
    responses={
        200: {
            "description": "The ZIP, or the PDF.",
            "content": {
                ZIP_MEDIA_TYPE: {"schema": {"type": "string"}},
                MEDIA_TYPE: {"schema": {"type": "string"}},
            },
        }
    },
    openapi_extra={
        "security": BEARER,
        "requestBody": {
            "required": True,
            "description": f"At most {PRINT_MAX} receipts in a ZIP, {PAPERS_MAX} in one PDF.",
            "content": {
                "application/json": {
                    "schema": PrintRequest.model_json_schema(),
                    "example": {"entries": ["2", "3-5"], "form": "zip", "reveal": "all"},
                }
            },
        },
    },
    summary="Print many receipts",
)
async def print_receipts(request: Request, book: BookOf) -> Response:
    """Receipts of many entries, for the roles that open personal fields: a ZIP with the PDF and
    the proof file of each, made while it is sent; or one PDF for the printer."""
    _require_opener(person_required(request))
    asked = _parse_print(await read_body(request, PRINT_BYTES_MAX))
    most = PRINT_MAX if asked.form == "zip" else PAPERS_MAX
    indices = parse_spans(asked.entries, most)
    return await answer_many(request, book, indices, asked)


async def answer_many(
    request: Request, book: Book, indices: list[int], asked: PrintRequest
) -> Response:
    """The receipts of these entries, as asked for.

    Raises:
        NotFoundError: the log lacks one of the entries; nothing was made.
        QueueFullError: too much waits already.
        LedgerError: ``receipts_extra_missing``.
    """
    limiter, site = limiter_of(request), site_of(request)
    await to_thread.run_sync(prepare_typesetter, limiter=limiter)
    last = await to_thread.run_sync(lambda: book.head().size - 1, limiter=limiter)
    if max(indices) > last:
        raise NotFoundError(
            f"expected entries up to {last}, the log's last, got {max(indices)}", code="no_entry"
        )

    def draw(index: int) -> Paper:
        paper, _ = draw_up(book, index, reveal=asked.reveal, language=asked.lang, site=site)
        return paper

    headers = {**attachment(bundle_name(indices, f".{asked.form}")), "cache-control": PRIVATE}
    if asked.form == "pdf":
        papers = [await to_thread.run_sync(draw, one, limiter=limiter) for one in indices]
        data = await to_thread.run_sync(typeset, papers, limiter=limiter)
        return Response(data, 200, headers, MEDIA_TYPE)

    async def pieces() -> AsyncIterator[bytes]:
        archive = ZipPieces()
        for one in indices:
            paper = await to_thread.run_sync(draw, one, limiter=limiter)
            yield await to_thread.run_sync(archive.add, paper, limiter=limiter)
        yield archive.end()

    return StreamingResponse(pieces(), 200, headers, ZIP_MEDIA_TYPE)


def _require_opener(person: Person) -> None:
    if person.role not in OPENERS:
        raise NotAllowedError(
            f"receipts are printed by the roles {', '.join(sorted(OPENERS))}, which may open "
            f"personal fields; your role is {person.role.value}",
            code="opening_not_allowed",
        )


def _parse_print(body: bytes) -> PrintRequest:
    """What was asked for.

    Raises:
        MalformedError: not JSON, or not the form that is documented.
    """
    try:
        return PrintRequest.model_validate(orjson.loads(body))
    except orjson.JSONDecodeError as error:
        raise MalformedError(f"expected a JSON object: {error}", code="not_json") from None
    except ValidationError as error:
        errors = [
            {
                "field": ".".join(str(part) for part in one["loc"]),
                "code": one["type"],
                "message": one["msg"],
            }
            for one in error.errors(include_url=False)
        ]
        first = errors[0]
        raise MalformedError(
            f"{first['field']}: {first['message']}",
            code="invalid_print_request",
            details={"errors": errors},
        ) from None
