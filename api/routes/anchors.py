"""What stands outside: time stamps of checkpoints, and the notice of the day on paper."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import HTMLResponse, Response

from api.answers import IMMUTABLE, REVALIDATED, Answer, Json, answer_cached, attachment
from api.dependencies import CODE_PATTERN, INDEX_MAX, PAGE_DEFAULT, BookOf, Limit
from api.pages.language import language_of
from ledger.audit.anchors import MEDIA_TYPE_REPLY
from ledger.audit.notice import notice_of_day, notice_page, notice_style
from ledger.day import parse_day
from ledger.errors import NotFoundError

router = APIRouter(tags=["anchors"])


class Anchor(Answer):
    """One time stamp; the link leads to the authority's answer (RFC 3161, DER)."""

    size: int
    authority: str
    href: str


class AnchorList(Answer):
    """Time stamps of checkpoints, newest first; `next` leads on where there are more."""

    anchors: list[Anchor]
    next: str | None = None


@router.get("/v1/anchors", response_model=AnchorList, summary="List the time stamps")
def read_anchors(
    book: BookOf,
    before: Annotated[
        int, Query(ge=0, le=INDEX_MAX, description="Only sizes below this one.")
    ] = INDEX_MAX,
    limit: Limit = PAGE_DEFAULT,
) -> Response:
    """Which checkpoints outside authorities have stamped. A page never splits a size."""
    with book.store.read() as reader:
        rows = reader.anchored(before - 1, limit + 1)
    more = len(rows) > limit
    if more:
        cut = rows[-1][0]
        whole = [row for row in rows if row[0] != cut]
        # One size has at most as many stamps as there are authorities, far below a page.
        rows = whole or rows
    found = [
        {"size": size, "authority": authority, "href": f"/v1/anchors/{size}/{authority}"}
        for size, authority in rows
    ]
    value: dict[str, object] = {"anchors": found}
    if more:
        value["next"] = f"/v1/anchors?before={rows[-1][0]}&limit={limit}"
    return Json(value)


@router.get(
    "/v1/anchors/{size}/{authority}",
    response_class=Response,
    responses={200: {"content": {MEDIA_TYPE_REPLY: {"schema": {"type": "string"}}}}},
    summary="Download a time stamp",
)
def read_anchor(
    request: Request,
    book: BookOf,
    size: Annotated[int, Path(ge=0, le=INDEX_MAX, description="The checkpoint's size.")],
    authority: Annotated[str, Path(pattern=CODE_PATTERN, description="The authority's name.")],
) -> Response:
    """An authority's time stamp of a checkpoint; `shanji anchor-verify` checks it offline,
    and so does `openssl ts -verify`."""
    with book.store.read() as reader:
        found = [row for row in reader.anchors(size) if row.authority == authority]
    if not found:
        raise NotFoundError(
            f"{authority} has not stamped the checkpoint of {size} entries; /v1/anchors lists "
            "the time stamps",
            code="no_anchor",
        )
    return answer_cached(
        request,
        found[0].response,
        media_type=MEDIA_TYPE_REPLY,
        cache=IMMUTABLE,
        headers=attachment(f"{size}-{authority}.tsr"),
    )


@router.get("/notice", response_class=HTMLResponse, include_in_schema=False)
def read_notice(
    request: Request,
    book: BookOf,
    day: Annotated[str | None, Query(max_length=10)] = None,
) -> Response:
    """The notice of a day, to be printed: the checkpoint with words and a QR code."""
    wanted = book.today() if day is None else parse_day(day, "day")
    with book.store.read() as reader:
        found = notice_of_day(reader, wanted)
    page = notice_page(found, language_of(request), style_href="/notice.css")
    return HTMLResponse(page, headers={"vary": "accept-language, cookie"})


@router.get("/notice.css", include_in_schema=False)
def read_notice_style(request: Request) -> Response:
    """The notice's style."""
    return answer_cached(request, notice_style().encode(), media_type="text/css", cache=REVALIDATED)
