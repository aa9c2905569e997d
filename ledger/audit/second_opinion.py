"""The tree's root by code that is not ours: merkletools (design, section 7).

Left to itself it neither tells leaves from nodes nor knows a size, so it is fed RFC 6962
leaf hashes, and its hash gets the prefix 0x01: then its roots are RFC 6962's. It is an
optional package, imported here only.

It holds all leaves of a tree, so a whole log is given to it in rows of 256: the roots that
it computes are the leaves of its next row. Every hash above the leaves is then its own,
and memory stays with the tree's height.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from ledger.tlog.tiles import TILE_WIDTH

PACKAGE = "merkletools"


@cache
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


class SecondOpinion:
    """The root of a growing log by merkletools, row by row.

    Args:
        rows: What `rows` was when it was kept; empty for a new log.

    Attributes:
        rows: By level from the 256-entry blocks up: the roots of whole subtrees that no
            larger whole subtree holds yet, fewer than 256 each.
    """

    def __init__(self, rows: Sequence[Sequence[bytes]] = ()) -> None:
        self.rows = [list(row) for row in rows]

    def add(self, root: bytes) -> None:
        """The next block's root, by merkletools."""
        for row in self.rows:
            row.append(root)
            if len(row) < TILE_WIDTH:
                return
            root = compute_root(row) or b""
            row.clear()
        self.rows.append([root])

    def root(self, rest: Sequence[bytes]) -> bytes | None:
        """The log's root; None without the package or without leaves.

        Args:
            rest: The leaf hashes after the last whole block.
        """
        below = compute_root(rest)
        for row in self.rows:
            below = compute_root([*row, *([below] if below else [])])
        return below
