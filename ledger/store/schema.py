"""The schema: brought up to date by Alembic, and compared for the audit.

What connections to SQLite are set to stands here too; PostgreSQL's are in ``postgresql``,
the check of a server's tables in ``catalog``.
"""

from __future__ import annotations

import sqlite3
from functools import cache
from pathlib import Path
from time import monotonic, sleep

import sqlalchemy as sa

from ledger.errors import FatalError, MalformedError
from ledger.store import catalog, postgresql

PAGE_BYTES = 16_384
"""Large pages suit rows of about a kilobyte; set when the file is made."""
AUTOCHECKPOINT_PAGES = 4_000
"""The write-ahead log is copied into the file when it has 64 MB: late, in one go."""
BUSY_SECONDS_MAX = 30
"""How long a writer waits for another process's transaction."""
BUSY_AGAIN_SECONDS = 0.01
"""Between tries of the one step at which SQLite does not wait by itself (`_keep_log`)."""
WRITER_CACHE_KIBIBYTES = 16_384
READER_CACHE_KIBIBYTES = 8_192
"""A cache each: there is one writer, but many readers. Larger ones only repeat what the system
keeps of the file: at 300,000 entries a writer with 64 MB was no faster than with eight."""
APPLICATION_ID = int.from_bytes(b"SHJI", "big")
"""Written into the file's header: no other program's database is taken for ours."""
SQLITE_VERSION_MIN = (3, 37, 0)
"""The first that has strict tables."""
INTEGRITY_FINDINGS_MAX = 100
MIGRATIONS = Path(__file__).parent / "migrations"
VERSION_TABLE = "alembic_version"


def settings(connection: sqlite3.Connection, *, writer: bool) -> None:
    """SQLite's settings for one connection: durable commits, large pages, snapshots.

    Raises:
        MalformedError: another program's database; it is left as it is.
        FatalError: an SQLite, or a file system, that cannot do what is needed.
    """
    # The driver leaves BEGIN to us: it would begin late, deferred, and not for reads.
    connection.isolation_level = None
    run = connection.execute
    run(f"PRAGMA busy_timeout = {BUSY_SECONDS_MAX * 1000}")
    if writer:
        _claim(connection)
        mode = _keep_log(connection)
        if mode != "wal":
            raise FatalError(
                f"expected a write-ahead log, SQLite chose {mode}; put the data folder on a "
                "local disk",
                code="database_unwritable",
            )
        run(f"PRAGMA wal_autocheckpoint = {AUTOCHECKPOINT_PAGES}")
        # REPLACE asks the triggers that refuse deletions.
        run("PRAGMA recursive_triggers = ON")
        # What is overwritten or deleted is gone from the pages too: erased openings.
        run("PRAGMA secure_delete = ON")
    else:
        run("PRAGMA query_only = ON")
    run("PRAGMA synchronous = FULL")
    run("PRAGMA temp_store = MEMORY")
    cache = WRITER_CACHE_KIBIBYTES if writer else READER_CACHE_KIBIBYTES
    run(f"PRAGMA cache_size = -{cache}")


def _keep_log(connection: sqlite3.Connection) -> str:
    """Ask for a write-ahead log; the mode that SQLite chose.

    It reads the header first and then wants to write it. Who has begun to read is not let wait
    for another who writes there, whatever its busy timeout says, and is told so at once: of
    processes that make one file at the same time, all but the first.
    """
    end = monotonic() + BUSY_SECONDS_MAX
    while True:
        try:
            return str(connection.execute("PRAGMA journal_mode = WAL").fetchone()[0])
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or monotonic() >= end:
                raise
        sleep(BUSY_AGAIN_SECONDS)


def _claim(connection: sqlite3.Connection) -> None:
    """Put our mark on a new file; refuse a file that has content, but not the mark."""
    if sqlite3.sqlite_version_info < SQLITE_VERSION_MIN:
        wanted = ".".join(map(str, SQLITE_VERSION_MIN))
        raise FatalError(
            f"expected SQLite {wanted} or newer, got {sqlite3.sqlite_version}; use a Python "
            "that brings a newer one",
            code="old_sqlite",
        )
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    if not pages:
        # Two processes may both come here; they write the same.
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    (found,) = connection.execute("PRAGMA application_id").fetchone()
    if found != APPLICATION_ID:
        raise MalformedError(
            f"expected an empty file or a database of Shanji's, got one with application id "
            f"{found:#x}; it was left as it is: name the right file",
            code="foreign_database",
        )


