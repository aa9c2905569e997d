"""Slow, obvious Merkle trees that the fast code is compared with.

The first oracle is RFC 6962 section 2.1 written down as it reads, recursion and
all. The second is merkletools, somebody else's program, given RFC 6962 leaf
hashes and a hash function with the node prefix.
"""

from __future__ import annotations

import hashlib
import importlib
import warnings
from collections.abc import Sequence
from typing import Any

with warnings.catch_warnings():
    # Its import warns when the optional sha3 package is missing.
    warnings.simplefilter("ignore")
    _merkletools: Any = importlib.import_module("merkletools")


def leaf(entry: bytes) -> bytes:
    """Leaf hash of one entry."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node(left: bytes, right: bytes) -> bytes:
    """Hash of two children."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def split(count: int) -> int:
    """The largest power of two smaller than ``count``."""
    power = 1
    while power * 2 < count:
        power *= 2
    return power


def tree_hash(leaves: Sequence[bytes]) -> bytes:
    """MTH(D[n]) over leaf hashes."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return node(tree_hash(leaves[:k]), tree_hash(leaves[k:]))


def inclusion(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PATH(m, D[n]) of section 2.1.1."""
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if index < k:
        return [*inclusion(index, leaves[:k]), tree_hash(leaves[k:])]
    return [*inclusion(index - k, leaves[k:]), tree_hash(leaves[:k])]


def consistency(old_size: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PROOF(m, D[n]) of section 2.1.2."""
    return _subproof(old_size, leaves, True)


def _subproof(old_size: int, leaves: Sequence[bytes], whole: bool) -> list[bytes]:
    if old_size == len(leaves):
        return [] if whole else [tree_hash(leaves)]
    k = split(len(leaves))
    if old_size <= k:
        return [*_subproof(old_size, leaves[:k], whole), tree_hash(leaves[k:])]
    return [*_subproof(old_size - k, leaves[k:], False), tree_hash(leaves[:k])]


def tile(level: int, number: int, leaves: Sequence[bytes]) -> bytes:
    """The tile of the tlog-tiles formula, with as many hashes as the tree has for it."""
    span = 256**level
    hashes = []
    for i in range(256):
        start = (number * 256 + i) * span
        if start + span <= len(leaves):
            hashes.append(tree_hash(leaves[start : start + span]))
    return b"".join(hashes)


def merkletools_tree(leaves: Sequence[bytes]) -> Any:
    """A merkletools tree that follows RFC 6962."""
    tools = _merkletools.MerkleTools()
    tools.hash_function = lambda data: hashlib.sha256(b"\x01" + bytes(data))
    tools.add_leaf([one.hex() for one in leaves])
    tools.make_tree()
    return tools


def merkletools_inclusion(tools: Any, index: int) -> list[bytes]:
    """The inclusion proof that a merkletools tree gives, without its sides."""
    return [bytes.fromhex(value) for step in tools.get_proof(index) for value in step.values()]
