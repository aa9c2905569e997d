"""Work on many objects: in processes beside this one, and with rare looks for cycles."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection

GARBAGE_EVERY = 50_000
"""Entries are many objects without cycles, and each database query a few with. By default
every 700 objects are looked through, and those that stay again and again: a fifth of the time
of recording; every 10,000, a thirtieth; now there is one look in twenty batches."""


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def worker_pool(processes: int) -> Iterator[Executor]:
    """So many processes on this machine, for the length of the block.

    None of them outlives it: where the block is left by an error or an interrupt, nobody wants
    what they would still find, and where this process is killed, nobody could.
    """
    # Spawned, not forked: this process has threads and an open database.
    context = multiprocessing.get_context("spawn")
    theirs, ours = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(
        processes, mp_context=context, initializer=_begin, initargs=(theirs,)
    )
    with theirs, ours:
        try:
            yield pool
        except BaseException:
            ours.close()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _begin(line: Connection) -> None:
    """In a worker: an interrupt at the terminal is its parent's business.

    Args:
        line: Nothing is ever said on it; that its other end is closed ends the worker, which
            would otherwise wait for work for ever when its parent is gone.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(line,), daemon=True).start()
    gc.freeze()
    gc.set_threshold(GARBAGE_EVERY)


def _end_with(line: Connection) -> None:
    with suppress(EOFError, OSError):
        line.recv_bytes()
    os._exit(1)


def end_with_input() -> None:
    """From here on this process is told to end (SIGTERM) when its standard input ends.

    Whoever started it holds the other end and writes nothing: killed, it takes this one along.
    """
    threading.Thread(target=_end_at_its_end, daemon=True).start()


def _end_at_its_end() -> None:
    with suppress(OSError):
        while os.read(0, 1):
            pass
    os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def rare_garbage() -> Iterator[None]:
    """The collector looks for cycles less often inside the block."""
    before = gc.get_threshold()
    gc.set_threshold(max(GARBAGE_EVERY, before[0]), *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
