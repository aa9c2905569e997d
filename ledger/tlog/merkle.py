"""The Merkle tree's hashes: entries to leaves, leaves to nodes, leaves to a root.

First step of the flow told in ``ledger.tlog``; everything else builds on it.
The rules are those of RFC 6962 section 2.1 (the same tree as RFC 9162 section
2.1.1) with SHA-256: leaves and nodes are hashed behind different prefix bytes,
so that neither can pass for the other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from ledger.errors import MalformedError

HASH_SIZE = 32
"""Bytes in a hash."""

SIZE_MAX = 2**63 - 1
"""Leaves in the largest tree; readers keep sizes in signed 64-bit integers."""

INTEGER_MAX = 2**64 - 1
"""Largest index or size that is read at all; RFC 9162 writes them as uint64."""

EMPTY_ROOT = hashlib.sha256(b"").digest()
"""Root of the tree without leaves (RFC 6962 section 2.1)."""

LEAF_PREFIX = b"\x00"
NODE_PREFIX = b"\x01"

_sha256 = hashlib.sha256
_leaf_begun = hashlib.sha256(LEAF_PREFIX).copy
_node_begun = hashlib.sha256(NODE_PREFIX).copy
"""Give a hash that has had its prefix: a tenth cheaper than a new one of bytes put together."""


def leaf_hash(entry: bytes) -> bytes:
    """Hash one entry's bytes into its leaf: SHA-256(0x00 || entry), 32 bytes."""
    return _sha256(LEAF_PREFIX + entry).digest()


def leaf_hashes(entries: Iterable[bytes]) -> list[bytes]:
    """Hash many entries into their leaves, in order; see `leaf_hash`."""
    hashes: list[bytes] = []
    for entry in entries:
        begun = _leaf_begun()
        begun.update(entry)
        hashes.append(begun.digest())
    return hashes


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two 32-byte children into their parent: SHA-256(0x01 || left || right)."""
    return _sha256(NODE_PREFIX + left + right).digest()


def hash_pairs(row: Sequence[bytes]) -> list[bytes]:
    """Hash each pair of neighbours into its parent; a last single hash is left out.

    Args:
        row: 32-byte hashes of subtrees of one height, left to right.

    Returns:
        The ``len(row) // 2`` hashes of the height above. Lengths are not checked:
        this is the inner loop of every tree.
    """
    hashes: list[bytes] = []
    for left, right in zip(row[::2], row[1::2], strict=False):
        begun = _node_begun()
        begun.update(left + right)
        hashes.append(begun.digest())
    return hashes


def root_of(leaf_hashes: Sequence[bytes]) -> bytes:
    """Compute the Merkle tree hash over leaf hashes (RFC 6962 section 2.1, MTH).

    Works row by row, carrying a last single hash up unhashed: that gives the
    same tree as splitting at the largest power of two below the size.

    Args:
        leaf_hashes: 32-byte leaf hashes in order; may be empty.

    Returns:
        The 32-byte root; ``EMPTY_ROOT`` without leaves.

    Raises:
        MalformedError: a leaf hash has not 32 bytes.
    """
    if not leaf_hashes:
        return EMPTY_ROOT
    check_lengths("leaf hash", leaf_hashes)
    row = leaf_hashes
    while len(row) > 1:
        parents = hash_pairs(row)
        if len(row) & 1:
            parents.append(row[-1])
        row = parents
    return row[0]


def split_hashes(data: bytes) -> list[bytes]:
    """Cut concatenated hashes (a tile) into a list of 32-byte hashes."""
    return [data[start : start + HASH_SIZE] for start in range(0, len(data), HASH_SIZE)]


def check_lengths(what: str, hashes: Sequence[bytes]) -> None:
    """Raise MalformedError unless each hash has 32 bytes; one pass, for many hashes."""
    for length in set(map(len, hashes)):
        if length != HASH_SIZE:
            raise MalformedError(
                f"expected each {what} to have {HASH_SIZE} bytes, got one of {length}; "
                "pass SHA-256 digests as raw bytes"
            )


def check_hash(what: str, value: object) -> None:
    """Raise MalformedError unless ``value`` is a hash: ``bytes``, 32 of them."""
    if not isinstance(value, bytes):
        raise MalformedError(
            f"expected the {what} to be {HASH_SIZE} bytes, got {type(value).__name__}; "
            "pass the raw digest"
        )
    if len(value) != HASH_SIZE:
        raise MalformedError(
            f"expected the {what} to have {HASH_SIZE} bytes, got {len(value)}; "
            "pass the whole SHA-256 digest, decoded"
        )


def check_integer(what: str, value: object, maximum: int = INTEGER_MAX) -> None:
    """Raise MalformedError unless ``value`` is an int (no bool) from 0 to ``maximum``."""
    if type(value) is not int:
        raise MalformedError(
            f"expected the {what} to be an integer, got {type(value).__name__}; pass a plain int"
        )
    if value < 0 or value > maximum:
        # The value itself is not printed: a huge one cannot be turned into decimals.
        came = "a negative number" if value < 0 else f"one of {value.bit_length()} bits"
        raise MalformedError(f"expected the {what} to be from 0 to {maximum}, got {came}")
