"""A connection that does not wait for ever for a server which says nothing.

The server's own limits end what it works on. They do not help where it has stopped, or where
something between swallows what is sent while the connection stays open: TCP sees nothing
wrong then, and a writer that waits would hold up every record without a word. So each wait
for an answer has an end of ours, above the server's own.
"""

from __future__ import annotations

import time
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen

Answer = TypeVar("Answer")
_INTERVAL = 0.1


class Connection(psycopg.Connection[Any]):
    """As the driver's, with an end to each wait.

    Attributes:
        patience: Seconds that one wait may last; None for no end.
        heard_at: When the server last answered (`time.monotonic`).
    """

    patience: float | None = None
    heard_at = 0.0

    def wait(
        self, gen: PQGen[Answer], interval: float = _INTERVAL, timeout: float | None = None
    ) -> Answer:
        """As the driver's.

        Raises:
            psycopg.OperationalError: no answer in time; the connection is closed, since
                nobody can tell any more what an answer would be to.
        """
        end = None if self.patience is None else time.monotonic() + self.patience
        answer = super().wait(gen if end is None else _bounded(self, gen, end), interval, timeout)
        self.heard_at = time.monotonic()
        return answer


def _bounded(connection: Connection, gen: PQGen[Answer], end: float) -> PQGen[Answer]:
    """The same waiting, until a moment."""
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if not ready and time.monotonic() > end:
                seconds = connection.patience
                connection.close()
                raise psycopg.OperationalError(f"the server gave no answer in {seconds:g} seconds")
            wanted = gen.send(ready)
    except StopIteration as done:
        answer: Answer = done.value
        return answer
