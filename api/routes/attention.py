"""What asks for attention: evidence for a person to judge, each with its entries."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.answers import PRIVATE, Answer, Json
from api.dependencies import BookOf, Limit, MaybePerson, get_board
from ledger.day import parse_day

router = APIRouter(prefix="/v1/attention", tags=["attention"])

ITEMS_DEFAULT = 200
"""More than other lists have: whoever takes the first page for the whole is seldom wrong."""
CURSOR_PATTERN = r"^[0-9]{1,16}\.[0-3]\.-?[0-9]{1,9}$"
"""The size that the list is of, and the order of the last item that was given."""
VARY = {"vary": "authorization"}


class Attention(Answer):
    """One thing that asks for attention. What it rests on stands in the entries.

    `details` name persons by their codes and count them only for who is somebody here (a token).
    """

    code: str
    severity: str
    title_zh: str
    title_en: str
    entries: list[int]
    details: dict[str, Any]
    disposition: dict[str, Any] | None = None


class AttentionAnswer(Answer):
    """What asks for attention on a day; `open` counts those that are not disposed of.

    Of a topic with very many items the first are in the list, the open ones before the others;
    `left_out` says how many more there are, by code. `items` are a page of the list, `open` counts
    in all of it, and `next` leads on.
    """

    day: str
    as_of: int
    open: int
    truncated: bool
    left_out: dict[str, int]
    items: list[Attention]
    next: str | None = None


@router.get("", response_model=AttentionAnswer, summary="See what asks for attention")
def read_attention(
    request: Request,
    book: BookOf,
    person: MaybePerson,
    as_of: Annotated[
        str | None,
        Query(
            description="The day (Asia/Shanghai) to count ages and deadlines to; today if absent.",
            examples=["2021-12-31"],
            max_length=10,
        ),
    ] = None,
    after: Annotated[
        str | None,
        Query(pattern=CURSOR_PATTERN, description="Where to go on, as `next` has it."),
    ] = None,
    limit: Limit = ITEMS_DEFAULT,
) -> Response:
    """Overdue disclosures, unspent restricted money, goods and points that lie or run out,
    patterns worth a look. A flag is evidence for a person to judge, never an accusation; an
    auditor's `attention.disposed` entry disposes of it. Where a witness contradicts the log, that
    comes first, and stays until the service starts anew."""
    kept, holds = get_board(request), book.holds()
    day = None if as_of is None else parse_day(as_of, "as_of")
    behind = None
    with book.store.read() as reader:
        if after is None:
            board = kept.of(reader, day=day, holds=holds)
        else:
            size, *order = map(int, after.split("."))
            behind = (order[0], order[1])
            board = kept.again(reader, size, day or book.today(), holds=holds)
    items, more = board.page(behind, limit)
    value = board.as_json(items if person else [one.public() for one in items])
    if more:
        rank, place = items[-1].order
        query = f"as_of={board.day}&after={board.size}.{rank}.{place}&limit={limit}"
        value["next"] = f"/v1/attention?{query}"
    return Json(value, headers={"cache-control": PRIVATE, **VARY} if person else VARY)
