"""The witness over HTTP: ``POST /add-checkpoint``, and its views for monitors.

``GET /log/<hex SHA-256 of the origin>/checkpoint`` gives the newest checkpoint of a log
that this witness cosigned, with its cosignatures. This address is ours: c2sp.org/tlog-witness
leaves open how monitors ask.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ledger.audit.witness.judge import Verdict, Witness
from ledger.errors import LedgerError, RetryableError
from ledger.tlog.submission import PATH, SUBMISSION_BYTES_MAX

BODY_SECONDS_MAX = 30
"""How long a request's body may take to come."""

log = logging.getLogger(__name__)


def create_witness_app(witness: Witness) -> Starlette:
    """The application of one witness."""
    origins = {hashlib.sha256(one.encode()).hexdigest(): one for one in witness.origins}

    async def add_checkpoint(request: Request) -> Response:
        body = await _read_body(request)
        if isinstance(body, Verdict):
            return _respond(body)
        try:
            verdict = await run_in_threadpool(witness.add_checkpoint, body)
        except RetryableError as error:
            verdict = Verdict(503, error.message.encode() + b"\n")
        except LedgerError as error:
            # Its message names files, and is for the operator.
            log.error("%s", error.message)
            verdict = Verdict(500, b"the witness has a fault; tell its operator\n")
        return _respond(verdict)

    async def read_view(request: Request) -> Response:
        origin = origins.get(request.path_params["digest"])
        found = None if origin is None else await run_in_threadpool(witness.view, origin)
        if found is None:
            return _respond(Verdict(404, b"this witness has cosigned nothing of that log\n"))
        return _respond(Verdict(200, found.note + found.lines))

    return Starlette(
        routes=[
            Route(f"/{PATH}", add_checkpoint, methods=["POST"]),
            Route("/log/{digest}/checkpoint", read_view, methods=["GET"]),
        ]
    )


async def _read_body(request: Request) -> bytes | Verdict:
    """The whole body, or the refusal of one that is too large or too slow."""
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS_MAX):
            async for part in request.stream():
                size += len(part)
                if size > SUBMISSION_BYTES_MAX:
                    return Verdict(413, b"expected at most %d bytes\n" % SUBMISSION_BYTES_MAX)
                parts.append(part)
    except TimeoutError:
        return Verdict(408, b"the request's body came too slowly\n")
    return b"".join(parts)


def _respond(verdict: Verdict) -> Response:
    # As a header of ours, for Starlette would add a charset to the size's type.
    headers = {"content-type": verdict.media_type, "cache-control": "no-store"}
    return Response(verdict.body, verdict.status, headers)
