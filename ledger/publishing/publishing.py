"""Uploading what a target has not yet; safe to interrupt, and cheap to run again.

Tiles and bundles are verified against the root of a checkpoint that the log signed, and put
before it: until it is there the target is the older log, complete. A long way is gone in
steps, each to a checkpoint of its own, so that an interruption loses one step at most.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass

from ledger.audit.signed_tiles import SignedHead, SignedTiles, open_head
from ledger.audit.source_store import StoreSource
from ledger.errors import (
    ConflictError,
    CorruptionError,
    LedgerError,
    NotFoundError,
)
from ledger.publishing.targets import Target
from ledger.store import Reader, Store
from ledger.tlog.merkle import leaf_hash, split_hashes
from ledger.tlog.note import VerifierKey
from ledger.tlog.tiles import (
    ENTRIES,
    TILE_HEIGHT,
    TILE_WIDTH,
    TileReader,
    format_tile_path,
    parse_bundle,
    partial_width,
)
from ledger.witnessing import Witnessing

STEP_ENTRIES = 65_536
"""Entries between two checkpoints that are published on the way."""
WORKERS = 8
WORKERS_MAX = 64
UPLOADS_AHEAD = 16
"""Uploads that each worker may have waiting: memory stays flat."""

Put = Callable[[str, bytes], None]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Published:
    """What a run did.

    Attributes:
        size: The target's size now.
        before: Its size before; 0 for an empty target.
        root: The root of its checkpoint.
        files: How many tiles and bundles were put.
    """

    size: int
    before: int
    root: bytes
    files: int


def publish(
    store: Store,
    target: Target,
    keys: Sequence[VerifierKey],
    *,
    witnessing: Witnessing | None = None,
    everything: bool = False,
    workers: int = WORKERS,
    progress: Progress | None = None,
) -> Published:
    """Bring a target up to the log's newest checkpoint.

    Args:
        store: The log.
        target: Where to.
        keys: The log's own, of all its time.
        witnessing: Publish only checkpoints that the required witnesses have seen.
        everything: Put also what is there already, to mend a damaged target.
        workers: How many uploads at once, 1 to `WORKERS_MAX`.
        progress: Called with (entries done, entries in all).

    Raises:
        NotFoundError: the log is empty, or no checkpoint has the required witnesses yet.
        ConflictError: the target holds another log, or is ahead of this one.
        CorruptionError: it is of another history, or what is stored is not what was signed.
        EvidenceError: a stored tile is not the one that was signed.
        NotReadyError, FatalError: the target did not take a file; the run may be repeated.
    """
    witnessing = witnessing or Witnessing()
    published = target.get_checkpoint()
    with store.read() as reader:
        newest = witnessing.newest(reader)
        if newest is None:
            raise NotFoundError("the log has no checkpoint to publish yet; try again later")
        held = _held(reader, published, newest, target, keys)
        steps = [newest] if witnessing.require else list(_steps(reader, held, newest))
        notes = [reader.cosigned_checkpoint(size) for size in steps or [newest]]
    before = held
    files = 0
    with closing(StoreSource(store)) as source:
        for note in notes:
            head = open_head(note, keys, int(time.time()))
            size = head.checkpoint.size
            if size > held or everything:
                with _uploads(target, workers) as put:
                    files += _upload(head, source, 0 if everything else held, put, progress, newest)
                everything = False
            if note != published:
                target.put_checkpoint(note)
            held = size
    return Published(held, before, head.checkpoint.root, files)


def _held(
    reader: Reader,
    published: bytes | None,
    newest: int,
    target: Target,
    keys: Sequence[VerifierKey],
) -> int:
    """The size of what the target holds; it must be the beginning of this log."""
    if published is None:
        return 0
    try:
        there = open_head(published, keys, int(time.time())).checkpoint
    except LedgerError as error:
        raise ConflictError(
            f"{target.name} holds a checkpoint that this log's keys did not sign "
            f"({error.message}); publish each log to a place of its own",
            code="another_log",
        ) from None
    if there.size > newest:
        raise ConflictError(
            f"{target.name} holds {there.size} entries, and the log here has {newest} to publish: "
            "this is an older copy, or fewer witnesses have seen it; nothing was uploaded",
            code="target_ahead",
            details={"published": there.size, "size": newest},
        )
    if TileReader(there.size, reader.tile).root() != there.root:
        raise CorruptionError(
            f"at size {there.size} {target.name} has another root than the log here: two "
            "histories; nothing was uploaded; keep both, and ask an auditor",
            code="another_history",
            details={"size": there.size},
        )
    return there.size


def _steps(reader: Reader, held: int, newest: int) -> Iterator[int]:
    """Sizes to go to one after another; each has a checkpoint."""
    while held < newest:
        found = reader.newest_checkpoint(min(newest, held + STEP_ENTRIES))
        if found is None or found[0] <= held:
            found = reader.checkpoints(held, 1)[0]
        held = found[0]
        yield held


@contextmanager
def _uploads(target: Target, workers: int) -> Iterator[Put]:
    """Puts in threads, a bounded number ahead; all are done at the end, or the first failure
    is raised."""
    waiting: deque[Future[None]] = deque()
    pool = ThreadPoolExecutor(max(1, min(workers, WORKERS_MAX)), thread_name_prefix="publish")

    def put(path: str, data: bytes) -> None:
        waiting.append(pool.submit(target.put, path, data))
        while len(waiting) > UPLOADS_AHEAD * workers:
            waiting.popleft().result()

    try:
        yield put
        while waiting:
            waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _upload(
    head: SignedHead,
    source: StoreSource,
    held: int,
    put: Put,
    progress: Progress | None,
    newest: int,
) -> int:
    """Put every tile and bundle of a checkpoint that one of size `held` has not; how many."""
    size = head.checkpoint.size
    tiles = SignedTiles(head, source)
    edges = tiles.edges()
    files = 0
    for level, edge in enumerate(edges):
        first, end = (one >> TILE_HEIGHT * (level + 1) for one in (held, size))
        for number in range(first, end):
            data = tiles.tile(level, number, TILE_WIDTH)
            put(format_tile_path(level, number), data)
            files += 1
            if level == 0:
                put(format_tile_path(ENTRIES, number), _bundle(source, number, data))
                files += 1
                if progress is not None:
                    progress((number + 1) * TILE_WIDTH, newest)
        if edge:
            width = partial_width(size, level)
            put(format_tile_path(level, end, width), edge)
            files += 1
            if level == 0:
                put(format_tile_path(ENTRIES, end, width), _bundle(source, end, edge))
                files += 1
    return files


def _bundle(source: StoreSource, number: int, tile: bytes) -> bytes:
    """The bundle of a checked level-0 tile; each entry must have the hash that was signed."""
    hashes = split_hashes(tile)
    data = source.bundle(number, len(hashes))
    entries = parse_bundle(data, len(hashes))
    for place, (entry, leaf) in enumerate(zip(entries, hashes, strict=True)):
        if leaf_hash(entry) != leaf:
            raise CorruptionError(
                f"entry {number * TILE_WIDTH + place} is not the one that was signed; nothing of "
                "it was published: run shanji audit",
                code="entry_changed",
            )
    return data
