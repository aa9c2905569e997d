"""PostgreSQL: connections, what they are set to, the lock on the head, what is asked of a server.

Readers take one snapshot (REPEATABLE READ, READ ONLY). The writer locks the head's row at
READ COMMITTED, so that what it reads next is as new as the head; the row's size is then
compared and swapped. The driver is imported when a server is named: SQLite does without it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from ledger.errors import FatalError, MalformedError, NotReadyError, OutcomeUnknownError
from ledger.store.place import shown
from ledger.store.rows import Head

READERS_MAX = 8
"""Connections of one process that read; with the writer's one it takes one more."""
WAIT_SECONDS_MAX = 30
"""How long a reader waits for another to finish."""
CONNECT_SECONDS_MAX = 10
LOCK_SECONDS_MAX = 30
"""How long a writer waits for another process's transaction."""
STATEMENT_SECONDS_MAX = 60
WRITER_IDLE_SECONDS_MAX = 60
"""After this the server ends the transaction of a writer that stands still, and its lock."""
READER_IDLE_SECONDS_MAX = 600
WRITER_STATEMENT_SECONDS_MAX = 40
"""A writer's statements are small: what takes longer waits for something, with the lock."""
ANSWER_SECONDS_MARGIN = 10
"""So much after its own limit a server that has said nothing is given up (``patience``)."""
UNANSWERED_SECONDS_MAX = 30
"""How long sent bytes may stay without any sign of the server (TCP)."""
PROBE_SECONDS = 10
PROBES_MAX = 3
"""A peer that says nothing is asked for a sign so often before it counts as gone (TCP)."""
HEARD_SECONDS_MAX = 1.0
"""A kept connection that answered so lately is used without asking whether it still does."""
VERSION_MIN = 130_000
APPLICATION = "shanji"
DURABLE = ("on", "remote_apply")
"""Values of synchronous_commit under which a commit that was answered is never lost."""
EMPTY_LOCK = int.from_bytes(b"SHJI", "big")
"""The advisory lock of a log that has no head row to lock yet, and of migrations."""

_LOCKED_HEAD = """
SELECT size, root, last_leaf_hash, last_recorded_at, checkpoint FROM head FOR UPDATE
"""
_HOLDS = "SELECT code, reason FROM hold WHERE lifted IS NULL ORDER BY number"
_DEFAULTS = {
    "connect_timeout": CONNECT_SECONDS_MAX,
    "fallback_application_name": APPLICATION,
    "client_encoding": "utf8",
    "keepalives_idle": UNANSWERED_SECONDS_MAX,
    "keepalives_interval": PROBE_SECONDS,
    "keepalives_count": PROBES_MAX,
    "tcp_user_timeout": UNANSWERED_SECONDS_MAX * 1000,
}
_SERVER = """
SELECT current_setting('server_version_num')::int, current_setting('server_encoding'),
    current_setting('fsync'), current_setting('full_page_writes'),
    current_setting('synchronous_commit')
"""


def engine(url: str, *, writer: bool) -> sa.Engine:
    """Connections to the database: one that writes, or several that read.

    Raises:
        MalformedError: not a URL that libpq understands, or the driver is not installed.
    """
    parameters = _parameters(url)

    def connect() -> Any:
        from ledger.store.arrays import register
        from ledger.store.patience import Connection

        connection = Connection.connect(**parameters)
        register(connection.adapters)
        try:
            _set_up(connection, writer=writer)
        except BaseException:
            connection.close()
            raise
        return connection

    made = sa.create_engine(
        "postgresql+psycopg://",
        creator=connect,
        poolclass=sa.QueuePool,
        pool_size=1 if writer else READERS_MAX,
        max_overflow=0,
        pool_timeout=WAIT_SECONDS_MAX,
        # A server that was started again is noticed before anything is asked of it.
        pool_pre_ping=True,
        use_native_hstore=False,
        hide_parameters=True,
    )
    ping = made.dialect.do_ping

    def ping_if_silent(dbapi_connection: Any) -> bool:
        silent = time.monotonic() - dbapi_connection.heard_at
        return silent < HEARD_SECONDS_MAX or ping(dbapi_connection)

    made.dialect.do_ping = ping_if_silent  # type: ignore[method-assign]
    disposed: list[sa.Engine] = []
    sa.event.listen(made, "engine_disposed", disposed.append)

    @sa.event.listens_for(made, "checkin")
    def _checkin(connection: Any, _record: Any) -> None:
        if connection is None:
            return
        connection.patience = _patience(writer)
        # What was in use when the store was closed comes back to no pool.
        if disposed:
            connection.close()

    return made


