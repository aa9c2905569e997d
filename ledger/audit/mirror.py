"""The mirror: a copy of a log's public data that is verified while it is made.

One update, in this order:

1. The newest checkpoint is opened by the keys or the policy, and compared with every
   checkpoint seen before: two that cannot both be true stop everything, with evidence.
2. The tiles on the right edge must give its root; every full tile must have the hash
   that its parent holds, every entry the hash that its level-0 tile holds.
3. What is right is written; what an earlier run left is checked and kept.
4. The checkpoint is written last. Until then the folder is the older log, complete.

Memory is bounded: `UNITS_AHEAD` bundles and the tiles that `SignedTiles` keeps.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Literal

from ledger.audit.chain import Chain
from ledger.audit.evidence_folder import write_evidence
from ledger.audit.folder import EVIDENCE, TILES, MirrorFolder
from ledger.audit.signed_tiles import (
    SignedHead,
    SignedTiles,
    open_head,
)
from ledger.audit.source import LogSource
from ledger.errors import (
    CorruptionError,
    EvidenceError,
    MalformedError,
    NotFoundError,
    UndecidedError,
    VerificationError,
)
from ledger.tlog.merkle import leaf_hash, split_hashes
from ledger.tlog.tiles import (
    ENTRIES,
    TILE_HEIGHT,
    TILE_WIDTH,
    format_tile_path,
    parse_bundle,
    partial_width,
)
from ledger.verify import Trust

WORKERS = 8
WORKERS_MAX = 64
UNITS_AHEAD = 4
"""Level-0 tiles with their bundles that each worker may have waiting."""

State = Literal["copied", "current", "pending", "behind"]
Progress = Callable[[int, int], None]
Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Update:
    """What an update did.

    Attributes:
        state: ``copied`` when the mirror grew; ``current`` when there was nothing to copy;
            ``pending`` when too few witnesses saw the new checkpoint; ``behind`` when the
            source shows an older log than it did before.
        size: The mirror's size now, -1 before its first checkpoint.
        source_size: The size of the source's checkpoint.
        root: The root of the source's checkpoint.
    """

    state: State
    size: int
    source_size: int
    root: bytes


class Mirror:
    """Copies one log into one folder; `update` as often as wanted.

    Args:
        source: Where the log is read.
        folder: The folder, locked for this process.
        trust: The log's keys or a policy.
        workers: How many requests at once, up to `WORKERS_MAX`.
        accept_unwitnessed: Copy also what too few witnesses saw.
        recheck: Check all that is held once more, and replace what was damaged.
        progress: Called with (entries done, entries in all).
        clock: Seconds since 1970.

    Raises:
        CorruptionError: the folder's own right edge does not give its checkpoint's root.
        LedgerError: its checkpoint is not signed as `trust` demands.
    """

    def __init__(
        self,
        source: LogSource,
        folder: MirrorFolder,
        trust: Trust,
        *,
        workers: int = WORKERS,
        accept_unwitnessed: bool = False,
        recheck: bool = False,
        progress: Progress | None = None,
        clock: Clock = time.time,
    ) -> None:
        if not 1 <= workers <= WORKERS_MAX:
            raise MalformedError(f"expected 1 to {WORKERS_MAX} workers, got {workers}")
        self._source = source
        self._folder = folder
        self._trust = trust
        self._workers = workers
        self._accept_unwitnessed = accept_unwitnessed
        self._recheck = recheck
        self._progress = progress
        self._clock = clock
        self._chain = Chain(folder, self._open)
        self._resumed = False
        held = folder.checkpoint()
        self._held = None if held is None else self._open(held)
        if self._held is not None:
            if not recheck:
                self._check_held(self._held)
            folder.remove_partials(self._chain.sizes, self._held.checkpoint.size)

    @property
    def size(self) -> int:
        """The mirror's size, -1 before its first checkpoint."""
        return -1 if self._held is None else self._held.checkpoint.size

    def update(self) -> Update:
        """Bring the folder up to the source's newest checkpoint.

        Raises:
            EvidenceError: ``two_histories`` or ``served_wrong``; the files are in the
                folder's `evidence`, and nothing wrong has been given a final name.
            RetryableError: the source is away; run it again.
            FatalError: the disk failed; run it again.
            UndecidedError: ``withheld``: a tile or bundle is not served at all.
            VerificationError: ``served_malformed``: one has an impossible length.
            LedgerError: the checkpoint is not signed as `trust` demands, or malformed.
        """
        head = self._open(self._source.checkpoint())
        try:
            return self._update(head)
        except EvidenceError as error:
            place = self._keep_evidence(error)
            error.message = f"{error.message} (evidence: {place})"
            raise
        except NotFoundError as error:
            raise UndecidedError(
                f"{self._source.name} does not serve what its checkpoint of size "
                f"{head.checkpoint.size} stands for: {error.message}; ask whoever runs it",
                code="withheld",
            ) from None
        except MalformedError as error:
            raise VerificationError(
                f"{self._source.name} serves something else than its checkpoint of size "
                f"{head.checkpoint.size} stands for: {error.message}",
                code="served_malformed",
            ) from None

    def _update(self, head: SignedHead) -> Update:
        size = head.checkpoint.size
        seen = self._chain.sizes[-1] if self._chain.sizes else -1
        # An older state must be the beginning of what the folder holds.
        sources = (self._folder.source, self._source) if size < seen else (self._source,)
        try:
            head = self._chain.link(head, sources)
        except NotFoundError:
            if size < seen:
                return self._told("behind", head)
            raise
        self._chain.settle(head, (self._source,))
        if size < self.size:
            return self._told("behind", head)
        if not head.settled and not self._accept_unwitnessed:
            return self._told("pending", head)
        if size == self.size and not self._recheck:
            self._publish(head)
            return self._told("current", head)
        self._copy(head)
        self._publish(head)
        self._recheck = False
        self._folder.remove_partials(self._chain.sizes, size)
        return self._told("copied", head)

    def _told(self, state: State, head: SignedHead) -> Update:
        return Update(state, self.size, head.checkpoint.size, head.checkpoint.root)

    def _open(self, note: bytes) -> SignedHead:
        return open_head(note, self._trust, int(self._clock()))

    def _publish(self, head: SignedHead) -> None:
        """Make a complete checkpoint the folder's own."""
        if head.note != self._folder.checkpoint():
            self._folder.write_checkpoint(head.note)
        self._held = head

    def _check_held(self, held: SignedHead) -> None:
        """The folder's right edge must give its root, or the copy would start from ruins."""
        try:
            SignedTiles(held, self._folder.source).edges()
        except (EvidenceError, NotFoundError, MalformedError) as error:
            raise CorruptionError(
                f"{self._folder.folder} was damaged: its own tiles do not give the root of its "
                f"checkpoint of size {held.checkpoint.size} ({error}); run it with --recheck",
                code="mirror_damaged",
            ) from None

    # Copying

    def _copy(self, head: SignedHead) -> None:
        """Copy all tiles and bundles under a head that the folder has not yet."""
        size = head.checkpoint.size
        tiles = SignedTiles(head, self._source, local=self._folder.source, take=self._take_tile)
        if not self._resumed:
            self._folder.touch_all(TILES)
            self._resumed = True
        start = 0 if self._recheck or self.size < 0 else self.size >> TILE_HEIGHT
        end = size >> TILE_HEIGHT
        edges = tiles.edges()
        with self._pool(size) as run:
            for number in range(start, end):
                run(number, tiles)
        rest = partial_width(size, 0)
        if rest:
            self._copy_bundle(end, edges[0], tiles)
        self._tell(size, size)

    @contextmanager
    def _pool(self, size: int) -> Iterator[Callable[[int, SignedTiles], None]]:
        """Copies units in threads, a bounded number ahead; the first failure ends all."""
        waiting: deque[tuple[int, Future[None]]] = deque()
        pool = ThreadPoolExecutor(self._workers, thread_name_prefix="mirror")

        def finish(most: int) -> None:
            while len(waiting) > most:
                number, future = waiting.popleft()
                future.result()
                self._tell((number + 1) * TILE_WIDTH, size)

        def run(number: int, tiles: SignedTiles) -> None:
            # In this thread, so that the tiles above are fetched once.
            expected = tiles.expected(0, number)
            waiting.append((number, pool.submit(self._copy_unit, number, expected, tiles)))
            finish(UNITS_AHEAD * self._workers)

        try:
            yield run
            finish(0)
        finally:
            pool.shutdown(cancel_futures=True)

    def _tell(self, done: int, size: int) -> None:
        if self._progress is not None:
            self._progress(done, max(done, size))

    def _copy_unit(self, number: int, expected: bytes, tiles: SignedTiles) -> None:
        """Copy a full level-0 tile and its bundle."""
        self._copy_bundle(number, tiles.fetch(0, number, expected), tiles)

    def _copy_bundle(self, number: int, tile: bytes, tiles: SignedTiles) -> None:
        """Copy the bundle of a checked level-0 tile."""
        hashes = split_hashes(tile)
        width = len(hashes)
        path = format_tile_path(ENTRIES, number, width)
        if self._has_bundle(number, hashes):
            return
        data = self._source.bundle(number, width)
        try:
            entries = parse_bundle(data, width)
        except MalformedError:
            entries = []
        for place, (entry, leaf) in enumerate(zip_longest(entries, hashes, fillvalue=b"")):
            if not entries or leaf_hash(entry) != leaf:
                raise tiles.wrong(path, data, 0, number * TILE_WIDTH + place, leaf)
        self._folder.write(path, data)

    def _has_bundle(self, number: int, hashes: list[bytes]) -> bool:
        try:
            data = self._folder.source.bundle(number, len(hashes))
            path = format_tile_path(ENTRIES, number, len(hashes))
            entries = parse_bundle(data, len(hashes))
        except (NotFoundError, MalformedError):
            return False
        right = [leaf_hash(entry) for entry in entries] == hashes
        return right and (self._folder.folder / path).is_file()

    def _take_tile(self, level: int, number: int, data: bytes) -> None:
        self._folder.write(format_tile_path(level, number, len(data) // 32), data)

    def _keep_evidence(self, error: EvidenceError) -> Path:
        now = int(self._clock())
        place, _ = write_evidence(
            self._folder, EVIDENCE, error.code, error.message, error.files, now=now
        )
        return place
