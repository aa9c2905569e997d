"""A whole log on PostgreSQL, as its folder and its commands see it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from postgresql_server import Databases
from scribe import ORGANISATION, ORIGIN, Scribe, audited, gifts, tell_small_world
from typer.testing import CliRunner

from ledger.audit.source_store import open_source
from ledger.backup.making import make_backup
from ledger.backup.restoring import restore_backup
from ledger.book import Book
from ledger.cli import DATABASE_VARIABLE, build
from ledger.errors import ConflictError, MalformedError, NotReadyError, OutcomeUnknownError
from ledger.store import Appender, place
from ledger.store.place import URL_FILE

pytestmark = pytest.mark.sqlite("a server beside a file is the whole of a run on one")


@pytest.fixture
def url(databases: Databases) -> str:
    """A new database."""
    return databases.server.url(databases.new())


@pytest.fixture
def book(tmp_path: Path, url: str) -> Iterator[Book]:
    """A small world on the server."""
    made = Book.create(tmp_path / "data", origin=ORIGIN, organisation=ORGANISATION, database=url)
    tell_small_world(Scribe(made))
    yield made
    made.close()


def test_the_commands_name_the_variable_that_the_store_reads() -> None:
    assert DATABASE_VARIABLE == place.DATABASE_VARIABLE


def test_the_folder_remembers_its_database(book: Book, url: str) -> None:
    assert (book.folder / URL_FILE).read_text() == url + "\n"
    assert not (book.folder / place.DATABASE).exists()
    run = CliRunner().invoke(build(), ["audit", "--data", str(book.folder), "--json"])
    assert run.exit_code == 0, run.output
    with pytest.raises(ConflictError):
        Book.create(book.folder, origin=ORIGIN, organisation=ORGANISATION)
    for where in (str(book.folder), url):
        source = open_source(where)
        assert source.checkpoint() == book.head().checkpoint
        source.close()


def test_a_folder_with_a_log_in_a_file_gets_none_on_a_server(
    world_template: Path, tmp_path: Path, url: str
) -> None:
    shutil.copytree(world_template, tmp_path / "copy")
    with pytest.raises(ConflictError, match="holds a log already"):
        Book.create(tmp_path / "copy", origin=ORIGIN, organisation=ORGANISATION, database=url)


def test_a_command_is_told_a_database(
    book: Book, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DATABASE_VARIABLE, "")
    (book.folder / URL_FILE).unlink()
    options = ["--database", url, "audit", "--data", str(book.folder), "--json"]
    run = CliRunner().invoke(build(), options)
    assert json.loads(run.stdout)["size"] == book.head().size
    # It was for that command only: nothing is written down.
    assert not (book.folder / URL_FILE).exists()


def test_a_backup_of_a_server_is_restored_into_a_file_and_into_a_server(
    book: Book, tmp_path: Path, databases: Databases
) -> None:
    made, manifest = make_backup(book.folder, tmp_path / "backups", with_keys=True)
    assert manifest.size == book.head().size
    empty = databases.server.url(databases.new())
    for name, database in (("file", None), ("server", empty)):
        restore_backup(made, tmp_path / name, database=database)
        assert (tmp_path / name / URL_FILE).exists() == (database is not None)
        again = Book.open(tmp_path / name)
        assert again.head() == book.head()
        audited(again)
        again.close()
    with pytest.raises(ConflictError, match="holds a log already"):
        restore_backup(made, tmp_path / "third", database=empty)
    assert list((tmp_path / "third").iterdir()) == []
    with pytest.raises(MalformedError, match="expected a database like postgresql"):
        restore_backup(made, tmp_path / "third", database="ledger.sqlite3")


def test_a_log_that_was_restored_behind_writes_nothing(
    book: Book, tmp_path: Path, databases: Databases
) -> None:
    made, _ = make_backup(book.folder, tmp_path / "backups", with_keys=True)
    book.sequencer.record(gifts(Scribe(book), 1)[0])
    empty = databases.server.url(databases.new())
    restored = restore_backup(made, tmp_path / "old", newer=[book.folder], database=empty)
    assert (restored.behind, restored.prefix) == (True, "proven")
    old = Book.open(tmp_path / "old")
    with pytest.raises(NotReadyError, match="second history"):
        old.sequencer.record(gifts(Scribe(old), 1, "other")[0])
    old.close()


def test_when_nobody_can_tell_what_became_of_a_commit_nobody_says_that_nothing_did(
    book: Book, databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = Appender.commit

    def lost(appender: Appender) -> None:
        commit(appender)
        monkeypatch.setattr(book.store, "append", away)
        raise OutcomeUnknownError("the answer was lost; repeat with the same idempotency keys")

    def away() -> None:
        raise NotReadyError("the server is away")

    record = gifts(Scribe(book), 1)[0]
    with monkeypatch.context() as broken:
        broken.setattr(Appender, "commit", lost)
        with pytest.raises(OutcomeUnknownError):
            book.sequencer.record(record)
    monkeypatch.undo()
    assert book.sequencer.record(record).replayed
    audited(book)
