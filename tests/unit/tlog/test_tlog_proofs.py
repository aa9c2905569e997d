"""Inclusion and consistency proofs against the recursive definition, and their refusals."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest

from ledger.errors import MalformedError, NotFoundError, VerificationError
from ledger.tlog.merkle import EMPTY_ROOT
from ledger.tlog.proofs import (
    PROOF_HASHES_MAX,
    build_consistency,
    build_inclusion,
    collect_siblings,
    edge_hash,
    root_from_inclusion,
    root_from_subtree,
    verify_consistency,
    verify_inclusion,
    verify_inclusions,
    verify_witness_consistency,
)

# Not as tests.oracle_merkle: merkletools installs a package of its own named tests.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
oracle = importlib.import_module("oracle_merkle")

SMALL = 40
LEAVES = [oracle.leaf(bytes([number])) for number in range(SMALL)]
ROOTS = [oracle.tree_hash(LEAVES[:size]) for size in range(SMALL + 1)]
OTHER = bytes(32)


def reader(leaves: Sequence[bytes]) -> Callable[[int, int], bytes]:
    """A NodeReader that insists on perfect subtrees inside the tree."""

    def node(height: int, position: int) -> bytes:
        start, end = position << height, (position + 1) << height
        assert 0 <= start < end <= len(leaves)
        hashed: bytes = oracle.tree_hash(leaves[start:end])
        return hashed

    return node


def test_every_small_inclusion_proof() -> None:
    for size in range(1, SMALL + 1):
        for index in range(size):
            proof = build_inclusion(index, size, reader(LEAVES[:size]))
            assert proof == oracle.inclusion(index, LEAVES[:size])
            verify_inclusion(index, size, LEAVES[index], proof, ROOTS[size])


Path_ = tuple[int, bytes, tuple[bytes, ...]]


def paths_of(size: int) -> list[Path_]:
    """The inclusion path of every leaf."""
    return [
        (index, LEAVES[index], tuple(oracle.inclusion(index, LEAVES[:size])))
        for index in range(size)
    ]


def test_many_inclusion_proofs_at_once() -> None:
    for size in range(1, SMALL + 1):
        paths = paths_of(size)
        verify_inclusions(size, ROOTS[size], paths)
        verify_inclusions(size, ROOTS[size], reversed(paths))
        verify_inclusions(size, ROOTS[size], [(index, leaf, list(p)) for index, leaf, p in paths])


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 21])
def test_one_wrong_proof_among_many(size: int) -> None:
    """Whatever of one path is wrong, beside good paths that share all the rest of it."""
    paths = paths_of(size)
    for place, (index, leaf, proof) in enumerate(paths):
        wrong: list[Path_] = [(index, OTHER, proof), (index, leaf, (*proof, OTHER))]
        wrong += [(index, leaf, (*proof[:at], OTHER, *proof[at + 1 :])) for at in range(len(proof))]
        if proof:
            wrong += [(index, leaf, proof[:-1]), ((index + 1) % size, leaf, proof)]
        for one in (*wrong, (size, leaf, proof)):
            for others in ([], paths[:place], paths[place + 1 :], paths):
                with pytest.raises(VerificationError):
                    verify_inclusions(size, ROOTS[size], [*others, one])
    with pytest.raises(VerificationError):
        verify_inclusions(size, OTHER, paths)


def test_many_proofs_are_read_as_strictly_as_one() -> None:
    good = paths_of(4)
    for one in (
        (0, LEAVES[0][:-1], good[0][2]),
        (0, LEAVES[0], (good[0][2][0], b"short")),
        (0, LEAVES[0], (good[0][2][0], "text")),
        (-1, LEAVES[0], good[0][2]),
        (True, LEAVES[0], good[0][2]),
    ):
        with pytest.raises(MalformedError):
            verify_inclusions(4, ROOTS[4], [*good, one])


def test_every_small_consistency_proof() -> None:
    for new_size in range(1, SMALL + 1):
        for old_size in range(1, new_size + 1):
            proof = build_consistency(old_size, new_size, reader(LEAVES[:new_size]))
            assert proof == oracle.consistency(old_size, LEAVES[:new_size])
            arguments = (old_size, new_size, proof, ROOTS[old_size], ROOTS[new_size])
            verify_consistency(*arguments)
            verify_witness_consistency(*arguments)


def test_no_proof_verifies_for_another_place() -> None:
    size = 13
    for index in range(size):
        proof = oracle.inclusion(index, LEAVES[:size])
        for other in range(size):
            if other != index:
                with pytest.raises(VerificationError):
                    verify_inclusion(other, size, LEAVES[index], proof, ROOTS[size])


def test_a_proof_binds_sizes_only_as_far_as_the_paths_differ() -> None:
    """Roots do not contain sizes: that is why sizes come from signed checkpoints."""
    proof = oracle.consistency(6, LEAVES[:13])
    accepted = []
    for new_size in range(7, SMALL):
        try:
            verify_consistency(6, new_size, proof, ROOTS[6], ROOTS[13])
        except VerificationError:
            continue
        accepted.append(new_size)
    # From 9 to 16 leaves the old tree's last leaf has the same path to the root.
    assert accepted == list(range(9, 17))


def test_the_tallest_tree() -> None:
    size = 2**PROOF_HASHES_MAX
    proof = [bytes([number]) * 32 for number in range(PROOF_HASHES_MAX)]
    for index in (0, size // 3, size - 1):
        root = root_from_inclusion(index, size, LEAVES[0], proof)
        verify_inclusion(index, size, LEAVES[0], proof, root)
    with pytest.raises(VerificationError, match="at most 63"):
        root_from_inclusion(0, 2 * size - 1, LEAVES[0], [*proof, OTHER])


def test_building_refuses_what_the_tree_does_not_hold() -> None:
    node = reader(LEAVES)
    with pytest.raises(NotFoundError, match="below the tree's size 40, got 40"):
        build_inclusion(40, 40, node)
    with pytest.raises(NotFoundError):
        build_inclusion(0, 0, node)
    with pytest.raises(NotFoundError, match="up to the tree's size 40, got 41"):
        build_consistency(41, 40, node)
    with pytest.raises(MalformedError, match="at least 1"):
        build_consistency(0, 40, node)


@pytest.mark.parametrize("number", [-1, True, 1.0, "1", None, 2**64])
def test_building_refuses_what_is_no_size(number: int) -> None:
    for arguments in ((number, 40), (1, number)):
        with pytest.raises(MalformedError):
            build_inclusion(*arguments, reader(LEAVES))
        with pytest.raises(MalformedError):
            build_consistency(*arguments, reader(LEAVES))


@pytest.mark.parametrize("proof", [None, 7, {OTHER}, "a" * 32, b"a" * 32, [None], [bytearray(32)]])
def test_verifying_refuses_what_is_no_proof(proof: list[bytes]) -> None:
    with pytest.raises(MalformedError):
        verify_inclusion(0, 2, LEAVES[0], proof, ROOTS[2])
    with pytest.raises(MalformedError):
        verify_consistency(1, 2, proof, ROOTS[1], ROOTS[2])


def test_a_tuple_is_a_proof_as_well() -> None:
    verify_inclusion(0, 2, LEAVES[0], (LEAVES[1],), ROOTS[2])


@pytest.mark.parametrize("verify", [verify_consistency, verify_witness_consistency])
def test_equal_sizes(verify: Callable[..., None]) -> None:
    verify(5, 5, [], ROOTS[5], ROOTS[5])
    with pytest.raises(VerificationError, match="two different roots for size 5"):
        verify(5, 5, [], ROOTS[5], OTHER)
    with pytest.raises(VerificationError, match="of 0 hashes"):
        verify(5, 5, [ROOTS[5]], ROOTS[5], ROOTS[5])


def test_size_zero_is_an_error_in_a_proof() -> None:
    for new_size, new_root in ((0, EMPTY_ROOT), (5, ROOTS[5])):
        with pytest.raises(VerificationError, match="at least 1"):
            verify_consistency(0, new_size, [], EMPTY_ROOT, new_root)


def test_size_zero_needs_an_empty_proof_before_a_witness() -> None:
    verify_witness_consistency(0, 5, [], EMPTY_ROOT, ROOTS[5])
    verify_witness_consistency(0, 5, [], OTHER, ROOTS[5])
    verify_witness_consistency(0, 0, [], EMPTY_ROOT, EMPTY_ROOT)
    with pytest.raises(VerificationError, match="of 0 hashes"):
        verify_witness_consistency(0, 5, [OTHER], EMPTY_ROOT, ROOTS[5])
    with pytest.raises(VerificationError, match="root of the empty tree"):
        verify_witness_consistency(0, 0, [], OTHER, OTHER)
    with pytest.raises(MalformedError):
        verify_witness_consistency(0, 5, [], b"", ROOTS[5])


def test_the_index_after_the_last_is_refused_before_the_length() -> None:
    for size in range(1, SMALL):
        for length in range(8):
            with pytest.raises(VerificationError, match="below the tree's size"):
                verify_inclusion(size, size, LEAVES[0], [OTHER] * length, OTHER)


def test_messages_name_the_tree_that_does_not_fit() -> None:
    proof = oracle.consistency(6, LEAVES[:13])
    with pytest.raises(VerificationError, match="old tree of size 6"):
        verify_consistency(6, 13, proof, OTHER, ROOTS[13])
    with pytest.raises(VerificationError, match="new tree of size 13"):
        verify_consistency(6, 13, proof, ROOTS[6], OTHER)
    with pytest.raises(VerificationError, match="never shrinks"):
        verify_consistency(13, 6, [], ROOTS[13], ROOTS[6])


def test_a_perfect_subtree_leads_to_the_root() -> None:
    for size in range(1, SMALL + 1):
        node = reader(LEAVES[:size])

        for height in range(size.bit_length()):
            for position in range(size >> height):
                start = position << height
                proof = collect_siblings(
                    start, size, height, node, partial(edge_hash, size, node=node)
                )
                found = root_from_subtree(height, position, size, node(height, position), proof)
                assert found == ROOTS[size]


def test_a_subtree_is_inside_its_tree() -> None:
    with pytest.raises(VerificationError, match="another checkpoint"):
        root_from_subtree(2, 1, 7, OTHER, [])
    with pytest.raises(MalformedError):
        root_from_subtree(-1, 0, 7, OTHER, [])
    with pytest.raises(VerificationError):
        root_from_subtree(1, 0, 7, OTHER, [OTHER])
