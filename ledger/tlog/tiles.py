"""Tiles: how the tree is named, cut, stored, extended and read again.

A tile holds 256 consecutive hashes of one level; the hash at level L+1 is the
root of a full tile at level L (c2sp.org/tlog-tiles). ``TileWriter`` extends a
tree from nothing but its partial tiles on the right edge and hands out the
tiles that became full. ``TileReader`` builds roots and proofs from stored tiles
that a function fetches for it. Entry bundles carry the entries themselves in
the same cut, each behind its length.

Widths count hashes (or entries), sizes count leaves, numbers count tiles from 0.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from ledger.errors import CorruptionError, MalformedError, NotFoundError
from ledger.tlog.merkle import (
    EMPTY_ROOT,
    HASH_SIZE,
    SIZE_MAX,
    check_integer,
    check_lengths,
    hash_pairs,
    root_of,
    split_hashes,
)
from ledger.tlog.proofs import build_consistency, collect_consistency, collect_siblings, edge_hash

TILE_HEIGHT = 8
"""Tree heights that one tile spans."""

TILE_WIDTH = 256
"""Hashes in a full tile, entries in a full bundle."""

TILE_BYTES = TILE_WIDTH * HASH_SIZE
"""Bytes in a full tile: 8,192."""

ENTRY_BYTES_MAX = 65_535
"""Bytes in the largest entry: its length is written in two."""

LEVEL_MAX = 63
"""Highest level that a path may name (c2sp.org/tlog-tiles)."""

TILE_NUMBER_MAX = SIZE_MAX >> TILE_HEIGHT
"""Highest number that a path may name: the last level-0 tile of the largest tree."""

TILE_PATH_CHARS_MAX = 64
"""Characters in the longest path, with room to spare."""

ENTRIES: Literal["entries"] = "entries"
"""What stands in an entry bundle's path for the level."""

ReadTile = Callable[[int, int, int], bytes]
"""(level, number, width) -> the tile's bytes, ``width * 32`` of them or more."""

_LENGTH_BYTES = 2
_HEIGHT_MAX = 63
_LAST = TILE_WIDTH - 1
_PATH = re.compile(
    r"tile/(entries|0|[1-9][0-9]?)/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?"
)


@dataclass(frozen=True, slots=True)
class TilePath:
    """What a tile's path names: level (or "entries"), number and width (1 to 256)."""

    level: int | Literal["entries"]
    number: int
    width: int


def format_tile_path(level: int | Literal["entries"], number: int, width: int = TILE_WIDTH) -> str:
    """Write a tile's or bundle's path, such as ``tile/0/x001/x234/067.p/112``.

    Args:
        level: 0 to 63, or "entries" for an entry bundle.
        number: The tile's 0-based number in its level.
        width: Hashes (or entries) in it, 1 to 256; below 256 the tile is partial.

    Raises:
        MalformedError: one of them is out of range.
    """
    if level != ENTRIES:
        check_integer("tile level", level, LEVEL_MAX)
    check_integer("tile number", number, TILE_NUMBER_MAX)
    check_integer("tile width", width, TILE_WIDTH)
    if width == 0:
        raise MalformedError("expected a tile width of at least 1, got 0; empty tiles have no path")
    groups = f"{number % 1000:03}"
    rest = number // 1000
    while rest:
        groups = f"x{rest % 1000:03}/{groups}"
        rest //= 1000
    partial = "" if width == TILE_WIDTH else f".p/{width}"
    return f"tile/{level}/{groups}{partial}"


def parse_tile_path(path: str) -> TilePath:
    """Read a tile's path; accepts exactly what ``format_tile_path`` writes.

    Raises:
        MalformedError: the text is not such a path, to the last zero.
    """
    if not isinstance(path, str):
        raise MalformedError(f"expected a tile path as text, got {type(path).__name__}")
    match = _PATH.fullmatch(path) if len(path) <= TILE_PATH_CHARS_MAX else None
    if match is not None:
        level_text, number_text, width_text = match.groups()
        number = int(re.sub("[x/]", "", number_text))
        width = int(width_text) if width_text else TILE_WIDTH
        level = ENTRIES if level_text == ENTRIES else int(level_text)
        # Writing it again catches numbers out of range, superfluous zero groups and a
        # full width spelled out.
        if format_tile_path(level, number, width) == path:
            return TilePath(level, number, width)
    shown = path[:TILE_PATH_CHARS_MAX]
    raise MalformedError(
        f"expected a tile path such as tile/0/x001/x234/067 or tile/entries/000.p/1, got "
        f"{shown!r}; write the number in groups of three digits without superfluous zeros"
    )


