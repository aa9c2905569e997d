"""Signed notes: keys, signing, adding signatures, limits."""

from __future__ import annotations

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.errors import MalformedError, UnknownSignerError, VerificationError
from ledger.tlog.note import (
    NOTE_BYTES_MAX,
    SIGNATURES_MAX,
    VERIFIER_KEY_CHARS_MAX,
    Ed25519Signer,
    Ed25519Verifier,
    NoteSignature,
    SignatureType,
    VerifierKey,
    add_signatures,
    check_key_name,
    decode_base64,
    encode_base64,
    format_signature,
    format_verifier_key,
    key_id,
    open_note,
    parse_signatures,
    parse_verifier_key,
    sign_note,
    split_note,
)

# The seed, text and signature printed in the documentation of golang.org/x/mod/sumdb/note,
# under another name, which changes the key id and nothing else.
AUTHOR_SEED = base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
AUTHOR_KEY = "quote.author+3cd95063+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
TEXT = (
    b"If you think cryptography is the answer to your problem,\n"
    b"then you don't know what your problem is.\n"
)
AUTHOR_NOTE = (
    TEXT.decode() + "\n— quote.author PNlQY/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZS"
    "NXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
).encode()


def signer(name: str, seed: bytes = AUTHOR_SEED) -> Ed25519Signer:
    return Ed25519Signer(name, Ed25519PrivateKey.from_private_bytes(seed))


AUTHOR = signer("quote.author")
OTHER = signer("example.com/log", bytes(32))


def test_the_published_note_is_reproduced() -> None:
    assert format_verifier_key(AUTHOR.verifier_key) == AUTHOR_KEY
    assert sign_note(TEXT, [AUTHOR]) == AUTHOR_NOTE
    note = open_note(AUTHOR_NOTE, [Ed25519Verifier(parse_verifier_key(AUTHOR_KEY))])
    assert note.text == TEXT
    assert note.verified == note.signatures
    assert (note.verified[0].name, note.verified[0].key_id.hex()) == ("quote.author", "3cd95063")


def test_every_change_of_the_published_key_is_refused() -> None:
    for start in range(len(AUTHOR_KEY) + 1):
        for end in range(start + 1, len(AUTHOR_KEY) + 1):
            if (start, end) != (0, len(AUTHOR_KEY)):
                with pytest.raises(MalformedError):
                    parse_verifier_key(AUTHOR_KEY[start:end])
    for at, letter in enumerate(AUTHOR_KEY):
        with pytest.raises(MalformedError):
            parse_verifier_key(AUTHOR_KEY[:at] + chr(ord(letter) + 1) + AUTHOR_KEY[at + 1 :])


def test_key_id_is_the_hash_of_the_spec() -> None:
    digest = hashlib.sha256("日志".encode() + b"\n\x04" + bytes(32)).digest()
    assert key_id("日志", 4, bytes(32)) == digest[:4]
    assert key_id("日志", SignatureType.COSIGNATURE_ED25519, bytes(32)) == digest[:4]
    for number in (0, 255):
        digest = hashlib.sha256(b"name\n" + bytes([number]) + b"key").digest()
        assert key_id("name", number, b"key") == digest[:4]


@pytest.mark.parametrize("number", [-1, 256, 10**400, "1", None, 1.5])
def test_key_id_refuses_types_that_are_no_byte(number: int) -> None:
    with pytest.raises(MalformedError):
        key_id("name", number, b"key")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a b",
        "a+b",
        "a\nb",
        "a\tb",
        "a\u00a0b",
        "a\u3000",
        "a\u2028b",
        "\x00",
        "\ud800",
        None,
        7,
    ],
)
def test_names_that_no_key_can_have(name: str) -> None:
    with pytest.raises(MalformedError, match="key name"):
        check_key_name(name)
    with pytest.raises(MalformedError):
        VerifierKey(name, SignatureType.ED25519, bytes(32))
    with pytest.raises(MalformedError):
        key_id(name, 1, bytes(32))
    with pytest.raises(MalformedError):
        format_signature(NoteSignature(name, bytes(4), b"x"))


@pytest.mark.parametrize("name", ["a", "例え.example/日志", "a\u200bb", "a\x7fb", "—"])
def test_names_that_a_key_can_have(name: str) -> None:
    check_key_name(name)
    data = sign_note(TEXT, [signer(name)])
    assert open_note(data, [Ed25519Verifier(signer(name).verifier_key)]).verified[0].name == name


