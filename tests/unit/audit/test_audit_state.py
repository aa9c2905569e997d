"""What an audit keeps: it goes on after a kill, begins where the last one ended, is not fooled."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from scribe import Scribe, open_copy
from served import write_served
from tamper import Tamper

from ledger.audit.public import audit_public
from ledger.audit.replay import audit
from ledger.audit.report import Report
from ledger.audit.shadow import DIGEST, FILE, Shadow
from ledger.audit.source import FolderSource
from ledger.book import Book
from ledger.errors import ConflictError, CorruptionError, NotFoundError, RetryableError
from ledger.tlog.tiles import parse_bundle

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def book(long_template: Path, tmp_path: Path) -> Iterator[Book]:
    """A copy of the long log, for one test to go on with."""
    opened = open_copy(long_template, tmp_path / "copy")
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small chunks, each of them saved."""
    monkeypatch.setattr("ledger.audit.walk.SAVE_SECONDS", 0)
    monkeypatch.setattr("ledger.audit.replay.PROGRESS_ENTRIES", 64)
    monkeypatch.setattr("ledger.audit.public.CHUNK_ENTRIES", 256)


def audit_of(book: Book, over: str, tmp_path: Path, **more: Any) -> Report:
    """The audit of a database, or of its files."""
    more.setdefault("state", tmp_path / f"state-{over}")
    if over == "database":
        return audit(book.store, vault=book.vault, keys=book.verifier_keys, **more)
    folder = write_served(book, tmp_path / "served")
    return audit_public(FolderSource(folder), keys=book.verifier_keys, **more)


def outcome(report: Report) -> dict[str, Any]:
    """What two audits of one log must agree on."""
    value = report.as_json()
    names = ("origin", "size", "root", "checkpoint", "findings", "kinds", "sums", "second_opinion")
    return {name: value.get(name) for name in names}


OVERS = ["database", "public"]


@pytest.mark.parametrize("over", OVERS)
def test_the_next_audit_reads_only_what_is_new(book: Book, tmp_path: Path, over: str) -> None:
    first = audit_of(book, over, tmp_path)
    assert first.clean, first.findings
    assert first.relies_on is None
    scribe = Scribe(book)
    scribe.submit(scribe.gift(number) for number in range(1, 31))
    paid = scribe.tell(
        "aid.paid",
        {"fund": "general", "purpose": "medical-aid", "amount_fen": 10, "payee_class": "patient"},
    )
    scribe.tell("entry.reversed", {"entry": paid, "reason": "重复"})
    scribe.tell("donation.refunded", {"gift": 100, "reason": "退款"})
    second = audit_of(book, over, tmp_path)
    assert second.clean, second.findings
    assert second.relies_on is not None
    assert (second.relies_on["size"], second.relies_on["root"]) == (300, first.root)
    assert second.relies_on["checkpoint"] == first.checkpoint
    assert second.speed.entries == second.checked["entries"] == 33
    assert any("first 300 entries" in one for one in second.not_checked)
    whole = audit_of(book, over, tmp_path, full=True)
    assert whole.speed.entries == 333
    assert whole.relies_on is None
    assert outcome(second) == outcome(whole)
    third = audit_of(book, over, tmp_path)
    assert third.clean, third.findings
    assert third.speed.entries == 0


@pytest.mark.parametrize("over", OVERS)
def test_an_audit_that_stops_goes_on(book: Book, tmp_path: Path, over: str) -> None:
    expected = audit_of(book, over, tmp_path, state=None)
    dice = random.Random(7)

    def fall(done: int, size: int) -> None:
        if done < size and dice.random() < 0.6:
            raise KeyboardInterrupt

    stops = 0
    for _ in range(40):
        try:
            report = audit_of(book, over, tmp_path, progress=fall)
        except KeyboardInterrupt:
            stops += 1
            continue
        break
    assert stops
    assert outcome(report) == outcome(expected)
    assert report.checked == expected.checked


KILLED = """
import os, signal, sys
from pathlib import Path
import ledger.audit.replay as replay
import ledger.audit.walk as walk
from ledger.book import Book
replay.PROGRESS_ENTRIES, walk.SAVE_SECONDS = 64, 0
store, vault = Book.parts(Path(sys.argv[1]))
def die(done, size):
    if done >= int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
replay.audit(store, vault=vault, state=Path(sys.argv[2]), progress=die)
"""