def partial_width(size: int, level: int) -> int:
    """Count the hashes in the partial tile at ``level``: floor(size / 256**level) mod 256."""
    _check_size_and_level(size, level)
    return (size >> TILE_HEIGHT * level) & _LAST


def tile_width(size: int, level: int, number: int) -> int:
    """Count the hashes in a tile at a tree size: 256, the partial width, or 0 for no tile."""
    _check_size_and_level(size, level)
    check_integer("tile number", number)
    hashes = size >> TILE_HEIGHT * level
    return max(0, min(TILE_WIDTH, hashes - number * TILE_WIDTH))


def list_tiles(size: int) -> Iterator[TilePath]:
    """List the hash tiles of a tree, full and partial, level by level, left to right.

    Raises:
        MalformedError: ``size`` is not a tree size (at once, before the first tile).
    """
    check_integer("size", size, SIZE_MAX)
    return (
        TilePath(level, number, tile_width(size, level, number))
        for level in range(_level_count(size))
        for number in range(((size >> TILE_HEIGHT * level) + _LAST) >> TILE_HEIGHT)
    )


def format_bundle(entries: Iterable[bytes]) -> bytes:
    """Join up to 256 entries into a bundle: each behind its length, 2 bytes big-endian.

    Raises:
        MalformedError: an entry is not bytes or too long, or there are too many.
    """
    parts: list[bytes] = []
    for entry in entries:
        if not isinstance(entry, bytes):
            raise MalformedError(f"expected entries as bytes, got {type(entry).__name__}")
        if len(entry) > ENTRY_BYTES_MAX:
            raise MalformedError(
                f"expected an entry of at most {ENTRY_BYTES_MAX} bytes, got {len(entry)}; "
                "split the record or keep large content outside the log"
            )
        parts.append(len(entry).to_bytes(_LENGTH_BYTES, "big"))
        parts.append(entry)
    if len(parts) > 2 * TILE_WIDTH:
        raise MalformedError(
            f"expected at most {TILE_WIDTH} entries in a bundle, got {len(parts) // 2}; "
            "start the next bundle"
        )
    return b"".join(parts)


def parse_bundle(data: bytes, width: int) -> list[bytes]:
    """Cut a bundle into its entries.

    Args:
        data: The bundle's bytes.
        width: Entries that it must hold, 0 to 256.

    Raises:
        MalformedError: the bytes are not exactly ``width`` entries.
    """
    check_integer("bundle width", width, TILE_WIDTH)
    if not isinstance(data, bytes):
        raise MalformedError(f"expected a bundle as bytes, got {type(data).__name__}")
    entries: list[bytes] = []
    start = 0
    total = len(data)
    try:
        for _ in range(width):
            # Both bytes by hand, and the end looked at once: audits cut millions of entries.
            body = start + _LENGTH_BYTES
            start = body + (data[start] << 8 | data[start + 1])
            entries.append(data[body:start])
    except IndexError:
        start = total + 1
    if start > total:
        raise MalformedError(
            f"expected a bundle of {width} entries, got one of {total} bytes that ends before "
            "the last of them; fetch it again, whole and decompressed"
        )
    if start < total:
        raise MalformedError(
            f"expected a bundle of {width} entries, got {total - start} bytes after the last; "
            "ask for the width that the bundle's path names"
        )
    return entries


