"""Two services on one data folder: the lock orders them, and neither trusts its memory."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

from faults.database import new_url
from faults.kill import post_all
from faults.trial import Outcome, Trial
from postgresql_server import Databases
from service import Service


def play(
    folder: Path,
    *,
    rounds: int = 3,
    seed: int = 1,
    clients: int = 100,
    keys: int = 1000,
    place: Databases | None = None,
) -> Outcome:
    """Each round: both at once under the same keys; then one is killed and the other goes on."""
    chance = random.Random(seed)
    trial = Trial(folder, "two-services", seed, database=new_url(place))
    for number in range(rounds):
        services = [Service(trial.data), Service(trial.data)]
        try:
            for one in services:
                one.wait_ready()
            some = [f"r{number}-{chance.randrange(keys):06d}" for _ in range(keys)] * 2
            chance.shuffle(some)
            half = len(some) // 2
            asyncio.run(post_all(trial, [one.url for one in services], some[:half], clients))
            services[0].kill()
            asyncio.run(post_all(trial, [services[1].url], some[half:], clients))
            trial.outcome.played += 1
            # Whatever was cut off is sent again: the other one knows what became of it.
            asyncio.run(post_all(trial, [services[1].url], sorted(set(some)), clients))
            if not set(some) <= trial.seen.keys():
                trial.outcome.lost.append("a key has no answer although one service goes on")
        finally:
            for one in services:
                if one.process.poll() is None:
                    one.kill()
    return trial.check()
