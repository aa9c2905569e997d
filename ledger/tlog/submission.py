"""The request by which a log asks a witness to cosign (c2sp.org/tlog-witness)::

    old <size of the last checkpoint that the witness cosigned>
    <base64 hash>          one a line: the consistency proof from there
    <empty line>
    <the signed checkpoint, verbatim>

Both sides read and write it here: the log's feed and the witness.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ledger.errors import MalformedError
from ledger.tlog.merkle import HASH_SIZE, SIZE_MAX, check_hash, check_integer
from ledger.tlog.note import NOTE_BYTES_MAX, decode_base64, encode_base64
from ledger.tlog.proofs import PROOF_HASHES_MAX

PATH = "add-checkpoint"
"""What follows a witness's submission prefix and a slash."""

SIZE_MEDIA_TYPE = "text/x.tlog.size"
"""The media type of the answer that tells the last size which the witness cosigned."""

SUBMISSION_BYTES_MAX = NOTE_BYTES_MAX + 8_192
"""A note, and beside it a size line and at most 63 proof lines of 45 bytes."""

_SIZE = re.compile(rb"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class Submission:
    """A parsed request; nothing in it is verified yet."""

    old_size: int
    proof: tuple[bytes, ...]
    note: bytes


def format_submission(old_size: int, proof: Sequence[bytes], note: bytes) -> bytes:
    """Write a request.

    Raises:
        MalformedError: a size or hash of an impossible form, or more than 63 hashes.
    """
    check_integer("old size", old_size, SIZE_MAX)
    if len(proof) > PROOF_HASHES_MAX:
        raise MalformedError(f"expected at most {PROOF_HASHES_MAX} hashes, got {len(proof)}")
    for one in proof:
        check_hash("proof hash", one)
    lines = [f"old {old_size}", *map(encode_base64, proof)]
    return "\n".join(lines).encode() + b"\n\n" + note


def parse_submission(data: bytes) -> Submission:
    """Read a request; accepts exactly what ``format_submission`` writes.

    The note is given as it stands, and is the caller's to open.

    Raises:
        MalformedError: the bytes are not such a request.
    """
    if not isinstance(data, bytes) or len(data) > SUBMISSION_BYTES_MAX:
        raise MalformedError(f"expected a request as at most {SUBMISSION_BYTES_MAX} bytes")
    # The first empty line ends the proof: no line of it is empty, and a note begins with text.
    head, blank, note = data.partition(b"\n\n")
    first, *rest = head.split(b"\n")
    if not blank or not note or not first.startswith(b"old "):
        raise MalformedError(
            "expected a line 'old <size>', proof lines, an empty line and a signed checkpoint"
        )
    size = parse_size(first[4:])
    if len(rest) > PROOF_HASHES_MAX:
        raise MalformedError(f"expected at most {PROOF_HASHES_MAX} hashes, got {len(rest)}")
    return Submission(size, tuple(map(_parse_hash, rest)), note)


def parse_size(text: bytes) -> int:
    """Read a tree size as decimal without leading zeros.

    Raises:
        MalformedError: not such a number below 2**63.
    """
    size = int(text) if _SIZE.fullmatch(text) else -1
    if not 0 <= size <= SIZE_MAX:
        raise MalformedError("expected a size below 2**63 in decimal, without leading zeros")
    return size


def _parse_hash(line: bytes) -> bytes:
    if not line.isascii():
        raise MalformedError("expected proof lines in base64")
    value = decode_base64(line.decode(), "proof line")
    if len(value) != HASH_SIZE:
        raise MalformedError(f"expected proof lines of {HASH_SIZE} bytes each, got {len(value)}")
    return value
