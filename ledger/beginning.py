"""What a new log begins with: its keys, and what its first entry says."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ledger.errors import MalformedError
from ledger.keys.access import KeyAccess
from ledger.keys.files import (
    FIRST_KEY,
    VAULT_KEY,
    generate_key,
    key_files,
    write_new,
    write_private_key,
)
from ledger.keys.history import is_ed25519
from ledger.keys.ring import Keyring
from ledger.keys.sealed import format_vault_key
from ledger.records.log import LogOpened
from ledger.tlog.note import VerifierKey, format_verifier_key
from ledger.vault import KEY_BYTES


def build_opening(keys: Sequence[VerifierKey], organisation: str) -> LogOpened:
    """What the first entry says.

    Raises:
        MalformedError: an origin or organisation that a log cannot have.
    """
    values = {
        "origin": keys[0].name,
        "organisation": organisation,
        "currency": "CNY",
        "time_zone": "Asia/Shanghai",
        "keys": [format_verifier_key(key) for key in keys],
    }
    try:
        return LogOpened.model_validate(values)
    except ValueError as error:
        raise MalformedError(f"expected an origin and an organisation: {error}") from None


def make_keys(folder: Path, access: KeyAccess) -> Path:
    """The folder of the keys, with what a new log lacks of them."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not (folder / VAULT_KEY).exists():
        passphrase = access.passphrase() if access.has_passphrase else None
        key = format_vault_key(os.urandom(KEY_BYTES), passphrase, os.urandom)
        write_new(folder / VAULT_KEY, key)
    if not key_files(folder):
        write_private_key(folder / FIRST_KEY, generate_key("ed25519"), access)
    return folder


def opening_keys(ring: Keyring, origin: str) -> list[VerifierKey]:
    """The keys with which a new log begins: all that are there, Ed25519 first.

    Raises:
        MalformedError: none of them is Ed25519, or one has another log's name.
    """
    keys = sorted(ring.verifier_keys, key=lambda key: not is_ed25519(key))
    if not is_ed25519(keys[0]) or any(key.name != origin for key in keys):
        raise MalformedError(
            f"expected keys of the log {origin} in its folder, one of them Ed25519; found {ring}"
        )
    return keys
