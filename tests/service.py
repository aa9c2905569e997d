"""A real service in a process of its own, for tests from outside.

Starts ``shanji serve`` on a free loopback port, waits until it is ready, and ends only
the process that it started.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

READY_SECONDS_MAX = 120
STOP_SECONDS_MAX = 120


PORTS = range(10_000, 32_768)
"""Below those from which Linux takes the ports of outgoing connections: one that the system
chose itself, and that is bound only seconds later, may be a client's of another test by then."""
PORT_TRIES = 100


def free_port() -> int:
    """A loopback port that nobody has now, and that nobody is given without asking for it."""
    for _ in range(PORT_TRIES):
        # Not by the generator that tests seed: several processes choose at the same time.
        port = secrets.choice(PORTS)
        with socket.socket() as one, suppress(OSError):
            one.bind(("127.0.0.1", port))
            return port
    raise RuntimeError(f"no port of {PORTS} is free in {PORT_TRIES} tries")


class Service:
    """One started service. `url` is where it answers."""

    def __init__(
        self,
        data: Path,
        *options: str,
        port: int | None = None,
        log: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.data = data
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = log or data.with_name(data.name + ".log")
        command = [
            sys.executable,
            "-c",
            "from ledger.cli import main; main()",
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

    def wait_ready(self) -> None:
        """Wait until /readyz answers 200."""
        end = time.monotonic() + READY_SECONDS_MAX
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError(f"the service ended:\n{self.log.read_text()[-2000:]}")
            try:
                with urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as answer:
                    if answer.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                pass
            time.sleep(0.05)
        raise RuntimeError(f"the service was not ready in {READY_SECONDS_MAX} s")

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(STOP_SECONDS_MAX)

    def stop(self) -> int:
        """End it as Ctrl-C would; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(STOP_SECONDS_MAX)
