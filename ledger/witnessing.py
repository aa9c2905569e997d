"""Which checkpoint a receipt stands under, now that witnesses cosign some of them.

Without witnesses it is the first that covers the entry (ADR 7). With a policy it is the
first that covers the entry and that enough of the policy's witnesses cosigned: then the
receipt is settled, and always the same bytes. Until then it stands under the first that
covers it, without cosignatures, and is pending (ADR 16).

Enough is the policy's quorum, and at least ``require`` witnesses. Of a settled
checkpoint's cosignatures a receipt takes those that came first, as many as were needed.
So that a late one changes no receipt, `keep` writes none down for a size below one that
is settled already.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ledger.errors import CorruptionError, MalformedError
from ledger.store import Appender, Reader
from ledger.tlog.note import format_verifier_key
from ledger.tlog.policy import NO_QUORUM, Policy

SIZES_AT_ONCE = 50
"""Cosigned sizes that are looked at together for one that is settled."""


@dataclass(frozen=True, slots=True)
class Covering:
    """A checkpoint that covers an entry: a signed note, perhaps with cosignatures."""

    size: int
    note: bytes
    settled: bool


class Witnessing:
    """Whose cosignatures count, and how many are enough.

    Args:
        policy: The witnesses and their quorum.
        require: How many of them must have cosigned, whatever the quorum; 0 for none.

    Raises:
        MalformedError: more are required than the policy has.
    """

    def __init__(self, policy: Policy | None = None, require: int = 0) -> None:
        self.policy = Policy() if policy is None else policy
        self.require = require
        self.names = {format_verifier_key(one.key): one.name for one in self.policy.witnesses}
        if not 0 <= require <= len(self.names):
            raise MalformedError(
                f"expected 0 to {len(self.names)} required witnesses, as the policy has, got "
                f"{require}; add witnesses to the policy",
                code="invalid_setting",
                field="require_witnesses",
            )
        self._least = max(require, _least(self.policy))

    def covering(self, reader: Reader, index: int) -> Covering:
        """The checkpoint that an entry's receipt stands under.

        Raises:
            CorruptionError: no checkpoint covers the entry.
        """
        if self._least:
            for size in self._sizes(reader, self._least, index):
                lines = self._needed(reader, size)
                if lines is not None:
                    return Covering(size, b"".join([reader.checkpoint(size), *lines]), True)
        if self.require:
            for size in self._sizes(reader, self.require, index):
                lines = [line for _, line in self._counted(reader, size)][: self.require]
                return Covering(size, b"".join([reader.checkpoint(size), *lines]), False)
        found = reader.checkpoints(index, 1)
        if not found:
            raise CorruptionError(f"no checkpoint covers entry {index}", details={"index": index})
        size, note = found[0]
        return Covering(size, note, not self._least)

    def newest(self, reader: Reader) -> int | None:
        """The newest size with as many witnesses as are required; None where none has."""
        if not self.require:
            head = reader.head()
            return None if head is None else head.size
        found = reader.cosigned_sizes(self.names, self.require, after=-1, limit=1, newest=True)
        return found[0] if found else None

    def keep(self, store: Appender, size: int, rows: Sequence[tuple[str, bytes]]) -> int:
        """Write verified cosignatures down, unless they come too late to matter.

        Args:
            store: The write transaction; the caller commits where anything was written.
            size: The checkpoint's size.
            rows: ``(verifier key, signature line)``.

        Returns:
            How many were written.
        """
        if self._least:
            for later in self._sizes(store, self._least, size):
                if self._needed(store, later) is not None:
                    return 0
        return store.write_cosignatures(size, rows)

    def _sizes(self, reader: Reader, count: int, after: int) -> Iterator[int]:
        """Sizes above `after` with so many of the policy's witnesses, rising."""
        while True:
            found = reader.cosigned_sizes(self.names, count, after=after, limit=SIZES_AT_ONCE)
            yield from found
            if len(found) < SIZES_AT_ONCE:
                return
            after = found[-1]

    def _counted(self, reader: Reader, size: int) -> list[tuple[str, bytes]]:
        return [row for row in reader.cosignatures(size) if row[0] in self.names]

    def _needed(self, reader: Reader, size: int) -> list[bytes] | None:
        """The first cosignatures of a size that are enough; None where all are too few."""
        rows = self._counted(reader, size)
        for count in range(self._least, len(rows) + 1):
            if self.policy.reached_by(self.names[key] for key, _ in rows[:count]):
                return [line for _, line in rows[:count]]
        return None


def _least(policy: Policy) -> int:
    """The smallest number of witnesses that can be a quorum."""
    if policy.quorum == NO_QUORUM:
        return 0
    needed = {one.name: 1 for one in policy.witnesses}
    for group in policy.groups:
        members = sorted(needed[member] for member in group.members)
        needed[group.name] = sum(members[: group.threshold])
    return needed[policy.quorum]
