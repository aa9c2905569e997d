"""What asks for attention: evidence for a person to judge, each with its entries."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.answers import Answer, Json
from api.dependencies import BookOf, get_board
from ledger.attention import attend
from ledger.day import parse_day

router = APIRouter(prefix="/v1/attention", tags=["attention"])


class Attention(Answer):
    """One thing that asks for attention. What it rests on stands in the entries."""

    code: str
    severity: str
    title_zh: str
    title_en: str
    entries: list[int]
    details: dict[str, Any]
    disposition: dict[str, Any] | None = None


class AttentionAnswer(Answer):
    """What asks for attention on a day; `open` counts those that are not disposed of.

    Of a topic with very many items the first are here, the open ones before the others;
    `left_out` says how many more there are, by code.
    """

    day: str
    as_of: int
    open: int
    truncated: bool
    left_out: dict[str, int]
    items: list[Attention]


@router.get("", response_model=AttentionAnswer, summary="See what asks for attention")
def read_attention(
    request: Request,
    book: BookOf,
    as_of: Annotated[
        str | None,
        Query(
            description="The day (Asia/Shanghai) to count ages and deadlines to; today if absent.",
            examples=["2021-12-31"],
            max_length=10,
        ),
    ] = None,
) -> Response:
    """Overdue disclosures, unspent restricted money, goods and points that lie or run out,
    patterns worth a look. A flag is evidence for a person to judge, never an accusation; an
    auditor's `attention.disposed` entry disposes of it. Where a witness contradicts the log, that
    comes first, and stays until the service starts anew."""
    with book.store.read() as reader:
        if as_of is None:
            return Json(get_board(request).of(reader, holds=book.holds()).as_json())
        day = parse_day(as_of, "as_of")
        return Json(attend(reader, day, holds=book.holds()).as_json())
