"""Which tests ask a database: learned as they run, and left out on PostgreSQL where they do not.

While the suite runs on SQLite, each test is watched: what it does itself, and what the fixtures
do that it uses. One that opened no database file and started no process, and whose fixtures did
neither, is kept as such, with the digest of its file, in pytest's cache. A run on PostgreSQL
deselects what is kept, as long as the file is the same; what was never watched runs.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CACHE_KEY = "shanji/without-database"
PROPERTY = "asks a database"
EVENTS = frozenset(("sqlite3.connect", "subprocess.Popen", "os.fork", "os.posix_spawn"))
"""Audit events of Python: a database opened here, or whatever another process may open."""
IN_MEMORY = ":memory:"


class Watch:
    """Watches the tests of this process; one a session."""

    def __init__(self) -> None:
        self._events = 0
        self._fixtures: set[str] = set()
        sys.addaudithook(self._note)

    def _note(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in EVENTS and arguments[:1] != (IN_MEMORY,):
            self._events += 1

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Iterator[None]:
        """Note a fixture that opens a database: whoever uses it asks one."""
        before = self._events
        try:
            return (yield)
        finally:
            if self._events != before:
                self._fixtures.add(fixturedef.argname)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Iterator[None]:
        """Begin to watch a test."""
        item.stash[_BEFORE] = self._events
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Iterator[None]:
        """Say in the report whether the test asked a database, with all that it uses."""
        used = set(getattr(item, "fixturenames", ()))
        result = yield
        asked = self._events != item.stash[_BEFORE] or bool(used & self._fixtures)
        item.user_properties.append((PROPERTY, asked))
        return result


_BEFORE = pytest.StashKey[int]()


class Kept:
    """What is known from earlier runs, and what this one adds; for who reports the results."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._passed: set[str] = set()
        self._without: dict[str, set[str]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Collect what the tests that passed say of themselves."""
        if report.when == "call" and report.passed:
            self._passed.add(report.nodeid)
        asked = dict(report.user_properties).get(PROPERTY, True)
        if report.when == "teardown" and report.nodeid in self._passed and not asked:
            self._without.setdefault(_file_of(report.nodeid), set()).add(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        """Keep it: a file that ran is known by this run alone."""
        kept = _read(self._config)
        for file in {_file_of(test) for test in self._passed}:
            digest = _digest(self._config.rootpath / file)
            known = kept.get(file, {})
            earlier = set(known.get("tests", ())) if known.get("sha256") == digest else set()
            tests = (earlier - self._passed) | self._without.get(file, set())
            kept[file] = {"sha256": digest, "tests": sorted(tests)}
        _cache(self._config).set(CACHE_KEY, kept)


def without_database(config: pytest.Config) -> frozenset[str]:
    """The tests of which is known that they ask no database."""
    return frozenset(
        test
        for file, known in _read(config).items()
        if known["sha256"] == _digest(config.rootpath / file)
        for test in known["tests"]
    )


def _cache(config: pytest.Config) -> pytest.Cache:
    cache = config.cache
    assert cache is not None
    return cache


def _read(config: pytest.Config) -> dict[str, Any]:
    return dict(_cache(config).get(CACHE_KEY, {}))


def _file_of(nodeid: str) -> str:
    return nodeid.partition("::")[0]


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