class TileReader:
    """Reads roots and proofs of one tree size from its tiles.

    Tiles come from ``read_tile`` when first needed. Rows of hashes inside a
    tile are computed once and kept with the tile; the ``cache_tiles`` tiles
    used last are kept. Proofs of neighbouring entries share their upper part.
    What the tiles say is trusted only as far as ``root()`` equals a signed
    root: compare it. Not for use by several threads at once.

    Args:
        size: Leaves in the tree.
        read_tile: (level, number, width) -> the tile's bytes. A wider tile's
            bytes do as well; its first ``width`` hashes are used.
        cache_tiles: Tiles kept; one is kept in any case.

    Raises:
        MalformedError: a number is out of range. Methods raise CorruptionError
            when ``read_tile`` gives too few bytes.
    """

    __slots__ = ("_above", "_cache_tiles", "_edges", "_read_tile", "_tiles", "size")

    def __init__(self, size: int, read_tile: ReadTile, cache_tiles: int = 64) -> None:
        check_integer("size", size, SIZE_MAX)
        check_integer("number of cached tiles", cache_tiles)
        self.size = size
        self._read_tile = read_tile
        self._cache_tiles = max(1, cache_tiles)
        # (level, number) -> rows of hashes, by height inside the tile.
        self._tiles: OrderedDict[tuple[int, int], list[list[bytes]]] = OrderedDict()
        # height -> hash of the right edge from that height's last boundary.
        self._edges: dict[int, bytes] = {}
        # The level-0 tile asked for last, and its leaves' siblings above it.
        self._above: tuple[int, list[bytes]] | None = None

    def node(self, height: int, position: int) -> bytes:
        """Read the hash of the perfect subtree of 2**height leaves at ``position``.

        Raises:
            NotFoundError: the tree of this size has no such subtree.
        """
        if not 0 <= height <= _HEIGHT_MAX or position < 0 or (position + 1) << height > self.size:
            raise NotFoundError(
                f"expected a perfect subtree inside the tree of size {self.size}, got height "
                f"{height}, position {position}"
            )
        level, inside = divmod(height, TILE_HEIGHT)
        number = position >> (TILE_HEIGHT - inside)
        row = self._row(level, number, inside)
        return row[position & (_LAST >> inside)]

    def root(self) -> bytes:
        """Compute the tree's 32-byte root."""
        if self.size == 0:
            return EMPTY_ROOT
        return self._edge((self.size - 1).bit_length())

    def inclusion(self, index: int) -> list[bytes]:
        """Build the inclusion proof of the leaf at ``index``, its sibling first.

        Raises:
            MalformedError: ``index`` is not an unsigned integer.
            NotFoundError: the tree has no leaf at ``index``.
        """
        size = self.size
        check_integer("index", index)
        if index >= size:
            raise NotFoundError(
                f"expected an index below the tree's size {size}, got {index}; "
                "ask for an entry that the tree holds"
            )
        number = index >> TILE_HEIGHT
        inside = index & _LAST
        self._row(0, number, TILE_HEIGHT - 1)
        rows = self._tiles[0, number]
        width = len(rows[0])
        if width == TILE_WIDTH:
            proof = [row[(inside >> height) ^ 1] for height, row in enumerate(rows)]
        else:
            # In the partial tile the path runs as in a tree of the tile's width.
            proof = collect_siblings(
                inside, width, 0, lambda height, position: rows[height][position], self._edge
            )
        proof += self._siblings_above(number)
        return proof

    def inclusions(self, first: int, end: int) -> list[tuple[bytes, ...]]:
        """Build the inclusion proofs of the leaves from ``first`` up to ``end``.

        Each is what ``inclusion`` gives. In a full tile, neighbours share all but their
        lowest siblings, so those above are put together once for all that have them.

        Raises:
            MalformedError, NotFoundError: as ``inclusion``.
        """
        proofs: list[tuple[bytes, ...]] = []
        at = first
        while at < end:
            number, inside = at >> TILE_HEIGHT, at & _LAST
            if tile_width(self.size, 0, number) < TILE_WIDTH:
                proofs.append(tuple(self.inclusion(at)))
                at += 1
                continue
            self._row(0, number, TILE_HEIGHT - 1)
            above = [tuple(self._siblings_above(number))]
            for row in reversed(self._tiles[0, number]):
                above = [(row[place ^ 1], *above[place >> 1]) for place in range(2 * len(above))]
            stop = min(end - (number << TILE_HEIGHT), TILE_WIDTH)
            proofs += above[inside:stop]
            at += stop - inside
        return proofs

    def consistency(self, old_size: int) -> list[bytes]:
        """Build the consistency proof from ``old_size`` to this tree.

        Errors: as for ``proofs.build_consistency``.
        """
        size = self.size
        if type(old_size) is int and 0 < old_size < size:
            return collect_consistency(old_size, size, self.node, self._edge)
        return build_consistency(old_size, size, self.node)

    def _siblings_above(self, number: int) -> list[bytes]:
        """Collect the siblings above a level-0 tile; all leaves in the tile share them."""
        above = self._above
        if above is None or above[0] != number:
            siblings = collect_siblings(
                number * TILE_WIDTH, self.size, TILE_HEIGHT, self.node, self._edge
            )
            self._above = above = (number, siblings)
        return above[1]

    def _edge(self, height: int) -> bytes:
        """Hash the right edge from the last multiple of 2**height, once per height."""
        known = self._edges.get(height)
        if known is None:
            known = self._edges[height] = edge_hash(self.size, height, self.node)
        return known

    def _row(self, level: int, number: int, inside: int) -> list[bytes]:
        """Give a tile's row of hashes ``inside`` heights above its own hashes."""
        tiles = self._tiles
        key = (level, number)
        rows = tiles.get(key)
        if rows is None:
            rows = tiles[key] = [self._load(level, number)]
            if len(tiles) > self._cache_tiles:
                tiles.popitem(last=False)
        else:
            tiles.move_to_end(key)
        while len(rows) <= inside:
            rows.append(hash_pairs(rows[-1]))
        return rows[inside]

    def _load(self, level: int, number: int) -> list[bytes]:
        """Fetch a tile's hashes."""
        width = tile_width(self.size, level, number)
        data = self._read_tile(level, number, width)
        if not isinstance(data, bytes) or len(data) < width * HASH_SIZE:
            came = f"{len(data)} bytes" if isinstance(data, bytes) else type(data).__name__
            raise CorruptionError(
                f"expected {width * HASH_SIZE} bytes of {format_tile_path(level, number, width)}, "
                f"got {came}; restore the tile from a mirror or rebuild it from the entries"
            )
        return split_hashes(data[: width * HASH_SIZE])


