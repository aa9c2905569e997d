"""Racing writers: processes that record in one log at once, beside one process alone.

The ratio says whether writers together are slower than one. Each writer prepares its gifts
(validation, sealing) itself, in large slices and in small ones, and waits for its receipts;
on PostgreSQL 1, 2, 4 and 8, in a file 1 and 2. Runs alternate, since machines are shared.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from postgresql_server import Databases, binaries, running
from scribe import ORGANISATION, ORIGIN, Scribe, tell_small_world
from writers import race

from ledger.book import Book
from ledger.store import Store
from ledger.store.place import write_url

SLICES = (500, 20)
SERVER_WRITERS = (1, 2, 4, 8)
FILE_WRITERS = (1, 2)


def _copy(base: Path, folder: Path, databases: Databases | None) -> Path:
    """The same small log anew, in a file or on the server."""
    shutil.copytree(base, folder)
    if databases is not None:
        url = databases.server.url(databases.new())
        with (
            closing(Store.open(str(folder / "ledger.sqlite3"))) as source,
            closing(Store.open(url)) as target,
            source.read() as reader,
        ):
            target.fill(reader)
        write_url(folder, url)
    return folder


def measure(gifts: int, runs: int) -> list[dict[str, Any]]:
    """``{database, slice, writers, per_second, ratio}``: medians; the ratio is to one writer."""
    found: dict[tuple[str, int, int], list[float]] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        kinds: dict[str, tuple[Databases | None, tuple[int, ...]]] = {
            "sqlite": (None, FILE_WRITERS)
        }
        if binaries() is not None:
            server = stack.enter_context(closing(Databases(stack.enter_context(running()))))
            kinds["postgresql"] = (server, SERVER_WRITERS)
        base = folder / "base"
        with closing(Book.create(base, origin=ORIGIN, organisation=ORGANISATION)) as book:
            tell_small_world(Scribe(book))
        for run in range(runs):
            for size in SLICES:
                for kind, (databases, counts) in kinds.items():
                    for writers in counts:
                        place = folder / f"{kind}-{run}-{size}-{writers}"
                        _copy(base, place, databases)
                        done = race(place, writers, gifts // writers, size)
                        rate = gifts // writers * writers / done["seconds"]
                        found.setdefault((kind, size, writers), []).append(rate)
    rows = []
    for (kind, size, writers), rates in found.items():
        pairs = zip(rates, found[kind, size, 1], strict=True)
        rows.append(
            {
                "database": kind,
                "slice": size,
                "writers": writers,
                "per_second": statistics.median(rates),
                "ratio": statistics.median(ours / one for ours, one in pairs),
            }
        )
    return rows


def main(gifts: int, runs: int, *, as_json: bool) -> None:
    """Measure and print."""
    rows = measure(gifts, runs)
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    if as_json:
        sys.stdout.write(json.dumps({"machine": machine, "runs": runs, "rows": rows}) + "\n")
        return
    sys.stdout.write(f"{machine}; {gifts} gifts, median of {runs} runs\n")
    for row in rows:
        name = f"{row['database']}, {row['writers']} writers, slices of {row['slice']}"
        sys.stdout.write(f"{name:42} {row['per_second']:>10,.0f}/s {row['ratio']:>7.3f}\n")
