"""Clients that say nothing, half a head, a drip, or never read: each is cut, others are served."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest
import uvicorn

from api import connections
from api.connections import Connection

LARGE = 32 * 1024 * 1024
WAIT_SECONDS = 120
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"

Client = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def application(
    scope: dict[str, str], _receive: object, send: Callable[..., Awaitable[None]]
) -> None:
    """Answers without reading a body; with very much, where it is asked to."""
    assert scope["type"] == "http"
    body = bytes(LARGE) if scope["path"] == "/large" else b"ok"
    length = str(len(body)).encode()
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]}
    )
    await send({"type": "http.response.body", "body": body})


async def silent(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Says nothing."""


async def half_a_head(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Begins, and never ends."""
    writer.write(GET[:-2])


async def a_second_half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Is answered once, and begins again."""
    writer.write(GET)
    await reader.readuntil(b"ok")
    writer.write(GET[:10])


async def a_drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Drips a body that nobody waits for."""
    writer.write(POST)
    await reader.readuntil(b"ok")
    while not writer.is_closing() and not reader.at_eof():
        writer.write(b"x")
        await asyncio.sleep(0.02)


async def never_reads(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Asks for much, and takes none of it."""
    transport = writer.transport
    assert isinstance(transport, asyncio.ReadTransport)
    transport.pause_reading()
    writer.write(GET.replace(b" / ", b" /large "))


async def let_go(server: uvicorn.Server) -> None:
    """Wait until the server has no connection any more."""
    async with asyncio.timeout(WAIT_SECONDS):
        while server.server_state.connections:
            await asyncio.sleep(0.01)


async def served(host: str, port: int) -> None:
    """Ask as anybody may; who is too slow for the short limits of this test asks again."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(GET)
                assert await reader.readuntil(b"ok")
                return
            except (ConnectionError, asyncio.IncompleteReadError):
                continue
            finally:
                writer.transport.abort()


async def played(client: Client, listener: socket.socket) -> None:
    accepted = asyncio.Event()

    class Told(Connection):
        """Tells that it is there: on a busy machine it may be cut before anybody has looked."""

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            accepted.set()

    config = uvicorn.Config(
        application, http=Told, lifespan="off", log_config=None, timeout_keep_alive=1
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    async with asyncio.timeout(WAIT_SECONDS):
        while not server.started:
            await asyncio.sleep(0.01)
    host, port = listener.getsockname()
    reader, writer = await asyncio.open_connection(host, port)
    async with asyncio.timeout(WAIT_SECONDS):
        await accepted.wait()
    doing = asyncio.ensure_future(client(reader, writer))
    # Somebody else is served meanwhile.
    await served(host, port)
    await let_go(server)
    writer.transport.abort()
    doing.cancel()
    await asyncio.gather(doing, return_exceptions=True)
    server.should_exit = True
    await serving


@pytest.mark.parametrize("client", [silent, half_a_head, a_second_half, a_drip, never_reads])
def test_who_does_not_go_on_is_cut(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS_MAX", 0.2)
    monkeypatch.setattr(connections, "SEND_SECONDS_MAX", 0.2)
    monkeypatch.setattr(connections, "LOOK_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        asyncio.run(played(client, listener))
