"""Every system call of a commit fails, or is the last one before a power cut (strace).

First one commit is watched, to count its calls. Then each call in turn answers EIO, then
ENOSPC, then the process is killed there; the batch is sent again afterwards, as a client
would, and must stand in the log exactly once.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from pathlib import Path

from faults.trial import Outcome, Trial
from faults.writer import Writer, strace_missing

CALLS = ("pwrite64", "write", "fsync", "fdatasync", "ftruncate", "rename", "unlink", "openat")
EFFECTS = ("error=EIO", "error=ENOSPC", "signal=SIGKILL")
SLOW_FOR = 3
"""Keys in a batch."""


def calls_of_a_commit(trial: Trial, log: Path) -> Counter[str]:
    """How often one commit makes each call on a file of the log."""
    writer = Writer(trial)
    try:
        writer.record(["count-warm"])
        writer.attach("-y", "-o", str(log), "-e", f"trace={','.join(CALLS)}")
        writer.record(["count-1", "count-2"])
    finally:
        writer.close()
    return Counter(
        match[1]
        for line in log.read_text(errors="replace").splitlines()
        if trial.data.name in line
        and (match := re.match(r"(?:\d+ +)?(\w+)\(", line))
        and match[1] in CALLS
    )


def play(folder: Path, *, rounds: int = 0, seed: int = 1) -> Outcome:
    """Play each call with each effect; `rounds` takes that many of them by chance, 0 all."""
    trial = Trial(folder, "syscalls", seed)
    outcome = trial.outcome
    outcome.skipped = strace_missing()
    if outcome.skipped:
        return outcome
    counts = calls_of_a_commit(trial, folder / "strace.calls")
    every = [
        (effect, call, number + 1)
        for effect in EFFECTS
        for call, count in sorted(counts.items())
        for number in range(count)
    ]
    if rounds:
        every = random.Random(seed).sample(every, min(rounds, len(every)))
    outcome.notes.append("calls of a commit: " + ", ".join(f"{n} {c}" for c, n in counts.items()))
    failed: Counter[str] = Counter()
    writer: Writer | None = None
    try:
        for number, (effect, call, when) in enumerate(every):
            if writer is None:
                writer = Writer(trial)
                writer.record([f"warm-{number}"])
            keys = [f"s{number:05d}-{part}" for part in range(SLOW_FOR)]
            paths = [f"-P{trial.data / name}" for name in _files()]
            inject = f"inject={call}:{effect}:when={when}"
            log = folder / "strace.calls"
            writer.attach("-o", str(log), *paths, "-e", f"trace={call}", "-e", inject)
            failed.update(writer.record(keys))
            if writer.alive:
                writer.detach()
            else:
                failed["killed"] += 1
                writer.kill()
                writer = Writer(trial)
            # A commit may make fewer calls than the one that was counted.
            outcome.played += any(
                mark in log.read_text(errors="replace") for mark in ("(INJECTED)", "SIGKILL")
            )
            # As a client does: the same keys again, until there is an answer.
            errors = writer.record(keys) and writer.record(keys)
            if errors or not set(keys) <= trial.seen.keys():
                outcome.wrong.append(f"{call} {when} {effect}: not recorded afterwards: {errors}")
    finally:
        if writer is not None:
            writer.close()
    outcome.notes.append("meanwhile: " + ", ".join(f"{n} {c}" for c, n in failed.items()))
    return trial.check()


def _files() -> tuple[str, ...]:
    return ("ledger.sqlite3", "ledger.sqlite3-wal", "ledger.sqlite3-shm", "ledger.sqlite3-journal")
