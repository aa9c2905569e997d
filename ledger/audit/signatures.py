"""Whose signatures a stored checkpoint carries, and whether they count at its size.

The walk hands over each entry before the checkpoints that hold it, so the history of the
log's keys is at every checkpoint what the entries below its size say (``keys.history``).
A checkpoint must carry a signature by an Ed25519 key that is valid at its size, and none
by anybody else. Where the auditor gives keys of their own, those must vouch for it from
the size on at which the first of them counts: by signing it, or by signing an earlier one at
which a key that did was valid already. What is smaller is in what they vouch for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ledger.audit.report import Notes
from ledger.entry import Entry
from ledger.errors import (
    LedgerError,
    UndecidedError,
    UnknownSignerError,
    VerificationError,
)
from ledger.keys.history import KeyHistory, history_from_json, is_ed25519
from ledger.tlog.checkpoint import Checkpoint, open_checkpoint
from ledger.tlog.cosignature import verifier_for
from ledger.tlog.note import Note, Verifier, VerifierKey
from ledger.tlog.policy import LogKey, Policy

NOT_VALID = "key_not_valid_at_size"


class Signatures:
    """Opens the log's checkpoints, in order.

    Args:
        trusted: The keys that the auditor has from elsewhere; none for those of entry 0.
        stated: The keys that the log says it has had (`replay.stated_history`).
        notes: Where what could not be checked is written down.
    """

    def __init__(self, trusted: Sequence[VerifierKey], stated: KeyHistory, notes: Notes) -> None:
        self.history = KeyHistory()
        firsts = [one.first_size for one in stated.terms if one.key in trusted]
        self._vouched_from = min(firsts, default=0)
        self._notes = notes
        self._given = tuple(trusted)
        self._trusted = set(trusted)
        self._kept: dict[str, Any] | None = None
        self._verifiers: dict[VerifierKey, Verifier | None] = {}

    def begin(self, kept: Mapping[str, Any] | None, size: int) -> None:
        """Go on behind `size` entries that an earlier audit went through.

        It followed the signatures from key to key, so where one of the auditor's keys is
        among the log's, those that were valid there are vouched for.
        """
        if kept is not None:
            self.history = history_from_json(kept)
            if self._trusted & set(self.history.keys):
                self._trusted.update(self.history.valid_at(size))

    def kept(self) -> dict[str, Any]:
        """What `begin` needs to go on from here."""
        if self._kept is None:
            self._kept = self.history.as_json()
        return self._kept

    def take(self, entry: Entry) -> None:
        """The next entry; it may add or revoke a key. One that cannot be read does nothing."""
        try:
            history = self.history.take(entry)
            if history is not self.history:
                self.history, self._kept = history, None
        except LedgerError as error:
            self._notes.find(
                "key_unreadable", f"entry {entry.index}", entry.index, f"its key: {error.message}"
            )

    def open(self, data: bytes, *, published: bool = False) -> Checkpoint:
        """A checkpoint, signed by the keys of its size and by nobody else.

        Args:
            data: The signed note.
            published: Lines of others are passed over: witnesses add theirs to a note.

        Raises:
            VerificationError: a signature fails, or is by a stranger, or counts not at this
                size (``key_not_valid_at_size``), or none is by a valid Ed25519 key.
            UnknownSignerError: it is signed by none of the log's keys, or the auditor's do
                not vouch for it.
            UndecidedError: no key is known.
            MalformedError: no checkpoint.
        """
        known = dict.fromkeys((*self._given, *self.history.keys))
        if not known:
            raise UndecidedError("no verifier key is known: entry 0 names none, none was given")
        verifiers = [one for one in map(self._verifier, known) if one is not None]
        checkpoint, note = open_checkpoint(data, next(iter(known)).name, verifiers)
        signed = {(one.name, one.key_id) for one in note.verified}
        signers = [key for key in known if (key.name, key.key_id) in signed]
        valid = self.history.valid_at(checkpoint.size) or self._given
        if not published:
            self._check_lines(note, known)
        for key in signers:
            # A key of the auditor's that the log never names is another finding.
            if key not in valid and key in self.history.keys:
                raise VerificationError(
                    f"it is signed by the key {key.key_id.hex()}, which does not count at size "
                    f"{checkpoint.size}",
                    code=NOT_VALID,
                )
        if not any(is_ed25519(key) for key in signers):
            raise VerificationError("none of its signatures is by an Ed25519 key of the log")
        if self._given and checkpoint.size >= self._vouched_from:
            if not self._trusted & set(signers):
                raise UnknownSignerError("it is signed by none of the keys given")
            self._trusted.update(valid)
        return checkpoint

    def _check_lines(self, note: Note, known: dict[VerifierKey, None]) -> None:
        """Every signature line is by a known key; those of a type unknown here pass."""
        names = {(key.name, key.key_id) for key in known}
        lines = [(one.name, one.key_id) for one in note.signatures]
        if len(set(lines)) != len(lines) or not set(lines) <= names:
            raise VerificationError("it has a signature line that is of none of the log's keys")

    def _verifier(self, key: VerifierKey) -> Verifier | None:
        """The key's verifier; None, noted once, where this machine cannot check its type."""
        if key not in self._verifiers:
            try:
                self._verifiers[key] = verifier_for(key)
            except UndecidedError as error:
                self._verifiers[key] = None
                self._notes.not_checked.append(
                    f"signatures by the key {key.key_id.hex()} ({error.message})"
                )
        return self._verifiers[key]


def trust_in(stated: KeyHistory, given: Sequence[VerifierKey]) -> Policy:
    """Whom to believe about a checkpoint that the auditor kept, from whenever it is.

    The keys that the auditor gives, and those that the log says it has had, each at its
    sizes: a kept checkpoint is compared with the log, which gains nothing by a key more.
    """
    more = [key for key in dict.fromkeys(given) if key not in stated.keys]
    return Policy((*stated.policy().log_keys, *(LogKey(key) for key in more)))
