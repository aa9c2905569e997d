"""The feed: away and back, catching up, silence, and a witness that knows better."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from scribe import Scribe, audited, make_book
from witness_desk import WAIT_SECONDS_MAX as SECONDS_MAX
from witness_desk import Desk, desks, eventually

from ledger import feed as feed_module
from ledger.audit.replay import audit
from ledger.audit.witness.judge import Verdict
from ledger.book import Book
from ledger.errors import MalformedError, NotReadyError, PendingError
from ledger.feed import Feed, check_policy
from ledger.holds import HALTED
from ledger.tlog.note import NoteSignature, format_signature, parse_signatures, split_note
from ledger.tlog.policy import Group, LogKey, Policy
from ledger.tlog.policy import Witness as PolicyWitness
from ledger.tlog.submission import parse_submission
from ledger.tlog.witnessed import open_witnessed
from ledger.trace import trace_proof
from ledger.verify import verify_receipt, verify_trace
from ledger.witnessing import Witnessing


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits long in a test."""
    for name in ("POLL_SECONDS", "POLL_SECONDS_REQUIRED", "BACKOFF_SECONDS_MIN"):
        monkeypatch.setattr(feed_module, name, 0.02)
    monkeypatch.setattr(feed_module, "BACKOFF_SECONDS_MAX", 0.1)
    # But a witness that answers has all the time of a busy machine.
    monkeypatch.setattr(feed_module, "REQUEST_SECONDS_MAX", SECONDS_MAX)


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    made = make_book(tmp_path / "book")
    yield made
    made.close()


@pytest.fixture
def asked(tmp_path: Path, book: Book) -> Iterator[list[Desk]]:
    with desks(tmp_path, 3, *book.verifier_keys) as made:
        yield made


def policy_of(book: Book, asked: list[Desk], threshold: int) -> Policy:
    witnesses = tuple(one.as_witness(f"W{n}") for n, one in enumerate(asked))
    group = Group("g", threshold, tuple(one.name for one in witnesses))
    return Policy(tuple(LogKey(key) for key in book.verifier_keys), witnesses, (group,), "g")


def feed_of(book: Book, asked: list[Desk], threshold: int = 2, require: int = 0) -> Feed:
    book.witnessing = Witnessing(policy_of(book, asked, threshold), require)
    return Feed(book)


def fund(book: Book, code: str) -> int:
    fields = {"code": code, "name": code, "fund_class": "unrestricted"}
    return Scribe(book).tell("fund.opened", fields, key=f"open-{code}")


def sizes(feed: Feed) -> list[int | None]:
    return [one.last_size for one in feed.standings()]


def test_it_feeds_and_then_is_silent(book: Book, asked: list[Desk]) -> None:
    feed = feed_of(book, asked)
    feed.start(SECONDS_MAX)
    try:
        eventually(lambda: sizes(feed) == [1, 1, 1])
        fund(book, "a")
        eventually(lambda: sizes(feed) == [2, 2, 2])
        counts = [len(one.answers) for one in asked]
        time.sleep(0.3)
        assert [len(one.answers) for one in asked] == counts == [2, 2, 2]
        note = book.checkpoint()
        opened = open_witnessed(note, book.witnessing.policy, now=int(time.time()))
        assert (len(opened.cosigned), opened.quorum_met, opened.checkpoint.size) == (3, True, 2)
        assert all(abs(one.timestamp - time.time()) < 60 for one in opened.cosigned)
    finally:
        feed.close()
    report = audited(book)
    assert report.checked["cosignature"] == 6
    assert [one["last_size"] for one in report.witnesses] == [2, 2, 2]
    assert not any("trusted" in one for one in report.witnesses)
    trusting = policy_of(book, asked[:2], 1)
    report = audit(book.store, vault=book.vault, policy=trusting)
    assert sorted(bool(one["trusted"]) for one in report.witnesses) == [False, True, True]


