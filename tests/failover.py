"""Kill the primary under load, again and again; nothing answered may be lost or doubled.

    python tests/failover.py [--rounds 5] [--clients 16] [--seed 1]

A cluster under Patroni (``patroni_cluster``) keeps the log; two services write to it. In
each round the clients post gifts and the primary is killed at a random moment: its server
alone, or the whole node. A client that gets no answer asks again with the same idempotency
key, at the other service, until it is answered. In the end every answer must stand in the
log as answered, each key once, every receipt verify, and the audit be clean.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from kill import Outcome, body_of, examine, open_fund  # noqa: E402
from patroni_cluster import Cluster, cluster, eventually, missing  # noqa: E402
from service import Service  # noqa: E402

from api.auth import create_token  # noqa: E402
from ledger.book import Book  # noqa: E402
from ledger.records.kind import Role  # noqa: E402

SERVICES = 2
ANSWER_SECONDS_MAX = 20
RETRY_SECONDS = 0.3
ROUND_SECONDS_MAX = 240
UNDISTURBED_SECONDS = 2.0
DOWN_SECONDS = 30.0
"""A killed node comes back after this, whether or not another has taken its place."""


@dataclass
class Failover:
    """What was played and what came of it."""

    outcome: Outcome
    killed: list[str] = field(default_factory=list)
    without_answer: int = 0
    """Requests that failed or were told to come again; each was repeated."""
    not_ready: int = 0
    """Times that a service said by /readyz that it takes nothing."""
    seconds_away: list[float] = field(default_factory=list)
    """From each kill to the first answer after it."""


class Clients:
    """Who posts: each key until it is answered, wherever it is answered."""

    def __init__(self, services: Sequence[Service], token: str, play: Failover) -> None:
        self._urls = [one.url for one in services]
        self._token = token
        self._play = play
        self.seen: dict[str, dict[str, Any]] = {}
        self.stopped = False
        self.last_answer = 0.0

    async def post(self, http: httpx.AsyncClient, key: str, turn: int) -> None:
        """Record the gift of a key, however often it takes."""
        headers = {"Authorization": f"Bearer {self._token}", "Idempotency-Key": key}
        end = time.monotonic() + ROUND_SECONDS_MAX
        while time.monotonic() < end:
            url = self._urls[turn % len(self._urls)]
            turn += 1
            try:
                answer = await http.post(f"{url}/v1/entries", headers=headers, json=body_of(key))
            except httpx.HTTPError:
                answer = None
            if answer is not None and answer.status_code in (200, 201):
                self._take(key, json.loads(answer.content))
                return
            self._play.without_answer += 1
            if answer is not None and answer.status_code not in (429, 503):
                self._play.outcome.refused.append(f"{key}: {answer.status_code} {answer.text}")
                return
            await asyncio.sleep(RETRY_SECONDS)
        self._play.outcome.lost.append(f"{key}: no answer in {ROUND_SECONDS_MAX} s")

    def _take(self, key: str, value: dict[str, Any]) -> None:
        outcome = self._play.outcome
        outcome.answered += 1
        outcome.replayed += bool(value["replayed"])
        self.last_answer = time.monotonic()
        before = self.seen.setdefault(key, value)
        if (before["index"], before["receipt"]) != (value["index"], value["receipt"]):
            outcome.twice.append(key)

    async def run(self, clients: int, prefix: str, chance: random.Random) -> None:
        """Post one key after another, some of them twice, until stopped."""
        limits = httpx.Limits(max_connections=clients)

        async def client(http: httpx.AsyncClient, number: int) -> None:
            count = 0
            while not self.stopped:
                count += 1
                # Every fifth is one that another client posts at the same time.
                name = f"{count // 5}-shared" if count % 5 == 0 else f"{count}-{number}"
                await self.post(http, f"{prefix}-{name}", chance.randrange(SERVICES))

        async with httpx.AsyncClient(limits=limits, timeout=ANSWER_SECONDS_MAX) as http:
            watch = asyncio.create_task(self._watch(http))
            await asyncio.gather(*(client(http, number) for number in range(clients)))
            watch.cancel()

    async def _watch(self, http: httpx.AsyncClient) -> None:
        while True:
            for url in self._urls:
                try:
                    answer = await http.get(f"{url}/readyz")
                    self._play.not_ready += answer.status_code == 503
                except httpx.HTTPError:
                    self._play.not_ready += 1
            await asyncio.sleep(RETRY_SECONDS)


async def play_round(
    nodes: Cluster, clients: Clients, count: int, number: int, chance: random.Random, play: Failover
) -> None:
    """Post, kill the primary, and go on until the cluster is whole and has answered again."""
    posting = asyncio.create_task(clients.run(count, f"r{number}", chance))
    try:
        await asyncio.sleep(UNDISTURBED_SECONDS + chance.random())
        killed = await asyncio.to_thread(nodes.primary)
        assert killed is not None
        whole = chance.random() < 0.7
        play.killed.append(f"{killed.name} {'node' if whole else 'server'}")
        began = time.monotonic()
        await asyncio.to_thread(killed.kill if whole else killed.kill_server)
        await _until(lambda: nodes.primary() not in (None, killed), DOWN_SECONDS, whole)
        if whole:
            killed.start()
        await asyncio.to_thread(eventually, "the cluster is whole again", nodes.whole)
        # Only an answer to what was asked after the kill counts as one.
        while clients.last_answer < began + 1 and time.monotonic() < began + ROUND_SECONDS_MAX:
            await asyncio.sleep(RETRY_SECONDS)
        play.seconds_away.append(round(clients.last_answer - began, 1))
        await asyncio.sleep(UNDISTURBED_SECONDS)
    finally:
        clients.stopped = True
        await posting
        clients.stopped = False


async def _until(holds: Any, seconds: float, needed: bool) -> None:
    end = time.monotonic() + seconds
    while needed and time.monotonic() < end and not await asyncio.to_thread(holds):
        await asyncio.sleep(RETRY_SECONDS)


def play(folder: Path, *, rounds: int, clients: int, seed: int) -> Failover:
    """Play the whole game; see the module's docstring."""
    chance = random.Random(seed)
    done = Failover(Outcome(rounds=rounds))
    with cluster() as nodes:
        data = folder / "data"
        data.mkdir()
        url = nodes.url()
        origin, organisation = "shanji.example/failover", "示例慈善会"
        Book.create(data, origin=origin, organisation=organisation, database=url).close()
        clerk = create_token(data, "clerk-1", Role.CLERK)
        registrar = create_token(data, "registrar-1", Role.REGISTRAR)
        services = [Service(data, "--database", url) for _ in range(SERVICES)]
        try:
            for one in services:
                one.wait_ready()
            open_fund(services[0].url, registrar)
            posting = Clients(services, clerk, done)
            for number in range(rounds):
                asyncio.run(play_round(nodes, posting, clients, number, chance, done))
        finally:
            for one in services:
                one.stop()
        done.outcome.distinct = len(posting.seen)
        examine(data, posting.seen, done.outcome)
    return done


def main() -> int:
    """By hand; what a machine lacks is said plainly."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    absent = missing()
    if absent is not None:
        sys.stderr.write(f"failover needs {absent}: install Debian's packages of these names\n")
        return 2
    with tempfile.TemporaryDirectory() as folder:
        done = play(Path(folder), rounds=options.rounds, clients=options.clients, seed=options.seed)
    found = done.outcome
    sys.stdout.write(
        f"killed {len(done.killed)} ({', '.join(done.killed)}), seed {options.seed}, clients "
        f"{options.clients}: {found.answered} answers for {found.distinct} keys "
        f"({found.replayed} replayed), {done.without_answer} requests repeated, "
        f"{done.not_ready} times not ready, answered again after {done.seconds_away} s; log of "
        f"{found.size} entries; lost {len(found.lost)}, twice {len(found.twice)}, refused "
        f"{len(found.refused)}, audit findings {len(found.findings)}, units conserved: "
        f"{found.conserved}\n"
    )
    for text in [*found.lost, *found.twice, *found.refused, *found.findings][:20]:
        sys.stdout.write(f"  {text}\n")
    return 0 if found.clean else 1


if __name__ == "__main__":
    sys.exit(main())
