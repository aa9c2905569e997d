"""Both proofs of the tree as JSON (RFC 6962, section 2.1), under signed checkpoints.

Hashes of a proof and roots are base64, as in the C2SP files; leaf hashes are hex, as
everywhere in this service.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.answers import Answer, Json
from api.dependencies import INDEX_MAX, BookOf, SizeInQuery
from ledger.tlog.tiles import TileReader

router = APIRouter(prefix="/v1/proofs", tags=["proofs"])


class InclusionAnswer(Answer):
    """That an entry stands in the log of one size; `proof` goes from its sibling up."""

    index: int
    size: int
    leaf_hash: str
    proof: list[str]
    root: str
    checkpoint: str


class ConsistencyAnswer(Answer):
    """That the log of size `old` is the beginning of that of size `new`.

    A checkpoint is given where one was signed at that very size.
    """

    old: int
    new: int
    proof: list[str]
    old_root: str
    new_root: str
    old_checkpoint: str | None = None
    new_checkpoint: str | None = None


@router.get("/inclusion", response_model=InclusionAnswer, summary="Prove an entry's place")
def read_inclusion(
    book: BookOf,
    index: Annotated[int, Query(ge=0, le=INDEX_MAX, description="The entry.")],
    size: SizeInQuery = None,
) -> Response:
    """The inclusion proof of an entry, under the newest checkpoint or that of one size."""
    found = book.inclusion(index, size)
    return Json(
        {
            "index": found.index,
            "size": found.size,
            "leaf_hash": found.leaf_hash.hex(),
            "proof": [_base64(one) for one in found.proof],
            "root": _base64(found.root),
            "checkpoint": found.checkpoint.decode(),
        }
    )


@router.get("/consistency", response_model=ConsistencyAnswer, summary="Prove that it only grew")
def read_consistency(
    book: BookOf,
    old: Annotated[int, Query(ge=1, le=INDEX_MAX, description="The smaller size, from 1.")],
    new: SizeInQuery = None,
) -> Response:
    """The consistency proof between two sizes of the log, by default up to the newest."""
    new = book.head().size if new is None else new
    proof = book.consistency(old, new)
    # The log only grows, so a later snapshot holds the very same trees.
    with book.store.read() as reader:
        roots = [TileReader(size, reader.tile).root() for size in (old, new)]
        notes = [reader.checkpoints(size - 1, 1) for size in (old, new)]
    value = {
        "old": old,
        "new": new,
        "proof": [_base64(one) for one in proof],
        "old_root": _base64(roots[0]),
        "new_root": _base64(roots[1]),
    }
    for name, size, found in (("old", old, notes[0]), ("new", new, notes[1])):
        if found and found[0][0] == size:
            value[f"{name}_checkpoint"] = found[0][1].decode()
    return Json(value)


def _base64(data: bytes) -> str:
    return b64encode(data).decode()
