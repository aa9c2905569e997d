"""The monitor: views that cannot all be true, views that stay behind, and what it remembers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from dishonest import KEYS, ORIGIN, SIGNER, LogReads, PaperLog, paper_log

from ledger.audit.evidence import judge
from ledger.audit.folder import DurableFolder
from ledger.audit.monitor import ALARMS_MAX, Monitor, Round, View
from ledger.audit.source import PathSource
from ledger.errors import CorruptionError, MalformedError, RetryableError
from ledger.tlog.checkpoint import sign_checkpoint
from ledger.tlog.cosignature import CosignatureSigner
from ledger.tlog.note import Ed25519Signer
from ledger.tlog.policy import LogKey, Policy, Witness
from ledger.verify import Trust

COSIGNER = CosignatureSigner(
    "witness.example", Ed25519PrivateKey.from_private_bytes(bytes(range(2, 34))), lambda: 1
)
POLICY = Policy((LogKey(KEYS[0]),), (Witness("w", COSIGNER.verifier_key),), quorum="w")


class Scene:
    """Views over logs in memory, a clock that is set, and one state folder."""

    def __init__(self, folder: Path, *, trust: Trust = KEYS, behind_seconds: int = 100) -> None:
        self.folder = folder
        self.now = 1000
        self.trust = trust
        self.behind_seconds = behind_seconds
        self.reads: dict[str, LogReads] = {}
        self.witnesses: dict[str, LogReads] = {}

    def view(self, name: str, log: PaperLog) -> LogReads:
        return self.reads.setdefault(name, LogReads(log))

    def look(self) -> Round:
        """One round of a monitor that has just been started, as from cron."""
        views = []
        for name, reads in self.reads.items():
            source = PathSource(name, reads)
            views.append(View(name, "log", source.checkpoint, source.close, source))
        for name, reads in self.witnesses.items():
            source = PathSource(name, reads)
            views.append(View(name, "witness", source.checkpoint, source.close))
        folder = DurableFolder(self.folder)
        try:
            return Monitor(
                views,
                folder,
                self.trust,
                behind_seconds=self.behind_seconds,
                clock=lambda: self.now,
            ).look()
        finally:
            folder.close()


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path / "state")


def kinds(seen: Round) -> list[tuple[str, str]]:
    return [(one.kind, one.view) for one in seen.alarms]


def evidence_of(seen: Round, number: int = 0) -> dict[str, bytes]:
    path = seen.alarms[number].path
    assert path is not None
    return {one.name: one.read_bytes() for one in path.iterdir()}


def test_a_log_that_only_grows_raises_nothing(scene: Scene) -> None:
    reads = scene.view("log", paper_log(300))
    scene.view("mirror", paper_log(300))
    seen = scene.look()
    assert (seen.origin, seen.size, seen.exit_code) == (ORIGIN, 300, 0)
    assert seen.views == {"log": 300, "mirror": 300}
    for size in (301, 600, 700, 70_000):
        reads.log = paper_log(size)
        scene.now += 10
        seen = scene.look()
        assert (seen.size, seen.root, kinds(seen)) == (size, paper_log(size).root(), [])


@pytest.mark.parametrize(("one", "other"), [(600, 600), (600, 900), (900, 600), (512, 900)])
def test_different_views_at_one_time_are_two_histories(scene: Scene, one: int, other: int) -> None:
    scene.view("a", PaperLog(one))
    scene.view("b", PaperLog(other, 400))
    seen = scene.look()
    assert [kind for kind, _ in kinds(seen)] == ["two_histories"]
    assert seen.exit_code == 1
    files = evidence_of(seen)
    second = files.get("b.consistency") or files["b.checkpoint"]
    assert judge(files["a.checkpoint"], second, KEYS).verdict == "two_histories"
    alarm = json.loads(files["alarm.json"])
    assert (alarm["format"], alarm["kind"]) == ("shanji-alarm/v1", "two_histories")
    assert "shanji evidence" in files["README"].decode()
    again = scene.look()
    assert [one.new for one in again.alarms] == [False]
    # The proof stands, even if every view is honest again.
    for reads in scene.reads.values():
        reads.log = PaperLog(1000, 400 if seen.root == PaperLog(other, 400).root() else None)
    later = scene.look()
    assert [(one.kind, one.new) for one in later.alarms] == [("two_histories", False)]
    assert later.exit_code == 1


def test_a_rewritten_log_is_caught_later(scene: Scene) -> None:
    reads = scene.view("log", paper_log(300))
    scene.look()
    reads.log = PaperLog(900, 200)
    assert kinds(scene.look()) == [("two_histories", "log")]


def test_a_log_restored_from_a_backup_is_caught_twice(scene: Scene) -> None:
    reads = scene.view("log", paper_log(700))
    scene.look()
    reads.log = PaperLog(600)
    seen = scene.look()
    assert kinds(seen) == [("shrunk", "log")]
    assert b"\n700\n" in evidence_of(seen)["a.checkpoint"]
    assert b"\n600\n" in evidence_of(seen)["b.checkpoint"]
    # It goes on from the backup with other entries.
    reads.log = PaperLog(800, 600)
    seen = scene.look()
    assert kinds(seen) == [("two_histories", "log")]


def test_a_view_that_stays_behind(scene: Scene) -> None:
    log, mirror = scene.view("log", paper_log(300)), scene.view("mirror", paper_log(300))
    scene.look()
    log.log = paper_log(600)
    assert kinds(scene.look()) == []
    scene.now += 99
    assert kinds(scene.look()) == []
    scene.now += 1
    seen = scene.look()
    assert kinds(seen) == [("behind", "mirror")]
    assert "size 300, others size 600" in seen.alarms[0].message
    scene.now += 1
    assert [one.new for one in scene.look().alarms] == [False]
    mirror.log = paper_log(600)
    assert kinds(scene.look()) == []


def test_a_view_that_lags_but_moves_is_not_behind(scene: Scene) -> None:
    log, mirror = scene.view("log", paper_log(300)), scene.view("mirror", paper_log(255))
    for size in (300, 600, 700, 900):
        mirror.log, log.log = log.log, paper_log(size)
        scene.now += 90
        assert kinds(scene.look()) == []


def test_a_witness_that_saw_more_than_the_log_shows(scene: Scene) -> None:
    scene.view("log", paper_log(300))
    scene.witnesses["witness"] = LogReads(paper_log(600))
    assert kinds(scene.look()) == []
    scene.now += 100
    assert kinds(scene.look()) == [("unproved", "witness"), ("behind", "log")]
    # A witness that stands still is behind by itself.
    scene.reads["log"].log = paper_log(900)
    assert kinds(scene.look()) == []
    scene.now += 100
    assert kinds(scene.look()) == [("behind", "witness")]


def test_a_witness_that_saw_another_history(scene: Scene) -> None:
    scene.view("log", paper_log(600))
    for size, number in ((600, "same"), (300, "shorter")):
        scene.witnesses = {number: LogReads(PaperLog(size, 200))}
        seen = scene.look()
        assert ("two_histories", number) in kinds(seen)


def test_what_no_witness_saw(scene: Scene) -> None:
    scene.trust = POLICY
    reads = scene.view("log", paper_log(600))
    assert kinds(scene.look()) == []
    scene.now += 100
    seen = scene.look()
    assert kinds(seen) == [("unwitnessed", "log")]
    assert "0 of 1 witnesses" in seen.alarms[0].message
    reads.change["checkpoint"] = paper_log(600).checkpoint(signers=[SIGNER, COSIGNER])
    assert kinds(scene.look()) == []


def test_a_view_that_cannot_be_read(scene: Scene) -> None:
    reads = scene.view("log", paper_log(600))
    scene.look()
    reads.failure = RetryableError("away")
    seen = scene.look()
    assert (kinds(seen), seen.exit_code) == ([], 3)
    scene.now += 100
    seen = scene.look()
    assert (kinds(seen), seen.views, seen.exit_code) == ([("away", "log")], {"log": None}, 3)
    reads.failure = None
    seen = scene.look()
    assert (kinds(seen), seen.exit_code) == ([], 0)


def test_tiles_that_do_not_lead_to_the_signed_root(scene: Scene) -> None:
    reads = scene.view("log", paper_log(300))
    scene.look()
    reads.log = paper_log(900)
    reads.change["checkpoint"] = sign_checkpoint(ORIGIN, 900, bytes(32), [SIGNER])
    seen = scene.look()
    assert kinds(seen) == [("served_wrong", "log")]
    files = evidence_of(seen)
    assert judge(files["a.checkpoint"], files["b.served"], KEYS).verdict == "served_wrong"
    # Signing the right root afterwards does not undo the signature under the wrong one.
    reads.change.clear()
    seen = scene.look()
    assert kinds(seen)[0] == ("two_histories", "log")


def test_tiles_that_are_withheld(scene: Scene) -> None:
    reads = scene.view("log", paper_log(300))
    scene.look()
    reads.log = paper_log(900)
    reads.change["tile/0/003.p/132"] = None
    assert kinds(scene.look()) == []
    scene.now += 100
    assert kinds(scene.look()) == [("unproved", "log")]
    # Another view that has them settles the question.
    scene.view("mirror", paper_log(900))
    assert kinds(scene.look()) == []


@pytest.mark.parametrize("what", ["garbage", "stranger", "changed", "other log"])
def test_a_checkpoint_that_does_not_verify(scene: Scene, what: str) -> None:
    reads = scene.view("log", paper_log(300))
    scene.look()
    other = Ed25519Signer("shanji.example/other", Ed25519PrivateKey.generate())
    notes = {
        "garbage": b"<html>welcome</html>",
        "stranger": paper_log(300).checkpoint(
            signers=[Ed25519Signer(ORIGIN, Ed25519PrivateKey.generate())]
        ),
        "changed": paper_log(300).checkpoint().replace(b"\n300\n", b"\n301\n"),
        "other log": sign_checkpoint(other.name, 3, bytes(32), [other]),
    }
    scene.trust = (
        (*KEYS, other.verifier_key)
        if what != "other log"
        else Policy((LogKey(KEYS[0]), LogKey(other.verifier_key)))
    )
    reads.change["checkpoint"] = notes[what]
    seen = scene.look()
    assert kinds(seen) == [("bad_checkpoint", "log")]
    assert seen.exit_code == 1


def test_evidence_does_not_fill_the_disk(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.audit.monitor.ALARMS_MAX", 3)
    reads = scene.view("log", paper_log(300))
    for number in range(5):
        reads.change["checkpoint"] = b"garbage %d" % number
        seen = scene.look()
    assert seen.alarms[0].path is None
    assert len(list((scene.folder / "alarms").iterdir())) == 3 < ALARMS_MAX
    reads.change.clear()
    scene.look()
    reads.log = PaperLog(300, 0)
    assert evidence_of(scene.look()).keys() >= {"a.checkpoint", "b.checkpoint"}


def make(views: Sequence[Any], folder: Path) -> None:
    place = DurableFolder(folder)
    try:
        Monitor(views, place, KEYS)
    finally:
        place.close()


def test_what_cannot_be_followed(tmp_path: Path) -> None:
    source = PathSource("log", LogReads(paper_log(1)))
    log = View("log", "log", source.checkpoint, source.close, source)
    witness = View("w", "witness", source.checkpoint, source.close)
    for views in ([], [log, log], [witness]):
        with pytest.raises(MalformedError):
            make(views, tmp_path)
    make([log, witness], tmp_path)
    (tmp_path / "state.json").write_text('{"origin": "x", "views": {"log": {"speed": 1}}}')
    with pytest.raises(CorruptionError, match="put a good copy back"):
        make([log], tmp_path)
