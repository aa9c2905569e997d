"""Every checkpoint that was ever seen of one log, each tied to its neighbours.

A new one is tied when the tiles under it show that it contains the next smaller one, and
the tiles under the next larger one that it is contained there. So all that are tied are
one history. What cannot be tied now (its tiles are withheld, wrong, or gone) is kept
apart and tried again: the log's signature under it does not go away.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Sequence

from ledger.audit.folder import DurableFolder, Shelf
from ledger.audit.signed_tiles import SignedHead, SignedTiles, check_growth
from ledger.audit.source import LogSource
from ledger.errors import (
    CorruptionError,
    EvidenceError,
    MalformedError,
    NotFoundError,
    RetryableError,
)

CHECKPOINTS = "checkpoints"
UNPROVED = "unproved"
UNPROVED_MAX = 1000
"""Checkpoints kept apart; a log that makes more has been given up on long before."""

Open = Callable[[bytes], SignedHead]


class Chain:
    """The checkpoints in a folder: ``checkpoints/<size>`` tied, ``unproved/<size>`` not.

    Args:
        folder: The folder, locked.
        open_note: Opens a signed note by the keys or the policy.
    """

    def __init__(self, folder: DurableFolder, open_note: Open) -> None:
        self._folder = folder
        self._open = open_note
        self._tied = Shelf(folder, CHECKPOINTS)
        self._loose = Shelf(folder, UNPROVED)
        self._sizes = self._tied.sizes()
        self._loose_sizes = self._loose.sizes()

    @property
    def sizes(self) -> Sequence[int]:
        """The sizes of the tied checkpoints, rising."""
        return self._sizes

    def newest(self) -> SignedHead | None:
        """The largest tied checkpoint."""
        return self._read(self._tied, self._sizes[-1]) if self._sizes else None

    def get(self, size: int) -> SignedHead | None:
        """The tied checkpoint of a size."""
        return self._read(self._tied, size) if _has(self._sizes, size) else None

    def link(self, head: SignedHead, sources: Sequence[LogSource]) -> SignedHead:
        """Tie a checkpoint to those seen before, and keep it.

        Args:
            head: The new checkpoint.
            sources: Where the tiles under it, or under a larger one, may be found; each
                is asked in turn until one shows the right tiles.

        Returns:
            The checkpoint with all cosignatures seen so far.

        Raises:
            EvidenceError: ``two_histories``; or ``served_wrong`` by every source that
                serves it, and then it is kept apart.
            RetryableError, NotFoundError, MalformedError: no source shows the tiles; it
                is kept apart.
            FatalError: the disk failed.
        """
        size = head.checkpoint.size
        for sizes, shelf in ((self._sizes, self._tied), (self._loose_sizes, self._loose)):
            if _has(sizes, size):
                # Same size: the roots alone decide.
                check_growth(self._read(shelf, size), head, SignedTiles(head, sources[0]))
        if not _has(self._sizes, size):
            try:
                self._prove(head, sources)
            except (EvidenceError, RetryableError, NotFoundError, MalformedError) as error:
                if error.code != "two_histories":
                    self._keep_apart(head)
                raise
        return self._keep(head)

    def settle(self, head: SignedHead, sources: Sequence[LogSource]) -> None:
        """Try again to tie what was kept apart and is smaller than a tied checkpoint.

        Raises:
            EvidenceError: ``two_histories``.
        """
        for size in [one for one in self._loose_sizes if one <= head.checkpoint.size]:
            loose = self._read(self._loose, size)
            try:
                _try_each(loose, head, sources)
            except (EvidenceError, RetryableError, NotFoundError, MalformedError) as error:
                if error.code == "two_histories":
                    raise
                continue
            self._keep(loose)

    def _prove(self, head: SignedHead, sources: Sequence[LogSource]) -> None:
        at = bisect_left(self._sizes, head.checkpoint.size)
        if at:
            _try_each(self._read(self._tied, self._sizes[at - 1]), head, sources)
        if at < len(self._sizes):
            _try_each(head, self._read(self._tied, self._sizes[at]), sources)

    def _keep(self, head: SignedHead) -> SignedHead:
        size = head.checkpoint.size
        note = self._tied.keep(size, head.note)
        if not _has(self._sizes, size):
            insort(self._sizes, size)
        if _has(self._loose_sizes, size):
            self._folder.remove(f"{UNPROVED}/{size}")
            self._loose_sizes.remove(size)
        return head if note == head.note else self._open(note)

    def _keep_apart(self, head: SignedHead) -> None:
        size = head.checkpoint.size
        if _has(self._loose_sizes, size) or len(self._loose_sizes) < UNPROVED_MAX:
            self._loose.keep(size, head.note)
            if not _has(self._loose_sizes, size):
                insort(self._loose_sizes, size)

    def _read(self, shelf: Shelf, size: int) -> SignedHead:
        note = shelf.get(size)
        if note is None:
            raise CorruptionError(
                f"the checkpoint of size {size} was removed from {self._folder.folder} meanwhile; "
                "run the command again",
                code="checkpoint_removed",
            )
        return self._open(note)


def _has(sizes: Sequence[int], size: int) -> bool:
    at = bisect_left(sizes, size)
    return at < len(sizes) and sizes[at] == size


def _try_each(old: SignedHead, new: SignedHead, sources: Sequence[LogSource]) -> None:
    """Check that `new` contains `old` with the first source whose tiles are right.

    Raises:
        EvidenceError: ``two_histories``, or ``served_wrong`` where no source was better.
        LedgerError: what the last source raised.
    """
    failure: EvidenceError | RetryableError | NotFoundError | MalformedError | None = None
    for source in sources:
        try:
            check_growth(old, new, SignedTiles(new, source))
        except (EvidenceError, RetryableError, NotFoundError, MalformedError) as error:
            if error.code == "two_histories":
                raise
            # Wrong tiles say more than missing ones.
            if not isinstance(failure, EvidenceError):
                failure = error
        else:
            return
    if failure is not None:
        raise failure
