"""What an audit relies on from an earlier one, and the proof that it may.

The log must have grown from what was audited: a consistency proof from the audited root,
computed from the log's own tiles. Checkpoints that the auditor kept from before that size
are proved against the audited root in the same way.
"""

from __future__ import annotations

from ledger.audit.history import History
from ledger.audit.report import Notes
from ledger.audit.walk import Walk
from ledger.errors import LedgerError, RetryableError
from ledger.tlog.proofs import verify_consistency
from ledger.tlog.tiles import ReadTile, TileReader, tile_width


def check_past(walk: Walk, size: int, read_tile: ReadTile, history: History, notes: Notes) -> bool:
    """Prove that the log of today goes on from where the walk begins.

    Args:
        walk: As yet at its beginning.
        size: The log's size.
        read_tile: Reads the log's tiles.
        history: What the auditor kept.
        notes: Gets a finding (``history``) where it does not.

    Returns:
        Whether the walk may go on from there.
    """
    old_size, old_root = walk.tree.size, walk.tree.root()
    if not old_size:
        return True
    base = walk.standing.relies_on()
    evidence = [base.checkpoint] if base is not None else []
    if size < old_size:
        notes.find(
            "history",
            "earlier audit",
            size,
            f"{old_size} entries were audited before, the log has {size} now: the rest was cut "
            "off; keep the state's folder",
            evidence,
        )
        return False

    def widest(level: int, number: int, _width: int) -> bytes:
        """A tile as it is today: narrower ones may be gone."""
        return read_tile(level, number, tile_width(size, level, number))

    try:
        tree = TileReader(size, widest)
        verify_consistency(old_size, size, tree.consistency(old_size), old_root, tree.root())
    except RetryableError:
        raise
    except LedgerError as error:
        notes.find(
            "history",
            "earlier audit",
            None,
            f"the log's tiles do not lead from the {old_size} entries that were audited before "
            f"(root {old_root.hex()}) to its {size} of now: {error.message}",
            evidence,
        )
        return False
    for kept_size, checkpoint in list(history.kept(old_size)):
        history.reach(kept_size, _root_at(kept_size, checkpoint.root, old_size, old_root, widest))
    return True


def _root_at(
    size: int, claimed: bytes, old_size: int, old_root: bytes, read_tile: ReadTile
) -> bytes:
    """The log's root at a size before the walk; the claimed one only if it is proved."""
    proof = TileReader(old_size, read_tile).consistency(size)
    try:
        verify_consistency(size, old_size, proof, claimed, old_root)
    except LedgerError:
        return TileReader(size, read_tile).root()
    return claimed
