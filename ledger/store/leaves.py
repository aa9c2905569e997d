"""Where a leaf hash stands: the first bytes of all of them, kept in memory.

An index over leaf hashes would be one more row at a random place for each entry: 6 of some
140 µs of recording, and a page of the file for each. Full tiles never change, so a process
reads each of them once, when it is first asked for a leaf hash, and keeps four bytes of each
hash (4 MB for a million entries): a search looks through these, and checks what it finds.
"""

from __future__ import annotations

import threading

from ledger.errors import CorruptionError
from ledger.store.log_reader import LogReader
from ledger.tlog.merkle import HASH_SIZE
from ledger.tlog.tiles import TILE_BYTES, TILE_HEIGHT, TILE_WIDTH

KEPT_BYTES = 4
"""Of each hash; of a million others, one in four thousand searches meets one that begins alike."""
TILES_AT_ONCE = 256
"""Tiles that are read at once: two megabytes."""


class LeafPlaces:
    """The beginnings of the hashes in one log's full tiles; for several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept = bytearray()

    def find(self, reader: LogReader, leaf_hash: bytes) -> int | None:
        """The newest entry of a snapshot with this leaf hash, 32 bytes; None where it has none.

        Raises:
            CorruptionError: a full tile is missing or too short.
        """
        head = reader.head()
        tiles = 0 if head is None else head.size >> TILE_HEIGHT
        edges = reader.edges()
        place = _last_place(edges[0] if edges else b"", leaf_hash, HASH_SIZE)
        if place is not None:
            return tiles * TILE_WIDTH + place
        self._read(reader, tiles)
        end = tiles * TILE_WIDTH * KEPT_BYTES
        # Bytes that were added since are of later tiles; those before them stay as they are.
        while (
            found := _last_place(self._kept, leaf_hash[:KEPT_BYTES], KEPT_BYTES, end)
        ) is not None:
            if reader.leaf_hash(found) == leaf_hash:
                return found
            end = found * KEPT_BYTES
        return None

    def _read(self, reader: LogReader, tiles: int) -> None:
        """Take up the full tiles that are new."""
        with self._lock:
            first = len(self._kept) // (TILE_WIDTH * KEPT_BYTES)
            for start in range(first, tiles, TILES_AT_ONCE):
                end = min(tiles, start + TILES_AT_ONCE)
                some = reader.leaf_tiles(start, end)
                if [number for number, _ in some] != list(range(start, end)) or any(
                    len(hashes) != TILE_BYTES for _, hashes in some
                ):
                    raise CorruptionError(
                        f"expected the full tiles {start} to {end - 1}, one is missing or not "
                        "whole; run shanji audit",
                        code="tile_missing",
                    )
                self._kept += b"".join(_beginnings(hashes) for _, hashes in some)


def _beginnings(hashes: bytes) -> bytes:
    """The first `KEPT_BYTES` of each hash of a tile."""
    return memoryview(hashes).cast("I")[:: HASH_SIZE // KEPT_BYTES].tobytes()


def _last_place(
    hashes: bytes | bytearray, wanted: bytes, width: int, end: int | None = None
) -> int | None:
    """The last place of one among values that lie end to end, `width` bytes each."""
    at = hashes.rfind(wanted, 0, end)
    while at % width and at > 0:
        at = hashes.rfind(wanted, 0, at + width - 1)
    return None if at < 0 else at // width