class TileWriter:
    """Extends a tree, knowing only the partial tiles on its right edge.

    Args:
        size: Leaves in the tree so far.
        edges: ``edges[level]`` is the partial tile at that level, 32 bytes for
            each of its ``partial_width(size, level)`` hashes, empty for none.

    Attributes:
        size: Leaves in the tree.
        edges: The partial tiles by level, as given to the constructor; as many
            levels as the size has base-256 digits.

    Raises:
        MalformedError: ``size`` is not a tree size.
        CorruptionError: the edges do not fit the size.
    """

    __slots__ = ("edges", "size")

    def __init__(self, size: int, edges: Sequence[bytes]) -> None:
        check_integer("size", size, SIZE_MAX)
        levels = _level_count(size)
        for level in range(max(levels, len(edges))):
            edge = edges[level] if level < len(edges) else b""
            expected = ((size >> TILE_HEIGHT * level) & _LAST) * HASH_SIZE
            if not isinstance(edge, bytes) or len(edge) != expected:
                came = f"{len(edge)} bytes" if isinstance(edge, bytes) else type(edge).__name__
                raise CorruptionError(
                    f"expected {expected} bytes in the partial tile at level {level} of a tree "
                    f"of size {size}, got {came}; rebuild the edges from the tiles"
                )
        self.size = size
        self.edges = list(edges[:levels])

    def copy(self) -> TileWriter:
        """Make an independent writer at the same size; cheap, nothing is checked again."""
        twin = TileWriter.__new__(TileWriter)
        twin.size = self.size
        twin.edges = self.edges.copy()
        return twin

    def extend(self, leaf_hashes: Sequence[bytes]) -> list[tuple[int, int, bytes]]:
        """Add leaves at the end of the tree.

        Args:
            leaf_hashes: 32-byte leaf hashes in order.

        Returns:
            The tiles that became full, in the order of completion, each as
            (level, number, 8,192 bytes). A tile that completes adds its root to
            the level above, whose tile may complete in turn.

        Raises:
            MalformedError: a hash has not 32 bytes, or the tree would become too
                large; nothing is added then.
        """
        check_lengths("leaf hash", leaf_hashes)
        check_integer("size of the extended tree", self.size + len(leaf_hashes), SIZE_MAX)
        number = self.size >> TILE_HEIGHT
        self.size += len(leaf_hashes)
        levels = _level_count(self.size)
        edges = self.edges
        edges += [b""] * (levels - len(edges))
        completed: list[tuple[int, int, bytes]] = []
        if not leaf_hashes:
            return completed
        data = edges[0] + b"".join(leaf_hashes)
        whole = len(data) - len(data) % TILE_BYTES
        for start in range(0, whole, TILE_BYTES):
            self._complete(0, number, data[start : start + TILE_BYTES], completed)
            number += 1
        edges[0] = data[whole:]
        return completed

    def root(self) -> bytes:
        """Compute the tree's 32-byte root from the edges alone."""
        below: list[bytes] = []
        for edge in self.edges:
            # What lies below a level's partial tile hangs at its right end.
            row = split_hashes(edge) + below
            below = [root_of(row)] if row else []
        return below[0] if below else EMPTY_ROOT

    def _complete(
        self, level: int, number: int, tile: bytes, completed: list[tuple[int, int, bytes]]
    ) -> None:
        """Record a full tile and add its root above, for as long as tiles fill up."""
        edges = self.edges
        while True:
            completed.append((level, number, tile))
            level += 1
            number >>= TILE_HEIGHT
            edge = edges[level] + root_of(split_hashes(tile))
            if len(edge) < TILE_BYTES:
                edges[level] = edge
                return
            edges[level] = b""
            tile = edge


def _level_count(size: int) -> int:
    """Count the levels of a tree that have tiles: the base-256 digits of its size."""
    return (size.bit_length() + TILE_HEIGHT - 1) // TILE_HEIGHT


def _check_size_and_level(size: int, level: int) -> None:
    """Raise MalformedError unless both are in range."""
    check_integer("size", size, SIZE_MAX)
    check_integer("tile level", level, LEVEL_MAX)
