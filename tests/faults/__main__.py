"""``scripts/fault``: plays one fault, or all, and says what became of the log."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from faults import (  # noqa: E402
    bits,
    busy,
    clock,
    disk,
    failover,
    kill,
    old_backup,
    soak,
    steps,
    syscalls,
    two_services,
    unsynced,
)
from faults.trial import Outcome  # noqa: E402

Play = Callable[..., Outcome]

FAULTS: dict[str, tuple[Play, int, str]] = {
    "kill": (kill.play, 20, "kill -9 at random moments, under colliding requests"),
    "syscalls": (syscalls.play, 0, "EIO, ENOSPC, kill -9 at every system call of a commit"),
    "steps": (steps.play, 0, "each step of the commit: not done; done, the answer lost"),
    "disk-full": (disk.play_full, 5, "the disk fills up, and has room again"),
    "file-limit": (disk.play_limit, 5, "a file may not grow, and then may"),
    "read-only": (disk.play_read_only, 2, "the disk is read-only at the start"),
    "unsynced": (unsynced.play, 40, "a file system that drops what was not synced"),
    "clock": (clock.play, 10, "the clock goes back an hour and forward a year"),
    "two-services": (two_services.play, 3, "two services on one data folder; one is killed"),
    "old-backup": (old_backup.play, 1, "an old backup is restored under a running witness"),
    "bits": (bits.play, 0, "a flipped bit in each kind of stored row"),
    "failover": (failover.play, 5, "the primary of a PostgreSQL cluster is killed under load"),
    "database-held": (busy.play_held, 3, "another process holds the database"),
    "queue-full": (busy.play_queue, 3, "more records than the queue takes"),
    "slow-clients": (busy.play_slow, 3, "clients that stop in the middle"),
    "limits": (busy.play_limits, 1, "bodies and keys one under, at, one over their limits"),
    "soak": (soak.play, 0, "mixed traffic with faults at random (--minutes)"),
}
"""Each fault, how many rounds it plays by itself (0: all that there are), and what it is."""
CLIENTS_FAULTS = ("kill", "two-services", "failover")


def main() -> int:
    """0 where nothing was lost, twice, forked or unverifiable; else 1."""
    parser = argparse.ArgumentParser(prog="scripts/fault", description=__doc__)
    parser.add_argument("name", choices=[*FAULTS, "all", "list"], nargs="?", default="list")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=None)
    parser.add_argument("--clients", type=int, default=None, help="of kill, two-services, failover")
    parser.add_argument("--minutes", type=float, default=2.0, help="of soak")
    parser.add_argument("--folder", type=Path, default=None, help="where the logs are made")
    options = parser.parse_args()
    if options.name == "list":
        for name, (_, _, what) in FAULTS.items():
            sys.stdout.write(f"{name:<14} {what}\n")
        return 0
    outcomes: list[Outcome] = []
    for name in FAULTS if options.name == "all" else [options.name]:
        play, rounds, _ = FAULTS[name]
        more: dict[str, object] = {"seed": options.seed}
        more["rounds"] = rounds if options.rounds is None else options.rounds
        if options.clients is not None and name in CLIENTS_FAULTS:
            more["clients"] = options.clients
        if name == "soak":
            more["minutes"] = options.minutes
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            outcomes.append(play(Path(folder), **more))
        sys.stdout.write(outcomes[-1].say() + "\n")
        sys.stdout.flush()
    played = sum(one.played for one in outcomes)
    lost = sum(len(one.lost) for one in outcomes)
    bad = sum(len(one.bad) for one in outcomes)
    sys.stdout.write(f"in all: faults played {played}, entries lost {lost}, wrong {bad}\n")
    return 0 if bad == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
