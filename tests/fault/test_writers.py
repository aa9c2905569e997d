"""Processes that write to one log at once never fork it, and lose and repeat nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from postgresql_server import Databases
from scribe import ORGANISATION, ORIGIN, Scribe, audited, tell_small_world
from writers import race

from ledger.book import Book
from ledger.store import Store
from ledger.store.place import write_url

pytestmark = pytest.mark.sqlite("the races on a server are played beside the one on its file")

GIFTS = 120
SHARED = 20


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed small world in a file."""
    folder = tmp_path_factory.mktemp("writers") / "book"
    book = Book.create(folder, origin=ORIGIN, organisation=ORGANISATION)
    tell_small_world(Scribe(book))
    book.close()
    return folder


def check_race(folder: Path, writers: int, *, size: int) -> None:
    """Let them race, then look at everything that they said and the log says."""
    before = _size(folder)
    found = race(folder, writers, GIFTS // writers, size, SHARED)
    own = [index for some in found["recorded"] for index in some]
    assert len(own) == len(set(own)) == GIFTS // writers * writers
    # Who comes second with a key gets the receipt of the first.
    assert all(some == found["shared"][0] for some in found["shared"])
    assert len(set(found["shared"][0])) == SHARED
    assert sorted(own + found["shared"][0]) == list(range(before, before + len(own) + SHARED))
    book = Book.open(folder)
    try:
        assert book.head().size == before + len(own) + SHARED
        audited(book)
    finally:
        book.close()


def _size(folder: Path) -> int:
    book = Book.open(folder)
    try:
        return book.head().size
    finally:
        book.close()


@pytest.mark.fault
def test_two_writers_of_a_file(small: Path, tmp_path: Path) -> None:
    shutil.copytree(small, tmp_path / "data")
    check_race(tmp_path / "data", 2, size=10)


@pytest.mark.fault
@pytest.mark.parametrize("writers", [2, 4, 8])
def test_writers_of_a_server(
    small: Path, tmp_path: Path, databases: Databases, writers: int
) -> None:
    folder = _on_server(small, tmp_path, databases)
    check_race(folder, writers, size=5)


def _on_server(small: Path, tmp_path: Path, databases: Databases) -> Path:
    """A copy of the small world in a database of its own."""
    folder = tmp_path / "data"
    (folder / "keys").mkdir(parents=True)
    for key in (small / "keys").iterdir():
        (folder / "keys" / key.name).write_bytes(key.read_bytes())
    url = databases.server.url(databases.new())
    source, target = Store.open(str(small / "ledger.sqlite3")), Store.open(url)
    try:
        with source.read() as reader:
            target.fill(reader)
    finally:
        source.close()
        target.close()
    write_url(folder, url)
    return folder
