"""What every test shares: repeatable properties, the place of the repository, the database."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import pytest
import sqlalchemy as sa
import typer.testing
from asking import Kept, Watch, without_database
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import mldsa
from hypothesis import settings
from hypothesis.internal.conjecture import providers
from postgresql_server import (
    SERVER_VARIABLE,
    Databases,
    Server,
    binaries,
    of_the_run,
    running,
    wanted,
)
from troubles import STARTED, Started, trouble
from typer.main import get_command

from ledger.store import place, schema

ROOT = Path(__file__).resolve().parents[1]

# The same examples on every machine and every run; a slow machine is no failure.
settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
settings.load_profile("repeatable")

_BEFORE: pytest.StashKey[tuple[Started, ...]] = pytest.StashKey()
LONG = ("browser", "fault", "e2e")
"""Folders whose tests take seconds to minutes each: they run first, for one that came last would
keep one worker busy and the others idle."""
SQLITE_ONLY = "about SQLite alone"
NO_ML_DSA = "the OpenSSL of this machine has no ML-DSA-44"


def pytest_collection_finish() -> None:
    """Thousands of tests and the modules they import stay to the end: the garbage collector
    need not look at them again and again."""
    gc.collect()
    gc.freeze()


# A shell that starts the tests in the background has them ignore the interrupt, and with them
# every command that a test interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Remember what was started before."""
    item.stash[_BEFORE] = tuple(STARTED)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where a test fails, what the processes say that it started, and those that still run."""
    report = yield
    if report.failed:
        before = item.stash.get(_BEFORE, ())
        shown = report.longreprtext
        for one in STARTED:
            if one not in before or one.process.poll() is None:
                told = trouble(one.log)
                if told and told not in shown:
                    report.sections.append((f"log {one.log.parent.name}/{one.log.name}", told))
    return report


@pytest.fixture(scope="session")
def repository() -> Path:
    """The folder of the checkout."""
    return ROOT


def pytest_configure(config: pytest.Config) -> None:
    """Watch who asks a database; on PostgreSQL start one server for all workers.

    A run on PostgreSQL that has no server must not look like one that passed.
    """
    config.addinivalue_line(
        "markers", "sqlite(reason): about SQLite alone, and why; left out on PostgreSQL"
    )
    config.addinivalue_line("markers", "ml_dsa: needs an OpenSSL with ML-DSA-44")
    leads = not hasattr(config, "workerinput")
    if not wanted():
        config.pluginmanager.register(Watch())
        if leads:
            config.pluginmanager.register(Kept(config))
        return
    if binaries() is None:
        raise pytest.UsageError("found no initdb: install PostgreSQL (Debian: postgresql)")
    if leads:
        stack = ExitStack()
        config.add_cleanup(stack.close)
        started = stack.enter_context(running())
        Databases(started).close()
        os.environ[SERVER_VARIABLE] = str(started.folder)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long tests first; leave out what cannot run here, and on PostgreSQL what asks no database
    or is about SQLite."""
    items.sort(key=lambda item: item.path.parent.name not in LONG)
    if not has_ml_dsa():
        for item in items:
            if item.get_closest_marker("ml_dsa"):
                item.add_marker(pytest.mark.skip(reason=NO_ML_DSA))
    if not wanted():
        return
    without = without_database(config)
    kept: list[pytest.Item] = []
    left: list[pytest.Item] = []
    for item in items:
        marker = item.get_closest_marker("sqlite")
        if marker is not None:
            (reason,) = marker.args
            item.add_marker(pytest.mark.skip(reason=f"{SQLITE_ONLY}: {reason}"))
        (left if item.nodeid in without else kept).append(item)
    items[:] = kept
    config.hook.pytest_deselected(items=left)


def has_ml_dsa() -> bool:
    """Whether this machine's OpenSSL can sign by ML-DSA-44."""
    try:
        mldsa.MLDSA44PrivateKey.from_seed_bytes(bytes(32))
    except UnsupportedAlgorithm:
        return False
    return True


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """On PostgreSQL, count what was left out as being about SQLite, by its reason."""
    if not wanted():
        return
    reasons = Counter(
        str(report.longrepr[2]).removeprefix("Skipped: ")
        for report in terminalreporter.stats.get("skipped", ())
        if isinstance(report.longrepr, tuple)
    )
    terminalreporter.section("left out on PostgreSQL")
    for reason, times in sorted(reasons.items()):
        terminalreporter.write_line(f"{times:4} {reason}")


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A PostgreSQL server for the whole session."""
    if binaries() is None:
        pytest.skip("PostgreSQL is not installed (Debian's package postgresql)")
    shared = of_the_run()
    if shared is not None:
        yield shared
        return
    with running() as started:
        yield started


@pytest.fixture(scope="session")
def databases(server: Server) -> Iterator[Databases]:
    """Databases on the session's server."""
    made = Databases(server)
    yield made
    made.close()


@pytest.fixture(scope="session", autouse=True)
def _database(request: pytest.FixtureRequest) -> Iterator[None]:
    """With SHANJI_TEST_DATABASE=postgresql each data folder's log is in a database there."""
    if not wanted():
        yield
        return
    made: Databases = request.getfixturevalue("databases")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(place, "read_url", made.url_of)
        yield


@pytest.fixture(scope="session", autouse=True)
def _commands() -> Iterator[None]:
    """Read the signatures of all commands once: to a command in the tests' own process that is
    most of what it takes (0.1 s), and it is run a thousand times."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.testing, "_get_command", cache(get_command))
        yield


@pytest.fixture(scope="session", autouse=True)
def _examples() -> Iterator[None]:
    """Hypothesis also tries what stands in the sources of modules that are imported by then: with
    other tests before it in its process, a test would have other examples."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(providers, "_get_local_constants", lambda: providers._local_constants)
        yield


@pytest.fixture(scope="session", autouse=True)
def _schema() -> Iterator[None]:
    """Migrate once to each schema: a new SQLite database gets what the migrations made before.

    Thousands of tests make a database, and Alembic takes most of the time that one takes.
    """
    migrate = schema._migrate

    @cache
    def made(migrations: Path) -> tuple[str, ...]:
        engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
        with engine.begin() as connection:
            migrate(connection)
            raw = connection.connection.driver_connection
            assert raw is not None
            statements = tuple(raw.iterdump())
        engine.dispose()
        return statements[1:-1]

    def migrate_once(connection: sa.Connection) -> None:
        empty = connection.dialect.name == "sqlite" and not schema._objects(connection)
        if not empty:
            return migrate(connection)
        for statement in made(schema.MIGRATIONS):
            connection.exec_driver_sql(statement)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schema, "_migrate", migrate_once)
        yield
