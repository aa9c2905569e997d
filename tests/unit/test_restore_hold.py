"""A restored log writes nothing until its witnesses were asked, or a person vouches for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from scribe import NOON, Scribe, StepClock, audited, make_book
from typer.testing import CliRunner, Result
from witness_desk import WAIT_SECONDS_MAX, Desk, desks, eventually

from ledger import cli
from ledger import feed as feed_module
from ledger.attention import attend
from ledger.backup.making import make_backup
from ledger.backup.restoring import restore_backup
from ledger.book import Book
from ledger.errors import NotReadyError
from ledger.feed import Feed
from ledger.holds import HALTED, LIFTED_PREFIX, UNCONFIRMED, read_hold, write_hold
from ledger.tlog.policy import Group, LogKey, Policy
from ledger.witnessing import Witnessing


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits long in a test."""
    for name in ("POLL_SECONDS", "POLL_SECONDS_REQUIRED", "BACKOFF_SECONDS_MIN"):
        monkeypatch.setattr(feed_module, name, 0.02)
    monkeypatch.setattr(feed_module, "BACKOFF_SECONDS_MAX", 0.1)
    # But a witness that answers has all the time of a busy machine.
    monkeypatch.setattr(feed_module, "REQUEST_SECONDS_MAX", WAIT_SECONDS_MAX)


@pytest.fixture
def living(tmp_path: Path) -> Iterator[Book]:
    book = make_book(tmp_path / "living")
    yield book
    book.close()


@pytest.fixture
def asked(tmp_path: Path, living: Book) -> Iterator[list[Desk]]:
    with desks(tmp_path, 2, *living.verifier_keys) as made:
        yield made


def fund(book: Book, code: str) -> int:
    fields = {"code": code, "name": code, "fund_class": "unrestricted"}
    return Scribe(book).tell("fund.opened", fields, key=f"open-{code}")


def restored(living: Book, place: Path) -> Book:
    """What a restore of the log as it stands gives, with nobody asked yet."""
    made, _ = make_backup(living.folder, place.parent / "backups", with_keys=True)
    restore_backup(made, place)
    return Book.open(place, clock=StepClock(NOON))


def feed_of(book: Book, asked: list[Desk]) -> Feed:
    witnesses = tuple(one.as_witness(f"W{n}") for n, one in enumerate(asked))
    group = Group("g", 1, tuple(one.name for one in witnesses))
    keys = tuple(LogKey(key) for key in book.verifier_keys)
    book.witnessing = Witnessing(Policy(keys, witnesses, (group,), "g"))
    return Feed(book)


def require_held(book: Book) -> None:
    size = book.head().size
    with pytest.raises(NotReadyError) as refused:
        fund(book, "held")
    assert refused.value.code == UNCONFIRMED.code
    assert "shanji resume" in refused.value.message
    assert book.head().size == size


def run(*words: object, code: int = 0) -> Result:
    result = CliRunner().invoke(cli.build(), [*map(str, words), "--lang", "en"])
    if code == 0 or result.exception is None or isinstance(result.exception, SystemExit):
        assert result.exit_code == code, (result.output, result.exception)
    return result


def test_two_who_hold_it_at_once_both_succeed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one writes down why, another does: what is there is the whole text of one."""
    sync, waiting = os.fsync, ["the second"]

    def meanwhile(handle: int) -> None:
        if waiting:
            write_hold(tmp_path, HALTED, waiting.pop())
        sync(handle)

    monkeypatch.setattr(os, "fsync", meanwhile)
    write_hold(tmp_path, HALTED, "the first, which says more")
    assert read_hold(tmp_path, HALTED) in ("the first, which says more", "the second")
    assert [one.name for one in tmp_path.iterdir()] == [HALTED.file]


def test_a_person_vouches_for_it(living: Book, tmp_path: Path) -> None:
    fund(living, "a")
    book = restored(living, tmp_path / "place")
    try:
        require_held(book)
        with book.store.read() as reader:
            (item, *_) = attend(reader, "2022-01-10", holds=book.holds()).items
        assert item.code == "restore_unconfirmed"
        assert "Ask whoever may hold" in run("resume", "--data", book.folder, code=3).stdout
        require_held(book)
        keys = sorted((book.folder / "keys").iterdir())
        people = ("--person", "registrar-1", "--approved-by", "approver-1")
        run("keys", "rotate", *people, "--data", book.folder, code=3)
        assert sorted((book.folder / "keys").iterdir()) == keys
        said = run("resume", "--data", book.folder, "--nothing-newer").stdout
        assert "It may be written" in said
        # The process that was refused goes on by itself.
        assert fund(book, "b") == 2
        audited(book)
        kept = (book.folder / (LIFTED_PREFIX + UNCONFIRMED.file)).read_text("utf-8")
        assert "a person vouched for it" in kept
        assert "is not held" in run("resume", "--data", book.folder).stdout
    finally:
        book.close()


def test_what_somebody_kept_is_compared_and_holds_it(living: Book, tmp_path: Path) -> None:
    fund(living, "a")
    book = restored(living, tmp_path / "place")
    try:
        fund(living, "b")
        newer = tmp_path / "newer.tlog-proof"
        newer.write_bytes(living.receipt(2))
        words = ("resume", "--data", book.folder, "--known", newer, "--nothing-newer")
        error = run(*words, code=3).exception
        assert isinstance(error, NotReadyError)
        assert error.code == "behind_known_checkpoint"
        # Once heard of, it holds the log for ever, and nobody can vouch for anything else.
        error = run("resume", "--data", book.folder, "--nothing-newer", code=3).exception
        assert isinstance(error, NotReadyError)
        assert error.code == "behind_known_checkpoint"
        with pytest.raises(NotReadyError) as refused:
            fund(book, "c")
        assert refused.value.code == "behind_known_checkpoint"
    finally:
        book.close()


def test_all_witnesses_must_have_agreed(living: Book, asked: list[Desk], tmp_path: Path) -> None:
    fund(living, "a")
    feed = feed_of(living, asked)
    feed.start(WAIT_SECONDS_MAX)
    feed.close()
    book = restored(living, tmp_path / "place")
    asked[1].away = True
    feed = feed_of(book, asked)
    try:
        feed.start(WAIT_SECONDS_MAX)
        require_held(book)
        asked[1].away = False
        eventually(lambda: not book.holds())
        assert fund(book, "b") == 2
        kept = (book.folder / (LIFTED_PREFIX + UNCONFIRMED.file)).read_text("utf-8")
        assert all(f"w{n}.example" in kept for n in range(2))
    finally:
        feed.close()
        book.close()


def test_a_witness_that_has_seen_more_halts_it(
    living: Book, asked: list[Desk], tmp_path: Path
) -> None:
    fund(living, "a")
    book = restored(living, tmp_path / "place")
    fund(living, "b")
    feed = feed_of(living, asked)
    feed.start(WAIT_SECONDS_MAX)
    feed.close()
    feed = feed_of(book, asked)
    try:
        feed.start(WAIT_SECONDS_MAX)
        with pytest.raises(NotReadyError) as refused:
            fund(book, "c")
        assert refused.value.code == "halted"
        assert [hold.code for hold, _ in book.holds()] == ["halted", UNCONFIRMED.code]
        assert book.head().size == 2
    finally:
        feed.close()
        book.close()
