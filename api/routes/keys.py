"""The log's keys through its life, and the policy that believes each for its sizes."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.answers import REVALIDATED, TEXT, Answer, Json, answer_cached
from api.dependencies import BookOf
from ledger.keys.history import KeyTerm, describe
from ledger.tlog.policy import format_policy

router = APIRouter(prefix="/v1/keys", tags=["log"])


class KeyAnswer(Answer):
    """A key: its signature counts on checkpoints of `first_size` to `last_size` leaves."""

    key_id: str
    verifier_key: str
    algorithm: str
    active: bool
    first_size: int
    last_size: int | None = None
    added_by: int
    revoked_by: int | None = None
    links: dict[str, str]


class KeyList(Answer):
    """Every key that the log has had, in the order in which they came."""

    origin: str
    keys: list[KeyAnswer]
    links: dict[str, str]


@router.get("", response_model=KeyList, summary="List the log's keys")
def read_keys(book: BookOf) -> Response:
    """Every key that the log has had, with the entries that added and revoked it. An old
    receipt is signed by a key of its time, and verifies with that one for ever."""
    keys = [_key(term) for term in book.key_history.terms]
    return Json({"origin": book.origin, "keys": keys, "links": {"policy": "/v1/keys/policy"}})


@router.get(
    "/policy",
    summary="Read the log's keys as a policy",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def read_policy(request: Request, book: BookOf) -> Response:
    """A policy file (c2sp.org/tlog-policy) with one line a key, each with the sizes for which
    it counts: `shanji verify --policy` checks every receipt with it. Get it from elsewhere
    than the receipt; it names no witness."""
    data = format_policy(book.key_history.policy())
    return answer_cached(request, data, media_type=TEXT, cache=REVALIDATED)


def _key(term: KeyTerm) -> dict[str, Any]:
    links = {"added": f"/v1/entries/{term.added_by}"}
    if term.revoked_by is not None:
        links["revoked"] = f"/v1/entries/{term.revoked_by}"
    return {**describe(term), "links": links}