def _parameters(url: str) -> dict[str, Any]:
    try:
        from psycopg import Error
        from psycopg.conninfo import conninfo_to_dict
    except ImportError:
        raise MalformedError(
            "PostgreSQL needs the driver psycopg; install shanji[postgres]",
            code="driver_missing",
        ) from None
    try:
        asked = conninfo_to_dict(url)
    except Error as error:
        raise MalformedError(
            f"expected a database like postgresql://user@host/name, got {shown(url)}: {error}",
            code="unknown_database_url",
        ) from None
    return _DEFAULTS | asked


def _set_up(connection: Any, *, writer: bool) -> None:
    """Durable commits, snapshots, and limits after which the server gives up for us."""
    from psycopg import IsolationLevel

    idle = WRITER_IDLE_SECONDS_MAX if writer else READER_IDLE_SECONDS_MAX
    statement = _statement_seconds(writer)
    connection.patience = _patience(writer)
    wanted = {
        "lock_timeout": LOCK_SECONDS_MAX,
        "statement_timeout": statement,
        "idle_in_transaction_session_timeout": idle,
    }
    connection.autocommit = True
    connection.execute(
        "SELECT " + ", ".join("set_config(%s, %s, false)" for _ in wanted),
        [part for name, seconds in wanted.items() for part in (name, f"{seconds}s")],
    )
    (found,) = connection.execute("SHOW synchronous_commit").fetchone()
    if writer:
        # It asks by keys only. A plan that reads whole tables, made while the log was small, would
        # be kept by the session while it grows: a second a batch at 20,000 entries. What is
        # made of that setting looks costly to the server, which would compile it (100 ms).
        connection.execute("SET enable_seqscan = off")
        connection.execute("SET jit = off")
    if found not in DURABLE:
        # A user or a database may be set to lose commits; this session is not.
        connection.execute("SET synchronous_commit = on")
    connection.autocommit = False
    connection.read_only = not writer
    connection.isolation_level = (
        IsolationLevel.READ_COMMITTED if writer else IsolationLevel.REPEATABLE_READ
    )


def _statement_seconds(writer: bool) -> int:
    return WRITER_STATEMENT_SECONDS_MAX if writer else STATEMENT_SECONDS_MAX


def _patience(writer: bool) -> float:
    """How long a wait for the server may last: its own limit ends first, where it works."""
    return _statement_seconds(writer) + ANSWER_SECONDS_MARGIN


def check_server(connection: sa.Connection) -> None:
    """Return if this server can keep a log.

    Raises:
        FatalError: it is set to lose what it answered (``database_loses_commits``), its
            version is too old, or its encoding is not UTF8.
    """
    row = connection.exec_driver_sql(_SERVER).one()
    version, encoding, fsync, whole_pages, synchronous = row
    if version < VERSION_MIN:
        raise FatalError(
            f"expected PostgreSQL {VERSION_MIN // 10_000} or newer, got {version // 10_000}; use "
            "a newer server",
            code="old_postgresql",
        )
    if encoding != "UTF8":
        raise FatalError(
            f"expected a database with the encoding UTF8, got {encoding}; make one with "
            "createdb --encoding=UTF8 --template=template0",
            code="database_encoding",
        )
    lost = {"fsync": fsync, "full_page_writes": whole_pages}
    off = [name for name, value in lost.items() if value != "on"]
    if off or synchronous not in DURABLE:
        raise FatalError(
            f"the database server is set to lose commits that it answered "
            f"({', '.join(off) or 'synchronous_commit = ' + synchronous}); switch that on in "
            "postgresql.conf and reload the server",
            code="database_loses_commits",
        )


@dataclass(frozen=True, slots=True)
class Locked:
    """What a server tells who has got the lock: the head, and why nothing may be written."""

    head: Head | None
    holds: dict[str, str]


