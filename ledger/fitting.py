"""What is read of the log must fit the signed root, or it is not given out.

A disk can return other bytes than were written. Whatever anybody may take for proof is
therefore compared before it leaves: entries with their leaf hashes (in the store), tiles with
the tile above them and so on up to the signed head, notes with the keys that signed them. What
does not fit raises `CorruptionError`; the figures that follow from the entries cannot be
checked so, and are compared by the inspection (``inspection``).
"""

from __future__ import annotations

from collections import OrderedDict
from functools import lru_cache

from orjson import loads

from ledger.entry import parse_entry
from ledger.errors import CorruptionError, LedgerError, NotFoundError
from ledger.keys.history import KeyHistory, history_from_json
from ledger.records.keys import HISTORY
from ledger.store import Head, Reader
from ledger.tlog.checkpoint import Checkpoint
from ledger.tlog.cosignature import verifier_for
from ledger.tlog.merkle import HASH_SIZE, leaf_hash, root_of, split_hashes
from ledger.tlog.note import VerifierKey, parse_signatures, parse_verifier_key, split_note
from ledger.tlog.tiles import (
    TILE_HEIGHT,
    TILE_WIDTH,
    TileWriter,
    format_bundle,
    tile_width,
)
from ledger.vault import Vault
from ledger.verify import verify_checkpoint

NOTES_KEPT = 256
"""Notes whose signatures this process has verified: the newest is asked for again and again."""
TILES_KEPT = 64
"""Tiles of one snapshot that are known to fit, 8 KiB each."""

_LAST = TILE_WIDTH - 1


def read_key_history(reader: Reader) -> KeyHistory:
    """Which keys a log has had, by its state; by its first entry, where it never changed any.

    Raises:
        NotFoundError: the log is empty.
    """
    kept = reader.object(HISTORY)
    if kept is not None:
        return history_from_json(loads(kept))
    return KeyHistory().take(parse_entry(reader.entry(0)))


