"""Connections whose clients are slow or half gone: each has its limits, then it is cut.

uvicorn ends a connection that is idle after an answer. It waits for ever for the first request
of a connection, for the rest of a request's head, for a client that drips bytes after its
answer, and for one that does not read. Each holds one of `connections_max`, so a thousand of
them would be an outage. The time of a body is the routes' (``dependencies.read_body``).

A request costs two assignments; one timer a connection looks at the clock.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS_MAX = 20.0
"""From the opening of a connection to the end of its first request's head; for each later one,
from the end of the time that an idle connection is kept."""
SEND_SECONDS_MAX = 60.0
"""How long a client may read nothing of what waits for it."""
LOOK_SECONDS = 5.0
"""How often a connection is looked at."""


class Connection(H11Protocol):
    """uvicorn's HTTP/1.1 protocol, which gives up on clients that do not go on."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._head_until: float | None = None
        self._stalled_since: float | None = None
        self._looking: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Expect a request's head."""
        super().connection_made(transport)
        self._head_until = self.loop.time() + HEAD_SECONDS_MAX
        self._look_again()

    def connection_lost(self, exc: Exception | None) -> None:
        """Look no more."""
        super().connection_lost(exc)
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None

    def handle_events(self) -> None:
        """What came; the head that was expected may be there."""
        before = self.cycle
        super().handle_events()
        if self.cycle is not before:
            self._head_until = None

    def on_response_complete(self) -> None:
        """Expect the next head; what comes meanwhile belongs to the last request, or to it."""
        self._head_until = self.loop.time() + self.timeout_keep_alive + HEAD_SECONDS_MAX
        super().on_response_complete()

    def pause_writing(self) -> None:
        """The client does not read as fast as it is answered, or not at all."""
        super().pause_writing()
        self._stalled_since = self.loop.time()

    def resume_writing(self) -> None:
        """It has read."""
        super().resume_writing()
        self._stalled_since = None

    def _look(self) -> None:
        now = self.loop.time()
        late = self._head_until is not None and now >= self._head_until
        stalled = self._stalled_since is not None and now >= self._stalled_since + SEND_SECONDS_MAX
        if late or stalled:
            # Not `close`, which would wait for the client to read what is left.
            self.transport.abort()
        else:
            self._look_again()

    def _look_again(self) -> None:
        self._looking = self.loop.call_later(LOOK_SECONDS, self._look)
