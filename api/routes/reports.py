"""Reports: what official receipts lack, computed from the entries."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.answers import Answer, Json
from api.dependencies import INDEX_MAX, PAGE_DEFAULT, BookOf, Limit
from ledger.receipts_report import disagreeing_receipts, unbound_gifts
from ledger.store import Reader

router = APIRouter(prefix="/v1/reports/receipts", tags=["reports"])

RECEIPT_PATTERN = r"^[0-9]{6,12}-[0-9]{6,20}$"


class UnboundGiftAnswer(Answer):
    """A gift without a valid official receipt. `amount_fen` is what a receipt would have to
    say; absent for goods without a valuation, which no receipt can state."""

    entry: int
    kind: str
    occurred_on: str
    amount_fen: int | None = None


class DisagreementAnswer(Answer):
    """A valid official receipt whose gifts are another sum now, refunds deducted."""

    receipt: str
    entry: int
    amount_fen: int
    gifts_fen: int
    gifts: list[int]


class UnboundGifts(Answer):
    """Gifts by rising index; a page may be empty and yet lead on by `next`."""

    as_of: int
    gifts: list[UnboundGiftAnswer]
    next: str | None = None


class Disagreements(Answer):
    """Receipts by rising code and number; a page may be empty and yet lead on by `next`."""

    as_of: int
    receipts: list[DisagreementAnswer]
    next: str | None = None


class ReceiptsReport(Answer):
    """The first page of both lists."""

    unbound: UnboundGifts
    disagreeing: Disagreements


@router.get("", response_model=ReceiptsReport, summary="See what official receipts lack")
def read_receipts_report(book: BookOf, limit: Limit = PAGE_DEFAULT) -> Response:
    """Gifts without a valid receipt, and valid receipts that no longer agree."""
    with book.store.read() as reader:
        value = {
            "unbound": _unbound(reader, -1, limit),
            "disagreeing": _disagreeing(reader, "", limit),
        }
    return Json(value)


@router.get("/unbound", response_model=UnboundGifts, summary="List gifts without a receipt")
def read_unbound(
    book: BookOf,
    after: Annotated[
        int | None, Query(ge=0, le=INDEX_MAX, description="Only entries after this one.")
    ] = None,
    limit: Limit = PAGE_DEFAULT,
) -> Response:
    """Gifts that no valid official receipt covers and that were not given back in full."""
    with book.store.read() as reader:
        return Json(_unbound(reader, -1 if after is None else after, limit))


@router.get("/disagreeing", response_model=Disagreements, summary="List receipts that do not agree")
def read_disagreeing(
    book: BookOf,
    after: Annotated[
        str | None, Query(pattern=RECEIPT_PATTERN, description="Only receipts after this one.")
    ] = None,
    limit: Limit = PAGE_DEFAULT,
) -> Response:
    """Valid receipts whose gifts were refunded or reversed after they were bound."""
    with book.store.read() as reader:
        return Json(_disagreeing(reader, after or "", limit))


def _unbound(reader: Reader, after: int, limit: int) -> dict[str, Any]:
    head = reader.head()
    gifts, last = unbound_gifts(reader, after=after, limit=limit)
    some = [{name: one for name, one in asdict(gift).items() if one is not None} for gift in gifts]
    value: dict[str, Any] = {"as_of": head.size if head else 0, "gifts": some}
    if last is not None:
        value["next"] = f"/v1/reports/receipts/unbound?after={last}&limit={limit}"
    return value


def _disagreeing(reader: Reader, after: str, limit: int) -> dict[str, Any]:
    head = reader.head()
    receipts, last = disagreeing_receipts(reader, after=after, limit=limit)
    value: dict[str, Any] = {
        "as_of": head.size if head else 0,
        "receipts": [asdict(one) for one in receipts],
    }
    if last is not None:
        value["next"] = f"/v1/reports/receipts/disagreeing?after={last}&limit={limit}"
    return value
