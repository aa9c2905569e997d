"""Keys of a log, made from a number: the same in every run."""

from __future__ import annotations

import hashlib
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ledger.tlog.note import SignatureType, VerifierKey, format_verifier_key


def private_key(number: int) -> Ed25519PrivateKey:
    """The Ed25519 key of a number."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"key %d" % number).digest())


def verifier_key(number: int, name: str) -> VerifierKey:
    """Its verifier key under a name."""
    public_key = private_key(number).public_key().public_bytes_raw()
    return VerifierKey(name, SignatureType.ED25519, public_key)


def key_text(number: int, name: str) -> str:
    """That, written."""
    return format_verifier_key(verifier_key(number, name))


def key_id(number: int, name: str) -> str:
    """Its id in hex."""
    return verifier_key(number, name).key_id.hex()


def pem(number: int) -> bytes:
    """Its private key as a key file in clear."""
    return private_key(number).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def put_key(number: int, path: Path) -> Path:
    """Write the key file."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.write_bytes(pem(number))
    path.chmod(0o600)
    return path
