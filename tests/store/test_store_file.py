"""The database file: opening, settings, locks, snapshots, and what failures become."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from batches import Batches, put

from ledger.errors import (
    ConflictError,
    CorruptionError,
    FatalError,
    LedgerError,
    MalformedError,
    NotFoundError,
    NotReadyError,
    OutcomeUnknownError,
)
from ledger.store import AnchorRow, Appender, Store, schema
from ledger.store import sqlite as sqlite_module
from ledger.store.tables import IMMUTABLE, TABLES, UNDELETABLE

pytestmark = pytest.mark.sqlite("its file, write-ahead log and settings")


def test_opening_makes_the_file_for_its_owner_only(path: Path, batches: Batches) -> None:
    with closing(Store.open(str(path))) as store:
        put(store, batches.make(1))
        files = sorted(path.parent.iterdir())
        assert [one.name for one in files] == [
            "ledger.sqlite3",
            "ledger.sqlite3-shm",
            "ledger.sqlite3-wal",
        ]
        assert {stat.S_IMODE(one.stat().st_mode) for one in files} == {0o600}


def test_a_file_that_must_be_there_is_not_made(path: Path) -> None:
    with pytest.raises(NotFoundError, match="is not there"):
        Store.open(str(path), create=False)
    assert not path.exists()


def test_opening_again_keeps_everything(path: Path, batches: Batches) -> None:
    batch = batches.make(2)
    with closing(Store.open(str(path))) as store:
        put(store, batch)
    with closing(Store.open(str(path), create=False)) as store, store.read() as reader:
        assert reader.head() == batch.head
        assert store.check() == []


def test_any_name_of_a_file_will_do(tmp_path: Path, batches: Batches) -> None:
    folder = tmp_path / "账本 100%25?mode=ro#1"
    folder.mkdir()
    with closing(Store.open(str(folder / "a&b.sqlite3"))) as store:
        put(store, batches.make(1))
    assert (folder / "a&b.sqlite3").stat().st_size > 0


def test_settings_of_both_connections(store: Store) -> None:
    def settings(reader: object, *names: str) -> list[object]:
        connection: sa.Connection = reader._connection  # type: ignore[attr-defined]
        return [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names]

    with store.append() as appender:
        assert settings(appender, "journal_mode", "synchronous", "page_size", "query_only") == [
            "wal",
            2,
            schema.PAGE_BYTES,
            0,
        ]
        assert settings(appender, "busy_timeout", "wal_autocheckpoint") == [
            schema.BUSY_SECONDS_MAX * 1000,
            schema.AUTOCHECKPOINT_PAGES,
        ]
    with store.read() as reader:
        assert settings(reader, "journal_mode", "query_only") == ["wal", 1]


def test_a_reader_cannot_write(store: Store, batches: Batches) -> None:
    batch = batches.make(1)

    def write() -> None:
        with store.read() as reader:
            Appender(reader._connection).write(batch)

    with pytest.raises(FatalError, match="readonly"):
        write()
    with store.read() as reader:
        assert reader.head() is None


# Files that are something else


def _change(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as raw:
        for statement in statements:
            raw.execute(statement)
        raw.commit()


def test_a_file_that_is_no_database(path: Path) -> None:
    path.write_bytes(b"This is a text file, not a database.\n" * 100)
    with pytest.raises(MalformedError, match="file is not a database") as caught:
        Store.open(str(path))
    assert caught.value.code == "not_a_database"


def test_a_folder_is_no_database(path: Path) -> None:
    path.mkdir()
    for create in (True, False):
        with pytest.raises(NotFoundError, match="is a folder"):
            Store.open(str(path), create=create)


def test_a_foreign_database_is_left_as_it_is(path: Path) -> None:
    _change(path, "CREATE TABLE songs (title TEXT)", "PRAGMA application_id = 7")
    before = path.read_bytes()
    with pytest.raises(MalformedError, match="application id 0x7") as caught:
        Store.open(str(path))
    assert caught.value.code == "foreign_database"
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_a_foreign_database_of_the_same_revision(path: Path) -> None:
    _change(
        path,
        "CREATE TABLE alembic_version (version_num TEXT)",
        f"INSERT INTO alembic_version VALUES ('{schema.newest()}')",
    )
    with pytest.raises(MalformedError, match="application id 0x0"):
        Store.open(str(path))


def test_a_database_whose_version_table_is_gone(path: Path) -> None:
    Store.open(str(path)).close()
    _change(path, "DROP TABLE alembic_version")
    with pytest.raises(MalformedError, match="no alembic_version") as caught:
        Store.open(str(path))
    assert caught.value.code == "foreign_database"


def test_a_file_that_was_made_and_left_empty(path: Path) -> None:
    path.touch()
    with closing(Store.open(str(path), create=False)) as store:
        assert store.check() == []


def test_a_url_names_a_file(path: Path) -> None:
    with closing(Store.open(f"sqlite:///{path}")) as store:
        assert store.path == path
    assert path.exists()


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite:///a?mode=memory",
        "sqlite://host/a",
        "mysql://host/shanji",
        "://",
        "nonsense://a",
    ],
)
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(MalformedError, match="expected the path of a file"):
        Store.open(url)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="make it, or name another"):
        Store.open(str(tmp_path / "none" / "ledger.sqlite3"))


def test_a_file_that_cannot_be_made(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.open", refuse)
    with pytest.raises(FatalError, match="Permission denied") as caught:
        Store.open(str(path))
    assert caught.value.code == "database_unwritable"


def test_an_old_sqlite(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "SQLITE_VERSION_MIN", (99, 1, 0))
    with pytest.raises(FatalError, match=r"expected SQLite 99\.1\.0 or newer") as caught:
        Store.open(str(path))
    assert caught.value.code == "old_sqlite"


def test_a_newer_database(path: Path) -> None:
    Store.open(str(path)).close()
    _change(path, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(MalformedError, match=r"versions \['9999'\]") as caught:
        Store.open(str(path))
    assert caught.value.code == "newer_database"


def test_a_database_that_lost_its_version(path: Path) -> None:
    Store.open(str(path)).close()
    _change(path, "DELETE FROM alembic_version")
    with pytest.raises(MalformedError, match=r"versions \[\]") as caught:
        Store.open(str(path))
    assert caught.value.code == "newer_database"


def test_a_database_cut_short(path: Path, batches: Batches) -> None:
    with closing(Store.open(str(path))) as store:
        put(store, batches.make(300))
    with path.open("r+b") as file:
        file.truncate(5 * schema.PAGE_BYTES)
    with pytest.raises(CorruptionError, match="damaged") as caught:
        Store.open(str(path))
    assert caught.value.code == "database_damaged"


# Locks and snapshots


def test_two_stores_on_one_file_take_turns(path: Path, batches: Batches) -> None:
    first, second = batches.make(2), batches.make(3)
    with closing(Store.open(str(path))) as one, closing(Store.open(str(path))) as other:
        put(one, first)
        with other.append() as appender:
            seen = appender.head()
        assert seen == first.head
        put(other, second)
        with pytest.raises(ConflictError, match="not at size 2"):
            put(one, second)
        with one.read() as reader:
            assert reader.head() == second.head
            assert len(list(reader.scan("entry"))) == 5


def test_of_many_writers_of_one_batch_one_wins(path: Path, batches: Batches) -> None:
    batch = batches.make(4)
    Store.open(str(path)).close()
    outcomes: list[str] = []

    def write() -> None:
        with closing(Store.open(str(path))) as store:
            try:
                put(store, batch)
            except LedgerError as error:
                outcomes.append(error.code)
            else:
                outcomes.append("done")

    threads = [threading.Thread(target=write) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["conflict"] * 5 + ["done"]


def test_processes_that_start_at_once_make_one_database(path: Path) -> None:
    program = (
        "import sys; from ledger.store import Store; store = Store.open(sys.argv[1]); "
        "print(store.check()); store.close()"
    )
    command = [sys.executable, "-c", program, str(path)]
    root = Path(__file__).resolve().parents[2]
    running = [
        subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    assert [one.communicate()[0] for one in running] == ["[]\n"] * 3


def test_a_lock_held_too_long(
    path: Path, batches: Batches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "BUSY_SECONDS_MAX", 0)
    with (
        closing(Store.open(str(path))) as one,
        closing(Store.open(str(path))) as other,
        one.append() as appender,
    ):
        appender.head()
        with pytest.raises(NotReadyError, match="another process is writing"):
            put(other, batches.make(1))


def test_readers_without_end(store: Store, monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    monkeypatch.setattr(sqlite_module, "READERS_MAX", 1)
    monkeypatch.setattr(sqlite_module, "WAIT_SECONDS_MAX", 0.01)
    with closing(Store.open(str(path))) as small, small.read() as reader:
        reader.head()
        with pytest.raises(NotReadyError, match="in use"), small.read():
            pass


def test_a_reader_keeps_its_snapshot(store: Store, batches: Batches) -> None:
    first = batches.make(2, objects=[("a", b"1")])
    put(store, first)
    with store.read() as reader:
        assert reader.head() == first.head
        put(store, batches.make(300, objects=[("a", b"2")]))
        assert reader.head() == first.head
        assert reader.object("a") == b"1"
        assert reader.edges() == list(first.edges)
        assert [row[0] for row in reader.scan("entry")] == [0, 1]
        with pytest.raises(NotFoundError):
            reader.entry(2)
        with pytest.raises(NotFoundError):
            reader.tile(0, 0, 256)
    with store.read() as reader:
        assert reader.object("a") == b"2"


# Failures of the file


def test_a_full_disk_is_fatal_and_leaves_nothing(store: Store, batches: Batches) -> None:
    put(store, batches.make(1))

    def fill() -> None:
        with store.append() as appender:
            pages = appender._connection.exec_driver_sql("PRAGMA page_count").scalar()
            appender._connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
            appender.write(batches.make(5000))
            appender.commit()

    with pytest.raises(FatalError, match="disk is full") as caught:
        fill()
    assert caught.value.code == "disk_full"
    with store.read() as reader:
        assert [row[0] for row in reader.scan("entry")] == [0]


def test_a_commit_that_fails_has_an_unknown_outcome(store: Store, batches: Batches) -> None:
    full = sqlite3.OperationalError("database or disk is full")
    full.sqlite_errorcode = sqlite3.SQLITE_FULL
    failure = sa.exc.OperationalError("COMMIT", {}, full)

    def fail() -> None:
        raise failure

    with store.append() as appender:
        appender.write(batches.make(1))
        appender._connection.commit = fail  # type: ignore[method-assign]
        with pytest.raises(OutcomeUnknownError, match="same idempotency key") as caught:
            appender.commit()
    assert isinstance(caught.value.__cause__, FatalError)
    assert caught.value.__cause__.code == "disk_full"


def test_who_finds_another_at_the_making_of_the_file_waits_for_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite itself does not wait at that step."""
    waited: list[float] = []
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        other.execute("BEGIN IMMEDIATE")

        def wait(seconds: float) -> None:
            waited.append(seconds)
            other.execute("ROLLBACK")

        monkeypatch.setattr(schema, "sleep", wait)
        with closing(sqlite3.connect(path)) as raw:
            schema.settings(raw, writer=True)
            assert raw.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert waited == [schema.BUSY_AGAIN_SECONDS]


