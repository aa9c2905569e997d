"""How often the interpreter looks for cycles among its objects, where many are made."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

EVERY = 10_000
"""Entries are many objects without cycles, and each database query a few with. By default
every 700 objects are looked through, and those that stay again and again: a fifth of the time
of recording. More rarely still lets cycles pile up."""


@contextmanager
def rare_garbage() -> Iterator[None]:
    """The collector looks for cycles less often inside the block."""
    before = gc.get_threshold()
    gc.set_threshold(EVERY, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
