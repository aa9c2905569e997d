"""Proposals: one person proposes a record, another approves or rejects it later.

What an approval answers is what recording answers: the entry's place and its receipt.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api.answers import PRIVATE, Answer, Json
from api.auth import Person
from api.dependencies import (
    BEARER,
    PAGE_DEFAULT,
    Limit,
    get_book,
    person_required,
    read_body,
)
from api.routes.entries import RecordedAnswer, check_roles, recorded_answer
from api.witnessed import Deadline
from ledger.errors import MalformedError, NotAllowedError
from ledger.proposals import NUMBER_MAX, REASON_CHARS_MAX, Proposal, Proposals, Status
from ledger.records.kind import OPENERS, Role
from ledger.records.request import BODY_BYTES_MAX, KEY_CHARS_MAX, check_key, parse_body

router = APIRouter(prefix="/v1/proposals", tags=["proposals"])

Number = Annotated[int, Path(ge=1, le=NUMBER_MAX, description="The proposal's number.")]


class ProposalAnswer(Answer):
    """A proposal. `record` is what would be recorded; personal fields are there while it is
    open, for its proposer and for roles that may see them."""

    id: int
    status: Status
    record: dict[str, Any]
    proposed_by: str
    created_at: str
    expires_at: str
    decided_by: str | None = None
    decided_at: str | None = None
    reason: str | None = None
    entry: int | None = None
    links: dict[str, str]


class ProposalPage(Answer):
    """Proposals, newest first; `next` asks for the older ones."""

    proposals: list[ProposalAnswer]
    next: str | None = None


class Rejection(BaseModel):
    """Why a proposal is rejected."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"reason": "发票金额与申请不符"}]}
    )
    reason: str = Field(min_length=1, max_length=REASON_CHARS_MAX)


_KEY_HEADER = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "schema": {"type": "string", "minLength": 1, "maxLength": KEY_CHARS_MAX},
    "description": "A fresh one for each proposal. The same key with the same content gives the "
    "same proposal again; with other content, 409.",
}


@router.post(
    "",
    status_code=201,
    response_model=ProposalAnswer,
    responses={200: {"description": "The key was used before: the same proposal again."}},
    openapi_extra={"parameters": [_KEY_HEADER], "security": BEARER},
    summary="Propose an entry",
)
async def propose(request: Request) -> Response:
    """Keep a record until a second person approves it; it reserves nothing meanwhile."""
    person = person_required(request)
    key = request.headers.get("Idempotency-Key")
    if key is None:
        raise MalformedError(
            "Idempotency-Key: expected this header with a fresh key, such as a UUID; with it, "
            "sending the proposal again is safe",
            code="idempotency_key_missing",
            field="Idempotency-Key",
        )
    check_key(key)
    body = parse_body(await read_body(request, BODY_BYTES_MAX))
    check_roles(body, person, None)
    proposals = get_book(request).proposals
    proposal, known = await run_in_threadpool(
        lambda: proposals.propose(body, key=key, person=person.id, role=person.role)
    )
    headers = {"location": f"/v1/proposals/{proposal.number}", "cache-control": PRIVATE}
    return Json(_shape(proposal, person), 200 if known else 201, headers)


@router.get(
    "",
    response_model=ProposalPage,
    openapi_extra={"security": BEARER},
    summary="List proposals, newest first",
)
def read_proposals(
    request: Request,
    status: Annotated[Status | None, Query(description="Only those of this status.")] = None,
    before: Annotated[
        int | None, Query(ge=1, le=NUMBER_MAX, description="Only smaller numbers than this.")
    ] = None,
    limit: Limit = PAGE_DEFAULT,
) -> Response:
    """What was proposed, for any person with a token; `next` leads on to older ones."""
    person = person_required(request)
    page = get_book(request).proposals.latest(limit, before=before, status=status)
    value: dict[str, Any] = {"proposals": [_shape(one, person) for one in page.proposals]}
    if page.before is not None:
        only = "" if status is None else f"status={status}&"
        value["next"] = f"/v1/proposals?{only}before={page.before}&limit={limit}"
    return Json(value, headers={"cache-control": PRIVATE})


