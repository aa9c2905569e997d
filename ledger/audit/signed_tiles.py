"""Tiles that are checked against a signed root before anybody uses them.

The partial tiles on the right edge hash together to the root of the checkpoint. Every
full tile hashes to one of its parent's hashes, and the parents lead up to that edge. So
each tile is known to be right, or wrong, when it arrives, before the next is asked for.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ledger.audit.evidence import Prefix, Served, format_prefix, format_served
from ledger.audit.source import LogSource
from ledger.errors import EvidenceError, MalformedError, NotFoundError
from ledger.tlog.checkpoint import Checkpoint
from ledger.tlog.merkle import HASH_SIZE, root_of, split_hashes
from ledger.tlog.proofs import collect_siblings, edge_hash, verify_consistency
from ledger.tlog.tiles import (
    TILE_HEIGHT,
    TILE_WIDTH,
    TileReader,
    TileWriter,
    format_tile_path,
    partial_width,
    tile_width,
)
from ledger.tlog.witnessed import WitnessedCheckpoint
from ledger.verify import Trust, open_trusted

TILES_KEPT = 256
"""Checked tiles kept in memory, 8 KiB each."""

_LAST = TILE_WIDTH - 1

Take = Callable[[int, int, bytes], None]


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A checkpoint that one of the log's keys signed.

    Attributes:
        note: The signed note as it came.
        checkpoint: What it says.
        witnessed: Its cosignatures by the policy; None where keys were given.
    """

    note: bytes
    checkpoint: Checkpoint
    witnessed: WitnessedCheckpoint | None

    @property
    def settled(self) -> bool:
        """Whether as many witnesses saw it as the policy asks for."""
        return self.witnessed is None or self.witnessed.quorum_met


def open_head(note: bytes, trust: Trust, now: int) -> SignedHead:
    """Open a signed checkpoint; errors as for ``verify.open_trusted``."""
    checkpoint, _, witnessed = open_trusted(note, trust, now)
    return SignedHead(note, checkpoint, witnessed)


