"""Processes that write to one log at once; run as a program, so that it forks before it has
threads.

    python tests/writers.py FOLDER WRITERS GIFTS SLICE [SHARED]

Each writer opens the log of the data folder for itself and records GIFTS gifts of its own,
SLICE at a time with the next slice queued; then SHARED gifts whose keys all writers use. It
prints ``{"seconds": whole race, "recorded": [[index, ...] of each], "shared": [...]}``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import deque
from concurrent.futures import Future
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))

from ledger.book import Book  # noqa: E402
from ledger.records.request import Prepared, prepare  # noqa: E402

IN_FLIGHT = 2
"""Slices that a writer has queued."""
SECONDS_MAX = 600


def race(folder: Path, writers: int, gifts: int, size: int, shared: int = 0) -> dict[str, Any]:
    """Let processes race; what they recorded and how long it took."""
    command = [sys.executable, __file__, str(folder), *map(str, (writers, gifts, size, shared))]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=SECONDS_MAX)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def gift(book: Book, key: str) -> Prepared:
    """A gift with four sealed fields, the same for the same key."""
    sealed = dict.fromkeys(("donor_name", "contact", "message"), f"示例{key}")
    body = {
        "kind": "donation.money",
        "occurred_on": "2021-09-09",
        "fields": {"fund": "general", "amount_fen": 100, "channel": "tencent"},
        "sealed": {**sealed, "order_number": key.upper()},
    }
    return prepare(body, key=key, recorded_by="clerk-1", approved_by=None, vault=book.vault)


def record(book: Book, name: str, gifts: int, size: int) -> list[int]:
    """Record gifts slice by slice; their indices."""
    running: deque[list[Future[Any]]] = deque()
    found: list[int] = []
    for start in range(0, gifts, size):
        some = [gift(book, f"{name}-{one}") for one in range(start, min(gifts, start + size))]
        running.append(book.sequencer.submit(some))
        if len(running) >= IN_FLIGHT:
            found += [one.result().index for one in running.popleft()]
    return found + [one.result().index for some in running for one in some]


def _write(
    folder: Path, name: str, gifts: int, size: int, shared: int, ready: int, go: int
) -> dict[str, Any]:
    book = Book.open(folder)
    try:
        os.write(ready, b"r")
        os.read(go, 1)
        own = record(book, name, gifts, size)
        ended = time.monotonic()
        same = record(book, "shared", shared, size)
    finally:
        book.close()
    return {"ended": ended, "own": own, "same": same}


def _main(folder: Path, writers: int, gifts: int, size: int, shared: int) -> None:
    go, start = os.pipe()
    is_ready, ready = os.pipe()
    reads: list[int] = []
    for number in range(writers):
        read, write = os.pipe()
        if os.fork() == 0:
            found = _write(folder, f"writer-{number}", gifts, size, shared, ready, go)
            with os.fdopen(write, "w") as out:
                json.dump(found, out)
            os._exit(0)
        os.close(write)
        reads.append(read)
    for _ in range(writers):
        os.read(is_ready, 1)
    began = time.monotonic()
    os.write(start, b"g" * writers)
    told: list[dict[str, Any]] = [json.loads(os.fdopen(read).read()) for read in reads]
    for _ in range(writers):
        os.wait()
    seconds = max(one["ended"] for one in told) - began
    shown = {"seconds": seconds, "recorded": [one["own"] for one in told]}
    print(json.dumps(shown | {"shared": [one["same"] for one in told]}))


if __name__ == "__main__":
    _main(Path(sys.argv[1]), *map(int, (*sys.argv[2:], "0")[:4]))
