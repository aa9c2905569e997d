"""What a verdict says by a policy: verified or pending, and its four facts, zh and en."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import sample_log
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from ledger.cli import build
from ledger.errors import PendingError, UndecidedError, VerificationError
from ledger.tlog.cosignature import CosignatureSigner
from ledger.tlog.note import NoteSignature, add_signatures, format_verifier_key, split_note
from ledger.tlog.policy import Group, LogKey, Policy, Witness, format_policy
from ledger.tlog.proofs import build_consistency
from ledger.verdict import facts, format_time
from ledger.verify import (
    Language,
    tell,
    verify_checkpoint,
    verify_growth,
    verify_receipt,
    verify_trace,
)

NOW = 1_700_000_000
KEY = sample_log.SIGNER.verifier_key
GIFTS = sample_log.gifts(7)
PURCHASE = sample_log.purchase()
WITNESSES = [
    CosignatureSigner(
        f"w{number}.example",
        Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32),
        lambda: NOW,
    )
    for number in range(1, 4)
]
POLICY = Policy(
    (LogKey(KEY),),
    tuple(Witness(f"W{n}", one.verifier_key) for n, one in enumerate(WITNESSES)),
    (Group("g", 2, ("W0", "W1", "W2")),),
    "g",
)


def seen_by(note: bytes, count: int, witnesses: Sequence[Any] = WITNESSES) -> bytes:
    """A checkpoint, or what ends in one, with the cosignatures of the first witnesses."""
    head, blank, checkpoint = note.rpartition(b"\n\n" + sample_log.ORIGIN.encode())
    checkpoint = sample_log.ORIGIN.encode() + checkpoint if blank else note
    text = split_note(checkpoint)[0]
    lines = [NoteSignature(one.name, one.key_id, one.sign(text)) for one in witnesses[:count]]
    return head + (b"\n\n" if blank else b"") + add_signatures(checkpoint, lines)


def receipt(count: int) -> bytes:
    return seen_by(GIFTS.receipt(4), count)


@pytest.mark.parametrize("count", [2, 3])
def test_enough_witnesses(count: int) -> None:
    found = verify_receipt(receipt(count), POLICY, now=NOW)
    assert found.witnessed is not None
    assert len(found.witnessed.cosigned) == count
    assert found.signers == (sample_log.ORIGIN,)
    assert tell(found, "zh").startswith("通过：")
    assert tell(found, "en").startswith("Verified: ")


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_witnesses_are_pending(count: int) -> None:
    with pytest.raises(PendingError) as got:
        verify_receipt(receipt(count), POLICY, now=NOW)
    assert isinstance(got.value, UndecidedError)
    assert got.value.code == "pending"
    assert f"by {count} of the policy's 3 witnesses" in got.value.message
    result = got.value.result
    assert tell(result, "zh").startswith("待封账：")
    assert "稍后重新取得凭证" in tell(result, "zh")
    assert tell(result, "en").startswith("Pending: ")
    assert "fetch the file again later" in tell(result, "en")
    for language in ("zh", "en"):
        assert [one.holds for one in facts(result, language)] == [True, True, False, True]


def test_what_is_altered_is_a_mismatch_whoever_saw_it() -> None:
    for count in (0, 3):
        with pytest.raises(VerificationError):
            verify_receipt(receipt(count).replace(b"index 4", b"index 3"), POLICY)


def test_a_key_outside_its_sizes() -> None:
    for sizes in ((0, 6), (8, None)):
        policy = Policy((LogKey(KEY, "", *sizes),))
        with pytest.raises(VerificationError) as got:
            verify_receipt(receipt(0), policy)
        assert got.value.code == "key_not_valid_at_size"
    assert verify_receipt(receipt(0), Policy((LogKey(KEY, "", 7, 7),))).witnessed is not None


def test_checkpoint_and_trace_by_a_policy() -> None:
    note = GIFTS.checkpoint()
    with pytest.raises(PendingError):
        verify_checkpoint(note, POLICY)
    assert verify_checkpoint(seen_by(note, 2), POLICY)[0].size == 7
    met = [1, 2, 3, 4]
    proof = PURCHASE.trace(1, "forward", met)
    with pytest.raises(PendingError) as got:
        verify_trace(proof, POLICY)
    assert "1" in tell(got.value.result, "zh")
    value = json.loads(proof)
    value["checkpoint"] = seen_by(value["checkpoint"].encode(), 2).decode()
    data = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
    found = verify_trace(data, POLICY)
    assert "4 个条目" in facts(found, "zh")[1].text
    assert "4 entries" in facts(found, "en")[1].text


def test_growth_counts_the_witnesses_of_the_later_checkpoint() -> None:
    old, new = GIFTS.checkpoint(3), GIFTS.checkpoint(7)
    proof = build_consistency(3, 7, GIFTS.node)
    with pytest.raises(PendingError) as got:
        verify_growth(seen_by(old, 3), new, proof, POLICY)
    so_far: Any = got.value.result
    assert so_far.new.size == 7
    found = verify_growth(old, seen_by(new, 2), proof, POLICY)
    assert "前 3 条" in facts(found, "zh")[1].text
    assert "first 3" in facts(found, "en")[1].text
    with pytest.raises(VerificationError):
        verify_growth(old, seen_by(new, 2), proof[:-1], POLICY)


def test_checkpoints_of_two_logs_do_not_compare() -> None:
    other = sample_log.Ed25519Signer("other.example", Ed25519PrivateKey.generate())
    note = sample_log.sign_checkpoint("other.example", 9, bytes(32), [other])
    policy = Policy((LogKey(KEY), LogKey(other.verifier_key)))
    with pytest.raises(UndecidedError, match="two of one log"):
        verify_growth(GIFTS.checkpoint(3), note, [], policy)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_four_facts(language: Language) -> None:
    shown = facts(verify_receipt(receipt(2), POLICY, now=NOW), language)
    assert [one.name for one in shown] == ["genuine", "recorded", "witnessed", "as_of"]
    text = "\n".join(f"{one.label} {one.text}" for one in shown)
    for part in (KEY.key_id.hex(), "w1.example", "2023-11-15 06:13:20 UTC+8", "4", "7"):
        assert part in text
    plain = facts(verify_receipt(receipt(2), [KEY]), language)
    assert plain[2].holds is None
    assert "--policy" in plain[2].text
    nobody = facts(verify_receipt(receipt(2), Policy((LogKey(KEY),))), language)
    assert nobody[2].holds is True
    with pytest.raises(PendingError) as got:
        verify_receipt(receipt(2), POLICY, now=NOW - 301)
    early = facts(got.value.result, language)[2].text
    assert "w1.example" in early
    assert "w2.example" in early
    assert "2023" not in early


def test_times_that_no_calendar_has() -> None:
    assert format_time(0) == "1970-01-01 08:00:00 UTC+8"
    assert format_time(2**63 - 1) == f"{2**63 - 1} s"


class TestCommand:
    def run(self, *arguments: object) -> tuple[int, str]:
        done = CliRunner().invoke(build(), [str(one) for one in arguments])
        return done.exit_code, done.output

    @pytest.fixture
    def files(self, tmp_path: Path) -> Path:
        (tmp_path / "policy").write_bytes(format_policy(POLICY))
        for count in range(3):
            (tmp_path / f"{count}.tlog-proof").write_bytes(receipt(count))
        return tmp_path

    def test_verify(self, files: Path) -> None:
        policy = ("--policy", files / "policy")
        code, text = self.run("verify", files / "2.tlog-proof", *policy, "--lang", "en")
        assert (code, text.startswith("Verified: ")) == (0, True)
        assert "Witnessed: 2 of 3 witnesses saw it, enough" in text
        code, text = self.run("verify", files / "1.tlog-proof", *policy, "--lang", "zh")
        assert (code, text.startswith("待封账：")) == (3, True)
        assert "见证：3 个见证人中有 1 个见过" in text

    def test_json(self, files: Path) -> None:
        policy = ("--policy", files / "policy", "--json")
        code, text = self.run("verify", files / "2.tlog-proof", *policy)
        value = json.loads(text)
        assert (code, value["verdict"]) == (0, "verified")
        assert value["witnesses"] == {
            "quorum_met": True,
            "count": 2,
            "of": 3,
            "log_keys": [{"name": sample_log.ORIGIN, "key_id": KEY.key_id.hex(), "sizes": "0-"}],
            "cosigned": [
                {"name": one.name, "key_id": one.key_id.hex(), "time": NOW} for one in WITNESSES[:2]
            ],
            "passed_over": [],
        }
        code, text = self.run("verify", files / "0.tlog-proof", *policy)
        assert (code, json.loads(text)["verdict"]) == (3, "pending")
        assert [one["holds"] for one in json.loads(text)["facts"]] == [True, True, False, True]

    def test_growth(self, files: Path) -> None:
        encoded = [b64encode(one).decode() for one in build_consistency(3, 7, GIFTS.node)]
        (files / "proof").write_text(json.dumps({"proof": encoded}))
        (files / "old").write_bytes(GIFTS.checkpoint(3))
        for count, code in ((1, 3), (2, 0)):
            (files / "new").write_bytes(seen_by(GIFTS.checkpoint(), count))
            got = self.run(
                "verify-growth",
                files / "old",
                files / "new",
                "--proof",
                files / "proof",
                "--policy",
                files / "policy",
            )
            assert got[0] == code, got

    def test_either_a_key_or_a_policy(self, files: Path) -> None:
        proof = files / "2.tlog-proof"
        key = ("--key", format_verifier_key(KEY))
        assert self.run("verify", proof)[0] == 2
        assert self.run("verify", proof, *key, "--policy", files / "policy")[0] == 2
        assert self.run("verify", proof, *key)[0] == 0
        (files / "bad").write_text("quorum\n")
        assert self.run("verify", proof, "--policy", files / "bad")[0] == 3