class _NoLog:
    """A driver's connection on a file system that has no write-ahead log."""

    def __init__(self, raw: sqlite3.Connection) -> None:
        self.raw = raw

    def execute(self, statement: str) -> sqlite3.Cursor:
        if statement == "PRAGMA journal_mode = WAL":
            return self.raw.execute("SELECT 'delete'")
        return self.raw.execute(statement)


def test_a_file_system_without_a_write_ahead_log(path: Path) -> None:
    with (
        closing(sqlite3.connect(path)) as raw,
        pytest.raises(FatalError, match="SQLite chose delete") as caught,
    ):
        schema.settings(_NoLog(raw), writer=True)  # type: ignore[arg-type]
    assert caught.value.code == "database_unwritable"


def test_a_closed_file_holds_everything_by_itself(path: Path, batches: Batches) -> None:
    batch = batches.make(2)
    store = Store.open(str(path))
    put(store, batch)
    with store.read() as reader:
        # SQLite does not end a connection of which a statement is left; it is not read any more.
        kept = reader._connection.connection.cursor().execute("SELECT 1")
    store.close()
    alone = path.with_name("alone")
    alone.write_bytes(path.read_bytes())
    with closing(Store.open(str(alone), create=False)) as store, store.read() as reader:
        assert reader.head() == batch.head
    del kept


