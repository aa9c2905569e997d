"""Kill the primary of a PostgreSQL cluster under load, again and again (docs/failover.md).

A cluster under Patroni keeps the log; two services write to it. In each round the clients
post gifts and the primary is killed at a random moment: its server alone, or the whole node.
A client that gets no answer asks again with the same idempotency key, at the other service,
until it is answered.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx
from faults.patroni_cluster import Cluster, Member, cluster, eventually, missing
from faults.trial import Outcome, Trial, body_of
from service import Service

CLIENTS = 16
SERVICES = 2
ANSWER_SECONDS_MAX = 20
RETRY_SECONDS = 0.3
ROUND_SECONDS_MAX = 240
UNDISTURBED_SECONDS = 2.0
NODES_PART = 0.7
"""How often a whole node is killed, and not its server alone."""
DOWN_SECONDS = 30.0
"""A killed node comes back after this, whether or not another has taken its place."""


class Clients:
    """Who posts: each key until it is answered, wherever it is answered.

    Args:
        trial: Takes the answers.
        services: Who is asked.
        seconds: How long one answer may take.
        hangs: Whether it is wrong that one takes longer.
    """

    def __init__(
        self,
        trial: Trial,
        services: Sequence[Service],
        seconds: float = ANSWER_SECONDS_MAX,
        *,
        hangs: bool = False,
    ) -> None:
        self._trial = trial
        self._seconds, self._hangs = seconds, hangs
        self._urls = [one.url for one in services]
        self.stopped = False
        self.last_answer = 0.0
        self.repeated = 0
        """Requests without an answer: each was sent again."""
        self.not_ready = 0
        """Times that a service said by /readyz that it takes nothing."""

    async def post(self, http: httpx.AsyncClient, key: str, turn: int) -> None:
        """Record the gift of a key, however often it takes."""
        end = time.monotonic() + ROUND_SECONDS_MAX
        headers, body = self._trial.headers(key), body_of(key)
        while time.monotonic() < end:
            url = self._urls[turn % len(self._urls)]
            turn += 1
            try:
                answer = await http.post(f"{url}/v1/entries", headers=headers, json=body)
            except httpx.HTTPError as error:
                answer = None
                if self._hangs and isinstance(error, httpx.ReadTimeout):
                    self._trial.outcome.wrong.append(f"{key}: no answer in {self._seconds} s")
            if answer is not None:
                self._trial.take_answer(key, answer)
                if answer.status_code in (200, 201):
                    self.last_answer = time.monotonic()
                    return
            self.repeated += 1
            await asyncio.sleep(RETRY_SECONDS)
        self._trial.outcome.wrong.append(f"{key}: no answer in {ROUND_SECONDS_MAX} s")

    async def run(self, clients: int, prefix: str, chance: random.Random) -> None:
        """Post one key after another, some of them twice, until stopped."""
        limits = httpx.Limits(max_connections=clients)

        async def client(http: httpx.AsyncClient, number: int) -> None:
            count = 0
            while not self.stopped:
                count += 1
                # Every fifth is one that another client posts at the same time.
                name = f"{count // 5}-shared" if count % 5 == 0 else f"{count}-{number}"
                await self.post(http, f"{prefix}-{name}", chance.randrange(len(self._urls)))

        async with httpx.AsyncClient(limits=limits, timeout=self._seconds) as http:
            watch = asyncio.create_task(self._watch(http))
            await asyncio.gather(*(client(http, number) for number in range(clients)))
            watch.cancel()

    async def _watch(self, http: httpx.AsyncClient) -> None:
        while True:
            for url in self._urls:
                try:
                    answer = await http.get(f"{url}/readyz")
                    self.not_ready += answer.status_code == 503
                except httpx.HTTPError:
                    self.not_ready += 1
            await asyncio.sleep(RETRY_SECONDS)


async def play_round(
    nodes: Cluster, clients: Clients, count: int, number: int, chance: random.Random
) -> str:
    """Post, kill the primary, and go on until the cluster is whole and has answered again.

    Returns:
        What was killed, and after how long there was an answer again.
    """
    posting = asyncio.create_task(clients.run(count, f"r{number}", chance))
    try:
        await asyncio.sleep(UNDISTURBED_SECONDS + chance.random())
        killed = await asyncio.to_thread(_primary, nodes)
        whole = chance.random() < NODES_PART
        began = time.monotonic()
        await asyncio.to_thread(killed.kill if whole else killed.kill_server)
        if whole:
            await _until(lambda: nodes.primary() not in (None, killed))
            killed.start()
        await asyncio.to_thread(eventually, "the cluster is whole again", nodes.whole)
        # Only an answer to what was asked after the kill counts as one.
        while clients.last_answer < began + 1 and time.monotonic() < began + ROUND_SECONDS_MAX:
            await asyncio.sleep(RETRY_SECONDS)
        seconds = clients.last_answer - began
        await asyncio.sleep(UNDISTURBED_SECONDS)
        return f"{killed.name} {'node' if whole else 'server'}, back after {seconds:.1f} s"
    finally:
        clients.stopped = True
        await posting
        clients.stopped = False


def _primary(nodes: Cluster) -> Member:
    """Who takes writes; Patroni may be too busy to say so at once."""
    found: list[Member] = []

    def told() -> bool:
        found.extend(one for one in nodes.members if one.is_primary)
        return bool(found)

    eventually("a primary", told)
    return found[0]


async def _until(holds: Callable[[], bool]) -> None:
    """Wait for something, but not longer than a killed node stays away."""
    end = time.monotonic() + DOWN_SECONDS
    while time.monotonic() < end and not await asyncio.to_thread(holds):
        await asyncio.sleep(RETRY_SECONDS)


def play(folder: Path, *, rounds: int = 5, seed: int = 1, clients: int = CLIENTS) -> Outcome:
    """Play the whole game; see the module's docstring."""
    absent = missing()
    if absent is not None:
        return Outcome("failover", seed, skipped=f"{absent} is not installed")
    chance = random.Random(seed)
    with cluster() as nodes:
        trial = Trial(folder, "failover", seed, database=nodes.url())
        services = [Service(trial.data, log=folder / f"{n}.log") for n in range(SERVICES)]
        posting = Clients(trial, services)
        try:
            for one in services:
                one.wait_ready()
            for number in range(rounds):
                done = asyncio.run(play_round(nodes, posting, clients, number, chance))
                trial.outcome.notes.append(done)
                trial.outcome.played += 1
        finally:
            for one in services:
                one.stop()
        trial.outcome.notes.append(
            f"{posting.repeated} requests repeated, {posting.not_ready} times not ready"
        )
        if rounds and not posting.not_ready:
            trial.outcome.wrong.append("no service ever said that it is not ready")
        return trial.check()
