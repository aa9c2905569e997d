"""Properties of notes, keys, checkpoints and cosignatures: round trips, damage, junk."""

from __future__ import annotations

import contextlib

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import LedgerError, MalformedError, VerificationError
from ledger.tlog.checkpoint import (
    format_checkpoint,
    open_checkpoint,
    parse_checkpoint,
    sign_checkpoint,
)
from ledger.tlog.cosignature import (
    CosignatureSigner,
    MlDsa44Signer,
    cosignature_timestamp,
    verifier_for,
)
from ledger.tlog.note import (
    PUBLIC_KEY_BYTES,
    Ed25519Signer,
    NoteSignature,
    VerifierKey,
    add_signatures,
    format_signature,
    format_verifier_key,
    open_note,
    parse_signatures,
    parse_verifier_key,
    sign_note,
    split_note,
)

repeatable = settings(derandomize=True, deadline=None, max_examples=200)

ORIGIN = "example.com/log"
ROOT = bytes(range(32))
TEXT = format_checkpoint(ORIGIN, 1234, ROOT)
ED_KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
LOG = Ed25519Signer(ORIGIN, ED_KEY)
WITNESS = CosignatureSigner("w.example/1", ED_KEY, lambda: 1679315147)
try:
    POST_QUANTUM = MlDsa44Signer(ORIGIN, MLDSA44PrivateKey.from_seed_bytes(bytes(32)))
except UnsupportedAlgorithm:
    pytest.skip("the OpenSSL of this machine has no ML-DSA-44", allow_module_level=True)
SIGNED = sign_checkpoint(ORIGIN, 1234, ROOT, [LOG, WITNESS, POST_QUANTUM])
VERIFIERS = [verifier_for(one.verifier_key) for one in (LOG, WITNESS, POST_QUANTUM)]

line_characters = st.characters(exclude_categories=["Cs"], min_codepoint=0x20)
name_characters = st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]).filter(
    lambda letter: letter != "+"
)
names = st.text(name_characters, min_size=1, max_size=40)
note_texts = st.lists(st.text(line_characters, max_size=30), min_size=1, max_size=6).map(
    lambda lines: ("\n".join(lines) + "\n").encode()
)
signatures = st.builds(
    NoteSignature, names, st.binary(min_size=4, max_size=4), st.binary(min_size=1, max_size=80)
)
keys = st.sampled_from(sorted(PUBLIC_KEY_BYTES)).flatmap(
    lambda kind: st.builds(
        VerifierKey,
        names,
        st.just(kind),
        st.binary(min_size=PUBLIC_KEY_BYTES[kind], max_size=PUBLIC_KEY_BYTES[kind]),
    )
)


@repeatable
@given(note_texts, names)
def test_notes_round_trip(text: bytes, name: str) -> None:
    signer = Ed25519Signer(name, ED_KEY)
    data = sign_note(text, [signer])
    note = open_note(data, [verifier_for(signer.verifier_key)])
    assert note.text == text
    assert note.verified == (NoteSignature(name, signer.key_id, signer.sign(text)),)


@repeatable
@given(note_texts, st.lists(signatures, min_size=1, max_size=20))
def test_split_notes_join_to_the_same_bytes(text: bytes, lines: list[NoteSignature]) -> None:
    data = text + b"\n" + b"".join(map(format_signature, lines))
    got_text, got_lines = split_note(data)
    assert (got_text, list(got_lines)) == (text, lines)
    unique = {(line.name, line.key_id): line for line in lines}
    assert split_note(add_signatures(data, unique.values())) == (text, tuple(unique.values()))


@repeatable
@given(keys)
def test_verifier_keys_round_trip(key: VerifierKey) -> None:
    assert parse_verifier_key(format_verifier_key(key)) == key
    # Public keys from outside may be no points at all: they verify nothing.
    verifier = verifier_for(key)
    for signature in (bytes(64), bytes(72), b"", POST_QUANTUM.sign(TEXT)):
        with pytest.raises(VerificationError):
            verifier.verify(TEXT, signature)


@repeatable
@given(
    st.text(line_characters, min_size=1, max_size=60),
    st.integers(0, 2**63 - 1),
    st.binary(min_size=32, max_size=32),
)
def test_checkpoints_round_trip(origin: str, size: int, root: bytes) -> None:
    text = format_checkpoint(origin, size, root)
    checkpoint = parse_checkpoint(text)
    assert (checkpoint.origin, checkpoint.size, checkpoint.root) == (origin, size, root)
    assert checkpoint.text == text


def mutated(data: bytes) -> st.SearchStrategy[bytes]:
    """The bytes with a piece replaced by others."""
    return st.builds(
        lambda at, length, new: data[:at] + new + data[at + length :],
        st.integers(0, len(data)),
        st.integers(0, 12),
        st.one_of(
            st.binary(max_size=8),
            st.sampled_from([b"\n", b"\n\n", b"\r", b"+", b"=", b" ", "— ".encode(), b"\x00"]),
        ),
    )


@repeatable
@given(mutated(SIGNED))
def test_no_changed_checkpoint_opens_as_another(data: bytes) -> None:
    try:
        checkpoint, note = open_checkpoint(data, ORIGIN, VERIFIERS)
    except LedgerError:
        return
    assert (checkpoint.text, note.text) == (TEXT, TEXT)
    # A signature line may have become one by a stranger, or a stranger's been added.
    assert set(note.verified) <= set(split_note(SIGNED)[1])


junk = st.one_of(st.binary(max_size=200), mutated(SIGNED), mutated(TEXT), st.text().map(str.encode))


@repeatable
@given(junk)
def test_junk_bytes_raise_nothing_but_ledger_errors(data: bytes) -> None:
    with contextlib.suppress(MalformedError):
        text, lines = split_note(data)
        assert text + b"\n" + b"".join(map(format_signature, lines)) == data
    with contextlib.suppress(MalformedError):
        assert b"".join(map(format_signature, parse_signatures(data))) == data
    for allow in (False, True):
        try:
            checkpoint = parse_checkpoint(data, allow_extensions=allow)
        except MalformedError:
            continue
        start = format_checkpoint(checkpoint.origin, checkpoint.size, checkpoint.root)
        assert data.startswith(start)
        assert allow or data == start
    for verifier in VERIFIERS:
        with pytest.raises(VerificationError):
            verifier.verify(TEXT, data)


written_key = format_verifier_key(LOG.verifier_key)


@repeatable
@given(st.one_of(st.text(), mutated(written_key.encode()).map(lambda data: data.decode("latin-1"))))
def test_junk_text_is_no_key(text: str) -> None:
    try:
        key = parse_verifier_key(text)
    except MalformedError:
        return
    assert format_verifier_key(key) == text


@repeatable
@given(st.binary(max_size=100))
def test_junk_has_a_time_or_is_refused(data: bytes) -> None:
    try:
        timestamp = cosignature_timestamp(NoteSignature("w", b"abcd", data))
    except VerificationError:
        assert len(data) <= 8 or data[0] & 0x80
        return
    assert timestamp == int.from_bytes(data[:8], "big") < 2**63
