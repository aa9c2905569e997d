"""What a witness answers, request by request, as seen by somebody else's client."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from witness_client import Log, b64, request, verify_cosignatures

from ledger.audit.witness import state as state_module
from ledger.audit.witness.app import create_witness_app
from ledger.audit.witness.judge import Verdict, Witness
from ledger.audit.witness.key import create_key, read_key
from ledger.audit.witness.state import WitnessState
from ledger.errors import (
    ConflictError,
    CorruptionError,
    FatalError,
    LedgerError,
    MalformedError,
    NotFoundError,
    RetryableError,
)
from ledger.tlog.cosignature import CosignatureSigner, MlDsa44Verifier
from ledger.tlog.note import SignatureType, format_verifier_key, parse_signatures
from ledger.tlog.policy import parse_policy
from ledger.tlog.submission import SUBMISSION_BYTES_MAX, format_submission, parse_submission

NOW = 1_700_000_000
NAME = "witness.example/w1"


def clock() -> int:
    return NOW


class Desk:
    """A witness in memory of the logs given, and how to ask it."""

    def __init__(self, folder: Path, *logs: Log, more: str = "") -> None:
        private = Ed25519PrivateKey.from_private_bytes(bytes([77]) * 32)
        signer = CosignatureSigner(NAME, private, clock)
        self.vkey = format_verifier_key(signer.verifier_key)
        self.state = WitnessState.create(folder / "state", [self.vkey])
        lines = "".join(f"log {log.vkey}\n" for log in logs)
        policy = parse_policy(f"{lines}{more}quorum none\n".encode())
        self.witness = Witness(policy, self.state, [signer], clock)

    def ask(self, body: bytes) -> Verdict:
        return self.witness.add_checkpoint(body)

    def grow(self, log: Log, old: int, size: int) -> None:
        """A step that must be cosigned."""
        got = self.ask(log.request(old, size))
        assert got.status == 200, got
        assert verify_cosignatures(got.body, log.text(size), self.vkey) == [NOW]

    def latest(self, log: Log) -> int:
        found = self.witness.view(log.origin)
        return 0 if found is None else found.size


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def desk(tmp_path: Path, log: Log) -> Desk:
    return Desk(tmp_path, log)


@pytest.mark.parametrize("sizes", [[1], [0, 0, 1, 1, 2], [7, 8, 9, 64, 100, 257], [5, 5, 6]])
def test_it_cosigns_growth(desk: Desk, log: Log, sizes: list[int]) -> None:
    old = 0
    for size in sizes:
        desk.grow(log, old, size)
        old = size
    assert desk.latest(log) == sizes[-1]


def test_another_log_is_unknown(desk: Desk) -> None:
    other = Log("other.example/log", 2)
    assert desk.ask(other.request(0, 3)).status == 404
    assert desk.state.all_latest() == []


def test_signatures_that_do_not_count(desk: Desk, log: Log) -> None:
    stranger = Log(log.origin, 9)
    assert desk.ask(stranger.request(0, 3)).status == 403
    broken = log.checkpoint(3).replace(log.checkpoint(3)[-20:-8], log.checkpoint(4)[-20:-8])
    assert broken != log.checkpoint(3)
    assert desk.ask(request(0, [], broken)).status == 403
    # A key of the right name and id with somebody else's signature.
    text = log.text(3)
    forged = f"{text}\n— {log.origin} {b64(log.id + stranger.private.sign(text.encode()))}\n"
    assert desk.ask(request(0, [], forged.encode())).status == 403
    assert desk.latest(log) == 0
    assert desk.state.forks() == desk.state.unproven() == []


def test_unknown_signatures_beside_the_logs_are_passed_over(desk: Desk, log: Log) -> None:
    stranger = Log("stranger.example", 9)
    text = log.text(4)
    line = f"— stranger.example {b64(stranger.id + stranger.private.sign(text.encode()))}\n"
    note = log.checkpoint(4).decode().replace("\n\n", f"\n\n{line}")
    got = desk.ask(request(0, [], note.encode()))
    assert (got.status, verify_cosignatures(got.body, text, desk.vkey)) == (200, [NOW])
    kept = desk.witness.view(log.origin)
    assert kept is not None
    assert kept.note == log.checkpoint(4)


def test_an_old_size_above_the_checkpoint(desk: Desk, log: Log) -> None:
    desk.grow(log, 0, 5)
    assert desk.ask(request(6, [], log.checkpoint(5))).status == 400
    assert desk.ask(request(2**63 - 1, [], log.checkpoint(5))).status == 400


def test_an_old_size_that_is_not_the_last_cosigned(desk: Desk, log: Log) -> None:
    got = desk.ask(log.request(3, 8))
    assert (got.status, got.body, got.media_type) == (409, b"0\n", "text/x.tlog.size")
    desk.grow(log, 0, 8)
    for old, size in [(0, 9), (7, 9), (5, 7), (0, 8)]:
        got = desk.ask(log.request(old, size))
        assert (got.status, got.body, got.media_type) == (409, b"8\n", "text/x.tlog.size")
    desk.grow(log, 8, 9)
    assert desk.latest(log) == 9


def test_the_same_size_with_another_root(desk: Desk, log: Log) -> None:
    forked = Log(fork=6)
    desk.grow(log, 0, 8)
    assert desk.ask(forked.request(8, 8)).status == 422
    desk.grow(log, 8, 8)
    ((one, other),) = desk.state.forks()
    assert {one.note, other.note} == {log.checkpoint(8), forked.checkpoint(8)}
    assert sorted([one.standing, other.standing]) == ["cosigned", "unproven"]


def test_a_fork_is_recognised_at_an_old_size_and_at_a_later_one(desk: Desk, log: Log) -> None:
    forked = Log(fork=6)
    for old, size in [(0, 8), (8, 12)]:
        desk.grow(log, old, size)
    assert desk.ask(forked.request(0, 8)).status == 409
    assert desk.ask(forked.request(0, 20)).status == 409
    assert [pair[0].size for pair in desk.state.forks()] == [8]
    desk.grow(log, 12, 20)
    assert [pair[0].size for pair in desk.state.forks()] == [8, 20]


@pytest.mark.parametrize("old", [1, 4, 5, 7])
def test_a_bad_proof(desk: Desk, log: Log, old: int) -> None:
    desk.grow(log, 0, old)
    good = log.request(old, 8)
    asked = parse_submission(good)
    bad = [
        [bytes(32), *asked.proof[1:]],
        list(asked.proof[:-1]),
        [*asked.proof, bytes(32)],
        list(reversed(asked.proof)) if len(set(asked.proof)) > 1 else [],
        [],
        [bytes(32)] * 63,
    ]
    for proof in bad:
        got = desk.ask(request(old, proof, asked.note))
        assert got.status == 422, proof
    assert desk.latest(log) == old
    assert [one.size for one in desk.state.unproven()] == [8]
    assert desk.ask(good).status == 200
    assert desk.state.unproven() == []


def test_a_fork_with_a_proof_of_its_own_history(desk: Desk, log: Log) -> None:
    forked = Log(fork=3)
    desk.grow(log, 0, 5)
    assert desk.ask(forked.request(5, 9)).status == 422
    assert desk.latest(log) == 5


def test_from_size_0_the_proof_is_empty(desk: Desk, log: Log) -> None:
    assert desk.ask(request(0, [bytes(32)], log.checkpoint(4))).status == 422
    assert desk.latest(log) == 0
    empty = log.sign(f"{log.origin}\n0\n{b64(bytes(32))}\n")
    assert desk.ask(request(0, [], empty)).status == 422
    desk.grow(log, 0, 0)
    desk.grow(log, 0, 4)


def test_a_proof_between_equal_sizes_is_empty(desk: Desk, log: Log) -> None:
    desk.grow(log, 0, 4)
    assert desk.ask(request(4, [bytes(32)], log.checkpoint(4))).status == 422


def malformed(log: Log) -> dict[str, bytes]:
    good = log.request(0, 5)
    note = log.checkpoint(5)
    line = b64(bytes(32)).encode()
    return {
        "nothing": b"",
        "no note": b"old 0\n\n",
        "no old line": b"\n" + note,
        "another word": good.replace(b"old ", b"new "),
        "two spaces": good.replace(b"old 0", b"old  0"),
        "a tab": good.replace(b"old 0", b"old\t0"),
        "no number": good.replace(b"old 0", b"old x"),
        "a negative number": good.replace(b"old 0", b"old -1"),
        "a plus": good.replace(b"old 0", b"old +0"),
        "a leading zero": good.replace(b"old 0", b"old 00"),
        "a fraction": good.replace(b"old 0", b"old 0.0"),
        "too large": good.replace(b"old 0", b"old %d" % 2**63),
        "other digits": good.replace(b"old 0", "old ٠".encode()),
        "carriage return": good.replace(b"old 0\n", b"old 0\r\n"),
        "no empty line": b"old 0\n" + note,
        "a blank that is not empty": b"old 0\n \n" + note,
        "64 hashes": b"old 0\n" + (line + b"\n") * 64 + b"\n" + note,
        "a short hash": b"old 0\n" + b64(bytes(31)).encode() + b"\n\n" + note,
        "a long hash": b"old 0\n" + b64(bytes(33)).encode() + b"\n\n" + note,
        "no base64": b"old 0\n" + line[:-1] + b"!\n\n" + note,
        "base64 without padding": b"old 0\n" + line[:-1] + b"\n\n" + note,
        "base64 with set padding bits": b"old 0\n" + line[:-2] + b"B=\n\n" + note,
        "base64 of another alphabet": b"old 0\n" + b"_" * 43 + b"=\n\n" + note,
        "a note without signatures": b"old 0\n\n" + log.text(5).encode(),
        "a note cut short": good[:-1],
        "text that is no checkpoint": b"old 0\n\n" + log.sign(f"{log.origin}\n5\n"),
        "a root that is none": b"old 0\n\n" + log.sign(f"{log.origin}\n5\nAAAA\n"),
        "a size with a sign": b"old 0\n\n" + log.sign(log.text(5).replace("\n5\n", "\n+5\n")),
        "no UTF-8": good + b"\xff\n",
        "a zero byte": good.replace(b"old 0", b"old 0\0"),
        "too much": b"old 0\n\n" + note + b"x" * SUBMISSION_BYTES_MAX,
    }


@pytest.mark.parametrize("name", sorted(malformed(Log())))
def test_malformed(desk: Desk, log: Log, name: str) -> None:
    got = desk.ask(malformed(log)[name])
    assert got.status == 400, got
    assert got.body.endswith(b"\n")
    assert desk.state.all_latest() == []


def test_63_hashes_are_taken(desk: Desk, log: Log) -> None:
    assert desk.ask(request(0, [bytes(32)] * 63, log.checkpoint(5))).status == 422


def test_extension_lines_are_cosigned_whole(desk: Desk, log: Log) -> None:
    text = log.text(5, "an extension\n")
    got = desk.ask(request(0, [], log.checkpoint(5, "an extension\n")))
    assert (got.status, verify_cosignatures(got.body, text, desk.vkey)) == (200, [NOW])


def test_a_log_with_a_new_key(tmp_path: Path) -> None:
    old, new = Log(), Log(number=2)
    ids = (old.id.hex(), new.id.hex())
    sizes = f"#:shanji key {ids[0]} sizes 0-6\n#:shanji key {ids[1]} sizes 6-\n"
    desk = Desk(tmp_path, old, new, more=sizes)
    desk.grow(old, 0, 5)
    assert desk.ask(new.request(5, 5)).status == 403
    desk.grow(old, 5, 6)
    desk.grow(new, 6, 6)
    desk.grow(new, 6, 8)
    assert desk.ask(old.request(8, 9)).status == 403
    both = new.checkpoint(9).decode() + old.checkpoint(9).decode().split("\n\n")[1]
    proof = list(parse_submission(new.request(8, 9)).proof)
    assert desk.ask(request(8, proof, both.encode())).status == 200
    assert desk.latest(new) == 9


def test_two_logs_do_not_touch_each_other(tmp_path: Path) -> None:
    one, other = Log(), Log("other.example/log", 2)
    desk = Desk(tmp_path, one, other)
    desk.grow(one, 0, 5)
    desk.grow(other, 0, 3)
    desk.grow(one, 5, 6)
    assert [(met.origin, met.size) for met in desk.state.all_latest()] == [
        (one.origin, 6),
        (other.origin, 3),
    ]


@pytest.mark.ml_dsa
def test_two_keys_cosign_at_once(tmp_path: Path, log: Log) -> None:
    create_key(tmp_path / "pq", NAME, SignatureType.ML_DSA_44, clock)
    create_key(tmp_path / "ed", NAME, SignatureType.COSIGNATURE_ED25519, clock)
    signers = [read_key(tmp_path / name, clock) for name in ("ed", "pq")]
    state = WitnessState.create(tmp_path / "state", ["a"])
    policy = parse_policy(f"log {log.vkey}\nquorum none\n".encode())
    got = Witness(policy, state, signers, clock).add_checkpoint(log.request(0, 4))
    first, second = parse_signatures(got.body)
    assert (first.key_id, second.key_id) == (signers[0].key_id, signers[1].key_id)
    verifier = MlDsa44Verifier(signers[1].verifier_key)
    verifier.verify(log.text(4).encode(), second.signature)
    assert second.signature[:8] == NOW.to_bytes(8, "big")


class TestApp:
    """The same over HTTP, where headers count too."""

    def call(self, desk: Desk, method: str, path: str, body: bytes = b"") -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(create_witness_app(desk.witness))
            async with httpx.AsyncClient(transport=transport, base_url="http://w.test") as client:
                return await client.request(method, path, content=body)

        return asyncio.run(ask())

    def test_statuses_and_types(self, desk: Desk, log: Log) -> None:
        ok = self.call(desk, "POST", "/add-checkpoint", log.request(0, 5))
        assert ok.status_code == 200
        assert verify_cosignatures(ok.content, log.text(5), desk.vkey) == [NOW]
        late = self.call(desk, "POST", "/add-checkpoint", log.request(0, 6))
        assert (late.status_code, late.content) == (409, b"5\n")
        assert late.headers["content-type"] == "text/x.tlog.size"
        assert self.call(desk, "GET", "/add-checkpoint").status_code == 405
        huge = self.call(desk, "POST", "/add-checkpoint", bytes(SUBMISSION_BYTES_MAX + 1))
        assert huge.status_code == 413

    def test_the_view_for_monitors(self, desk: Desk, log: Log) -> None:
        path = f"/log/{hashlib.sha256(log.origin.encode()).hexdigest()}/checkpoint"
        assert self.call(desk, "GET", path).status_code == 404
        desk.grow(log, 0, 5)
        view = self.call(desk, "GET", path).content
        assert self.call(desk, "GET", "/log/00/checkpoint").status_code == 404
        assert view.startswith(log.checkpoint(5))
        cosignatures = view.removeprefix(log.checkpoint(5))
        assert verify_cosignatures(cosignatures, log.text(5), desk.vkey) == [NOW]

    @pytest.mark.parametrize(("error", "status"), [(RetryableError, 503), (FatalError, 500)])
    def test_a_state_that_fails(
        self, desk: Desk, log: Log, monkeypatch: pytest.MonkeyPatch, error: Any, status: int
    ) -> None:
        def fail(_: bytes) -> Verdict:
            raise error("/secret/place is broken")

        monkeypatch.setattr(desk.witness, "add_checkpoint", fail)
        got = self.call(desk, "POST", "/add-checkpoint", log.request(0, 5))
        assert got.status_code == status
        assert (b"/secret" in got.content) is (status == 503)


class TestState:
    def test_a_missing_state_is_never_begun_anew_unnoticed(self, tmp_path: Path) -> None:
        with pytest.raises(NotFoundError, match="--new"):
            WitnessState.open(tmp_path / "state", ["k"])
        (tmp_path / "state").touch()
        with pytest.raises(NotFoundError, match="--new"):
            WitnessState.open(tmp_path / "state", ["k"])
        WitnessState.create(tmp_path / "state", ["k"])
        WitnessState.open(tmp_path / "state", ["k"])
        with pytest.raises(ConflictError, match="leave --new out"):
            WitnessState.create(tmp_path / "state", ["k"])

    def test_a_state_belongs_to_its_keys(self, tmp_path: Path) -> None:
        WitnessState.create(tmp_path / "state", ["k"])
        with pytest.raises(ConflictError, match="another witness"):
            WitnessState.open(tmp_path / "state", ["other"])
        WitnessState.open(tmp_path / "state", ["k", "second"])
        WitnessState.open(tmp_path / "state", ["second"])

    def test_other_files(self, tmp_path: Path) -> None:
        (tmp_path / "text").write_text("this is no database at all, whatever it is" * 100)
        with pytest.raises(CorruptionError):
            WitnessState.open(tmp_path / "text", ["k"])
        sqlite3.connect(tmp_path / "other").execute("CREATE TABLE x (y)").connection.close()
        with pytest.raises(CorruptionError, match="version 1"):
            WitnessState.open(tmp_path / "other", ["k"])

    def test_nowhere(self, tmp_path: Path) -> None:
        with pytest.raises(FatalError):
            WitnessState.create(tmp_path / "no" / "state", ["k"])

    def test_a_busy_state(self, desk: Desk, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(state_module, "BUSY_SECONDS_MAX", 0.05)
        with desk.state.change(), pytest.raises(RetryableError):
            desk.ask(log.request(0, 5))
        desk.grow(log, 0, 5)

    def test_what_fails_leaves_nothing(self, desk: Desk, log: Log) -> None:
        class BrokenError(Exception):
            pass

        def fail() -> int:
            raise BrokenError

        desk.witness._clock = fail
        with pytest.raises(BrokenError):
            desk.ask(log.request(0, 5))
        desk.witness._clock = clock
        assert desk.state.all_latest() == []
        desk.grow(log, 0, 5)

    def test_it_stays_bounded_and_keeps_forks(
        self, desk: Desk, log: Log, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(state_module, "COSIGNED_ROWS_MAX", 5)
        monkeypatch.setattr(state_module, "MET_ROWS_MAX", 3)
        forked = Log(fork=1)
        desk.grow(log, 0, 2)
        assert desk.ask(forked.request(0, 2)).status == 409
        for size in range(3, 20):
            assert desk.ask(forked.request(0, size + 50)).status == 409
            desk.grow(log, size - 1, size)
        with desk.state.change() as change:
            (rows,) = change._connection.execute("SELECT count(*) FROM met").fetchone()
        assert rows <= 5 + 3 + 2
        assert [pair[0].size for pair in desk.state.forks()] == [2]
        assert desk.latest(log) == 19


class TestKeyFile:
    def test_it_is_private_and_read_back(self, tmp_path: Path) -> None:
        line = create_key(tmp_path / "key", NAME, SignatureType.COSIGNATURE_ED25519, clock)
        assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
        signer = read_key(tmp_path / "key", clock)
        assert line == f"PRIVATE+KEY+{NAME}+{signer.key_id.hex()}+{line.split('+', 4)[4]}"
        assert line.split("+", 4)[4].strip() not in repr(signer)
        with pytest.raises(ConflictError, match="there already"):
            create_key(tmp_path / "key", NAME, SignatureType.COSIGNATURE_ED25519, clock)

    @pytest.mark.parametrize(
        "change",
        [
            lambda line: line.replace("PRIVATE", "PUBLIC"),
            lambda line: line.replace("w1+", "w2+"),
            lambda line: line[:-6] + "\n",
            lambda line: line.replace("+BA", "+AQ").replace("+BB", "+AR").replace("+BC", "+AT"),
            lambda line: line + line,
            lambda line: "",
            lambda line: "PRIVATE+KEY+a+00000000+!!!!\n",
            lambda line: "\udcff" + line,
        ],
    )
    def test_another_file_is_none(self, tmp_path: Path, change: Any) -> None:
        line = create_key(tmp_path / "key", NAME, SignatureType.COSIGNATURE_ED25519, clock)
        changed = change(line)
        if changed == line:
            changed = ""
        (tmp_path / "key").write_bytes(changed.encode("utf-8", "surrogateescape"))
        with pytest.raises(MalformedError):
            read_key(tmp_path / "key", clock)

    def test_a_name_that_is_none(self, tmp_path: Path) -> None:
        with pytest.raises(MalformedError):
            create_key(tmp_path / "key", "a b", SignatureType.COSIGNATURE_ED25519, clock)
        assert not (tmp_path / "key").exists()
        with pytest.raises(MalformedError, match="0x04 or 0x06"):
            create_key(tmp_path / "key", "a", SignatureType.ED25519, clock)

    @pytest.mark.ml_dsa
    def test_places(self, tmp_path: Path) -> None:
        with pytest.raises(NotFoundError):
            read_key(tmp_path / "none", clock)
        with pytest.raises(NotFoundError):
            create_key(tmp_path / "no" / "k", NAME, SignatureType.ML_DSA_44, clock)


def test_format_and_parse_are_inverse(log: Log) -> None:
    for old, size in [(0, 5), (3, 8), (7, 7)]:
        data = log.request(old, size)
        asked = parse_submission(data)
        assert format_submission(asked.old_size, asked.proof, asked.note) == data
    with pytest.raises(LedgerError):
        format_submission(1, [bytes(32)] * 64, b"x")
    with pytest.raises(LedgerError):
        format_submission(1, [bytes(31)], b"x")