def revisions() -> list[str]:
    """The revisions of this program's migrations, oldest first: their files are named for them.

    Alembic, which would read the migrations for it, is not asked where there is nothing to
    do: to load it takes longer than all else that opening a database does.
    """
    return sorted(one.name.partition("_")[0] for one in MIGRATIONS.glob("versions/*_*.py"))


def newest() -> str:
    """The revision that this program's migrations lead to."""
    return revisions()[-1]


def upgrade(connection: sa.Connection) -> None:
    """Bring the schema up to date; the caller holds the write lock and commits.

    Raises:
        MalformedError: made by a newer program, or not a database of this one.
    """
    if connection.dialect.name == "postgresql":
        if is_made(connection) and _versions(connection) == [newest()]:
            return
        postgresql.lock_schema(connection)
    names = sorted(sa.inspect(connection).get_table_names())
    if names and VERSION_TABLE not in names:
        raise MalformedError(
            f"expected an empty database or one of Shanji's, found the tables {names[:5]} and "
            f"no {VERSION_TABLE}; restore the database from a backup",
            code="foreign_database",
        )
    if names:
        versions, known = _versions(connection), revisions()
        if versions == known[-1:]:
            return
        if len(versions) != 1 or versions[0] not in known:
            raise MalformedError(
                f"the database has the schema versions {versions}, which this program does not "
                "know; use the program version that wrote it, or a newer one",
                code="newer_database",
            )
    _migrate(connection)


def _migrate(connection: sa.Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    # A folder's name may have a percent sign, which the setting would take for its own.
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def is_made(connection: sa.Connection) -> bool:
    """Whether the tables are there."""
    return sa.inspect(connection).has_table(VERSION_TABLE)


def _versions(connection: sa.Connection) -> list[object]:
    query = sa.select(sa.text("version_num")).select_from(sa.text(VERSION_TABLE))
    return [version for (version,) in connection.execute(query)]


def _objects(connection: sa.Connection) -> dict[str, str | None]:
    rows = connection.exec_driver_sql("SELECT type, name, tbl_name, sql FROM sqlite_master")
    return {f"{kind} {name} of {table}": sql for kind, name, table, sql in rows}


@cache
def _reference(_migrations: Path) -> dict[str, str | None]:
    """What the migrations in that folder make, from an empty database."""
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    try:
        with engine.begin() as connection:
            upgrade(connection)
            return _objects(connection)
    finally:
        engine.dispose()


def check(connection: sa.Connection) -> list[str]:
    """What is wrong with the schema and the file's structure, in words; empty if nothing.

    Compares every table, index and trigger with what the migrations make, the version
    row, the mark in the header, and asks SQLite to check its own pages and indexes.
    """
    if connection.dialect.name == "postgresql":
        return catalog.check(connection, newest())
    findings: list[str] = []
    expected, found = _reference(MIGRATIONS), _objects(connection)
    for name in sorted(expected.keys() | found.keys()):
        if name not in found:
            findings.append(f"schema: {name} is missing")
        elif name not in expected:
            findings.append(f"schema: {name} is not of Shanji's making")
        elif expected[name] != found[name]:
            findings.append(f"schema: {name} is not as the migrations make it")
    version_table = f"table {VERSION_TABLE} of {VERSION_TABLE}"
    if found.get(version_table) == expected[version_table]:
        versions = _versions(connection)
        if versions != [newest()]:
            findings.append(f"{VERSION_TABLE}: expected {newest()}, found {versions}")
    mark = connection.exec_driver_sql("PRAGMA application_id").scalar()
    if mark != APPLICATION_ID:
        findings.append(f"file: expected application id {APPLICATION_ID:#x}, found {mark!r}")
    for (text,) in connection.exec_driver_sql(f"PRAGMA integrity_check({INTEGRITY_FINDINGS_MAX})"):
        if text != "ok":
            findings.append(f"file: {text}")
    return findings
