"""The tree that an audit rebuilds has the root of the tiles, however it grows and is asked."""

from __future__ import annotations

import random
from hashlib import sha256

import pytest

from ledger.audit.tree import Tree
from ledger.errors import CorruptionError
from ledger.tlog.merkle import EMPTY_ROOT, root_of
from ledger.tlog.tiles import TileWriter

LEAVES = [sha256(number.to_bytes(4)).digest() for number in range(70_000)]
STEPS = (1, 1, 2, 3, 64, 255, 256, 257, 1000, 5000)


def test_its_root_is_that_of_the_tiles_at_every_size() -> None:
    dice = random.Random(2021)
    tree = Tree(opinion=False)
    assert tree.root() == EMPTY_ROOT
    while tree.size < len(LEAVES):
        part = LEAVES[tree.size : tree.size + dice.choice(STEPS)]
        tree.grow(b"".join(part), {}, {})
        # Not asked for at each size: what was not asked for meanwhile is no less in it.
        for _ in range(dice.randrange(3)):
            assert tree.root() == TileWriter(tree.size, tree.edges).root()
        if not dice.randrange(20):
            tree = Tree(tree.kept(), opinion=False)
    assert tree.root() == root_of(LEAVES)


def test_what_was_kept_must_fit_its_size() -> None:
    tree = Tree(opinion=False)
    tree.grow(b"".join(LEAVES[:300]), {}, {})
    kept = tree.kept()
    with pytest.raises(CorruptionError, match="partial tile at level 0"):
        Tree({**kept, "size": 301})
