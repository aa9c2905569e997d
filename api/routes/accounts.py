"""Accounts: how many units one ever received, and which of them are still there."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from api.answers import Answer, Json
from api.dependencies import INDEX_MAX, PAGE_DEFAULT, BookOf, Limit, SizeInQuery
from ledger.day import parse_day
from ledger.statement import By, account_statement, find_account

router = APIRouter(prefix="/v1/accounts", tags=["accounts"])

ASSET_PATTERN = r"^(CNY|points|minutes|item:[a-z0-9][a-z0-9-]{0,63})$"
ACCOUNT_PATTERN = r"^[a-z]+:[a-z0-9][a-z0-9-]{0,63}$"


class HeldRange(Answer):
    """Units [first, end) that are still there; `label` says what they carry."""

    first: int
    end: int
    label: str


class AccountAnswer(Answer):
    """An account as of one size of the log; `next` leads on to its further ranges."""

    asset: str
    account: str
    as_of: int
    received: int
    held: int
    ranges: list[HeldRange]
    next: str | None = None


class MovementAnswer(Answer):
    """One entry's movement; `balance` is the account's after it."""

    entry: int
    kind: str
    recorded_on: str
    occurred_on: str
    incoming: int
    outgoing: int
    balance: int


class StatementAnswer(Answer):
    """An account's statement. `closing` is `opening` with `incoming` less `outgoing`, all of
    the whole; `movements` is one page of it, and `next` leads on."""

    asset: str
    account: str
    as_of: int
    by: By
    day_from: str | None = None
    day_to: str | None = None
    opening: int
    incoming: int
    outgoing: int
    closing: int
    movements_total: int
    movements: list[MovementAnswer]
    next: str | None = None


@router.get("/{asset}/{account}", response_model=AccountAnswer, summary="Read an account")
def read_account(
    book: BookOf,
    asset: Annotated[str, Path(pattern=ASSET_PATTERN, description="CNY, points, item:<code> ...")],
    account: Annotated[
        str, Path(pattern=ACCOUNT_PATTERN, description="fund:<code>, stock:<site> ...")
    ],
    after: Annotated[
        int, Query(ge=0, le=INDEX_MAX, description="Only ranges that start at this number or above")
    ] = 0,
    limit: Limit = PAGE_DEFAULT,
) -> Response:
    """An account's units: the totals, and the ranges still held by rising number."""
    with book.store.read() as reader:
        head = reader.head()
        total = find_account(reader, asset, account)
        some = reader.held_ranges(total.account, first=after, limit=limit + 1)
    value: dict[str, Any] = {
        "asset": asset,
        "account": account,
        "as_of": head.size if head else 0,
        "received": total.received,
        "held": total.held,
        "ranges": [
            {"first": first, "end": end, "label": label} for first, end, label in some[:limit]
        ],
    }
    if len(some) > limit:
        value["next"] = f"/v1/accounts/{asset}/{account}?after={some[limit][0]}&limit={limit}"
    return Json(value)


_DAY = {"max_length": 10, "examples": ["2021-12-31"]}


@router.get(
    "/{asset}/{account}/statement",
    response_model=StatementAnswer,
    summary="Read an account's statement",
)
def read_statement(
    book: BookOf,
    asset: Annotated[str, Path(pattern=ASSET_PATTERN, description="CNY, points, item:<code> ...")],
    account: Annotated[
        str, Path(pattern=ACCOUNT_PATTERN, description="fund:<code>, stock:<site> ...")
    ],
    day_from: Annotated[
        str | None, Query(alias="from", description="The first day; by default all.", **_DAY)
    ] = None,
    day_to: Annotated[
        str | None, Query(alias="to", description="The last day; by default all.", **_DAY)
    ] = None,
    by: Annotated[
        By, Query(description="Days of recording, in the order of the log, or of occurrence.")
    ] = "recorded",
    as_of: SizeInQuery = None,
    after: Annotated[
        int | None, Query(ge=0, le=INDEX_MAX, description="The entry that the last page ended with")
    ] = None,
    limit: Limit = PAGE_DEFAULT,
) -> Response:
    """Opening, movements and closing, as of any size of the log and between any days."""
    days = {
        name: None if text is None else parse_day(text, name)
        for name, text in (("from", day_from), ("to", day_to))
    }
    with book.store.read() as reader:
        statement = account_statement(
            reader,
            asset,
            account,
            by=by,
            day_from=days["from"],
            day_to=days["to"],
            as_of=as_of,
            after=after,
            limit=limit,
        )
    value = statement.as_json()
    if statement.next is not None:
        period = "".join(f"{name}={day}&" for name, day in days.items() if day is not None)
        value["next"] = (
            f"/v1/accounts/{asset}/{account}/statement?{period}by={by}"
            f"&as_of={statement.as_of}&after={statement.next}&limit={limit}"
        )
    return Json(value)
