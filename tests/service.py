"""A real service in a process of its own, for tests from outside.

Starts ``shanji serve`` on a free loopback port, waits until it is ready, and ends only
the process that it started.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import count, islice
from pathlib import Path
from random import randrange

from troubles import STARTED, Started, trouble

PORTS_FIRST = 20_000
"""Linux gives away 32,768 and above by itself (``ip_local_port_range``)."""
PORTS_OF_A_SHARE = 1500
PORT_SHARES = 8
READY_SECONDS_MAX = 120
STOP_SECONDS_MAX = 120


def _ports() -> Iterator[int]:
    """Ports of this process: another worker of the run has others.

    None of them is one that the system gives away by itself, to whoever connects somewhere or
    asks for any: such a port may be gone when the server that is to have it has started, or while
    it is away.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]
    first = PORTS_FIRST + int(worker) % PORT_SHARES * PORTS_OF_A_SHARE
    start = randrange(PORTS_OF_A_SHARE)
    for number in count(start):
        yield first + number % PORTS_OF_A_SHARE


_PORTS = _ports()


def free_port() -> int:
    """A loopback port that nobody listens on, and that no other test of this run is given."""
    for port in islice(_PORTS, PORTS_OF_A_SHARE):
        with socket.socket() as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                one.bind(("127.0.0.1", port))
                return port
    raise RuntimeError("no port is free")


class Service:
    """One started service. `url` is where it answers; `before` is Python that it runs first."""

    def __init__(
        self,
        data: Path,
        *options: str,
        port: int | None = None,
        log: Path | None = None,
        environment: Mapping[str, str] | None = None,
        before: str = "",
    ) -> None:
        self.data = data
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = log or data.with_name(data.name + ".log")
        command = [
            sys.executable,
            "-c",
            before + "\nfrom ledger.cli import main; main()",
            "serve",
            "--port",
            str(self.port),
            "--data",
            str(data),
            *options,
        ]
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                command,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
            )
        STARTED.append(Started(self.process, self.log))

    def wait_ready(self) -> None:
        """Wait until /readyz answers 200."""
        end = time.monotonic() + READY_SECONDS_MAX
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError(f"the service ended:\n{trouble(self.log)}")
            try:
                with urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as answer:
                    if answer.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                pass
            time.sleep(0.05)
        raise RuntimeError(
            f"the service was not ready in {READY_SECONDS_MAX} s:\n{trouble(self.log)}"
        )

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(STOP_SECONDS_MAX)

    def stop(self) -> int:
        """End it as Ctrl-C would; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(STOP_SECONDS_MAX)
