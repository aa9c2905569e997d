"""The log as C2SP tlog-tiles: every tile of every size, and nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import oracle_merkle
import pytest
from caller import Caller, serving
from scribe import Scribe, make_book

from api.routes.tiles import accepts_gzip
from ledger.book import Book
from ledger.tlog.tiles import (
    TileReader,
    format_tile_path,
    list_tiles,
    parse_bundle,
    parse_tile_path,
)
from ledger.verify import verify_checkpoint

SIZE = 513
STEPS = (1, 2, 255, 256, 257, 511, 512, 513)
"""Sizes at which checkpoints are signed."""


@pytest.fixture(scope="module")
def tiled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    """The service over a log of 513 entries."""
    folder = tmp_path_factory.mktemp("tiles") / "data"
    book = make_book(folder)
    scribe = Scribe(book)
    fund = {"code": "general", "name": "资金", "fund_class": "unrestricted"}
    scribe.tell("fund.opened", fund)
    for size in STEPS[2:]:
        now = book.head().size
        scribe.submit([scribe.gift(number) for number in range(now, size)])
        assert book.head().size == size
    book.close()
    with serving(folder) as caller:
        yield caller


def entries_of(book: Book) -> list[bytes]:
    with book.store.read() as reader:
        return reader.entries(0, SIZE)


def fetch(tiled: Caller, path: str) -> bytes:
    answer = tiled.get(f"/{path}", headers={"Accept-Encoding": "identity"})
    assert answer.status_code == 200, path
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    return answer.content


def test_the_checkpoint_is_a_signed_note_that_is_kept_briefly(tiled: Caller) -> None:
    answer = tiled.get("/checkpoint")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=2"
    checkpoint, _ = verify_checkpoint(answer.content, tiled.book.verifier_keys)
    assert checkpoint.size == SIZE
    leaves = [oracle_merkle.leaf(data) for data in entries_of(tiled.book)]
    assert checkpoint.root == oracle_merkle.tree_hash(leaves)
    headers = {"If-None-Match": answer.headers["etag"]}
    assert tiled.get("/checkpoint", headers=headers).status_code == 304


@pytest.mark.parametrize("size", STEPS)
def test_the_tiles_of_every_size_give_its_root(tiled: Caller, size: int) -> None:
    def read_tile(level: int, number: int, width: int) -> bytes:
        return fetch(tiled, format_tile_path(level, number, width))

    leaves = [oracle_merkle.leaf(data) for data in entries_of(tiled.book)[:size]]
    assert TileReader(size, read_tile).root() == oracle_merkle.tree_hash(leaves)
    for tile in list_tiles(size):
        assert len(read_tile(int(tile.level), tile.number, tile.width)) == 32 * tile.width


@pytest.mark.parametrize("size", STEPS)
def test_the_bundles_of_every_size_give_its_entries(tiled: Caller, size: int) -> None:
    found: list[bytes] = []
    for tile in list_tiles(size):
        if tile.level == 0:
            path = format_tile_path("entries", tile.number, tile.width)
            found += parse_bundle(fetch(tiled, path), tile.width)
    assert found == entries_of(tiled.book)[:size]


@pytest.mark.parametrize(
    "path",
    [
        "0/002.p/2",
        "0/002",
        "0/003.p/1",
        "0/001.p/0",
        "0/001.p/256",
        "1/000",
        "1/000.p/3",
        "1/001.p/1",
        "2/000.p/1",
        "64/000",
        "00/000",
        "0/1",
        "0/0001",
        "0/x000/001",
        "0/000/",
        "0//000",
        "0/000.p/01",
        "-1/000",
        "entries/002",
        "entries/002.p/2",
        "entries/003.p/1",
        "entries/x999/999",
        "0/x999/x999/x999/x999/x999/999",
        "0/" + "x999/" * 30 + "999",
        "data/000",
        "",
        "..%2f..%2fetc%2fpasswd",
        "0/000%00",
    ],
)
def test_what_is_no_tile_of_the_log_is_not_there(tiled: Caller, path: str) -> None:
    tiled.problem(tiled.get(f"/tile/{path}"), 404, "no_tile")


@pytest.mark.parametrize("path", ["tile/0/000", "tile/0/002.p/1", "tile/entries/001"])
def test_a_tile_is_not_sent_again_to_who_has_it(tiled: Caller, path: str) -> None:
    answer = tiled.get(f"/{path}")
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    again = tiled.get(f"/{path}", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304
    assert again.content == b""


def test_a_bundle_comes_compressed_where_that_is_accepted(tiled: Caller) -> None:
    plain = tiled.get("/tile/entries/000", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    packed = tiled.get("/tile/entries/000", headers={"Accept-Encoding": "br, gzip;q=0.5"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["vary"] == plain.headers["vary"] == "accept-encoding"
    assert packed.content == plain.content
    assert packed.headers["etag"] != plain.headers["etag"]
    assert int(packed.headers["content-length"]) < len(plain.content) // 2
    hashes = tiled.get("/tile/0/000", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in hashes.headers


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("gzip", True),
        ("GZIP", True),
        ("deflate, gzip;q=1.0", True),
        ("*", True),
        ("*;q=0.1", True),
        ("br;q=1, gzip ; q=0.001", True),
        ("gzip;q=0", False),
        ("gzip;q=0.000", False),
        ("br", False),
        ("", False),
        ("x-gzip-not", False),
    ],
)
def test_accept_encoding_is_read_as_the_standard_says(header: str, accepted: bool) -> None:
    assert accepts_gzip(header) is accepted


def test_head_gives_the_headers_alone(tiled: Caller) -> None:
    full = tiled.get("/tile/0/000")
    answer = tiled.call("HEAD", "/tile/0/000")
    assert answer.status_code == 200
    assert answer.content == b""
    assert answer.headers["etag"] == full.headers["etag"]
    assert answer.headers["content-length"] == "8192"


def test_a_mirror_can_be_verified_by_hashing_alone(tiled: Caller) -> None:
    """Bundles against the leaf tiles, with nothing but SHA-256."""
    hashes = fetch(tiled, "tile/0/000")
    for number, entry in enumerate(parse_bundle(fetch(tiled, "tile/entries/000"), 256)):
        leaf = hashlib.sha256(b"\x00" + entry).digest()
        assert hashes[32 * number : 32 * number + 32] == leaf


def test_paths_round_trip(tiled: Caller) -> None:
    for tile in list_tiles(SIZE):
        path = format_tile_path(tile.level, tile.number, tile.width)
        assert parse_tile_path(path) == tile
        fetch(tiled, path)
