"""Logs for the unit tests: an empty one, a small world, the loaded demonstration.

Templates are made once a session and copied for each test that changes them.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scribe import Scribe, StepClock, make_book, open_copy, tell_small_world
from templates import demonstration

from ledger.book import Book


@pytest.fixture
def clock() -> StepClock:
    """The clock of `book`."""
    return StepClock()


@pytest.fixture
def book(tmp_path: Path, clock: StepClock) -> Iterator[Book]:
    """A log that has its first entry only."""
    made = make_book(tmp_path / "book", clock=clock)
    yield made
    made.close()


@pytest.fixture(scope="session")
def world_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The closed folder of the small world."""
    folder = tmp_path_factory.mktemp("world") / "book"
    book = make_book(folder)
    tell_small_world(Scribe(book))
    book.close()
    return folder


@pytest.fixture
def world(world_template: Path, tmp_path: Path) -> Iterator[Scribe]:
    """A scribe in a copy of the small world."""
    book = open_copy(world_template, tmp_path / "world")
    yield Scribe(book)
    book.close()


@pytest.fixture(scope="session")
def demo_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The closed folder of the loaded demonstration."""
    return demonstration(tmp_path_factory)


@pytest.fixture
def demo_folder(demo_template: Path, tmp_path: Path) -> Path:
    """A copy of the loaded demonstration's folder, for one test to change."""
    folder = tmp_path / "demonstration"
    shutil.copytree(demo_template, folder)
    return folder
