"""Turns of a workload and its limit, and what comes of them."""

from __future__ import annotations

import os
import resource
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Took:
    """What one turn took.

    Attributes:
        operations: How many things were done.
        wall, cpu: Seconds by the clock, and of processor time of all that worked on it.
    """

    operations: int
    wall: float
    cpu: float

    @property
    def rate(self) -> float:
        """Operations in a second by the clock."""
        return self.operations / max(self.wall, 1e-9)

    @property
    def cpu_rate(self) -> float:
        """Operations in a second of processor time."""
        return self.operations / max(self.cpu, 1e-9)


Turn = Callable[[], Took]


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table.

    Attributes:
        workload, limit: What was measured, beside what.
        ours, limit_rate: Medians of operations in a second.
        ratio, cpu_ratio: Medians over the turns of ours over the limit's.
        reach: What issue 6 asks for; `at_most` where smaller is better.
        note: What else is to be said.
    """

    workload: str
    limit: str
    ours: float
    limit_rate: float
    ratio: float
    cpu_ratio: float | None
    reach: float | None
    at_most: bool = False
    note: str = ""

    @property
    def verdict(self) -> str:
        """Whether the better of the two ratios reaches what is asked."""
        if self.reach is None:
            return ""
        found = [one for one in (self.ratio, self.cpu_ratio) if one is not None]
        reached = [one <= self.reach if self.at_most else one >= self.reach for one in found]
        return "yes" if all(reached) else "by one" if any(reached) else "no"

    def as_json(self) -> dict[str, Any]:
        """The row as plain values."""
        return {**asdict(self), "reached": self.verdict}


def timed(work: Callable[[], Any], operations: int) -> Took:
    """Do it once; this process's threads count, and processes that it starts and ends."""
    cpu, wall = _cpu_seconds(), time.perf_counter()
    work()
    return Took(operations, time.perf_counter() - wall, _cpu_seconds() - cpu)


def _cpu_seconds() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def take_turns(ours: Turn, limit: Turn, runs: int) -> list[tuple[Took, Took]]:
    """``(ours, limit)`` of each run: one after the other, the limit first."""
    pairs = []
    for _ in range(runs):
        beside = limit()
        pairs.append((ours(), beside))
    return pairs


def row(
    workload: str,
    limit: str,
    pairs: Sequence[tuple[Took, Took]],
    reach: float | None,
    *,
    at_most: bool = False,
    note: str = "",
) -> Row:
    """The medians of some turns.

    Args:
        at_most: Tell how many times as long as the limit it takes, where smaller is better;
            otherwise its speed as a part of the limit's.
    """
    wall = [ours.rate / beside.rate for ours, beside in pairs]
    cpu = [ours.cpu_rate / beside.cpu_rate for ours, beside in pairs]
    if at_most:
        wall, cpu = [1 / one for one in wall], [1 / one for one in cpu]
    return Row(
        workload,
        limit,
        statistics.median(ours.rate for ours, _ in pairs),
        statistics.median(beside.rate for _, beside in pairs),
        statistics.median(wall),
        statistics.median(cpu),
        reach,
        at_most,
        note,
    )


def process_cpu_seconds(pid: int) -> float:
    """Processor time of another process so far (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS


def table(rows: Sequence[Row]) -> str:
    """The rows for a person."""
    lines = [
        f"{'workload':44} {'beside':36} {'ours/s':>10} {'limit/s':>11} {'ratio':>7} "
        f"{'by cpu':>7} {'reach':>7} {'reached':>8}"
    ]
    for one in rows:
        reach = "" if one.reach is None else f"{'<' if one.at_most else '≥'} {one.reach:g}"
        cpu = "" if one.cpu_ratio is None else f"{one.cpu_ratio:.3f}"
        lines.append(
            f"{one.workload:44} {one.limit:36} {one.ours:>10,.0f} {one.limit_rate:>11,.0f} "
            f"{one.ratio:>7.3f} {cpu:>7} {reach:>7} {one.verdict:>8}"
        )
        if one.note:
            lines.append(f"    {one.note}")
    return "\n".join(lines) + "\n"
