"""``scripts/bench``: what is measured, how large, and the table."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sqlite3
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from bench import audit_at_size, place, writers
from bench.auditing import audits
from bench.gifts import open_book, record_all
from bench.growth import growths
from bench.importing import imports
from bench.measure import Row, table
from bench.pages import pages
from bench.posting import post
from bench.reading import receipts, traces
from bench.recording import bulk

from ledger.book import Book
from ledger.tlog.tiles import TILE_WIDTH

GROWTH_SMALL, PAGES_SMALL = 10_000, 2_500
"""Entries of the small log, where none are asked for: of trace and growth, of pages (1,300 that
fill a page of each list, then rounds)."""
PACKAGES = ("cryptography", "fastapi", "orjson", "pydantic", "sqlalchemy", "uvicorn")

FULL_SIZE = "scripts/bench --gifts 100000 --hashed 1024000 --large 1000000 --runs 7"
"""The sizes of issue 6; it takes hours. Without options the same rows take some minutes
on free cores."""

Options = argparse.Namespace
WORKLOADS: dict[str, Callable[[Path, Options], list[Row]]] = {
    "post": lambda at, of: post(at, of.requests, of.clients, of.runs, of.database),
    "bulk": lambda at, of: bulk(at, of.gifts, of.runs, of.database),
    "import": lambda at, of: imports(at, of.gifts, of.runs, of.database),
    "audit": lambda at, of: audits(at, of.gifts, of.hashed, of.runs, of.database),
    "receipt": lambda at, of: receipts(at, of.sample, of.runs, of.database),
    "trace": lambda at, of: traces(at, of.small, of.large, of.sample, of.runs, of.database),
    "growth": lambda at, of: growths(at, of.small, of.large, of.database),
    "pages": lambda at, of: pages(
        of.keep or at, of.small_pages, of.large, of.runs, of.database, of.page
    ),
}

BY_NAME = ("pages",)
"""No row of issue 6's table, and as long as all of those together: measured when named."""


def parse_options(arguments: list[str] | None = None) -> Options:
    """The options of the command line."""
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description="Speed as ratios, each workload beside its limit."
    )
    add = parser.add_argument
    names = ", ".join(WORKLOADS)
    add("workloads", nargs="*", metavar="NAME", help=f"some of {names}; all but pages by default")
    add("--only", metavar="NAMES", help="the same, with commas")
    add("--gifts", type=int, default=20_000, help="in bulk, import and audit")
    add("--hashed", type=int, default=256_000, help="entries whose hashes alone are audited")
    add("--requests", type=int, default=2_000, help="POSTs in one turn")
    add("--sample", type=int, default=200, help="receipts and traces in one turn")
    add("--clients", type=int, default=64)
    add("--runs", type=int, default=5, help="turns of each workload and its limit")
    add("--small", type=int, help="entries of the small log: 10,000; of pages 2,500")
    add("--large", type=int, default=100_000, help="entries of the large one")
    add(
        "--database",
        default=place.SQLITE,
        metavar="URL",
        help="sqlite (the default), postgresql (a server of its own), or a server's URL",
    )
    add("--folder", type=Path, help="where the logs are made; a temporary folder by default")
    add("--json", action="store_true")
    add("--audit", type=int, metavar="N", help="audit one log of N entries, and nothing else")
    add("--writers", action="store_true", help="racing writers on both databases, nothing else")
    add("--page", default="", metavar="TEXT", help="of pages, those with this in their name")
    add("--keep", type=Path, metavar="DIR", help="keep that log, or those of pages; use it again")
    options = parser.parse_args(arguments)
    # Whole bundles only.
    options.hashed -= options.hashed % TILE_WIDTH
    only = options.only.split(",") if options.only else []
    options.names = [*options.workloads, *only] or [
        name for name in WORKLOADS if name not in BY_NAME
    ]
    options.small_pages = options.small or PAGES_SMALL
    options.small = options.small or GROWTH_SMALL
    if unknown := set(options.names) - set(WORKLOADS):
        parser.error(f"expected some of {names}, got {', '.join(sorted(unknown))}")
    return options


def machine() -> dict[str, str | int]:
    """What it ran on."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count() or 0,
        "load": f"{os.getloadavg()[0]:.1f}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        **{name: version(name) for name in PACKAGES},
    }


def run(options: Options) -> tuple[str, list[Row]]:
    """Which database it was, and all the rows that were asked for."""
    with place.chosen(options.database) as options.database:
        return place.version(options.database), _run(options)


def _run(options: Options) -> list[Row]:
    rows: list[Row] = []
    for name in options.names:
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            found = WORKLOADS[name](Path(folder), options)
        rows += found
        sys.stderr.write(table(found))
    return rows


def audit_one(options: Options) -> None:
    """The audit at size, in a folder that is kept, or in one that is not."""

    def record(book: Book, first: int, gifts: int) -> None:
        record_all(book, gifts, first)

    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        found = audit_at_size.measure(
            options.keep or Path(folder), options.audit, open_book, record
        )
    sys.stdout.write(json.dumps(found) + "\n" if options.json else audit_at_size.table(found))


def main() -> None:
    """See ``scripts/bench --help``."""
    options = parse_options()
    if options.audit is not None:
        audit_one(options)
        return
    if options.writers:
        writers.main(options.gifts, options.runs, as_json=options.json)
        return
    database, rows = run(options)
    about = {"database": database, **machine()}
    if options.json:
        value = {
            "machine": about,
            "runs": options.runs,
            "full_size": FULL_SIZE,
            "rows": [one.as_json() for one in rows],
        }
        sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
        return
    sys.stdout.write(", ".join(f"{name} {value}" for name, value in about.items()))
    sys.stdout.write(f"; medians of {options.runs} turns\n{table(rows)}")
    sys.stdout.write(f"full size: {FULL_SIZE}\n")


if __name__ == "__main__":
    main()
