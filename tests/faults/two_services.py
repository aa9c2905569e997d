"""Two services on one data folder: the lock orders them, and neither trusts its memory.

One is killed at a random moment of their work; the other knows what became of all of it.
"""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

from faults.database import new_url
from faults.kill import play_round, post_all
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
    """Each round: both at once under the same keys; one is killed and the other goes on."""
    chance = random.Random(seed)
    trial = Trial(folder, "two-services", seed, database=new_url(place))
    for number in range(rounds):
        services = [Service(trial.data), Service(trial.data)]
        try:
            for one in services:
                one.wait_ready()
            some = [f"r{number}-{chance.randrange(keys):06d}" for _ in range(keys)] * 2
            chance.shuffle(some)
            answers, seconds = chance.randint(1, keys), chance.uniform(0, 0.05)
            in_time = asyncio.run(play_round(trial, services, some, clients, answers, seconds))
            trial.outcome.played += in_time
            # Whatever was cut off is sent again: the other one knows what became of it.
            asyncio.run(post_all(trial, [services[1].url], sorted(set(some)), clients))
            if not set(some) <= trial.seen.keys():
                trial.outcome.lost.append("a key has no answer although one service goes on")
        finally:
            for one in services:
                if one.process.poll() is None:
                    one.kill()
    return trial.check()
