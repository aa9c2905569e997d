"""Witnesses: who cosigned how far, and the checkpoints with what they said of them."""

from __future__ import annotations

import time
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from api.answers import REVALIDATED, TEXT, Answer, Json, answer_cached
from api.dependencies import INDEX_MAX, BookOf
from ledger.feed import Feed, Standing

router = APIRouter(prefix="/v1", tags=["witnesses"])


class WitnessAnswer(Answer):
    """A witness; `trouble` says why it cosigns nothing at present, where that is so."""

    name: str
    verifier_key: str
    last_size: int | None = None
    last_time: int | None = None
    age_seconds: int | None = None
    trouble: str | None = None
    message: str | None = None


class WitnessList(Answer):
    """The witnesses; `require` of them are waited for, `quorum` settles a receipt."""

    size: int
    require: int
    quorum: str
    witnesses: list[WitnessAnswer]


@router.get("/witnesses", response_model=WitnessList, summary="See the witnesses")
def read_witnesses(request: Request, book: BookOf) -> Response:
    """Each witness with the last size that it cosigned, when, and what troubles it."""
    feed: Feed = request.app.state.feed
    now = int(time.time())
    policy = book.witnessing.policy
    return Json(
        {
            "size": book.head().size,
            "require": feed.require,
            "quorum": policy.quorum.encode("utf-8", "replace").decode(),
            "witnesses": [_shape(one, now) for one in feed.standings()],
        }
    )


@router.get(
    "/checkpoints/{size}",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    summary="Read the checkpoint of a size",
)
def read_checkpoint_of_size(
    request: Request,
    book: BookOf,
    size: Annotated[int, Path(ge=0, le=INDEX_MAX, description="A size that was signed.")],
) -> Response:
    """The checkpoint that was signed at a size, with all cosignatures that came for it."""
    data = book.checkpoint_of_size(size)
    return answer_cached(request, data, media_type=TEXT, cache=REVALIDATED)


def _shape(one: Standing, now: int) -> dict[str, Any]:
    """A witness as `WitnessAnswer`; what is not there is left out."""
    value: dict[str, Any] = {"name": one.name, "verifier_key": one.verifier_key}
    if one.last_size is not None and one.last_time is not None:
        value |= {"last_size": one.last_size, "last_time": one.last_time}
        value["age_seconds"] = max(0, now - one.last_time)
    if one.trouble is not None:
        value |= {"trouble": one.trouble, "message": one.message}
    return value
