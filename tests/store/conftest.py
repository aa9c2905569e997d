"""A store in a fresh file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from batches import Batches
from postgresql_server import Databases, wanted

from ledger.store import Store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where `store` keeps its database, on SQLite."""
    return tmp_path / "ledger.sqlite3"


@pytest.fixture
def url(path: Path, request: pytest.FixtureRequest) -> str:
    """Where `store` keeps its database: a new one on the server, or a file."""
    if not wanted():
        return str(path)
    databases: Databases = request.getfixturevalue("databases")
    return databases.server.url(databases.new())


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """An empty store."""
    made = Store.open(url)
    yield made
    made.close()


@pytest.fixture
def batches() -> Batches:
    """The batches of one log, in order."""
    return Batches()
