"""A witness's private key as one line of text, readable by its owner only::

    PRIVATE+KEY+<name>+<8 hex digits of the key id>+<base64(type || 32-byte seed)>

The form is that of golang.org/x/mod/sumdb/note, with the signature types of
c2sp.org/tlog-cosignature: 0x04 (Ed25519) or 0x06 (ML-DSA-44).
"""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from ledger.errors import ConflictError, MalformedError, NotFoundError, UndecidedError
from ledger.tlog.cosignature import Clock, CosignatureSigner, MlDsa44Signer
from ledger.tlog.note import SignatureType, decode_base64, encode_base64

CosigningSigner = CosignatureSigner | MlDsa44Signer

SEED_BYTES = 32
KEY_FILE_BYTES_MAX = 4_096

_PREFIX = "PRIVATE+KEY+"


def create_key(path: Path, name: str, signature_type: SignatureType, clock: Clock) -> str:
    """Make a key and write it to a new file; gives nothing but what the file holds.

    Returns:
        The line that was written.

    Raises:
        ConflictError: the file is there already; a key is never overwritten.
        MalformedError: the name cannot be a key name, or witnesses use no such type.
        UndecidedError: this machine's OpenSSL has no ML-DSA-44.
    """
    seed = os.urandom(SEED_BYTES)
    signer = _signer(name, signature_type, seed, clock)
    material = encode_base64(bytes([signature_type]) + seed)
    line = f"{_PREFIX}{name}+{signer.key_id.hex()}+{material}\n"
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ConflictError(f"{path} is there already; choose another file for the key") from None
    except OSError as error:
        raise NotFoundError(f"{path} cannot be written: {error.strerror}") from None
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(line)
        file.flush()
        os.fsync(file.fileno())
    return line


def read_key(path: Path, clock: Clock) -> CosigningSigner:
    """The signer whose key a file holds.

    Raises:
        NotFoundError: no such file, or it cannot be read.
        MalformedError: not a witness's key.
        UndecidedError: this machine's OpenSSL has no ML-DSA-44.
    """
    try:
        with path.open("rb") as file:
            data = file.read(KEY_FILE_BYTES_MAX)
    except OSError as error:
        raise NotFoundError(f"{path} cannot be read: {error.strerror}") from None
    wrong = MalformedError(
        f"{path}: expected a witness's key, one line that begins with {_PREFIX}; "
        "`shanji witness key` makes one"
    )
    parts = data.decode("utf-8", "replace").removesuffix("\n").split("+", 4)
    if len(parts) != 5 or parts[:2] != ["PRIVATE", "KEY"]:
        raise wrong
    try:
        material = decode_base64(parts[4], "key")
    except MalformedError:
        raise wrong from None
    if len(material) != 1 + SEED_BYTES:
        raise wrong
    signer = _signer(parts[2], material[0], material[1:], clock)
    if signer.key_id.hex() != parts[3]:
        raise wrong
    return signer


def _signer(name: str, signature_type: int, seed: bytes, clock: Clock) -> CosigningSigner:
    if signature_type == SignatureType.COSIGNATURE_ED25519:
        return CosignatureSigner(name, Ed25519PrivateKey.from_private_bytes(seed), clock)
    if signature_type != SignatureType.ML_DSA_44:
        raise MalformedError(
            f"expected a witness's key of type 0x04 or 0x06, got 0x{signature_type:02x}"
        )
    try:
        return MlDsa44Signer(name, MLDSA44PrivateKey.from_seed_bytes(seed), clock)
    except UnsupportedAlgorithm:
        raise UndecidedError(
            "the OpenSSL of this machine has no ML-DSA-44; make an Ed25519 key, or use a newer "
            "OpenSSL (3.5)",
            code="unsupported_algorithm",
        ) from None
