"""What a witness answers to one request (c2sp.org/tlog-witness, ``add-checkpoint``).

The statuses, in the order of the checks:

====  =================================================================
400   not such a request; or its old size is above the checkpoint's
404   the log is not one of this witness's
403   signed by none of the log's keys, or a known key's signature fails
409   the old size is not that of the last checkpoint cosigned: that
      size follows, as ``text/x.tlog.size``
422   the consistency proof is wrong; or the same size has another root
200   cosigned: the signature lines follow
====  =================================================================

Comparing the old size and writing the new checkpoint down is one transaction, which is
on the disk before the answer leaves. So whatever happens to the process, and however
many requests come at once, no two histories are ever cosigned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.audit.witness.key import CosigningSigner
from ledger.audit.witness.state import Change, Met, WitnessState
from ledger.errors import LedgerError, MalformedError, UndecidedError, VerificationError
from ledger.tlog.checkpoint import Checkpoint, parse_checkpoint
from ledger.tlog.cosignature import Clock
from ledger.tlog.merkle import EMPTY_ROOT
from ledger.tlog.note import NoteSignature, add_signatures, format_signature, split_note
from ledger.tlog.policy import LogKey, Policy
from ledger.tlog.proofs import verify_witness_consistency
from ledger.tlog.submission import SIZE_MEDIA_TYPE, Submission, parse_submission
from ledger.tlog.witnessed import open_witnessed

TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to one request: an HTTP status, a body and its media type."""

    status: int
    body: bytes
    media_type: str = TEXT


class Witness:
    """Cosigns checkpoints of the logs that a policy names.

    Args:
        policy: Its log lines are the logs; several lines of one name are keys of one log.
        state: Its memory.
        signers: Its keys; a cosignature is made with each.
        clock: Gives the time, in seconds since 1970.
    """

    def __init__(
        self,
        policy: Policy,
        state: WitnessState,
        signers: Sequence[CosigningSigner],
        clock: Clock,
    ) -> None:
        self.state = state
        self._signers = tuple(signers)
        self._clock = clock
        self._logs: dict[str, tuple[LogKey, ...]] = {
            origin: tuple(one for one in policy.log_keys if one.key.name == origin)
            for origin in policy.origins
        }

    @property
    def origins(self) -> tuple[str, ...]:
        """The logs whose checkpoints it cosigns."""
        return tuple(self._logs)

    def add_checkpoint(self, body: bytes) -> Verdict:
        """Decide about one request; what is answered is on the disk.

        Raises:
            RetryableError: the state is busy; nothing was decided.
            FatalError: the state cannot be written.
        """
        try:
            asked = parse_submission(body)
            checkpoint = parse_checkpoint(split_note(asked.note)[0], allow_extensions=True)
        except MalformedError as error:
            return _refuse(400, error)
        log_keys = self._logs.get(checkpoint.origin)
        if log_keys is None:
            return Verdict(404, b"this witness does not know the log\n")
        try:
            # Witnesses are left out: whoever else cosigned the note is of no concern here.
            opened = open_witnessed(asked.note, Policy(log_keys), allow_extensions=True)
        except (VerificationError, UndecidedError) as error:
            return _refuse(403, error)
        if asked.old_size > checkpoint.size:
            return Verdict(
                400,
                b"the old size %d is above the checkpoint's, %d\n"
                % (asked.old_size, checkpoint.size),
            )
        note = _signed_by_log(asked.note, opened.log_keys)
        with self.state.change() as change:
            return self._decide(change, asked, checkpoint, note)

    def _decide(
        self, change: Change, asked: Submission, checkpoint: Checkpoint, note: bytes
    ) -> Verdict:
        """Compare with the last checkpoint cosigned, and take this one in its place."""
        now = self._clock()
        latest = change.latest(checkpoint.origin)
        size, root = (0, EMPTY_ROOT) if latest is None else (latest.size, latest.root)
        if asked.old_size != size:
            change.remember(checkpoint, note, b"", "stale", now)
            return Verdict(409, b"%d\n" % size, SIZE_MEDIA_TYPE)
        try:
            verify_witness_consistency(size, checkpoint.size, asked.proof, root, checkpoint.root)
        except VerificationError as error:
            change.remember(checkpoint, note, b"", "unproven", now)
            return _refuse(422, error)
        lines = b"".join(
            format_signature(NoteSignature(one.name, one.key_id, one.sign(checkpoint.text)))
            for one in self._signers
        )
        change.remember(checkpoint, note, lines, "cosigned", now)
        return Verdict(200, lines)

    def view(self, origin: str) -> Met | None:
        """The latest checkpoint of a log that it cosigned; for monitors."""
        return self.state.latest(origin)


def _signed_by_log(note: bytes, log_keys: Sequence[LogKey]) -> bytes:
    """The note with one signature by each of these keys, and whatever else stood on it gone."""
    text, signatures = split_note(note)
    wanted = {(one.key.name, one.key.key_id) for one in log_keys}
    kept: dict[tuple[str, bytes], NoteSignature] = {}
    for one in signatures:
        identity = (one.name, one.key_id)
        if identity in wanted:
            kept.setdefault(identity, one)
    first, *rest = kept.values()
    return add_signatures(text + b"\n" + format_signature(first), rest)


def _refuse(status: int, error: LedgerError) -> Verdict:
    return Verdict(status, error.message.encode("utf-8", "replace") + b"\n")
