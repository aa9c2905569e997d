"""What routes ask for, as ``Annotated`` aliases, and what they read from a request.

All of it runs in the event loop: nothing here waits, save for the body's bytes.
"""

from __future__ import annotations

import asyncio
import re
from typing import Annotated, Any, cast

from fastapi import Depends, Path, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from api.auth import Person, Tokens
from api.mailbox import Mailbox
from api.metrics import Counters
from api.settings import PUBLIC_URL_PATTERN, Settings
from ledger.attention import KeptBoard
from ledger.book import Book
from ledger.entry import SEED_BYTES, parse_base64url
from ledger.errors import LedgerError, MalformedError, NotAllowedError, NotReadyError
from ledger.holds import DAMAGED
from ledger.statistics import Latest

INDEX_MAX = 2**53 - 1
PAGE_DEFAULT = 50
PAGE_MAX = 500
"""Things in one page of any list."""
BODY_SECONDS_MAX = 60
"""How long a request's body may take to come."""
SEED_CHARS_MAX = 64
CODE_PATTERN = r"^[a-z0-9][a-z0-9-]{0,63}$"

_BEARER = "bearer "


def get_book(request: Request) -> Book:
    """The log that the service serves."""
    return cast(Book, request.app.state.book)


async def undamaged(request: Request) -> None:
    """Return if nothing stored is known to be damaged: what follows from it may be shown.

    Raises:
        NotReadyError: ``damaged``.
    """
    held = get_book(request).held
    if held.stale:
        await run_in_threadpool(held.refresh)
    if held.recent(DAMAGED) is not None:
        raise NotReadyError(
            "what is stored is damaged, so no figures are shown; entries, tiles and receipts are, "
            "each checked as it is read",
            code=DAMAGED.code,
        )


def get_mailbox(request: Request) -> Mailbox:
    """Where the writer's answers come in."""
    return cast(Mailbox, request.app.state.mailbox)


def get_counters(request: Request) -> Counters:
    """The counters of this process."""
    return cast(Counters, request.app.state.counters)


def get_statistics(request: Request) -> Latest:
    """The statistics of the newest size, gathered once by this process."""
    return cast(Latest, request.app.state.statistics)


def get_board(request: Request) -> KeptBoard:
    """What asks for attention, searched by this process."""
    return cast(KeptBoard, request.app.state.board)


def site_of(request: Request) -> str | None:
    """Where people reach the pages: as the setting ``public_url`` says, else as asked for.

    A request's own address is what its sender says it is, and behind a proxy is another
    one than people use; None where it is nothing that a QR code should lead to.
    """
    settings: Settings = request.app.state.settings
    found = settings.public_url or str(request.base_url)
    return found.rstrip("/") if re.fullmatch(PUBLIC_URL_PATTERN, found) else None


def _person_of(request: Request, header: str) -> Person | None:
    value = request.headers.get(header)
    if value is None:
        return None
    if not value.lower().startswith(_BEARER):
        raise NotAllowedError(
            f"{header}: expected 'Bearer' and a token; `shanji token create` makes one",
            code="unknown_token",
        )
    tokens: Tokens = request.app.state.tokens
    person = tokens.find(value[len(_BEARER) :].strip())
    if person is None:
        raise NotAllowedError(
            f"{header}: the token is not known here, or was revoked; ask for a new one",
            code="unknown_token",
        )
    return person


def person_or_none(request: Request) -> Person | None:
    """Who asks, by the bearer token; None without one.

    Raises:
        NotAllowedError: a token that is not known (401).
    """
    return _person_of(request, "Authorization")


def person_required(request: Request) -> Person:
    """Who asks.

    Raises:
        NotAllowedError: no token, or one that is not known (401).
    """
    person = person_or_none(request)
    if person is None:
        raise NotAllowedError(
            "Authorization: expected 'Bearer' and your token; this needs a person with a role",
            code="no_token",
        )
    return person


def approver_or_none(request: Request) -> Person | None:
    """The second person, who approves by the token in the header ``Approval``.

    Raises:
        NotAllowedError: a token that is not known (401).
    """
    return _person_of(request, "Approval")


def seed_or_none(request: Request) -> bytes | None:
    """The seed in the header ``Seed``, which opens an entry's personal fields.

    Raises:
        MalformedError: not base64url of 16 bytes.
    """
    value = request.headers.get("Seed")
    return None if value is None else parse_seed(value)


def parse_seed(text: str) -> bytes:
    """A seed as it stands on the receipt.

    Raises:
        MalformedError: not base64url of 16 bytes.
    """
    seed = b""
    if len(text) <= SEED_CHARS_MAX:
        try:
            seed = parse_base64url(text)
        except LedgerError:
            seed = b""
    if len(seed) != SEED_BYTES:
        raise MalformedError(
            f"Seed: expected base64url of {SEED_BYTES} bytes without padding, as on the receipt",
            code="invalid_seed",
            field="Seed",
        )
    return seed


async def read_body(request: Request, bytes_max: int, seconds_max: float | None = None) -> bytes:
    """A request's body, refused as soon as it is too large.

    Args:
        bytes_max: How large it may be.
        seconds_max: How long it may take to come; None for `BODY_SECONDS_MAX`.

    Raises:
        MalformedError: ``body_too_large`` (413), or ``body_too_slow`` (408).
    """
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced[:20]) > bytes_max:
        _refuse_size(bytes_max)
    seconds_max = BODY_SECONDS_MAX if seconds_max is None else seconds_max
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(seconds_max):
            # As `request.stream` does, without its generator: a body mostly comes in one part.
            more = True
            while more:
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                part = message.get("body", b"")
                more = message.get("more_body", False)
                size += len(part)
                if size > bytes_max:
                    _refuse_size(bytes_max)
                parts.append(part)
    except TimeoutError:
        raise MalformedError(
            f"expected the whole body within {seconds_max:g} seconds; nothing was recorded",
            code="body_too_slow",
        ) from None
    return b"".join(parts)


def _refuse_size(bytes_max: int) -> None:
    raise MalformedError(
        f"expected a body of at most {bytes_max} bytes; send less at a time, nothing was recorded",
        code="body_too_large",
        details={"bytes_max": bytes_max},
    )


async def _book(request: Request) -> Book:
    return get_book(request)


async def _maybe_person(request: Request) -> Person | None:
    return person_or_none(request)


async def _maybe_seed(request: Request) -> bytes | None:
    return seed_or_none(request)


# Declared async: FastAPI would run plain functions in a thread each.
BookOf = Annotated[Book, Depends(_book)]
MaybePerson = Annotated[Person | None, Depends(_maybe_person)]
MaybeSeed = Annotated[bytes | None, Depends(_maybe_seed)]

IndexInPath = Annotated[int, Path(ge=0, le=INDEX_MAX, description="The entry's place in the log.")]
CodeInPath = Annotated[str, Path(pattern=CODE_PATTERN, description="The code in its register.")]
Limit = Annotated[int, Query(ge=1, le=PAGE_MAX, description="How many at most.")]
SizeInQuery = Annotated[
    int | None, Query(ge=0, le=INDEX_MAX, description="A size of the log; by default the newest.")
]

BEARER: list[dict[str, Any]] = [{"bearer": []}]
"""For OpenAPI: this needs a bearer token."""
SEED_HEADER: dict[str, Any] = {
    "name": "Seed",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "maxLength": SEED_CHARS_MAX},
    "description": "The seed of the entry, base64url, as on the receipt: it opens the entry's "
    "personal fields. It never belongs in a URL.",
}
