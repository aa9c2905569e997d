"""Entries: record one, read one, list the newest.

Recording is the hot path: the route reads and validates the body itself, queues the
record, and answers when the sequencer has its receipt. A client that goes away changes
nothing of that: what is queued is recorded, and the idempotency key gives its receipt.
"""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.answers import JSON, PRIVATE, REVALIDATED, Answer, Json, answer_cached
from api.auth import Person
from api.dependencies import (
    BEARER,
    INDEX_MAX,
    PAGE_DEFAULT,
    BookOf,
    IndexInPath,
    Limit,
    approver_or_none,
    get_book,
    get_mailbox,
    person_required,
    read_body,
)
from api.witnessed import await_witnesses
from ledger.errors import MalformedError, NotAllowedError
from ledger.recorded import Recorded
from ledger.records.catalog import KIND_BY_NAME
from ledger.records.request import BODY_BYTES_MAX, KEY_CHARS_MAX, check_key, parse_body, prepare
from ledger.store import Reader
from ledger.tlog.merkle import leaf_hash

PATH = "/v1/entries"
router = APIRouter(prefix=PATH, tags=["entries"])

REFERRERS_FIRST = 100
"""Later entries that the answer for one entry lists."""


class Referrer(Answer):
    """A later entry that is about another one."""

    index: int
    kind: str


class ReferrersAnswer(Answer):
    """Later entries about one entry, by rising index; `next` leads on to later ones."""

    as_of: int
    referred_by: list[Referrer]
    next: str | None = None


class EntryAnswer(Answer):
    """An entry as it stands in the log: public, for ever.

    `referred_by` are the first later entries about it (corrections, receipts, dispositions,
    documents, matches ...), on the answer for one entry; its `referrers` link lists all.
    """

    index: int
    leaf_hash: str
    entry: dict[str, Any]
    reversed_by: int | None = None
    referred_by: list[Referrer] | None = None
    links: dict[str, str]


class EntryPage(Answer):
    """Entries, newest first; `next` asks for the older ones."""

    as_of: int
    entries: list[EntryAnswer]
    next: str | None = None


class RecordedAnswer(Answer):
    """A record's place in the log and its finished, self-checked receipt."""

    index: int
    leaf_hash: str
    size: int
    replayed: bool
    receipt: str
    links: dict[str, str]


def links_of(index: int) -> dict[str, str]:
    """Where to read more about an entry."""
    path = f"/v1/entries/{index}"
    return {
        "self": path,
        "receipt": f"{path}/receipt",
        "trace": f"{path}/trace",
        "referrers": f"{path}/referrers",
        "inclusion": f"/v1/proofs/inclusion?index={index}",
        "page": f"/entries/{index}",
    }


def recorded_answer(recorded: Recorded) -> dict[str, Any]:
    """The answer to a record, as `RecordedAnswer`."""
    return {
        "index": recorded.index,
        "leaf_hash": recorded.leaf_hash.hex(),
        "size": recorded.size,
        "replayed": recorded.replayed,
        "receipt": recorded.receipt.decode(),
        "links": links_of(recorded.index),
    }


def check_roles(body: object, recorder: Person, approver: Person | None) -> None:
    """Whether these two persons may record this; an unknown kind is `prepare`'s to refuse.

    Raises:
        NotAllowedError: ``recorder_role`` or ``approver_role``.
    """
    name = body.get("kind") if isinstance(body, dict) else None
    kind = KIND_BY_NAME.get(name) if isinstance(name, str) else None
    if kind is None or not kind.recorders:
        return
    if recorder.role not in kind.recorders:
        raise NotAllowedError(
            f"{kind.name} is recorded by the role {' or '.join(sorted(kind.recorders))}; "
            f"your token has the role {recorder.role}",
            code="recorder_role",
        )
    if approver is not None and kind.approvers and approver.role not in kind.approvers:
        raise NotAllowedError(
            f"Approval: {kind.name} is approved by the role "
            f"{' or '.join(sorted(kind.approvers))}; that token has the role {approver.role}",
            code="approver_role",
        )


_HEADERS = [
    {
        "name": "Idempotency-Key",
        "in": "header",
        "required": True,
        "schema": {"type": "string", "minLength": 1, "maxLength": KEY_CHARS_MAX},
        "description": "A fresh one for each record, such as a UUID. The same key with the same "
        "content gets the same receipt again; with other content, 409.",
    },
    {
        "name": "Approval",
        "in": "header",
        "required": False,
        "schema": {"type": "string"},
        "description": "'Bearer' and the token of the second person (双人临柜), for kinds that "
        "need an approval.",
    },
]


