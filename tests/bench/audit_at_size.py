"""The audit at size, as ratios: one process, two, after a kill, and of what is new only.

    scripts/bench --audit 1000000 [--keep DIR] [--json]

Each audit is a process of its own, as an auditor runs it, so its peak memory is its own.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from served import write_served

from ledger.book import Book

ROOT = Path(__file__).resolve().parents[2]
NEW_ENTRIES = 1000
KILL_AT = 0.5
"""The part of a whole audit's time after which one is killed."""
SECONDS_MAX = 7200

Record = Callable[[Book, int, int], None]
"""Records gifts: the book, the first one's number, how many."""


def command(*arguments: object) -> list[str]:
    """``shanji audit`` in this environment."""
    start = "from ledger.cli import main; main()"
    return [sys.executable, "-c", start, "audit", *map(str, arguments), "--json"]


def audit(*arguments: object) -> dict[str, Any]:
    """One audit; its report, with the whole process's time beside the audit's."""
    started = time.perf_counter()
    done = subprocess.run(
        command(*arguments), cwd=ROOT, capture_output=True, check=False, timeout=SECONDS_MAX
    )
    seconds = time.perf_counter() - started
    if done.returncode:
        sys.stderr.write(done.stderr.decode("utf-8", "replace"))
        raise SystemExit(f"the audit failed with exit code {done.returncode}")
    value: dict[str, Any] = json.loads(done.stdout)
    return {**value, "process_seconds": seconds}


def killed(after_seconds: float, *arguments: object) -> None:
    """An audit that is killed with signal 9 after so long."""
    process = subprocess.Popen(
        command(*arguments),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        process.wait(after_seconds)
    except subprocess.TimeoutExpired:
        # Its workers are in its session, and nothing else is.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def row(name: str, report: dict[str, Any]) -> dict[str, Any]:
    """What the table shows of an audit."""
    speed = report["speed"]
    return {
        "audit": name,
        "entries": speed["entries"],
        "seconds": speed["milliseconds"] / 1000,
        "process_seconds": round(report["process_seconds"], 3),
        "cpu_seconds": speed["cpu_milliseconds"] / 1000,
        "entries_per_second": speed["entries_per_second"],
        "of_sha256": speed["wall_ratio_ppm"] / 1_000_000,
        "of_sha256_by_cpu": speed["cpu_ratio_ppm"] / 1_000_000,
        "peak_memory_mb": round(speed["peak_memory_bytes"] / 1_000_000),
    }


def measure(folder: Path, entries: int, open_book: Callable[[Path], Book], record: Record) -> Any:
    """All audits of one log of so many entries, made in a folder, or already there."""
    data, states = folder / "data", folder / "states"
    shutil.rmtree(states, ignore_errors=True)
    book = Book.open(data) if Book.exists(data) else open_book(data)
    recorded: float | None = None
    size = book.head().size
    if size < entries:
        started = time.perf_counter()
        record(book, size, entries - size)
        recorded = (entries - size) / (time.perf_counter() - started)
    served = write_served(book, folder / "served")
    rows = [
        row("hashes, 1 process", audit(served, "--hashes", "--jobs", 1)),
        row("hashes, 2 processes", audit(served, "--hashes", "--jobs", 2)),
        row("public data, 1 process", audit(served, "--jobs", 1)),
    ]
    whole = audit(served, "--jobs", 2, "--state", states / "whole")
    rows.append(row("public data, 2 processes", whole))
    cut = states / "killed"
    killed(whole["process_seconds"] * KILL_AT, served, "--jobs", 2, "--state", cut)
    rows.append(row("gone on after kill -9", audit(served, "--jobs", 2, "--state", cut)))
    rows.append(row("database, 1 process", audit("--data", data, "--jobs", 1)))
    rows.append(row("database, 2 processes", audit("--data", data, "--jobs", 2)))
    record(book, book.head().size, NEW_ENTRIES)
    write_served(book, folder / "served")
    book.close()
    new = row(f"{NEW_ENTRIES} new entries", audit(served, "--state", states / "whole"))
    rows.append(new)
    full = next(one for one in rows if one["audit"] == "public data, 2 processes")
    return {
        "entries": entries,
        "recorded_per_second": recorded,
        "incremental_of_full": new["seconds"] / full["seconds"],
        "incremental_of_full_whole_process": new["process_seconds"] / full["process_seconds"],
        "rows": rows,
    }


def table(found: dict[str, Any]) -> str:
    """The figures for a person."""
    lines = [
        f"{'audit':26} {'entries':>9} {'seconds':>8} {'cpu':>8} {'per s':>9} "
        f"{'of SHA':>7} {'by cpu':>7} {'peak MB':>8}"
    ]
    for one in found["rows"]:
        lines.append(
            f"{one['audit']:26} {one['entries']:>9,} {one['seconds']:>8.2f} "
            f"{one['cpu_seconds']:>8.2f} {one['entries_per_second']:>9,} "
            f"{one['of_sha256']:>7.3f} {one['of_sha256_by_cpu']:>7.3f} "
            f"{one['peak_memory_mb']:>8}"
        )
    if found["recorded_per_second"]:
        lines.append(f"recorded at {found['recorded_per_second']:,.0f} entries/s")
    lines.append(
        f"{NEW_ENTRIES} new entries: {found['incremental_of_full']:.4f} of the full audit "
        f"({found['incremental_of_full_whole_process']:.4f} with the process's start)"
    )
    return "\n".join(lines) + "\n"
