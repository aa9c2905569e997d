"""The receipt: a C2SP tlog-proof whose `extra` holds the entry and its opening.

::

    c2sp.org/tlog-proof@v1
    extra <base64 of the canonical JSON of the opening>
    index <n>
    <base64 hash>          one a line, from the leaf's sibling up
    <empty line>
    <the checkpoint, verbatim>

The opening is ``{"entry": base64, "seed": base64url, "values": {...}}``, or has
``"disclosures": [...]`` in place of seed and values when only some personal fields
are revealed, or neither when none are (design, section 2). Nothing in `extra` is
authenticated by itself: ``verify`` recomputes the leaf and every commitment from it.

Building and parsing are exact inverses, so no byte of a receipt is without meaning.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from ledger.entry import (
    SEALED_MAX,
    SEED_BYTES,
    base64url,
    build_disclosure,
    parse_base64url,
    parse_canonical,
    parse_disclosure,
)
from ledger.errors import MalformedError, NotFoundError
from ledger.frozen import frozen
from ledger.tlog.merkle import HASH_SIZE
from ledger.tlog.note import decode_base64
from ledger.tlog.proofs import PROOF_HASHES_MAX

HEADER = b"c2sp.org/tlog-proof@v1"
SUFFIX = ".tlog-proof"
MEDIA_TYPE = "text/plain; charset=utf-8"
RECEIPT_BYTES_MAX = 1_000_000
"""An entry has at most 64 KiB, its opening and the cosignatures of a note fit beside it."""

_INDEX = re.compile(rb"index (0|[1-9][0-9]{0,18})")


@frozen
class Opening:
    """What `extra` says: the entry's bytes and what is revealed of its sealed fields.

    Either `seed` and `values` (all fields), or `disclosures` (some), or neither.
    """

    entry: bytes
    seed: bytes | None = field(default=None, repr=False)
    values: Mapping[str, Any] | None = field(default=None, repr=False)
    disclosures: Sequence[str] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Receipt:
    """A parsed receipt; nothing in it is verified yet."""

    index: int
    proof: tuple[bytes, ...]
    checkpoint: bytes
    opening: Opening


def reveal_fields(opening: Opening, names: Sequence[str]) -> Opening:
    """The same entry's opening, with these personal fields open and no other.

    Args:
        opening: One with seed and values, or with disclosures of at least these fields.
        names: The fields to open.

    Raises:
        NotFoundError: a field that the opening does not open, or none was named.
    """
    if opening.seed is not None:
        values, seed = opening.values or {}, opening.seed
        known = {name: build_disclosure(seed, name, value) for name, value in values.items()}
    else:
        known = {parse_disclosure(one)[1]: one for one in opening.disclosures}
    missing = sorted(set(names) - set(known))
    if missing or not names:
        raise NotFoundError(
            f"there is no personal field {', '.join(missing) or '(none was named)'} "
            f"that can be revealed; it has {', '.join(sorted(known)) or 'none'}",
            code="unknown_field",
        )
    return Opening(opening.entry, disclosures=[known[name] for name in sorted(set(names))])


def build_receipt(receipt: Receipt) -> bytes:
    """Write a receipt as a tlog-proof file (c2sp.org/tlog-proof)."""
    opening: dict[str, Any] = {"entry": b64encode(receipt.opening.entry).decode()}
    if receipt.opening.seed is not None:
        opening["seed"] = base64url(receipt.opening.seed)
        opening["values"] = dict(receipt.opening.values or {})
    elif receipt.opening.disclosures:
        opening["disclosures"] = list(receipt.opening.disclosures)
    extra = b64encode(orjson.dumps(opening, option=orjson.OPT_SORT_KEYS))
    lines = [HEADER, b"extra " + extra, b"index %d" % receipt.index]
    lines += [b64encode(one) for one in receipt.proof]
    return b"\n".join(lines) + b"\n\n" + receipt.checkpoint


def parse_receipt(data: bytes) -> Receipt:
    """Read a tlog-proof file of ours.

    Raises:
        MalformedError: not a tlog-proof, or one whose `extra` is not our opening; code
            ``not_a_receipt`` where even the first line is another.
    """
    if len(data) > RECEIPT_BYTES_MAX:
        raise MalformedError(f"expected a receipt of at most {RECEIPT_BYTES_MAX} bytes")
    if not data.startswith(HEADER + b"\n"):
        raise MalformedError(
            f"expected a receipt, a file whose first line is {HEADER.decode()}; "
            "this is another kind of file, or its first line was damaged",
            code="not_a_receipt",
        )
    head, blank, checkpoint = data.partition(b"\n\n")
    if not blank or not checkpoint:
        raise MalformedError(
            "expected an empty line and a checkpoint after the proof; the receipt was cut short",
            code="receipt_truncated",
        )
    lines = head.split(b"\n")[1:]
    if not lines or not lines[0].startswith(b"extra "):
        raise MalformedError(
            "expected a line 'extra ...' that holds the entry; ask for the full receipt"
        )
    match = _INDEX.fullmatch(lines[1]) if len(lines) > 1 else None
    if match is None:
        raise MalformedError("expected a line 'index <n>' after the extra line")
    if len(lines) - 2 > PROOF_HASHES_MAX:
        raise MalformedError(f"expected at most {PROOF_HASHES_MAX} hashes, got {len(lines) - 2}")
    proof = tuple(_parse_base64(line, "proof line") for line in lines[2:])
    if any(len(one) != HASH_SIZE for one in proof):
        raise MalformedError(f"expected proof lines of {HASH_SIZE} bytes each")
    opening = _parse_opening(_parse_base64(lines[0][6:], "extra line"))
    return Receipt(int(match[1]), proof, checkpoint, opening)


def _parse_base64(text: bytes, where: str) -> bytes:
    if not text.isascii():
        raise MalformedError(f"{where}: expected base64, got bytes that are not ASCII")
    return decode_base64(text.decode(), where)


def _parse_opening(data: bytes) -> Opening:
    value = parse_canonical(data)
    forms = ({"entry"}, {"entry", "seed", "values"}, {"entry", "disclosures"})
    if not isinstance(value, dict) or set(value) not in forms:
        raise MalformedError(
            "expected an opening with the entry and seed and values, or disclosures, or neither"
        )
    if not isinstance(value["entry"], str):
        raise MalformedError("opening: expected the entry as base64 text")
    entry = decode_base64(value["entry"], "entry of the opening")
    if "seed" in value:
        seed_text, values = value["seed"], value["values"]
        if not isinstance(seed_text, str) or not isinstance(values, dict) or not values:
            raise MalformedError("opening: expected a seed as text and at least one value")
        seed = parse_base64url(seed_text, "opening: seed")
        if len(seed) != SEED_BYTES or len(values) > SEALED_MAX:
            raise MalformedError(
                f"opening: expected a seed of {SEED_BYTES} bytes and at most {SEALED_MAX} values"
            )
        return Opening(entry, seed, values)
    disclosures = value.get("disclosures", [])
    if not isinstance(disclosures, list) or len(disclosures) > SEALED_MAX:
        raise MalformedError(f"opening: expected at most {SEALED_MAX} disclosures")
    if not all(isinstance(one, str) for one in disclosures):
        raise MalformedError("opening: expected disclosures as text")
    if "disclosures" in value and not disclosures:
        raise MalformedError("opening: expected at least one disclosure, or no such key")
    return Opening(entry, disclosures=tuple(disclosures))