def test_a_witness_that_is_away_catches_up_with_the_newest(book: Book, asked: list[Desk]) -> None:
    asked[1].away = True
    feed = feed_of(book, asked)
    feed.start(SECONDS_MAX)
    try:
        for code in "abcdef":
            fund(book, code)
        eventually(lambda: sizes(feed)[::2] == [7, 7])
        assert sizes(feed)[1] is None
        # Whoever is asked twice more is asked about the newest by then, not about one before.
        before = asked[1].turned_away
        eventually(lambda: asked[1].turned_away >= before + 2)
        assert [one.trouble for one in feed.standings()] == [None, "away", None]
        asked[1].away = False
        eventually(lambda: sizes(feed)[1] == 7)
        # What is kept of it is there a moment before its thread has come back from it.
        eventually(lambda: [one.trouble for one in feed.standings()] == [None, None, None])
        assert asked[1].answers == [200]
    finally:
        feed.close()
    assert book.receipt(3)


def test_it_learns_from_a_conflict_where_it_was(book: Book, asked: list[Desk]) -> None:
    """Another process has fed the witness, and its cosignature was lost."""
    fund(book, "a")
    body = b"old 0\n\n" + book.checkpoint()
    assert asked[0].witness.add_checkpoint(body).status == 200
    fund(book, "b")
    feed = feed_of(book, asked)
    feed.start(SECONDS_MAX)
    feed.close()
    assert asked[0].answers == [409, 200]
    assert sizes(feed) == [3, 3, 3]


def test_a_restored_backup_is_noticed_before_anything_is_signed(
    book: Book, asked: list[Desk], tmp_path: Path
) -> None:
    fund(book, "a")
    book.close()
    shutil.copytree(book.folder, tmp_path / "backup")
    # A database on a server is copied when it is first asked for.
    assert Book.exists(tmp_path / "backup")
    later = Book.open(book.folder)
    feed = feed_of(later, asked)
    fund(later, "b")
    feed.start(SECONDS_MAX)
    feed.close()
    later.close()
    restored = Book.open(tmp_path / "backup")
    try:
        feed = feed_of(restored, asked)
        feed.start(SECONDS_MAX)
        assert [one.trouble for one in feed.standings()] == ["behind"] * 3
        with pytest.raises(NotReadyError, match="older copy") as got:
            restored.sequencer.ready()
        assert got.value.code == "halted"
        with pytest.raises(NotReadyError):
            fund(restored, "c")
        assert restored.head().size == 2
        assert restored.receipt(1)
        feed.close()
    finally:
        restored.close()
    # A command that asks no witness writes nothing there either, until a person has decided.
    again = Book.open(tmp_path / "backup")
    try:
        with pytest.raises(NotReadyError, match="once that is decided") as got:
            fund(again, "c")
        assert got.value.code == "halted"
        assert again.head().size == 2
    finally:
        again.close()
    decided = Book.open(tmp_path / "backup")
    assert decided.release(HALTED, "auditor-1: the newer database is lost")
    decided.close()
    decided = Book.open(tmp_path / "backup")
    try:
        fund(decided, "c")
        assert decided.head().size == 3
    finally:
        decided.close()


def test_a_process_that_is_at_work_hears_that_another_was_told_to_stop(book: Book) -> None:
    fund(book, "a")
    other = Book.open(book.folder)
    other.halt("w1.example: it saw more")
    other.halt("w2.example: so did it")
    other.close()
    with pytest.raises(NotReadyError, match=r"w1\.example") as got:
        fund(book, "b")
    assert got.value.code == "halted"
    assert book.head().size == 2
    # Two witnesses may say so: what was said first stays.
    assert "w2" not in dict(book.held.read())[HALTED]


