"""Where an entry's units went, and whose units they are: an answer, and its proof.

A trace may walk far, so that a few at a time have threads of their own; the other
routes stay quick beside them.
"""

from __future__ import annotations

from typing import Annotated, Any

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.answers import JSON, Answer, Json, attachment
from api.dependencies import BookOf, IndexInPath
from ledger.book import Book
from ledger.pools import find_pools
from ledger.related import Relation, find_related
from ledger.trace import trace, trace_proof
from ledger.verify import Direction, walks_as_json

router = APIRouter(prefix="/v1/entries", tags=["trace"])

TRACES_AT_ONCE_MAX = 4
SUFFIX = ".tlog-trace.json"


class PoolAnswer(Answer):
    """A pool as a whole: `spent` and `held` sum to `received`, which leaves out what was
    refunded or reversed. Without `label` it is the whole account. `traced` of its units are
    of the traced ones, `traced_held` of them still there."""

    asset: str
    account: str
    label: str | None = None
    received: int
    spent: int
    held: int
    traced: int
    traced_held: int


class PartAnswer(Answer):
    """Of `whole` units that an entry moved, `amount` belong to the link."""

    asset: str
    amount: int
    whole: int


class RelatedAnswer(Answer):
    """An entry that is linked to the entry `of`; without `walks` they were too large."""

    relation: Relation
    of: int
    entry: int
    kind: str
    part: PartAnswer | None = None
    shared_by: int | None = None
    walks: list[dict[str, Any]] | None = None


class TraceAnswer(Answer):
    """The walks of an entry's postings: hops, and where the units are or came from.

    A walk says which units, by the ledger's order. `pools` say how much of each whole pool
    that they went through was used; `related` are linked entries (matching gifts, refunds,
    points and what they redeemed, what points were given for), each with its own walks.
    """

    index: int
    direction: Direction
    as_of: int
    walks: list[dict[str, Any]]
    pools: list[PoolAnswer]
    pools_more: bool
    related: list[RelatedAnswer]
    related_more: bool


def trace_limiter() -> CapacityLimiter:
    """The threads that traces share; one for each service."""
    return CapacityLimiter(TRACES_AT_ONCE_MAX)


@router.get("/{index}/trace", response_model=TraceAnswer, summary="Trace units")
async def read_trace(
    request: Request,
    book: BookOf,
    index: IndexInPath,
    direction: Annotated[
        Direction, Query(description="forward: where they went; backward: whose they are.")
    ] = "forward",
    proof: Annotated[
        bool, Query(description="The file that `shanji verify` checks offline, instead.")
    ] = False,
) -> Response:
    """Trace the units that an entry moved; the shares of a forward trace sum to the whole."""
    read = _proof if proof else _answer
    limiter: CapacityLimiter = request.app.state.trace_limiter
    return await to_thread.run_sync(read, book, index, direction, limiter=limiter)


def _answer(book: Book, index: int, direction: Direction) -> Response:
    with book.store.read() as reader:
        head = reader.head()
        walks = trace(reader, index, direction)
        pools = find_pools(reader, walks)
        related = find_related(reader, index, direction, walks)
    value = {
        "index": index,
        "direction": direction,
        "as_of": head.size if head else 0,
        "walks": walks_as_json(walks),
        **pools.as_json(),
        **related.as_json(),
    }
    return Json(value)


def _proof(book: Book, index: int, direction: Direction) -> Response:
    with book.store.read() as reader:
        data = trace_proof(reader, index, direction)
    return Response(data, headers=attachment(f"{index}-{direction}{SUFFIX}"), media_type=JSON)
