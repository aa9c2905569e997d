"""``shanji publish``: to a folder and to an object store, incremental, safe to interrupt."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import obstore
import pytest
from moto.server import ThreadedMotoServer
from obstore.store import from_url
from scribe import Scribe, gifts, make_book, open_copy
from typer.testing import CliRunner

from ledger.audit.public import audit_public
from ledger.audit.source import FolderSource
from ledger.audit.source_store import StoreSource
from ledger.book import Book
from ledger.cli import build
from ledger.errors import ConflictError, CorruptionError, MalformedError, NotReadyError
from ledger.publishing import open_target, publish, publishing
from ledger.publishing.targets import BRIEF, IMMUTABLE, FolderTarget
from ledger.tlog.tiles import format_tile_path, list_tiles

BUCKET = "tiles"


@dataclass
class Watched:
    """A folder that notes what is put there, and fails at one put."""

    folder: Path
    paths: list[str] = field(default_factory=list)
    fail_at: int | None = None
    name: str = "watched"

    def get_checkpoint(self) -> bytes | None:
        return FolderTarget(self.folder).get_checkpoint()

    def put(self, path: str, data: bytes) -> None:
        self._note(path)
        FolderTarget(self.folder).put(path, data)

    def put_checkpoint(self, note: bytes) -> None:
        self._note("checkpoint")
        FolderTarget(self.folder).put_checkpoint(note)

    def _note(self, path: str) -> None:
        if len(self.paths) == self.fail_at:
            raise NotReadyError("the network is gone")
        self.paths.append(path)


def run(book: Book, target: Watched, **more: Any) -> int:
    """Publish; the number of files."""
    target.paths.clear()
    return publish(book.store, target, book.verifier_keys, workers=1, **more).files


def paths(size: int) -> set[str]:
    """Where the tiles and bundles of a log of that size are."""
    found = {format_tile_path(one.level, one.number, one.width) for one in list_tiles(size)}
    return found | {one.replace("tile/0/", "tile/entries/") for one in found}


def whole(folder: Path, size: int) -> None:
    """The folder serves a log of that size, which a stranger finds clean."""
    assert audit_public(FolderSource(folder)).findings == ()
    assert all((folder / path).is_file() for path in paths(size))


@pytest.fixture
def grown(world: Scribe) -> Scribe:
    """A log of three full tiles and something."""
    world.submit(gifts(world, 800))
    return world


def test_a_second_run_puts_only_what_is_new(grown: Scribe, tmp_path: Path) -> None:
    book, target = grown.book, Watched(tmp_path / "target")
    first = book.head().size
    assert run(book, target) == len(target.paths) - 1 == len(paths(first))
    assert target.paths[-1] == "checkpoint"
    assert len(set(target.paths)) == len(target.paths)
    whole(target.folder, first)
    assert (run(book, target), target.paths) == (0, [])
    grown.submit(gifts(grown, 300, "more"))
    run(book, target)
    held = paths(first)
    assert held.isdisjoint(target.paths)
    assert {*target.paths, *held} >= paths(book.head().size)
    whole(target.folder, book.head().size)


def test_an_interrupted_run_leaves_the_older_log(grown: Scribe, tmp_path: Path) -> None:
    book, target = grown.book, Watched(tmp_path / "target")
    run(book, target)
    before = book.head().size
    grown.submit(gifts(grown, 600, "more"))
    for fail_at in (0, 1, 3, 7):
        target.fail_at = fail_at
        with pytest.raises(NotReadyError):
            run(book, target)
        assert FolderSource(target.folder).checkpoint() == book.checkpoint_of_size(before)
        whole(target.folder, before)
    target.fail_at = None
    run(book, target)
    whole(target.folder, book.head().size)


def test_a_long_way_goes_by_checkpoints(
    grown: Scribe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "STEP_ENTRIES", 256)
    grown.submit(gifts(grown, 300, "more"))
    target = Watched(tmp_path / "target")
    run(grown.book, target)
    assert target.paths.count("checkpoint") > 1
    whole(target.folder, grown.book.head().size)
    (target.folder / "tile/0/000").unlink()
    assert run(grown.book, target, everything=True) == len(target.paths)
    whole(target.folder, grown.book.head().size)


def test_another_log_and_a_newer_one_are_left_alone(
    world: Scribe, tmp_path: Path, world_template: Path
) -> None:
    target = Watched(tmp_path / "target")
    other = open_copy(world_template, tmp_path / "older")
    world.submit(gifts(world, 3))
    run(world.book, target)
    with pytest.raises(ConflictError, match="older copy") as caught:
        run(other, target)
    assert caught.value.code == "target_ahead"
    # The copy goes another way: the same key has signed two histories.
    Scribe(other).submit(gifts(Scribe(other), 9, "fork"))
    with pytest.raises(CorruptionError, match="two histories"):
        run(other, target)
    other.close()
    foreign = make_book(tmp_path / "foreign")
    foreign.close()
    (target.folder / "checkpoint").write_bytes(
        world.book.head().checkpoint.replace(b"shanji.example", b"another.example")
    )
    with pytest.raises(ConflictError) as refused:
        run(world.book, target)
    assert refused.value.code == "another_log"
    assert target.paths == []


def test_what_is_not_what_was_signed_is_not_published(
    world: Scribe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = StoreSource.bundle

    def changed(self: Any, number: int, width: int) -> bytes:
        return real(self, number, width)[:-1] + b"\n"

    monkeypatch.setattr(StoreSource, "bundle", changed)
    target = Watched(tmp_path / "target")
    with pytest.raises(CorruptionError, match="not the one that was signed"):
        run(world.book, target)
    assert not any("entries" in path or path == "checkpoint" for path in target.paths)


@pytest.mark.parametrize("where", ["http://host/a", "file:///a", "s3://"])
def test_targets_that_are_none(where: str) -> None:
    with pytest.raises(MalformedError):
        open_target(where)


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An S3 service on loopback with an empty bucket."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ENDPOINT", url),
        ("AWS_ALLOW_HTTP", "true"),
    ):
        monkeypatch.setenv(name, value)
    # The first who asks has it import what it answers with.
    assert httpx.put(f"{url}/{BUCKET}", timeout=60).status_code == 200
    yield url
    server.stop()


def test_an_object_store_serves_it_with_its_headers(
    world: Scribe, endpoint: str, tmp_path: Path
) -> None:
    book = world.book
    command = ["publish", f"s3://{BUCKET}/log", "--data", str(book.folder), "--json"]
    done = CliRunner().invoke(build(), command)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["files"] == len(paths(book.head().size))
    store = from_url(f"s3://{BUCKET}/log")
    served = obstore.get(store, "checkpoint")
    assert bytes(served.bytes()) == book.head().checkpoint
    assert served.attributes["Content-Type"].startswith("text/plain")
    assert served.attributes["Cache-Control"] == BRIEF
    for path in paths(book.head().size):
        attributes = obstore.get(store, path).attributes
        assert attributes["Cache-Control"] == IMMUTABLE
        assert attributes["Content-Type"] == "application/octet-stream"
    again = CliRunner().invoke(build(), [*command[:-1], "--lang", "en"])
    assert "is up to date" in again.stdout
    none = CliRunner().invoke(build(), ["publish", "s3://none/log", *command[2:]])
    assert isinstance(none.exception, NotReadyError)
