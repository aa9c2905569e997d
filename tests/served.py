"""A log's public data as files, the way any static server gives them out."""

from __future__ import annotations

from pathlib import Path

from ledger.audit.source_store import StoreSource
from ledger.book import Book
from ledger.tlog.tiles import ENTRIES, format_tile_path, list_tiles, tile_width


def write_served(book: Book, folder: Path) -> Path:
    """Write checkpoint, tiles and bundles of a log as it is now; the folder."""
    source = StoreSource(book.store)
    try:
        size = book.head().size
        files = {"checkpoint": source.checkpoint()}
        for tile in list_tiles(size):
            path = format_tile_path(tile.level, tile.number, tile.width)
            files[path] = source.tile(int(tile.level), tile.number, tile.width)
        for number in range((size + 255) // 256):
            width = tile_width(size, 0, number)
            files[format_tile_path(ENTRIES, number, width)] = source.bundle(number, width)
    finally:
        source.close()
    for path, data in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return folder