def test_who_still_reads_when_it_is_closed_leaves_the_file_whole(
    path: Path, batches: Batches
) -> None:
    store = Store.open(str(path))
    put(store, batches.make(2))
    with store.read() as reader:
        before = reader.head()
        put(store, batches.make(2))
        store.close()
        assert reader.head() == before
    # Nothing of it is open any more: SQLite has taken its write-ahead log in, and away.
    assert [one.name for one in path.parent.iterdir()] == [path.name]


DIES = """
import os, sys
sys.path.insert(0, "tests")
from batches import Batches, put
from ledger.store import AnchorRow, Store
store, batches = Store.open(sys.argv[1]), Batches()
put(store, batches.make(300))
with store.append() as appender:
    appender.write(batches.make(300))
    if sys.argv[2] == "after":
        appender.commit()
    os._exit(9)
"""


@pytest.mark.parametrize(("when", "size"), [("before", 300), ("after", 600)])
def test_a_process_that_dies_around_its_commit(
    path: Path, batches: Batches, repository: Path, when: str, size: int
) -> None:
    command = [sys.executable, "-c", DIES, str(path), when]
    assert subprocess.run(command, cwd=repository, check=False).returncode == 9
    assert path.with_name(path.name + "-wal").exists()
    batches.make(300)
    if when == "after":
        batches.make(300)
    with closing(Store.open(str(path), create=False)) as store:
        assert store.check() == []
        with store.read() as reader:
            head = reader.head()
            assert head is not None
            assert (head.size, head.root) == (size, batches.tree.root())
            assert reader.edges() == list(batches.tree.edges)
            for table in ("entry", "vault", "idempotency", "order_number"):
                assert reader.count(table) == size
        put(store, batches.make(1))