def test_a_killed_audit_goes_on(book: Book, tmp_path: Path) -> None:
    expected = audit_of(book, "database", tmp_path, state=None)
    state = tmp_path / "state-database"
    for done in (64, 192):
        command = [sys.executable, "-c", KILLED, str(book.folder), str(state), str(done)]
        ended = subprocess.run(command, cwd=ROOT, check=False, timeout=120)
        assert ended.returncode == -signal.SIGKILL
        assert not (state / DIGEST).exists()
    report = audit_of(book, "database", tmp_path)
    assert report.speed.entries == 300 - 192
    assert outcome(report) == outcome(expected)


def test_a_killed_audit_whose_state_was_changed_is_refused(book: Book, tmp_path: Path) -> None:
    state = tmp_path / "state-database"
    command = [sys.executable, "-c", KILLED, str(book.folder), str(state), "128"]
    subprocess.run(command, cwd=ROOT, check=False, timeout=120)
    change_row(state)
    refused(book, tmp_path, "state_altered")


def change_row(state: Path) -> None:
    """One fen more in a fund, as anybody can write it."""
    with closing(sqlite3.connect(state / FILE)) as raw:
        raw.execute("UPDATE holding SET length = length + 1 WHERE account = 1")
        raw.commit()


def refused(book: Book, tmp_path: Path, code: str, over: str = "database") -> None:
    """The state is refused with a code, and --full begins anew where it can."""
    with pytest.raises((CorruptionError, ConflictError)) as caught:
        audit_of(book, over, tmp_path)
    assert caught.value.code == code


@pytest.mark.parametrize("over", OVERS)
def test_an_altered_state_is_refused(book: Book, tmp_path: Path, over: str) -> None:
    audit_of(book, over, tmp_path)
    state = tmp_path / f"state-{over}"
    whole = (state / FILE).read_bytes()
    dice = random.Random(7)
    for _ in range(5):
        changed = bytearray(whole)
        changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
        (state / FILE).write_bytes(changed)
        refused(book, tmp_path, "state_altered", over)
    (state / FILE).write_bytes(whole)
    change_row(state)
    refused(book, tmp_path, "state_altered", over)
    (state / DIGEST).unlink()
    refused(book, tmp_path, "state_altered", over)


