"""Answers of the writer, handed to the event loop batch by batch.

``asyncio.wrap_future`` wakes the loop for each future on its own: a write to a socket, for
which the interpreter's lock is let go, so that the writer waits for the loop once for each
record of its batch. Here it wakes the loop once a batch.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from concurrent.futures import Future

from ledger.recorded import Recorded


class Mailbox:
    """For one event loop: `expect` in the loop, `wake` from the writer's thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._done: deque[tuple[asyncio.Future[Recorded], Future[Recorded]]] = deque()

    def expect(self, future: Future[Recorded]) -> asyncio.Future[Recorded]:
        """What to await for a record that was queued with `wake`.

        Whoever stops waiting changes nothing for the record.
        """
        waiter: asyncio.Future[Recorded] = self._loop.create_future()
        future.add_done_callback(lambda done: self._done.append((waiter, done)))
        if future.done():
            # It may have been done, and `wake` called, before it was expected.
            self._loop.call_soon(self._deliver)
        return waiter

    def wake(self) -> None:
        """Futures are done; see `sequencer.Wake`."""
        with contextlib.suppress(RuntimeError):  # the loop is closed, and nobody waits
            self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        while self._done:
            waiter, done = self._done.popleft()
            if waiter.done():
                continue  # nobody waits any more
            error = done.exception()
            if error is None:
                waiter.set_result(done.result())
            else:
                waiter.set_exception(error)
