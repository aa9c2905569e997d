"""Running a witness: take the port, say so, answer until Ctrl-C or SIGTERM."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress

import uvicorn

from ledger.audit.witness.app import create_witness_app
from ledger.audit.witness.judge import Witness

CONNECTIONS_MAX = 512
"""Connections and requests at once; one more is answered with 503."""
KEEP_ALIVE_SECONDS = 60
"""Logs keep their connection between checkpoints (c2sp.org/tlog-witness)."""
SHUTDOWN_SECONDS = 10
BACKLOG = 512


class _Server(uvicorn.Server):
    """uvicorn's server, telling when it answers."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._announce()


def run(witness: Witness, host: str, port: int, announce: Callable[[str, int], None]) -> None:
    """Serve a witness until it is told to stop.

    Args:
        witness: What decides.
        host: The address to listen on.
        port: The port; 0 takes a free one.
        announce: Called with address and port once they answer.

    Raises:
        OSError: the address cannot be taken.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    with socket.socket(family, kind, protocol) as listener, suppress(KeyboardInterrupt):
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        bound_host, bound_port = listener.getsockname()[:2]
        config = uvicorn.Config(
            create_witness_app(witness),
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            ws="none",
            backlog=BACKLOG,
            limit_concurrency=CONNECTIONS_MAX,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        )
        _Server(config, lambda: announce(bound_host, bound_port)).run(sockets=[listener])
