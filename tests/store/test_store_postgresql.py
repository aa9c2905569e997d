"""What is PostgreSQL's own in the store: settings, triggers, the check, failures, copies."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from batches import Batches, digest, put
from postgresql_server import Databases
from sqlmodel import SQLModel

from ledger.errors import (
    ConflictError,
    FatalError,
    LedgerError,
    MalformedError,
    NotFoundError,
    NotReadyError,
    OutcomeUnknownError,
)
from ledger.flows import Flow
from ledger.store import AnchorRow, Store, postgresql, read_copy
from ledger.store.bulk import COPY_ROWS_MIN
from ledger.store.failures import outcome_unknown, translated
from ledger.store.tables import IMMUTABLE, OPERATIONAL_METADATA, TABLES, UNDELETABLE

ACCOUNTS = [(0, "CNY", "world:donor", 0), (1, "CNY", "fund:a", 100)]
GIFT = Flow(0, 0, 0, "CNY", "world:donor", None, "fund:a", 0, 100, "")


@pytest.fixture
def url(databases: Databases) -> str:
    """A new database, whatever the suite runs on."""
    return databases.server.url(databases.new())


@pytest.fixture
def full(url: str, batches: Batches) -> Iterator[tuple[Store, psycopg.Connection]]:
    """A store with a row in every table, and a connection of another program."""
    with closing(Store.open(url)) as store, psycopg.connect(url, autocommit=True) as raw:
        put(store, _everything(batches))
        with store.append() as appender:
            appender.write_proposals([("p", b"1")])
            appender.write_cosignatures(300, [("key", b"line")])
            appender.write_anchor(AnchorRow(300, "authority", b"r", b"c", b"m"))
            appender.commit()
        yield store, raw


def _everything(batches: Batches) -> object:
    return batches.make(
        300,
        accounts=ACCOUNTS,
        flows=[GIFT],
        holdings_set=[(1, 0, 100, "")],
        pools=[(1, "", 100, 100, 0)],
        objects=[(f"fund/{number}", b"{}") for number in range(COPY_ROWS_MIN * 2)],
        assets=[("CNY", 1, 100, 100)],
        references=[(0, 1)],
        kinds=[("gift", 0)],
        movements=[(1, 0, "2022-01-10", 1, 10, 0, 1, 10, 0)],
    )


def _name(url: str) -> str:
    return urlsplit(url).path.removeprefix("/")


def test_connections_are_durable_and_give_up(url: str) -> None:
    with closing(Store.open(url)) as store:
        for engine in (store._writer, store._readers):
            with engine.connect() as connection:
                ask = connection.exec_driver_sql
                assert ask("SHOW synchronous_commit").scalar() == "on"
                assert ask("SHOW lock_timeout").scalar() == "30s"
                assert ask("SHOW application_name").scalar() == "shanji"
                assert ask("SHOW idle_in_transaction_session_timeout").scalar() != "0"
                read = engine is store._readers
                assert ask("SHOW transaction_read_only").scalar() == ("on" if read else "off")
                wanted = "repeatable read" if read else "read committed"
                assert ask("SHOW transaction_isolation").scalar() == wanted


def test_a_session_of_a_user_that_loses_commits_is_durable_all_the_same(
    url: str, databases: Databases
) -> None:
    databases.server.execute(f"ALTER DATABASE {_name(url)} SET synchronous_commit = off")
    with closing(Store.open(url)) as store, store._writer.connect() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ((150000, "UTF8", "off", "on", "on"), "database_loses_commits"),
        ((150000, "UTF8", "on", "off", "on"), "database_loses_commits"),
        ((150000, "UTF8", "on", "on", "local"), "database_loses_commits"),
        ((150000, "SQL_ASCII", "on", "on", "on"), "database_encoding"),
        ((120000, "UTF8", "on", "on", "on"), "old_postgresql"),
    ],
)
def test_a_server_that_cannot_keep_a_log_is_refused(row: tuple[object, ...], code: str) -> None:
    answer = SimpleNamespace(exec_driver_sql=lambda _: SimpleNamespace(one=lambda: row))
    with pytest.raises(FatalError) as caught:
        postgresql.check_server(answer)
    assert caught.value.code == code


def test_the_migrations_make_what_the_models_say(url: str) -> None:
    with closing(Store.open(url)) as store, store._readers.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, [SQLModel.metadata, OPERATIONAL_METADATA]) == []
        assert store.check() == []


def test_databases_that_are_none(url: str, databases: Databases) -> None:
    databases.server.execute("CREATE DATABASE bare TEMPLATE template0")
    bare = databases.server.url("bare")
    with pytest.raises(NotFoundError, match="holds no log"):
        Store.open(bare, create=False)
    databases.server.execute("CREATE TABLE songs (title text)", "bare")
    with pytest.raises(MalformedError, match="songs"):
        Store.open(bare)
    with pytest.raises(NotReadyError, match="cannot be reached") as caught:
        Store.open(databases.server.url("none"))
    assert caught.value.code == "database_away"
    with pytest.raises(MalformedError, match="expected a database like postgresql"):
        Store.open("postgresql://[host/name")


@pytest.mark.parametrize("table", IMMUTABLE)
def test_no_immutable_row_is_updated(full: tuple[Store, psycopg.Connection], table: str) -> None:
    _, raw = full
    for column in TABLES[table].columns:
        statement = f'UPDATE "{table}" SET "{column.name}" = "{column.name}"'
        with pytest.raises(psycopg.errors.IntegrityError, match="nothing recorded ever changes"):
            raw.execute(statement)


@pytest.mark.parametrize("table", [*IMMUTABLE, *UNDELETABLE])
def test_no_recorded_row_is_deleted(full: tuple[Store, psycopg.Connection], table: str) -> None:
    _, raw = full
    for statement in (f'DELETE FROM "{table}"', f'TRUNCATE "{table}"'):
        # Not even by what replication applies, which passes by other triggers.
        for role in ("origin", "replica"):
            raw.execute(f"SET session_replication_role = {role}")
            with pytest.raises(psycopg.errors.IntegrityError, match="nothing recorded"):
                raw.execute(statement)


@pytest.mark.parametrize(
    ("statement", "wanted"),
    [
        ("DROP INDEX flow_by_target", "index flow_by_target of flow is missing"),
        ("ALTER TABLE vault ADD COLUMN x bigint", "column x of vault is not of Shanji's"),
        ("ALTER TABLE pool ALTER label DROP NOT NULL", None),
        ('ALTER TABLE head ALTER last_recorded_at TYPE text COLLATE "default"', "as the mig"),
        ("ALTER TABLE entry DISABLE TRIGGER entry_refuses_update", "not as the migrations make"),
        ("ALTER TABLE entry ENABLE TRIGGER entry_refuses_update", "not as the migrations make"),
        ("DROP TRIGGER vault_refuses_truncate ON vault", "vault_refuses_truncate of vault is"),
        (
            "CREATE OR REPLACE FUNCTION nothing_recorded_changes() RETURNS trigger LANGUAGE "
            "plpgsql AS $$ BEGIN RETURN NEW; END $$",
            "trigger entry_refuses_update of entry is not as",
        ),
        ("CREATE RULE r AS ON INSERT TO vault DO ALSO NOTHING", "rule r of vault is not of"),
        ("CREATE TABLE songs (title text)", "column title of songs is not of"),
        ("UPDATE alembic_version SET version_num = '0001'", "found ['0001']"),
        ("DROP TABLE alembic_version", "alembic_version is missing"),
    ],
)
def test_the_check_finds_a_changed_schema(
    full: tuple[Store, psycopg.Connection], statement: str, wanted: str | None
) -> None:
    store, raw = full
    if wanted is None:
        with pytest.raises(psycopg.errors.InvalidTableDefinition):
            raw.execute(statement)
        return
    raw.execute(statement)
    findings = store.check()
    assert findings
    assert any(wanted in one for one in findings), findings


def test_two_writers_take_turns(url: str, batches: Batches) -> None:
    one, other = Store.open(url), Store.open(url)
    first, second = batches.make(3), batches.make(2)
    waits = threading.Thread(target=put, args=(other, second))
    with closing(one), closing(other):
        with one.append() as appender:
            assert appender.head() is None
            waits.start()
            waits.join(0.2)
            assert waits.is_alive()
            appender.write(first)
            appender.commit()
        waits.join()
        with one.read() as reader:
            assert reader.head() == second.head
        with pytest.raises(ConflictError, match="not at size 3"):
            put(one, second)


def test_a_lock_that_is_never_let_go(
    url: str, batches: Batches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "LOCK_SECONDS_MAX", 1)
    with closing(Store.open(url)) as one, closing(Store.open(url)) as other:
        put(one, batches.make(1))
        with one.append(), pytest.raises(NotReadyError) as caught:
            put(other, batches.make(1))
        assert caught.value.code == "database_busy"


def test_a_broken_connection_leaves_nothing_and_the_next_one_works(
    url: str, batches: Batches, databases: Databases
) -> None:
    kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = "
    kill += "'shanji' AND datname = current_database() AND pid <> pg_backend_pid()"
    name = _name(url)
    first = batches.make(2)
    with closing(Store.open(url)) as store:
        with store.append() as appender:
            databases.server.execute(kill, name)
            with pytest.raises(NotReadyError) as caught:
                appender.write(first)
        assert caught.value.code == "database_away"
        with store.append() as appender:
            appender.write(first)
            databases.server.execute(kill, name)
            with pytest.raises(OutcomeUnknownError, match="same idempotency keys"):
                appender.commit()
        with store.read() as reader:
            assert reader.head() is None
            databases.server.execute(kill, name)
            # The whole snapshot is gone: whoever reads on in it is told the same.
            for _ in range(2):
                with pytest.raises(NotReadyError) as caught:
                    reader.head()
                assert caught.value.code == "database_away"
        put(store, first)
        with store.read() as reader:
            assert reader.head() == first.head


@pytest.mark.parametrize("closed", [False, True], ids=["open", "closed meanwhile"])
def test_a_connection_that_is_lost_after_the_last_answer_takes_nothing_back(
    url: str, batches: Batches, databases: Databases, closed: bool
) -> None:
    """Who has read all that was wanted, or wrote nothing, is not told of what came after."""
    kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = "
    kill += "'shanji' AND datname = current_database() AND pid <> pg_backend_pid()"
    name, batch = _name(url), batches.make(1)
    with closing(Store.open(url)) as store:
        put(store, batch)
        with store.append() as appender:
            assert appender.head() == batch.head
            databases.server.execute(kill, name)
        with store.read() as reader:
            assert reader.head() == batch.head
            databases.server.execute(kill, name)
            if closed:
                store.close()

        def fails() -> None:
            with store.read() as reader:
                assert reader.head() == batch.head
                databases.server.execute(kill, name)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fails()
        if not closed:
            put(store, batches.make(1))


def test_a_commit_that_the_server_warns_of_is_not_believed(url: str, batches: Batches) -> None:
    """As a server does that stopped waiting for its standby."""
    with closing(Store.open(url)) as store, store.append() as appender:
        appender.write(batches.make(1))
        appender._connection.exec_driver_sql(
            "CREATE FUNCTION pg_temp.warn() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE WARNING 'canceling wait'; RETURN NULL; END $$"
        )
        appender._connection.exec_driver_sql(
            "CREATE CONSTRAINT TRIGGER warn AFTER INSERT ON state_object DEFERRABLE INITIALLY "
            "DEFERRED FOR EACH ROW EXECUTE FUNCTION pg_temp.warn()"
        )
        appender._connection.exec_driver_sql("INSERT INTO state_object VALUES ('a', '')")
        with pytest.raises(OutcomeUnknownError, match="canceling wait"):
            appender.commit()


class _Failure(psycopg.OperationalError):
    def __init__(self, state: str | None, primary: str = "it failed") -> None:
        super().__init__(f"{primary}\nDETAIL: Key (key)=(secret) exists")
        self.sqlstate = state
        self._primary = primary

    @property
    def diag(self) -> SimpleNamespace:  # type: ignore[override]
        return SimpleNamespace(message_primary=self._primary)


@pytest.mark.parametrize(
    ("state", "kind", "code", "unknown"),
    [
        ("08006", NotReadyError, "database_away", True),
        ("57P01", NotReadyError, "database_away", True),
        ("25P03", NotReadyError, "database_away", False),
        ("25006", NotReadyError, "database_read_only", False),
        ("40001", NotReadyError, "database_busy", False),
        ("40P01", NotReadyError, "database_busy", False),
        ("55P03", NotReadyError, "database_busy", True),
        ("57014", NotReadyError, "database_slow", True),
        ("53300", NotReadyError, "database_connections", False),
        ("53100", FatalError, "disk_full", False),
        ("53200", FatalError, "database_failed", False),
        ("23505", FatalError, "rows_refused", False),
        ("42501", FatalError, "database_unwritable", True),
        ("XX001", FatalError, "database_damaged", True),
        ("22021", MalformedError, "not_unicode", False),
    ],
)
def test_each_failure_says_what_to_do(
    state: str, kind: type[LedgerError], code: str, unknown: bool
) -> None:
    error = _Failure(state)
    assert outcome_unknown(error) == unknown
    with pytest.raises(kind) as caught, translated():
        raise sa.exc.DBAPIError("SELECT secret", {"name": "secret"}, error)
    assert caught.value.code == code
    assert "it failed" in caught.value.message
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("connection failed: FATAL:  sorry, too many clients already", "database_connections"),
        ("connection failed: Connection refused", "database_away"),
    ],
)
def test_why_nobody_can_connect(text: str, code: str) -> None:
    # A server's reason has no code before there is a connection.
    with pytest.raises(NotReadyError) as caught, translated():
        raise psycopg.OperationalError(text)
    assert caught.value.code == code


def test_a_server_that_says_nothing_is_given_up(url: str) -> None:
    with closing(Store.open(url)) as store, store.append() as appender:
        driver: Any = appender._connection.connection.driver_connection
        assert driver.patience > postgresql.LOCK_SECONDS_MAX
        driver.patience = 0.1
        with (
            pytest.raises(NotReadyError, match=r"no answer in 0\.1 seconds") as caught,
            translated(),
        ):
            driver.execute("SELECT pg_sleep(30)")
        assert caught.value.code == "database_away"
        assert driver.closed


def test_a_writer_whose_kept_connection_was_ended_takes_a_new_one(
    url: str, batches: Batches, databases: Databases
) -> None:
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'shanji'"
    with closing(Store.open(url)) as store:
        put(store, batches.make(1))
        # It answered just now, so that nobody asks it first.
        databases.server.execute(f"{end} AND datname = current_database()", _name(url))
        put(store, batches.make(1))


def test_a_row_that_is_refused_tells_no_values(url: str, batches: Batches) -> None:
    with closing(Store.open(url)) as store:
        put(store, batches.make(1))
        wrong = replace(batches.make(1), idempotency=[("secret", digest(1), 1)] * 2)
        with store.append() as appender, pytest.raises(FatalError) as caught:
            appender.write(wrong)
        assert "idempotency" in str(caught.value.__cause__)
        assert "secret" not in str(caught.value) + str(caught.value.__cause__)


def test_text_that_no_server_holds(url: str) -> None:
    with (
        closing(Store.open(url)) as store,
        store.read() as reader,
        pytest.raises(MalformedError, match="NUL"),
    ):
        reader.object("fund/\0")


def test_a_copy_is_a_file_with_the_same_rows_and_fills_another_server(
    full: tuple[Store, psycopg.Connection], tmp_path: Path, databases: Databases
) -> None:
    store, _ = full
    store.copy_to(tmp_path / "copy.sqlite3")
    with closing(Store.open(databases.server.url(databases.new()))) as other:
        with read_copy(tmp_path / "copy.sqlite3") as copy:
            with store.read() as reader:
                for table in TABLES:
                    rows = list(reader.scan(table))
                    assert rows
                    assert list(copy.scan(table)) == rows
            other.fill(copy)
            with other.read() as reader:
                assert all(list(reader.scan(one)) == list(copy.scan(one)) for one in TABLES)
            with pytest.raises(ConflictError, match="holds a log already"):
                other.fill(copy)
        assert other.check() == []


def test_what_was_erased_is_vacuumed(full: tuple[Store, psycopg.Connection]) -> None:
    store, raw = full
    with store.append() as appender:
        appender.write_vault([(0, b"erased")])
        if raw.info.server_version >= 150_000:
            # A session tells its counts at most once a second: told after the vacuum, this one
            # would count the row as dead that the vacuum has just taken away.
            appender._connection.exec_driver_sql("SELECT pg_stat_force_next_flush()")
        appender.commit()
    used = "SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 'vault'"
    assert store.drop_old_pages()
    assert raw.execute(used).fetchone() == (0,)