def test_what_cannot_be_kept_still_stops_this_process(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    fund(book, "a")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        book.halt("w1.example: it saw more")
    assert not (book.folder / HALTED.file).exists()
    with pytest.raises(NotReadyError, match=r"w1\.example"):
        fund(book, "b")


def test_a_fork_is_noticed(book: Book, asked: list[Desk], tmp_path: Path) -> None:
    book.close()
    shutil.copytree(book.folder, tmp_path / "fork")
    one, other = Book.open(book.folder), Book.open(tmp_path / "fork")
    try:
        fund(one, "a")
        fund(other, "b")
        first = feed_of(one, asked)
        first.start(SECONDS_MAX)
        first.close()
        fund(other, "c")
        second = feed_of(other, asked)
        second.start(SECONDS_MAX)
        second.close()
        assert [one.trouble for one in second.standings()] == ["contradicted"] * 3
        with pytest.raises(NotReadyError, match="another history"):
            other.sequencer.ready()
        # The two signed checkpoints that the witness met are kept there, of two sizes.
        assert [met.size for met in asked[0].state.unproven()] == [3]
    finally:
        one.close()
        other.close()


@pytest.mark.parametrize(
    ("verdict", "trouble"),
    [
        (Verdict(404, b"unknown log\n"), "refused"),
        (Verdict(403, b""), "refused"),
        (Verdict(500, b"\x1b[31mred\n"), "refused"),
        (Verdict(302, b""), "refused"),
        (Verdict(409, b"5\n"), "refused"),
        (Verdict(409, b"05\n", "text/x.tlog.size"), "refused"),
        (Verdict(409, b"0\n", "text/x.tlog.size"), "refused"),
        (Verdict(409, b"", "text/x.tlog.size"), "refused"),
        (Verdict(200, b""), "bad_cosignature"),
        (Verdict(200, b"thank you\n"), "bad_cosignature"),
        (Verdict(200, b"x" * 70_000), "refused"),
    ],
)
def test_what_a_witness_may_answer_wrongly(
    book: Book, asked: list[Desk], verdict: Verdict, trouble: str
) -> None:
    asked[0].behave = lambda _: verdict
    feed = feed_of(book, asked[:1], 1)
    feed.start(SECONDS_MAX)
    (standing,) = feed.standings()
    feed.close()
    assert (standing.trouble, standing.last_size) == (trouble, None)
    assert standing.message is not None
    assert standing.message.isprintable()
    book.sequencer.ready()


def test_a_cosignature_of_something_else(book: Book, asked: list[Desk]) -> None:
    old = asked[0].witness.add_checkpoint(b"old 0\n\n" + book.checkpoint())
    fund(book, "a")
    asked[0].behave = lambda _: old
    asked[1].behave = asked[2].witness.add_checkpoint
    feed = feed_of(book, asked[:2])
    feed.start(SECONDS_MAX)
    troubles = [one.trouble for one in feed.standings()]
    feed.close()
    assert troubles == ["bad_cosignature"] * 2
    assert audited(book).checked.get("cosignature", 0) == 0


def test_a_cosignature_of_the_future(book: Book, asked: list[Desk]) -> None:
    asked[0].signer._clock = lambda: int(time.time()) + 3_600
    feed = feed_of(book, asked[:1], 1)
    feed.start(SECONDS_MAX)
    (standing,) = feed.standings()
    feed.close()
    assert standing.trouble == "bad_cosignature"
    assert "set the clocks" in str(standing.message)


def test_a_receipt_is_pending_then_verified(book: Book, asked: list[Desk]) -> None:
    asked[1].away = asked[2].away = True
    feed = feed_of(book, asked)
    feed.start(SECONDS_MAX)
    policy, now = book.witnessing.policy, int(time.time())
    try:
        index = fund(book, "a")
        eventually(lambda: sizes(feed)[0] == 2)
        first, settled = book.receipt_and_standing(index)
        assert not settled
        with pytest.raises(PendingError) as got:
            verify_receipt(first, policy, now=now)
        so_far: Any = got.value.result
        assert so_far.entry.index == index
        assert verify_receipt(first, book.verifier_keys).checkpoint.size == 2
        fund(book, "b")
        # Whoever is asked twice more is asked about the newest by then, not about the one before.
        before = asked[1].turned_away
        eventually(lambda: sizes(feed)[0] == 3 and asked[1].turned_away >= before + 2)
        asked[1].away = False
        eventually(lambda: sizes(feed)[:2] == [3, 3])
        second, settled = book.receipt_and_standing(index)
        assert settled
        found = verify_receipt(second, policy, now=now)
        assert found.witnessed is not None
        assert (found.checkpoint.size, len(found.witnessed.cosigned)) == (3, 2)
        # The third comes late, and more entries: the receipt stays as it is.
        asked[2].away = False
        eventually(lambda: sizes(feed) == [3, 3, 3])
        fund(book, "c")
        eventually(lambda: sizes(feed) == [4, 4, 4])
        assert book.receipt_and_standing(index) == (second, True)
        with book.store.read() as reader:
            proof = trace_proof(reader, index, "forward")
        assert verify_trace(proof, policy).witnessed is not None
        with pytest.raises(PendingError):
            verify_trace(proof.replace(lone_line(proof, asked[1]), b""), policy_of(book, asked, 3))
    finally:
        feed.close()


def test_a_late_cosignature_changes_no_receipt(book: Book, asked: list[Desk]) -> None:
    """A slow process stores one for a size below one that is settled already."""
    witnessing = Witnessing(policy_of(book, asked, 2))
    book.witnessing = witnessing
    notes = {1: book.checkpoint()}
    fund(book, "a")
    notes[2] = book.checkpoint()

    def lines(size: int, *numbers: int) -> list[tuple[str, bytes]]:
        text = split_note(notes[size])[0]
        made = []
        for number in numbers:
            desk = asked[number]
            signer = desk.signer
            line = NoteSignature(signer.name, signer.key_id, signer.sign(text))
            made.append((desk.vkey, format_signature(line)))
        return made

    def keep(size: int, *numbers: int) -> int:
        with book.store.append() as store:
            written = witnessing.keep(store, size, lines(size, *numbers))
            if written:
                store.commit()
        return written

    assert keep(1, 0) == 1
    assert keep(2, 1) == 1
    assert not book.receipt_and_standing(0)[1]
    assert keep(2, 2) == 1
    settled = book.receipt_and_standing(0)
    assert settled[1]
    assert keep(1, 1) == 0
    assert keep(2, 0, 1) == 1
    assert keep(2, 0) == 0
    assert book.receipt_and_standing(0) == settled
    audited(book)


def test_required_witnesses_are_waited_for(book: Book, asked: list[Desk]) -> None:
    asked[1].away = asked[2].away = True
    feed = feed_of(book, asked, threshold=3, require=2)
    feed.start(SECONDS_MAX)
    try:
        index = fund(book, "a")
        future = feed.covered(index)
        with pytest.raises(TimeoutError):
            future.result(0.2)
        asked[1].away = False
        future.result(SECONDS_MAX)
        data, settled = book.receipt_and_standing(index)
        assert not settled
        found = open_witnessed(data.partition(b"\n\n")[2], book.witnessing.policy)
        assert len(found.cosigned) == 2
        asked[2].away = False
        eventually(lambda: book.receipt_and_standing(index)[1])
        feed.covered(index).result(SECONDS_MAX)
        waiting = feed.covered(index + 1)
        feed.close()
        with pytest.raises(NotReadyError, match="stopping"):
            waiting.result(SECONDS_MAX)
    finally:
        feed.close()


def test_a_policy_must_be_for_the_log(book: Book, asked: list[Desk]) -> None:
    good = policy_of(book, asked, 2)
    check_policy(good, book.origin, 3)
    check_policy(Policy(), book.origin, 0)
    cases: list[tuple[Policy, int, str]] = [
        (good, 4, "URL of 3"),
        (Policy(witnesses=(PolicyWitness("a", asked[0].key, "ftp://x"),)), 0, "http://"),
        (Policy(witnesses=(PolicyWitness("a", asked[0].key),)), 1, "URL of 0"),
    ]
    for policy, require, match in cases:
        with pytest.raises(MalformedError, match=match):
            check_policy(policy, book.origin, require)
    with pytest.raises(MalformedError, match="for the log other"):
        check_policy(good, "other", 0)
    with pytest.raises(MalformedError, match="0 to 3"):
        Witnessing(good, 4)


def test_the_feed_offers_only_what_the_log_signed(book: Book, asked: list[Desk]) -> None:
    seen: list[bytes] = []

    def listen(body: bytes) -> Verdict:
        seen.append(body)
        return asked[0].witness.add_checkpoint(body)

    asked[0].behave = listen
    feed = feed_of(book, asked[:1], 1)
    feed.start(SECONDS_MAX)
    for code in "abc":
        fund(book, code)
    eventually(lambda: sizes(feed) == [4])
    feed.close()
    asks = [parse_submission(body) for body in seen]
    assert asks[0].old_size == 0
    assert [one.old_size for one in asks[1:]] == [size_of(one.note) for one in asks[:-1]]
    for one in asks:
        assert len(parse_signatures(one.note.rpartition(b"\n\n")[2])) == 1


def lone_line(proof: bytes, desk: Desk) -> bytes:
    """The JSON text of a witness's line in a trace proof's checkpoint."""
    start = proof.index(f"— {desk.signer.name} ".encode())
    return proof[start : proof.index(b"\\n", start) + 2]


def size_of(note: bytes) -> int:
    return int(note.split(b"\n")[1])
