"""Tile paths, bundles, and the tree written to tiles and read from them again."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ledger.errors import CorruptionError, LedgerError, MalformedError, NotFoundError
from ledger.tlog.merkle import EMPTY_ROOT, SIZE_MAX, leaf_hash, root_of
from ledger.tlog.proofs import verify_consistency, verify_inclusion
from ledger.tlog.tiles import (
    ENTRIES,
    ENTRY_BYTES_MAX,
    TILE_BYTES,
    TILE_NUMBER_MAX,
    TilePath,
    TileReader,
    TileWriter,
    format_bundle,
    format_tile_path,
    list_tiles,
    parse_bundle,
    parse_tile_path,
    partial_width,
    tile_width,
)

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
oracle = importlib.import_module("oracle_merkle")

SIZES = [0, 1, 255, 256, 257, 511, 65535, 65536, 65537, 70000]
LEAVES = [leaf_hash(b"%d" % number) for number in range(SIZES[-1])]

Store = dict[tuple[int, int], bytes]


def write(size: int, batch: int) -> tuple[TileWriter, Store]:
    """Write the first ``size`` leaves in batches; the writer and every tile by then."""
    writer = TileWriter(0, [])
    store: Store = {}
    for start in range(0, size, batch):
        for level, number, data in writer.extend(LEAVES[start : min(start + batch, size)]):
            assert (level, number) not in store
            store[level, number] = data
    for level, edge in enumerate(writer.edges):
        if edge:
            store[level, size >> 8 * (level + 1)] = edge
    return writer, store


@pytest.fixture(scope="module")
def trees() -> dict[int, tuple[TileWriter, Store]]:
    """Every size's tree, written in batches of 1,000."""
    return {size: write(size, 1000) for size in SIZES}


def strict_read(store: Store) -> Callable[[int, int, int], bytes]:
    """A read_tile that gives no byte more than was asked for."""

    def read(level: int, number: int, width: int) -> bytes:
        assert 1 <= width <= 256
        return store[level, number][: width * 32]

    return read


def outcome(action: Callable[[], Any]) -> Any:
    """What an action gives, or the class of the error it raises."""
    try:
        return action()
    except LedgerError as error:
        return type(error)


@pytest.mark.parametrize("size", SIZES)
def test_writer_makes_the_tiles_of_the_formula(
    size: int, trees: dict[int, tuple[TileWriter, Store]]
) -> None:
    writer, store = trees[size]
    expected = {}
    for level in range(4):
        for number in range(300):
            data = oracle.tile(level, number, LEAVES[:size]) if level else None
            if level == 0:
                data = b"".join(LEAVES[:size][number * 256 : number * 256 + 256])
            if data:
                expected[level, number] = data
            else:
                break
    assert store == expected
    assert writer.size == size


@pytest.mark.parametrize("size", SIZES)
def test_roots_agree_with_both_oracles(
    size: int, trees: dict[int, tuple[TileWriter, Store]]
) -> None:
    writer, store = trees[size]
    root = oracle.tree_hash(LEAVES[:size])
    assert writer.root() == root
    assert root_of(LEAVES[:size]) == root
    assert TileReader(size, strict_read(store)).root() == root
    if size:
        tools = oracle.merkletools_tree(LEAVES[:size])
        assert tools.get_merkle_root() == root.hex()


