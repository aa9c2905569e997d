"""The order to end (SIGTERM, Ctrl-C), wherever the process is when it comes.

A signal becomes a KeyboardInterrupt at whatever line the process has reached. Inside a
destructor or the callback of a weak reference, of which a database library has many, Python
prints such an exception and forgets it: the order would be lost, and a service that was told to
end while it opens its log would begin to serve. So it is remembered besides, and looked at
again where the start has come to its end and wherever a process waits.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopping:
    """Whether this process was told to end; signals are the process's, so there is one."""

    def __init__(self) -> None:
        self._asked = False
        self._closing = 0

    def listen(self) -> None:
        """From here on a signal interrupts what the process does, and is remembered."""
        self._asked = False
        for one in SIGNALS:
            signal.signal(one, self._take)

    @property
    def asked(self) -> bool:
        """Whether a signal has come."""
        return self._asked

    def check(self) -> None:
        """Raises KeyboardInterrupt where a signal has come, even if its own was lost."""
        if self._asked:
            raise KeyboardInterrupt

    @contextmanager
    def closing(self) -> Iterator[None]:
        """The block, which closes something, is not interrupted; a signal counts after it."""
        self._closing += 1
        try:
            yield
        finally:
            self._closing -= 1
        self.check()

    def _take(self, _number: int, _frame: FrameType | None) -> None:
        self._asked = True
        if not self._closing:
            raise KeyboardInterrupt


STOPPING = Stopping()
