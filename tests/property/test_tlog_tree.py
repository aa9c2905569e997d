"""Properties of the tree: any sizes, any batches, any damage, any junk."""

from __future__ import annotations

import contextlib
import importlib
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import LedgerError, MalformedError, VerificationError
from ledger.tlog.merkle import node_hash, root_of
from ledger.tlog.proofs import (
    build_consistency,
    build_inclusion,
    edge_hash,
    root_from_inclusion,
    verify_consistency,
    verify_inclusion,
    verify_witness_consistency,
)
from ledger.tlog.tiles import (
    LEVEL_MAX,
    TILE_NUMBER_MAX,
    TileReader,
    TileWriter,
    format_bundle,
    format_tile_path,
    list_tiles,
    parse_bundle,
    parse_tile_path,
)

# Not as tests.oracle_merkle: merkletools installs a package of its own named tests.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
oracle = importlib.import_module("oracle_merkle")

repeatable = settings(derandomize=True, deadline=None, max_examples=150)

SIZE = 1200
LEAVES = [oracle.leaf(b"%d" % number) for number in range(SIZE)]
SIZES = st.integers(1, SIZE)

# Trees whose leaves are all equal: perfect subtrees then depend on their height
# alone, so that trees of any size can be had at once.
EQUAL: list[bytes] = [oracle.leaf(b"")]
for _ in range(63):
    EQUAL.append(node_hash(EQUAL[-1], EQUAL[-1]))
HUGE = st.integers(1, 2**62)


def equal_node(height: int, position: int) -> bytes:
    """NodeReader of the trees with equal leaves."""
    return EQUAL[height]


def equal_root(size: int) -> bytes:
    """Root of the tree of ``size`` equal leaves, straight from the definition."""
    if size & (size - 1) == 0:
        return EQUAL[size.bit_length() - 1]
    power = 1 << (size - 1).bit_length() - 1
    return node_hash(equal_root(power), equal_root(size - power))


