"""An operator with the log's key who forks, rolls back, truncates, drops and swaps.

Each is caught by the command that an auditor runs, and what it leaves as evidence is
checked again by somebody else's program, from two files and the log's public key alone.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import foreign_evidence
import pytest
from dishonest import ORIGIN, SIGNER, VKEY, Answer, Operator, PaperLog, paper_log
from witness_client import post, request
from witness_process import WitnessProcess

from ledger.cli import main
from ledger.tlog.checkpoint import sign_checkpoint
from ledger.tlog.note import format_verifier_key
from ledger.tlog.policy import LogKey, Policy, Witness, format_policy
from ledger.tlog.tiles import TileReader, format_bundle, parse_bundle

KEY = format_verifier_key(VKEY)


class Said(NamedTuple):
    """What a command printed."""

    stdout: str
    stderr: str


Shanji = Callable[..., Said]


@pytest.fixture
def shanji(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shanji:
    """Run a command of the auditor's, in English, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object, code: int) -> Said:
        monkeypatch.setattr(sys, "argv", ["shanji", *map(str, arguments), "--lang", "en"])
        with pytest.raises(SystemExit) as end:
            main()
        said = Said(*capsys.readouterr())
        assert (end.value.code or 0) == code, said
        return said

    return run


class Show:
    """What the operator shows now; may be changed between two commands."""

    def __init__(self, log: PaperLog) -> None:
        self.log = log
        self.change: dict[str, bytes] = {}
        self.to_others: PaperLog | None = None

    def __call__(self, path: str, headers: Mapping[str, str]) -> Answer:
        names = {name.lower(): value for name, value in headers.items()}
        if self.to_others is not None and names.get("user-agent") != "shanji":
            return self.to_others.answer(path, headers)
        if path in self.change:
            return 200, self.change[path]
        return self.log.answer(path, headers)


@pytest.fixture
def show() -> Show:
    return Show(paper_log(600))


@pytest.fixture
def operator(show: Show) -> Iterator[Operator]:
    one = Operator(show)
    yield one
    one.close()


def check_evidence(shanji: Shanji, folder: Path, kind: str) -> None:
    """One alarm of this kind lies there; ours and somebody else's check say the same."""
    (place,) = folder.glob(f"{kind}-*")
    names = ("b.consistency", "b.served", "b.checkpoint")
    other = next(place / name for name in names if (place / name).exists())
    first = place / "a.checkpoint"
    assert foreign_evidence.check(first.read_bytes(), other.read_bytes(), KEY) == kind
    done = shanji("evidence", first, other, "--key", KEY, "--json", code=1)
    assert json.loads(done.stdout)["verdict"] == kind
    # Honest files prove nothing, whoever asks.
    honest = place / "honest"
    honest.write_bytes(paper_log(600).checkpoint())
    assert foreign_evidence.check(honest.read_bytes(), honest.read_bytes(), KEY) == "nothing"
    shanji("evidence", honest, honest, "--key", KEY, code=0)
    honest.unlink()


@pytest.mark.parametrize(("fork", "size"), [(300, 600), (599, 900), (512, 70_000)])
def test_a_fork_is_caught_by_mirror_and_monitor(
    fork: int, size: int, shanji: Shanji, show: Show, operator: Operator, tmp_path: Path
) -> None:
    shanji("mirror", operator.url, "m", "--key", KEY, code=0)
    monitor = ("monitor", operator.url, "m", "--state", "s", "--key", KEY, "--once")
    shanji(*monitor, code=0)
    show.log = PaperLog(size, fork)
    done = shanji("mirror", operator.url, "m", "--key", KEY, code=1)
    assert "two histories" in done.stderr
    check_evidence(shanji, tmp_path / "m/evidence", "two_histories")
    done = shanji(*monitor, code=1)
    assert "ALARM: two histories" in done.stderr
    check_evidence(shanji, tmp_path / "s/alarms", "two_histories")
    # The copy is still the honest one.
    assert (tmp_path / "m/checkpoint").read_bytes() == paper_log(600).checkpoint()


