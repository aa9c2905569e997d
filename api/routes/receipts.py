"""Receipts and openings: the proof of an entry, and its personal fields for who may see them.

Personal fields are shown to a person whose role opens entries (`OPENERS`), and to who
holds the entry's seed, which comes in the header ``Seed`` and never in a URL. Everybody
else gets the receipt without any opening: it proves the entry all the same.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.answers import IMMUTABLE, PRIVATE, REVALIDATED, Answer, Json, answer_cached, attachment
from api.auth import Person
from api.dependencies import BEARER, SEED_HEADER, BookOf, IndexInPath, MaybePerson, MaybeSeed
from ledger.book import Book, Reveal
from ledger.entry import SEALED_MAX, base64url, build_disclosure
from ledger.errors import NotAllowedError, NotFoundError
from ledger.receipt import MEDIA_TYPE, SUFFIX
from ledger.records.kind import OPENERS

router = APIRouter(prefix="/v1/entries", tags=["receipts"])

REVEAL_CHARS_MAX = SEALED_MAX * 64


RevealInQuery = Annotated[
    str | None,
    Query(
        max_length=REVEAL_CHARS_MAX,
        description="Which personal fields it opens: all, none, or names with commas between. "
        "By default all for who may see them, and none for everybody else.",
    ),
]


class OpeningAnswer(Answer):
    """The personal fields of an entry, and what proves each of them (RFC 9901)."""

    index: int
    seed: str
    values: dict[str, Any]
    disclosures: dict[str, str]


def may_open(book: Book, index: int, person: Person | None, seed: bytes | None) -> bool:
    """Whether this person, or the holder of this seed, may see the entry's personal fields.

    Raises:
        NotAllowedError: a seed that is not the entry's (``wrong_seed``), whoever asks.
        NotFoundError: the log has no such entry.
    """
    if seed is not None and not book.seed_matches(index, seed):
        raise NotAllowedError(
            f"Seed: this is not the seed of entry {index}; take it from that entry's receipt",
            code="wrong_seed",
        )
    return seed is not None or (person is not None and person.role in OPENERS)


def wanted_fields(
    book: Book, index: int, person: Person | None, seed: bytes | None, reveal: str | None
) -> Reveal:
    """Which personal fields an answer opens, if who asks may have them opened.

    Args:
        reveal: As asked for: ``all``, ``none`` or names with commas between; None for all
            that may be seen.

    Raises:
        NotAllowedError: ``opening_not_allowed``, or as in `may_open`.
        NotFoundError: the log has no such entry.
    """
    allowed = may_open(book, index, person, seed)
    wanted: Reveal
    if reveal is None:
        wanted = "all" if allowed else "none"
    elif reveal in ("all", "none"):
        wanted = "all" if reveal == "all" else "none"
    else:
        wanted = [name.strip() for name in reveal.split(",")]
    if wanted != "none":
        _require_right(allowed, index)
    return wanted


def _require_right(allowed: bool, index: int) -> None:
    if not allowed:
        roles = ", ".join(sorted(OPENERS))
        raise NotAllowedError(
            f"the personal fields of entry {index} are shown to the roles {roles} (send your "
            "token), and to who holds the receipt (send its seed in the header Seed)",
            code="opening_not_allowed",
        )


@router.get(
    "/{index}/receipt",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    openapi_extra={"parameters": [SEED_HEADER], "security": [{}, *BEARER]},
    summary="Download the receipt",
)
def read_receipt(
    request: Request,
    book: BookOf,
    index: IndexInPath,
    person: MaybePerson,
    seed: MaybeSeed,
    reveal: RevealInQuery = None,
) -> Response:
    """The receipt as a C2SP tlog-proof file; `shanji verify` checks it offline."""
    wanted = wanted_fields(book, index, person, seed, reveal)
    data, settled = book.receipt_and_standing(index, reveal=wanted)
    headers = {**attachment(f"{index}{SUFFIX}"), "vary": "authorization, seed"}
    if wanted != "none":
        return Response(data, 200, {**headers, "cache-control": PRIVATE}, MEDIA_TYPE)
    # A pending receipt is another one when enough witnesses have come.
    cache = IMMUTABLE if settled else REVALIDATED
    return answer_cached(request, data, media_type=MEDIA_TYPE, cache=cache, headers=headers)


@router.get(
    "/{index}/opening",
    response_model=OpeningAnswer,
    openapi_extra={"parameters": [SEED_HEADER], "security": [{}, *BEARER]},
    summary="Read the personal fields",
)
def read_opening(
    book: BookOf, index: IndexInPath, person: MaybePerson, seed: MaybeSeed
) -> Response:
    """The personal fields of an entry with the seed and a disclosure for each."""
    _require_right(may_open(book, index, person, seed), index)
    found = book.opening(index)
    if found is None:
        raise NotFoundError(
            f"entry {index} has no personal fields, or they were erased", code="no_opening"
        )
    own_seed, values = found
    return Json(
        {
            "index": index,
            "seed": base64url(own_seed),
            "values": values,
            "disclosures": {
                name: build_disclosure(own_seed, name, value) for name, value in values.items()
            },
        },
        headers={"cache-control": PRIVATE},
    )
