"""Several processes that serve one port: started, watched, replaced, and ended together.

::

    parent ── listener, made once ──► worker 0 … worker N-1: each a whole service of its own,
       │                              with its writer, its threads, its connections
       └── waits: for a signal, then ends them all; for a worker's end, then replaces it

Nothing in one worker's memory is needed by another: the database orders their batches, as it
orders those of services on several machines. A worker that never came to answer, or workers
that die again and again, end the whole service with an error, so that whoever supervises it
sees it: there is no half service. A worker whose parent is gone ends by itself.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from socket import socket
from typing import Any

from api.stopping import STOPPING
from ledger.errors import FatalError

READY = b"ready"
DEATHS_MAX = 5
"""So many workers may die within `DEATHS_SECONDS`; one more ends the service."""
DEATHS_SECONDS = 60.0
START_FAILED = 3
WAIT_SECONDS = 1.0
"""How often the parent looks whether it was told to end, if nothing else happens."""

logger = logging.getLogger(__name__)

Serve = Callable[[int, Any, socket, Callable[[], None]], None]
"""Serves as the worker of a number, with what it was given, on the listener, and says when it
answers. Returns when it was told to end; a function of a module, for another process imports it."""


@dataclass(slots=True)
class _Worker:
    number: int
    process: SpawnProcess
    line: Connection
    ready: bool = False


class Workers:
    """The workers of one service, as their parent has them.

    Args:
        count: How many.
        serve: What each does.
        given: Handed to each.
        listener: The port, taken.
        stop_seconds: How long they may take to end, before they are killed.
    """

    def __init__(
        self, count: int, serve: Serve, given: Any, listener: socket, stop_seconds: float
    ) -> None:
        self._count = count
        self._serve = serve
        self._given = given
        self._listener = listener
        self._stop_seconds = stop_seconds
        self._workers: dict[int, _Worker] = {}
        self._deaths: deque[float] = deque()

    def run(self, announce: Callable[[], None]) -> None:
        """Keep all of them going until this process is interrupted (KeyboardInterrupt).

        Args:
            announce: Called once, when every worker answers.

        Raises:
            FatalError: one could not start (``worker_failed``), or they die again and again
                (``workers_die``). All have ended.
        """
        try:
            for number in range(self._count):
                self._start(number)
            announced = False
            while True:
                STOPPING.check()
                self._wait()
                if not announced and all(one.ready for one in self._workers.values()):
                    announced = True
                    announce()
        finally:
            self._end()

    def _start(self, number: int) -> None:
        ours, theirs = get_context("spawn").Pipe()
        process = get_context("spawn").Process(
            target=_work,
            args=(number, self._serve, self._given, self._listener, theirs),
            name=f"shanji-worker-{number}",
            daemon=True,
        )
        process.start()
        theirs.close()
        self._workers[number] = _Worker(number, process, ours)

    def _wait(self) -> None:
        """Wait a moment, until a worker says that it answers, or has ended."""
        by_handle: dict[object, _Worker] = {}
        for one in self._workers.values():
            by_handle[one.process.sentinel] = one
            if not one.ready:
                by_handle[one.line] = one
        for handle in wait(list(by_handle), WAIT_SECONDS):  # type: ignore[arg-type]
            one = by_handle[handle]
            if handle is one.line:
                _hear(one)
        for one in list(self._workers.values()):
            if not one.process.is_alive():
                # It may have answered and ended since it was waited for.
                _hear(one)
                self._replace(one)

    def _replace(self, one: _Worker) -> None:
        code = one.process.exitcode
        one.line.close()
        if not one.ready:
            raise FatalError(
                f"worker {one.number} could not start (it ended with {code}); its own message "
                "says why: the service is ended",
                code="worker_failed",
            )
        now = time.monotonic()
        self._deaths.append(now)
        while self._deaths[0] < now - DEATHS_SECONDS:
            self._deaths.popleft()
        if len(self._deaths) > DEATHS_MAX:
            raise FatalError(
                f"{len(self._deaths)} workers ended within {DEATHS_SECONDS:.0f} s, the last with "
                f"{code}; look at the system's log for why they are killed: the service is ended",
                code="workers_die",
            )
        logger.error("worker %d ended with %s and is replaced", one.number, code)
        self._start(one.number)

    def _end(self) -> None:
        """End all of them, kindly first."""
        alive = [one.process for one in self._workers.values() if one.process.is_alive()]
        for process in alive:
            process.terminate()
        until = time.monotonic() + self._stop_seconds
        for process in alive:
            process.join(max(0.0, until - time.monotonic()))
            if process.is_alive():
                logger.error("%s did not end in time and is killed", process.name)
                process.kill()
                process.join()
        for one in self._workers.values():
            one.line.close()


def _hear(one: _Worker) -> None:
    """Note that a worker answers, if it has said so."""
    with suppress(EOFError, OSError):
        if not one.ready and one.line.poll():
            one.ready = one.line.recv_bytes() == READY


def _work(number: int, serve: Serve, given: Any, listener: socket, line: Connection) -> None:
    """One worker's whole life, in its own process."""
    # As in the parent: the server finishes what is under way, then this raises.
    STOPPING.listen()
    threading.Thread(target=_end_with_parent, args=(line,), daemon=True).start()
    started = False

    def ready() -> None:
        nonlocal started
        started = True
        line.send_bytes(READY)

    with suppress(KeyboardInterrupt), listener:
        serve(number, given, listener, ready)
    if not started:
        sys.exit(START_FAILED)


def _end_with_parent(line: Connection) -> None:
    """The parent says nothing on this line; that it is gone ends it."""
    with suppress(EOFError, OSError):
        line.recv_bytes()
    os.kill(os.getpid(), signal.SIGTERM)
