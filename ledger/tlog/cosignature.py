"""Timestamped signatures over checkpoints: witnesses' and post-quantum ones.

A cosignature states that its signer saw a log grow to a checkpoint and only
grow (c2sp.org/tlog-cosignature). It is a note signature of a timestamp (8 bytes,
big-endian seconds since 1970) followed by the signature proper, which covers
more than the note's text:

- Ed25519 (type 0x04) signs ``cosignature/v1``, the time and the whole text,
  extension lines included.
- ML-DSA-44 (type 0x06) signs a binary structure of the signer's name, the time,
  and the checkpoint's origin, size and root. It does not cover extension lines:
  the spec makes no statement about them, and our checkpoints have none. A log
  may sign its own checkpoints with it, beside Ed25519.

The clock is passed in. Whether ML-DSA-44 is there depends on the OpenSSL behind
``cryptography``; where it is not, verifiers raise UndecidedError.
"""

from __future__ import annotations

from collections.abc import Callable

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from ledger.errors import LedgerError, MalformedError, UndecidedError, VerificationError
from ledger.tlog.checkpoint import Checkpoint, parse_checkpoint
from ledger.tlog.merkle import check_integer
from ledger.tlog.note import (
    Ed25519Verifier,
    NoteSignature,
    SignatureType,
    Verifier,
    VerifierKey,
    check_key_type,
    verify_ed25519,
)

TIMESTAMP_MAX = 2**63 - 1
"""Latest time, in seconds since 1970, that a cosignature may carry."""

SIGNER_NAME_BYTES_MAX = 255
"""Bytes in the name of an ML-DSA-44 key; its length is signed as one byte."""

TIMESTAMP_BYTES = 8
"""Bytes of the time that stand before the signature proper."""

Clock = Callable[[], int]
"""Gives the time in whole seconds since 1970."""

_SUBTREE_LABEL = b"subtree/v1\n\x00"


class CosignatureSigner:
    """Cosigns checkpoints with Ed25519 (type 0x04), as a witness does.

    Args:
        name: The witness's key name.
        private_key: A key used for nothing else: what it signs does not name it.
        clock: Gives the time to state.

    Raises:
        MalformedError: the name cannot be a key name.
    """

    __slots__ = ("_clock", "_private_key", "key_id", "name", "verifier_key")

    def __init__(self, name: str, private_key: Ed25519PrivateKey, clock: Clock) -> None:
        public_key = private_key.public_key().public_bytes_raw()
        self._private_key = private_key
        self._clock = clock
        self.verifier_key = VerifierKey(name, SignatureType.COSIGNATURE_ED25519, public_key)
        self.name = name
        self.key_id = self.verifier_key.key_id

    def __repr__(self) -> str:
        return f"CosignatureSigner({self.name!r}, key id {self.key_id.hex()})"

    def sign(self, text: bytes) -> bytes:
        """Cosign a checkpoint's text; gives 72 bytes, the time and the signature.

        Raises:
            MalformedError: the text is no checkpoint, or the clock's time no time.
        """
        parse_checkpoint(text, allow_extensions=True)
        timestamp = self._clock()
        check_integer("time", timestamp, TIMESTAMP_MAX)
        signature = self._private_key.sign(_cosigned_text(timestamp, text))
        return timestamp.to_bytes(TIMESTAMP_BYTES, "big") + signature


class CosignatureVerifier:
    """Checks Ed25519 cosignatures (type 0x04).

    Raises:
        MalformedError: the key is of another type.
    """

    __slots__ = ("_public_key", "key", "key_id", "name")

    def __init__(self, key: VerifierKey) -> None:
        check_key_type(key, SignatureType.COSIGNATURE_ED25519)
        self._public_key = Ed25519PublicKey.from_public_bytes(key.public_key)
        self.key = key
        self.name = key.name
        self.key_id = key.key_id

    def __repr__(self) -> str:
        return f"CosignatureVerifier({self.name!r}, key id {self.key_id.hex()})"

    def verify(self, text: bytes, signature: bytes) -> None:
        """Raise VerificationError unless this key cosigned the checkpoint ``text``."""
        _parse_signed_text(text, self.name)
        timestamp, rest = _split_timestamp(signature, self.name)
        verify_ed25519(self._public_key, rest, _cosigned_text(timestamp, text), self.name)


class MlDsa44Signer:
    """Signs checkpoints with ML-DSA-44 (type 0x06), as a log or as a witness.

    Args:
        name: The key's name, at most 255 bytes; a log uses its origin.
        private_key: The key.
        clock: Gives the time to state. Without one the time is 0: no statement is
            then made that this is the largest tree seen.

    Raises:
        MalformedError: the name cannot be a key name of this type.
    """

    __slots__ = ("_clock", "_private_key", "key_id", "name", "verifier_key")

    def __init__(
        self, name: str, private_key: MLDSA44PrivateKey, clock: Clock | None = None
    ) -> None:
        public_key = private_key.public_key().public_bytes_raw()
        self._private_key = private_key
        self._clock = clock
        self.verifier_key = VerifierKey(name, SignatureType.ML_DSA_44, public_key)
        _check_signer_name(name)
        self.name = name
        self.key_id = self.verifier_key.key_id

    def __repr__(self) -> str:
        return f"MlDsa44Signer({self.name!r}, key id {self.key_id.hex()})"

    def sign(self, text: bytes) -> bytes:
        """Sign a checkpoint's text; gives 2,428 bytes, the time and the signature.

        Raises:
            MalformedError: the text is no checkpoint, or the clock's time no time.
        """
        checkpoint = parse_checkpoint(text, allow_extensions=True)
        timestamp = 0 if self._clock is None else self._clock()
        check_integer("time", timestamp, TIMESTAMP_MAX)
        signature = self._private_key.sign(_cosigned_message(self.name, timestamp, checkpoint))
        return timestamp.to_bytes(TIMESTAMP_BYTES, "big") + signature