def lock_head(connection: sa.Connection) -> Locked:
    """Wait for the head's row and lock it until the transaction ends.

    A log without a head has no row: those who make one wait for each other by an advisory
    lock, which nobody asks for who holds the row.
    """
    driver: Any = connection.connection.driver_connection
    found = _asked(driver)
    if found.head is None:
        driver.execute(f"SELECT pg_advisory_xact_lock({EMPTY_LOCK})")
        found = _asked(driver)
    return found


def _asked(driver: Any) -> Locked:
    """The head, then the holds: in one journey, but as of a moment when the row was ours."""
    with driver.pipeline():
        # At READ COMMITTED each statement has its own snapshot, and the second one takes it
        # when the first has the lock.
        head, holds = driver.execute(_LOCKED_HEAD), driver.execute(_HOLDS)
    row = head.fetchone()
    return Locked(None if row is None else Head(*row), dict(holds))


def drop_if_lost(connection: sa.Connection) -> bool:
    """Forget a connection that was lost: SQLAlchemy has not seen what the driver was asked alone.

    Returns:
        Whether it was lost.
    """
    if not connection.invalidated:
        driver: Any = connection.connection.driver_connection
        if not driver.closed:
            return False
        connection.invalidate()
    return True


def lock_schema(connection: sa.Connection) -> None:
    """Wait for whoever else is making or changing the tables; they may take their time."""
    driver: Any = connection.connection.driver_connection
    driver.patience = None
    connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
    connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({EMPTY_LOCK})")


@contextmanager
def pipeline(connection: sa.Connection) -> Iterator[None]:
    """Statements in the block are sent one after another; the first failure is raised at the
    end. None of them may be COPY, or be asked for its rows."""
    driver: Any = connection.connection.driver_connection
    with driver.pipeline():
        yield


def run(connection: sa.Connection, statement: str, values: Any = None) -> Any:
    """Hand the driver a statement; its cursor. SQLAlchemy's own way there takes as long again,
    for each of a batch's fifteen statements."""
    driver: Any = connection.connection.driver_connection
    return driver.execute(statement, values)


def wait_for_commit(connection: sa.Connection) -> None:
    """Let no limit end the transaction's commit: asked for before it, where that costs nothing."""
    run(connection, "SET LOCAL statement_timeout = 0")


def commit(connection: sa.Connection) -> None:
    """Commit after `wait_for_commit`; believe the server only if it had nothing to say about it.

    A server that stops waiting for its standby answers a commit as done, with a warning:
    the standby may lack it. So no time limit ends the wait, and a warning is not a yes.

    Raises:
        OutcomeUnknownError: the server warned.
    """
    warnings: list[str] = []

    def note(diagnostic: Any) -> None:
        if diagnostic.severity_nonlocalized == "WARNING":
            warnings.append(str(diagnostic.message_primary))

    driver: Any = connection.connection.driver_connection
    driver.add_notice_handler(note)
    patience, driver.patience = driver.patience, None
    try:
        connection.commit()
    finally:
        driver.patience = patience
        driver.remove_notice_handler(note)
    if warnings:
        raise OutcomeUnknownError(
            f"the database warned while committing ({'; '.join(warnings)}); whether a standby has "
            "the batch is unknown: repeat with the same idempotency keys"
        )


def forget_old_rows(writer: sa.Engine) -> bool:
    """Let the server reuse the space of vault rows as they were before an erasure.

    It cannot while somebody reads an older snapshot, and is asked for again later. What was
    written ahead (WAL) and archived goes with its own retention (docs/operations.md).

    Returns:
        Whether the server was asked; one whose user does not own the table leaves it to
        autovacuum.
    """
    try:
        with writer.connect() as connection:
            free = connection.execution_options(isolation_level="AUTOCOMMIT")
            free.exec_driver_sql("VACUUM (SKIP_LOCKED) vault")
    except sa.exc.SQLAlchemyError:
        return False
    return True


def require_reachable(connection: sa.Connection) -> None:
    """Return if this server takes writes.

    Raises:
        NotReadyError: it is a standby, or set to read only.
    """
    (standby, read_only) = connection.exec_driver_sql(
        "SELECT pg_is_in_recovery(), current_setting('default_transaction_read_only')"
    ).one()
    if standby or read_only == "on":
        raise NotReadyError(
            "the database takes no writes: it is a standby, or set to read only; name the "
            "primary, or all of them with target_session_attrs=read-write",
            code="database_read_only",
        )
