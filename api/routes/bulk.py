"""Many records in one request: NDJSON in, one line of answer for each line, in order.

The whole body is read before the first answer leaves: a client that sends everything
before it reads anything would otherwise wait for the server while the server waits for
it. After that memory stays flat: lines are prepared, queued and answered in slices,
and the queue's limit slows the request down instead of failing it half-way. A client
that goes away ends the request; what was queued is recorded, and sending the same lines
again gives their receipts.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from typing import Any, Literal

import orjson
from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from api.answers import PRIVATE, Answer
from api.auth import Person
from api.dependencies import (
    BEARER,
    approver_or_none,
    get_book,
    get_counters,
    person_required,
    read_body,
)
from api.metrics import Counters
from api.problems import problem_of
from api.routes.entries import check_roles
from api.witnessed import Deadline
from ledger.book import Book
from ledger.errors import LedgerError, MalformedError, QueueFullError, RetryableError
from ledger.recorded import Recorded
from ledger.records.catalog import KIND_BY_NAME
from ledger.records.request import BODY_BYTES_MAX, Prepared, check_key, parse_body, prepare

router = APIRouter(prefix="/v1/entries", tags=["entries"])

BULK_BYTES_MAX = 32 * 1024 * 1024
BULK_LINES_MAX = 100_000
LINE_BYTES_MAX = BODY_BYTES_MAX
BULK_AT_ONCE_MAX = 4
"""Bulk requests at one time, so that bodies take at most 128 MiB; one more gets 429."""
SLICE_LINES_MAX = 500
WAIT_SECONDS = 0.02
"""How often a slice that found the queue full asks again."""
MEDIA_TYPE = "application/x-ndjson"
PATH = "/v1/entries/bulk"

Outcome = Literal["recorded", "replayed", "refused"]


class BulkLine(Answer):
    """The answer to one line: where it was recorded, or the problem that it has."""

    line: int
    index: int | None = None
    leaf_hash: str | None = None
    size: int | None = None
    replayed: bool | None = None
    receipt: str | None = None
    problem: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class _Line:
    """One line on its way: refused already, or ready and then queued."""

    number: int
    ready: Prepared | None = None
    error: LedgerError | None = None
    future: Future[Recorded] | None = None


@dataclass(frozen=True, slots=True)
class _Senders:
    """Who records and who approves, and the key that prefixes the line numbers."""

    recorder: Person
    approver: Person | None
    key: str | None


class _BulkResponse(StreamingResponse):
    """A stream that gives its place back when it ends, however it ends."""

    def __init__(self, app: Any, content: AsyncIterator[bytes]) -> None:
        super().__init__(content, headers={"cache-control": PRIVATE}, media_type=MEDIA_TYPE)
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._app.state.bulk_running -= 1


@router.post(
    "/bulk",
    response_class=Response,
    responses={
        200: {
            "description": "One line of JSON for each line of the request, in its order.",
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/BulkLine"}}},
        }
    },
    openapi_extra={
        "parameters": [
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "schema": {"type": "string"},
                "description": "Lines without `idempotency_key` get this key, a slash and their "
                "line number, from 1.",
            },
            {
                "name": "Approval",
                "in": "header",
                "required": False,
                "schema": {"type": "string"},
                "description": "'Bearer' and the token of the second person; it counts for those "
                "lines whose kind needs an approval.",
            },
        ],
        "requestBody": {
            "required": True,
            "description": f"At most {BULK_LINES_MAX} lines and {BULK_BYTES_MAX} bytes. A line "
            f"is a record as for POST /v1/entries (at most {LINE_BYTES_MAX} bytes), and has "
            "an `idempotency_key` unless the header gives one. Blank lines are skipped.",
            "content": {MEDIA_TYPE: {"schema": {"type": "string"}}},
        },
        "security": BEARER,
    },
    summary="Record many entries",
)
async def record_many(request: Request) -> Response:
    """Record many entries; each line has its own answer, and a wrong line fails alone."""
    key = request.headers.get("Idempotency-Key")
    senders = _Senders(
        person_required(request),
        approver_or_none(request),
        None if key is None else check_key(key),
    )
    app = request.app
    if app.state.bulk_running >= BULK_AT_ONCE_MAX:
        raise QueueFullError(
            f"at most {BULK_AT_ONCE_MAX} bulk requests are taken at once; send this one again "
            "in a moment, nothing of it was recorded"
        )
    app.state.bulk_running += 1
    try:
        body = await read_body(request, BULK_BYTES_MAX)
        if body.count(b"\n") >= BULK_LINES_MAX:
            raise MalformedError(
                f"expected at most {BULK_LINES_MAX} lines; send the others in a second request",
                code="too_many_lines",
            )
        bulk = _Bulk(get_book(request), get_counters(request), senders, body, Deadline(request.app))
        await bulk.start()
    except BaseException:
        app.state.bulk_running -= 1
        raise
    return _BulkResponse(app, bulk.answers())


class _Bulk:
    """One bulk request: at most two slices of it are under way at a time."""

    def __init__(
        self,
        book: Book,
        counters: Counters,
        senders: _Senders,
        body: bytes,
        deadline: Deadline,
    ) -> None:
        self._deadline = deadline
        self._book = book
        self._counters = counters
        self._senders = senders
        self._lines = _lines_of(body)
        # A slice must fit into the queue beside those of others.
        queue_max = int(book.writer_stats()["queue_max"])
        self._slice_max = max(1, min(SLICE_LINES_MAX, queue_max // 4))
        self._under_way: list[_Line] = []

    async def start(self) -> None:
        """Queue the first slice.

        Raises:
            RetryableError: nothing of the request is queued; it may be sent again.
        """
        lines = await self._next_slice()
        self._under_way = _queue(self._book, lines)

    async def answers(self) -> AsyncIterator[bytes]:
        """The answers' lines, slice by slice, while the next slice is on its way."""
        while self._under_way:
            lines = await self._queue_patiently(await self._next_slice())
            data, outcomes = await run_in_threadpool(_answers_of, self._under_way, self._deadline)
            self._counters.bulk_lines.update(outcomes)
            yield data
            self._under_way = lines

    async def _next_slice(self) -> list[_Line]:
        some = list(islice(self._lines, self._slice_max))
        return await run_in_threadpool(_prepare_all, some, self._senders, self._book)

    async def _queue_patiently(self, lines: list[_Line]) -> list[_Line]:
        """Queue a slice, waiting for room; where the service stops, its lines say so."""
        while True:
            try:
                return _queue(self._book, lines)
            except QueueFullError:
                await asyncio.sleep(WAIT_SECONDS)
            except RetryableError as error:
                return [
                    line if line.ready is None else _Line(line.number, error=error)
                    for line in lines
                ]


