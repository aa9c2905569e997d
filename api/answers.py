"""How the service answers: JSON by orjson, files, and what may be cached.

What cannot change says so (`IMMUTABLE`) and carries an ETag, so that a copy of the log
is cheap; what reveals personal fields is `PRIVATE`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict
from starlette.requests import Request
from starlette.responses import Response

IMMUTABLE = "public, max-age=31536000, immutable"
PRIVATE = "private, no-store"
REVALIDATED = "public, no-cache"
"""May be kept, and is asked about again (with its ETag) before each use."""
BRIEF = "public, max-age=2"
"""For the checkpoint: the C2SP spec wants it fresh within seconds."""

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"
BYTES = "application/octet-stream"


class Answer(BaseModel):
    """The base of every answer's model: the documentation of what a route gives.

    Routes answer with plain values; the tests hold each answer against its model.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Json(Response):
    """Plain values as JSON; bytes of JSON go in as ``orjson.Fragment``."""

    media_type = JSON

    def render(self, content: Any) -> bytes:
        return orjson.dumps(content)


def etag_of(data: bytes) -> str:
    """A strong ETag: the same for the same bytes, on any server."""
    return f'"{hashlib.sha256(data).hexdigest()[:32]}"'


def answer_cached(
    request: Request,
    data: bytes,
    *,
    media_type: str,
    cache: str,
    etag: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Answer with bytes that have an ETag, or with 304 where the client has them.

    Args:
        cache: The Cache-Control header.
        etag: Where it is known without the bytes; else it is made of them.
    """
    tag = etag or etag_of(data)
    head = {"etag": tag, "cache-control": cache, **(headers or {})}
    if _is_known(request.headers.get("if-none-match"), tag):
        return Response(status_code=304, headers=head)
    return Response(data, headers=head, media_type=media_type)


def _is_known(header: str | None, etag: str) -> bool:
    """Whether If-None-Match names the ETag (RFC 9110, section 13.1.2: weak comparison)."""
    if header is None:
        return False
    tags = (tag.strip().removeprefix("W/") for tag in header.split(","))
    return header.strip() == "*" or etag in tags


def attachment(name: str) -> dict[str, str]:
    """The header that has a browser save the answer under a plain ASCII name."""
    return {"content-disposition": f'attachment; filename="{name}"'}
