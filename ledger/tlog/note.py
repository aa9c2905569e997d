"""Signed notes: text with signature lines, and the keys that make and check them.

A signed note is UTF-8 text ending in a newline, an empty line, and one or more
lines ``— <key name> <base64(4-byte key id || signature)>`` whose dash is U+2014
(c2sp.org/signed-note). Checkpoints are such notes. A key's name and id together
say which key signed and how; signatures by keys that nobody asked for are left
alone, and one by a known key that fails condemns the whole note.

This module holds Ed25519 signatures over the text (type 0x01); the types of
witnesses and the post-quantum type are in ``cosignature``, and so is
``verifier_for``, which picks a verifier by type.
"""

from __future__ import annotations

import binascii
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ledger.errors import MalformedError, UnknownSignerError, VerificationError

SIGNATURES_MAX = 64
"""Signature lines in a note; the spec asks for at least 16."""

NOTE_BYTES_MAX = 1_048_576
"""Bytes in a note: room for ``SIGNATURES_MAX`` post-quantum signatures."""

VERIFIER_KEY_CHARS_MAX = 4_096
"""Characters in a written verifier key; one of ML-DSA-44 has about 1,800."""

KEY_ID_BYTES = 4
"""Bytes in a key id."""


class SignatureType(IntEnum):
    """The signature types that the log uses, as numbered by c2sp.org/signed-note."""

    ED25519 = 0x01
    COSIGNATURE_ED25519 = 0x04
    ML_DSA_44 = 0x06


PUBLIC_KEY_BYTES: dict[int, int] = {
    SignatureType.ED25519: 32,
    SignatureType.COSIGNATURE_ED25519: 32,
    SignatureType.ML_DSA_44: 1312,
}
"""Bytes in a public key of each type."""

_SIGNATURE_PREFIX = "\u2014 "
_CONTROL = re.compile(rb"[\x00-\x09\x0b-\x1f]")
# Lone surrogates cannot be written in UTF-8.
_KEY_NAME = re.compile(r"[^\s+\x00-\x1f\ud800-\udfff]+")


def key_id(name: str, signature_type: int, public_key: bytes) -> bytes:
    """Compute a key's id: SHA-256(name || 0x0A || type || public key)[:4].

    Raises:
        MalformedError: the name cannot be a key name, or the type is no byte.
    """
    check_key_name(name)
    if not isinstance(signature_type, int) or not 0 <= signature_type <= 0xFF:
        raise MalformedError("expected a signature type from 0 to 255, one byte")
    encoded = b"%b\n%c%b" % (name.encode(), signature_type, public_key)
    return hashlib.sha256(encoded).digest()[:KEY_ID_BYTES]


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key with the name it signs under and its signature type.

    Raises:
        MalformedError: the name cannot be a key name, the type is unknown, or the
            key has not the length of its type.
    """

    name: str
    signature_type: int
    public_key: bytes

    def __post_init__(self) -> None:
        """Check the parts, so that every instance is usable."""
        check_key_name(self.name)
        expected = PUBLIC_KEY_BYTES.get(self.signature_type)
        if expected is None:
            known = ", ".join(f"0x{number:02x}" for number in PUBLIC_KEY_BYTES)
            raise MalformedError(
                f"expected a key of a signature type among {known}, got another; "
                "use a key that this program can check"
            )
        if not isinstance(self.public_key, bytes) or len(self.public_key) != expected:
            raise MalformedError(
                f"expected a public key of {expected} bytes for type "
                f"0x{self.signature_type:02x}; pass the raw key that the signer published"
            )

    @property
    def key_id(self) -> bytes:
        """The 4-byte key id."""
        return key_id(self.name, self.signature_type, self.public_key)


def format_verifier_key(key: VerifierKey) -> str:
    """Write a key as ``name+<hex key id>+<base64(type || public key)>``."""
    material = bytes([key.signature_type]) + key.public_key
    return f"{key.name}+{key.key_id.hex()}+{encode_base64(material)}"


def parse_verifier_key(text: str) -> VerifierKey:
    """Read a written verifier key; accepts exactly what ``format_verifier_key`` writes.

    Raises:
        MalformedError: the text is no such key, its type is unknown, or its id
            is not the one computed from name, type and key.
    """
    if not isinstance(text, str) or len(text) > VERIFIER_KEY_CHARS_MAX:
        raise MalformedError(
            f"expected a verifier key as text of at most {VERIFIER_KEY_CHARS_MAX} characters"
        )
    # Base64 may itself contain a plus; name and id cannot.
    parts = text.split("+", 2)
    if len(parts) != 3:
        raise MalformedError(
            "expected a verifier key written name+id+base64; copy the whole line, both plus "
            "signs included"
        )
    name, _, encoded = parts
    material = decode_base64(encoded, "verifier key")
    # The constructor checks that the first byte is a known type; 0 is none.
    key = VerifierKey(name, material[0] if material else 0, material[1:])
    if format_verifier_key(key) != text:
        raise MalformedError(
            f"expected the key id {key.key_id.hex()}, in lower-case hex, in the verifier key of "
            f"{name}; the line was changed or mistyped, get it again from the signer"
        )
    return key


class Signer(Protocol):
    """Signs notes with one key."""

    @property
    def name(self) -> str:
        """The key's name."""

    @property
    def key_id(self) -> bytes:
        """The 4-byte key id."""

    def sign(self, text: bytes) -> bytes:
        """Sign a note's text (its final newline included); gives the bytes after the key id."""