@router.get(
    "/{id}",
    response_model=ProposalAnswer,
    openapi_extra={"security": BEARER},
    summary="Read a proposal",
)
def read_proposal(request: Request, id: Number) -> Response:
    """One proposal, for any person with a token."""
    person = person_required(request)
    proposal = get_book(request).proposals.read(id)
    return Json(_shape(proposal, person), headers={"cache-control": PRIVATE})


@router.post(
    "/{id}/approve",
    status_code=201,
    response_model=RecordedAnswer,
    responses={200: {"description": "It was approved before: the same receipt again."}},
    openapi_extra={"security": BEARER},
    summary="Approve a proposal",
)
def approve(request: Request, id: Number) -> Response:
    """Record what was proposed, with both persons in the entry; never one's own.

    Needs no Idempotency-Key: the proposal is the key. Where a rule refuses the record
    now, the proposal stays open.
    """
    person = person_required(request)
    proposals = get_book(request).proposals
    found = proposals.read(id)
    check_roles(found.body, Person(found.proposed_by, Role(found.role)), person)
    recorded = Deadline(request.app).wait(proposals.approve(id, person=person.id))
    headers = {"location": f"/v1/entries/{recorded.index}", "cache-control": PRIVATE}
    return Json(recorded_answer(recorded), 200 if recorded.replayed else 201, headers)


@router.post(
    "/{id}/reject",
    response_model=ProposalAnswer,
    openapi_extra={
        "security": BEARER,
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": Rejection.model_json_schema()}},
        },
    },
    summary="Reject a proposal, with a reason",
)
async def reject(request: Request, id: Number) -> Response:
    """Refuse a proposal: who may approve it, or who proposed it and takes it back."""
    person = person_required(request)
    body = parse_body(await read_body(request, BODY_BYTES_MAX))
    reason = body.get("reason") if isinstance(body, dict) and set(body) == {"reason"} else None
    if not isinstance(reason, str):
        raise MalformedError(
            'expected {"reason": "..."}, a text that says why',
            code="reason_missing",
            field="reason",
        )
    proposals = get_book(request).proposals
    rejected = await run_in_threadpool(reject_proposal, proposals, id, person, reason)
    return Json(_shape(rejected, person), headers={"cache-control": PRIVATE})


def reject_proposal(proposals: Proposals, number: int, person: Person, reason: str) -> Proposal:
    """Refuse a proposal, where this person may.

    Raises:
        NotAllowedError: neither an approver nor its proposer.
        LedgerError: as in `Proposals.reject`.
    """
    found = proposals.read(number)
    if person.id != found.proposed_by:
        if person.role is not Role.APPROVER:
            raise NotAllowedError(
                f"a proposal is rejected by the role {Role.APPROVER}, or taken back by "
                f"{found.proposed_by}; your token has the role {person.role}",
                code="approver_role",
            )
        check_roles(found.body, Person(found.proposed_by, Role(found.role)), person)
    return proposals.reject(number, person=person.id, reason=reason)


def _shape(proposal: Proposal, person: Person) -> dict[str, Any]:
    """A proposal as `ProposalAnswer`, for one person."""
    record = dict(proposal.body)
    if person.role not in OPENERS and person.id != proposal.proposed_by:
        record.pop("sealed", None)
    path = f"/v1/proposals/{proposal.number}"
    value: dict[str, Any] = {
        "id": proposal.number,
        "status": proposal.status,
        "record": record,
        "proposed_by": proposal.proposed_by,
        "created_at": proposal.created_at,
        "expires_at": proposal.expires_at,
    }
    decided = {
        "decided_by": proposal.decided_by,
        "decided_at": proposal.decided_at,
        "reason": proposal.reason,
        "entry": proposal.index,
    }
    value |= {name: one for name, one in decided.items() if one is not None}
    links = {"self": path}
    if proposal.status == "open":
        links |= {"approve": f"{path}/approve", "reject": f"{path}/reject"}
    if proposal.index is not None:
        links["entry"] = f"/v1/entries/{proposal.index}"
    return {**value, "links": links}
