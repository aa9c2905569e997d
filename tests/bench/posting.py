"""Single POSTs over loopback HTTP beside a validated POST that stores nothing."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.gifts import open_book
from bench.measure import Row, Took, process_cpu_seconds, row, take_turns
from service import Service

from api.auth import create_token
from ledger.records.kind import Role

HERE = Path(__file__).parent
POST_REACH = 0.5
TAIL_REACH = 4.0
WARM = 200
STOP_SECONDS_MAX = 120


@contextmanager
def limit_service() -> Iterator[tuple[int, int]]:
    """The limit's server; its port and process id."""
    process = subprocess.Popen(
        [sys.executable, HERE / "answering.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline()), process.pid
    finally:
        process.communicate(timeout=STOP_SECONDS_MAX)


def load(port: int, pid: int, clients: int, count: int, first: int, token: str) -> Any:
    """One load: its figures, with the server's processor time as ``took``."""
    before = process_cpu_seconds(pid)
    command = [sys.executable, "-S", HERE / "client.py", port, clients, count, first, token]
    done = subprocess.run([str(one) for one in command], capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr.decode("utf-8", "replace"))
    found = json.loads(done.stdout)
    cpu = process_cpu_seconds(pid) - before
    return {**found, "took": Took(count, found["seconds"], cpu)}


def post(folder: Path, requests: int, clients: int, runs: int, database: str | None) -> list[Row]:
    """Both services are up all the time; one of them idles while the other answers."""
    data = folder / "post"
    open_book(data, database).close()
    token = create_token(data, "clerk-1", Role.CLERK)
    service = Service(data)
    try:
        service.wait_ready()
        with limit_service() as (port, pid):
            load(port, pid, clients, WARM, 0, token)
            load(service.port, service.process.pid, clients, WARM, 0, token)
            sent = WARM
            loads: list[Any] = []
            beside: list[Any] = []

            def ours() -> Took:
                nonlocal sent
                own = service.process.pid
                loads.append(load(service.port, own, clients, requests, sent, token))
                sent += requests
                return loads[-1]["took"]

            def limit() -> Took:
                beside.append(load(port, pid, clients, requests, 0, token))
                return beside[-1]["took"]

            pairs = take_turns(ours, limit, runs)
    finally:
        service.stop()
    note = (
        f"p50 {_ms(loads, 'p50')}, p99 {_ms(loads, 'p99')}; the limit's {_ms(beside, 'p50')}, "
        f"{_ms(beside, 'p99')}; the client is busy {_busy(loads):.0%} of the time"
    )
    tail = statistics.median(one["p99"] / one["p50"] for one in loads)
    other = statistics.median(one["p99"] / one["p50"] for one in beside)
    found = row("single POST", "validated POST that stores nothing", pairs, POST_REACH, note=note)
    p50 = statistics.median(one["p50"] for one in loads)
    p99 = statistics.median(one["p99"] for one in loads)
    what = f"the limit's own p99/p50 is {other:.1f}"
    ratio = Row("single POST: p99 / p50", "", 1 / p99, 1 / p50, tail, None, TAIL_REACH, True, what)
    return [found, ratio]


def _ms(loads: list[Any], name: str) -> str:
    return f"{statistics.median(one[name] for one in loads) * 1000:.1f} ms"


def _busy(loads: list[Any]) -> float:
    return statistics.median(one["cpu_seconds"] / one["seconds"] for one in loads)
