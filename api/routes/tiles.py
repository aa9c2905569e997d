"""The log as C2SP tlog-tiles: checkpoint, hash tiles and entry bundles, at the root.

Anybody can mirror it: what is immutable says so, and each answer fits the signed root. A path
is read as strictly as the spec writes it, and one that names no tile of the log is not there
(404), as on a static host.
"""

from __future__ import annotations

import gzip
import re

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.answers import BRIEF, BYTES, IMMUTABLE, TEXT, answer_cached
from api.dependencies import BookOf
from ledger.errors import MalformedError, NotFoundError
from ledger.fitting import FittingTiles
from ledger.tlog.tiles import ENTRIES, parse_tile_path

router = APIRouter(tags=["tiles"])

GZIP_LEVEL = 6
_GZIP = re.compile(r"\s*(?:gzip|\*)\s*(?:;\s*q=(?P<q>[0-9.]+)\s*)?", re.IGNORECASE)


@router.get(
    "/checkpoint",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    summary="Read the newest checkpoint",
)
def read_checkpoint(request: Request, book: BookOf) -> Response:
    """The newest signed checkpoint (c2sp.org/tlog-checkpoint)."""
    return answer_cached(request, book.checkpoint(), media_type=TEXT, cache=BRIEF)


@router.get(
    "/tile/{path:path}",
    response_class=Response,
    responses={200: {"content": {BYTES: {"schema": {"type": "string", "format": "binary"}}}}},
    summary="Read a tile or an entry bundle",
)
def read_tile(request: Request, book: BookOf, path: str) -> Response:
    """A tile of hashes, `<L>/<N>[.p/<W>]`, or a bundle of entries, `entries/<N>[.p/<W>]`."""
    try:
        tile = parse_tile_path(f"tile/{path}")
    except MalformedError as error:
        raise NotFoundError(error.message, code="no_tile") from None
    with book.store.read() as reader:
        tiles = FittingTiles(reader)
        if tile.level != ENTRIES:
            data = tiles.tile(tile.level, tile.number, tile.width)
            return answer_cached(request, data, media_type=BYTES, cache=IMMUTABLE)
        data = tiles.bundle(tile.number, tile.width)
    headers = {"vary": "accept-encoding"}
    if accepts_gzip(request.headers.get("accept-encoding", "")):
        # No time stamp in it, so that the same bundle is the same bytes everywhere.
        data = gzip.compress(data, GZIP_LEVEL, mtime=0)
        headers["content-encoding"] = "gzip"
    return answer_cached(request, data, media_type=BYTES, cache=IMMUTABLE, headers=headers)


def accepts_gzip(header: str) -> bool:
    """Whether Accept-Encoding takes gzip (RFC 9110, section 12.5.3)."""
    for part in header.split(","):
        match = _GZIP.fullmatch(part)
        if match is not None:
            return match["q"] is None or match["q"].strip("0.") != ""
    return False
