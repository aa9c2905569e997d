"""The mirror: whole, verified, resumable; nothing wrong gets a final name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from dishonest import KEYS, SIGNER, Answer, LogReads, PaperLog, files_of, operating, paper_log

from ledger.audit.evidence import judge
from ledger.audit.folder import MirrorFolder
from ledger.audit.mirror import Mirror, Update
from ledger.audit.source import FolderSource, PathSource
from ledger.audit.source_url import UrlSource
from ledger.errors import (
    CorruptionError,
    EvidenceError,
    LedgerError,
    NotReadyError,
    UndecidedError,
    UnknownSignerError,
    VerificationError,
)
from ledger.tlog.checkpoint import sign_checkpoint
from ledger.tlog.cosignature import CosignatureSigner
from ledger.tlog.note import Ed25519Signer
from ledger.tlog.policy import LogKey, Policy, Witness
from ledger.tlog.tiles import ENTRIES, format_bundle, format_tile_path, parse_bundle
from ledger.verify import Trust

SIZES = (0, 1, 255, 256, 257, 511, 65_535, 65_536, 65_537, 70_000)

COSIGNER = CosignatureSigner(
    "witness.example", Ed25519PrivateKey.from_private_bytes(bytes(range(2, 34))), lambda: 1
)


def update(log: PaperLog | LogReads, folder: Path, *, trust: Trust = KEYS, **more: Any) -> Update:
    """One run of the command, on its own."""
    reads = log if isinstance(log, LogReads) else LogReads(log)
    place = MirrorFolder(folder)
    try:
        return Mirror(PathSource("log", reads), place, trust, **more).update()
    finally:
        place.close()


def whole(log: PaperLog, *sizes: int) -> dict[str, bytes]:
    """What a mirror of a log must hold."""
    kept = {f"checkpoints/{size}": log.checkpoint(size) for size in (*sizes, log.size)}
    return dict(sorted({**log.files(), **kept}.items()))


@pytest.mark.parametrize("size", SIZES)
def test_a_copy_has_every_file_and_no_other(size: int, tmp_path: Path) -> None:
    log = paper_log(size)
    done = update(log, tmp_path / "m")
    assert (done.state, done.size, done.root) == ("copied", size, log.root())
    assert files_of(tmp_path / "m") == whole(log)
    again = update(log, tmp_path / "m")
    assert again.state == "current"
    assert files_of(tmp_path / "m") == whole(log)


def test_growing_step_by_step_gives_the_same_and_drops_old_partials(tmp_path: Path) -> None:
    log = PaperLog(0)
    for size in (0, 1, 255, 256, 257, 511, 512, 1000):
        log.grow(size - log.size)
        assert update(log, tmp_path / "m").state == "copied"
    files = files_of(tmp_path / "m")
    expected = whole(log, 0, 1, 255, 256, 257, 511, 512)
    # The level-1 tile is still partial, and each of its widths belongs to a checkpoint.
    for size in (256, 512):
        expected[format_tile_path(1, 0, size >> 8)] = log.tile(1, 0, size >> 8)
    assert files == dict(sorted(expected.items()))
    assert "tile/0/000.p/1" not in files


def test_only_what_is_new_is_asked_for(tmp_path: Path) -> None:
    log = PaperLog(1000)
    update(log, tmp_path / "m")
    log.grow(300)
    reads = LogReads(log)
    update(reads, tmp_path / "m")
    assert not {"tile/0/000", "tile/0/002", "tile/entries/002"} & set(reads.asked)
    assert {"tile/0/003", "tile/entries/003", "tile/entries/004"} <= set(reads.asked)


def test_two_mirrors_do_not_share_a_folder(tmp_path: Path) -> None:
    first = MirrorFolder(tmp_path / "m")
    with pytest.raises(NotReadyError, match="another process"):
        MirrorFolder(tmp_path / "m")
    first.close()
    MirrorFolder(tmp_path / "m").close()


def test_a_mirror_of_a_mirror_is_the_same(tmp_path: Path) -> None:
    log = paper_log(700)
    update(log, tmp_path / "a")
    place = MirrorFolder(tmp_path / "b")
    Mirror(FolderSource(tmp_path / "a"), place, KEYS).update()
    place.close()
    assert files_of(tmp_path / "b") == files_of(tmp_path / "a")


def caught(reads: LogReads, folder: Path, code: str) -> EvidenceError:
    """An update must fail with evidence that holds by itself, and change nothing."""
    before = files_of(folder) if folder.exists() else {}
    with pytest.raises(EvidenceError) as failure:
        update(reads, folder)
    error = failure.value
    assert error.code == code
    after = files_of(folder)
    for path, data in after.items():
        if path.startswith("tile/"):
            assert data == paper_log(70_000).read(path) or data == before.get(path)
    assert after.get("checkpoint") == before.get("checkpoint")
    assert {path for path in before if path not in after} == set()
    names = ("b.consistency", "b.served", "b.checkpoint")
    other = next(name for name in names if name in error.files)
    judgement = judge(error.files["a.checkpoint"], error.files[other], KEYS)
    assert judgement.verdict == code
    (place,) = (folder / "evidence").iterdir()
    for name, data in error.files.items():
        assert (place / name).read_bytes() == data
    readme = (place / "README").read_text()
    assert f"shanji evidence a.checkpoint {other}" in readme
    return error


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/000",
        "tile/0/003.p/232",
        "tile/1/000.p/3",
        "tile/entries/001",
        "tile/entries/003.p/232",
    ],
)
def test_a_changed_byte_is_never_kept(path: str, tmp_path: Path) -> None:
    reads = LogReads(paper_log(1000))
    data = reads.log.read(path)
    assert data is not None
    reads.change[path] = data[:40] + bytes([data[40] ^ 1]) + data[41:]
    caught(reads, tmp_path / "m", "served_wrong")
    # Served rightly again, the copy goes on from there.
    reads.change.clear()
    update(reads, tmp_path / "m")
    kept = files_of(tmp_path / "m").items()
    held = {path: data for path, data in kept if "evidence" not in path}
    assert held == whole(reads.log)


def test_an_entry_dropped_from_the_bundles_is_caught(tmp_path: Path) -> None:
    log = paper_log(600)
    entries = parse_bundle(log.bundle(1, 256), 256)
    for changed in (entries[:17] + entries[18:], [*entries[:17], entries[16], *entries[18:]]):
        reads = LogReads(log)
        reads.change[format_tile_path(ENTRIES, 1)] = format_bundle(changed)
        caught(reads, tmp_path / str(len(changed)), "served_wrong")


def test_what_is_not_served_is_said(tmp_path: Path) -> None:
    reads = LogReads(paper_log(600))
    reads.change["tile/entries/001"] = None
    with pytest.raises(UndecidedError) as failure:
        update(reads, tmp_path / "m")
    assert failure.value.code == "withheld"
    reads.change["tile/0/001"] = bytes(31)
    with pytest.raises(VerificationError) as wrong:
        update(reads, tmp_path / "n")
    assert wrong.value.code == "served_malformed"


@pytest.mark.parametrize(
    ("held", "fork", "size"), [(600, 300, 600), (600, 599, 900), (512, 3, 900)]
)
def test_a_fork_is_proved_from_two_files(held: int, fork: int, size: int, tmp_path: Path) -> None:
    update(paper_log(held), tmp_path / "m")
    error = caught(LogReads(PaperLog(size, fork)), tmp_path / "m", "two_histories")
    assert ("b.consistency" in error.files) == (size != held)


def test_a_shorter_fork_is_proved_with_the_own_copy(tmp_path: Path) -> None:
    update(paper_log(900), tmp_path / "m")
    error = caught(LogReads(PaperLog(700, 650)), tmp_path / "m", "two_histories")
    assert error.files["a.checkpoint"] == PaperLog(700, 650).checkpoint()


def test_going_back_is_said_and_changes_nothing(tmp_path: Path) -> None:
    update(paper_log(900), tmp_path / "m")
    done = update(PaperLog(700), tmp_path / "m")
    assert (done.state, done.size, done.source_size) == ("behind", 900, 700)
    assert update(paper_log(900), tmp_path / "m").state == "current"


def test_a_root_that_was_signed_wrongly_is_caught(tmp_path: Path) -> None:
    update(paper_log(600), tmp_path / "m")
    reads = LogReads(paper_log(900))
    reads.change["checkpoint"] = sign_checkpoint(SIGNER.name, 900, bytes(32), [SIGNER])
    caught(reads, tmp_path / "m", "served_wrong")
    # The operator signs the right root for the same size afterwards: two histories.
    reads.change.clear()
    with pytest.raises(EvidenceError) as failure:
        update(reads, tmp_path / "m")
    assert failure.value.code == "two_histories"
    assert set(failure.value.files) == {"a.checkpoint", "b.checkpoint"}
    # So it is when the log has grown meanwhile.
    with pytest.raises(EvidenceError) as failure:
        update(paper_log(1000), tmp_path / "m")
    judgement = judge(
        failure.value.files["a.checkpoint"], failure.value.files["b.consistency"], KEYS
    )
    assert (judgement.verdict, judgement.first.size) == ("two_histories", 900)


def test_an_unfinished_copy_remembers_what_was_signed(tmp_path: Path) -> None:
    reads = LogReads(paper_log(600))
    reads.change["tile/entries/002.p/88"] = None
    with pytest.raises(UndecidedError):
        update(reads, tmp_path / "m")
    assert not (tmp_path / "m" / "checkpoint").exists()
    caught(LogReads(PaperLog(900, 100)), tmp_path / "m", "two_histories")
    done = update(PaperLog(500), tmp_path / "m2")
    assert done.state == "copied"


def test_a_source_that_went_back_is_compared_when_that_is_possible(tmp_path: Path) -> None:
    update(paper_log(300), tmp_path / "m")
    reads = LogReads(paper_log(900))
    reads.change["tile/entries/002"] = None
    with pytest.raises(UndecidedError):
        update(reads, tmp_path / "m")
    # The right edge of 900 is in the folder, and shows that 600 is its beginning.
    done = update(PaperLog(600), tmp_path / "m")
    assert (done.state, done.size) == ("copied", 600)


def test_too_few_witnesses_are_waited_for(tmp_path: Path) -> None:
    key = COSIGNER.verifier_key
    policy = Policy((LogKey(KEYS[0]),), (Witness("w", key),), quorum="w")
    reads = LogReads(paper_log(900))
    assert update(reads, tmp_path / "m", trust=policy).state == "pending"
    assert not (tmp_path / "m" / "tile").exists()
    # What is pending is remembered; the source cannot go back behind it unseen.
    done = update(LogReads(paper_log(600)), tmp_path / "m", trust=policy)
    assert (done.state, done.size, done.source_size) == ("behind", -1, 600)
    caught(LogReads(PaperLog(900, 800)), tmp_path / "m", "two_histories")
    reads.change["checkpoint"] = paper_log(900).checkpoint(signers=[SIGNER, COSIGNER])
    done = update(reads, tmp_path / "m", trust=policy)
    assert (done.state, done.size) == ("copied", 900)
    # What was apart is settled by it.
    assert sorted(one.name for one in (tmp_path / "m" / "checkpoints").iterdir()) == ["600", "900"]
    assert not list((tmp_path / "m" / "unproved").iterdir())


def test_what_nobody_witnessed_is_copied_on_request(tmp_path: Path) -> None:
    policy = Policy((LogKey(KEYS[0]),), (Witness("w", COSIGNER.verifier_key),), quorum="w")
    done = update(paper_log(10), tmp_path / "m", trust=policy, accept_unwitnessed=True)
    assert (done.state, done.size) == ("copied", 10)


def test_another_key_or_a_stranger_is_refused(tmp_path: Path) -> None:
    stranger = Ed25519Signer(SIGNER.name, Ed25519PrivateKey.generate())
    reads = LogReads(paper_log(10))
    reads.change["checkpoint"] = paper_log(10).checkpoint(signers=[stranger])
    with pytest.raises(UnknownSignerError):
        update(reads, tmp_path / "m")
    note = paper_log(10).checkpoint()
    reads.change["checkpoint"] = note.replace(b"\n10\n", b"\n11\n")
    with pytest.raises(VerificationError):
        update(reads, tmp_path / "m")


def test_damage_on_the_own_disk_is_found_and_mended(tmp_path: Path) -> None:
    log = paper_log(1000)
    update(log, tmp_path / "m")
    for path in ("tile/0/000", "tile/entries/002", "tile/1/000.p/3", "tile/entries/003.p/232"):
        file = tmp_path / "m" / path
        file.write_bytes(file.read_bytes()[:-1] + b"\xff")
    with pytest.raises(CorruptionError, match="--recheck"):
        update(log, tmp_path / "m")
    assert update(log, tmp_path / "m", recheck=True).state == "copied"
    assert files_of(tmp_path / "m") == whole(log)


def test_cosignatures_are_only_added(tmp_path: Path) -> None:
    reads = LogReads(paper_log(10))
    update(reads, tmp_path / "m")
    both = paper_log(10).checkpoint(signers=[SIGNER, COSIGNER])
    reads.change["checkpoint"] = both
    assert update(reads, tmp_path / "m").state == "current"
    assert (tmp_path / "m" / "checkpoint").read_bytes() == both
    reads.change.clear()
    update(reads, tmp_path / "m")
    for name in ("checkpoint", "checkpoints/10"):
        assert (tmp_path / "m" / name).read_bytes() == both


@pytest.fixture(scope="module")
def served() -> Iterator[Any]:
    log = paper_log(70_000)

    def answer(path: str, headers: Mapping[str, str]) -> Answer:
        return log.answer(path, headers)

    with operating(answer) as operator:
        yield operator


def test_over_http_it_is_the_same(served: Any, tmp_path: Path) -> None:
    place = MirrorFolder(tmp_path / "m")
    seen: list[int] = []
    source = UrlSource(served.url)
    mirror = Mirror(source, place, KEYS, progress=lambda done, size: seen.append(done))
    assert mirror.update().state == "copied"
    source.close()
    place.close()
    assert seen == sorted(seen)
    assert seen[-1] == 70_000
    assert files_of(tmp_path / "m") == whole(paper_log(70_000))
    assert len(served.asked) == len(paper_log(70_000).files())


def test_no_error_of_the_library_is_unknown() -> None:
    assert issubclass(EvidenceError, LedgerError)
