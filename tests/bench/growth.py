"""Memory of the writer, the server and the audit, and disk a gift, from a small log to a large."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.audit_at_size import audit
from bench.gifts import open_book, record_all
from bench.measure import Row
from bench.place import disk_bytes
from bench.posting import load
from served import write_served
from service import Service

from api.auth import create_token
from ledger.audit.hashing import peak_bytes
from ledger.book import Book
from ledger.records.kind import Role

TESTS = Path(__file__).parents[1]
GROWTH_REACH = 1.2
POSTS = 500
FIRST_POST = 900_000_000
"""Posted orders are no earlier ones."""


def write_apart(data: Path, first: int, count: int) -> None:
    """In a process of its own: record so many gifts, print its peak memory."""
    book = Book.open(data)
    record_all(book, count, first)
    book.close()
    sys.stdout.write(f"{peak_bytes()}\n")


def growths(folder: Path, small: int, large: int, database: str | None) -> list[Row]:
    """What both sizes need, and how much more the larger one needs."""
    data = folder / "growth"
    open_book(data, database).close()
    sizes = []
    for number, (first, end) in enumerate(((0, small), (small, large))):
        written = _peak(data, first, end - first)
        disk = disk_bytes(data) / end
        served, entry_bytes = _served(data, folder / "served")
        audited = audit(served, "--jobs", 1)["speed"]["peak_memory_bytes"]
        server = _server(data, FIRST_POST + number * 2 * POSTS)
        found = {"writer": written, "server": server, "audit": audited, "disk": disk}
        sizes.append({**found, "entry": entry_bytes / end})
    before, after = sizes
    return [
        _row("memory: writer of bulk", before["writer"], after["writer"], small, large),
        _row("memory: server that records", before["server"], after["server"], small, large),
        _row("memory: audit, rules and units", before["audit"], after["audit"], small, large),
        _row(
            "disk: bytes a gift",
            before["disk"],
            after["disk"],
            small,
            large,
            note=f"of which {after['entry']:,.0f} are served as entries and tiles",
        ),
    ]


def _row(
    name: str, before: float, after: float, small: int, large: int, note: str | None = None
) -> Row:
    unit = 1 if name.startswith("disk") else 1_000_000
    figures = f"{before / unit:,.0f} → {after / unit:,.0f} {'bytes' if unit == 1 else 'MB'}"
    what = f"{small:,} → {large:,} entries"
    text = figures if note is None else f"{figures}, {note}"
    return Row(name, what, after, before, after / before, None, GROWTH_REACH, True, text)


def _peak(data: Path, first: int, count: int) -> int:
    command = [sys.executable, "-m", "bench.growth", str(data), str(first), str(count)]
    path = os.pathsep.join(map(str, (TESTS, TESTS.parent)))
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, env=environment)
    return int(done.stdout)


def _served(data: Path, folder: Path) -> tuple[Path, int]:
    book = Book.open(data)
    try:
        served = write_served(book, folder)
    finally:
        book.close()
    return served, sum(one.stat().st_size for one in served.rglob("*") if one.is_file())


def _server(data: Path, first: int) -> int:
    """Peak memory of a service that has recorded some gifts and answered some reads."""
    token = create_token(data, "clerk-1", Role.CLERK)
    service = Service(data)
    try:
        service.wait_ready()
        load(service.port, service.process.pid, 16, POSTS, first, token)
        status = Path(f"/proc/{service.process.pid}/status").read_text("ascii")
        peak: Any = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(peak.split()[1]) * 1024
    finally:
        service.stop()


if __name__ == "__main__":
    write_apart(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
