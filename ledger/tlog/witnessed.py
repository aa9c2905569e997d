"""A checkpoint judged by a policy: which log key signed it, which witnesses saw it.

The log's signatures and the witnesses' cosignatures stand on one note, and are counted
apart: a witness cannot stand in for the log, nor the log for a witness
(c2sp.org/tlog-policy, c2sp.org/tlog-cosignature).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ledger.errors import UndecidedError, UnknownSignerError, VerificationError
from ledger.tlog.checkpoint import Checkpoint, parse_checkpoint
from ledger.tlog.cosignature import cosignature_timestamp, verifier_for
from ledger.tlog.note import NoteSignature, split_note
from ledger.tlog.policy import LogKey, Policy, Witness

FUTURE_SECONDS_MAX = 300
"""How far ahead of the reader's clock a cosignature may lie and still count."""


@dataclass(frozen=True, slots=True)
class Cosigned:
    """A witness's good cosignature and the time that it states, in seconds since 1970."""

    witness: Witness
    timestamp: int


@dataclass(frozen=True, slots=True)
class WitnessedCheckpoint:
    """A checkpoint that the log signed, with what the policy says of its witnesses.

    Attributes:
        checkpoint: Origin, size and root.
        log_keys: The log keys that signed it and are valid at its size; at least one.
        cosigned: Cosignatures that count, in the order of the note.
        passed_over: Those that do not count, each with the reason: ``future`` (later than
            the reader's clock allows), ``untimed`` (states no time), ``unsupported`` (this
            machine cannot check the key's type).
        witnesses: How many witnesses the policy has.
        quorum_met: Whether the quorum is reached.
    """

    checkpoint: Checkpoint
    log_keys: tuple[LogKey, ...]
    cosigned: tuple[Cosigned, ...]
    passed_over: tuple[tuple[Witness, str], ...]
    witnesses: int
    quorum_met: bool


def open_witnessed(
    data: bytes, policy: Policy, *, now: int | None = None, allow_extensions: bool = False
) -> WitnessedCheckpoint:
    """Open a signed checkpoint of any of the policy's logs, and count its witnesses.

    A missing quorum is not an error here: read ``quorum_met``.

    Args:
        data: The whole note.
        policy: Whom to believe.
        now: The reader's clock, in seconds since 1970. With it, cosignatures more than
            ``FUTURE_SECONDS_MAX`` ahead do not count; a wrong clock must not turn a good
            note into a mismatch, so they are no error either.
        allow_extensions: As for ``checkpoint.parse_checkpoint``.

    Raises:
        MalformedError: the bytes are not a signed checkpoint.
        VerificationError: a known key's signature fails; a known log signed another
            log's checkpoint; code ``key_not_valid_at_size`` where the only log keys that
            signed do not count at this size.
        UnknownSignerError: no signature is by one of the policy's log keys.
        UndecidedError: the only known log key that signed is of a type that this machine
            cannot check.
    """
    text, signatures = split_note(data)
    checkpoint = parse_checkpoint(text, allow_extensions=allow_extensions)
    first: dict[tuple[str, bytes], NoteSignature] = {}
    for signature in signatures:
        # As everywhere, only the first signature by a key counts.
        first.setdefault((signature.name, signature.key_id), signature)
    log_keys = _signed_by(policy.log_keys, checkpoint, first)
    cosigned: list[Cosigned] = []
    passed_over: list[tuple[Witness, str]] = []
    by_identity = {(one.key.name, one.key.key_id): one for one in policy.witnesses}
    for identity, signature in first.items():
        witness = by_identity.get(identity)
        if witness is None:
            continue
        try:
            verifier = verifier_for(witness.key)
        except UndecidedError:
            passed_over.append((witness, "unsupported"))
            continue
        verifier.verify(text, signature.signature)
        timestamp = cosignature_timestamp(signature)
        if timestamp == 0:
            passed_over.append((witness, "untimed"))
        elif now is not None and timestamp > now + FUTURE_SECONDS_MAX:
            passed_over.append((witness, "future"))
        else:
            cosigned.append(Cosigned(witness, timestamp))
    return WitnessedCheckpoint(
        checkpoint,
        log_keys,
        tuple(cosigned),
        tuple(passed_over),
        len(policy.witnesses),
        policy.reached_by(one.witness.name for one in cosigned),
    )


def _signed_by(
    log_keys: Sequence[LogKey],
    checkpoint: Checkpoint,
    signatures: Mapping[tuple[str, bytes], NoteSignature],
) -> tuple[LogKey, ...]:
    """The log keys that signed the checkpoint and count for it; at least one."""
    signed: list[LogKey] = []
    unsupported: UndecidedError | None = None
    for one in log_keys:
        signature = signatures.get((one.key.name, one.key.key_id))
        if signature is None:
            continue
        try:
            verifier = verifier_for(one.key)
        except UndecidedError as error:
            # Another key of the log may have signed too; without one, this is the answer.
            unsupported = error
            continue
        verifier.verify(checkpoint.text, signature.signature)
        signed.append(one)
    if not signed:
        raise unsupported or UnknownSignerError(
            f"none of the note's {len(signatures)} signatures is by one of the policy's "
            f"{len(log_keys)} log keys; add the key of {checkpoint.origin!r} if you trust it"
        )
    own = [one for one in signed if one.key.name == checkpoint.origin]
    if not own:
        raise VerificationError(
            f"expected a checkpoint of the log {signed[0].key.name!r}, which signed it, got one "
            f"of {checkpoint.origin!r}; ask the log you mean",
            code="other_log",
        )
    valid = tuple(one for one in own if one.covers(checkpoint.size))
    if not valid:
        one = own[0]
        raise VerificationError(
            f"the checkpoint of size {checkpoint.size} is signed by the key "
            f"{one.key.key_id.hex()} of {one.key.name}, which counts only for sizes "
            f"{one.sizes}: it was not the log's key then, or no longer; "
            "keep the file and ask the log for one under its present key",
            code="key_not_valid_at_size",
        )
    return valid
