"""The served demonstration, and visitors with a real browser. See ``tests/chromium.py``.

One service for all tests of a run, in a process of its own; a test may record into it, so
none may count on the log's size. Without Chromium everything here is skipped.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from chromium import Mode, Site, Visit, Visiting, find_program, launched, open_visit
from playwright.sync_api import Browser, Page
from service import Service
from templates import demonstration

from api.serving import DEMONSTRATION_TOKENS


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A real service with the demonstration on SQLite."""
    find_program()
    data = tmp_path_factory.mktemp("browsed") / "data"
    shutil.copytree(demonstration(tmp_path_factory), data)
    service = Service(data, "--demonstration")
    try:
        service.wait_ready()
        tokens = json.loads((data / DEMONSTRATION_TOKENS).read_bytes())
        yield Site(service.url, data, tokens)
    finally:
        assert service.stop() == 0, service.log.read_text()[-2000:]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The browser of a module of tests."""
    with launched() as browser:
        yield browser


@pytest.fixture
def visit(site: Site, chromium: Browser) -> Iterator[Visiting]:
    """Opens the site as somebody: ``visit(PHONE_ZH)`` is a page in a context of its own.

    However the test ends, every visit is checked (`Visit.check`) and closed.
    """
    visits: list[Visit] = []

    def opened(mode: Mode, **options: Any) -> Page:
        one = open_visit(chromium, site.url, mode, **options)
        visits.append(one)
        return one.context.new_page()

    yield opened
    for one in visits:
        one.context.close()
    for one in visits:
        one.check()
