"""The log itself, and the kinds of record that it takes."""

from __future__ import annotations

from base64 import b64encode
from typing import Annotated, Any

from fastapi import APIRouter, Path
from starlette.responses import Response

from api.answers import Answer, Json
from api.dependencies import BookOf
from ledger.errors import NotFoundError
from ledger.records.catalog import KIND_BY_NAME, KINDS
from ledger.records.kind import Kind
from ledger.records.request import example_body, record_model
from ledger.tlog.note import format_verifier_key

router = APIRouter(prefix="/v1", tags=["log"])


class LogAnswer(Answer):
    """What the log is and where it stands; the verifier keys check everything else."""

    origin: str
    organisation: str
    verifier_keys: list[str]
    size: int
    root: str
    checkpoint_time: str
    links: dict[str, str]


class KindAnswer(Answer):
    """A kind of record; `recorders` may record it, one of `approvers` must approve it."""

    name: str
    title_zh: str
    title_en: str
    moves: str
    recorders: list[str]
    approvers: list[str]
    sealed: list[str]
    links: dict[str, str]


class KindList(Answer):
    """All kinds."""

    kinds: list[KindAnswer]


class KindDetail(KindAnswer):
    """A kind with the JSON schema of its request and an example that works."""

    unique: list[str]
    request_schema: dict[str, Any]
    example: dict[str, Any] | None = None


@router.get("/log", response_model=LogAnswer, summary="Read the log's state")
def snapshot_log(book: BookOf) -> Response:
    """The log's origin, every key it has had, size and root; `checkpoint_time` is when it last
    grew. `/v1/keys` says for which sizes each key counts."""
    head = book.head()
    return Json(
        {
            "origin": book.origin,
            "organisation": book.opened.fields["organisation"],
            "verifier_keys": [format_verifier_key(key) for key in book.verifier_keys],
            "size": head.size,
            "root": b64encode(head.root).decode(),
            "checkpoint_time": head.last_recorded_at,
            "links": {
                "checkpoint": "/checkpoint",
                "entries": "/v1/entries",
                "keys": "/v1/keys",
                "kinds": "/v1/kinds",
            },
        }
    )


@router.get("/kinds", response_model=KindList, summary="List the kinds of record")
async def read_kinds() -> Response:
    """Every kind of record, with its titles and who may record it."""
    return Json({"kinds": [_kind(kind) for kind in KINDS]})


@router.get("/kinds/{name}", response_model=KindDetail, summary="Read a kind of record")
async def read_kind(name: Annotated[str, Path(max_length=80)]) -> Response:
    """One kind with the JSON schema of its request and an example."""
    kind = KIND_BY_NAME.get(name)
    if kind is None:
        raise NotFoundError(f"there is no kind {name!r}; /v1/kinds lists them", code="no_kind")
    value = _kind(kind)
    value["unique"] = list(kind.unique)
    value["request_schema"] = record_model(kind).model_json_schema()
    if kind.recorders:
        value["example"] = example_body(kind)
    return Json(value)


def _kind(kind: Kind[Any]) -> dict[str, Any]:
    return {
        "name": kind.name,
        "title_zh": kind.title_zh,
        "title_en": kind.title_en,
        "moves": kind.moves,
        "recorders": sorted(kind.recorders),
        "approvers": sorted(kind.approvers),
        "sealed": sorted(kind.sealed.model_fields),
        "links": {"self": f"/v1/kinds/{kind.name}"},
    }
