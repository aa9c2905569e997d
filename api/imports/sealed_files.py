"""Files of the data folder that only the service can read: 0600, encrypted by the vault."""

from __future__ import annotations

from pathlib import Path

from api.auth import write_private
from ledger.errors import NotFoundError
from ledger.vault import Vault


def write_sealed(vault: Vault, path: Path, purpose: str, data: bytes) -> None:
    """Write a file durably and as a whole; it opens for the same purpose only."""
    write_private(path, vault.encrypt_blob(purpose, data))


def read_sealed(vault: Vault, path: Path, purpose: str) -> bytes:
    """Read what `write_sealed` wrote.

    Raises:
        NotFoundError: it is not there (``no_file_kept``).
        CorruptionError: it was altered, or written for another purpose or under another key.
    """
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise NotFoundError(
            f"nothing is kept here as {purpose}; it is done, or was deleted", code="no_file_kept"
        ) from None
    return vault.decrypt_blob(purpose, data)
