"""The schema: models and migrations agree, queries seek, and the check finds what differs."""

from __future__ import annotations

import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from batches import Batches
from seeks import ENTRIES, SEEKS, fill
from sqlmodel import SQLModel
from watched import OF_WHAT_WAS_FOUND

from ledger.errors import LedgerError, MalformedError
from ledger.store import Reader, Store, schema
from ledger.store.tables import OPERATIONAL, OPERATIONAL_METADATA, TABLES

pytestmark = pytest.mark.sqlite("its schema, types and query plans")

STEPS_MAX = 150
FUND = ("CNY", "fund:a")


@pytest.fixture
def full(path: Path, batches: Batches) -> Iterator[Store]:
    """A store that has rows in every table."""
    with closing(Store.open(str(path))) as store:
        fill(store, batches)
        yield store


def test_the_migrations_make_what_the_models_say(store: Store) -> None:
    with store._readers.connect() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, [SQLModel.metadata, OPERATIONAL_METADATA]) == []


def test_every_table_has_strict_types(store: Store) -> None:
    with store._readers.connect() as connection:
        rows = connection.exec_driver_sql("SELECT name, strict FROM pragma_table_list").all()
    strict = {name for name, is_strict in rows if is_strict}
    assert strict == set(TABLES | OPERATIONAL)


def test_a_migration_that_fails_leaves_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    upgrade = schema.upgrade

    def upgrade_and_fail(connection: sa.Connection) -> None:
        upgrade(connection)
        raise CommandError("the last step failed")

    monkeypatch.setattr(schema, "upgrade", upgrade_and_fail)
    with pytest.raises(CommandError):
        Store.open(str(path))
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("SELECT name FROM sqlite_master").fetchall() == []
    monkeypatch.undo()
    with closing(Store.open(str(path))) as store:
        assert store.check() == []


NEXT = """
import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = "{newest}"


def upgrade() -> None:
    op.add_column("vault", sa.Column("note", sa.Text, nullable=True))
"""


def test_an_older_database_is_brought_up_to_date(
    full: Store, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full.close()
    newer = tmp_path / "100% newer"
    shutil.copytree(schema.MIGRATIONS, newer)
    (newer / "versions" / "9999_note.py").write_text(NEXT.format(newest=schema.newest()))
    monkeypatch.setattr(schema, "MIGRATIONS", newer)
    with closing(Store.open(str(path), create=False)) as store:
        assert store.check() == []
        with store.read() as reader:
            assert reader.count("entry") == ENTRIES
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("SELECT note FROM vault WHERE entry = 7").fetchall() == [(None,)]
    monkeypatch.undo()
    with pytest.raises(MalformedError, match=r"versions \['9999'\], which this program"):
        Store.open(str(path))


def test_the_files_of_the_migrations_are_named_for_their_revisions() -> None:
    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS))
    script = ScriptDirectory.from_config(config)
    assert schema.revisions() == [one.revision for one in script.walk_revisions()][::-1]
    assert schema.newest() == script.get_current_head()