@router.post(
    "",
    status_code=201,
    response_model=RecordedAnswer,
    responses={200: {"description": "The key was used before: the same receipt again."}},
    openapi_extra={"parameters": _HEADERS, "security": BEARER},
    summary="Record an entry",
)
async def record(request: Request) -> Response:
    """Record one entry; the answer comes when it is finished: durable, in the tree, signed."""
    recorder = person_required(request)
    approver = approver_or_none(request)
    key = request.headers.get("Idempotency-Key")
    if key is None:
        raise MalformedError(
            "Idempotency-Key: expected this header with a fresh key, such as a UUID; with it, "
            "sending the record again is safe",
            code="idempotency_key_missing",
            field="Idempotency-Key",
        )
    check_key(key)
    body = parse_body(await read_body(request, BODY_BYTES_MAX))
    check_roles(body, recorder, approver)
    book = get_book(request)
    prepared = prepare(
        body,
        key=key,
        recorded_by=recorder.id,
        approved_by=approver.id if approver else None,
        vault=book.vault,
    )
    mailbox = get_mailbox(request)
    (future,) = book.sequencer.submit([prepared], mailbox.wake)
    recorded = await await_witnesses(request.app, await mailbox.expect(future))
    headers = {"location": f"/v1/entries/{recorded.index}", "cache-control": PRIVATE}
    return Json(recorded_answer(recorded), 200 if recorded.replayed else 201, headers)


@router.get("", response_model=EntryPage, summary="List entries, newest first")
def read_entries(
    book: BookOf,
    before: int | None = Query(
        None, ge=0, le=INDEX_MAX, description="Only entries with a smaller index."
    ),
    limit: Limit = PAGE_DEFAULT,
) -> Response:
    """The newest entries, or those before an index; `next` leads on to older ones."""
    with book.store.read() as reader:
        head = reader.head()
        size = head.size if head else 0
        end = size if before is None else min(before, size)
        first = max(0, end - limit)
        entries = [
            _shape(index, data, reader.object(f"reversed/{index}"))
            for index, data in zip(range(first, end), reader.entries(first, end), strict=True)
        ]
    value: dict[str, Any] = {"as_of": size, "entries": entries[::-1]}
    if first > 0:
        value["next"] = f"/v1/entries?before={first}&limit={limit}"
    return Json(value)


@router.get("/{index}", response_model=EntryAnswer, summary="Read an entry")
def read_entry(request: Request, book: BookOf, index: IndexInPath) -> Response:
    """One entry with its leaf hash; what personal fields it has are shown as commitments."""
    with book.store.read() as reader:
        value = _shape(index, reader.entry(index), reader.object(f"reversed/{index}"))
        value["referred_by"] = _referrers(reader, index, -1, REFERRERS_FIRST)
    return answer_cached(request, orjson.dumps(value), media_type=JSON, cache=REVALIDATED)


@router.get(
    "/{index}/referrers", response_model=ReferrersAnswer, summary="List the entries about an entry"
)
def read_referrers(
    book: BookOf,
    index: IndexInPath,
    after: Annotated[
        int | None, Query(ge=0, le=INDEX_MAX, description="Only entries after this one.")
    ] = None,
    limit: Limit = PAGE_DEFAULT,
) -> Response:
    """Later entries that refer to this one: corrections, receipts, points, documents, matches,
    dispositions, hiding, erasure, and for registered things whatever uses them."""
    with book.store.read() as reader:
        head = reader.head()
        reader.entry(index)
        found = _referrers(reader, index, -1 if after is None else after, limit + 1)
    value: dict[str, Any] = {"as_of": head.size if head else 0, "referred_by": found[:limit]}
    if len(found) > limit:
        last = found[limit - 1]["index"]
        value["next"] = f"/v1/entries/{index}/referrers?after={last}&limit={limit}"
    return Json(value)


def _referrers(reader: Reader, index: int, after: int, limit: int) -> list[dict[str, Any]]:
    numbers = reader.referrers(index, after=after, limit=limit)
    data = reader.chosen_entries(numbers)
    return [{"index": one, "kind": orjson.loads(data[one])["kind"]} for one in numbers]


def _shape(index: int, data: bytes, reversal: bytes | None) -> dict[str, Any]:
    """An entry as `EntryAnswer`; `reversal` is the state's note that it was reversed."""
    value: dict[str, Any] = {
        "index": index,
        "leaf_hash": leaf_hash(data).hex(),
        # The stored bytes themselves, which are canonical JSON.
        "entry": orjson.Fragment(data),
    }
    if reversal is not None:
        value["reversed_by"] = orjson.loads(reversal)["entry"]
    value["links"] = links_of(index)
    return value
