"""Policies: every vector under docs/vectors/policy, and policies made in memory."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import sample_log
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from ledger import errors
from ledger.errors import MalformedError
from ledger.tlog import cosignature, witnessed
from ledger.tlog.cosignature import MlDsa44Signer
from ledger.tlog.note import NoteSignature, add_signatures, format_verifier_key, split_note
from ledger.tlog.policy import (
    GROUPS_MAX,
    LOGS_MAX,
    POLICY_BYTES_MAX,
    Group,
    LogKey,
    Policy,
    Witness,
    format_policy,
    parse_policy,
)
from ledger.tlog.witnessed import open_witnessed

TESTS = Path(__file__).resolve().parents[2]
VECTORS = TESTS.parent / "docs" / "vectors"
sys.path.insert(0, str(TESTS / "vectors"))
generate_policy = importlib.import_module("generate_policy")

Vector = dict[str, Any]
LOG_KEY = sample_log.SIGNER.verifier_key


def load(name: str) -> list[Any]:
    vectors = json.loads((VECTORS / "policy" / f"{name}.json").read_text(encoding="utf-8"))
    return [pytest.param(vector, id=vector["desc"]) for vector in vectors]


def as_said(policy: Policy) -> Vector:
    """A policy as the vectors tell it."""

    def shown(text: str) -> str:
        return text.encode("utf-8", "backslashreplace").decode()

    return {
        "logs": [
            [format_verifier_key(one.key), one.url, one.first_size, one.last_size]
            for one in policy.log_keys
        ],
        "witnesses": [
            [shown(one.name), format_verifier_key(one.key), one.url] for one in policy.witnesses
        ],
        "groups": [[one.name, one.threshold, list(one.members)] for one in policy.groups],
        "quorum": shown(policy.quorum),
    }


@pytest.mark.parametrize("name", sorted(generate_policy.BUILDERS))
def test_files_are_what_the_generator_makes(name: str) -> None:
    written = (VECTORS / "policy" / f"{name}.json").read_text(encoding="utf-8")
    assert written == generate_policy.encode(generate_policy.BUILDERS[name]())


@pytest.mark.parametrize("vector", load("files"))
def test_file(vector: Vector) -> None:
    given = vector["input"]
    data = given["text"].encode() if "text" in given else given["latin1"].encode("latin-1")
    if "want_error" in vector:
        with pytest.raises(getattr(errors, vector["want_error"])):
            parse_policy(data)
        return
    policy = parse_policy(data)
    assert as_said(policy) == vector["want"]
    assert parse_policy(format_policy(policy)) == policy


@pytest.mark.parametrize("vector", load("files"))
def test_a_file_cut_anywhere_is_another_policy_or_none(vector: Vector) -> None:
    given = vector["input"]
    if "want" not in vector or "text" not in given or len(given["text"]) > 2_000:
        return
    data = given["text"].encode()
    policy = parse_policy(data)
    for length in range(len(data)):
        try:
            cut = parse_policy(data[:length])
        except MalformedError:
            continue
        # What can be left out without a trace stands after the quorum or is a comment.
        assert cut.quorum == policy.quorum
        assert data[:length].endswith(b"\n")


@pytest.mark.parametrize("vector", load("quorums"))
def test_quorum(vector: Vector) -> None:
    given = vector["input"]
    policy = parse_policy(given["text"].encode())
    assert policy.reached_by(given["names"]) is vector["want"]


@pytest.mark.parametrize("vector", load("checkpoints"))
def test_checkpoint(vector: Vector) -> None:
    given = vector["input"]
    policy, note = parse_policy(given["policy"].encode()), given["note"].encode()
    if "want_error" in vector:
        with pytest.raises(getattr(errors, vector["want_error"])) as got:
            open_witnessed(note, policy, now=given["now"])
        assert got.type is getattr(errors, vector["want_error"])
        assert got.value.code == vector["want_code"]
        return
    opened = open_witnessed(note, policy, now=given["now"])
    assert {
        "signed_by": [one.key.key_id.hex() for one in opened.log_keys],
        "cosigned": [[one.witness.name, one.timestamp] for one in opened.cosigned],
        "passed_over": [[one.name, why] for one, why in opened.passed_over],
        "quorum_met": opened.quorum_met,
    } == vector["want"]
    assert opened.witnesses == len(policy.witnesses)


def test_without_a_clock_the_future_counts() -> None:
    vectors = generate_policy.checkpoint_vectors()
    vector = next(one for one in vectors if one["desc"] == "a time from the future")
    policy = parse_policy(vector["input"]["policy"].encode())
    opened = open_witnessed(vector["input"]["note"].encode(), policy)
    assert (len(opened.cosigned), opened.quorum_met) == (2, True)


@pytest.mark.ml_dsa
def test_post_quantum_keys_of_log_and_witness() -> None:
    log_key, witness_key = MLDSA44PrivateKey.generate(), MLDSA44PrivateKey.generate()
    log = MlDsa44Signer(sample_log.ORIGIN, log_key)
    witness = MlDsa44Signer("w.example", witness_key, lambda: 1_700_000_000)
    policy = Policy((LogKey(log.verifier_key),), (Witness("w", witness.verifier_key),), quorum="w")
    assert parse_policy(format_policy(policy)) == policy
    note = sample_log.gifts(3).checkpoint(signers=(sample_log.SIGNER, log))
    line = NoteSignature("w.example", witness.key_id, witness.sign(split_note(note)[0]))
    assert not open_witnessed(note, policy).quorum_met
    opened = open_witnessed(add_signatures(note, [line]), policy)
    assert opened.quorum_met
    assert [one.timestamp for one in opened.cosigned] == [1_700_000_000]


@pytest.mark.ml_dsa
def test_what_this_machine_cannot_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without ML-DSA-44, the log's other key decides, and the witness is passed over."""

    def unable(key: Any) -> Any:
        if key.signature_type == 6:
            raise errors.UndecidedError("no ML-DSA-44", code="unsupported_algorithm")
        return real(key)

    real = cosignature.verifier_for
    log = MlDsa44Signer(sample_log.ORIGIN, MLDSA44PrivateKey.generate())
    witness = MlDsa44Signer("w.example", MLDSA44PrivateKey.generate(), lambda: 1)
    both = Policy(
        (LogKey(log.verifier_key), LogKey(LOG_KEY)), (Witness("w", witness.verifier_key),)
    )
    note = sample_log.gifts(3).checkpoint(signers=(sample_log.SIGNER, log))
    line = NoteSignature("w.example", witness.key_id, witness.sign(split_note(note)[0]))
    monkeypatch.setattr(witnessed, "verifier_for", unable)
    opened = open_witnessed(add_signatures(note, [line]), both)
    assert [one.key for one in opened.log_keys] == [LOG_KEY]
    assert [(one.name, why) for one, why in opened.passed_over] == [("w", "unsupported")]
    with pytest.raises(errors.UndecidedError, match="no ML-DSA-44"):
        open_witnessed(note, Policy((LogKey(log.verifier_key),)))


