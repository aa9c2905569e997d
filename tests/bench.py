"""Speed as ratios: each workload beside its limit, measured in the same run.

    scripts/bench [--gifts 20000] [--runs 3] [--json]
    scripts/bench --audit 1000000 [--keep DIR] [--json]    (``bench_audit``)
    scripts/bench --writers [--gifts 20000] [--runs 3] [--json]    (``bench_writers``)

Machines are shared and noisy, so no figure stands alone: a ratio says how much of what
the machine can do at all is left after rules, units, hashes, signatures and sealing.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import bench_audit  # noqa: E402
import bench_writers  # noqa: E402

from ledger.audit.replay import audit  # noqa: E402
from ledger.book import Book  # noqa: E402
from ledger.records.request import Prepared, prepare  # noqa: E402
from ledger.trace import trace  # noqa: E402
from ledger.verify import verify_receipt  # noqa: E402

SLICE = 1000


def timed(work: Callable[[], Any]) -> float:
    """Seconds that a call takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def body(number: int) -> dict[str, Any]:
    """A money gift with four sealed fields."""
    return {
        "kind": "donation.money",
        "occurred_on": "2021-09-09",
        "fields": {"fund": "bench", "amount_fen": 100 + number % 9900, "channel": "tencent"},
        "sealed": {
            "donor_name": f"示例捐赠人{number:06d}",
            "contact": f"示例联系方式{number:06d}",
            "order_number": f"BENCH-{number:010d}",
            "message": "愿更多人受益",
        },
    }


def prepared_gift(book: Book, number: int) -> Prepared:
    return prepare(
        body(number),
        key=f"bench/{number}",
        recorded_by="clerk-1",
        approved_by=None,
        vault=book.vault,
    )


def open_book(folder: Path) -> Book:
    """A fresh log with one fund."""
    book = Book.create(folder, origin="shanji.example/bench", organisation="示例慈善会")
    fields = {"code": "bench", "name": "测速资金", "fund_class": "unrestricted"}
    fund = {"kind": "fund.opened", "occurred_on": "2021-01-01", "fields": fields}
    book.sequencer.record(
        prepare(fund, key="fund", recorded_by="r-1", approved_by=None, vault=book.vault)
    )
    return book


def record_all(book: Book, gifts: int, first: int = 0) -> None:
    for start in range(first, first + gifts, SLICE):
        end = min(first + gifts, start + SLICE)
        some = [prepared_gift(book, one) for one in range(start, end)]
        for future in book.sequencer.submit(some):
            future.result()


def insert_all(path: Path, rows: list[tuple[int, bytes]]) -> None:
    """The limit of recording: the same bytes, durable, in batches of the same size."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE entry (number INTEGER PRIMARY KEY, data BLOB)")
    for start in range(0, len(rows), SLICE):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO entry VALUES (?, ?)", rows[start : start + SLICE])
        connection.execute("COMMIT")
    connection.close()


def measure(folder: Path, gifts: int) -> dict[str, tuple[float, float]]:
    """One run: ``{workload: (units/s of the workload, units/s of its limit)}``."""
    book = open_book(folder / "data")
    try:
        seconds = timed(lambda: record_all(book, gifts))
        with book.store.read() as reader:
            rows = [(index, bytes(data)) for index, data, _ in reader.scan("entry")]
        limit = timed(lambda: insert_all(folder / "limit.sqlite3", rows))
        found = {"bulk recording / durable insert": (gifts / seconds, gifts / limit)}

        receipts = [book.receipt(index, reveal="all") for index in range(2, 202)]
        key, message = Ed25519PrivateKey.generate(), b"a checkpoint"
        signature, public = key.sign(message), key.public_key()
        checked = timed(lambda: [public.verify(signature, message) for _ in range(2000)]) / 2000
        verified = timed(lambda: [verify_receipt(one, book.verifier_keys) for one in receipts])
        found["receipt verified / Ed25519 verified"] = (200 / verified, 1 / checked)

        early, late = gifts // 100 + 2, gifts - 1
        with book.store.read() as reader:
            first = timed(lambda: [trace(reader, early, "forward") for _ in range(50)])
            last = timed(lambda: [trace(reader, late, "forward") for _ in range(50)])
        found["trace of a late gift / of an early one"] = (50 / last, 50 / first)
    finally:
        book.close()
    store, vault = Book.parts(folder / "data")
    try:
        audited = timed(lambda: audit(store, vault=vault))
    finally:
        store.close()
    hashed = timed(lambda: [hashlib.sha256(data).digest() for _, data in rows])
    found["full audit / SHA-256 of the entries"] = (len(rows) / audited, len(rows) / hashed)
    found["full audit / bulk recording"] = (len(rows) / audited, gifts / seconds)
    return found


def measure_audit(entries: int, keep: Path | None, *, as_json: bool) -> None:
    """The audit at size, in a folder that is kept, or in one that is not."""

    def record(book: Book, first: int, gifts: int) -> None:
        record_all(book, gifts, first)

    with tempfile.TemporaryDirectory() as folder:
        found = bench_audit.measure(keep or Path(folder), entries, open_book, record)
    sys.stdout.write(json.dumps(found) + "\n" if as_json else bench_audit.table(found))


def main() -> None:
    parser = argparse.ArgumentParser(description="Speed as ratios beside a limit.")
    parser.add_argument("--gifts", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--audit", type=int, metavar="N", help="audit a log of N entries")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep that log, or use it again")
    parser.add_argument("--writers", action="store_true", help="racing writers, both databases")
    options = parser.parse_args()
    if options.writers:
        bench_writers.main(options.gifts, options.runs, as_json=options.json)
        return
    if options.audit is not None:
        measure_audit(options.audit, options.keep, as_json=options.json)
        return
    runs: list[dict[str, tuple[float, float]]] = []
    for _ in range(options.runs):
        with tempfile.TemporaryDirectory() as folder:
            runs.append(measure(Path(folder), options.gifts))
    rows = []
    for name in runs[0]:
        ours = statistics.median(run[name][0] for run in runs)
        limit = statistics.median(run[name][1] for run in runs)
        ratio = statistics.median(run[name][0] / run[name][1] for run in runs)
        rows.append({"workload": name, "per_second": ours, "limit": limit, "ratio": ratio})
    machine = f"{platform.machine()}, Python {platform.python_version()}"
    machine += f", SQLite {sqlite3.sqlite_version}"
    if options.json:
        sys.stdout.write(json.dumps({"machine": machine, "runs": len(runs), "rows": rows}) + "\n")
        return
    sys.stdout.write(f"{machine}; {options.gifts} gifts, median of {len(runs)} runs\n")
    for row in rows:
        sys.stdout.write(
            f"{row['workload']:42} {row['per_second']:>10,.0f}/s {row['limit']:>12,.0f}/s "
            f"{row['ratio']:>7.3f}\n"
        )


if __name__ == "__main__":
    main()