@pytest.mark.parametrize(
    ("signature_type", "public_key"),
    [(0, bytes(32)), (2, bytes(32)), (1, bytes(31)), (1, b""), (4, bytes(33)), (6, bytes(32))],
)
def test_verifier_keys_that_cannot_be(signature_type: int, public_key: bytes) -> None:
    with pytest.raises(MalformedError):
        VerifierKey("name", signature_type, public_key)


def test_verifier_keys_are_bytes_and_text() -> None:
    with pytest.raises(MalformedError):
        VerifierKey("name", 1, "k" * 32)  # type: ignore[arg-type]
    with pytest.raises(MalformedError):
        parse_verifier_key(AUTHOR_KEY.encode())  # type: ignore[arg-type]


def test_a_verifier_takes_its_own_type_only() -> None:
    key = VerifierKey("name", SignatureType.COSIGNATURE_ED25519, bytes(32))
    with pytest.raises(MalformedError, match="type 0x01, got 0x04"):
        Ed25519Verifier(key)


def test_representations_show_no_key() -> None:
    secret = signer("name", b"\x07" * 32)
    assert repr(secret) == f"Ed25519Signer('name', key id {secret.key_id.hex()})"
    verifier = Ed25519Verifier(secret.verifier_key)
    assert repr(verifier) == f"Ed25519Verifier('name', key id {secret.key_id.hex()})"
    assert not hasattr(secret, "__dict__")


def test_signatures_stand_in_the_order_of_the_signers() -> None:
    data = sign_note(TEXT, [OTHER, AUTHOR])
    text, signatures = split_note(data)
    assert text == TEXT
    assert [signature.name for signature in signatures] == ["example.com/log", "quote.author"]
    verifiers = [Ed25519Verifier(one.verifier_key) for one in (AUTHOR, OTHER)]
    assert open_note(data, verifiers).verified == signatures


@pytest.mark.parametrize("text", [b"\n", b"\n\n\n", b"a\n\nb\n", "è\n".encode(), b"\x7f\n"])
def test_texts_with_empty_lines(text: bytes) -> None:
    note = open_note(sign_note(text, [AUTHOR]), [Ed25519Verifier(AUTHOR.verifier_key)])
    assert note.text == text


@pytest.mark.parametrize("text", [b"", b"abc", b"a\rb\n", b"\x00\n", b"\xff\n", "a\n", None])
def test_texts_that_cannot_be_signed(text: bytes) -> None:
    with pytest.raises(MalformedError):
        sign_note(text, [AUTHOR])


def test_signers_that_do_not_fit() -> None:
    with pytest.raises(MalformedError, match="1 to 64 signers, got 0"):
        sign_note(TEXT, [])
    with pytest.raises(MalformedError, match="one key twice"):
        sign_note(TEXT, [AUTHOR, AUTHOR])
    with pytest.raises(MalformedError, match="got 65"):
        sign_note(TEXT, [signer(f"name{number}") for number in range(65)])


def test_limits_admit_what_the_spec_demands() -> None:
    large = [NoteSignature(f"witness{n}.example", bytes([n] * 4), bytes(5000)) for n in range(16)]
    data = add_signatures(AUTHOR_NOTE, large)
    note = open_note(data, [Ed25519Verifier(AUTHOR.verifier_key)])
    assert note.signatures[1:] == tuple(large)


def test_limits_hold() -> None:
    def lines(count: int, size: int) -> list[NoteSignature]:
        return [NoteSignature(f"w{number}", bytes(4), bytes(size)) for number in range(count)]

    full = add_signatures(AUTHOR_NOTE, lines(SIGNATURES_MAX - 1, 1))
    assert len(split_note(full)[1]) == SIGNATURES_MAX
    with pytest.raises(MalformedError, match="at most 64 signatures, got 65"):
        add_signatures(AUTHOR_NOTE, lines(SIGNATURES_MAX, 1))
    with pytest.raises(MalformedError, match=f"at most {NOTE_BYTES_MAX} bytes"):
        add_signatures(AUTHOR_NOTE, lines(50, 20_000))
    with pytest.raises(MalformedError, match=f"at most {NOTE_BYTES_MAX} bytes"):
        sign_note(b"a" * (NOTE_BYTES_MAX - 1) + b"\n", [AUTHOR])
    with pytest.raises(MalformedError, match=f"at most {NOTE_BYTES_MAX} bytes"):
        open_note(b"a" * (NOTE_BYTES_MAX + 1), [])


