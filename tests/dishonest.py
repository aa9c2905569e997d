"""Logs in memory and an operator who serves them over HTTP, honestly or not.

Everything is signed by the real signing code: a dishonest operator has the log's key.
"""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.errors import LedgerError, NotFoundError, RetryableError
from ledger.tlog.checkpoint import sign_checkpoint
from ledger.tlog.merkle import HASH_SIZE, leaf_hash
from ledger.tlog.note import Ed25519Signer, Signer
from ledger.tlog.tiles import (
    ENTRIES,
    TileWriter,
    format_bundle,
    format_tile_path,
    list_tiles,
    parse_tile_path,
    tile_width,
)

ORIGIN = "shanji.example/dishonest"
SIGNER = Ed25519Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
VKEY = SIGNER.verifier_key
KEYS = (VKEY,)

Answer = tuple[int, bytes]
Answering = Callable[[str, Mapping[str, str]], Answer]


def number_entry(index: int, mark: bytes = b"") -> bytes:
    """A short entry."""
    return b"entry %d %b" % (index, mark)


class PaperLog:
    """A log of any entries; every size up to its own can be served.

    Args:
        size: Entries in it.
        fork: From this index on the entries are others, so that two logs share a prefix.
        mark: What makes these entries others.
    """

    def __init__(self, size: int, fork: int | None = None, mark: bytes = b"fork") -> None:
        self.entries = [
            number_entry(index, mark if fork is not None and index >= fork else b"")
            for index in range(size)
        ]
        self.tiles: dict[tuple[int, int], bytes] = {}
        self._writer = TileWriter(0, [])
        self._extend(self.entries)

    def grow(self, count: int, mark: bytes = b"") -> None:
        """Add entries at the end."""
        first = len(self.entries)
        added = [number_entry(first + index, mark) for index in range(count)]
        self.entries += added
        self._extend(added)

    def _extend(self, entries: Sequence[bytes]) -> None:
        for level, number, data in self._writer.extend([leaf_hash(one) for one in entries]):
            self.tiles[level, number] = data

    @property
    def size(self) -> int:
        return len(self.entries)

    def writer(self, size: int) -> TileWriter:
        """The tree at a size."""
        edges = []
        for level in range((size.bit_length() + 7) // 8):
            width = (size >> 8 * level) & 255
            edges.append(self.tile(level, size >> 8 * (level + 1), width) if width else b"")
        return TileWriter(size, edges)

    def root(self, size: int | None = None) -> bytes:
        return self.writer(self.size if size is None else size).root()

    def checkpoint(self, size: int | None = None, signers: Sequence[Signer] = (SIGNER,)) -> bytes:
        size = self.size if size is None else size
        return sign_checkpoint(ORIGIN, size, self.root(size), signers)

    def tile(self, level: int, number: int, width: int) -> bytes:
        data = self.tiles.get((level, number))
        if data is None and number == self.size >> 8 * (level + 1):
            data = self._writer.edges[level]
        assert data is not None
        assert len(data) >= width * HASH_SIZE
        return data[: width * HASH_SIZE]

    def bundle(self, number: int, width: int) -> bytes:
        return format_bundle(self.entries[number * 256 : number * 256 + width])

    def read(self, path: str) -> bytes | None:
        """The bytes for a path of tlog-tiles, None where there is nothing."""
        if path == "checkpoint":
            return self.checkpoint()
        try:
            place = parse_tile_path(path)
        except LedgerError:
            return None
        level = 0 if place.level == ENTRIES else place.level
        if place.width > tile_width(self.size, level, place.number):
            return None
        if place.level == ENTRIES:
            return self.bundle(place.number, place.width)
        return self.tile(level, place.number, place.width)

    def answer(self, path: str, headers: Mapping[str, str]) -> Answer:
        """Serve honestly."""
        data = self.read(path)
        return (404, b"") if data is None else (200, data)

    def files(self) -> dict[str, bytes]:
        """What a static site of the log holds: checkpoint, tiles and bundles."""
        found = {"checkpoint": self.checkpoint()}
        for place in list_tiles(self.size):
            level = int(place.level)
            path = format_tile_path(level, place.number, place.width)
            found[path] = self.tile(level, place.number, place.width)
            if level == 0:
                path = format_tile_path(ENTRIES, place.number, place.width)
                found[path] = self.bundle(place.number, place.width)
        return found


@lru_cache(maxsize=16)
def paper_log(size: int, fork: int | None = None) -> PaperLog:
    """A log that no test changes."""
    return PaperLog(size, fork)


class LogReads:
    """Reads a log's paths without a network.

    Attributes:
        log: The log that is shown now.
        change: Other bytes for some paths, None for nothing.
        fail_at: The number of the request at which the source goes away.
        failure: Raised in place of any answer.
        asked: The paths asked for.
    """

    def __init__(self, log: PaperLog, *, fail_at: int | None = None) -> None:
        self.log = log
        self.fail_at = fail_at
        self.change: dict[str, bytes | None] = {}
        self.failure: LedgerError | None = None
        self.asked: list[str] = []

    def __call__(self, path: str, bytes_max: int) -> bytes:
        if len(self.asked) == self.fail_at:
            self.failure = RetryableError("the source is away")
        self.asked.append(path)
        if self.failure is not None:
            raise self.failure
        data = self.change[path] if path in self.change else self.log.read(path)
        if data is None:
            raise NotFoundError(f"{path} is not there")
        return data


class Operator:
    """Serves what `answer` says on a loopback port, and counts what is asked."""

    def __init__(self, answer: Answering) -> None:
        self.answer = answer
        self.asked: list[str] = []
        operator = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                path = self.path.lstrip("/")
                operator.asked.append(path)
                status, data = operator.answer(path, dict(self.headers.items()))
                self.send_response(status)
                if "/entries/" in path and status == 200:
                    data = gzip.compress(data, 1, mtime=0)
                    self.send_header("Content-Encoding", "gzip")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            # A mirror connects many times at once; what finds no place here comes a second later.
            request_queue_size = 128

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that was killed is expected here."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(30)


@contextmanager
def operating(answer: Answering) -> Iterator[Operator]:
    """An operator for the length of the block."""
    operator = Operator(answer)
    try:
        yield operator
    finally:
        operator.close()


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file of a mirror that a visitor may see, by its path."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".mirror" not in path.parts
    }