def key_of(number: int) -> Any:
    private = Ed25519PrivateKey.from_private_bytes(number.to_bytes(32, "big"))
    return sample_log.Ed25519Signer(sample_log.ORIGIN, private).verifier_key


@pytest.mark.parametrize(
    ("parts", "match"),
    [
        ({"log_keys": (LogKey(LOG_KEY, "a b"),)}, "URL"),
        ({"log_keys": (LogKey(LOG_KEY, "", -1),)}, "sizes"),
        ({"log_keys": (LogKey(LOG_KEY, "", 5, 4),)}, "sizes"),
        ({"witnesses": (Witness("w", LOG_KEY),)}, "type 0x04 or 0x06"),
        ({"groups": (Group("g", 1, ("w",)),)}, "no witness or group"),
        ({"groups": (Group("g", 0, ()),)}, "expected 1 to 0 members"),
        ({"quorum": "w"}, "expected a quorum"),
        ({"log_keys": tuple(LogKey(key_of(n)) for n in range(LOGS_MAX + 1))}, "at most 256 logs"),
        ({"groups": (Group("g", 1, ()),) * (GROUPS_MAX + 1)}, "at most 256 groups"),
    ],
)
def test_a_policy_in_memory_is_checked_too(parts: dict[str, Any], match: str) -> None:
    with pytest.raises(MalformedError, match=match):
        Policy(**parts)


def test_a_name_of_a_witness_without_form() -> None:
    key = generate_policy.W[0].vkey
    for name in ("", "a b", "a\n", "none"):
        with pytest.raises(MalformedError):
            Policy(witnesses=(Witness(name, sample_log_witness(key)),))


def sample_log_witness(vkey: str) -> Any:
    return parse_policy(f"witness w {vkey}\nquorum w\n".encode()).witnesses[0].key


def test_too_long_and_no_bytes() -> None:
    with pytest.raises(MalformedError, match="at most"):
        parse_policy(b"\n" * (POLICY_BYTES_MAX + 1))
    with pytest.raises(MalformedError, match="at most"):
        parse_policy("quorum none\n")


def test_origins() -> None:
    policy = Policy((LogKey(key_of(1)), LogKey(key_of(2))))
    assert policy.origins == (sample_log.ORIGIN,)
