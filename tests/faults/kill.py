"""Kill the service while many clients post with colliding keys; nothing answered may be lost.

Each round starts the service, lets the clients post gifts whose idempotency keys
collide on purpose, and kills the process at a random moment.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx
from faults.database import new_url
from faults.trial import ANSWER_SECONDS_MAX, Outcome, Trial, body_of
from postgresql_server import Databases
from service import Service

Answers = Callable[[str, httpx.Response], None]


async def post_all(trial: Trial, urls: Sequence[str], keys: list[str], clients: int) -> None:
    """Post every key once to one of the services, `clients` at a time, until it is gone."""
    queue = iter(keys)
    limits = httpx.Limits(max_connections=clients)

    async def client(http: httpx.AsyncClient, url: str) -> None:
        for key in queue:
            try:
                answer = await http.post(
                    f"{url}/v1/entries", headers=trial.headers(key), json=body_of(key)
                )
            except httpx.TimeoutException:
                trial.outcome.wrong.append(f"{key}: no answer within {ANSWER_SECONDS_MAX} s")
                return
            except httpx.HTTPError:
                return
            trial.take_answer(key, answer)

    async with httpx.AsyncClient(limits=limits, timeout=ANSWER_SECONDS_MAX) as http:
        await asyncio.gather(*(client(http, urls[n % len(urls)]) for n in range(clients)))


async def play_round(
    trial: Trial,
    services: Sequence[Service],
    keys: list[str],
    clients: int,
    answers: int,
    seconds: float,
) -> bool:
    """Post until so many answers came and some time more has gone, then kill the first service.

    Returns:
        Whether it was killed while requests were on their way.
    """
    enough = trial.outcome.answers + answers
    urls = [one.url for one in services]
    posting = asyncio.create_task(post_all(trial, urls, keys, clients))
    while trial.outcome.answers < enough and not posting.done():
        await asyncio.sleep(0.002)
    await asyncio.sleep(seconds)
    in_time = not posting.done()
    services[0].kill()
    await posting
    return in_time


def play(
    folder: Path,
    *,
    rounds: int = 20,
    seed: int = 1,
    clients: int = 500,
    keys: int = 2000,
    place: Databases | None = None,
) -> Outcome:
    """Run the whole game; see the module's docstring."""
    chance = random.Random(seed)
    trial = Trial(folder, "kill", seed, database=new_url(place))
    for number in range(rounds):
        service = Service(trial.data)
        try:
            service.wait_ready()
            # Every key three times in random order, half of them of the round before.
            first = number * keys // 2
            some = [f"k{chance.randrange(first, first + keys):06d}" for _ in range(keys)] * 3
            chance.shuffle(some)
            answers, seconds = chance.randint(1, keys // 2), chance.uniform(0, 0.05)
            in_time = asyncio.run(play_round(trial, [service], some, clients, answers, seconds))
            trial.outcome.played += in_time
        finally:
            if service.process.poll() is None:
                service.kill()
    return trial.check()