class MlDsa44Verifier:
    """Checks ML-DSA-44 signatures over checkpoints (type 0x06).

    Raises:
        MalformedError: the key is of another type, or its name too long for it.
        UndecidedError: this machine's OpenSSL has no ML-DSA-44.
    """

    __slots__ = ("_public_key", "key", "key_id", "name")

    def __init__(self, key: VerifierKey) -> None:
        check_key_type(key, SignatureType.ML_DSA_44)
        _check_signer_name(key.name)
        try:
            self._public_key = MLDSA44PublicKey.from_public_bytes(key.public_key)
        except UnsupportedAlgorithm:
            raise UndecidedError(
                f"the key of {key.name} is of type ML-DSA-44, which the OpenSSL of this machine "
                "does not have; verify with the log's Ed25519 key, or on a newer OpenSSL (3.5)",
                code="unsupported_algorithm",
            ) from None
        self.key = key
        self.name = key.name
        self.key_id = key.key_id

    def __repr__(self) -> str:
        return f"MlDsa44Verifier({self.name!r}, key id {self.key_id.hex()})"

    def verify(self, text: bytes, signature: bytes) -> None:
        """Raise VerificationError unless this key signed the checkpoint ``text``."""
        checkpoint = _parse_signed_text(text, self.name)
        timestamp, rest = _split_timestamp(signature, self.name)
        message = _cosigned_message(self.name, timestamp, checkpoint)
        try:
            self._public_key.verify(rest, message)
        except InvalidSignature:
            raise VerificationError(
                f"the ML-DSA-44 signature by {self.name} does not fit the checkpoint; it was "
                "changed, or signed by another key with the same name and key id"
            ) from None


_VERIFIERS: dict[int, Callable[[VerifierKey], Verifier]] = {
    SignatureType.ED25519: Ed25519Verifier,
    SignatureType.COSIGNATURE_ED25519: CosignatureVerifier,
    SignatureType.ML_DSA_44: MlDsa44Verifier,
}


def verifier_for(key: VerifierKey) -> Verifier:
    """Make the verifier for a key by its signature type.

    Raises:
        MalformedError: the key's name does not fit its type.
        UndecidedError: the type is ML-DSA-44 and this machine has none.
    """
    return _VERIFIERS[key.signature_type](key)


def cosignature_timestamp(signature: NoteSignature) -> int:
    """Read the time that a cosignature states, in seconds since 1970.

    Only for verified signatures of types 0x04 and 0x06; others have no time, and
    their bytes do not show which type they are.

    Raises:
        VerificationError: the signature is too short, or the time out of range.
    """
    return _split_timestamp(signature.signature, signature.name)[0]


def _split_timestamp(signature: bytes, name: str) -> tuple[int, bytes]:
    """Split a cosignature into its time and the signature proper."""
    timestamp = int.from_bytes(signature[:TIMESTAMP_BYTES], "big")
    if len(signature) <= TIMESTAMP_BYTES or timestamp > TIMESTAMP_MAX:
        raise VerificationError(
            f"expected a cosignature by {name} that starts with a time below 2**63; "
            "refuse it, no cosigner may write another"
        )
    return timestamp, signature[TIMESTAMP_BYTES:]


def _parse_signed_text(text: bytes, name: str) -> Checkpoint:
    """Parse the text under a cosignature; one over anything else is simply wrong."""
    try:
        return parse_checkpoint(text, allow_extensions=True)
    except LedgerError as error:
        raise VerificationError(
            f"expected a checkpoint under the cosignature by {name}: {error}"
        ) from error


def _cosigned_text(timestamp: int, text: bytes) -> bytes:
    """Lay out what an Ed25519 cosignature signs."""
    return b"cosignature/v1\ntime %d\n%b" % (timestamp, text)


def _cosigned_message(name: str, timestamp: int, checkpoint: Checkpoint) -> bytes:
    """Lay out what an ML-DSA-44 signature signs, the spec's ``cosigned_message``."""
    signer = name.encode()
    origin = checkpoint.origin.encode()
    return b"".join(
        [
            _SUBTREE_LABEL,
            len(signer).to_bytes(1, "big"),
            signer,
            timestamp.to_bytes(8, "big"),
            len(origin).to_bytes(1, "big"),
            origin,
            # A checkpoint is the subtree from leaf 0 to its size.
            (0).to_bytes(8, "big"),
            checkpoint.size.to_bytes(8, "big"),
            checkpoint.root,
        ]
    )


def _check_signer_name(name: str) -> None:
    """Raise MalformedError for a key name that ML-DSA-44 messages cannot carry."""
    if len(name.encode()) > SIGNER_NAME_BYTES_MAX:
        raise MalformedError(
            f"expected a key name of at most {SIGNER_NAME_BYTES_MAX} bytes for ML-DSA-44, got "
            f"{len(name.encode())}; choose a shorter one"
        )