def flipped(values: list[bytes], bit: int) -> list[bytes]:
    """The same hashes with one bit flipped, counted over all of them."""
    joined = bytearray(b"".join(values))
    joined[bit // 8] ^= 1 << bit % 8
    return [bytes(joined[at : at + 32]) for at in range(0, len(joined), 32)]


@repeatable
@given(st.lists(st.integers(0, 600), max_size=6))
def test_appending_keeps_every_prefix(batches: list[int]) -> None:
    writer = TileWriter(0, [])
    store: dict[tuple[int, int], bytes] = {}
    heads: list[tuple[int, bytes]] = []
    for batch in batches:
        size = min(writer.size + batch, SIZE)
        for level, number, data in writer.extend(LEAVES[writer.size : size]):
            assert store.setdefault((level, number), data) is data
        assert writer.root() == root_of(LEAVES[:size])
        seen = store | {
            (level, size >> 8 * (level + 1)): edge for level, edge in enumerate(writer.edges)
        }
        named = {
            (path.level, path.number): path.width
            for path in list_tiles(size)
            if isinstance(path.level, int)
        }
        assert {key: len(data) // 32 for key, data in seen.items() if data} == named
        reader = TileReader(size, lambda level, number, width, seen=seen: seen[level, number])  # type: ignore[misc]
        for old_size, old_root in heads:
            if old_size:
                proof = reader.consistency(old_size)
                verify_consistency(old_size, size, proof, old_root, writer.root())
        heads.append((size, writer.root()))


@repeatable
@given(SIZES, st.data())
def test_inclusion_holds_and_any_flipped_bit_fails(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    leaves = LEAVES[:size]
    writer = TileWriter(0, [])
    store = {(level, number): tile for level, number, tile in writer.extend(leaves)}
    store |= {(level, size >> 8 * (level + 1)): edge for level, edge in enumerate(writer.edges)}
    proof = TileReader(size, lambda level, number, width: store[level, number]).inclusion(index)
    root = root_of(leaves)
    assert proof == oracle.inclusion(index, leaves)
    verify_inclusion(index, size, leaves[index], proof, root)
    everything = [leaves[index], root, *proof]
    bit = data.draw(st.integers(0, len(everything) * 256 - 1))
    leaf, other_root, *other_proof = flipped(everything, bit)
    with pytest.raises(VerificationError):
        verify_inclusion(index, size, leaf, other_proof, other_root)


@repeatable
@given(SIZES, st.data())
def test_consistency_holds_and_any_flipped_bit_fails(size: int, data: st.DataObject) -> None:
    old_size = data.draw(st.integers(1, size))
    leaves = LEAVES[:size]

    def node(height: int, position: int) -> bytes:
        return root_of(leaves[position << height : (position + 1) << height])

    proof = build_consistency(old_size, size, node)
    assert proof == oracle.consistency(old_size, leaves)
    old_root, new_root = root_of(leaves[:old_size]), root_of(leaves)
    verify_consistency(old_size, size, proof, old_root, new_root)
    everything = [old_root, new_root, *proof]
    bit = data.draw(st.integers(0, len(everything) * 256 - 1))
    other_old, other_new, *other_proof = flipped(everything, bit)
    for verify in (verify_consistency, verify_witness_consistency):
        with pytest.raises(VerificationError):
            verify(old_size, size, other_proof, other_old, other_new)


@repeatable
@given(HUGE, HUGE, st.data())
def test_huge_trees(one: int, two: int, data: st.DataObject) -> None:
    old_size, size = sorted((one, two))
    root = equal_root(size)
    assert edge_hash(size, size.bit_length(), equal_node) == root
    index = data.draw(st.integers(0, size - 1))
    proof = build_inclusion(index, size, equal_node)
    verify_inclusion(index, size, EQUAL[0], proof, root)
    growth = build_consistency(old_size, size, equal_node)
    verify_consistency(old_size, size, growth, equal_root(old_size), root)
    for cut in (proof[:-1], [*proof, root]):
        if cut != proof:
            with pytest.raises(VerificationError):
                root_from_inclusion(index, size, EQUAL[0], cut)


numbers = st.one_of(st.integers(-(2**70), 2**70), st.integers(0, 300), st.booleans(), st.floats())
raw_hashes = st.one_of(st.binary(min_size=32, max_size=32), st.binary(max_size=40), st.none())
proofs = st.one_of(st.lists(raw_hashes, max_size=70), st.binary(max_size=64), st.text(), st.none())


@repeatable
@given(numbers, numbers, raw_hashes, proofs, raw_hashes)
def test_junk_raises_nothing_but_ledger_errors(
    one: int, two: int, first: bytes, proof: list[bytes], second: bytes
) -> None:
    for verify in (verify_consistency, verify_witness_consistency):
        with contextlib.suppress(LedgerError):
            verify(one, two, proof, first, second)
    with contextlib.suppress(LedgerError):
        verify_inclusion(one, two, first, proof, second)


@repeatable
@given(
    st.one_of(st.just("entries"), st.integers(0, LEVEL_MAX)),
    st.integers(0, TILE_NUMBER_MAX),
    st.integers(1, 256),
)
def test_tile_paths_round_trip(level: int, number: int, width: int) -> None:
    path = parse_tile_path(format_tile_path(level, number, width))
    assert (path.level, path.number, path.width) == (level, number, width)


path_text = st.lists(
    st.sampled_from(
        ["tile/", "entries", "0", "63", "/", "x", "000", "001", "999", ".p/", "256", "٣"]
    )
).map("".join)


@repeatable
@given(st.one_of(path_text, st.text(), st.from_regex(r"tile/[0-9]{1,2}/(x[0-9]{3}/){0,6}[0-9]{3}")))
def test_only_canonical_tile_paths_are_parsed(text: str) -> None:
    try:
        path = parse_tile_path(text)
    except MalformedError:
        return
    assert format_tile_path(path.level, path.number, path.width) == text


@repeatable
@given(st.lists(st.binary(max_size=300), max_size=256))
def test_bundles_round_trip(entries: list[bytes]) -> None:
    data = format_bundle(entries)
    assert parse_bundle(data, len(entries)) == entries
    assert len(data) == sum(map(len, entries)) + 2 * len(entries)


@repeatable
@given(st.binary(max_size=200), st.integers(-2, 300))
def test_only_exact_bundles_are_parsed(data: bytes, width: int) -> None:
    try:
        entries = parse_bundle(data, width)
    except MalformedError:
        return
    assert len(entries) == width
    assert format_bundle(entries) == data
