"""The tree's root by code that is not ours: merkletools (design, section 7).

Left to itself it neither tells leaves from nodes nor knows a size, so it is fed RFC 6962
leaf hashes, and its hash gets the prefix 0x01: then its roots are RFC 6962's. It is an
optional package, imported here only.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

PACKAGE = "merkletools"


def package_version() -> str | None:
    """The version of merkletools here, None where it is not installed."""
    try:
        return version(PACKAGE)
    except PackageNotFoundError:
        return None


def compute_root(leaf_hashes: Sequence[bytes]) -> bytes | None:
    """The root over RFC 6962 leaf hashes; None without the package or without leaves."""
    if not leaf_hashes or package_version() is None:
        return None
    with warnings.catch_warnings():
        # It warns that SHA-3 is missing on import; only SHA-256 is used.
        warnings.simplefilter("ignore")
        from merkletools import MerkleTools  # type: ignore[import-untyped]
    tree: Any = MerkleTools(hash_type="sha256")
    tree.hash_function = _node_hash
    tree.add_leaf([leaf.hex() for leaf in leaf_hashes], do_hash=False)
    tree.make_tree()
    return bytes.fromhex(tree.get_merkle_root())


def _node_hash(data: bytes) -> Any:
    return hashlib.sha256(b"\x01" + data)
