"""The limit of a POST: the same framework answers a validated gift and stores nothing.

A process of its own: prints its port, serves until its standard input ends.
"""

from __future__ import annotations

import socket
import sys
import threading

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict

ANSWER = {"index": 0, "leaf_hash": "0" * 64, "size": 1, "replayed": False, "receipt": "x" * 1800}
"""As long as the answer with a receipt is."""


class Strict(BaseModel):
    """The base of what is validated."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class GiftFields(Strict):
    """Public fields."""

    fund: str
    amount_fen: int
    channel: str


class GiftSealed(Strict):
    """Personal fields."""

    donor_name: str
    contact: str
    order_number: str
    message: str


class Gift(Strict):
    """The whole request."""

    kind: str
    occurred_on: str
    fields: GiftFields
    sealed: GiftSealed


class Answered(BaseModel):
    """The whole answer."""

    index: int
    leaf_hash: str
    size: int
    replayed: bool
    receipt: str


def build_app() -> FastAPI:
    """The application: one route, as FastAPI's documentation has it."""
    app = FastAPI()

    @app.post("/v1/entries", status_code=201)
    async def record(gift: Gift) -> Answered:
        return Answered(**ANSWER)

    return app


def main() -> None:
    """Serve with the settings of ``shanji serve``."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    # Before the port is told: whoever connects at once waits until the server takes it.
    listener.listen()
    config = uvicorn.Config(build_app(), access_log=False, log_config=None, server_header=False)
    server = uvicorn.Server(config)

    def wait_for_end() -> None:
        sys.stdin.read()
        server.should_exit = True

    threading.Thread(target=wait_for_end, daemon=True).start()
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    server.run(sockets=[listener])


if __name__ == "__main__":
    main()