def test_a_rollback_and_what_follows(
    shanji: Shanji, show: Show, operator: Operator, tmp_path: Path
) -> None:
    monitor = ("monitor", operator.url, "--state", "s", "--key", KEY, "--once")
    shanji("mirror", operator.url, "m", "--key", KEY, code=0)
    shanji(*monitor, code=0)
    # A backup, or the log cut off: the shorter state by itself is a valid older log.
    show.log = PaperLog(500)
    done = shanji("mirror", operator.url, "m", "--key", KEY, code=3)
    assert "behind" in done.stdout
    done = shanji(*monitor, code=1)
    assert "went back from size 600 to 500" in done.stderr
    # It goes on, shorter than what was seen: the mirror has what it takes to prove it.
    show.log = PaperLog(550, 500)
    shanji("mirror", operator.url, "m", "--key", KEY, code=1)
    check_evidence(shanji, tmp_path / "m/evidence", "two_histories")
    shanji("monitor", operator.url, "m", "--state", "s", "--key", KEY, "--once", code=1)
    check_evidence(shanji, tmp_path / "s/alarms", "two_histories")


def test_a_truncated_log_that_is_signed_anew(
    shanji: Shanji, show: Show, operator: Operator, tmp_path: Path
) -> None:
    shanji("mirror", operator.url, "m", "--key", KEY, code=0)
    cut = PaperLog(599, 598)
    show.log = cut
    shanji("mirror", operator.url, "m", "--key", KEY, code=1)
    check_evidence(shanji, tmp_path / "m/evidence", "two_histories")


def test_an_entry_dropped_from_the_bundles(
    shanji: Shanji, show: Show, operator: Operator, tmp_path: Path
) -> None:
    entries = parse_bundle(show.log.bundle(1, 256), 256)
    show.change["tile/entries/001"] = format_bundle([*entries[:40], *entries[41:]])
    shanji("mirror", operator.url, "m", "--key", KEY, code=1)
    check_evidence(shanji, tmp_path / "m/evidence", "served_wrong")
    assert not (tmp_path / "m/checkpoint").exists()


@pytest.mark.parametrize("path", ["tile/0/001", "tile/1/000.p/2"])
def test_a_wrong_tile(
    path: str, shanji: Shanji, show: Show, operator: Operator, tmp_path: Path
) -> None:
    data = show.log.read(path)
    assert data is not None
    show.change[path] = bytes(32) + data[32:]
    shanji("mirror", operator.url, "m", "--key", KEY, code=1)
    check_evidence(shanji, tmp_path / "m/evidence", "served_wrong")


def test_different_views_by_port(
    shanji: Shanji, show: Show, operator: Operator, tmp_path: Path
) -> None:
    other = Operator(PaperLog(800, 100).answer)
    hook = tmp_path / "hook"
    hook.write_text(f"#!{sys.executable}\nimport sys; open('told', 'a').write(sys.argv[1])\n")
    hook.chmod(0o755)
    command = ("monitor", operator.url, other.url, "--state", "s", "--key", KEY, "--once")
    shanji(*command, "--on-alarm", hook, code=1)
    check_evidence(shanji, tmp_path / "s/alarms", "two_histories")
    (place,) = (tmp_path / "s/alarms").iterdir()
    told = (tmp_path / "told").read_text()
    assert (tmp_path / told).samefile(place)
    # Told once, standing for ever.
    shanji(*command, "--on-alarm", hook, code=1)
    assert (tmp_path / "told").read_text() == told
    # A hook that fails stops nothing.
    (place / "alarm.json").unlink()
    done = shanji(*command, "--on-alarm", tmp_path / "no-such-hook", code=1)
    assert "the alarm command failed" in done.stderr
    other.close()


