"""What workers do in the tests of ``api.workers``: other processes import it by name."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from socket import socket


def good(number: int, folder: Path, _listener: socket, ready: Callable[[], None]) -> None:
    """Leave a file with the process's id, then stay."""
    (folder / f"{number}-{os.getpid()}").touch()
    ready()
    while True:
        time.sleep(60)


def one_that_cannot_start(
    number: int, folder: Path, listener: socket, ready: Callable[[], None]
) -> None:
    """The second returns before it answers."""
    if number != 1:
        good(number, folder, listener, ready)


def mortal(number: int, folder: Path, _listener: socket, ready: Callable[[], None]) -> None:
    """Answer, and end."""
    (folder / f"{number}-{os.getpid()}").touch()
    ready()