@pytest.mark.parametrize("size", SIZES[1:])
def test_inclusion_proofs_agree_with_both_oracles(
    size: int, trees: dict[int, tuple[TileWriter, Store]]
) -> None:
    reader = TileReader(size, strict_read(trees[size][1]))
    root = reader.root()
    tools = oracle.merkletools_tree(LEAVES[:size])
    marks = {0, 1, 2, 127, 128, 254, 255, 256, 257, 510, 32767, 32768, 65279, 65280, 65534, 65535}
    marks |= {65536, 69887, 69888, 69920, size // 3, size // 2, size - 2, size - 1}
    for index in sorted(mark for mark in marks if 0 <= mark < size):
        proof = reader.inclusion(index)
        assert proof == oracle.merkletools_inclusion(tools, index)
        verify_inclusion(index, size, LEAVES[index], proof, root)
    middle = size // 2
    assert reader.inclusion(middle) == oracle.inclusion(middle, LEAVES[:size])


@pytest.mark.parametrize(("old_size", "new_size"), list(pairwise(SIZES[1:])))
def test_consistency_proofs_between_the_sizes(
    old_size: int, new_size: int, trees: dict[int, tuple[TileWriter, Store]]
) -> None:
    old_root, new_root = trees[old_size][0].root(), trees[new_size][0].root()
    proof = TileReader(new_size, strict_read(trees[new_size][1])).consistency(old_size)
    assert proof == oracle.consistency(old_size, LEAVES[:new_size])
    verify_consistency(old_size, new_size, proof, old_root, new_root)


@pytest.mark.parametrize("size", [1, 255, 256, 257, 511, 65537])
def test_proofs_of_neighbours_are_those_of_each(
    size: int, trees: dict[int, tuple[TileWriter, Store]]
) -> None:
    reader = TileReader(size, strict_read(trees[size][1]))
    for start, end in ((0, size), (0, 0), (1, min(size, 300)), (max(0, size - 258), size)):
        first = max(start, end - 600)
        assert reader.inclusions(first, end) == [
            tuple(reader.inclusion(index)) for index in range(first, end)
        ]
    with pytest.raises(NotFoundError):
        reader.inclusions(size - 1, size + 1)


def test_every_proof_of_a_tree_across_a_tile(
    trees: dict[int, tuple[TileWriter, Store]],
) -> None:
    size = 511
    reader = TileReader(size, strict_read(trees[size][1]))
    root = reader.root()
    for index in range(size):
        verify_inclusion(index, size, LEAVES[index], reader.inclusion(index), root)
    for old_size in range(1, size + 1):
        old_root = root_of(LEAVES[:old_size])
        verify_consistency(old_size, size, reader.consistency(old_size), old_root, root)


def test_an_old_tree_is_read_from_newer_tiles(
    trees: dict[int, tuple[TileWriter, Store]],
) -> None:
    newest = trees[70000][1]
    for size in SIZES[1:]:
        reader = TileReader(size, lambda level, number, width: newest[level, number])
        assert reader.root() == trees[size][0].root()
        verify_inclusion(
            size - 1, size, LEAVES[size - 1], reader.inclusion(size - 1), reader.root()
        )


def test_neighbouring_proofs_read_each_tile_once(
    trees: dict[int, tuple[TileWriter, Store]],
) -> None:
    calls: list[tuple[int, int, int]] = []
    read = strict_read(trees[70000][1])

    def counted(level: int, number: int, width: int) -> bytes:
        calls.append((level, number, width))
        return read(level, number, width)

    reader = TileReader(70000, counted)
    for index in range(69000, 70000):
        reader.inclusion(index)
    assert len(calls) == len(set(calls))
    level_0 = {(0, number, 256) for number in range(269, 273)} | {(0, 273, 112)}
    assert set(calls) == level_0 | {(1, 1, 17), (2, 0, 1)}


@pytest.mark.parametrize("cache_tiles", [0, 1, 2])
def test_a_small_cache_forgets_the_tile_used_longest_ago(
    cache_tiles: int, trees: dict[int, tuple[TileWriter, Store]]
) -> None:
    calls: list[int] = []
    read = strict_read(trees[511][1])

    def counted(level: int, number: int, width: int) -> bytes:
        calls.append(number)
        return read(level, number, width)

    reader = TileReader(511, counted, cache_tiles)
    nodes = [reader.node(0, position) for position in (0, 256, 1, 257)]
    assert nodes == [LEAVES[0], LEAVES[256], LEAVES[1], LEAVES[257]]
    assert calls == ([0, 1] if cache_tiles == 2 else [0, 1, 0, 1])


def test_nodes_of_every_height(trees: dict[int, tuple[TileWriter, Store]]) -> None:
    reader = TileReader(65536, strict_read(trees[65536][1]))
    for height in range(17):
        for position in {0, (65536 >> height) - 1}:
            start = position << height
            expected = oracle.tree_hash(LEAVES[start : start + (1 << height)])
            assert reader.node(height, position) == expected


@pytest.mark.parametrize(
    ("height", "position"), [(0, 511), (8, 1), (9, 0), (-1, 0), (0, -1), (64, 0), (10**9, 0)]
)
def test_reader_refuses_nodes_outside_the_tree(
    height: int, position: int, trees: dict[int, tuple[TileWriter, Store]]
) -> None:
    reader = TileReader(511, strict_read(trees[511][1]))
    with pytest.raises(NotFoundError, match="perfect subtree"):
        reader.node(height, position)


def test_reader_refuses_proofs_outside_the_tree(
    trees: dict[int, tuple[TileWriter, Store]],
) -> None:
    reader = TileReader(511, strict_read(trees[511][1]))
    with pytest.raises(NotFoundError, match="got 511"):
        reader.inclusion(511)
    with pytest.raises(NotFoundError, match="got 512"):
        reader.consistency(512)
    with pytest.raises(MalformedError, match="at least 1"):
        reader.consistency(0)
    assert reader.consistency(511) == []
    for number in (-1, True, "1", 1.5):
        with pytest.raises(MalformedError):
            reader.inclusion(number)  # type: ignore[arg-type]
        with pytest.raises(MalformedError):
            reader.consistency(number)  # type: ignore[arg-type]


def test_reader_of_the_empty_tree_reads_nothing() -> None:
    reader = TileReader(0, lambda level, number, width: pytest.fail("read a tile"))
    assert reader.root() == EMPTY_ROOT
    with pytest.raises(NotFoundError):
        reader.inclusion(0)


@pytest.mark.parametrize(("answer", "came"), [(b"", "0 bytes"), (bytes(31), "31"), (None, "None")])
def test_a_short_tile_is_corruption(answer: Any, came: str) -> None:
    reader = TileReader(1, lambda level, number, width: answer)
    with pytest.raises(CorruptionError, match=f"32 bytes of tile/0/000.p/1, got {came}"):
        reader.root()


@pytest.mark.parametrize("batch", [1, 7, 255, 256, 257, 511, 70000])
def test_batches_of_any_size_give_the_same_tiles(
    batch: int, trees: dict[int, tuple[TileWriter, Store]]
) -> None:
    size = 511 if batch < 255 else 65537
    writer, store = write(size, batch)
    assert (writer.edges, store) == (trees[size][0].edges, trees[size][1])


def test_tiles_come_in_the_order_of_completion() -> None:
    writer = TileWriter(0, [])
    writer.extend(LEAVES[:65279])
    names = [(level, number) for level, number, _ in writer.extend(LEAVES[65279:65793])]
    assert names == [(0, 254), (0, 255), (1, 0), (0, 256)]
    assert writer.edges == [b"".join(LEAVES[65792:65793]), writer.edges[1], writer.edges[2]]
    assert [len(edge) // 32 for edge in writer.edges] == [1, 1, 1]


def test_one_leaf_may_complete_tiles_at_every_level() -> None:
    size = 256**3 - 1
    writer = TileWriter(size, [bytes(255 * 32)] * 3)
    completed = writer.extend([bytes(32)])
    assert [(level, number) for level, number, _ in completed] == [(0, 65535), (1, 255), (2, 0)]
    assert all(len(data) == TILE_BYTES for _, _, data in completed)
    assert writer.edges[:3] == [b"", b"", b""]
    assert writer.edges[3] == root_of([completed[2][2][at : at + 32] for at in range(0, 8192, 32)])
    assert writer.root() == writer.edges[3]


def test_a_writer_goes_on_from_its_edges() -> None:
    first = TileWriter(0, [])
    first.extend(LEAVES[:65537])
    second = TileWriter(first.size, first.edges)
    second.extend(LEAVES[65537:70000])
    assert second.root() == root_of(LEAVES[:70000])
    assert first.root() == root_of(LEAVES[:65537])


def test_a_copy_is_independent() -> None:
    writer = TileWriter(0, [])
    writer.extend(LEAVES[:300])
    twin = writer.copy()
    assert twin.extend(LEAVES[300:600])[0][:2] == (0, 1)
    assert (writer.size, twin.size) == (300, 600)
    assert writer.root() == root_of(LEAVES[:300])
    assert twin.root() == root_of(LEAVES[:600])
    assert writer.extend([]) == []
    assert writer.size == 300


@pytest.mark.parametrize(
    ("size", "levels"), [(0, 0), (1, 1), (255, 1), (256, 2), (65535, 2), (65536, 3), (70000, 3)]
)
def test_writer_has_as_many_levels_as_the_size_has_digits(
    size: int, levels: int, trees: dict[int, tuple[TileWriter, Store]]
) -> None:
    assert len(trees[size][0].edges) == levels


def test_writer_accepts_empty_levels_above_its_own() -> None:
    writer = TileWriter(1, [LEAVES[0], b"", b""])
    assert writer.edges == [LEAVES[0]]
    assert TileWriter(0, []).edges == []
    assert TileWriter(256, [b"", LEAVES[0]]).edges == [b"", LEAVES[0]]


@pytest.mark.parametrize(
    ("size", "edges"),
    [
        (1, []),
        (1, [b""]),
        (1, [bytes(31)]),
        (1, [bytes(64)]),
        (1, [bytes(32), bytes(32)]),
        (0, [bytes(32)]),
        (256, [b""]),
        (256, [bytes(8192), b""]),
        (1, ["a" * 32]),
        (1, [None]),
    ],
)
def test_writer_refuses_edges_that_do_not_fit(size: int, edges: list[bytes]) -> None:
    with pytest.raises(CorruptionError, match="partial tile at level"):
        TileWriter(size, edges)


def test_writer_refuses_bad_leaves_and_keeps_its_state() -> None:
    writer = TileWriter(0, [])
    writer.extend(LEAVES[:3])
    with pytest.raises(MalformedError):
        writer.extend([LEAVES[3], bytes(31)])
    assert (writer.size, writer.root()) == (3, root_of(LEAVES[:3]))
    full = TileWriter(SIZE_MAX, [bytes(255 * 32)] * 7 + [bytes(127 * 32)])
    with pytest.raises(MalformedError, match="extended tree"):
        full.extend([LEAVES[0]])
    assert full.size == SIZE_MAX


@pytest.mark.parametrize("size", [*SIZES, 256**2 + 256 * 3])
def test_listed_tiles_are_those_that_exist(size: int) -> None:
    listed = list(list_tiles(size))
    assert len(listed) == len(set(listed))
    for path in listed:
        assert isinstance(path.level, int)
        assert path.width == tile_width(size, path.level, path.number) > 0
    hashes = {level: size >> 8 * level for level in range(4)}
    for level, count in hashes.items():
        assert sum(path.width for path in listed if path.level == level) == count
    if size == 70000:
        partial = [path for path in listed if path.width < 256]
        assert len(listed) == 273 + 1 + 1 + 1 + 1
        assert partial == [TilePath(0, 273, 112), TilePath(1, 1, 17), TilePath(2, 0, 1)]


def test_widths() -> None:
    assert [partial_width(70000, level) for level in range(4)] == [112, 17, 1, 0]
    assert partial_width(SIZE_MAX, 63) == 0
    assert tile_width(0, 0, 0) == 0
    assert tile_width(256, 0, 1) == 0
    assert tile_width(256, 1, 0) == 1
    assert tile_width(SIZE_MAX, 0, TILE_NUMBER_MAX) == 255


@pytest.mark.parametrize(
    "call",
    [
        lambda: partial_width(-1, 0),
        lambda: partial_width(2**63, 0),
        lambda: partial_width(1, 64),
        lambda: partial_width(1, -1),
        lambda: tile_width(True, 0, 0),
        lambda: tile_width(1, 0, -1),
        lambda: tile_width(1, "entries", 0),  # type: ignore[arg-type]
        lambda: list_tiles(-1),
        lambda: format_tile_path(64, 0),
        lambda: format_tile_path("data", 0),  # type: ignore[arg-type]
        lambda: format_tile_path(0, -1),
        lambda: format_tile_path(0, TILE_NUMBER_MAX + 1),
        lambda: format_tile_path(0, 0, 0),
        lambda: format_tile_path(0, 0, 257),
        lambda: parse_tile_path(b"tile/0/000"),  # type: ignore[arg-type]
        lambda: parse_tile_path(None),  # type: ignore[arg-type]
        lambda: TileReader(-1, lambda level, number, width: b""),
        lambda: TileReader(1, lambda level, number, width: b"", True),
        lambda: TileWriter(2**63, []),
        lambda: parse_bundle("", 0),  # type: ignore[arg-type]
        lambda: parse_bundle(b"", 1),
        lambda: parse_bundle(b"\0", 1),
        lambda: parse_bundle(b"\0\5ab", 1),
        lambda: parse_bundle(b"\0\5ab", 2),
        lambda: parse_bundle(b"\0\0a", 1),
        lambda: format_bundle(["a"]),  # type: ignore[list-item]
        lambda: format_bundle([b""] * 257),
        lambda: format_bundle([bytes(ENTRY_BYTES_MAX + 1)]),
    ],
)
def test_arguments_out_of_range_are_malformed(call: Callable[[], object]) -> None:
    assert outcome(call) is MalformedError


def test_bundles_hold_the_longest_entries_and_none() -> None:
    longest = bytes(ENTRY_BYTES_MAX)
    data = format_bundle(iter([longest, b"", longest]))
    assert parse_bundle(data, 3) == [longest, b"", longest]
    assert len(parse_bundle(format_bundle([b"x"] * 256), 256)) == 256
    assert format_bundle([]) == b""
    assert parse_bundle(b"", 0) == []


def test_entry_paths() -> None:
    assert format_tile_path(ENTRIES, 273001) == "tile/entries/x273/001"
    assert parse_tile_path("tile/entries/000.p/7") == TilePath("entries", 0, 7)
    assert parse_tile_path(format_tile_path(63, TILE_NUMBER_MAX, 255)).number == TILE_NUMBER_MAX
