"""What an auditor kept from before: checkpoints and receipts that the log must contain.

A log that was cut back to an earlier state, rows and checkpoints and all, is a valid
older log by itself. Only what left the server shows the difference: the log's
signature under a size and a root that the log of today does not reach.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ledger.audit.report import Notes
from ledger.errors import LedgerError
from ledger.receipt import HEADER
from ledger.tlog.checkpoint import Checkpoint
from ledger.tlog.merkle import EMPTY_ROOT
from ledger.tlog.policy import Policy
from ledger.verify import checkpoint_of, verify_checkpoint, verify_receipt


class History:
    """Compares kept checkpoints with the log's roots, as the walk reaches their sizes."""

    def __init__(self, known: Sequence[bytes], trust: Policy, notes: Notes) -> None:
        self._notes = notes
        self._kept: dict[int, list[tuple[int, Checkpoint, bytes]]] = {}
        for number, data in enumerate(known, start=1):
            try:
                note = checkpoint_of(data)
                if data.startswith(HEADER):
                    verify_receipt(data, trust)
                checkpoint, _ = verify_checkpoint(note, trust)
            except LedgerError as error:
                self._find(number, f"it does not verify: {error.message}", [])
                continue
            self._kept.setdefault(checkpoint.size, []).append((number, checkpoint, note))
        self.reach(0, EMPTY_ROOT)

    def sizes(self, after: int, end: int) -> list[int]:
        """The sizes in (after, end] that checkpoints were kept from, rising."""
        return sorted(size for size in self._kept if after < size <= end)

    def kept(self, end: int) -> Iterator[tuple[int, Checkpoint]]:
        """The checkpoints kept from sizes up to `end` that were not compared yet."""
        for size in self.sizes(0, end):
            yield from ((size, checkpoint) for _, checkpoint, _ in self._kept[size])

    def reach(self, size: int, root: bytes) -> None:
        """The entries up to this size give this root."""
        for number, checkpoint, note in self._kept.pop(size, []):
            self._notes.count("known")
            if checkpoint.root != root:
                self._find(
                    number,
                    f"its root at size {size} is {checkpoint.root.hex()}, the log's entries give "
                    f"{root.hex()}: two histories; keep the file",
                    [note],
                )

    def finish(self, size: int, newest: bytes | None) -> None:
        """The log ends at this size.

        Args:
            newest: The log's newest checkpoint, which is the other half of the evidence.
        """
        for kept_size in sorted(self._kept):
            for number, _, note in self._kept[kept_size]:
                self._find(
                    number,
                    f"the log had {kept_size} entries when it was signed and has {size} now: "
                    "the rest was cut off; keep the file",
                    [note] if newest is None else [note, newest],
                    index=size,
                )

    def _find(
        self, number: int, message: str, notes: Sequence[bytes], index: int | None = None
    ) -> None:
        evidence = [note.decode("utf-8", "replace") for note in notes]
        self._notes.find("history", f"known {number}", index, message, evidence)
