"""Chunks through any executor, results in order, few of them under way.

The hashing part of an audit is a function of bytes (``hashing``), so anything that keeps
`concurrent.futures.Executor`'s word can run it: processes here, machines elsewhere
(docs/audit-at-size.md). Memory is bounded by the chunks that are under way.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from typing import TypeVar

from ledger.beside import worker_pool

IN_FLIGHT_EACH = 3
"""Chunks under way for each worker: one at work, one on the way, one waiting to be taken."""

JOBS_MAX = 256

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    executor: Executor | None,
    jobs: int,
) -> Iterator[tuple[Item, Result]]:
    """Each item with its result, in the items' order.

    Args:
        work: A function of a module, so that it can be named in another process.
        items: Taken as there is room, never all at once.
        executor: Where the work is done; None: here, one after the other.
        jobs: How many of them it does at once.
    """
    if executor is None:
        yield from ((item, work(item)) for item in items)
        return
    waiting: deque[tuple[Item, Future[Result]]] = deque()
    try:
        for item in items:
            waiting.append((item, executor.submit(work, item)))
            if len(waiting) >= IN_FLIGHT_EACH * jobs:
                done, future = waiting.popleft()
                yield done, future.result()
        while waiting:
            done, future = waiting.popleft()
            yield done, future.result()
    finally:
        for _, future in waiting:
            future.cancel()


@contextmanager
def processes(jobs: int) -> Iterator[Executor | None]:
    """So many processes on this machine; none for one job, which is done in this one."""
    if jobs <= 1:
        yield None
        return
    with worker_pool(jobs) as pool:
        yield pool
