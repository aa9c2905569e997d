"""The audit of public data, from a folder: what it finds, and that processes change nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from scribe import audited
from served import write_served

from ledger.audit.public import audit_public
from ledger.audit.report import Report
from ledger.audit.source import FolderSource
from ledger.book import Book
from ledger.entry import parse_entry
from ledger.errors import LedgerError, UndecidedError
from ledger.tlog.checkpoint import sign_checkpoint
from ledger.tlog.merkle import leaf_hash
from ledger.tlog.note import Ed25519Signer
from ledger.tlog.tiles import TileWriter, format_bundle, parse_bundle


@pytest.fixture(scope="module")
def served(long_book: Book, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The long log's files; a test that changes one puts it back."""
    return write_served(long_book, tmp_path_factory.mktemp("served"))


def audit_of(folder: Path, book: Book, **more: Any) -> Report:
    """The audit of a folder with the log's keys."""
    return audit_public(FolderSource(folder), keys=book.verifier_keys, **more)


def outcome(report: Report) -> dict[str, Any]:
    """A report without what differs from run to run."""
    value = report.as_json()
    for key in ("speed", "entries_per_second", "started_at", "finished_at"):
        del value[key]
    return value


def test_a_folder_gives_what_the_database_gives(served: Path, long_book: Book) -> None:
    report, whole = audit_of(served, long_book), audited(long_book)
    assert report.clean, report.findings
    assert (report.over, whole.over) == ("public", "database")
    for name in ("origin", "size", "root", "kinds", "sums", "second_opinion", "checkpoint"):
        assert getattr(report, name) == getattr(whole, name)
    assert report.checked["entries"] == report.checked["rules"] == 300
    # One full tile of level 0, the partial ones of levels 0 and 1.
    assert report.checked["tiles"] == 3
    assert len(report.not_checked) == 1


def test_sums_agree_with_what_is_held(served: Path, long_book: Book) -> None:
    sums = audit_of(served, long_book).sums
    with long_book.store.read() as reader:
        accounts = reader.accounts(-1, 1000)
    for code, row in sums["funds"].items():
        held = sum(
            end - first
            for one in accounts
            if one.name == f"fund:{code}"
            for first, end, _ in one.segments
        )
        assert row["held"] == held == row["opening"] + row["in"] - row["out"]
    points = sum(
        end - first for one in accounts if one.asset == "points" for first, end, _ in one.segments
    )
    assert sum(row["outstanding"] for row in sums["rules"].values()) == points
    assert {"rice", "milk"} <= sums["items"].keys()
    assert any(row["opening"] for row in sums["funds"].values())