class Verifier(Protocol):
    """Checks the signatures of one key."""

    @property
    def name(self) -> str:
        """The key's name."""

    @property
    def key_id(self) -> bytes:
        """The 4-byte key id."""

    def verify(self, text: bytes, signature: bytes) -> None:
        """Raise VerificationError unless this key made ``signature`` over ``text``."""


class Ed25519Signer:
    """Signs note texts with Ed25519 (type 0x01); the key stays out of its repr.

    Args:
        name: The key's name; a log uses its origin.
        private_key: The key.

    Raises:
        MalformedError: the name cannot be a key name.
    """

    __slots__ = ("_private_key", "key_id", "name", "verifier_key")

    def __init__(self, name: str, private_key: Ed25519PrivateKey) -> None:
        public_key = private_key.public_key().public_bytes_raw()
        self._private_key = private_key
        self.verifier_key = VerifierKey(name, SignatureType.ED25519, public_key)
        self.name = name
        self.key_id = self.verifier_key.key_id

    def __repr__(self) -> str:
        return f"Ed25519Signer({self.name!r}, key id {self.key_id.hex()})"

    def sign(self, text: bytes) -> bytes:
        """Sign a note's text; gives the 64-byte signature (RFC 8032)."""
        return self._private_key.sign(text)


class Ed25519Verifier:
    """Checks Ed25519 signatures over note texts (type 0x01).

    Raises:
        MalformedError: the key is of another type.
    """

    __slots__ = ("_public_key", "key", "key_id", "name")

    def __init__(self, key: VerifierKey) -> None:
        check_key_type(key, SignatureType.ED25519)
        self._public_key = Ed25519PublicKey.from_public_bytes(key.public_key)
        self.key = key
        self.name = key.name
        self.key_id = key.key_id

    def __repr__(self) -> str:
        return f"Ed25519Verifier({self.name!r}, key id {self.key_id.hex()})"

    def verify(self, text: bytes, signature: bytes) -> None:
        """Raise VerificationError unless this key made the 64-byte signature over ``text``."""
        verify_ed25519(self._public_key, signature, text, self.name)


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line: key name, 4-byte key id, and the signature after the id."""

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """An opened note.

    Attributes:
        text: The signed text, its final newline included.
        signatures: Every signature line in order, known or not.
        verified: Those that a given verifier has verified, one for each key.
    """

    text: bytes
    signatures: tuple[NoteSignature, ...]
    verified: tuple[NoteSignature, ...]


def split_note(data: bytes) -> tuple[bytes, tuple[NoteSignature, ...]]:
    """Split a note into its text and its signatures; verifies nothing.

    Args:
        data: The whole note.

    Returns:
        The text with its final newline, and every signature line in order.

    Raises:
        MalformedError: the bytes are not a signed note of at most
            ``NOTE_BYTES_MAX`` bytes and ``SIGNATURES_MAX`` signatures.
    """
    _check_note_bytes(data, "note")
    # The last empty line separates: the text may hold empty lines of its own.
    text, separator, block = data.rpartition(b"\n\n")
    if not separator:
        raise MalformedError(
            "expected an empty line between a note's text and its signatures; "
            "pass the whole signed note"
        )
    return text + b"\n", parse_signatures(block)


def parse_signatures(block: bytes) -> tuple[NoteSignature, ...]:
    """Read signature lines, as they end a note or as a witness answers.

    Raises:
        MalformedError: the bytes are not 1 to ``SIGNATURES_MAX`` signature lines.
    """
    _check_note_bytes(block, "signature block")
    lines = block.split(b"\n")
    if lines.pop() != b"" or not lines:
        raise MalformedError("expected signature lines, each ended by a newline")
    if len(lines) > SIGNATURES_MAX:
        raise MalformedError(
            f"expected at most {SIGNATURES_MAX} signatures, got {len(lines)}; refuse the note"
        )
    return tuple(_parse_signature(line.decode()) for line in lines)


def format_signature(signature: NoteSignature) -> bytes:
    """Write one signature line, its newline included.

    Raises:
        MalformedError: the name cannot be a key name, or the lengths are wrong.
    """
    check_key_name(signature.name)
    if len(signature.key_id) != KEY_ID_BYTES or not signature.signature:
        raise MalformedError(
            f"expected a key id of {KEY_ID_BYTES} bytes and a signature of at least one"
        )
    encoded = encode_base64(signature.key_id + signature.signature)
    return f"{_SIGNATURE_PREFIX}{signature.name} {encoded}\n".encode()


def open_note(data: bytes, verifiers: Sequence[Verifier]) -> Note:
    """Open a note: verify the signatures of known keys, leave the others alone.

    As in golang.org/x/mod/sumdb/note, only the first signature by each known key
    counts and is verified; later ones by that key are passed over.

    Args:
        data: The whole note.
        verifiers: The known keys.

    Raises:
        MalformedError: the bytes are not a signed note, or two verifiers share
            the name and key id of one of its signatures.
        VerificationError: a known key's signature fails.
        UnknownSignerError: no signature is by a known key.
    """
    text, signatures = split_note(data)
    known: dict[tuple[str, bytes], list[Verifier]] = {}
    for verifier in verifiers:
        known.setdefault((verifier.name, verifier.key_id), []).append(verifier)
    verified: dict[tuple[str, bytes], NoteSignature] = {}
    for signature in signatures:
        identity = (signature.name, signature.key_id)
        candidates = known.get(identity)
        if candidates is None or identity in verified:
            continue
        if len(candidates) > 1:
            raise MalformedError(
                f"expected one verifier for the key {signature.name}+{signature.key_id.hex()}, "
                f"got {len(candidates)}; remove the others from the known keys"
            )
        candidates[0].verify(text, signature.signature)
        verified[identity] = signature
    if not verified:
        raise UnknownSignerError(
            f"none of the note's {len(signatures)} signatures is by one of the "
            f"{len(verifiers)} known keys; add the key you trust, if it is among them"
        )
    return Note(text, signatures, tuple(verified.values()))


def sign_note(text: bytes, signers: Sequence[Signer]) -> bytes:
    """Sign a text with every signer and write the note.

    Args:
        text: The text, ending in a newline; UTF-8 without control characters.
        signers: At least one, each with a key of its own.

    Raises:
        MalformedError: the text cannot be a note's text, or the signers do not fit.
    """
    _check_note_bytes(text, "note text")
    if not text.endswith(b"\n"):
        raise MalformedError("expected a note text that ends in a newline; add one")
    signatures = [
        NoteSignature(signer.name, signer.key_id, signer.sign(text)) for signer in signers
    ]
    if not 1 <= len(signatures) <= SIGNATURES_MAX:
        raise MalformedError(f"expected 1 to {SIGNATURES_MAX} signers, got {len(signatures)}")
    if len({(signature.name, signature.key_id) for signature in signatures}) < len(signatures):
        raise MalformedError("expected signers with different keys, got one key twice")
    return _join_note(text, signatures)


def add_signatures(data: bytes, signatures: Iterable[NoteSignature]) -> bytes:
    """Add signatures to a note, such as the cosignatures that a witness returned.

    Where the note already has a signature by the same key, the new one replaces
    it; the new ones stand last. Nothing is verified: pass verified signatures.

    Raises:
        MalformedError: the bytes are not a signed note, or it would become too large.
    """
    text, present = split_note(data)
    added = {(signature.name, signature.key_id): signature for signature in signatures}
    kept = [signature for signature in present if (signature.name, signature.key_id) not in added]
    together = [*kept, *added.values()]
    if len(together) > SIGNATURES_MAX:
        raise MalformedError(
            f"expected at most {SIGNATURES_MAX} signatures, got {len(together)}; "
            "drop some cosignatures"
        )
    return _join_note(text, together)


def encode_base64(data: bytes) -> str:
    """Write bytes in standard base64 with padding (RFC 4648 section 4)."""
    return binascii.b2a_base64(data, newline=False).decode("ascii")


def decode_base64(text: str, what: str) -> bytes:
    """Read standard base64 strictly: only the text that ``encode_base64`` writes.

    Args:
        text: The encoded text.
        what: What it holds, for the error message.

    Raises:
        MalformedError: other characters, wrong padding, or padding bits set.
    """
    try:
        data = binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        data = None
    if data is None or encode_base64(data) != text:
        raise MalformedError(
            f"expected the {what} in standard base64 with padding (RFC 4648 section 4); "
            "copy it again unchanged"
        )
    return data


def check_key_name(name: str) -> None:
    """Raise MalformedError unless ``name`` can be a key's name.

    It must be non-empty UTF-8 without Unicode spaces and plus signs
    (c2sp.org/signed-note), nor control characters, which no note may contain.
    """
    if not isinstance(name, str) or not _KEY_NAME.fullmatch(name):
        raise MalformedError(
            "expected a key name without spaces, plus signs and control characters, not empty; "
            "use a form such as example.com/log"
        )


def check_key_type(key: VerifierKey, signature_type: SignatureType) -> None:
    """Raise MalformedError unless the key has the signature type."""
    if key.signature_type != signature_type:
        raise MalformedError(
            f"expected a key of type 0x{signature_type:02x}, got 0x{key.signature_type:02x} for "
            f"{key.name}; pick the verifier with verifier_for"
        )


def verify_ed25519(
    public_key: Ed25519PublicKey, signature: bytes, message: bytes, name: str
) -> None:
    """Raise VerificationError unless the signature over the message is by the key ``name``."""
    try:
        public_key.verify(signature, message)
    except InvalidSignature:
        raise VerificationError(
            f"the signature by {name} does not fit the text; the note was changed, or it was "
            "signed by another key with the same name and key id"
        ) from None


def _parse_signature(line: str) -> NoteSignature:
    """Read one signature line without its newline."""
    name, separator, encoded = line.removeprefix(_SIGNATURE_PREFIX).partition(" ")
    if not line.startswith(_SIGNATURE_PREFIX) or not separator:
        raise MalformedError(
            "expected a signature line of an em dash, a key name and base64, separated by "
            "single spaces; the note was cut or changed"
        )
    check_key_name(name)
    data = decode_base64(encoded, "signature")
    if len(data) <= KEY_ID_BYTES:
        raise MalformedError(
            f"expected a signature of more than {KEY_ID_BYTES} bytes, got {len(data)}; "
            "the note was cut"
        )
    return NoteSignature(name, data[:KEY_ID_BYTES], data[KEY_ID_BYTES:])


def _join_note(text: bytes, signatures: Iterable[NoteSignature]) -> bytes:
    """Write a note from its checked text and its signatures."""
    data = b"".join([text, b"\n", *map(format_signature, signatures)])
    _check_note_bytes(data, "note")
    return data


def _check_note_bytes(data: bytes, what: str) -> None:
    """Raise MalformedError for bytes that no note may contain, or too many of them."""
    if not isinstance(data, bytes):
        raise MalformedError(f"expected the {what} as bytes, got {type(data).__name__}")
    if len(data) > NOTE_BYTES_MAX:
        raise MalformedError(
            f"expected a {what} of at most {NOTE_BYTES_MAX} bytes, got {len(data)}; refuse it"
        )
    if _CONTROL.search(data):
        raise MalformedError(
            f"expected a {what} without control characters other than newline; "
            "the file was converted or damaged, get it again"
        )
    try:
        data.decode()
    except UnicodeDecodeError:
        raise MalformedError(
            f"expected the {what} in UTF-8; the file was converted or damaged, get it again"
        ) from None
