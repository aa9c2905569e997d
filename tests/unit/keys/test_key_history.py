"""Which key counts at which size, from the entries alone."""

from __future__ import annotations

from typing import Any

import pytest
from log_keys import key_text, verifier_key

from ledger.entry import Entry
from ledger.errors import MalformedError
from ledger.keys.history import (
    KeyHistory,
    KeyTerm,
    algorithm_of,
    describe,
    history_from_json,
    is_ed25519,
)
from ledger.tlog.note import SignatureType, VerifierKey
from ledger.tlog.policy import format_policy, parse_policy

NAME = "shanji.example/keys"
ONE, TWO = verifier_key(1, NAME), verifier_key(2, NAME)


def entry(index: int, kind: str, **fields: Any) -> Entry:
    return Entry(
        index,
        "00" * 32,
        "2022-01-01T00:00:00.000000Z",
        "2022-01-01",
        "registrar-1",
        None,
        kind,
        fields,
        {},
        [],
        [],
        [],
    )


def rotated() -> KeyHistory:
    """Key one from the start, two added by entry 5, one revoked by entry 8."""
    history = KeyHistory().take(entry(0, "log.opened", keys=[key_text(1, NAME)]))
    for one in (
        entry(4, "donation.money", keys=["x"]),
        entry(5, "key.added", verifier_key=key_text(2, NAME)),
        entry(8, "key.revoked", key_id=ONE.key_id.hex()),
    ):
        history = history.take(one)
    return history


@pytest.mark.parametrize(
    ("size", "keys"),
    [(0, [ONE]), (1, [ONE]), (5, [ONE]), (6, [ONE, TWO]), (8, [ONE, TWO]), (9, [TWO]), (99, [TWO])],
)
def test_a_key_counts_from_its_entry_to_the_one_that_ends_it(
    size: int, keys: list[VerifierKey]
) -> None:
    assert list(rotated().valid_at(size)) == keys


def test_the_history_says_who_signs_now_and_who_ever_did() -> None:
    history = rotated()
    assert history.keys == (ONE, TWO)
    assert history.active == (TWO,)
    assert history.terms == (KeyTerm(ONE, 0, 8), KeyTerm(TWO, 5))
    assert history.term_of(TWO.key_id) == KeyTerm(TWO, 5)
    assert history.term_of(b"none") is None


def test_what_was_written_is_read() -> None:
    assert history_from_json(rotated().as_json()) == rotated()
    assert history_from_json(KeyHistory().as_json()) == KeyHistory()


def test_the_policy_limits_each_key_to_its_sizes() -> None:
    policy = parse_policy(format_policy(rotated().policy("http://127.0.0.1/log")))
    assert [(one.key, one.first_size, one.last_size, one.url) for one in policy.log_keys] == [
        (ONE, 0, 8, "http://127.0.0.1/log"),
        (TWO, 6, None, "http://127.0.0.1/log"),
    ]
    assert policy.quorum == "none"


def test_a_key_is_described_for_people_and_programs() -> None:
    first, second = map(describe, rotated().terms)
    assert first["active"] is False
    assert (first["first_size"], first["last_size"]) == (0, 8)
    assert (first["added_by"], first["revoked_by"]) == (0, 8)
    assert second == {
        "key_id": TWO.key_id.hex(),
        "verifier_key": key_text(2, NAME),
        "algorithm": "ed25519",
        "active": True,
        "first_size": 6,
        "added_by": 5,
    }


def test_what_means_nothing_changes_nothing() -> None:
    history = rotated()
    for one in (
        entry(9, "key.added", verifier_key=key_text(1, NAME)),
        entry(9, "key.revoked", key_id=ONE.key_id.hex()),
        entry(9, "key.revoked", key_id="00000000"),
        entry(9, "key.revoked"),
        entry(9, "log.opened", keys=[key_text(3, NAME)]),
    ):
        assert history.take(one) == history


@pytest.mark.parametrize(
    "bad",
    [
        entry(0, "log.opened", keys="x"),
        entry(0, "log.opened"),
        entry(0, "log.opened", keys=[7]),
        entry(3, "key.added", verifier_key=None),
        entry(3, "key.added", verifier_key="x+y+z"),
    ],
)
def test_a_key_that_cannot_be_read_is_an_error(bad: Entry) -> None:
    with pytest.raises(MalformedError):
        rotated().take(bad)


def test_algorithms_have_names() -> None:
    quantum = VerifierKey(NAME, SignatureType.ML_DSA_44, bytes(1312))
    assert (algorithm_of(ONE), algorithm_of(quantum)) == ("ed25519", "ml-dsa-44")
    assert is_ed25519(ONE)
    assert not is_ed25519(quantum)
