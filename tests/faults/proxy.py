"""Between a service and its PostgreSQL server: delays, cuts, swallows and refuses, as told.

It listens on loopback and passes on to the server's Unix socket, in a thread of its own.
What it may do to a commit it does when it sees one go by.
"""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal
from urllib.parse import quote

from faults.database import SOCKET
from postgresql_server import Server
from service import free_port

Cut = Literal["before", "after", "at once"]
"""A commit that never arrives; one whose answer is lost; one cut off while it may be either."""
CUTS: tuple[Cut, ...] = ("before", "after", "at once")
CHUNK = 1 << 16
COMMIT = b"COMMIT\x00"
"""How a commit ends, as the driver sends it (a simple query)."""
ANSWER_SECONDS = 5.0
"""A commit whose answer is to be lost is cut off so late, if the server never answers it."""
START_SECONDS_MAX = 120


class Proxy:
    """One way to a server.

    Attributes:
        port: Where it listens.
        delay: Seconds that each answer is held back, at most; by chance.
        hole: Whether whatever is sent vanishes, while connections stay open.
        cut: What happens to the next commit.
        cuts: How many commits that has happened to.
        swallowed: How many pieces of what was sent have vanished.
        delayed: How many pieces of answers were held back.
    """

    def __init__(self, socket_path: str, seed: int) -> None:
        self.delay = 0.0
        self.hole = False
        self.cut: Cut | None = None
        self.cuts = self.swallowed = self.delayed = 0
        # None that the system gives to whoever connects somewhere while nobody listens here.
        self.port = free_port()
        self._path = socket_path
        self._chance = random.Random(seed)
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.listen()

    def listen(self) -> None:
        """Take connections, at the same port as before."""
        self._do(self._listen)

    def refuse(self) -> None:
        """End all connections, and take no more."""
        self._do(self._refuse)

    def close(self) -> None:
        """Refuse, and end the thread."""
        self.refuse()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(START_SECONDS_MAX)
        self._loop.close()

    def _do(self, step: Callable[[], Any]) -> None:
        asyncio.run_coroutine_threadsafe(step(), self._loop).result(START_SECONDS_MAX)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def _refuse(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._writers):
            writer.transport.abort()
        # Those who serve them end in their next steps.
        while self._writers:
            await asyncio.sleep(0.005)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            there, back = await asyncio.open_unix_connection(self._path)
        except OSError:
            writer.transport.abort()
            self._writers.discard(writer)
            return
        self._writers.add(back)
        lost = asyncio.Event()
        ways = [
            asyncio.create_task(self._up(reader, back, lost)),
            asyncio.create_task(self._down(there, writer, lost)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for one in (writer, back):
                one.transport.abort()
                self._writers.discard(one)

    async def _up(
        self, reader: asyncio.StreamReader, back: asyncio.StreamWriter, lost: asyncio.Event
    ) -> None:
        """What the client says; ends where the connection is to be cut."""
        while data := await _read(reader):
            if self.hole:
                self.swallowed += 1
                continue
            cut = self.cut if COMMIT in data else None
            if cut is not None:
                self.cut = None
                self.cuts += 1
            if cut == "before":
                return
            if cut == "after":
                lost.set()
            back.write(data)
            if cut == "after":
                # Until the server has answered, which nobody passes on.
                await asyncio.sleep(ANSWER_SECONDS)
                return
            if cut == "at once":
                await asyncio.sleep(self._chance.uniform(0, 0.002))
                return

    async def _down(
        self, there: asyncio.StreamReader, writer: asyncio.StreamWriter, lost: asyncio.Event
    ) -> None:
        """What the server answers, until an answer is to be lost."""
        while (data := await _read(there)) and not lost.is_set():
            if self.delay:
                self.delayed += 1
                await asyncio.sleep(self._chance.uniform(0, self.delay))
            if not self.hole:
                writer.write(data)


async def _read(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(CHUNK)
    except OSError:
        return b""


@contextmanager
def before(server: Server, seed: int) -> Iterator[Proxy]:
    """A proxy before a server."""
    proxy = Proxy(str(server.folder / SOCKET), seed)
    try:
        yield proxy
    finally:
        proxy.close()


def url_through(proxy: Proxy, name: str) -> str:
    """The URL of a database by the proxy."""
    options = "sslmode=disable&gssencmode=disable"
    return f"postgresql://shanji@127.0.0.1:{proxy.port}/{quote(name)}?{options}"
