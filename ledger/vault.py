"""The vault's cipher: what it keeps secret, it keeps under a key outside the database.

One row of the vault belongs to one entry and holds, encrypted (AES-256-GCM, the
entry's index as associated data), what the entry commits to but does not show: the
seed and the values of its sealed fields, and beside them the request's idempotency key
and digests. Those last let an audit rebuild the two tables that the entries alone do
not give. Erasing a person replaces the row by one without seed and values.

Digests of personal data (order numbers, whole requests) are keyed with a key derived
from the vault's, so that the database alone cannot be searched for a guess.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import field, replace
from typing import Any

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ledger.entry import SEED_BYTES, Hmac, base64url, hmac_sha256, parse_base64url
from ledger.errors import CorruptionError, MalformedError
from ledger.frozen import frozen

KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16
DIGEST_BYTES = 32
_DRAWN_AT_ONCE = 256
"""So many seeds or nonces are drawn from the system's generator in one go."""


@frozen
class VaultRow:
    """What the vault keeps of one entry.

    Attributes:
        key: The idempotency key under which it was recorded.
        request: The keyed digest of the request, 32 bytes.
        order: The keyed digest of its order number, if it has one.
        seed, values: The opening of its sealed fields; None where it has none, or they
            were erased.
    """

    key: str
    request: bytes
    order: bytes | None = None
    seed: bytes | None = field(default=None, repr=False)
    values: Mapping[str, Any] | None = field(default=None, repr=False)


class SystemRandom:
    """The system's random bytes, drawn in advance, each given out once; for several threads.

    The system's generator is a call to the kernel, for which the interpreter's lock is let
    go (see `entry.hmac_sha256`). What a forked process finds here is drawn anew.
    """

    def __init__(self) -> None:
        self._process = os.getpid()
        self._drawn: dict[int, list[bytes]] = {}

    def __call__(self, size: int) -> bytes:
        """The next `size` bytes."""
        if self._process != os.getpid():
            self._process, self._drawn = os.getpid(), {}
        drawn = self._drawn.setdefault(size, [])
        try:
            # One step, so that no two threads get the same.
            return drawn.pop()
        except IndexError:
            block = os.urandom(size * _DRAWN_AT_ONCE)
            parts = [block[at : at + size] for at in range(0, len(block), size)]
            drawn.extend(parts[1:])
            return parts[0]


class Digests:
    """Keyed digests and fresh seeds: all that sealing needs of the vault.

    It opens nothing that the vault encrypted, so it may go to another process of this
    machine, which draws its own seeds. Never shows its key.

    Attributes:
        portable: Whether the seeds come from the system, wherever they are drawn.
    """

    __slots__ = ("_hmac", "_key", "_random", "portable")

    def __init__(self, key: bytes, random: Callable[[int], bytes] | None = None) -> None:
        self._key = key
        self._hmac = Hmac(key)
        self._random = SystemRandom() if random is None else random
        self.portable = isinstance(self._random, SystemRandom)

    def __reduce__(self) -> tuple[type[Digests], tuple[bytes]]:
        return Digests, (self._key,)

    def new_seed(self) -> bytes:
        """A fresh random seed for one entry's sealed fields."""
        return self._random(SEED_BYTES)

    def digest(self, purpose: str, data: bytes) -> bytes:
        """A keyed digest of 32 bytes; digests for two purposes never agree."""
        return self._hmac.digest(purpose.encode() + b"\0" + data)


class Vault:
    """Encrypts vault rows and makes keyed digests. Never shows its key.

    Attributes:
        digests: The part of it that sealing needs.
    """

    def __init__(self, key: bytes, random: Callable[[int], bytes] | None = None) -> None:
        if len(key) != KEY_BYTES:
            raise MalformedError(f"expected a vault key of {KEY_BYTES} bytes, got {len(key)}")
        self._random = SystemRandom() if random is None else random
        self._cipher = AESGCM(hmac_sha256(key, b"shanji/v1/vault/cipher"))
        self.digests = Digests(hmac_sha256(key, b"shanji/v1/vault/digest"), self._random)

    def digest(self, purpose: str, data: bytes) -> bytes:
        """A keyed digest of 32 bytes; digests for two purposes never agree."""
        return self.digests.digest(purpose, data)

    def encrypt(self, index: int, row: VaultRow) -> bytes:
        """A row as it is stored: nonce, ciphertext, tag."""
        return self._encrypt(index, _plain(row))

    def without_opening(self, index: int, data: bytes) -> bytes:
        """A stored row without seed and values, as long as it was.

        The database overwrites a row of the same length where it lies, so that no copy of
        the old one stays behind in a page that was arranged anew.

        Raises:
            CorruptionError: as in `decrypt`.
        """
        plain = _plain(replace(self.decrypt(index, data), seed=None, values=None))
        return self._encrypt(index, plain.ljust(len(data) - NONCE_BYTES - TAG_BYTES))

    def _encrypt(self, index: int, plain: bytes) -> bytes:
        nonce = self._random(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain, b"%d" % index)

    def encrypt_blob(self, purpose: str, data: bytes) -> bytes:
        """Any bytes as they are stored, readable only for the same purpose."""
        nonce = self._random(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, data, _associated(purpose))

    def decrypt_blob(self, purpose: str, data: bytes) -> bytes:
        """Read what `encrypt_blob` wrote.

        Raises:
            CorruptionError: it was altered, was written for another purpose, or the key
                is not the one that it was written with.
        """
        try:
            return self._cipher.decrypt(
                data[:NONCE_BYTES], data[NONCE_BYTES:], _associated(purpose)
            )
        except (InvalidTag, ValueError):
            raise CorruptionError(
                f"{purpose}: expected bytes that this vault key opens; they were altered, or the "
                "key file is another one",
                code="vault_blob",
            ) from None

    def decrypt(self, index: int, data: bytes) -> VaultRow:
        """Read a stored row.

        Raises:
            CorruptionError: it was altered, belongs to another entry, or the key is
                not the one that it was written with.
        """
        try:
            plain = self._cipher.decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], b"%d" % index)
            value = orjson.loads(plain)
            seed = value.get("seed")
            order = value.get("order")
            return VaultRow(
                value["key"],
                parse_base64url(value["request"]),
                None if order is None else parse_base64url(order),
                None if seed is None else parse_base64url(seed),
                value.get("values"),
            )
        except (InvalidTag, ValueError, KeyError, MalformedError):
            raise CorruptionError(
                f"vault row {index}: expected a row that this vault key opens; it was altered, "
                "or the key file is another one",
                code="vault_row",
                details={"index": index},
            ) from None


def _plain(row: VaultRow) -> bytes:
    value: dict[str, Any] = {"key": row.key, "request": base64url(row.request)}
    if row.order is not None:
        value["order"] = base64url(row.order)
    if row.seed is not None:
        value["seed"] = base64url(row.seed)
        value["values"] = dict(row.values or {})
    return orjson.dumps(value)


def _associated(purpose: str) -> bytes:
    """The associated data of a purpose: never that of a row, which is a number."""
    return b"blob/" + purpose.encode()
