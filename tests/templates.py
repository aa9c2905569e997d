"""Data folders that are made once a run, by the worker that comes first, and copied by tests."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from postgresql_server import wanted
from scribe import StepClock

from ledger.book import Book
from ledger.demonstration import ORGANISATION, ORIGIN, load


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """The folder `name` of this run, which `make` fills; nobody may change it afterwards.

    On PostgreSQL each worker makes its own, at its place: a folder that is gone, a renamed one
    too, has its database dropped.
    """
    root = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ and not wanted():
        root = root.parent
    folder = root / name
    part = folder if wanted() else root / f"{name}.part"
    with (root / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            # Where another worker failed to make it, half of it may lie there.
            shutil.rmtree(part, ignore_errors=True)
            make(part)
            if part != folder:
                part.rename(folder)
    return folder


def demonstration(factory: pytest.TempPathFactory) -> Path:
    """The closed folder of the loaded demonstration."""
    return made_once(factory, "demonstration-template", _load_demonstration)


def _load_demonstration(folder: Path) -> None:
    book = Book.create(folder, origin=ORIGIN, organisation=ORGANISATION, clock=StepClock())
    load(book)
    book.close()
