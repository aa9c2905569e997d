"""What went wrong in a process that a test started, as its log tells it.

A test that fails because a service answered wrongly must tell why it did: its output is all that
is left of a run on another machine.
"""

from __future__ import annotations

import re
import subprocess
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

TROUBLE_CHARS_MAX = 4000
RECORD_CHARS_MAX = 1500
KEPT_MAX = 16
LEVELS = {"WARNING", "ERROR", "CRITICAL", "FATAL", "PANIC", "DETAIL", "STATEMENT"}
"""What is told of Python's levels and of PostgreSQL's."""
TRACEBACK = "Traceback (most recent call last)"
_RECORD = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[,.]\d+ (?:\w+ \[\d+\] )?([A-Z]+)\b", re.M)
_NUMBER = re.compile(r"[0-9a-f]{8,}|\d+")


@dataclass(frozen=True)
class Started:
    """A process and the file that it logs to."""

    process: subprocess.Popen[bytes]
    log: Path


STARTED: deque[Started] = deque(maxlen=KEPT_MAX)
"""The newest ones that this process started."""


def trouble(log: Path) -> str:
    """Warnings, errors and tracebacks of a log, each kind once, or its end where there is none.

    Of many the first and the last are told, for the first is often the cause of the others.
    """
    text = log.read_text("utf-8", "replace") if log.exists() else ""
    seen: dict[str, str] = {}
    for record in _records(text):
        found = _RECORD.match(record)
        if TRACEBACK in record or (found and found[1] in LEVELS):
            said = record[found.end() :] if found else record
            seen.setdefault(_NUMBER.sub("#", said), _middle_out(record.strip(), RECORD_CHARS_MAX))
    told = "\n".join(seen.values()) or text.strip()
    return _middle_out(told, TROUBLE_CHARS_MAX)


def troubles(logs: Iterable[Path]) -> str:
    """What several logs tell, each under its name; empty where they tell nothing."""
    told = ((log, trouble(log)) for log in logs)
    return "\n".join(f"--- {log.parent.name}/{log.name}:\n{text}" for log, text in told if text)


def _records(text: str) -> Iterator[str]:
    """The text in records: a line that does not begin one belongs to the one before."""
    starts = [0, *(one.start() for one in _RECORD.finditer(text)), len(text)]
    for start, end in pairwise(starts):
        if start < end:
            yield text[start:end]


def _middle_out(text: str, most: int) -> str:
    half = most // 2
    return text if len(text) <= most else f"{text[:half]}\n[...]\n{text[-half:]}"