def test_limits_are_reached_exactly() -> None:
    overhead = len(sign_note(b"\n", [AUTHOR])) - 1
    text = b"a" * (NOTE_BYTES_MAX - overhead - 1) + b"\n"
    data = sign_note(text, [AUTHOR])
    assert len(data) == NOTE_BYTES_MAX
    assert open_note(data, [Ed25519Verifier(AUTHOR.verifier_key)]).text == text
    with pytest.raises(MalformedError, match="at most"):
        sign_note(b"a" + text, [AUTHOR])
    longest = "n" * (VERIFIER_KEY_CHARS_MAX - len(format_verifier_key(AUTHOR.verifier_key)) + 12)
    written = format_verifier_key(signer(longest).verifier_key)
    assert len(written) == VERIFIER_KEY_CHARS_MAX
    assert parse_verifier_key(written) == signer(longest).verifier_key
    with pytest.raises(MalformedError, match="at most 4096 characters"):
        parse_verifier_key(format_verifier_key(signer("n" + longest).verifier_key))


def test_added_signatures_replace_those_by_the_same_key() -> None:
    first = NoteSignature("witness", b"\x00\x00\x00\x01", b"old")
    other_key = NoteSignature("witness", b"\x00\x00\x00\x02", b"other")
    newer = NoteSignature("witness", b"\x00\x00\x00\x01", b"new")
    data = add_signatures(AUTHOR_NOTE, [first, other_key])
    assert split_note(data)[1][1:] == (first, other_key)
    assert split_note(add_signatures(data, [newer]))[1][1:] == (other_key, newer)
    assert add_signatures(data, []) == data
    assert add_signatures(AUTHOR_NOTE, [first, newer]) == add_signatures(AUTHOR_NOTE, [newer])


def test_a_witness_answer_is_parsed_as_lines() -> None:
    signatures = (NoteSignature("w1", b"abcd", b"x"), NoteSignature("w2", b"efgh", b"y"))
    block = b"".join(map(format_signature, signatures))
    assert parse_signatures(block) == signatures
    for bad in (b"", b"\n", block[:-1], block + b"\n", block + b"x\n", "text", None):
        with pytest.raises(MalformedError):
            parse_signatures(bad)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "signature",
    [
        NoteSignature("w", b"abc", b"x"),
        NoteSignature("w", b"abcde", b"x"),
        NoteSignature("w", b"abcd", b""),
    ],
)
def test_signatures_that_cannot_be_written(signature: NoteSignature) -> None:
    with pytest.raises(MalformedError, match="key id of 4 bytes"):
        format_signature(signature)


def test_every_flipped_bit_of_a_note_is_noticed() -> None:
    data = sign_note(b"a\n", [AUTHOR])
    verifiers = [Ed25519Verifier(AUTHOR.verifier_key)]
    for bit in range(len(data) * 8):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises((MalformedError, VerificationError, UnknownSignerError)):
            open_note(bytes(changed), verifiers)


def test_verifying_without_a_fitting_key_is_undecided() -> None:
    with pytest.raises(UnknownSignerError, match="none of the note's 1 signatures"):
        open_note(AUTHOR_NOTE, [Ed25519Verifier(OTHER.verifier_key)])


def test_a_text_signature_of_another_length_fails() -> None:
    verifier = Ed25519Verifier(AUTHOR.verifier_key)
    for bad in (b"", bytes(63), bytes(65), AUTHOR.sign(TEXT) + b"\x00"):
        with pytest.raises(VerificationError, match=r"quote\.author"):
            verifier.verify(TEXT, bad)


@pytest.mark.parametrize(
    "text", ["YQ", "YQ=", "YQ===", "YR==", "Y Q==", "YQ==\n", "é", "-_-_", "=", "YQ==YQ=="]
)
def test_base64_has_one_form(text: str) -> None:
    with pytest.raises(MalformedError, match="the thing in standard base64"):
        decode_base64(text, "thing")


def test_base64_round_trip() -> None:
    for length in range(70):
        data = bytes(range(length))
        assert decode_base64(encode_base64(data), "thing") == data
        assert encode_base64(data) == base64.b64encode(data).decode()
