"""What every test shares: repeatable properties, the place of the repository, the database."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import pytest
import sqlalchemy as sa
from hypothesis import settings
from postgresql_server import Databases, Server, binaries, running, wanted

from ledger.store import place, schema

ROOT = Path(__file__).resolve().parents[1]

# The same examples on every machine and every run; a slow machine is no failure.
settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
settings.load_profile("repeatable")

SQLITE_ONLY = "about SQLite's file"


def pytest_collection_finish() -> None:
    """Thousands of tests and the modules they import stay to the end: the garbage collector
    need not look at them again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def repository() -> Path:
    """The folder of the checkout."""
    return ROOT


def pytest_configure(config: pytest.Config) -> None:
    """A run on PostgreSQL that has no server must not look like one that passed."""
    config.addinivalue_line("markers", f"sqlite: {SQLITE_ONLY}; left out on PostgreSQL")
    if wanted() and binaries() is None:
        raise pytest.UsageError("found no initdb: install PostgreSQL (Debian: postgresql)")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """On PostgreSQL, leave out what is about SQLite's file."""
    for item in items:
        if wanted() and item.get_closest_marker("sqlite"):
            item.add_marker(pytest.mark.skip(reason=SQLITE_ONLY))


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A PostgreSQL server for the whole session."""
    if binaries() is None:
        pytest.skip("PostgreSQL is not installed (Debian's package postgresql)")
    with running() as started:
        yield started


@pytest.fixture(scope="session")
def databases(server: Server) -> Databases:
    """Databases on the session's server."""
    return Databases(server)


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
