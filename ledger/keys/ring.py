"""The keyring: the signers that this process has, and a checkpoint's signatures.

Which keys sign is said by the log, not by the files that lie there: a file whose key the
log does not know, or has revoked, signs nothing. A key of the log that has no file here is
looked for again at each batch, so that a process which was started before a rotation
finds the new key file without a restart.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from ledger.errors import LedgerError, NotFoundError, NotReadyError
from ledger.keys.access import KeyAccess
from ledger.keys.external import ExternalSigner, read_descriptor
from ledger.keys.files import FIRST_KEY, key_files, read_signer
from ledger.keys.history import is_ed25519
from ledger.tlog.checkpoint import sign_checkpoint
from ledger.tlog.note import Signer, VerifierKey

log = logging.getLogger(__name__)


class LogSigner(Signer, Protocol):
    """A signer of a key that the log may name."""

    @property
    def verifier_key(self) -> VerifierKey:
        """The key that its signatures verify with."""


_Seen = tuple[str, int, int]


class Keyring:
    """Signers by key.

    Args:
        signers: Those that are there from the start.
        folder: Where more are looked for; None for nowhere.
        origin: The log's name, under which the keys of the folder sign.
        access: Opens encrypted key files.
    """

    def __init__(
        self,
        signers: Sequence[LogSigner] = (),
        *,
        folder: Path | None = None,
        origin: str = "",
        access: KeyAccess | None = None,
    ) -> None:
        self._signers: dict[VerifierKey, LogSigner] = {}
        for one in signers:
            self._put(one)
        self._folder = folder
        self._origin = origin
        self._access = access or KeyAccess()
        self._seen: set[_Seen] = set()

    def __repr__(self) -> str:
        return f"Keyring({[key.key_id.hex() for key in self._signers]})"

    @classmethod
    def open(cls, folder: Path, origin: str, access: KeyAccess) -> Keyring:
        """The keyring of a folder, every key file of which must be in order.

        Raises:
            NotFoundError: no key file is there.
            LedgerError: one cannot be read; as in `files.read_signer` and
                `external.read_descriptor`.
        """
        ring = cls(folder=folder, origin=origin, access=access)
        found = key_files(folder)
        if not found:
            raise NotFoundError(f"{folder / FIRST_KEY} is missing; put the log's key file back")
        for path in found:
            ring._put(ring._read(path))
            ring._seen.add(_seen(path))
        return ring

    @property
    def signers(self) -> tuple[LogSigner, ...]:
        """All signers, of keys that the log knows and others."""
        return tuple(self._signers.values())

    @property
    def verifier_keys(self) -> tuple[VerifierKey, ...]:
        """Their keys."""
        return tuple(self._signers)

    def has(self, key: VerifierKey) -> bool:
        """Whether the private part of a key is there."""
        return key in self._signers

    def sign(self, origin: str, size: int, root: bytes, keys: Sequence[VerifierKey]) -> bytes:
        """A checkpoint, signed with each of these keys that has a signer here.

        Args:
            origin, size, root: What is signed.
            keys: The keys that are active at this size.

        Raises:
            NotReadyError: none of the Ed25519 keys has a signer (``no_log_key``), or a
                signer that is there failed.
        """
        if not all(map(self.has, keys)):
            self._look_again()
        present = [key for key in keys if self.has(key)]
        if not any(map(is_ed25519, present)):
            wanted = ", ".join(key.key_id.hex() for key in keys if is_ed25519(key))
            raise NotReadyError(
                f"the checkpoint of size {size} needs a signature by an Ed25519 key of the log "
                f"({wanted}), and none of their key files is in {self._folder}; put one there: "
                "nothing was recorded",
                code="no_log_key",
            )
        signers = [self._signers[key] for key in present]
        return sign_checkpoint(origin, size, root, signers)

    def close(self) -> None:
        """Let go of the signers outside this process."""
        for one in self._signers.values():
            if isinstance(one, ExternalSigner):
                one.close()

    def _put(self, signer: LogSigner) -> None:
        self._signers.setdefault(signer.verifier_key, signer)

    def _read(self, path: Path) -> LogSigner:
        if path.suffix == ".toml":
            return read_descriptor(path)
        return read_signer(path, self._origin, self._access)

    def _look_again(self) -> None:
        """Read the key files that have come or changed since they were last looked at."""
        if self._folder is None:
            return
        for path in key_files(self._folder):
            try:
                seen = _seen(path)
                if seen not in self._seen:
                    self._seen.add(seen)
                    self._put(self._read(path))
            except (LedgerError, OSError) as error:
                # It may be half copied; then it changes, and is read again.
                log.warning("key file %s is passed over: %s", path.name, error)


def _seen(path: Path) -> _Seen:
    status = path.stat()
    return path.name, status.st_mtime_ns, status.st_size
