"""The index of references: what later entries are about, in both directions."""

from __future__ import annotations

import importlib
from types import ModuleType

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from bodies import full
from scribe import Scribe, audited, stored_object, whole_log
from tamper import Tamper
from told import tell_before

from ledger.audit.replay import audit
from ledger.book import Book
from ledger.store import postgresql
from ledger.store.place import is_postgresql, place_of

MIGRATION = importlib.import_module("ledger.store.migrations.versions.0006_entry_reference")
MATCHES = importlib.import_module("ledger.store.migrations.versions.0009_statement_matches")
TAKEN_BACK = importlib.import_module("ledger.store.migrations.versions.0010_points_taken_back")


WITHOUT = "DELETE FROM state_object WHERE key LIKE '{}'"


def expected(book: Book) -> list[tuple[int, int]]:
    """What the entries say, turned round."""
    pairs = ((target, one.index) for one in whole_log(book) for target in one.references)
    return sorted(pairs)


def stored(book: Book) -> list[tuple[int, int]]:
    with book.store.read() as reader:
        return [(target, source) for target, source in reader.scan("entry_reference")]


def test_every_reference_is_found_from_both_ends(world: Scribe) -> None:
    tell_before(world, "receipt.reissued")
    assert stored(world.book) == expected(world.book)
    with world.book.store.read() as reader:
        for target in range(world.book.head().size):
            found = reader.referrers(target, limit=100)
            assert found == [one.index for one in whole_log(world.book) if target in one.references]
        first, *rest = reader.referrers(1, limit=100)
        assert reader.referrers(1, after=first, limit=100) == rest
        assert reader.referrers(1, limit=1) == [first]
        assert reader.referrers(10**30, limit=1) == []
    audited(world.book)


def test_an_older_database_gets_it_from_its_own_entries(world: Scribe) -> None:
    """The table is made anew, as from a database that was written before there was one."""
    before = stored(world.book)
    entries = [entry.previous for entry in whole_log(world.book)]
    book = upgraded(world.book, "DROP TABLE entry_reference", MIGRATION)
    try:
        assert stored(book) == before
        assert [entry.previous for entry in whole_log(book)] == entries
        audited(book)
    finally:
        book.close()


def upgraded(book: Book, older: str, migration: ModuleType) -> Book:
    """The same log, closed and opened after a migration; `older` takes out what it makes."""
    folder = book.folder
    book.close()
    where = place_of(folder)
    if is_postgresql(where):
        engine = postgresql.engine(where, writer=True)
    else:
        engine = sa.create_engine(f"sqlite:///{where}")
    try:
        with engine.begin() as connection:
            connection.execute(sa.text(older))
            with Operations.context(MigrationContext.configure(connection)):
                migration.upgrade()
    finally:
        engine.dispose()
    return Book.open(folder)


def test_an_older_database_gets_the_matches_of_its_statements(world: Scribe) -> None:
    tell_before(world, "statement.matched")
    lines = [{"line": 1, "amount_fen": 100_000}]
    match = full("statement.matched", lines=lines, difference_fen=0)
    more = {**match, "lines": [{"line": 9, "amount_fen": 1}], "difference_fen": -9_999}
    given = {"fund": "general", "amount_fen": 10_000, "channel": "cash"}
    gift = world.tell("donation.money", given)
    world.tell("statement.matched", match)
    world.tell("statement.matched", {**more, "gifts": [gift]})
    before = stored_object(world.book, f"matches-of/{match['statement']}")
    assert len(before["entries"]) == 2
    book = upgraded(world.book, WITHOUT.format("matches-of/%"), MATCHES)
    try:
        assert stored_object(book, f"matches-of/{match['statement']}") == before
        audited(book)
    finally:
        book.close()


def test_an_older_database_gets_the_points_that_went_back(world: Scribe) -> None:
    tell_before(world, "points.reversed")
    world.tell("points.reversed", full("points.reversed"))
    before = stored_object(world.book, "points-taken-back")
    assert before["points"] > 0
    book = upgraded(world.book, WITHOUT.format("points-taken-back"), TAKEN_BACK)
    try:
        assert stored_object(book, "points-taken-back") == before
        audited(book)
    finally:
        book.close()


def test_an_upgrade_leaves_damaged_entries_to_the_audit() -> None:
    assert MIGRATION._references(b'{"references": [3, 1, 3]}') == [1, 3]
    for damaged in (b"", b"{}", b"[]", b'{"references": 7}', b"\xff"):
        assert MIGRATION._references(damaged) == []


def test_the_audit_names_a_reference_that_was_moved(world: Scribe) -> None:
    book = world.book
    tamper = Tamper(book.folder)
    (target, source), *_ = tamper.rows("entry_reference")
    tamper.change("entry_reference", (target, source), "source", source + 100)
    report = audit(book.store, vault=book.vault, keys=book.verifier_keys)
    tamper.close()
    assert [(one.code, one.place) for one in report.findings] == [
        ("reference_row", f"entry_reference {target} {source}"),
        ("reference_row", f"entry_reference {target} {source + 100}"),
    ]
