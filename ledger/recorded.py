"""The answer to a record: where it stands and the proof of it, and the same again later."""

from __future__ import annotations

from dataclasses import field

from ledger.errors import CorruptionError, LedgerError
from ledger.fitting import read_key_history, require_signed
from ledger.frozen import frozen
from ledger.receipt import Opening, Receipt, build_receipt
from ledger.store import Reader
from ledger.tlog.merkle import leaf_hash
from ledger.tlog.proofs import verify_inclusion
from ledger.tlog.tiles import TileReader
from ledger.vault import Vault


@frozen
class Recorded:
    """The answer to a record: where it stands, and the proof of it.

    Attributes:
        index, leaf_hash: The entry's place and leaf hash.
        size: The size of the checkpoint that the receipt is under.
        proof: The inclusion proof, which was checked before the commit.
        checkpoint: The signed checkpoint.
        opening: The entry and its sealed fields' opening.
        replayed: True where the idempotency key had been used with the same content.
    """

    index: int
    leaf_hash: bytes
    size: int
    proof: tuple[bytes, ...]
    checkpoint: bytes
    opening: Opening = field(repr=False)
    replayed: bool = False

    @property
    def receipt(self) -> bytes:
        """The receipt as a tlog-proof file, with the full opening."""
        return build_receipt(Receipt(self.index, self.proof, self.checkpoint, self.opening))


Trees = dict[int, tuple[TileReader, bytes]]
"""By size: the tree that was read, and its signed root."""


def recall(reader: Reader, vault: Vault, index: int, trees: Trees | None = None) -> Recorded:
    """The answer that an entry's record got, as it was: under the first checkpoint after it.

    Where its sealed fields have been erased since, the opening lacks them.

    Args:
        reader: A snapshot of the log.
        vault: Opens the sealed fields.
        index: The entry.
        trees: Kept from one call to the next on the same snapshot, to read tiles once.

    Raises:
        NotFoundError: the log has no such entry.
        CorruptionError: what is stored contradicts itself.
    """
    data = reader.entry(index)
    size, checkpoint = _first_checkpoint(reader, index)
    trees = {} if trees is None else trees
    if size not in trees:
        signed = require_signed(checkpoint, read_key_history(reader).keys)
        trees[size] = TileReader(size, reader.tile), signed.root
    tree, root = trees[size]
    leaf = leaf_hash(data)
    proof = tuple(tree.inclusion(index))
    try:
        verify_inclusion(index, size, leaf, proof, root)
    except LedgerError:
        raise CorruptionError(
            f"the stored tiles do not prove entry {index} in checkpoint {size}; "
            "stop and run shanji audit",
            details={"index": index, "size": size},
        ) from None
    stored = reader.vault(index)
    if stored is None:
        # An erasure leaves the row: without it a receipt would only look as if there had been one.
        raise CorruptionError(
            f"the vault has no row of entry {index}; stop and run shanji audit",
            details={"index": index},
        )
    row = vault.decrypt(index, stored)
    opening = Opening(data, row.seed, row.values)
    return Recorded(index, leaf, size, proof, checkpoint, opening, replayed=True)


def _first_checkpoint(reader: Reader, index: int) -> tuple[int, bytes]:
    found = reader.checkpoints(index, 1)
    if not found:
        raise CorruptionError(f"no checkpoint covers entry {index}", details={"index": index})
    return found[0]
