"""Checkpoints that a log must not be behind: what stops a second history.

A log restored from an older backup is a valid older log. Written on, it would sign other
entries under sizes that somebody has seen signed already: two histories. What the log was
seen to have reached is therefore kept as signed checkpoints, one a file, in the data folder
(``known-checkpoints/``): by a restore, by whoever hears from a witness, by hand. While one
of them is ahead of the log, or of another history, nothing is written.

A witness that has seen more names a size and gives no checkpoint. What it said is a hold on
the folder (``holds``), asked for together with the checkpoints.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from ledger.errors import CorruptionError, LedgerError, MalformedError, NotReadyError
from ledger.holds import DAMAGED, HALTED, UNCONFIRMED, require_free, require_none
from ledger.store import Head, Reader
from ledger.tlog.checkpoint import Checkpoint
from ledger.tlog.note import NOTE_BYTES_MAX, VerifierKey
from ledger.tlog.tiles import TileReader
from ledger.verify import checkpoint_of, verify_checkpoint

FOLDER = "known-checkpoints"
SUFFIX = ".checkpoint"
FILES_MAX = 1000
"""Known checkpoints of one log; the newest alone would do."""
BEHIND = "behind_known_checkpoint"


def require_not_behind(head: Head | None, known: Sequence[Checkpoint]) -> None:
    """Return if the log has reached every known checkpoint.

    Args:
        head: The log's newest state; None for an empty log.
        known: Checkpoints of this log, their signatures verified.

    Raises:
        NotReadyError: one is of a larger size (``behind_known_checkpoint``): entries that
            were signed are not here, and writing would sign a second history.
    """
    size = 0 if head is None else head.size
    ahead = max((one.size for one in known), default=0)
    if ahead > size:
        raise NotReadyError(
            f"the log has {size} entries here, and was seen with {ahead}: nothing is written, "
            "for a second history would be signed; restore a newer backup (docs/operations.md)",
            code=BEHIND,
            details={"size": size, "known": ahead},
        )


def require_contains(reader: Reader, known: Sequence[Checkpoint]) -> None:
    """Return if the log's tree gives the root of every known checkpoint that it has reached.

    Raises:
        CorruptionError: at that size the log has another root (``another_history``).
    """
    head = reader.head()
    for one in known:
        if head is None or one.size > head.size:
            continue
        root = TileReader(one.size, reader.tile).root()
        if root != one.root:
            raise CorruptionError(
                f"at size {one.size} the log here has the root {root.hex()}, and was seen with "
                f"{one.root.hex()}: two histories; stop, keep both, and ask an auditor",
                code="another_history",
                details={"size": one.size},
            )


class KnownCheckpoints:
    """The known checkpoints of one data folder; read again when a file comes or goes.

    Args:
        folder: The data folder.
        keys: The log's verifier keys, as of now.
        shared: Whether holds are asked for in the database too (``holding``).
    """

    def __init__(
        self, folder: Path, keys: Callable[[], Sequence[VerifierKey]], *, shared: bool = False
    ) -> None:
        self._data = folder
        self._shared = shared
        self._folder = folder / FOLDER
        self._keys = keys
        self._names: frozenset[str] = frozenset()
        self._known: list[Checkpoint] = []
        self._compared = False

    def check(self, reader: Reader, head: Head | None) -> None:
        """Return if the log may be written.

        Raises:
            NotReadyError: it is behind a known checkpoint, or something holds the folder
                (``holds``).
            CorruptionError: it is of another history than one.
            MalformedError: a file there is no checkpoint that the log's keys signed.
        """
        # Under the writer's lock: what another machine has placed is seen here.
        rows = reader.holds() if self._shared else {}
        require_free(self._data, (HALTED, DAMAGED))
        require_none(self._data, rows, (HALTED, DAMAGED))
        names = self._list()
        if names != self._names:
            # Only now, for a log that is being made has no entry to name its keys.
            keys = self._keys()
            self._known = [read_known(self._folder / name, keys)[0] for name in names]
            self._names, self._compared = names, False
        require_not_behind(head, self._known)
        if not self._compared:
            require_contains(reader, self._known)
            self._compared = True
        # Last: that it is behind says more than that nobody was asked yet.
        require_free(self._data, (UNCONFIRMED,))
        require_none(self._data, rows, (UNCONFIRMED,))

    def _list(self) -> frozenset[str]:
        try:
            names = frozenset(one for one in os.listdir(self._folder) if one.endswith(SUFFIX))
        except FileNotFoundError:
            return frozenset()
        if len(names) > FILES_MAX:
            raise MalformedError(
                f"{self._folder} holds {len(names)} checkpoints, at most {FILES_MAX} are read; "
                "keep the newest ones"
            )
        return names


def read_known(path: Path, keys: Sequence[VerifierKey]) -> tuple[Checkpoint, bytes]:
    """A checkpoint from a file (or from a receipt in it), verified, and its signed note.

    Raises:
        MalformedError: it cannot be read, or none of the keys signed it.
    """
    try:
        with path.open("rb") as file:
            data = file.read(NOTE_BYTES_MAX + 1)
        note = checkpoint_of(data)
        return verify_checkpoint(note, keys)[0], note
    except OSError as error:
        raise MalformedError(f"{path} cannot be read: {error.strerror}") from None
    except LedgerError as error:
        raise MalformedError(
            f"{path}: expected a checkpoint that this log's keys signed: {error.message}",
            code="known_checkpoint",
        ) from None


def write_known(folder: Path, checkpoint: Checkpoint, note: bytes) -> Path:
    """Keep a verified checkpoint in a data folder; the same one again changes nothing."""
    place = folder / FOLDER
    place.mkdir(mode=0o700, exist_ok=True)
    path = place / f"{checkpoint.size:012d}-{checkpoint.root.hex()[:16]}{SUFFIX}"
    part = path.with_suffix(".part")
    part.write_bytes(note)
    part.replace(path)
    return path