def _lines_of(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Lines that are not blank, with their numbers from 1."""
    for number, line in enumerate(BytesIO(body), start=1):
        text = line.strip()
        if text:
            yield number, text


def _prepare_all(lines: list[tuple[int, bytes]], senders: _Senders, book: Book) -> list[_Line]:
    return [_prepare(number, data, senders, book) for number, data in lines]


def _prepare(number: int, data: bytes, senders: _Senders, book: Book) -> _Line:
    """Parse, check and seal one line; whatever is wrong with it is its own answer."""
    try:
        body = parse_body(data)
        key = _take_key(body, number, senders.key)
        check_roles(body, senders.recorder, senders.approver)
        approver = senders.approver if _needs_approval(body) else None
        ready = prepare(
            body,
            key=key,
            recorded_by=senders.recorder.id,
            approved_by=approver.id if approver else None,
            vault=book.vault,
        )
        return _Line(number, ready)
    except LedgerError as error:
        return _Line(number, error=error)


def _take_key(body: object, number: int, prefix: str | None) -> str:
    """The line's idempotency key, taken out of its body, or made of the header's."""
    own = body.pop("idempotency_key", None) if isinstance(body, dict) else None
    if isinstance(own, str):
        return own
    if own is not None or prefix is None:
        raise MalformedError(
            "idempotency_key: expected text in the line, or the header Idempotency-Key for all "
            "lines; with it, sending the lines again is safe",
            code="idempotency_key_missing",
            field="idempotency_key",
        )
    return f"{prefix}/{number}"


def _needs_approval(body: object) -> bool:
    name = body.get("kind") if isinstance(body, dict) else None
    kind = KIND_BY_NAME.get(name) if isinstance(name, str) else None
    return kind is not None and bool(kind.approvers)


def _queue(book: Book, lines: list[_Line]) -> list[_Line]:
    futures = iter(book.sequencer.submit([line.ready for line in lines if line.ready is not None]))
    return [
        line if line.ready is None else _Line(line.number, future=next(futures)) for line in lines
    ]


def _answers_of(lines: list[_Line], deadline: Deadline) -> tuple[bytes, list[Outcome]]:
    """Wait for a slice's receipts and write its answers; runs in a thread."""
    data: list[bytes] = []
    outcomes: list[Outcome] = []
    deadline.renew()
    for line in lines:
        value, outcome = _answer_of(line, deadline)
        data.append(orjson.dumps(value, default=str) + b"\n")
        outcomes.append(outcome)
    return b"".join(data), outcomes


def _answer_of(line: _Line, deadline: Deadline) -> tuple[dict[str, Any], Outcome]:
    error = line.error
    if line.future is not None:
        try:
            recorded = deadline.wait(line.future.result())
            return (
                {
                    "line": line.number,
                    "index": recorded.index,
                    "leaf_hash": recorded.leaf_hash.hex(),
                    "size": recorded.size,
                    "replayed": recorded.replayed,
                    "receipt": recorded.receipt.decode(),
                },
                "replayed" if recorded.replayed else "recorded",
            )
        except LedgerError as failure:
            error = failure
    assert error is not None, "a line is either queued or refused"
    problem = problem_of(error, f"{PATH}#{line.number}").as_json()
    return {"line": line.number, "problem": problem}, "refused"
