"""The load generator: lean, and a process of its own, so that it does not slow what it measures.

``python client.py PORT CLIENTS COUNT FIRST TOKEN``: so many clients, each one request at a time
over a connection that it keeps. Requests are written beforehand. Prints one line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from typing import Any

SECONDS_MAX = 600


def request(number: int, token: str) -> bytes:
    """One POST, ready to be sent."""
    # Here, and as literal text, so that this process loads nothing that it does not need.
    text = (
        '{"kind":"donation.money","occurred_on":"2021-09-09","fields":{"fund":"bench",'
        f'"amount_fen":{100 + number % 9900},"channel":"tencent"}},"sealed":{{'
        f'"donor_name":"示例捐赠人{number:06d}","contact":"示例联系方式{number:06d}",'
        f'"order_number":"POST-{number:010d}","message":"愿更多人受益"}}}}'
    ).encode()
    return (
        b"POST /v1/entries HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        b"Authorization: Bearer %b\r\nIdempotency-Key: post/%d\r\nContent-Length: %d\r\n\r\n%b"
        % (token.encode(), number, len(text), text)
    )


class Client(asyncio.Protocol):
    """One connection: takes the next request when its answer is whole."""

    def __init__(self, waiting: list[bytes], latencies: list[float]) -> None:
        self._waiting = waiting
        self._latencies = latencies
        self._data = b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._next()

    def _next(self) -> None:
        if not self._waiting:
            self._transport.close()
            return
        self._data = b""
        self._began = time.perf_counter()
        self._transport.write(self._waiting.pop())

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, blank, body = self._data.partition(b"\r\n\r\n")
        if not blank:
            return
        _, _, rest = head.lower().partition(b"content-length: ")
        if len(body) < int(rest.split(b"\r\n", 1)[0]):
            return
        self._latencies.append(time.perf_counter() - self._began)
        if b" 201 " not in head[:16]:
            self.done.set_exception(RuntimeError(self._data[:500].decode("utf-8", "replace")))
            self._transport.close()
            return
        self._next()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            if error is None and not self._waiting:
                self.done.set_result(None)
            else:
                self.done.set_exception(error or ConnectionError("closed before the answer"))


async def run(port: int, clients: int, requests: list[bytes]) -> dict[str, float]:
    """Send them all; what it took."""
    loop = asyncio.get_running_loop()
    latencies: list[float] = []
    count = len(requests)
    began, cpu = time.perf_counter(), time.process_time()
    made = [
        await loop.create_connection(lambda: Client(requests, latencies), "127.0.0.1", port)
        for _ in range(min(clients, count))
    ]
    async with asyncio.timeout(SECONDS_MAX):
        await asyncio.gather(*(client.done for _, client in made))
    seconds = time.perf_counter() - began
    latencies.sort()
    return {
        "count": count,
        "seconds": seconds,
        "cpu_seconds": time.process_time() - cpu,
        "p50": statistics.median(latencies),
        "p99": latencies[min(len(latencies) - 1, len(latencies) * 99 // 100)],
        "max": latencies[-1],
    }


def main() -> None:
    """See the module."""
    port, clients, count, first = map(int, sys.argv[1:5])
    requests = [request(number, sys.argv[5]) for number in range(first + count - 1, first - 1, -1)]
    sys.stdout.write(json.dumps(asyncio.run(run(port, clients, requests))) + "\n")


if __name__ == "__main__":
    main()
