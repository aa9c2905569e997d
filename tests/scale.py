"""What a log of so many entries, and a federation of so many logs, costs: a simulation.

    python tests/scale.py [--gifts 100000] [--days 3] [--organisations 300] [--json] ...

Three questions, from figures that ``scripts/bench`` measures on the machine in question:

* a giving day: gifts arrive at random, thick in the evenings; the writer takes all that wait
  as one batch, which costs a fixed part (the commit) and a part for each entry. How long
  does a donor wait, and how long is the queue? (Second by second, seeded.)
* a long log: bytes in the database and as published objects, the time of a full and of an
  incremental audit, the hashes of a proof, at 10^6 to 10^9 entries.
* a federation: each organisation has a log of its own; the federation witnesses the members'
  checkpoints and records them in its own log. How much is that a day?
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
from collections import deque
from dataclasses import asdict, dataclass
from typing import Any

HOURS = (1, 1, 1, 1, 1, 1, 2, 4, 6, 7, 7, 7, 6, 6, 6, 6, 7, 8, 10, 14, 18, 16, 9, 4)
"""How the gifts of a day lie over its hours; only the proportions count."""
BATCH_MAX = 1000
TILE_WIDTH = 256
HASH_BYTES = 32
SIZES = (10**6, 10**7, 10**8, 10**9)
DAY_SECONDS = 86_400


@dataclass(frozen=True)
class Machine:
    """What was measured; see docs/scale.md for where each figure comes from."""

    batch_seconds: float = 0.002
    entry_seconds: float = 0.0006
    database_bytes: int = 1330
    published_bytes: int = 740
    audit_per_second: int = 9000
    hashes_per_second: int = 60_000
    cosign_seconds: float = 0.004


@dataclass(frozen=True)
class Wait:
    """How long donors waited, in seconds, and what the writer did."""

    gifts: int
    peak_per_second: int
    median: float
    p99: float
    longest: float
    queue_max: int
    busy: float
    """The part of the busiest hour in which the writer worked."""


def arrivals(gifts: int, days: int, chance: random.Random) -> list[float]:
    """The times at which gifts come, in seconds, in order."""
    weights = [weight for _ in range(days) for weight in HOURS]
    hours = chance.choices(range(len(weights)), weights, k=gifts)
    return sorted(3600 * (hour + chance.random()) for hour in hours)


def giving_day(machine: Machine, gifts: int, days: int, seed: int) -> Wait:
    """Let gifts arrive and be recorded in batches of whatever waits."""
    coming = deque(arrivals(gifts, days, random.Random(seed)))
    per_second: dict[int, int] = {}
    for at in coming:
        per_second[int(at)] = per_second.get(int(at), 0) + 1
    waits: list[float] = []
    busy: dict[int, float] = {}
    queue: deque[float] = deque()
    now, longest_queue = 0.0, 0
    while coming or queue:
        if not queue:
            now = max(now, coming[0])
        while coming and coming[0] <= now:
            queue.append(coming.popleft())
        longest_queue = max(longest_queue, len(queue))
        batch = [queue.popleft() for _ in range(min(BATCH_MAX, len(queue)))]
        spent = machine.batch_seconds + machine.entry_seconds * len(batch)
        busy[int(now // 3600)] = busy.get(int(now // 3600), 0) + spent
        now += spent
        waits += [now - at for at in batch]
    waits.sort()
    return Wait(
        gifts=len(waits),
        peak_per_second=max(per_second.values()),
        median=waits[len(waits) // 2],
        p99=waits[len(waits) * 99 // 100],
        longest=waits[-1],
        queue_max=longest_queue,
        busy=max(busy.values()) / 3600,
    )


def long_log(machine: Machine, size: int) -> dict[str, Any]:
    """What a log of this size takes."""
    tiles = sum(math.ceil(size / TILE_WIDTH**level) for level in range(1, 5))
    return {
        "entries": size,
        "database_gb": size * machine.database_bytes / 1e9,
        "published_gb": size * machine.published_bytes / 1e9,
        "published_objects": tiles + math.ceil(size / TILE_WIDTH),
        "proof_hashes": math.ceil(math.log2(size)),
        "proof_bytes": math.ceil(math.log2(size)) * HASH_BYTES,
        "full_audit_hours": size / machine.audit_per_second / 3600,
        "hashes_hours": size / machine.hashes_per_second / 3600,
        "record_days_of_one_writer": size * machine.entry_seconds / DAY_SECONDS,
    }


def federation(machine: Machine, organisations: int, every_seconds: int) -> dict[str, Any]:
    """What it takes to witness and record the checkpoints of so many logs."""
    day = organisations * DAY_SECONDS / every_seconds
    return {
        "organisations": organisations,
        "checkpoints_a_day": day,
        "cosigning_busy": day * machine.cosign_seconds / DAY_SECONDS,
        "recording_busy": day * machine.entry_seconds / DAY_SECONDS,
        "own_log_gb_a_year": 365 * day * machine.database_bytes / 1e9,
    }


def simulate(machine: Machine, options: argparse.Namespace) -> dict[str, Any]:
    """All three answers."""
    return {
        "machine": asdict(machine),
        "giving": [
            {"days": options.days, **asdict(giving_day(machine, gifts, options.days, options.seed))}
            for gifts in (options.gifts, options.gifts * 10)
        ],
        "sizes": [long_log(machine, size) for size in SIZES],
        "federation": federation(machine, options.organisations, options.every),
    }


def main() -> int:
    """Print the answers as text or JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--gifts", type=int, default=100_000)
    parser.add_argument("--days", type=int, default=3)
    parser.add_argument("--organisations", type=int, default=300)
    parser.add_argument("--every", type=int, default=60, help="seconds between two checkpoints")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    for name, value in asdict(Machine()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    options = parser.parse_args()
    machine = Machine(**{name: getattr(options, name) for name in asdict(Machine())})
    found = simulate(machine, options)
    if options.json:
        sys.stdout.write(json.dumps(found, indent=1) + "\n")
        return 0
    for name, rows in found.items():
        sys.stdout.write(f"{name}\n")
        for row in rows if isinstance(rows, list) else [rows]:
            cells = (f"{key} {_shown(value)}" for key, value in row.items())
            sys.stdout.write("  " + ", ".join(cells) + "\n")
    return 0


def _shown(value: float) -> str:
    return f"{value:,.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else f"{value:,}"


if __name__ == "__main__":
    sys.exit(main())
