"""Timestamped signatures: Ed25519 cosignatures and ML-DSA-44."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import NoReturn

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from ledger.errors import MalformedError, UndecidedError, VerificationError
from ledger.tlog.checkpoint import format_checkpoint, open_checkpoint, sign_checkpoint
from ledger.tlog.cosignature import (
    TIMESTAMP_MAX,
    CosignatureSigner,
    CosignatureVerifier,
    MlDsa44Signer,
    MlDsa44Verifier,
    cosignature_timestamp,
    verifier_for,
)
from ledger.tlog.note import (
    Ed25519Signer,
    Ed25519Verifier,
    NoteSignature,
    SignatureType,
    VerifierKey,
    add_signatures,
    format_verifier_key,
    open_note,
    parse_signatures,
    parse_verifier_key,
)

ORIGIN = "example.com/behind-the-sofa"
ROOT = base64.b64decode("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=")
TEXT = format_checkpoint(ORIGIN, 20852163, ROOT)
TIME = 1679315147
EXTENDED = TEXT + b"extension\n"

MakeCosigner = Callable[..., CosignatureSigner | MlDsa44Signer]

ED_KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
try:
    ML_KEY = MLDSA44PrivateKey.from_seed_bytes(bytes(32))
except UnsupportedAlgorithm:
    pytest.skip("the OpenSSL of this machine has no ML-DSA-44", allow_module_level=True)


def ed_cosigner(name: str = "witness.example/w1", time: int = TIME) -> CosignatureSigner:
    return CosignatureSigner(name, ED_KEY, lambda: time)


def ml_cosigner(name: str = "witness.example/w1", time: int = TIME) -> MlDsa44Signer:
    return MlDsa44Signer(name, ML_KEY, lambda: time)


def test_what_ed25519_signs_is_the_specs_text() -> None:
    signature = ed_cosigner().sign(TEXT)
    assert signature[:8].hex() == "00000000641850cb"
    message = (
        b"cosignature/v1\n"
        b"time 1679315147\n"
        b"example.com/behind-the-sofa\n"
        b"20852163\n"
        b"CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    )
    ED_KEY.public_key().verify(signature[8:], message)


def test_what_ml_dsa_44_signs_is_the_specs_structure() -> None:
    signature = ml_cosigner("w1").sign(TEXT)
    assert len(signature) == 8 + 2420
    message = bytes.fromhex(
        "737562747265652f76310a00"  # subtree/v1, newline, zero
        "027731"  # length and cosigner's name
        "00000000641850cb"  # time
        "1b6578616d706c652e636f6d2f626568696e642d7468652d736f6661"  # length and origin
        "0000000000000000"  # start
        "00000000013e2dc3"  # end: 20,852,163
    )
    ML_KEY.public_key().verify(signature[8:], message + ROOT)


@pytest.mark.parametrize("make", [ed_cosigner, ml_cosigner])
def test_round_trip(make: MakeCosigner) -> None:
    cosigner = make()
    written = format_verifier_key(cosigner.verifier_key)
    verifier = verifier_for(parse_verifier_key(written))
    assert (verifier.name, verifier.key_id) == (cosigner.name, cosigner.key_id)
    signature = cosigner.sign(TEXT)
    verifier.verify(TEXT, signature)
    line = NoteSignature(cosigner.name, cosigner.key_id, signature)
    assert cosignature_timestamp(line) == TIME
    for other in (
        format_checkpoint(ORIGIN, 20852164, ROOT),
        format_checkpoint(ORIGIN, 20852163, bytes(32)),
        format_checkpoint("example.com/other", 20852163, ROOT),
    ):
        with pytest.raises(VerificationError, match=r"witness\.example/w1"):
            verifier.verify(other, signature)
    for at in (0, 7, 8, 40, len(signature) - 1):
        changed = bytearray(signature)
        changed[at] ^= 1
        with pytest.raises(VerificationError):
            verifier.verify(TEXT, bytes(changed))
    for cut in (b"", signature[:8], signature[:-1], signature + b"\x00"):
        with pytest.raises(VerificationError):
            verifier.verify(TEXT, cut)
    with pytest.raises(VerificationError, match="expected a checkpoint under the cosignature"):
        verifier.verify(b"hello\n", signature)


def test_a_log_signs_with_both_and_a_witness_cosigns() -> None:
    log = Ed25519Signer(ORIGIN, ED_KEY)
    post_quantum = MlDsa44Signer(ORIGIN, ML_KEY)
    witness = ed_cosigner()
    data = sign_checkpoint(ORIGIN, 20852163, ROOT, [log, post_quantum])
    verifiers = [verifier_for(one.verifier_key) for one in (log, post_quantum)]
    _, note = open_checkpoint(data, ORIGIN, verifiers)
    assert [signature.key_id for signature in note.verified] == [log.key_id, post_quantum.key_id]
    assert cosignature_timestamp(note.verified[1]) == 0
    answer = NoteSignature(witness.name, witness.key_id, witness.sign(note.text))
    cosigned = add_signatures(data, [answer])
    _, opened = open_checkpoint(cosigned, ORIGIN, verifiers)
    assert len(opened.verified) == 2
    seen = open_note(cosigned, [verifier_for(witness.verifier_key)]).verified
    assert [cosignature_timestamp(signature) for signature in seen] == [TIME]


def test_extension_lines() -> None:
    ed, ml = ed_cosigner(), ml_cosigner()
    ed_verifier, ml_verifier = verifier_for(ed.verifier_key), verifier_for(ml.verifier_key)
    ed_verifier.verify(EXTENDED, ed.sign(EXTENDED))
    ml_verifier.verify(EXTENDED, ml.sign(EXTENDED))
    # Ed25519 covers them; ML-DSA-44, says the spec, makes no statement about them.
    with pytest.raises(VerificationError):
        ed_verifier.verify(EXTENDED, ed.sign(TEXT))
    ml_verifier.verify(EXTENDED, ml.sign(TEXT))


def test_ml_dsa_44_names_its_signer() -> None:
    signature = ml_cosigner("one").sign(TEXT)
    other = ml_cosigner("two")
    with pytest.raises(VerificationError):
        verifier_for(other.verifier_key).verify(TEXT, signature)


@pytest.mark.parametrize("make", [ed_cosigner, ml_cosigner])
def test_times(make: MakeCosigner) -> None:
    for time in (0, TIMESTAMP_MAX):
        signature = make("w", time).sign(TEXT)
        verifier_for(make("w", time).verifier_key).verify(TEXT, signature)
        assert cosignature_timestamp(NoteSignature("w", b"abcd", signature)) == time
    for bad in (-1, TIMESTAMP_MAX + 1, True, 1.5, None):
        with pytest.raises(MalformedError, match="time"):
            make("w", bad).sign(TEXT)


def test_a_published_cosignature_has_its_time() -> None:
    line = (
        "— w ZGhGuQAAAABm/qTPeyKXD+R2rzyQsxPiP8mXum7qq/iF0u4vanlqJyocWODBt97w9uL+8qT7S5gxEHWWOworD"
    )
    (signature,) = parse_signatures((line + "cFiEBYJXORmnFBOBA==\n").encode())
    assert cosignature_timestamp(signature) == 1727964367


@pytest.mark.parametrize("signature", [b"", bytes(8), b"\x80" + bytes(71), b"\xff" * 72])
def test_times_that_cannot_be_read(signature: bytes) -> None:
    with pytest.raises(VerificationError, match=r"time below 2\*\*63"):
        cosignature_timestamp(NoteSignature("w", b"abcd", signature))


@pytest.mark.parametrize("make", [ed_cosigner, ml_cosigner])
def test_only_checkpoints_are_cosigned(
    make: MakeCosigner,
) -> None:
    for text in (b"hello\n", b"", TEXT[:-1], TEXT + b"\n", b"\xff\n1\n\n"):
        with pytest.raises(MalformedError):
            make().sign(text)


def test_long_names() -> None:
    fits, too_long = "é" * 127 + "w", "é" * 128
    signature = ml_cosigner(fits).sign(TEXT)
    verifier_for(ml_cosigner(fits).verifier_key).verify(TEXT, signature)
    with pytest.raises(MalformedError, match="at most 255 bytes for ML-DSA-44, got 256"):
        ml_cosigner(too_long)
    key = VerifierKey(too_long, SignatureType.ML_DSA_44, ML_KEY.public_key().public_bytes_raw())
    with pytest.raises(MalformedError, match="at most 255 bytes"):
        verifier_for(key)
    # Ed25519 cosignatures do not sign the name, so nothing limits it here.
    verifier_for(ed_cosigner(too_long).verifier_key).verify(TEXT, ed_cosigner(too_long).sign(TEXT))


def test_each_type_has_its_verifier() -> None:
    log = Ed25519Signer(ORIGIN, ED_KEY).verifier_key
    ed, ml = ed_cosigner().verifier_key, ml_cosigner().verifier_key
    assert type(verifier_for(log)) is Ed25519Verifier
    assert type(verifier_for(ed)) is CosignatureVerifier
    assert type(verifier_for(ml)) is MlDsa44Verifier
    for wrong in (log, ml):
        with pytest.raises(MalformedError, match="type 0x04"):
            CosignatureVerifier(wrong)
    for wrong in (log, ed):
        with pytest.raises(MalformedError, match="type 0x06"):
            MlDsa44Verifier(wrong)


def test_one_key_has_different_ids_by_type() -> None:
    assert Ed25519Signer("w", ED_KEY).key_id != ed_cosigner("w").key_id


def test_representations_show_no_key() -> None:
    for one in (ed_cosigner(), ml_cosigner()):
        shown = f"('witness.example/w1', key id {one.key_id.hex()})"
        assert repr(one) == type(one).__name__ + shown
        verifier = verifier_for(one.verifier_key)
        assert repr(verifier) == type(verifier).__name__ + shown
        assert not hasattr(one, "__dict__")


def test_a_machine_without_ml_dsa_44_cannot_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    key = ml_cosigner().verifier_key

    def unsupported(data: bytes) -> NoReturn:
        raise UnsupportedAlgorithm("not here")

    monkeypatch.setattr(MLDSA44PublicKey, "from_public_bytes", unsupported)
    with pytest.raises(UndecidedError, match="OpenSSL of this machine") as caught:
        verifier_for(key)
    assert caught.value.code == "unsupported_algorithm"
