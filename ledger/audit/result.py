"""From a walk that has ended to its report."""

from __future__ import annotations

import os
import platform
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from ledger.audit.hashing import peak_bytes
from ledger.audit.report import Notes, Report, Speed
from ledger.audit.second_opinion import PACKAGE, package_version
from ledger.audit.shadow import Shadow
from ledger.audit.standing import Base, Standing
from ledger.audit.walk import Costs, Walk
from ledger.day import Clock
from ledger.errors import LedgerError, RetryableError
from ledger.tlog.merkle import EMPTY_ROOT

INSTANT = "%Y-%m-%dT%H:%M:%SZ"


class Run:
    """One audit as it goes.

    Args:
        over: What is audited: ``database`` or ``public``.
        jobs: Processes for the hashing part.
        clock: Gives the times in the report.

    Attributes:
        walk: The walk, once it can begin.
        origin: The log.
        checkpoint: The newest checkpoint, as text.
        witnesses: Who cosigned, as the report has it.
    """

    def __init__(self, over: str, jobs: int, clock: Clock) -> None:
        self.over = over
        self.jobs = jobs
        self.walk: Walk | None = None
        self.origin = ""
        self.checkpoint = ""
        self.witnesses: Sequence[Mapping[str, object]] = ()
        self.clock = clock
        self.started_at = clock().strftime(INSTANT)
        self.started = time.perf_counter()
        self.cpu_started = time.process_time()

    def begin(self, standing: Standing, notes: Notes) -> Standing:
        """Go on from where an earlier part stands."""
        self.origin = standing.origin
        standing.restore(notes)
        return standing


def carry_out(
    run: Run,
    notes: Notes,
    shadow: Shadow,
    steps: Callable[[], None],
    *,
    place: str,
    full: bool,
    must_begin: bool,
) -> Report:
    """Take the steps of an audit, and report; the state is closed in any case.

    Args:
        steps: The audit; what it comes to lies in `run` and `notes`.
        place: Where a failure is, in words.
        full: Forget what the state has.
        must_begin: Whether a failure before the walk has begun is the caller's; otherwise
            only one of the state is, and any other is a finding.

    Raises:
        RetryableError: nothing can be said now; what was done is kept.
        LedgerError: see `must_begin`.
    """
    try:
        if full:
            shadow.clear()
        try:
            steps()
        except RetryableError:
            if run.walk is not None:
                run.walk.save()
            raise
        except LedgerError as error:
            if run.walk is None and (must_begin or error.code.startswith("state_")):
                raise
            notes.find(error.code, place, None, error.message)
            notes.not_checked.append("what comes after the failure")
        return conclude(run, notes, shadow)
    finally:
        shadow.close()


def conclude(run: Run, notes: Notes, shadow: Shadow) -> Report:
    """The report of an audit that has come to its end; what the next one needs is kept.

    A state is kept as a base only where nothing was found.
    """
    walk = run.walk
    base = None if walk is None else walk.standing.relies_on()
    size, root, second = 0, EMPTY_ROOT, None
    sums: Mapping[str, Any] = {}
    kinds: Mapping[str, int] = {}
    if walk is not None:
        size, root = walk.tree.size, walk.tree.root()
        if walk.rules is not None:
            second = _second_opinion(walk, root, notes)
        kinds = dict(sorted(walk.tally.kinds.items()))
        if walk.rules is not None and walk.rules.replaying:
            sums, wrong = walk.tally.sums(shadow.held())
            for what in wrong:
                notes.find("sums", what, None, "opening, in and out do not give what is held")
    finished_at = run.clock().strftime(INSTANT)
    if walk is not None and walk.rules is not None:
        _keep(walk, run, notes, shadow, finished_at)
    report = Report(
        origin=run.origin,
        over=run.over,
        size=size,
        root=root.hex(),
        checkpoint=run.checkpoint,
        findings=tuple(notes.findings),
        truncated=notes.truncated,
        checked=dict(sorted(notes.checked.items())),
        not_checked=tuple(notes.not_checked),
        relies_on=None if base is None else asdict(base),
        kinds=kinds,
        sums=sums,
        second_opinion=None if second is None else second.hex(),
        started_at=run.started_at,
        finished_at=finished_at,
        speed=_speed(run),
        versions={
            "shanji": version("shanji"),
            "python": platform.python_version(),
            "sqlite": sqlite3.sqlite_version,
            PACKAGE: package_version() or "absent",
        },
        machine={
            "system": platform.system(),
            "architecture": platform.machine(),
            "cores": os.cpu_count() or 0,
        },
        witnesses=tuple(run.witnesses),
    )
    return report


def _second_opinion(walk: Walk, root: bytes, notes: Notes) -> bytes | None:
    second = walk.tree.opinion()
    if second is None:
        notes.not_checked.append(f"the root by {PACKAGE} (not installed, or no entries)")
    elif second != root:
        notes.find("second_opinion", "root", None, f"{PACKAGE} computes {second.hex()}")
    return second


def _keep(walk: Walk, run: Run, notes: Notes, shadow: Shadow, finished_at: str) -> None:
    if notes.findings or not run.checkpoint:
        # What was found once must be found again: the next audit begins at the first entry.
        shadow.clear()
        shadow.save({})
        return
    base = Base(walk.tree.size, walk.tree.root().hex(), run.checkpoint, finished_at)
    walk.standing.base, walk.standing.finished = asdict(base), True
    walk.save()


def _speed(run: Run) -> Speed:
    seconds = max(time.perf_counter() - run.started, 1e-6)
    cpu = max(time.process_time() - run.cpu_started, 1e-6)
    costs = Costs() if run.walk is None else run.walk.costs
    entries = 0 if run.walk is None else run.walk.tree.size - run.walk.begun_at
    others = [peak for process, peak in costs.peaks.items() if process != os.getpid()]
    if others:
        cpu += costs.cpu_seconds
    sha = costs.sha_seconds * costs.entry_bytes / costs.sha_bytes if costs.sha_bytes else 0.0
    return Speed(
        jobs=run.jobs,
        entries=entries,
        milliseconds=round(seconds * 1000),
        entries_per_second=round(entries / seconds),
        cpu_milliseconds=round(cpu * 1000),
        entry_bytes=costs.entry_bytes,
        sha256_milliseconds=round(sha * 1000),
        wall_ratio_ppm=round(sha / seconds * 1_000_000),
        cpu_ratio_ppm=round(sha / cpu * 1_000_000),
        peak_memory_bytes=peak_bytes() + sum(others),
    )
