"""Key files: read, written durably, converted in place.

::

    log-key.pem       the log's first key; further ones are log-key-<key id>.pem
    *.toml            a signer outside this process (``external``)
    vault.key         the vault's key

Every ``*.pem`` and ``*.toml`` of the folder is a key of the log, or one that is going to be.
A file appears under its name only when it is whole and on the disk; converting one never
leaves the folder without it.
"""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from ledger.errors import ConflictError, MalformedError, NotFoundError, UndecidedError
from ledger.keys.access import KeyAccess
from ledger.keys.sealed import (
    PrivateKey,
    format_private_key,
    format_vault_key,
    is_encrypted,
    parse_private_key,
    parse_vault_key,
)
from ledger.tlog.cosignature import MlDsa44Signer
from ledger.tlog.note import Ed25519Signer

FIRST_KEY = "log-key.pem"
VAULT_KEY = "vault.key"
KEY_FILE_BYTES_MAX = 65_536

KEY_TYPES = ("ed25519", "ml-dsa-44")


def read_key_file(path: Path) -> bytes:
    """A key file's bytes.

    Raises:
        NotFoundError: no such file, or it cannot be read.
        MalformedError: it is too large for a key.
    """
    try:
        with path.open("rb") as file:
            data = file.read(KEY_FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        raise NotFoundError(f"{path} is missing; put the key file back") from None
    except OSError as error:
        raise NotFoundError(f"{path} cannot be read: {error.strerror}") from None
    if len(data) > KEY_FILE_BYTES_MAX:
        raise MalformedError(f"{path}: expected a key file of at most {KEY_FILE_BYTES_MAX} bytes")
    return data


def read_signer(path: Path, origin: str, access: KeyAccess) -> Ed25519Signer | MlDsa44Signer:
    """The signer whose private key is in a PEM file.

    Raises:
        LedgerError: as in `read_key_file` and `sealed.parse_private_key`.
    """
    key = parse_private_key(read_key_file(path), str(path), access.passphrase)
    return signer_of(origin, key)


def signer_of(origin: str, key: PrivateKey) -> Ed25519Signer | MlDsa44Signer:
    """A private key as the log's signer."""
    if isinstance(key, Ed25519PrivateKey):
        return Ed25519Signer(origin, key)
    return MlDsa44Signer(origin, key)


def read_vault_key(path: Path, access: KeyAccess) -> bytes:
    """The vault's key.

    Raises:
        LedgerError: as in `read_key_file` and `sealed.parse_vault_key`.
    """
    return parse_vault_key(read_key_file(path), str(path), access.passphrase)


def generate_key(key_type: str) -> PrivateKey:
    """A fresh private key: ``ed25519`` or ``ml-dsa-44``.

    Raises:
        UndecidedError: this machine's OpenSSL has no ML-DSA-44.
    """
    if key_type == "ed25519":
        return Ed25519PrivateKey.generate()
    try:
        return MLDSA44PrivateKey.generate()
    except UnsupportedAlgorithm:
        raise UndecidedError(
            "the OpenSSL of this machine has no ML-DSA-44; make the key where OpenSSL 3.5 is, "
            "and sign there",
            code="unsupported_algorithm",
        ) from None


def write_private_key(path: Path, key: PrivateKey, access: KeyAccess) -> None:
    """Write a new key file, encrypted where a passphrase is set; never over another file.

    Raises:
        ConflictError: there is a file of that name.
    """
    passphrase = access.passphrase() if access.has_passphrase else None
    write_new(path, format_private_key(key, passphrase, os.urandom))


def write_new(path: Path, data: bytes) -> None:
    """Write a file that only its owner can read, durably, and only where there is none.

    Raises:
        ConflictError: there is a file of that name.
    """
    part = _write_part(path, data)
    try:
        # A link never replaces what is there, as a rename would.
        os.link(part, path)
    except FileExistsError:
        raise ConflictError(f"{path} exists; a key file is never overwritten") from None
    finally:
        part.unlink()
    _sync_folder(path.parent)


def replace_file(path: Path, data: bytes) -> None:
    """Put other bytes in a file's place, durably: a crash leaves the one or the other."""
    _write_part(path, data).rename(path)
    _sync_folder(path.parent)


def convert(folder: Path, access: KeyAccess, passphrase: bytes | None) -> list[Path]:
    """Write a folder's key files anew, under a passphrase or in clear.

    All of them are opened first, so that a wrong passphrase changes nothing; then each is
    replaced at once. A crash in between leaves each file whole, in the old form or the new.

    Args:
        folder: The folder of the keys.
        access: Opens the files as they are now.
        passphrase: Of the new files; None for clear ones.

    Returns:
        The files that were changed; those in clear that are to stay so are left alone.

    Raises:
        LedgerError: one cannot be read, or opened; nothing was changed.
    """
    paths = [one for one in key_files(folder) if one.suffix == ".pem"]
    paths += [one for one in [folder / VAULT_KEY] if one.exists()]
    if not paths:
        raise NotFoundError(f"{folder} holds no key files; name the right folder")
    converted = [(path, _converted(path, access, passphrase)) for path in paths]
    changed = [(path, data) for path, data in converted if data is not None]
    for path, data in changed:
        replace_file(path, data)
    return [path for path, _ in changed]


def _converted(path: Path, access: KeyAccess, passphrase: bytes | None) -> bytes | None:
    """A key file's bytes in the new form, read back; None where they are to stay."""
    data, where = read_key_file(path), str(path)

    def again() -> bytes:
        return passphrase or b""

    if passphrase is None and not is_encrypted(data):
        return None
    if path.name == VAULT_KEY:
        vault_key = parse_vault_key(data, where, access.passphrase)
        new = format_vault_key(vault_key, passphrase, os.urandom)
        assert parse_vault_key(new, where, again) == vault_key
        return new
    key = parse_private_key(data, where, access.passphrase)
    new = format_private_key(key, passphrase, os.urandom)
    assert parse_private_key(new, where, again).public_key() == key.public_key()
    return new


def key_files(folder: Path) -> list[Path]:
    """The files of a folder that hold or describe signing keys, by name."""
    if not folder.is_dir():
        return []
    found = (one for one in folder.iterdir() if one.suffix in (".pem", ".toml"))
    return sorted(one for one in found if not one.name.startswith("."))


def _write_part(path: Path, data: bytes) -> Path:
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return part


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