def require_right_vault(reader: Reader, vault: Vault) -> None:
    """Return if the vault's key is the one with which this log's rows were sealed.

    One row that does not open is damage, for the inspection to tell; that none of them does,
    at the beginning, in the middle and at the end, is another key.

    Raises:
        CorruptionError: it is another key (``wrong_vault_key``).
    """
    head = reader.head()
    last = 0 if head is None else head.size - 1
    places = sorted({0, last // 2, last})
    rows = [(place, data) for place in places if (data := reader.vault(place)) is not None]
    for place, data in rows:
        try:
            vault.decrypt(place, data)
        except CorruptionError:
            continue
        return
    if rows:
        raise CorruptionError(
            "the vault's key here is not the one with which this log's personal fields and "
            "idempotency keys are sealed: nothing could be read, and what it seals no other "
            "machine could read; put the log's vault.key there",
            code="wrong_vault_key",
        )


def require_signed(note: bytes, keys: tuple[VerifierKey, ...]) -> Checkpoint:
    """The checkpoint of a stored note that the log's keys signed.

    Raises:
        CorruptionError: they did not (``checkpoint_damaged``).
    """
    try:
        return _signed(note, keys)
    except LedgerError as error:
        raise CorruptionError(
            f"a stored checkpoint is not one that the log's keys signed ({error.message}); stop "
            "and run shanji audit",
            code="checkpoint_damaged",
        ) from None


@lru_cache(NOTES_KEPT)
def _signed(note: bytes, keys: tuple[VerifierKey, ...]) -> Checkpoint:
    return verify_checkpoint(note, keys)[0]


def require_cosigned(key: str, line: bytes, note: bytes) -> None:
    """Return if a stored line is a witness's signature over a checkpoint.

    Raises:
        CorruptionError: it is not (``cosignature_damaged``).
    """
    try:
        _cosigned(key, line, split_note(note)[0])
    except LedgerError as error:
        raise CorruptionError(
            f"a stored cosignature by {key} is not one ({error.message}); stop and run "
            "shanji audit",
            code="cosignature_damaged",
        ) from None


@lru_cache(NOTES_KEPT)
def _cosigned(key: str, line: bytes, text: bytes) -> None:
    verifier = verifier_for(parse_verifier_key(key))
    (signature,) = parse_signatures(line)
    if (signature.name, signature.key_id) != (verifier.name, verifier.key_id):
        raise CorruptionError("it is a line of another key")
    verifier.verify(text, signature.signature)


def checked_note(reader: Reader, size: int) -> bytes:
    """The checkpoint of a size with what witnesses said of it, every signature verified.

    Raises:
        NotFoundError: none was signed at that size.
        CorruptionError: a signature on it is none, or it is of another size.
    """
    require_sound(reader, size, reader.checkpoint(size))
    return reader.cosigned_checkpoint(size)


def require_sound(reader: Reader, size: int, note: bytes) -> None:
    """Return if a stored checkpoint of this size and all its stored cosignatures verify.

    Raises:
        CorruptionError: one does not, or it is of another size.
    """
    checkpoint = require_signed(note, read_key_history(reader).keys)
    if checkpoint.size != size:
        raise CorruptionError(
            f"the checkpoint stored for size {size} is of size {checkpoint.size}; stop and run "
            "shanji audit",
            code="checkpoint_damaged",
        )
    for key, line in reader.cosignatures(size):
        require_cosigned(key, line, note)


class FittingTiles:
    """The tiles of one snapshot, each compared with the one above it, up to the signed head.

    Args:
        reader: The snapshot; one thread at a time.

    Raises:
        NotFoundError: the log is empty.
        CorruptionError: head, edges and the signed checkpoint differ; methods raise it for a
            tile that does not fit (``tile_damaged``).
    """

    def __init__(self, reader: Reader) -> None:
        head = reader.head()
        if head is None:
            raise NotFoundError("the log is empty")
        self.head: Head = head
        self._reader = reader
        signed = require_signed(head.checkpoint, read_key_history(reader).keys)
        self._edges = TileWriter(head.size, reader.edges())
        if not (signed.size == head.size and signed.root == head.root == self._edges.root()):
            raise CorruptionError(
                f"the head of size {head.size}, its checkpoint and the tree's right edge do not "
                "fit each other; stop and run shanji audit",
                code="head_damaged",
            )
        self._known: OrderedDict[tuple[int, int], bytes] = OrderedDict()

    def tile(self, level: int, number: int, width: int) -> bytes:
        """The first `width` hashes of a tile.

        Raises:
            NotFoundError: the tree has no tile of that width there.
        """
        size = self.head.size
        if level < 0 or number < 0 or not 0 < width <= tile_width(size, level, number):
            raise NotFoundError(
                f"the tree has no tile of level {level}, number {number} with {width} hashes",
                code="no_tile",
            )
        if number == size >> TILE_HEIGHT * (level + 1):
            return self._edges.edges[level][: width * HASH_SIZE]
        data = self._known.get((level, number))
        if data is None:
            data = self._full(level, number)
            self._known[level, number] = data
            if len(self._known) > TILES_KEPT:
                self._known.popitem(last=False)
        return data[: width * HASH_SIZE]

    def _full(self, level: int, number: int) -> bytes:
        parent = number >> TILE_HEIGHT
        above = self.tile(level + 1, parent, tile_width(self.head.size, level + 1, parent))
        start = (number & _LAST) * HASH_SIZE
        data = self._reader.tile(level, number, TILE_WIDTH)
        if root_of(split_hashes(data)) != above[start : start + HASH_SIZE]:
            raise CorruptionError(
                f"tile {number} of level {level} does not fit the signed root; stop and run "
                "shanji audit",
                code="tile_damaged",
            )
        return data

    def entries(self, number: int, width: int) -> list[bytes]:
        """The first `width` entries of a bundle, as the tree has them.

        Raises:
            NotFoundError: the log has not that many there.
            CorruptionError: one of them is not in the tree (``entry_damaged``).
        """
        first = number * TILE_WIDTH
        hashes = self.tile(0, number, width)
        entries = self._reader.entries(first, first + width)
        for place, data in enumerate(entries):
            if leaf_hash(data) != hashes[place * HASH_SIZE : (place + 1) * HASH_SIZE]:
                raise CorruptionError(
                    f"entry {first + place} does not fit the signed root; stop and run "
                    "shanji audit",
                    code="entry_damaged",
                    details={"index": first + place},
                )
        return entries

    def bundle(self, number: int, width: int) -> bytes:
        """The first `width` entries of a bundle (c2sp.org/tlog-tiles); errors as `entries`."""
        if not 0 < width <= TILE_WIDTH or number < 0:
            raise NotFoundError(
                f"the log has no entry bundle {number} with {width} entries", code="no_tile"
            )
        return format_bundle(self.entries(number, width))
