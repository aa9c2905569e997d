"""A log of any size for audits of hashes alone: a recorded one, and its entries over again.

Recording a million gifts takes minutes, and such an audit looks at nothing but bytes: so the
entries are written once more behind themselves, each with its own index and chain.
"""

from __future__ import annotations

import re
from itertools import cycle, islice
from pathlib import Path

from ledger.book import Book
from ledger.tlog.merkle import HASH_SIZE, leaf_hash
from ledger.tlog.tiles import (
    ENTRIES,
    TILE_HEIGHT,
    TILE_WIDTH,
    TileWriter,
    format_bundle,
    format_tile_path,
)

_CHAINED = re.compile(rb'"index":\d+,"kind"|"previous":"[0-9a-f]{64}","recorded_at"')


def write_repeated(book: Book, entries: list[bytes], size: int, folder: Path) -> Path:
    """The folder, with checkpoint, tiles and bundles of a log of so many entries.

    Args:
        book: Signs.
        entries: The first ones, as they were recorded.
        size: How many there will be; a multiple of 256, so that every bundle is full.
    """
    tree = TileWriter(0, [])
    previous = b""
    again = cycle(entries)
    for number in range(size // TILE_WIDTH):
        bundle: list[bytes] = []
        leaves: list[bytes] = []
        for index, recorded in enumerate(islice(again, TILE_WIDTH), number * TILE_WIDTH):
            new = index >= len(entries)
            data = _moved(recorded, index, previous) if new else recorded
            bundle.append(data)
            leaves.append(leaf_hash(data))
            previous = leaves[-1].hex().encode()
        _write(folder / format_tile_path(ENTRIES, number, TILE_WIDTH), format_bundle(bundle))
        for level, place, hashes in tree.extend(leaves):
            _write(folder / format_tile_path(level, place, TILE_WIDTH), hashes)
    for level, edge in enumerate(tree.edges):
        if edge:
            width = len(edge) // HASH_SIZE
            place = size >> TILE_HEIGHT * (level + 1)
            _write(folder / format_tile_path(level, place, width), edge)
    keys = book.verifier_keys
    _write(folder / "checkpoint", book.keyring.sign(keys[0].name, size, tree.root(), keys))
    return folder


def _moved(data: bytes, index: int, previous: bytes) -> bytes:
    """An entry's bytes at another place of the log."""
    changed = {
        b'"i': b'"index":%d,"kind"' % index,
        b'"p': b'"previous":"%b","recorded_at"' % previous,
    }
    return _CHAINED.sub(lambda found: changed[found.group()[:2]], data, count=2)


def _write(file: Path, data: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
