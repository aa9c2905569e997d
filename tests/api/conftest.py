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

from api.pages.staff import importing
from ledger.attention import KeptBoard, kept
from ledger.book import Book
from ledger.statistics import Latest

PATIENCE_SECONDS = 120.0


@pytest.fixture(scope="session", autouse=True)
def _patient() -> Iterator[None]:
    """On a slow machine too an answer shows what a test has just done: a form waits for the
    import's worker until it is done, and each size is searched for what asks for attention."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importing, "WAIT_SECONDS", PATIENCE_SECONDS)
        patch.setattr(kept, "QUICK_SECONDS", PATIENCE_SECONDS)
        yield


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
    """The shared service over a small world of the test's own: quicker than another service.

    What the service keeps by the size of the log is the test's own too: another world's may have
    the same size.
    """
    shutil.copytree(small_template, tmp_path / "data")
    state = untouched.app.state
    before = {name: state._state[name] for name in ("book", "board", "statistics")}
    book = Book.open(tmp_path / "data")
    board = KeptBoard(book.store.read, book.today)
    state._state.update(book=book, board=board, statistics=Latest())
    try:
        yield untouched
    finally:
        state._state.update(before)
        board.close()
        book.close()
