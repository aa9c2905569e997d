"""Which key counts at which size: the history of a log's keys, from its entries.

The keys that ``log.opened`` names are there from the start. A key added by entry a is
valid for checkpoints of a + 1 leaves and more: those that hold the entry that says so. A
key revoked by entry r is valid for checkpoints of at most r leaves; the checkpoint that
holds entry r is not signed by it any more. Between the two entries of a rotation both
keys are valid, and both sign.

Pure: entries or plain JSON in, values out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ledger.entry import Entry
from ledger.errors import MalformedError
from ledger.tlog.note import SignatureType, VerifierKey, format_verifier_key, parse_verifier_key
from ledger.tlog.policy import LogKey, Policy

LOG_OPENED = "log.opened"
KEY_ADDED = "key.added"
KEY_REVOKED = "key.revoked"

ACTIVE_KEYS_MAX = 8
"""Keys that sign one checkpoint, as many as ``log.opened`` may name."""
KEYS_MAX = 256
"""Keys in a log's whole life: a rotation a month for twenty years."""


@dataclass(frozen=True, slots=True)
class KeyTerm:
    """One key and its time in the log.

    Attributes:
        key: The verifier key.
        added_by: The entry that names it first; 0 for the keys of ``log.opened``.
        revoked_by: The entry that ends it; None while it is active.
    """

    key: VerifierKey
    added_by: int
    revoked_by: int | None = None

    @property
    def first_size(self) -> int:
        """The smallest size of a checkpoint that the key may sign."""
        return self.added_by + 1 if self.added_by else 0

    @property
    def last_size(self) -> int | None:
        """The largest such size; None while it is active."""
        return self.revoked_by

    def covers(self, size: int) -> bool:
        """Whether a signature by the key counts on a checkpoint of this size."""
        return self.first_size <= size and (self.revoked_by is None or size <= self.revoked_by)


@dataclass(frozen=True, slots=True)
class KeyHistory:
    """All keys that a log ever had, in the order in which they came."""

    terms: tuple[KeyTerm, ...] = ()

    @property
    def keys(self) -> tuple[VerifierKey, ...]:
        """Every key, active or not."""
        return tuple(one.key for one in self.terms)

    @property
    def active(self) -> tuple[VerifierKey, ...]:
        """The keys that sign now."""
        return tuple(one.key for one in self.terms if one.revoked_by is None)

    def valid_at(self, size: int) -> tuple[VerifierKey, ...]:
        """The keys whose signatures count on a checkpoint of this size."""
        return tuple(one.key for one in self.terms if one.covers(size))

    def term_of(self, key_id: bytes) -> KeyTerm | None:
        """The key with this id; no two keys of a log share one."""
        return next((one for one in self.terms if one.key.key_id == key_id), None)

    def policy(self, url: str = "") -> Policy:
        """A trust policy that believes each key for its sizes, and asks for no witness.

        Args:
            url: Where the log is served, for the policy's lines; empty for nowhere.
        """
        return Policy(
            tuple(LogKey(one.key, url, one.first_size, one.last_size) for one in self.terms)
        )

    def take(self, entry: Entry) -> KeyHistory:
        """The history with an entry more; entries about other things change nothing.

        The rules of such entries are `records.keys`'s business: here an entry that adds a
        known key, or revokes one that is not active, changes nothing either.

        Raises:
            MalformedError: it names a key that cannot be read.
        """
        if entry.kind == LOG_OPENED and entry.index == 0:
            terms = tuple(KeyTerm(_key(text), 0) for text in _texts(entry.fields.get("keys")))
            return KeyHistory(terms)
        if entry.kind == KEY_ADDED:
            key = _key(entry.fields.get("verifier_key"))
            if self.term_of(key.key_id) is not None:
                return self
            return KeyHistory((*self.terms, KeyTerm(key, entry.index)))
        if entry.kind == KEY_REVOKED:
            key_id = entry.fields.get("key_id")
            return KeyHistory(
                tuple(
                    replace(one, revoked_by=entry.index)
                    if one.revoked_by is None and one.key.key_id.hex() == key_id
                    else one
                    for one in self.terms
                )
            )
        return self

    def as_json(self) -> dict[str, Any]:
        """Plain values, as the state keeps them."""
        return {"keys": [_term_as_json(one) for one in self.terms]}


def history_from_json(value: Mapping[str, Any]) -> KeyHistory:
    """Read what `KeyHistory.as_json` wrote."""
    return KeyHistory(
        tuple(
            KeyTerm(_key(one["verifier_key"]), one["added_by"], one.get("revoked_by"))
            for one in value["keys"]
        )
    )


ALGORITHMS = {"ed25519": SignatureType.ED25519, "ml-dsa-44": SignatureType.ML_DSA_44}
"""The algorithms with which a log signs, as entries and commands name them."""


def algorithm_of(key: VerifierKey) -> str:
    """The name of a key's algorithm; for keys of a log only."""
    return next(name for name, number in ALGORITHMS.items() if number == key.signature_type)


def describe(term: KeyTerm) -> dict[str, Any]:
    """A key and its time as people and programs ask for it: plain values, nothing left out
    but what has not happened."""
    value: dict[str, Any] = {
        "key_id": term.key.key_id.hex(),
        "verifier_key": format_verifier_key(term.key),
        "algorithm": algorithm_of(term.key),
        "active": term.revoked_by is None,
        "first_size": term.first_size,
        "added_by": term.added_by,
    }
    if term.revoked_by is not None:
        value |= {"last_size": term.last_size, "revoked_by": term.revoked_by}
    return value


def is_ed25519(key: VerifierKey) -> bool:
    """Whether it is of the type that every checkpoint carries (design, section 2)."""
    return key.signature_type == SignatureType.ED25519


def _term_as_json(term: KeyTerm) -> dict[str, Any]:
    value: dict[str, Any] = {
        "verifier_key": format_verifier_key(term.key),
        "added_by": term.added_by,
    }
    if term.revoked_by is not None:
        value["revoked_by"] = term.revoked_by
    return value


def _texts(value: object) -> Sequence[object]:
    if not isinstance(value, list):
        raise MalformedError("expected the first entry to name the log's keys as a list")
    return value


def _key(value: object) -> VerifierKey:
    if not isinstance(value, str):
        raise MalformedError("expected a verifier key as text")
    return parse_verifier_key(value)
