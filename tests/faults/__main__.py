"""``scripts/fault``: plays one fault, or all, and says what became of the log."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from faults import (  # noqa: E402
    bits,
    busy,
    clock,
    database,
    disk,
    failover,
    kill,
    old_backup,
    server,
    soak,
    steps,
    syscalls,
    two_services,
    unsynced,
)
from faults.trial import Outcome  # noqa: E402

Play = Callable[..., Outcome]
DATABASES = ("sqlite", "postgresql")


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        play: Plays it.
        rounds: How many it plays by itself; 0 for all that there are.
        what: What it is.
        only: The one database that it applies to; None for both.
        why: Why it does not apply to the other.
    """

    play: Play
    rounds: int
    what: str
    only: str | None = None
    why: str = ""


A_FILE = "a file has no server that could be so"
FAULTS: dict[str, Fault] = {
    "kill": Fault(kill.play, 20, "kill -9 at random moments, under colliding requests"),
    "syscalls": Fault(
        syscalls.play,
        0,
        "EIO, ENOSPC, kill -9 at every system call of a commit",
        "sqlite",
        "the service makes no system call on the log's files: a server keeps them",
    ),
    "steps": Fault(steps.play, 0, "each step of the commit: not done; done, the answer lost"),
    "disk-full": Fault(
        disk.play_full,
        5,
        "the disk fills up, and has room again",
        "sqlite",
        "the disk is the server's; without room it answers 53100, as tests/store shows",
    ),
    "file-limit": Fault(
        disk.play_limit,
        5,
        "a file may not grow, and then may",
        "sqlite",
        "the files are the server's",
    ),
    "read-only": Fault(
        disk.play_read_only,
        2,
        "the disk is read-only at the start",
        "sqlite",
        "the files are the server's; a standby that takes no writes is in tests/store",
    ),
    "unsynced": Fault(
        unsynced.play,
        40,
        "a file system that drops what was not synced",
        "sqlite",
        "what is synced is the server's business; database-killed kills it in its commits",
    ),
    "clock": Fault(clock.play, 10, "the clock goes back an hour and forward a year"),
    "two-services": Fault(two_services.play, 3, "two services on one data folder; one is killed"),
    "old-backup": Fault(old_backup.play, 1, "an old backup is restored under a running witness"),
    "bits": Fault(bits.play, 0, "a flipped bit in each kind of stored row"),
    "failover": Fault(
        failover.play,
        5,
        "the primary of a PostgreSQL cluster is killed under load",
        "postgresql",
        A_FILE,
    ),
    "database-held": Fault(busy.play_held, 3, "another process holds the database"),
    "queue-full": Fault(busy.play_queue, 3, "more records than the queue takes"),
    "slow-clients": Fault(busy.play_slow, 3, "clients that stop in the middle"),
    "limits": Fault(busy.play_limits, 1, "bodies and keys one under, at, one over their limits"),
    "database-killed": Fault(
        server.play_crash, 10, "kill -9 of the whole server in its commits", "postgresql", A_FILE
    ),
    "database-away": Fault(
        server.play_away,
        1,
        "the server cannot be reached for a minute (--seconds)",
        "postgresql",
        A_FILE,
    ),
    "database-slow": Fault(
        server.play_slow, 3, "each answer of the server comes late", "postgresql", A_FILE
    ),
    "database-silent": Fault(
        server.play_silent,
        1,
        "what is sent to the server vanishes (--seconds)",
        "postgresql",
        A_FILE,
    ),
    "connections": Fault(
        server.play_crowded, 3, "others take every connection of the server", "postgresql", A_FILE
    ),
    "commit-cut": Fault(
        server.play_cut,
        20,
        "the connection breaks before a commit, after it, and in it",
        "postgresql",
        A_FILE,
    ),
    "soak": Fault(soak.play, 0, "mixed traffic with faults at random (--minutes)"),
}
OWN_SERVER = (
    "failover",
    "database-killed",
    "database-away",
    "database-slow",
    "database-silent",
    "connections",
    "commit-cut",
)
"""Those that start what they need by themselves."""
OPTIONS = {
    "clients": ("kill", "two-services", "failover"),
    "seconds": ("database-away", "database-slow", "database-silent"),
    "minutes": ("soak",),
}
"""Which faults take these options."""


def main() -> int:
    """0 where faults were played and nothing was lost, twice, forked or unverifiable; else 1.

    2 where nothing was wrong, but one that applies was skipped, or none was played.
    """
    parser = argparse.ArgumentParser(prog="scripts/fault", description=__doc__)
    parser.add_argument("name", choices=[*FAULTS, "all", "list"], nargs="?", default="list")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=None)
    parser.add_argument("--clients", type=int, default=None, help="of kill, two-services, failover")
    parser.add_argument("--seconds", type=float, default=None, help="how long a database is so")
    parser.add_argument("--minutes", type=float, default=None, help="of soak; 2 by default")
    parser.add_argument("--database", choices=DATABASES, default=DATABASES[0])
    parser.add_argument("--folder", type=Path, default=None, help="where the logs are made")
    options = parser.parse_args()
    if options.name == "list":
        for name, fault in FAULTS.items():
            only = f" ({fault.only} only)" if fault.only else ""
            sys.stdout.write(f"{name:<16} {fault.what}{only}\n")
        return 0
    # Whoever ends it ends the services and servers that it has started, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    outcomes: list[Outcome] = []
    left_out = 0
    for name in FAULTS if options.name == "all" else [options.name]:
        outcome = play_one(name, options)
        if isinstance(outcome, str):
            left_out += 1
            sys.stdout.write(f"{name}: does not apply: {outcome}\n")
        else:
            outcomes.append(outcome)
            sys.stdout.write(outcome.say() + "\n")
        sys.stdout.flush()
    played = sum(one.played for one in outcomes)
    lost = sum(len(one.lost) for one in outcomes)
    twice = sum(len(one.twice) for one in outcomes)
    bad = sum(len(one.bad) for one in outcomes)
    sys.stdout.write(
        f"in all on {options.database}, seed {options.seed}: faults played {played}, entries lost "
        f"{lost}, entries twice {twice}, wrong {bad}, skipped "
        f"{sum(bool(one.skipped) for one in outcomes)}, do not apply {left_out}\n"
    )
    if bad:
        return 1
    return 2 if played == 0 or any(one.skipped for one in outcomes) else 0


def play_one(name: str, options: argparse.Namespace) -> Outcome | str:
    """Play one fault in a folder that is gone afterwards; or why it does not apply."""
    fault = FAULTS[name]
    if fault.only not in (None, options.database):
        return fault.why
    more: dict[str, object] = {"seed": options.seed}
    more["rounds"] = fault.rounds if options.rounds is None else options.rounds
    for option, names in OPTIONS.items():
        value = getattr(options, option)
        if value is not None and name in names:
            more[option] = value
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(dir=options.folder))
        if options.database == "postgresql" and name not in OWN_SERVER:
            if reason := database.missing():
                return Outcome(name, options.seed, skipped=reason)
            more["place"] = stack.enter_context(database.databases())
        return really_played(fault.play(Path(folder), **more))


def really_played(outcome: Outcome) -> Outcome:
    """The same; it is wrong that nothing was played, or that nobody was answered."""
    if not outcome.skipped and not (outcome.played and outcome.answers):
        counts = f"{outcome.played} faults were played, {outcome.answers} answers given"
        outcome.wrong.append(f"nothing is shown: {counts}")
    return outcome


if __name__ == "__main__":
    sys.exit(main())
