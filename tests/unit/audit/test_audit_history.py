"""A log that was cut, rewound or forked; what the auditor kept shows it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from scribe import NOON, Scribe, StepClock, open_copy
from tamper import Tamper
from typer.testing import CliRunner

from ledger.audit.replay import audit
from ledger.audit.report import Report
from ledger.book import Book
from ledger.cli import build
from ledger.tlog.checkpoint import sign_checkpoint
from ledger.tlog.merkle import EMPTY_ROOT
from ledger.tlog.note import Ed25519Signer, format_verifier_key
from ledger.tlog.tiles import TileReader
from ledger.verify import checkpoint_of


@pytest.fixture
def copy(long_template: Path, tmp_path: Path) -> Iterator[Book]:
    """A copy of the long log, for one test to change."""
    book = open_copy(long_template, tmp_path / "copy")
    yield book
    book.close()


@pytest.fixture
def forger(copy: Book) -> Iterator[Tamper]:
    """Changes `copy`."""
    made = Tamper(copy.folder)
    yield made
    made.close()


def audit_of(book: Book, *known: bytes) -> Report:
    """The audit with all keys, and what was kept."""
    return audit(book.store, vault=book.vault, keys=book.verifier_keys, known=known)


def codes(report: Report) -> set[str]:
    """The codes of all findings."""
    return {one.code for one in report.findings}


# Cuts


def cut_entries(forger: Tamper, size: int) -> None:
    """Everything that names an entry from this size on is gone."""
    for table, column in (
        ("entry", 0),
        ("vault", 0),
        ("flow", 0),
        ("idempotency", -1),
        ("order_number", -1),
    ):
        rows = forger.rows(table)
        forger.replace(table, [row for row in rows if row[column] < size])


@pytest.mark.parametrize("count", [1, 2, 40])
def test_a_cut_tail_is_found_by_the_head(copy: Book, forger: Tamper, count: int) -> None:
    cut_entries(forger, 300 - count)
    report = audit_of(copy)
    (finding,) = (one for one in report.findings if one.code == "size")
    assert (finding.place, finding.index) == ("head", 300 - count)
    assert report.size == 300 - count


@pytest.mark.parametrize("count", [1, 2, 40])
def test_a_cut_tail_with_its_head_and_checkpoints(copy: Book, forger: Tamper, count: int) -> None:
    size = 300 - count
    cut_entries(forger, size)
    kept = [row for row in forger.rows("checkpoint") if row[0] <= size]
    forger.replace("checkpoint", kept)
    newest_size, root, note = kept[-1]
    (_, _, leaf) = forger.rows("entry")[-1]
    (head,) = forger.rows("head")
    forger.replace("head", [(0, newest_size, root, leaf, head[4], note)])
    report = audit_of(copy)
    # One entry less is a batch less, and the time in the head is still the old one.
    assert codes(report) >= {"edge", "head", "state"}
    assert ("size" in codes(report)) == (count == 40)


def test_a_checkpoint_taken_out_is_missed(copy: Book, forger: Tamper) -> None:
    rows = forger.rows("checkpoint")
    forger.replace("checkpoint", rows[:3] + rows[4:])
    report = audit_of(copy)
    size = rows[3][0]
    assert [(one.code, one.place, one.index) for one in report.findings] == [
        ("checkpoint_missing", f"checkpoint {size}", size - 1)
    ]


# Back to an older state, whole


@pytest.fixture
def rewound(long_template: Path, tmp_path: Path) -> Iterator[tuple[Book, list[bytes]]]:
    """A log put back to what it was, and what left the server since: notes and receipts."""
    folder = tmp_path / "rewound"
    shutil.copytree(long_template, folder)
    book = Book.open(folder, clock=StepClock(NOON))
    scribe = Scribe(book)
    receipts = [scribe.submit([scribe.gift(number)])[0].receipt for number in (1, 2)]
    left = [*receipts, book.checkpoint()]
    book.close()
    shutil.rmtree(folder)
    book = open_copy(long_template, folder)
    yield book, left
    book.close()


def test_a_log_put_back_is_a_valid_older_log(rewound: tuple[Book, list[bytes]]) -> None:
    book, _ = rewound
    assert audit_of(book).clean


@pytest.mark.parametrize("number", [0, 1, 2])
def test_what_left_the_server_shows_that_it_was_put_back(
    rewound: tuple[Book, list[bytes]], number: int
) -> None:
    book, left = rewound
    report = audit_of(book, left[number])
    (finding,) = report.findings
    assert (finding.code, finding.place, finding.index) == ("history", "known 1", 300)
    size = 301 if number == 0 else 302
    assert f"had {size} entries when it was signed and has 300 now" in finding.message
    assert list(finding.evidence) == [
        checkpoint_of(left[number]).decode(),
        book.checkpoint().decode(),
    ]
    assert report.as_json()["findings"][0]["evidence"] == list(finding.evidence)


def test_a_log_that_goes_on_after_it_was_put_back_has_two_histories(
    rewound: tuple[Book, list[bytes]],
) -> None:
    book, left = rewound
    assert isinstance(book._clock, StepClock)
    book._clock.now += timedelta(hours=1)
    scribe = Scribe(book)
    scribe.submit([scribe.gift(7), scribe.gift(8)])
    scribe.submit([scribe.gift(9)])
    assert audit_of(book).clean
    report = audit_of(book, *left)
    assert [(one.code, one.place) for one in report.findings] == [
        ("history", "known 1"),
        ("history", "known 2"),
        ("history", "known 3"),
    ]
    assert all("two histories" in one.message for one in report.findings)
    assert report.findings[2].evidence == (left[2].decode(),)


# What was kept


def test_what_was_kept_and_holds_is_counted(copy: Book) -> None:
    with copy.store.read() as reader:
        notes = [note for _, note in reader.checkpoints(0, 1000)]
    empty = sign_checkpoint(copy.origin, 0, EMPTY_ROOT, copy.keyring.signers)
    with copy.store.read() as reader:
        root = TileReader(5, reader.tile).root()
    between = sign_checkpoint(copy.origin, 5, root, copy.keyring.signers)
    receipts = [copy.receipt(index) for index in (0, 100, 299)]
    report = audit_of(copy, *notes, empty, between, *receipts, notes[0])
    assert report.clean, report.findings
    assert report.checked["known"] == len(notes) + 6


def test_a_signed_root_that_the_log_never_had(copy: Book) -> None:
    for size in (0, 5, 300):
        note = sign_checkpoint(copy.origin, size, b"\7" * 32, copy.keyring.signers)
        (finding,) = audit_of(copy, note).findings
        assert finding.code == "history"
        assert f"its root at size {size} is {'07' * 32}" in finding.message
        assert finding.evidence == (note.decode(),)


def bad_files(book: Book) -> dict[str, bytes]:
    """Files that prove nothing about this log."""
    other = Ed25519Signer("other.example", Ed25519PrivateKey.from_private_bytes(b"\7" * 32))
    fake = Ed25519Signer(book.origin, Ed25519PrivateKey.from_private_bytes(b"\7" * 32))
    receipt = book.receipt(10)
    line = receipt.split(b"\n")[4]
    return {
        "nothing": b"",
        "text": b"no checkpoint\n",
        "another log's": sign_checkpoint("other.example", 300, b"\7" * 32, [other]),
        "another key's": sign_checkpoint(book.origin, 300, b"\7" * 32, [fake]),
        "a damaged receipt": receipt[:100],
        "a receipt whose proof fails": receipt.replace(line, b"A" * 43 + b"="),
    }


@pytest.mark.parametrize(
    "name",
    [
        "nothing",
        "text",
        "another log's",
        "another key's",
        "a damaged receipt",
        "a receipt whose proof fails",
    ],
)
def test_a_file_that_proves_nothing_is_told(copy: Book, name: str) -> None:
    files = bad_files(copy)
    report = audit_of(copy, copy.checkpoint(), files[name])
    (finding,) = report.findings
    assert (finding.code, finding.place) == ("history", "known 2")
    assert finding.message.startswith("it does not verify: ")
    assert len(files) == 6


# The command


def run(*arguments: str) -> Any:
    """Run ``shanji audit``."""
    return CliRunner().invoke(build(), ["audit", "--lang", "en", *arguments])


def test_the_command_says_that_all_agrees(copy: Book, tmp_path: Path) -> None:
    (tmp_path / "old.txt").write_bytes(copy.checkpoint())
    (tmp_path / "gift.tlog-proof").write_bytes(copy.receipt(20))
    result = run(
        "--data",
        str(copy.folder),
        "--key",
        format_verifier_key(copy.verifier_keys[0]),
        "--known",
        str(tmp_path / "old.txt"),
        "--known",
        str(tmp_path / "gift.tlog-proof"),
    )
    assert result.exit_code == 0, result.output
    assert "Verified: all 300 entries were rebuilt and agree" in result.stdout
    as_json = run("--data", str(copy.folder), "--json", "--known", str(tmp_path / "old.txt"))
    value = json.loads(as_json.stdout)
    assert value["clean"] is True
    assert value["checked"]["known"] == 1
    assert value["root"] == copy.head().root.hex()


def test_the_command_shows_the_evidence(rewound: tuple[Book, list[bytes]], tmp_path: Path) -> None:
    book, left = rewound
    (tmp_path / "kept").write_bytes(left[2])
    result = run("--data", str(book.folder), "--known", str(tmp_path / "kept"))
    assert result.exit_code == 1
    assert "history: known 1: the log had 302 entries" in result.stdout
    for note in (left[2], book.checkpoint()):
        assert note.decode() in result.stdout
    assert "Mismatch: 300 entries, 1 findings" in result.stdout
    value = json.loads(
        run("--data", str(book.folder), "--json", "--known", str(tmp_path / "kept")).stdout
    )
    assert value["findings"][0]["evidence"] == [left[2].decode(), book.checkpoint().decode()]


def test_the_command_tells_each_finding(copy: Book, forger: Tamper) -> None:
    cut_entries(forger, 299)
    result = run("--data", str(copy.folder))
    assert result.exit_code == 1
    assert "size: head: the head says 300 entries, 299 are stored" in result.stdout


def test_the_command_says_what_it_could_not_check(copy: Book) -> None:
    (copy.folder / "keys" / "vault.key").unlink()
    result = run("--data", str(copy.folder))
    assert result.exit_code == 0
    assert (
        "Not checked: vault, idempotency keys, order numbers, proposals (no vault key)"
        in result.stdout
    )


def test_the_command_needs_the_files_that_are_named(copy: Book, tmp_path: Path) -> None:
    missing = run("--data", str(copy.folder), "--known", str(tmp_path / "none"))
    assert missing.exit_code != 0
    assert "cannot be read" in str(missing.exception)
    assert run("--data", str(tmp_path / "none")).exit_code != 0
