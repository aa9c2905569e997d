"""What workers do in the tests of ``api.workers``: other processes import it by name."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from socket import socket

FILE_SECONDS_MAX = 60


def good(number: int, folder: Path, _listener: socket, ready: Callable[[], None]) -> None:
    """Leave a file with the process's id, then stay."""
    (folder / f"{number}-{os.getpid()}").touch()
    ready()
    while True:
        time.sleep(60)


def one_that_cannot_start(
    number: int, folder: Path, listener: socket, ready: Callable[[], None]
) -> None:
    """The second returns before it answers, once the first has left its file."""
    if number != 1:
        good(number, folder, listener, ready)
    end = time.monotonic() + FILE_SECONDS_MAX
    while not list(folder.glob("0-*")) and time.monotonic() < end:
        time.sleep(0.02)


def mortal(number: int, folder: Path, _listener: socket, ready: Callable[[], None]) -> None:
    """Answer, and end."""
    (folder / f"{number}-{os.getpid()}").touch()
    ready()
