"""The schema: brought up to date by Alembic, and compared for the audit.

Everything that is special to SQLite stands here, in `settings` and `check`.
"""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from ledger.errors import MalformedError

PAGE_BYTES = 16_384
"""Large pages suit rows of about a kilobyte; set when the file is made."""
AUTOCHECKPOINT_PAGES = 4_000
BUSY_SECONDS_MAX = 30
"""How long a writer waits for another process's transaction."""
VERSION_TABLE = "alembic_version"


def _config(connection: sa.Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


def newest() -> str:
    """The revision that this program's migrations lead to."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return str(ScriptDirectory.from_config(config).get_current_head())


def upgrade(connection: sa.Connection) -> None:
    """Bring the schema up to date; the caller holds the write lock and commits.

    Raises:
        MalformedError: made by a newer program, or not a database of this one.
    """
    names = set(sa.inspect(connection).get_table_names())
    if names and VERSION_TABLE not in names:
        raise MalformedError(
            f"expected an empty database or one of Shanji's, found the tables {sorted(names)[:5]}",
            code="foreign_database",
        )
    version = None
    if names:
        version = connection.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}").scalar()
    if version == newest():
        return
    config = _config(connection)
    known = {one.revision for one in ScriptDirectory.from_config(config).walk_revisions()}
    if version is not None and version not in known:
        raise MalformedError(
            f"the database has schema {version}, which this program does not know; "
            "use the program version that wrote it, or a newer one",
            code="newer_database",
        )
    command.upgrade(config, "head")


def settings(connection: sqlite3.Connection, *, writer: bool) -> None:
    """SQLite's settings for one connection: durable commits, large pages, snapshots."""
    connection.isolation_level = None
    run = connection.execute
    if writer:
        run(f"PRAGMA page_size = {PAGE_BYTES}")
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = FULL")
        run(f"PRAGMA wal_autocheckpoint = {AUTOCHECKPOINT_PAGES}")
    else:
        run("PRAGMA query_only = ON")
    run("PRAGMA temp_store = MEMORY")
    run("PRAGMA cache_size = -65536")
    run(f"PRAGMA busy_timeout = {BUSY_SECONDS_MAX * 1000}")


def _objects(connection: sa.Connection) -> dict[str, Any]:
    rows = connection.exec_driver_sql("SELECT type, name, sql FROM sqlite_master")
    return {f"{kind} {name}": sql for kind, name, sql in rows}


def check(connection: sa.Connection) -> list[str]:
    """What is wrong with the schema and the file's structure, in words; empty if nothing.

    Compares every table, index and trigger with what the migrations make, the version
    row, and asks SQLite to check its own pages and indexes.
    """
    findings: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        engine = sa.create_engine(f"sqlite:///{folder}/reference.sqlite3")
        try:
            with engine.begin() as fresh:
                upgrade(fresh)
                expected = _objects(fresh)
        finally:
            engine.dispose()
    found = _objects(connection)
    for name in sorted(set(expected) | set(found)):
        if expected.get(name) != found.get(name):
            findings.append(f"schema: {name} is not as the migrations make it")
    if f"table {VERSION_TABLE}" in found:
        versions = connection.exec_driver_sql(f"SELECT * FROM {VERSION_TABLE}").all()
        if [tuple(row) for row in versions] != [(newest(),)]:
            findings.append(f"{VERSION_TABLE}: expected {newest()}, found {versions}")
    for (text,) in connection.exec_driver_sql("PRAGMA integrity_check(100)"):
        if text != "ok":
            findings.append(f"file: {text}")
    return findings
