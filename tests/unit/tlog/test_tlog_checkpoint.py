"""Checkpoints: written, signed, opened."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.errors import MalformedError, UnknownSignerError, VerificationError
from ledger.tlog.checkpoint import (
    Checkpoint,
    format_checkpoint,
    open_checkpoint,
    parse_checkpoint,
    sign_checkpoint,
)
from ledger.tlog.merkle import EMPTY_ROOT
from ledger.tlog.note import NOTE_BYTES_MAX, Ed25519Signer, Ed25519Verifier, sign_note

ORIGIN = "example.com/log"
ROOT = bytes(range(32))
SIGNER = Ed25519Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(bytes(32)))
VERIFIER = Ed25519Verifier(SIGNER.verifier_key)
STRANGER = Ed25519Signer("stranger", Ed25519PrivateKey.from_private_bytes(b"\x01" * 32))


def test_three_lines() -> None:
    text = format_checkpoint(ORIGIN, 5, ROOT)
    assert text == b"example.com/log\n5\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
    assert parse_checkpoint(text) == Checkpoint(ORIGIN, 5, ROOT, text)


@pytest.mark.parametrize(
    "origin", ["", "a\nb", "a\x00b", "\ud800", "é" * 128, None, 5, b"example.com"]
)
def test_origins_that_cannot_be(origin: str) -> None:
    with pytest.raises(MalformedError, match="origin"):
        format_checkpoint(origin, 1, ROOT)


@pytest.mark.parametrize("size", [-1, 2**63, True, 1.0, "1", None])
def test_sizes_that_cannot_be(size: int) -> None:
    with pytest.raises(MalformedError, match="tree size"):
        format_checkpoint(ORIGIN, size, ROOT)


@pytest.mark.parametrize("root", [b"", bytes(31), bytes(33), "a" * 32, None])
def test_roots_that_cannot_be(root: bytes) -> None:
    with pytest.raises(MalformedError, match="root"):
        format_checkpoint(ORIGIN, 1, root)


@pytest.mark.parametrize("text", [None, "text", 7, b"\xff\n1\nAAAA\n", b"a" * (NOTE_BYTES_MAX + 1)])
def test_what_is_no_text(text: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_checkpoint(text)


def test_signing_and_opening() -> None:
    data = sign_checkpoint(ORIGIN, 0, EMPTY_ROOT, [SIGNER, STRANGER])
    checkpoint, note = open_checkpoint(data, ORIGIN, [VERIFIER])
    assert (checkpoint.origin, checkpoint.size, checkpoint.root) == (ORIGIN, 0, EMPTY_ROOT)
    assert checkpoint.text == note.text
    assert [signature.name for signature in note.verified] == [ORIGIN]
    assert len(note.signatures) == 2


def test_another_origin_is_a_mismatch() -> None:
    data = sign_checkpoint("example.com/other", 1, ROOT, [SIGNER])
    with pytest.raises(VerificationError, match=r"'example\.com/log', got one of"):
        open_checkpoint(data, ORIGIN, [VERIFIER])


def test_opening_needs_the_logs_signature() -> None:
    data = sign_checkpoint(ORIGIN, 1, ROOT, [STRANGER])
    with pytest.raises(UnknownSignerError):
        open_checkpoint(data, ORIGIN, [VERIFIER])


def test_a_signed_text_that_is_no_checkpoint_is_malformed() -> None:
    with pytest.raises(MalformedError, match="three lines"):
        open_checkpoint(sign_note(b"hello\n", [SIGNER]), ORIGIN, [VERIFIER])


def test_extension_lines_are_opened_when_allowed() -> None:
    data = sign_note(format_checkpoint(ORIGIN, 1, ROOT) + b"extension\n", [SIGNER])
    with pytest.raises(MalformedError, match="without extension lines, got 1"):
        open_checkpoint(data, ORIGIN, [VERIFIER])
    checkpoint, _ = open_checkpoint(data, ORIGIN, [VERIFIER], allow_extensions=True)
    assert checkpoint.text.endswith(b"\nextension\n")
