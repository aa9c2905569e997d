"""Work on many objects: in processes beside this one, and with rare looks for cycles."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager

GARBAGE_EVERY = 10_000
"""Entries are many objects without cycles, and each database query a few with. By default
every 700 objects are looked through, and those that stay again and again: a fifth of the time
of recording. More rarely still lets cycles pile up."""


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def worker_pool(processes: int) -> Iterator[Executor]:
    """So many processes on this machine, for the length of the block."""
    # Spawned, not forked: this process has threads and an open database.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, mp_context=context, initializer=_begin)
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _begin() -> None:
    """In a worker: an interrupt at the terminal is its parent's business."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()
    gc.set_threshold(GARBAGE_EVERY)


@contextmanager
def rare_garbage() -> Iterator[None]:
    """The collector looks for cycles less often inside the block."""
    before = gc.get_threshold()
    gc.set_threshold(max(GARBAGE_EVERY, before[0]), *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
