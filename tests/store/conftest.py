"""A store in a fresh file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from batches import Batches

from ledger.store import Store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where `store` keeps its database."""
    return tmp_path / "ledger.sqlite3"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    """An empty store."""
    made = Store.open(str(path))
    yield made
    made.close()


@pytest.fixture
def batches() -> Batches:
    """The batches of one log, in order."""
    return Batches()
