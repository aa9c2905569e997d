"""A process with the real write path and nothing else, which does what it is told on stdin.

    python tests/faults/worker.py DATA

Each line in is a JSON list of keys, recorded as one batch; each line out is what one of them
was answered: ``{"key", "index", "receipt"}`` or ``{"key", "error"}``. An answer is one
write, so that a record of the system calls shows what was durable when it left.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from faults.trial import prepared_gift  # noqa: E402

from ledger.book import Book  # noqa: E402
from ledger.errors import LedgerError  # noqa: E402


def say(value: object) -> None:
    os.write(1, json.dumps(value).encode() + b"\n")


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
                say({"key": key, "error": error.code, "message": error.message})
            else:
                say({"key": key, "index": done.index, "receipt": done.receipt.decode()})
    book.close()


if __name__ == "__main__":
    main()