# Triggers


def test_the_promise_names_its_tables() -> None:
    assert set(IMMUTABLE) | set(UNDELETABLE) < set(TABLES)


@pytest.fixture
def full(path: Path, batches: Batches) -> sqlite3.Connection:
    """A raw connection to a store that has rows in every table that keeps a promise."""
    from ledger.flows import Flow

    with closing(Store.open(str(path))) as store:
        flow = Flow(0, 0, 0, "CNY", "world:donor", None, "fund:a", 0, 5)
        accounts = [(0, "CNY", "world:donor", 0), (1, "CNY", "fund:a", 5)]
        put(
            store,
            batches.make(
                257,
                flows=[flow],
                accounts=accounts,
                references=[(0, 1)],
                kinds=[("gift", 0)],
                movements=[(1, 0, "2022-01-10", 1, 10, 0, 1, 10, 0)],
            ),
        )
        with store.append() as appender:
            appender.write_proposals([("count", b"encrypted")])
            head = appender.head()
            assert head is not None
            appender.write_cosignatures(head.size, [("key-1", b"line"), ("key-2", b"line")])
            appender.write_anchor(AnchorRow(257, "tsa", b"response", b"certificates", b"mac"))
            appender.commit()
    return sqlite3.connect(path)


@pytest.mark.parametrize("table", IMMUTABLE)
def test_no_column_of_an_immutable_row_is_updated(full: sqlite3.Connection, table: str) -> None:
    with closing(full):
        for column in TABLES[table].columns:
            with pytest.raises(sqlite3.IntegrityError, match="nothing recorded ever changes"):
                full.execute(f'UPDATE "{table}" SET "{column.name}" = "{column.name}"')


@pytest.mark.parametrize("table", [*IMMUTABLE, *UNDELETABLE])
def test_no_recorded_row_is_deleted(full: sqlite3.Connection, table: str) -> None:
    with closing(full):
        with pytest.raises(sqlite3.IntegrityError, match=f"{table}: nothing recorded"):
            full.execute(f'DELETE FROM "{table}"')
        assert full.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0] > 0


@pytest.mark.parametrize("table", IMMUTABLE)
def test_no_recorded_row_is_replaced(full: sqlite3.Connection, table: str) -> None:
    before = full.execute(f'SELECT * FROM "{table}"').fetchall()
    with closing(full):
        with pytest.raises(sqlite3.IntegrityError):
            full.execute(f'INSERT OR REPLACE INTO "{table}" SELECT * FROM "{table}"')
        assert full.execute(f'SELECT * FROM "{table}"').fetchall() == before


def test_a_vault_row_may_be_replaced_by_its_erasure(full: sqlite3.Connection) -> None:
    with closing(full):
        full.execute("UPDATE vault SET ciphertext = x'00' WHERE entry = 3")
        assert full.execute("SELECT ciphertext FROM vault WHERE entry = 3").fetchone() == (b"\0",)