def test_two_processes_give_the_same(
    served: Path, long_book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.audit.public.CHUNK_ENTRIES", 256)
    one, two = audit_of(served, long_book), audit_of(served, long_book, jobs=2)
    assert two.clean, two.findings
    assert outcome(one) == outcome(two)
    bundle = served / "tile/entries/000"
    before = bundle.read_bytes()
    try:
        bundle.write_bytes(before.replace(b'"general"', b'"genera1"', 1))
        one, two = audit_of(served, long_book), audit_of(served, long_book, jobs=2)
    finally:
        bundle.write_bytes(before)
    assert not one.clean
    assert outcome(one) == outcome(two)


@pytest.fixture
def reading_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads for the processes that read for themselves, each of them 100 entries at once."""
    monkeypatch.setattr("ledger.audit.public.CHUNK_ENTRIES", 100)
    monkeypatch.setattr("ledger.audit.public.processes", ThreadPoolExecutor)


def hashes_of(folder: Path, book: Book, jobs: int) -> dict[str, Any]:
    """What an audit of the hashes alone says."""
    return outcome(audit_of(folder, book, hashes_only=True, jobs=jobs))


def test_hashes_by_processes_that_read_for_themselves(served: Path, long_book: Book) -> None:
    one, two = hashes_of(served, long_book, 1), hashes_of(served, long_book, 2)
    assert one == two
    assert not two["findings"]


@pytest.mark.usefixtures("reading_threads")
@pytest.mark.parametrize("place", [0, 99, 100, 255, 256, 299])
def test_readers_of_their_own_find_the_same(served: Path, long_book: Book, place: int) -> None:
    name = "000" if place < 256 else "001.p/44"
    file = served / "tile/entries" / name
    before = file.read_bytes()
    entries = parse_bundle(before, 256 if place < 256 else 44)
    whole = entries[place % 256]
    for changed in (whole.replace(b'"previous":"', b'"previous":"f', 1), whole[:-1] + b" ", b""):
        entries[place % 256] = changed
        try:
            file.write_bytes(format_bundle(entries))
            one, two = hashes_of(served, long_book, 1), hashes_of(served, long_book, 2)
        finally:
            file.write_bytes(before)
        assert one == two
        assert "root_mismatch" in {found["code"] for found in two["findings"]}


@pytest.mark.usefixtures("reading_threads")
def test_what_readers_cannot_read_is_read_and_told_by_the_walk(
    served: Path, long_book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    clean = hashes_of(served, long_book, 1)
    monkeypatch.setattr("ledger.audit.spans.SPAN_BYTES_MAX", 1000)
    assert hashes_of(served, long_book, 2) == clean
    monkeypatch.undo()
    file = served / "tile/entries/001.p/44"
    before = file.read_bytes()
    file.write_bytes(before[:-1])
    try:
        one, two = hashes_of(served, long_book, 1), hashes_of(served, long_book, 2)
    finally:
        file.write_bytes(before)
    assert one == two
    assert [found["code"] for found in two["findings"]] == ["bundle"]


def files(folder: Path) -> list[str]:
    """The paths of a folder's files."""
    return sorted(str(one.relative_to(folder)) for one in folder.rglob("*") if one.is_file())


FILES = [
    "checkpoint",
    "tile/0/000",
    "tile/0/001.p/44",
    "tile/1/000.p/1",
    "tile/entries/000",
    "tile/entries/001.p/44",
]


def test_the_files_are_all_there_are(served: Path) -> None:
    assert files(served) == FILES


def fails(folder: Path, book: Book, **more: Any) -> bool:
    """Whether the audit finds something, or refuses the checkpoint."""
    try:
        return not audit_of(folder, book, **more).clean
    except LedgerError:
        return True


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("hashes_only", [False, True])
def test_any_changed_byte_is_found(
    served: Path, long_book: Book, name: str, hashes_only: bool
) -> None:
    file = served / name
    before = file.read_bytes()
    try:
        for place in (0, len(before) // 3, len(before) // 2, len(before) - 1):
            changed = bytearray(before)
            changed[place] ^= 1
            file.write_bytes(changed)
            assert fails(served, long_book, hashes_only=hashes_only), (name, place)
        for data in (before[:-1], before + b"\0", b""):
            file.write_bytes(data)
            assert fails(served, long_book, hashes_only=hashes_only), name
        file.unlink()
        assert fails(served, long_book, hashes_only=hashes_only)
    finally:
        file.write_bytes(before)


def test_hashes_only_leaves_the_rest_out(served: Path, long_book: Book) -> None:
    report = audit_of(served, long_book, hashes_only=True)
    assert report.clean
    assert report.root == long_book.head().root.hex()
    assert "rules" not in report.checked
    assert any("hashes only" in one for one in report.not_checked)


def forged(book: Book, folder: Path, index: int, old: bytes, new: bytes) -> Path:
    """Files of a log whose operator wrote one entry otherwise, and signed all of it."""
    with book.store.read() as reader:
        entries = reader.entries(0, 300)
    entries[index] = entries[index].replace(old, new)
    tree = TileWriter(0, [])
    tiles = tree.extend([leaf_hash(one) for one in entries])
    note = sign_checkpoint(book.origin, 300, tree.root(), book.keyring.signers)
    written = {
        "checkpoint": note,
        "tile/0/000": tiles[0][2],
        "tile/0/001.p/44": tree.edges[0],
        "tile/1/000.p/1": tree.edges[1],
        "tile/entries/000": format_bundle(entries[:256]),
        "tile/entries/001.p/44": format_bundle(entries[256:]),
    }
    for name, data in written.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


@pytest.mark.parametrize("hashes_only", [False, True])
def test_a_broken_chain_under_a_good_signature(
    long_book: Book, tmp_path: Path, hashes_only: bool
) -> None:
    index = 100
    previous = parse_entry(long_book.entry(index)[0]).previous.encode()
    folder = forged(long_book, tmp_path / "forged", index, previous, b"0" * 64)
    report = audit_of(folder, long_book, hashes_only=hashes_only)
    # The next entry does not name the changed one either.
    assert [one.index for one in report.findings if one.code == "chain"] == [100, 101]


def test_a_previous_inside_the_fields_is_not_the_entry_s(long_book: Book, tmp_path: Path) -> None:
    """The quick way over the chain reads no entry, and is not taken in."""
    data = long_book.entry(100)[0]
    named = b'"previous":"%s","recorded_at":"' % parse_entry(data).previous.encode()
    changed = data.replace(named, b'"previous":"' + b"0" * 64 + b'","recorded_at":"')
    changed = changed.replace(b'"fields":{', b'"fields":{"a":{' + named + b'x"},')
    folder = forged(long_book, tmp_path / "forged", 100, data, changed)
    found = audit_of(folder, long_book, hashes_only=True).findings
    assert [(one.code, one.index) for one in found] == [("chain", 100), ("chain", 101)]


def test_a_rule_broken_under_a_good_signature(long_book: Book, tmp_path: Path) -> None:
    amount = b'"amount_fen":%d' % long_book.entry(100)[1].fields["amount_fen"]
    folder = forged(long_book, tmp_path / "forged", 100, amount, amount + b"0")
    report = audit_of(folder, long_book)
    assert [one.code for one in report.findings if one.index == 100] == ["units"]


def test_another_key_s_checkpoint_is_refused(served: Path, long_book: Book) -> None:
    key = Ed25519Signer(long_book.origin, Ed25519PrivateKey.from_private_bytes(b"\7" * 32))
    with pytest.raises(UndecidedError):
        audit_public(FolderSource(served), keys=[key.verifier_key])


def test_a_fork_is_two_histories(served: Path, long_book: Book) -> None:
    note = sign_checkpoint(long_book.origin, 200, b"\7" * 32, long_book.keyring.signers)
    report = audit_of(served, long_book, known=[note, long_book.checkpoint()])
    assert [one.code for one in report.findings] == ["history"]
    assert report.checked["known"] == 2