def test_a_state_of_another_log_or_program_is_refused(
    book: Book, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    audit_of(book, "database", tmp_path)
    state = tmp_path / "state-database"
    with pytest.raises(ConflictError) as caught:
        audit_of(book, "public", tmp_path, state=state)
    assert caught.value.code == "state_of_another_program"
    other = Book.create(tmp_path / "other", origin="shanji.example/other", organisation="示例")
    with closing(other), pytest.raises(ConflictError) as caught:
        audit_of(other, "database", tmp_path, state=state)
    assert caught.value.code == "state_of_another_log"
    monkeypatch.setattr("ledger.audit.standing.program", lambda: "another")
    refused(book, tmp_path, "state_of_another_program")
    assert audit_of(book, "database", tmp_path, full=True).clean


def test_a_state_in_use_is_refused(book: Book, tmp_path: Path) -> None:
    with closing(Shadow.open(tmp_path / "state-database")):
        refused(book, tmp_path, "state_in_use")


@pytest.mark.parametrize("over", OVERS)
def test_a_log_put_back_is_found(
    book: Book, long_template: Path, tmp_path: Path, over: str
) -> None:
    scribe = Scribe(book)
    scribe.submit([scribe.gift(1), scribe.gift(2)])
    ahead = audit_of(book, over, tmp_path)
    assert ahead.clean
    older = open_copy(long_template, tmp_path / "older")
    with closing(older):
        report = audit_of(older, over, tmp_path)
        assert [one.code for one in report.findings] == ["history"]
        assert "was cut off" in report.findings[0].message
        assert list(report.findings[0].evidence) == [ahead.checkpoint]


@pytest.mark.parametrize("over", OVERS)
def test_a_fork_is_found(book: Book, long_template: Path, tmp_path: Path, over: str) -> None:
    scribe = Scribe(book)
    scribe.submit([scribe.gift(1), scribe.gift(2)])
    ahead = audit_of(book, over, tmp_path)
    fork = open_copy(long_template, tmp_path / "fork")
    with closing(fork):
        other = Scribe(fork)
        other.submit([other.gift(3), other.gift(4), other.gift(5)])
        report = audit_of(fork, over, tmp_path)
    assert [one.code for one in report.findings] == ["history"]
    assert "do not lead from the 302 entries" in report.findings[0].message
    assert list(report.findings[0].evidence) == [ahead.checkpoint]


def test_what_was_kept_from_before_is_proved_too(book: Book, tmp_path: Path) -> None:
    with book.store.read() as reader:
        notes = [note for _, note in reader.checkpoints(0, 1000)]
    audit_of(book, "database", tmp_path)
    scribe = Scribe(book)
    scribe.submit([scribe.gift(1)])
    report = audit_of(book, "database", tmp_path, known=[*notes, book.checkpoint()])
    assert report.clean, report.findings
    assert report.checked["known"] == len(notes) + 1


def test_a_state_with_findings_is_no_base(book: Book, tmp_path: Path) -> None:
    tamper = Tamper(book.folder)
    rows = tamper.rows("flow")
    tamper.delete("flow", tamper.key("flow", rows[5]))
    assert not audit_of(book, "database", tmp_path).clean
    again = audit_of(book, "database", tmp_path)
    assert not again.clean
    assert again.speed.entries == 300
    tamper.replace("flow", rows)
    tamper.close()
    assert audit_of(book, "database", tmp_path).clean


def test_new_rows_are_compared_when_only_they_are_read(book: Book, tmp_path: Path) -> None:
    assert audit_of(book, "database", tmp_path).clean
    scribe = Scribe(book)
    scribe.submit(scribe.gift(number) for number in range(1, 10))
    with closing(Tamper(book.folder)) as tamper:
        for table, place in (("flow", -1), ("idempotency", -1), ("vault", -1), ("edge", 0)):
            rows = tamper.rows(table)
            row = max(rows, key=lambda one: one[place] if place else one[0])
            tamper.delete(table, tamper.key(table, row))
            report = audit_of(book, "database", tmp_path, state=None)
            assert not report.clean
            tamper.replace(table, rows)
        rows = tamper.rows("account")
        tamper.change("account", rows[1][:1], "received", rows[1][3] + 1)
        report = audit_of(book, "database", tmp_path)
    assert [(one.code, one.place) for one in report.findings] == [("state", "account 1")]


def test_a_row_that_changed_before_the_kill_is_compared_too(book: Book, tmp_path: Path) -> None:
    """An audit of new entries was killed after it had passed the one that changed an account."""
    assert audit_of(book, "database", tmp_path).clean
    scribe = Scribe(book)
    scribe.tell("donation.money", {"fund": "school", "channel": "cash", "amount_fen": 5})
    scribe.submit(scribe.gift(number) for number in range(1, 100))

    def fall(done: int, size: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        audit_of(book, "database", tmp_path, progress=fall)
    with closing(Tamper(book.folder)) as tamper:
        account = next(row for row in tamper.rows("account") if row[2] == "fund:school")
        tamper.change("account", account[:1], "received", account[3] + 1)
    report = audit_of(book, "database", tmp_path)
    assert report.relies_on is not None
    assert [one.place for one in report.findings] == [f"account {account[0]}"]


def test_a_source_that_goes_away_leaves_a_state(book: Book, tmp_path: Path) -> None:
    """What was read is kept, and need not be read again."""

    class Failing(FolderSource):
        """Gives the first bundle, once only."""

        def bundle(self, number: int, width: int) -> bytes:
            if number and failing:
                raise RetryableError("the server is away")
            return super().bundle(number, width)

    source = Failing(write_served(book, tmp_path / "served"))
    failing, state = True, tmp_path / "state"
    with pytest.raises(RetryableError):
        audit_public(source, state=state)
    failing = False
    report = audit_public(source, state=state)
    assert report.clean, report.findings
    assert report.speed.entries == 44


def test_an_entry_that_is_served_otherwise_later_is_found(book: Book, tmp_path: Path) -> None:
    """A refund looks at its gift again; the state knows the gift's leaf hash."""
    source = FolderSource(write_served(book, tmp_path / "served"))
    audit_public(source, state=tmp_path / "state")
    scribe = Scribe(book)
    scribe.tell("donation.refunded", {"gift": 100, "reason": "退款"})
    folder = write_served(book, tmp_path / "served")
    bundle = folder / "tile/entries/000"
    data = bundle.read_bytes()
    gift = parse_bundle(data, 256)[100]
    amount = b'"amount_fen":%d' % book.entry(100)[1].fields["amount_fen"]
    assert amount in gift
    bundle.write_bytes(data.replace(gift, gift.replace(amount, amount[:-1] + b"9")))
    report = audit_public(source, state=tmp_path / "state")
    assert not report.clean
    assert "entry 100 is another one now" in report.findings[0].message


def test_no_state_where_there_is_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "served").mkdir()
    with pytest.raises(NotFoundError):
        audit_public(FolderSource(tmp_path / "served"), state=tmp_path / "state")
