"""Other processes, as a test waits for them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

WAIT_SECONDS = 120


def alive(pid: int) -> bool:
    """Whether a process is there that has not ended."""
    with suppress(OSError):
        os.kill(pid, 0)
        # A zombie has ended: nobody has asked for its code yet.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


def until(condition: Callable[[], bool]) -> None:
    """Wait until it is so; fails where it is not soon."""
    end = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