def test_a_database_that_is_up_to_date_is_opened_without_alembic(full: Store, path: Path) -> None:
    full.close()
    program = (
        "import sys; from ledger.store import Store; Store.open(sys.argv[1]).close(); "
        "sys.exit('alembic' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program, path], check=True, timeout=120)


# Query plans


@pytest.mark.parametrize(("name", "wanted", "ask"), SEEKS, ids=[one[0] for one in SEEKS])
def test_a_query_seeks_and_never_scans(
    full: Store, name: str, wanted: list[str], ask: Callable[[Reader], object]
) -> None:
    asked: list[tuple[str, Any]] = []

    @sa.event.listens_for(full._readers, "before_cursor_execute")
    def _note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.append((statement, parameters))

    with full.read() as reader:
        assert ask(reader)
        plans = [
            row[3]
            for statement, parameters in asked
            if statement.startswith(("SELECT", "WITH"))
            for row in reader._connection.exec_driver_sql(
                "EXPLAIN QUERY PLAN " + statement, parameters
            ).all()
        ]
    assert plans
    assert [one for one in plans if not one.startswith(("SEARCH", *OF_WHAT_WAS_FOUND))] == []
    for index in wanted:
        assert any(index in one for one in plans), plans


def test_overlaps_take_few_steps_wherever_they_are(full: Store) -> None:
    """SQLite's own count of instructions: a scan of the flows would take thousands."""

    asset, account = FUND

    def steps(first: int) -> int:
        count = 0

        def tick() -> int:
            nonlocal count
            count += 1
            return 0

        with full.read() as reader:
            reader.arrivals(asset, account, first, first + 1)
            raw: sqlite3.Connection = reader._connection.connection.dbapi_connection  # type: ignore[assignment]
            raw.set_progress_handler(tick, 1)
            assert len(reader.arrivals(asset, account, first, first + 1)) == 1
            raw.set_progress_handler(None, 0)
        return count

    assert max(steps(5), steps(5 * ENTRIES), steps(10 * ENTRIES - 15)) < STEPS_MAX


# What the check finds


def _change(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        for statement in statements:
            raw.execute(statement)


@pytest.mark.parametrize(
    ("statements", "wanted"),
    [
        (["DROP TRIGGER entry_refuses_update"], "trigger entry_refuses_update of entry is missing"),
        (
            [
                "DROP TRIGGER flow_refuses_delete",
                "CREATE TRIGGER flow_refuses_delete BEFORE DELETE ON flow BEGIN SELECT 1; END",
            ],
            "trigger flow_refuses_delete of flow is not as the migrations make it",
        ),
        (["CREATE TABLE extra (a)"], "table extra of extra is not of Shanji's making"),
        (["CREATE VIEW seen AS SELECT 1"], "view seen of seen is not of Shanji's making"),
        (
            ["CREATE TRIGGER more AFTER INSERT ON entry BEGIN SELECT 1; END"],
            "trigger more of entry is not of Shanji's making",
        ),
        (
            ["ALTER TABLE vault ADD COLUMN note TEXT"],
            "table vault of vault is not as the migrations make it",
        ),
        (["DROP TABLE edge"], "table edge of edge is missing"),
        (["DROP INDEX flow_by_source"], "index flow_by_source of flow is missing"),
        (
            ["DROP INDEX flow_by_source", "CREATE INDEX flow_by_source ON flow (source)"],
            "index flow_by_source of flow is not as the migrations make it",
        ),
        (
            ["UPDATE alembic_version SET version_num = '0000'"],
            f"alembic_version: expected {schema.newest()}",
        ),
        (
            ["INSERT INTO alembic_version VALUES ('0000')"],
            f"alembic_version: expected {schema.newest()}",
        ),
        (["DELETE FROM alembic_version"], f"alembic_version: expected {schema.newest()}, found []"),
        (["DROP TABLE alembic_version"], "table alembic_version of alembic_version is missing"),
        (
            ["ALTER TABLE alembic_version RENAME version_num TO number"],
            "table alembic_version of alembic_version is not as the migrations make it",
        ),
        (["PRAGMA application_id = 7"], "file: expected application id 0x53484a49, found 7"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_the_check_finds_a_changed_schema(
    full: Store, path: Path, statements: list[str], wanted: str
) -> None:
    assert full.check() == []
    _change(path, *statements)
    findings = full.check()
    assert any(wanted in one for one in findings), findings


def test_the_check_finds_an_index_that_does_not_lead_to_its_rows(full: Store, path: Path) -> None:
    """The index now says another order of columns than its rows were put in."""
    _change(
        path,
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_master SET sql = replace(sql, 'asset, name', 'name, asset') "
        "WHERE name = 'account_by_name'",
    )
    full.close()
    assert any("account_by_name" in one and one.startswith("file:") for one in full.check())


def test_the_check_finds_a_damaged_page(full: Store, path: Path) -> None:
    full.close()
    data = bytearray(path.read_bytes())
    # The header of every page but the first, which holds the schema.
    for page in range(1, len(data) // schema.PAGE_BYTES):
        data[page * schema.PAGE_BYTES] ^= 0x40
    path.write_bytes(data)
    findings = full.check()
    assert findings
    assert all(one.startswith("file:") for one in findings)


def test_a_changed_byte_gives_an_answer_or_an_error_of_the_ledger(
    full: Store, path: Path, tmp_path: Path
) -> None:
    """Whatever the file says, no other kind of error comes out."""
    full.close()
    data = path.read_bytes()
    chance = random.Random(20211109)
    places = [chance.randrange(len(data)) for _ in range(20)]
    # The schema, and the cells at the end of each page: where most of what matters lies.
    places += [schema.PAGE_BYTES - 1 - chance.randrange(4000) for _ in range(20)]
    pages = len(data) // schema.PAGE_BYTES
    places += [
        (1 + chance.randrange(pages)) * schema.PAGE_BYTES - 1 - chance.randrange(600)
        for _ in range(40)
    ]
    found = 0
    for place in places:
        changed = bytearray(data)
        changed[place] ^= 1 << chance.randrange(8)
        copy = tmp_path / f"changed-{place}.sqlite3"
        copy.write_bytes(changed)
        try:
            with closing(Store.open(str(copy), create=False)) as store, store.read() as reader:
                found += bool(store.check())
                for table in TABLES:
                    list(reader.scan(table))
                reader.head()
                reader.accounts(-1, 10)
                reader.arrivals("CNY", "fund:a", 0, 100)
                reader.entries(0, ENTRIES)
        except LedgerError:
            found += 1
    assert found


def test_a_damaged_schema_that_cannot_be_read_as_text(full: Store, path: Path) -> None:
    full.close()
    data = path.read_bytes()
    place = data.index(b", \n\tposting INTEGER")
    path.write_bytes(data[:place] + b"\xac" + data[place + 1 :])
    with pytest.raises(LedgerError, match="damaged"):
        Store.open(str(path))
