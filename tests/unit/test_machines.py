"""Two machines, each with a data folder of its own, on one database."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from postgresql_server import Databases
from scribe import ORGANISATION, ORIGIN, Scribe, audited, gifts, tell_small_world
from typer.testing import CliRunner

from api import machines
from api.auth import TOKENS_FILE, create_token
from ledger.backup.making import make_backup
from ledger.backup.restoring import restore_backup
from ledger.book import Book
from ledger.cli import DATABASE_VARIABLE, build
from ledger.errors import CorruptionError, NotReadyError
from ledger.holding import FRESH_SECONDS, Holds
from ledger.holds import DAMAGED, HALTED, LIFTED_PREFIX, UNCONFIRMED
from ledger.inspection import Inspector
from ledger.inspection.slices import Slice
from ledger.keys.access import KeyAccess
from ledger.keys.files import VAULT_KEY
from ledger.records.kind import Role

Pair = tuple[Book, Book]


def another(first: Path, folder: Path, url: str) -> Book:
    """The log as a second machine has it: the same keys and database, nothing else."""
    folder.mkdir()
    shutil.copytree(first / "keys", folder / "keys")
    return Book.open(folder, database=url)


@pytest.fixture
def url(databases: Databases) -> str:
    """A new database."""
    return databases.server.url(databases.new())


@pytest.fixture
def pair(tmp_path: Path, url: str) -> Iterator[Pair]:
    """A small world, open on two machines."""
    one = Book.create(tmp_path / "one", origin=ORIGIN, organisation=ORGANISATION, database=url)
    tell_small_world(Scribe(one))
    two = another(one.folder, tmp_path / "two", url)
    yield one, two
    for book in (one, two):
        book.close()


def refused(book: Book, code: str) -> None:
    size = book.head().size
    with pytest.raises(NotReadyError) as caught:
        book.sequencer.record(gifts(Scribe(book), 1, f"refused-{code}")[0])
    assert caught.value.code == code
    assert book.head().size == size


def test_a_hold_of_one_machine_holds_the_other_until_it_is_lifted_on_either(
    pair: Pair, tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DATABASE_VARIABLE, "")
    one, two = pair
    one.halt("w1.example: it saw more")
    one.halt("w2.example: so did it")
    for book in (one, two):
        refused(book, "halted")
        ((hold, reason),) = book.held.read()
        assert (hold, reason) == (HALTED, "w1.example: it saw more")
        with pytest.raises(NotReadyError, match="shanji release halted"):
            book.held.require_free()
    # Also whoever comes later, and commands on the other folder.
    later = another(one.folder, tmp_path / "three", url)
    assert later.halted is not None
    later.close()
    options = ["--database", url, "release"]
    shown = CliRunner().invoke(build(), [*options, "--data", str(two.folder), "--lang", "en"])
    assert shown.exit_code == 3
    assert "halted: w1.example: it saw more" in shown.output
    ended = CliRunner().invoke(
        build(), [*options, "halted", "--by", "auditor-1: w1 was wrong", "--data", str(two.folder)]
    )
    assert ended.exit_code == 0, ended.output
    assert two.sequencer.record(gifts(Scribe(two), 1)[0]).size == one.head().size
    with one.store.read() as reader:
        assert reader.holds() == {}
    audited(two)
    assert not list(one.folder.glob("*halted*"))


def test_damage_that_one_machine_finds_holds_the_other(pair: Pair) -> None:
    one, two = pair
    now = [0.0]
    held = Holds(two.folder, two.store, clock=lambda: now[0])
    assert held.stale
    held.refresh()
    Inspector(one, KeyAccess()).take(Slice(1, ["entry 3: not what was recorded"]))
    assert not held.stale
    assert held.recent(DAMAGED) is None
    now[0] = FRESH_SECONDS
    assert held.stale
    held.refresh()
    assert "entry 3" in (held.recent(DAMAGED) or "")
    refused(two, "damaged")
    assert two.release(DAMAGED, "auditor-1: the row was put back")
    assert not two.release(DAMAGED, "again")
    assert one.sequencer.record(gifts(Scribe(one), 1)[0])


def test_a_hold_is_kept_in_the_folder_where_the_database_is_away(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = pair

    def away(*_: str) -> None:
        raise NotReadyError("the server is away")

    with monkeypatch.context() as patch:
        patch.setattr(one.store, "place_hold", away)
        one.held.place(DAMAGED, "what is stored is not what was recorded")
    assert (one.folder / DAMAGED.file).exists()
    refused(one, "damaged")
    assert two.sequencer.record(gifts(Scribe(two), 1)[0])
    assert one.release(DAMAGED, "auditor-1")
    assert (one.folder / (LIFTED_PREFIX + DAMAGED.file)).exists()
    assert one.sequencer.record(gifts(Scribe(one), 1, "again")[0])


def test_a_database_that_was_restored_holds_whoever_opens_it(
    pair: Pair, tmp_path: Path, databases: Databases
) -> None:
    made, _ = make_backup(pair[0].folder, tmp_path / "backups", with_keys=True)
    empty = databases.server.url(databases.new())
    restore_backup(made, tmp_path / "restored", database=empty)
    other = another(pair[0].folder, tmp_path / "other", empty)
    refused(other, "restore_unconfirmed")
    assert other.confirm_restored("a person vouched for it")
    other.close()
    again = Book.open(tmp_path / "restored", database=empty)
    assert UNCONFIRMED not in dict(again.held.read())
    assert again.sequencer.record(gifts(Scribe(again), 1)[0])
    again.close()


def test_a_folder_with_another_vault_key_is_refused(pair: Pair, tmp_path: Path, url: str) -> None:
    shutil.copytree(pair[0].folder / "keys", tmp_path / "three" / "keys")
    (tmp_path / "three" / "keys" / VAULT_KEY).write_text("5a" * 32 + "\n")
    with pytest.raises(CorruptionError, match=r"put the log's vault\.key there") as caught:
        Book.open(tmp_path / "three", database=url)
    assert caught.value.code == "wrong_vault_key"


def test_a_service_tells_at_its_start_what_the_one_before_had_otherwise(pair: Pair) -> None:
    one, two = pair
    assert machines.compare(one, one.folder, "machine-1") == []
    assert machines.compare(two, two.folder, "machine-2") == []
    create_token(two.folder, "clerk-1", Role.CLERK)
    assert machines.compare(two, two.folder, "machine-2")
    (told,) = machines.compare(one, one.folder, "machine-1")
    assert told.startswith("tokens.json here (machine-1) is not what machine-2 had")
    shutil.copyfile(two.folder / TOKENS_FILE, one.folder / TOKENS_FILE)
    machines.compare(one, one.folder, "machine-1")
    assert machines.compare(two, two.folder, "machine-2") == []
    assert machines.compare(one, one.folder) == []