class SignedTiles:
    """The tiles under one signed checkpoint; may be used by several threads at once.

    Args:
        head: The checkpoint.
        source: Where the tiles come from.
        local: A source that is asked first for full tiles, such as the mirror's own
            folder; what is wrong there is taken from `source`.
        take: Called with (level, number, bytes) for each tile that came from `source`
            and is right.

    Every method raises EvidenceError (``served_wrong``) for a tile that is not the one
    that was signed, and what `LogSource` raises.
    """

    def __init__(
        self,
        head: SignedHead,
        source: LogSource,
        *,
        local: LogSource | None = None,
        take: Take | None = None,
    ) -> None:
        self.head = head
        self.size = head.checkpoint.size
        self._source = source
        self._local = local
        self._take = take
        self._full: OrderedDict[tuple[int, int], bytes] = OrderedDict()
        self._edges: list[bytes] | None = None
        self._lock = threading.RLock()

    def edges(self) -> list[bytes]:
        """The partial tiles by level, empty where there is none; they give the root."""
        if self._edges is None:
            edges: list[bytes] = []
            for level in range((self.size.bit_length() + TILE_HEIGHT - 1) // TILE_HEIGHT):
                width = partial_width(self.size, level)
                number = self.size >> TILE_HEIGHT * (level + 1)
                edges.append(self._source.tile(level, number, width) if width else b"")
            if TileWriter(self.size, edges).root() != self.head.checkpoint.root:
                raise self._wrong_edges(edges)
            self._edges = edges
            if self._take is not None:
                for level, edge in enumerate(edges):
                    if edge:
                        self._take(level, self.size >> TILE_HEIGHT * (level + 1), edge)
        return self._edges

    def expected(self, level: int, number: int) -> bytes:
        """The hash that a full tile must have, from its parent."""
        parent, place = number >> TILE_HEIGHT, number & _LAST
        data = self.tile(level + 1, parent, tile_width(self.size, level + 1, parent))
        return data[place * HASH_SIZE : (place + 1) * HASH_SIZE]

    def tile(self, level: int, number: int, width: int) -> bytes:
        """The first `width` hashes of a tile of this tree, checked."""
        if not 0 < width <= tile_width(self.size, level, number):
            raise NotFoundError(
                f"the tree of size {self.size} has no tile of level {level}, number {number} "
                f"with {width} hashes",
                code="no_tile",
            )
        with self._lock:
            if number == self.size >> TILE_HEIGHT * (level + 1):
                data = self.edges()[level]
            else:
                data = self._full_tile(level, number)
        return data[: width * HASH_SIZE]

    def _full_tile(self, level: int, number: int) -> bytes:
        key = (level, number)
        data = self._full.get(key)
        if data is None:
            data = self.fetch(level, number, self.expected(level, number))
            self._full[key] = data
            if len(self._full) > TILES_KEPT:
                self._full.popitem(last=False)
        else:
            self._full.move_to_end(key)
        return data

    def fetch(self, level: int, number: int, expected: bytes) -> bytes:
        """A full tile that must have the hash `expected`; safe for several threads."""
        if self._local is not None:
            data = read_or_none(lambda local: local.tile(level, number, TILE_WIDTH), self._local)
            if data is not None and root_of(split_hashes(data)) == expected:
                return data
        data = self._source.tile(level, number, TILE_WIDTH)
        if root_of(split_hashes(data)) != expected:
            height = TILE_HEIGHT * (level + 1)
            raise self.wrong(format_tile_path(level, number), data, height, number, expected)
        if self._take is not None:
            self._take(level, number, data)
        return data

    def wrong(
        self, path: str, data: bytes, height: int, position: int, node: bytes
    ) -> EvidenceError:
        """The error for served bytes whose subtree should have had the hash `node`."""
        reader = TileReader(self.size, self.tile)
        proof = collect_siblings(
            position << height,
            self.size,
            height,
            reader.node,
            lambda edge: edge_hash(self.size, edge, reader.node),
        )
        served = Served(path, data, height, position, node, tuple(proof))
        return EvidenceError(
            f"{path} of {self._source.name} is not what the checkpoint of size {self.size} stands "
            "for: its hash is another; nothing of it was kept",
            code="served_wrong",
            files={"a.checkpoint": self.head.note, "b.served": format_served(served)},
        )

    def _wrong_edges(self, edges: Sequence[bytes]) -> EvidenceError:
        level = next(level for level, edge in enumerate(edges) if edge)
        number = self.size >> TILE_HEIGHT * (level + 1)
        path = format_tile_path(level, number, partial_width(self.size, level))
        served = Served(path, edges[level], edges=tuple(edges))
        return EvidenceError(
            f"the tiles that {self._source.name} serves for the right edge do not give the root "
            f"of its checkpoint of size {self.size}; nothing of them was kept",
            code="served_wrong",
            files={"a.checkpoint": self.head.note, "b.served": format_served(served)},
        )


def read_or_none(read: Callable[[LogSource], bytes], source: LogSource) -> bytes | None:
    """What a source has, None where it has nothing usable: somebody else is asked then."""
    try:
        return read(source)
    except (NotFoundError, MalformedError):
        return None


def check_growth(old: SignedHead, new: SignedHead, tiles: SignedTiles) -> None:
    """Check that the log of `new` contains the log of `old`.

    Args:
        old: Not larger than `new`.
        new: The later head.
        tiles: The tiles under `new`.

    Raises:
        EvidenceError: ``two_histories`` where both cannot be true; ``served_wrong``
            where the tiles are not those of `new`, which leaves the question open.
        LedgerError: what `LogSource` raises.
    """
    size, root = old.checkpoint.size, old.checkpoint.root
    if size == new.checkpoint.size:
        if root != new.checkpoint.root:
            raise two_histories(old, new)
        return
    before = TileReader(size, _cut(tiles, new.checkpoint.size)).root()
    if before == root:
        return
    if size == 0:
        raise two_histories(old, new)
    proof = TileReader(new.checkpoint.size, tiles.tile).consistency(size)
    verify_consistency(size, new.checkpoint.size, proof, before, new.checkpoint.root)
    raise two_histories(old, new, Prefix(size, before, tuple(proof), new.note))


def _cut(tiles: SignedTiles, size: int) -> Callable[[int, int, int], bytes]:
    """Read the tiles of an earlier size out of those of the later one."""

    def read(level: int, number: int, width: int) -> bytes:
        return tiles.tile(level, number, tile_width(size, level, number))[: width * HASH_SIZE]

    return read


def two_histories(old: SignedHead, new: SignedHead, prefix: Prefix | None = None) -> EvidenceError:
    """The error for two signed checkpoints that cannot both be true."""
    files = {"a.checkpoint": old.note, "b.checkpoint": new.note}
    if prefix is not None:
        files["b.consistency"] = format_prefix(prefix)
    sizes = sorted((old.checkpoint.size, new.checkpoint.size))
    return EvidenceError(
        f"the log {new.checkpoint.origin} signed two histories: the checkpoints of the sizes "
        f"{sizes[0]} and {sizes[1]} cannot both be true; keep them and tell others",
        code="two_histories",
        files=files,
    )
