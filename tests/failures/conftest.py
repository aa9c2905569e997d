"""A service over the small world with the rules that flags rest on, for playing failures."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "api"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from caller import serving
from desk import Desk
from scribe import Scribe, make_book, tell_rules, tell_small_world

RULES = (
    ("ageing", {"subject": "unspent_restricted", "days": 100}),
    ("ageing", {"subject": "in_transit", "days": 7}),
    ("ageing", {"subject": "service_recorded_late", "days": 30}),
    ("pattern", {"subject": "refunds_of_holder", "count_min": 3}),
    ("statistics", {"group_min": 5}),
    ("time_bank", {"minutes_per_day_max": 480}),
)


@pytest.fixture(scope="session")
def failures_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The closed folder of the small world with these rules."""
    folder = tmp_path_factory.mktemp("failures") / "book"
    book = make_book(folder)
    scribe = Scribe(book)
    tell_small_world(scribe)
    tell_rules(scribe, RULES)
    book.close()
    return folder


@pytest.fixture
def desk(failures_template: Path, tmp_path: Path) -> Iterator[Desk]:
    """A desk at a copy of it; the whole log is audited when it closes."""
    folder = tmp_path / "data"
    shutil.copytree(failures_template, folder)
    with serving(folder) as caller:
        yield Desk(caller)
