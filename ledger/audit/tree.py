"""The tree of the entries as an audit rebuilds it, with merkletools beside it.

The 256-entry blocks come with their roots (``hashing``), so what is left to hash here is
one node in 256, and what a checkpoint adds to the partial tiles of the right edge, which is
all that is in memory.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

from ledger.audit.second_opinion import SecondOpinion, compute_root
from ledger.tlog.merkle import EMPTY_ROOT, HASH_SIZE, node_hash, root_of, split_hashes
from ledger.tlog.tiles import TILE_BYTES, TILE_HEIGHT, TileWriter

FullTile = tuple[int, int, bytes]
"""``(level, number, 8,192 bytes)`` of a tile that became full."""


class PartialTile:
    """The peaks of one partial tile: the roots of the whole subtrees that its hashes make.

    A log has a checkpoint after each batch, so a tile's root is asked for as often as it
    grows: what is hashed then is what is new, not the tile.
    """

    def __init__(self) -> None:
        self._number = 0
        self._count = 0
        self._peaks: list[bytes] = []

    def root(self, number: int, hashes: bytes, below: bytes | None) -> bytes | None:
        """The root over a tile as it is now and what hangs at its right end.

        Args:
            number: The tile's, which tells it from the one before at its level.
            hashes: Its hashes; a tile of the same number has only grown since it was last asked
                for.
            below: The root of what is right of it; None for nothing.

        Returns:
            None where there are neither hashes nor anything below.
        """
        if number != self._number:
            self._number, self._count, self._peaks = number, 0, []
        peaks = self._peaks
        for added in split_hashes(hashes[self._count * HASH_SIZE :]):
            # Each bit of the count is a peak: one more is added as one is to a binary number.
            peak, count = added, self._count
            while count & 1:
                peak = node_hash(peaks.pop(), peak)
                count >>= 1
            peaks.append(peak)
            self._count += 1
        for peak in reversed(peaks):
            below = peak if below is None else node_hash(peak, below)
        return below


class Tree:
    """A growing tree.

    Args:
        kept: What `kept` gave; None for the empty tree.
        opinion: Whether merkletools computes the root too.

    Raises:
        CorruptionError: what was kept does not fit its size.

    Attributes:
        size: Leaves in it.
        edge: The leaf hashes after the last whole block.
    """

    def __init__(self, kept: Mapping[str, Any] | None = None, *, opinion: bool = True) -> None:
        kept = kept or {"size": 0, "edges": [], "opinion": []}
        edges = [b64decode(one) for one in kept["edges"]]
        self.size: int = TileWriter(kept["size"], edges).size
        self.edge = edges[0] if edges else b""
        self._upper = TileWriter(self.size >> TILE_HEIGHT, edges[1:])
        self._partial: list[PartialTile] = []
        rows = [split_hashes(b64decode(row)) for row in kept["opinion"]]
        self._opinion = SecondOpinion(rows)
        self._has_opinion = opinion

    def kept(self) -> dict[str, Any]:
        """What the constructor takes, as plain values."""
        rows = [b"".join(row) for row in self._opinion.rows]
        return {
            "size": self.size,
            "edges": [b64encode(one).decode() for one in self.edges],
            "opinion": [b64encode(row).decode() for row in rows],
        }

    @property
    def edges(self) -> list[bytes]:
        """The partial tiles of the right edge by level, as the store keeps them."""
        return [self.edge, *self._upper.edges] if self.size else []

    def root(self) -> bytes:
        """The root over all leaves so far."""
        root: bytes | None = None
        for level, hashes in enumerate(self.edges):
            if level == len(self._partial):
                self._partial.append(PartialTile())
            root = self._partial[level].root(self.size >> TILE_HEIGHT * (level + 1), hashes, root)
        return EMPTY_ROOT if root is None else root

    def opinion(self) -> bytes | None:
        """The same by merkletools; None without it, or without leaves."""
        return self._opinion.root(split_hashes(self.edge))

    def grow(
        self, leaves: bytes, roots: Mapping[int, bytes], opinions: Mapping[int, bytes]
    ) -> list[FullTile]:
        """Add leaves; gives the tiles that become full, in the order of completion.

        Args:
            leaves: Leaf hashes, 32 bytes each.
            roots, opinions: The roots of whole blocks by their numbers, by our code and by
                merkletools; those that are not given are computed here.
        """
        full: list[FullTile] = []
        data = self.edge + leaves
        number = self.size >> TILE_HEIGHT
        self.size += len(leaves) // HASH_SIZE
        start = 0
        while len(data) - start >= TILE_BYTES:
            tile = data[start : start + TILE_BYTES]
            if self._has_opinion:
                self._add_opinion(number, tile, opinions)
            full.append((0, number, tile))
            root = roots.get(number) or root_of(split_hashes(tile))
            above = self._upper.extend([root])
            full += [(level + 1, place, hashes) for level, place, hashes in above]
            number += 1
            start += TILE_BYTES
        self.edge = data[start:]
        return full

    def _add_opinion(self, number: int, tile: bytes, opinions: Mapping[int, bytes]) -> None:
        root: bytes | None = opinions.get(number)
        if root is None:
            root = compute_root(split_hashes(tile))
        if root is not None:
            self._opinion.add(root)
