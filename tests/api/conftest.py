"""Services for the API's tests: over a small world, and over the demonstration.

Templates are made once a session and copied for each test.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from caller import Caller, serving
from scribe import Scribe, make_book, tell_small_world
from templates import demonstration

from ledger.book import Book


@pytest.fixture(scope="session")
def small_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The closed folder of the small world (see ``scribe``)."""
    folder = tmp_path_factory.mktemp("api-world") / "book"
    book = make_book(folder)
    tell_small_world(Scribe(book))
    book.close()
    return folder


@pytest.fixture
def folder(small_template: Path, tmp_path: Path) -> Path:
    """A copy of the small world's folder."""
    copy = tmp_path / "data"
    shutil.copytree(small_template, copy)
    return copy


@pytest.fixture
def service(folder: Path) -> Iterator[Caller]:
    """The service over the small world."""
    with serving(folder) as caller:
        yield caller


@pytest.fixture(scope="session")
def untouched(small_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    """One service over the small world for all tests that must record nothing."""
    copy = tmp_path_factory.mktemp("untouched") / "data"
    shutil.copytree(small_template, copy)
    with serving(copy) as caller:
        size = caller.book.head().size
        yield caller
        assert caller.book.head().size == size


@pytest.fixture(scope="session")
def loaded_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The closed folder of the loaded demonstration."""
    return demonstration(tmp_path_factory)


@pytest.fixture
def loaded(loaded_template: Path, tmp_path: Path) -> Iterator[Caller]:
    """The service over the demonstration."""
    copy = tmp_path / "demonstration"
    shutil.copytree(loaded_template, copy)
    with serving(copy) as caller:
        yield caller


@pytest.fixture
def world(untouched: Caller, small_template: Path, tmp_path: Path) -> Iterator[Caller]:
    """The shared service over a small world of the test's own: quicker than another service."""
    shutil.copytree(small_template, tmp_path / "data")
    book, before = Book.open(tmp_path / "data"), untouched.book
    untouched.app.state.book = book
    try:
        yield untouched
    finally:
        untouched.app.state.book = before
        book.close()
