"""The one write path: prepared records in, finished receipts out (design, section 5).

One thread a process takes what is queued, in batches, and appends each batch in one
transaction of the store:

    lock the head row → replay idempotency keys → apply each record to the state →
    chain and hash each entry → extend the tree → sign the checkpoint → build and check
    the proofs → write entries, tiles, state, flows and head → commit → answer

A record that the rules reject fails alone. Whatever else goes wrong fails the batch and
drops what is in memory; the next batch reads the head again. Any number of processes
may append to one store: the lock orders them, and memory counts only while the head is
the one that this process wrote.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TypeVar

from ledger.appending import append_one, check_order, replayed
from ledger.day import CHINA as CHINA
from ledger.day import Clock as Clock
from ledger.day import utc_now as utc_now
from ledger.entry import FIRST_PREVIOUS
from ledger.errors import (
    CorruptionError,
    FatalError,
    LedgerError,
    NotReadyError,
    OutcomeUnknownError,
    QueueFullError,
)
from ledger.frozen import frozen
from ledger.keys.history import KeyHistory
from ledger.keys.ring import Keyring
from ledger.receipt import Opening
from ledger.recorded import Recorded, Trees, recall
from ledger.records.keys import HISTORY, history_of
from ledger.records.request import Prepared
from ledger.state import Hot, State
from ledger.store import Appender, Batch, Found, Head, Reader, Store, Wanted
from ledger.tlog.note import VerifierKey
from ledger.tlog.proofs import verify_inclusions
from ledger.tlog.tiles import TILE_WIDTH, TileReader, TileWriter
from ledger.vault import Vault, VaultRow

BATCH_MAX = 1000
"""Records in one transaction: more gains little, and the others wait longer."""
QUEUE_MAX = 10_000
"""Records waiting; one more is refused until there is room (429 on HTTP)."""
PROBE_SECONDS = 10
"""So long after a failure, and between tries, an idle writer asks for the store again."""
BATCH_SECONDS_MAX = 10.0
"""A batch that takes longer, because its database is slow or cut off, shows in `ready`."""
COUNTS = ("batches", "entries", "replayed", "rejected", "failed", "batch_size_last")
"""What the write path counts from its start."""
GAUGES = ("queue_length", "queue_max", "commit_seconds_last")
Guard = Callable[[Reader, Head | None], None]
"""Raises where the log, as it stands, must not be written."""

Wake = Callable[[], None]
"""Called by the writer when it has resolved futures of a batch, once for all of them."""

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(slots=True)
class _Memory:
    """What the writer keeps between batches; good only while `head` is the store's."""

    head: Head | None
    state: State
    tree: TileWriter
    keys: tuple[object, KeyHistory] | None = None

    def active_keys(self) -> Sequence[VerifierKey]:
        """The keys that sign now; read again only when the state's object says another thing."""
        kept = self.state.get(HISTORY)
        if self.keys is None or self.keys[0] != kept:
            self.keys = kept, history_of(self.state)
        return self.keys[1].active


_Answer = Recorded | LedgerError


@frozen
class _Waiting:
    prepared: Prepared
    answer: Callable[[_Answer], None]
    wake: Wake | None = None


@frozen
class _Appended:
    waiting: _Waiting
    index: int
    data: bytes
    leaf: bytes


class _Together:
    """Records that are waited for together: one future for all, resolved with the last answer.

    A future has a lock and a condition of its own: made, resolved and asked one by one, those
    of a slice took a twentieth of the time of recording it.
    """

    def __init__(self, count: int) -> None:
        self.future: Future[list[Recorded]] = Future()
        self._answers: list[_Answer | None] = [None] * count
        self._left = count
        # Repetitions are answered by another thread.
        self._lock = threading.Lock()
        if not count:
            self.future.set_result([])

    def take(self, place: int, answer: _Answer) -> None:
        """What became of one of them."""
        self._answers[place] = answer
        with self._lock:
            self._left -= 1
            missing = self._left
        if not missing:
            refused = [one for one in self._answers if isinstance(one, LedgerError)]
            recorded = [one for one in self._answers if isinstance(one, Recorded)]
            _resolve(self.future, refused[0] if refused else recorded)