def test_different_views_by_header(
    shanji: Shanji, show: Show, operator: Operator, tmp_path: Path
) -> None:
    show.to_others = PaperLog(600, 100)
    shanji("mirror", operator.url, "m", "--key", KEY, code=0)
    seen = tmp_path / "seen-in-a-browser"
    seen.write_bytes(foreign_evidence.fetch(f"{operator.url}/checkpoint"))
    done = shanji("evidence", "m/checkpoint", seen, "--key", KEY, code=1)
    assert done.stdout.startswith("Proved: the log shanji.example/dishonest has two histories")
    mine = (tmp_path / "m/checkpoint").read_bytes()
    assert foreign_evidence.check(mine, seen.read_bytes(), KEY) == "two_histories"
    # Of different sizes, the log's own tiles give the proof.
    show.to_others = PaperLog(400, 100)
    seen.write_bytes(foreign_evidence.fetch(f"{operator.url}/checkpoint"))
    done = shanji("evidence", "m/checkpoint", seen, "--key", KEY, code=3)
    assert "nothing ties them" in done.stdout
    shanji("verify-growth", seen, "m/checkpoint", "--key", KEY, "--log", "m", code=1)


def test_a_wrong_root_that_is_signed_rightly_afterwards(
    shanji: Shanji, show: Show, operator: Operator, tmp_path: Path
) -> None:
    show.change["checkpoint"] = sign_checkpoint(ORIGIN, 600, bytes(32), [SIGNER])
    command = ("monitor", operator.url, "--state", "s", "--key", KEY, "--once")
    shanji("mirror", operator.url, "m", "--key", KEY, code=1)
    check_evidence(shanji, tmp_path / "m/evidence", "served_wrong")
    show.change.clear()
    shanji("mirror", operator.url, "m", "--key", KEY, code=1)
    check_evidence(shanji, tmp_path / "m/evidence", "two_histories")
    # A monitor that sees the wrong one only later proves it as well.
    show.log = paper_log(900)
    shanji(*command, code=0)
    show.log = paper_log(600)
    show.change["checkpoint"] = sign_checkpoint(ORIGIN, 600, bytes(32), [SIGNER])
    shanji(*command, code=1)
    show.log = paper_log(900)
    show.change.clear()
    shanji(*command, code=1)
    check_evidence(shanji, tmp_path / "s/alarms", "two_histories")


def submit(witness: WitnessProcess, log: PaperLog, old: int) -> tuple[int, str, bytes]:
    proof = TileReader(log.size, log.tile).consistency(old) if old else []
    return post(witness.url, request(old, proof, log.checkpoint()))


def test_a_witness_does_not_take_part(
    shanji: Shanji, show: Show, operator: Operator, tmp_path: Path
) -> None:
    witness = WitnessProcess(tmp_path / "witness", KEY).start()
    try:
        assert submit(witness, paper_log(600), 0)[0] == 200
        fork = PaperLog(600, 300)
        assert submit(witness, fork, 600)[0] in (409, 422)
        # The witness itself hands out the evidence.
        shanji("witness", "evidence", "--state", witness.state, "-o", "w", code=1)
        one, other = sorted((tmp_path / "w").iterdir())
        assert foreign_evidence.check(one.read_bytes(), other.read_bytes(), KEY) == "two_histories"
        shanji("evidence", one, other, "--key", KEY, code=1)
        # A monitor compares what the log shows with what the witness saw.
        policy = Policy((LogKey(VKEY),), (Witness("w", witness.key, witness.url),), quorum="w")
        (tmp_path / "policy").write_bytes(format_policy(policy))
        command = ("monitor", operator.url, "--policy", "policy", "--once", "--state")
        show.log = fork
        done = shanji(*command, "same", code=1)
        assert "two histories" in done.stderr
        check_evidence(shanji, tmp_path / "same/alarms", "two_histories")
        show.log = PaperLog(900, 300)
        shanji(*command, "longer", code=1)
        check_evidence(shanji, tmp_path / "longer/alarms", "two_histories")
        # A fork that no witness saw is never copied, and said to be pending.
        show.log = paper_log(900)
        done = shanji("mirror", operator.url, "m", "--policy", "policy", code=3)
        assert done.stdout.startswith("Pending")
        done = shanji(*command, "alone", "--behind-seconds", "0", code=1)
        assert "0 of 1 witnesses" in done.stderr
        status, _, lines = submit(witness, paper_log(900), 600)
        assert status == 200
        show.change["checkpoint"] = paper_log(900).checkpoint() + lines
        shanji("mirror", operator.url, "m", "--policy", "policy", code=0)
        shanji(*command, "honest", "--behind-seconds", "0", code=0)
    finally:
        witness.kill()
