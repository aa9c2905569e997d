"""Checkpoints: a log's origin, size and root as three lines, signed as a note.

The only place from which anyone may take a log's size and root
(c2sp.org/tlog-checkpoint)::

    example.com/behind-the-sofa
    20852163
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

Our own checkpoints have no further lines. Other logs may add extension lines,
which ``parse_checkpoint`` accepts when told to.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ledger.errors import MalformedError, VerificationError
from ledger.tlog.merkle import SIZE_MAX, check_hash, check_integer
from ledger.tlog.note import (
    NOTE_BYTES_MAX,
    Note,
    Signer,
    Verifier,
    decode_base64,
    encode_base64,
    open_note,
    sign_note,
)

ORIGIN_BYTES_MAX = 255
"""Bytes in an origin; ML-DSA-44 signatures carry its length in one byte."""

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
# Lone surrogates cannot be written in UTF-8.
_LINE = re.compile(r"[^\x00-\x1f\ud800-\udfff]+")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log's state as it was written down.

    Attributes:
        origin: The log's name.
        size: Leaves in the tree.
        root: The tree's 32-byte root.
        text: The bytes that were signed, extension lines included.
    """

    origin: str
    size: int
    root: bytes
    text: bytes


def format_checkpoint(origin: str, size: int, root: bytes) -> bytes:
    """Write a checkpoint's text: origin, decimal size and base64 root, a line each.

    Raises:
        MalformedError: the origin cannot be a line of at most 255 bytes, the size
            is not below 2**63, or the root has not 32 bytes.
    """
    _check_origin(origin)
    check_integer("tree size", size, SIZE_MAX)
    check_hash("root", root)
    return f"{origin}\n{size}\n{encode_base64(root)}\n".encode()


def parse_checkpoint(text: bytes, *, allow_extensions: bool = False) -> Checkpoint:
    """Read a checkpoint's text; verifies nothing.

    Args:
        text: The note's text, its final newline included.
        allow_extensions: Accept non-empty lines after the third, as other logs
            may have them; they are kept in ``text`` and otherwise ignored.

    Raises:
        MalformedError: the text is not a checkpoint, in its one strict form.
    """
    if not isinstance(text, bytes) or len(text) > NOTE_BYTES_MAX:
        raise MalformedError(f"expected a checkpoint as at most {NOTE_BYTES_MAX} bytes")
    try:
        lines = text.decode().split("\n")
    except UnicodeDecodeError:
        raise MalformedError("expected a checkpoint in UTF-8; get it again") from None
    if lines.pop() or len(lines) < 3 or not all(lines):
        raise MalformedError(
            "expected a checkpoint of three lines (origin, size, root), none empty, each ended "
            "by a newline"
        )
    if len(lines) > 3 and not allow_extensions:
        raise MalformedError(
            f"expected a checkpoint without extension lines, got {len(lines) - 3}; "
            "our logs have none"
        )
    if not all(map(_LINE.fullmatch, lines[3:])):
        raise MalformedError("expected extension lines without control characters; refuse it")
    origin, size_text, root_text = lines[:3]
    _check_origin(origin)
    size = int(size_text) if _SIZE.fullmatch(size_text) else -1
    if not 0 <= size <= SIZE_MAX:
        raise MalformedError(
            "expected the checkpoint's size as a decimal number below 2**63, without leading "
            "zeros and signs"
        )
    root = decode_base64(root_text, "checkpoint's root")
    check_hash("checkpoint's root", root)
    return Checkpoint(origin, size, root, text)


def sign_checkpoint(origin: str, size: int, root: bytes, signers: Sequence[Signer]) -> bytes:
    """Write a checkpoint and sign it; gives the whole note.

    Raises:
        MalformedError: an argument has an impossible form.
    """
    return sign_note(format_checkpoint(origin, size, root), signers)


def open_checkpoint(
    data: bytes, origin: str, verifiers: Sequence[Verifier], *, allow_extensions: bool = False
) -> tuple[Checkpoint, Note]:
    """Open a signed checkpoint of the log named ``origin``.

    One verified signature by any of the verifiers suffices. So give the log's own
    keys here, and count cosignatures by opening the same bytes once more with the
    keys of the witnesses: otherwise a witness could stand in for the log.

    Args:
        data: The whole note.
        origin: The origin that the checkpoint must have.
        verifiers: The keys to verify with.
        allow_extensions: As for ``parse_checkpoint``.

    Returns:
        The checkpoint, and the note with its signatures.

    Raises:
        MalformedError: the bytes are not a signed checkpoint.
        VerificationError: a known key's signature fails, or the origin is another.
        UnknownSignerError: no signature is by a known key.
    """
    note = open_note(data, verifiers)
    checkpoint = parse_checkpoint(note.text, allow_extensions=allow_extensions)
    if checkpoint.origin != origin:
        raise VerificationError(
            f"expected a checkpoint of the log {origin!r}, got one of {checkpoint.origin!r}; "
            "ask the log you mean"
        )
    return checkpoint, note


def _check_origin(origin: str) -> None:
    """Raise MalformedError unless ``origin`` is one line of 1 to 255 bytes of UTF-8."""
    if (
        not isinstance(origin, str)
        or not _LINE.fullmatch(origin)
        or len(origin.encode()) > ORIGIN_BYTES_MAX
    ):
        raise MalformedError(
            f"expected a log's origin as one line of 1 to {ORIGIN_BYTES_MAX} bytes of UTF-8 "
            "without control characters; use a form such as example.com/log"
        )
