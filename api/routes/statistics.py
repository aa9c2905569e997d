"""Public statistics: sums over the whole ledger, small groups of persons hidden."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import APIRouter, Request
from starlette.responses import Response

from api.answers import JSON, REVALIDATED, Answer, answer_cached
from api.dependencies import BookOf, get_statistics

router = APIRouter(prefix="/v1/statistics", tags=["reports"])


class Groups(Answer):
    """Groups of persons and their sum. A group has its numbers; or `fewer_than` with the least
    size, where it is smaller; or `withheld`, where its numbers would tell those of another."""

    groups: list[dict[str, Any]]
    total: dict[str, Any]


class RuleInForce(Answer):
    """The rule that sets the least size, and its entry."""

    code: str
    version: int
    entry: int


class StatisticsAnswer(Answer):
    """Everything as of one size of the log. Without a rule in force (`group_min` absent) no
    group of persons is shown. Donors are not counted: who they are is sealed."""

    as_of: int
    day: str
    group_min: int | None = None
    rule: RuleInForce | None = None
    money_in: list[dict[str, Any]]
    money_in_by_purpose: list[dict[str, Any]]
    money_out: list[dict[str, Any]]
    goods: list[dict[str, Any]]
    points: dict[str, int]
    aid: Groups
    people_reached: Groups
    wishes: Groups
    service: Groups
    volunteers: dict[str, Any]
    holders: dict[str, Any]


@router.get("", response_model=StatisticsAnswer, summary="See the public statistics")
def read_statistics(request: Request, book: BookOf) -> Response:
    """Money in by fund class and purpose, money out to organisations, goods, points; aid by
    purpose, people reached by project, wishes by kind and age band, service by organiser,
    different volunteers and holders of points. Amounts are fen, goods base units."""
    with book.store.read() as reader:
        found = get_statistics(request).of(reader, book.today())
    data = orjson.dumps(found.as_json())
    return answer_cached(request, data, media_type=JSON, cache=REVALIDATED)