class Sequencer:
    """Appends prepared records to one log.

    Args:
        store: Where the log is kept.
        vault: Encrypts what must not be in clear.
        origin: The log's origin line.
        keyring: The log's signers; every checkpoint carries a signature of each active key
            that has one here.
        clock: Gives the time of recording.
        guard: Asked at the start, and before each batch under the lock, whether the log may
            be written.
    """

    def __init__(
        self,
        store: Store,
        vault: Vault,
        origin: str,
        keyring: Keyring,
        *,
        clock: Clock = utc_now,
        queue_max: int = QUEUE_MAX,
        batch_max: int = BATCH_MAX,
        guard: Guard | None = None,
    ) -> None:
        self._store = store
        self._vault = vault
        self._origin = origin
        self._keyring = keyring
        self._clock = clock
        self._queue_max = queue_max
        self._batch_max = batch_max
        self._queue: deque[_Waiting] = deque()
        self._wake = threading.Condition()
        self._memory: _Memory | None = None
        self._closing = False
        self._trouble: LedgerError | None = None
        self._counts = dict.fromkeys(COUNTS, 0)
        self._commit_seconds_last = 0.0
        self._busy_since: float | None = None
        # A process that died after it erased something has left this undone.
        self._old_pages = True
        self._guard = guard
        if guard is not None:
            try:
                with store.read() as reader:
                    guard(reader, reader.head())
            except LedgerError as error:
                self._trouble = error
        self._recalls = ThreadPoolExecutor(1, thread_name_prefix="recall")
        self._thread = threading.Thread(target=self._run, name="sequencer", daemon=True)
        self._thread.start()

    def submit(
        self, prepared: Sequence[Prepared], wake: Wake | None = None
    ) -> list[Future[Recorded]]:
        """Queue records, all or none; each future gives `Recorded` or raises.

        Args:
            prepared: The records.
            wake: For who does not wait in a thread of its own: told once a batch that
                futures are done. It runs in the writer's thread, and must neither wait nor
                raise.

        Raises:
            QueueFullError: no room for all of them now.
            NotReadyError: closing.
        """
        futures: list[Future[Recorded]] = [Future() for _ in prepared]
        self._queue_all(
            [
                _Waiting(one, partial(_resolve, future), wake)
                for one, future in zip(prepared, futures, strict=True)
            ]
        )
        return futures

    def submit_together(self, prepared: Sequence[Prepared]) -> Future[list[Recorded]]:
        """Queue records, all or none, that are waited for together.

        Returns:
            A future of all answers, in order; it raises for the first record that failed.

        Raises:
            QueueFullError, NotReadyError: as in `submit`.
        """
        together = _Together(len(prepared))
        self._queue_all(
            [_Waiting(one, partial(together.take, place)) for place, one in enumerate(prepared)]
        )
        return together.future

    def _queue_all(self, waiting: Sequence[_Waiting]) -> None:
        with self._wake:
            if self._closing:
                raise NotReadyError("the service is stopping; send the record again later")
            if len(self._queue) + len(waiting) > self._queue_max:
                raise QueueFullError(
                    f"the queue holds at most {self._queue_max} records and has "
                    f"{len(self._queue)}; send {len(waiting)} again in a moment"
                )
            self._queue.extend(waiting)
            self._wake.notify()

    def record(self, prepared: Prepared) -> Recorded:
        """Append one record and wait for its receipt; raises what the record's future does."""
        return self.submit([prepared])[0].result()

    def ready(self) -> None:
        """Return if records are taken now.

        Raises:
            NotReadyError: stopped; the last batch failed for another cause than its records;
                or one has been under way for so long that its database must be in trouble
                (``commit_hangs``). It is not given up: the outcome would be unknown.
        """
        if self._closing or not self._thread.is_alive():
            raise NotReadyError("the write path is stopped; start the service again")
        if self._trouble is not None:
            raise NotReadyError(
                f"no record can be written now: {self._trouble}", code=self._trouble.code
            )
        since = self._busy_since
        if since is not None and (spent := time.monotonic() - since) > BATCH_SECONDS_MAX:
            raise NotReadyError(
                f"the batch that is being written has waited {spent:.0f} s for the database, "
                f"which usually takes well under a second and at most {BATCH_SECONDS_MAX:.0f}: "
                "the database is slow, locked or cut off; look at its server",
                code="commit_hangs",
            )

    def stats(self) -> dict[str, float]:
        """Counters since the start, and the state of the queue."""
        return {
            **self._counts,
            "queue_length": len(self._queue),
            "queue_max": self._queue_max,
            "commit_seconds_last": self._commit_seconds_last,
        }

    def close(self) -> None:
        """Finish what is queued and stop; may be called more than once."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()
        self._recalls.shutdown()

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._queue and not self._closing and self._trouble is None:
                    self._wake.wait()
                if not self._queue and not self._closing:
                    self._wake.wait(PROBE_SECONDS)
                if not self._queue and self._closing:
                    return
            batch: list[_Waiting] = []
            self._fill(batch)
            self._busy_since = time.monotonic()
            if batch:
                self._answer(batch)
            elif self._trouble is not None:
                self._probe()
            self._busy_since = None

    def _fill(self, batch: list[_Waiting]) -> None:
        """Take what is queued into a batch, as far as there is room."""
        with self._wake:
            while self._queue and len(batch) < self._batch_max:
                batch.append(self._queue.popleft())

    def _probe(self) -> None:
        """After a failure and without new records: see whether the store can be had again.

        Else a service that is asked for nothing while it is not ready would stay so.
        """
        try:
            with self._store.append() as store:
                self._head_of(store)
        except LedgerError as error:
            self._trouble = error
        else:
            self._trouble = None

    def _answer(self, batch: list[_Waiting]) -> None:
        """Append a batch; every future is resolved afterwards, whatever happened."""
        answers: list[_Answer | None]
        try:
            try:
                answers = self._append(batch)
            except OutcomeUnknownError as unknown:
                # The keys tell what became of the batch: what was committed is replayed,
                # what was not is appended now.
                self._memory = None
                try:
                    answers = self._append(batch)
                except NotReadyError as away:
                    # Nobody can tell yet: "nothing happened" might be a lie.
                    raise unknown from away
            self._trouble = None
        except Exception as error:  # the writer must outlive anything a batch does
            self._memory = None
            failure = _failure(error, len(batch))
            self._trouble = _trouble(failure)
            self._counts["failed"] += len(batch)
            answers = [failure] * len(batch)
        for waiting, answer in zip(batch, answers, strict=True):
            if answer is not None:
                waiting.answer(answer)
        _wake(batch)

    def _append(self, batch: list[_Waiting]) -> list[_Answer | None]:
        """One batch, one transaction. Comments say what a crash at this line leaves.

        Returns:
            The answers in order; None for repetitions, which are answered apart.
        """
        answers: dict[int, _Answer] = {}
        with self._store.append() as store:
            head = self._head_of(store)
            # What came while another process had the lock goes with this batch.
            self._fill(batch)
            memory, found = self._look_up(batch, store, head)
            # From here until the commit, a crash leaves the store as it was; memory is
            # dropped, for the state has begun to change.
            self._memory = None
            at = max(
                self._clock().strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                memory.head.last_recorded_at if memory.head else "",
            )
            appended, replays = self._apply(batch, found, memory, at, answers)
            if appended:
                rows, answered = self._close_batch(appended, memory, store, at)
                store.write(rows)
                started = time.perf_counter()
                store.commit()
                # From here on the entries are durable under a signed checkpoint; a crash
                # loses only the answers, and the idempotency keys give them again.
                self._commit_seconds_last = time.perf_counter() - started
                memory.head = rows.head
                memory.state.trim()
                answers.update(answered)
                self._counts["batches"] += 1
                self._counts["entries"] += len(appended)
                self._counts["batch_size_last"] = len(appended)
            self._memory = memory
        if self._old_pages:
            self._old_pages = not self._store.drop_old_pages()
        if replays:
            self._counts["replayed"] += len(replays)
            self._recalls.submit(self._recall, replays)
        return [answers.get(id(one)) for one in batch]

    def _head_of(self, store: Appender) -> Head | None:
        """The head, if the log may be written."""
        head = store.head()
        if self._guard is not None:
            self._guard(store, head)
        return head

    def _look_up(
        self, batch: list[_Waiting], store: Appender, head: Head | None
    ) -> tuple[_Memory, Found]:
        """The memory as of this head, and what the store knows of the batch, in one question."""
        memory, rows = self._memory, [one.prepared.row for one in batch]
        keys, orders = [row.key for row in rows], [row.order for row in rows if row.order]
        if memory is not None and memory.head == head:
            memory.state.reader = store
            return memory, store.look_up(Wanted(keys, orders))
        # Another process has written: what every batch needs is asked for with the rest.
        hot = Hot((), (), ()) if memory is None else memory.state.hot()
        found = store.look_up(Wanted(keys, orders, (hot.objects, hot.accounts, hot.days)))
        assert found.state is not None
        state = State(store, found.state.account_count)
        told = found.state
        state.preload(hot, told.objects, told.accounts, told.movements)
        tree = TileWriter(head.size if head else 0, found.state.edges)
        return _Memory(head, state, tree, None if memory is None else memory.keys), found

    def _apply(
        self,
        batch: list[_Waiting],
        found: Found,
        memory: _Memory,
        at: str,
        answers: dict[int, _Answer],
    ) -> tuple[list[_Appended], list[tuple[_Waiting, int]]]:
        """Apply each record to the state; rejected ones are answered here."""
        keys, orders = found.keys, found.orders
        index = memory.head.size if memory.head else 0
        previous = memory.head.last_leaf_hash.hex() if memory.head else FIRST_PREVIOUS
        today = datetime.fromisoformat(at).astimezone(CHINA).date().isoformat()
        appended: list[_Appended] = []
        replays: list[tuple[_Waiting, int]] = []
        for waiting in batch:
            row = waiting.prepared.row
            try:
                if row.key in keys:
                    replays.append((waiting, replayed(row.key, row.request, keys)))
                    continue
                check_order(row.order, orders)
                data, leaf = append_one(waiting.prepared, memory.state, index, previous, at, today)
            except LedgerError as error:
                if isinstance(error, FatalError):
                    raise
                answers[id(waiting)] = error
                self._counts["rejected"] += 1
                continue
            keys[row.key] = (row.request, index)
            if row.order is not None:
                orders[row.order] = index
            appended.append(_Appended(waiting, index, data, leaf))
            previous = leaf.hex()
            index += 1
        return appended, replays

    def _close_batch(
        self, appended: list[_Appended], memory: _Memory, store: Appender, at: str
    ) -> tuple[Batch, dict[int, _Answer]]:
        """Extend the tree, sign, build and check the proofs; the rows and the answers."""
        tiles = memory.tree.extend([one.leaf for one in appended])
        size, root = memory.tree.size, memory.tree.root()
        checkpoint = self._keyring.sign(self._origin, size, root, memory.active_keys())
        new_tiles = {(level, number): data for level, number, data in tiles}
        edges = memory.tree.edges

        def read_tile(level: int, number: int, width: int) -> bytes:
            data = new_tiles.get((level, number))
            if data is None and width < TILE_WIDTH and level < len(edges):
                data = edges[level]
            return store.tile(level, number, width) if data is None else data

        tree = TileReader(size, read_tile)
        proofs = tree.inclusions(appended[0].index, size)
        verify_inclusions(
            size,
            root,
            ((one.index, one.leaf, proof) for one, proof in zip(appended, proofs, strict=True)),
        )
        answers: dict[int, _Answer] = {}
        for one, proof in zip(appended, proofs, strict=True):
            row = one.waiting.prepared.row
            opening = Opening(one.data, row.seed, row.values)
            answers[id(one.waiting)] = Recorded(
                one.index, one.leaf, size, proof, checkpoint, opening
            )
        changes = memory.state.drain()
        rows = [(one.index, one.waiting.prepared.row) for one in appended]
        kept = self._erase(appended, dict(rows), store)
        batch = Batch(
            head=Head(size, root, appended[-1].leaf, at, checkpoint),
            entries=[(one.index, one.data, one.leaf) for one in appended],
            tiles=tiles,
            edges=list(edges),
            vault=list(kept.items()),
            idempotency=[(row.key, row.request, index) for index, row in rows],
            order_numbers=[(row.order, index) for index, row in rows if row.order is not None],
            accounts=changes.accounts,
            holdings_set=changes.holdings_set,
            holdings_gone=changes.holdings_gone,
            pools=changes.pools,
            assets=changes.assets,
            flows=changes.flows,
            objects=changes.objects,
            account_ids=changes.account_ids,
            references=changes.references,
            kinds=changes.kinds,
            movements=changes.movements,
        )
        return batch, answers

    def _erase(
        self, appended: list[_Appended], rows: dict[int, VaultRow], store: Appender
    ) -> dict[int, bytes]:
        """The vault's rows of the batch, and those of older entries that it makes it forget.

        What stays of an erased row are the idempotency key and the keyed digests, so
        that nothing can enter twice.
        """
        kept: dict[int, bytes] = {}
        for one in appended:
            prepared = one.waiting.prepared
            if prepared.kind.erases is None:
                continue
            for index in prepared.kind.erases(prepared.fields):
                self._old_pages = True
                if index in rows:
                    rows[index] = replace(rows[index], seed=None, values=None)
                    continue
                stored = store.vault(index)
                if stored is None:
                    raise CorruptionError(f"the vault has no row of entry {index}")
                kept[index] = self._vault.without_opening(index, stored)
        kept.update((index, self._vault.encrypt(index, row)) for index, row in rows.items())
        return kept

    def _recall(self, replays: list[tuple[_Waiting, int]]) -> None:
        """Answer repeated requests with the receipts that the first ones got.

        Runs beside the writer, which has no need to wait for it.
        """
        answers: list[_Answer] = []
        trees: Trees = {}
        try:
            with self._store.read() as reader:
                for _, index in replays:
                    try:
                        answers.append(recall(reader, self._vault, index, trees))
                    except LedgerError as error:  # it fails alone
                        answers.append(error)
        except Exception as error:  # every future must be resolved
            rest = len(replays) - len(answers)
            answers += [_failure(error, rest)] * rest
        for (waiting, _), answer in zip(replays, answers, strict=True):
            waiting.answer(answer)
        _wake([waiting for waiting, _ in replays])


def _failure(error: Exception, count: int) -> LedgerError:
    """What to tell the records that an error took down; our own mistakes go to the log."""
    if isinstance(error, LedgerError):
        return error
    log.error("%d records failed", count, exc_info=error)
    return FatalError("the records failed for a cause that is in the server's log")


def _trouble(failure: LedgerError) -> LedgerError:
    """What keeps the writer from writing, as /readyz tells it.

    Whoever sent a batch whose outcome is unknown is told just that; everybody else wants to know
    what ails the database.
    """
    cause = failure.__cause__ if isinstance(failure, OutcomeUnknownError) else None
    return cause if isinstance(cause, LedgerError) else failure


def _resolve(future: Future[T], answer: T | LedgerError) -> None:
    if not future.set_running_or_notify_cancel():
        return
    if isinstance(answer, LedgerError):
        future.set_exception(answer)
    else:
        future.set_result(answer)


def _wake(waiting: Sequence[_Waiting]) -> None:
    for wake in {one.wake for one in waiting if one.wake is not None}:
        wake()
