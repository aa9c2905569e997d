"""Which database the logs of a run are in: files, or databases of a PostgreSQL server.

``--database postgresql`` starts a server of its own, which syncs each commit, on the disk of
``--folder``; a URL names one, where this user may make databases (those made are dropped).
Each log gets a fresh database there, and each limit is measured on the same server.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from postgresql_server import running
from psycopg import sql

from ledger.store.place import is_postgresql, place_of, shown

SQLITE, POSTGRESQL = "sqlite", "postgresql"
SETTINGS = """
fsync = on
synchronous_commit = on
shared_buffers = 256MB
max_wal_size = 4GB
autovacuum = on
"""
PREFIX = "shanji_bench_"


@contextmanager
def chosen(asked: str) -> Iterator[str | None]:
    """The server's URL for what was asked; None for files.

    Raises:
        SystemExit: it is neither of the names nor a URL of PostgreSQL's.
    """
    if asked == SQLITE:
        yield None
    elif asked == POSTGRESQL:
        with running(SETTINGS) as server:
            yield server.url("postgres")
    elif is_postgresql(asked):
        yield asked
        _drop_all(asked)
    else:
        raise SystemExit(
            f"--database: expected {SQLITE}, {POSTGRESQL} or postgresql://user@host/name, "
            f"got {shown(asked)}"
        )


def version(server: str | None) -> str:
    """What it is, for people."""
    if server is None:
        return f"SQLite {sqlite3.sqlite_version}"
    with psycopg.connect(server) as connection:
        (number,) = connection.execute("SHOW server_version").fetchone() or ("?",)
    return f"PostgreSQL {number}"


def fresh(server: str | None) -> str | None:
    """The URL of a new database; None for a file."""
    if server is None:
        return None
    name = PREFIX + secrets.token_hex(4)
    with psycopg.connect(server, autocommit=True) as connection:
        made = "CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'"
        connection.execute(sql.SQL(made).format(sql.Identifier(name)))
    return urlsplit(server)._replace(path=f"/{name}").geturl()


def _drop_all(server: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        found = connection.execute("SELECT datname FROM pg_database").fetchall()
        for (name,) in found:
            if name.startswith(PREFIX):
                drop = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
                connection.execute(drop)


def disk_bytes(data: Path) -> int:
    """What the log of a data folder takes."""
    url = place_of(data)
    if not is_postgresql(url):
        return sum(one.stat().st_size for one in data.glob("ledger.sqlite3*"))
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    assert row is not None
    return int(row[0])


def insert_all(target: Path | str, rows: Sequence[tuple[int, bytes]], size: int) -> None:
    """The limit of recording: the same bytes, durable, in batches of a size, and nothing else."""
    if isinstance(target, Path):
        _insert_into_file(target, rows, size)
        return
    with psycopg.connect(target) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS plain (number bigint, data bytea)")
        connection.execute("TRUNCATE plain")
        connection.commit()
        for start in range(0, len(rows), size):
            with (
                connection.cursor() as cursor,
                cursor.copy("COPY plain FROM STDIN (FORMAT BINARY)") as copy,
            ):
                copy.set_types(["bigint", "bytea"])
                for row in rows[start : start + size]:
                    copy.write_row(row)
            connection.commit()


def _insert_into_file(path: Path, rows: Sequence[tuple[int, bytes]], size: int) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE entry (number INTEGER PRIMARY KEY, data BLOB)")
    for start in range(0, len(rows), size):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO entry VALUES (?, ?)", rows[start : start + size])
        connection.execute("COMMIT")
    connection.close()
