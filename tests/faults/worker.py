"""A process with the real write path and nothing else, which does what it is told on stdin.

    python tests/faults/worker.py DATA

Each line in is a JSON list of keys, recorded as one batch; each line out is what one of them
was answered: ``{"key", "index", "receipt"}`` or ``{"key", "error"}``, and what time it is
there. An answer is one write, so that a record of the system calls shows what was durable when
it left.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from faults.trial import prepared_gift  # noqa: E402

from ledger.book import Book  # noqa: E402
from ledger.errors import LedgerError  # noqa: E402


def say(value: object) -> None:
    os.write(1, json.dumps(value).encode() + b"\n")


def standing(book: Book) -> str:
    """Why no record can be written now, as /readyz would say it; empty where they can."""
    try:
        book.sequencer.ready()
    except LedgerError as error:
        return error.code
    return ""


def main() -> None:
    book = Book.open(Path(sys.argv[1]))
    say({"ready": os.getpid()})
    for line in sys.stdin:
        keys = json.loads(line)
        futures = book.sequencer.submit([prepared_gift(book, key) for key in keys])
        for key, future in zip(keys, futures, strict=True):
            try:
                done = future.result()
            except LedgerError as error:
                say({"key": key, "error": error.code, "standing": standing(book)})
            else:
                receipt = done.receipt.decode()
                say({"key": key, "index": done.index, "receipt": receipt, "now": time.time()})
    book.close()


if __name__ == "__main__":
    main()
