"""What only a database server can do: die in a commit, be away, be slow, have no connection
left, swallow what it is sent, take a commit and not say so.

Clients post all the while, and ask again until they are answered. `Clients` of the failover
does that; here they ask one service, which must go on by itself.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from faults.database import all_connections, crash, databases, missing, recover
from faults.failover import Clients
from faults.proxy import CUTS, Proxy, before, url_through
from faults.steps import record
from faults.trial import ANSWER_SECONDS_MAX, Outcome, Trial
from postgresql_server import Databases
from service import Service

from ledger.book import Book

CLIENTS = 4
BACK_SECONDS_MAX = 120
"""After a fault has ended, somebody must be answered so soon."""
SLOW_SECONDS = 0.2
"""The most that each answer of a slow server is held back."""
Act = Callable[[], None]


@contextmanager
def through_proxy(
    folder: Path, fault: str, seed: int
) -> Iterator[tuple[Trial, Databases | None, Proxy | None]]:
    """A trial on a server with a proxy before it; without a server it says why not."""
    if reason := missing():
        trial = Trial(folder, fault, seed)
        trial.outcome.skipped = reason
        yield trial, None, None
        return
    with databases() as place, before(place.server, seed) as proxy:
        url = url_through(proxy, place.new())
        yield Trial(folder, fault, seed, database=url), place, proxy


def under_traffic(trial: Trial, service: Service, prefix: str, seed: int, act: Act) -> float:
    """Clients post; the fault is played and ends; they must be answered again.

    Returns:
        After how many seconds from its end.
    """
    return asyncio.run(_under_traffic(trial, service, prefix, seed, act))


async def _under_traffic(trial: Trial, service: Service, prefix: str, seed: int, act: Act) -> float:
    posting = Clients(trial, [service], ANSWER_SECONDS_MAX, hangs=True)
    enough = trial.outcome.answers + CLIENTS
    running = asyncio.create_task(posting.run(CLIENTS, prefix, random.Random(seed)))
    try:
        while trial.outcome.answers < enough and not running.done():
            await asyncio.sleep(0.01)
        await asyncio.to_thread(act)
        ended = time.monotonic()
        while posting.last_answer < ended and time.monotonic() < ended + BACK_SECONDS_MAX:
            await asyncio.sleep(0.02)
        if posting.last_answer < ended:
            trial.outcome.wrong.append(f"{prefix}: nobody is answered after {BACK_SECONDS_MAX} s")
        return posting.last_answer - ended
    finally:
        posting.stopped = True
        await running


def says_not_ready(trial: Trial, service: Service, codes: tuple[str, ...]) -> None:
    """The service lives and says that it takes nothing, and why."""
    end, said = time.monotonic() + ANSWER_SECONDS_MAX, "it is ready"
    while time.monotonic() < end:
        answer = httpx.get(f"{service.url}/readyz", timeout=ANSWER_SECONDS_MAX)
        said = str(answer.json().get("code")) if answer.status_code == 503 else "it is ready"
        if said in codes:
            break
        time.sleep(0.05)
    else:
        trial.outcome.wrong.append(f"expected {codes} to be said, got {said}")
    if httpx.get(f"{service.url}/livez", timeout=ANSWER_SECONDS_MAX).status_code != 200:
        trial.outcome.wrong.append("it does not say that it lives")


def _play(folder: Path, fault: str, seed: int, rounds: int, make: Callable[..., Act]) -> Outcome:
    """Play a fault so many times under traffic, on one service that is never started again."""
    with through_proxy(folder, fault, seed) as (trial, place, proxy):
        if place is None:
            return trial.outcome
        service, back = Service(trial.data), []
        try:
            service.wait_ready()
            for number in range(rounds):
                act = make(trial, place, proxy, service, random.Random(seed + number))
                back.append(under_traffic(trial, service, f"r{number}", seed + number, act))
                trial.outcome.played += 1
        finally:
            service.stop()
        times = ", ".join(f"{one:.1f}" for one in back)
        trial.outcome.notes.append(f"answered again after {times} s")
        return trial.check()


def play_crash(folder: Path, *, rounds: int = 10, seed: int = 1) -> Outcome:
    """kill -9 of the whole server while records are committed; it recovers."""

    def make(_t: Trial, place: Databases, _p: Proxy, _s: Service, chance: random.Random) -> Act:
        def act() -> None:
            time.sleep(chance.uniform(0, 0.3))
            crash(place.server)
            time.sleep(chance.uniform(0, 0.5))
            recover(place.server)

        return act

    return _play(folder, "database-killed", seed, rounds, make)


def play_away(
    folder: Path, *, rounds: int = 1, seed: int = 1, seconds: float = ANSWER_SECONDS_MAX
) -> Outcome:
    """The server cannot be reached for a while."""

    def make(trial: Trial, _d: Databases, proxy: Proxy, service: Service, _c: random.Random) -> Act:
        def act() -> None:
            proxy.refuse()
            end = time.monotonic() + seconds
            says_not_ready(trial, service, ("database_away",))
            time.sleep(max(0.0, end - time.monotonic()))
            proxy.listen()

        return act

    return _play(folder, "database-away", seed, rounds, make)


def play_slow(folder: Path, *, rounds: int = 3, seed: int = 1, seconds: float = 10.0) -> Outcome:
    """Each answer of the server comes late: everything is slow, and right."""

    def make(_t: Trial, _d: Databases, proxy: Proxy, _s: Service, _c: random.Random) -> Act:
        def act() -> None:
            proxy.delay = SLOW_SECONDS
            time.sleep(seconds)
            proxy.delay = 0.0

        return act

    return _play(folder, "database-slow", seed, rounds, make)


def play_hole(
    folder: Path, *, rounds: int = 1, seed: int = 1, seconds: float = ANSWER_SECONDS_MAX
) -> Outcome:
    """What is sent vanishes while connections stay open; afterwards they are gone."""

    def make(trial: Trial, _d: Databases, proxy: Proxy, service: Service, _c: random.Random) -> Act:
        def act() -> None:
            proxy.hole = True
            time.sleep(seconds)
            if httpx.get(f"{service.url}/livez", timeout=10).status_code != 200:
                trial.outcome.wrong.append("it does not say that it lives")
            proxy.refuse()
            proxy.hole = False
            proxy.listen()

        return act

    return _play(folder, "database-silent", seed, rounds, make)


def play_crowded(folder: Path, *, rounds: int = 3, seed: int = 1) -> Outcome:
    """Others take every connection that the server has."""

    def make(
        trial: Trial, place: Databases, proxy: Proxy, service: Service, _c: random.Random
    ) -> Act:
        def act() -> None:
            with all_connections(place.server.url("postgres")) as taken:
                # Those that the service keeps are ended one by one, and taken as well.
                proxy.refuse()
                with all_connections(place.server.url("postgres")):
                    proxy.listen()
                    says_not_ready(trial, service, ("database_connections",))
                if not taken:
                    trial.outcome.wrong.append("there was no connection to take")

        return act

    return _play(folder, "connections", seed, rounds, make)


def play_cut(folder: Path, *, rounds: int = 20, seed: int = 1) -> Outcome:
    """The connection breaks at a commit, which was not done, or done without an answer."""
    with through_proxy(folder, "commit-cut", seed) as (trial, place, proxy):
        if place is None or proxy is None:
            return trial.outcome
        outcome = trial.outcome
        book = Book.open(trial.data)
        try:
            record(trial, book, ["warm"])
            for number in range(rounds):
                for cut in CUTS:
                    before_it, proxy.cut = proxy.cuts, cut
                    keys = [f"c{number}-{cut.replace(' ', '-')}-{part}" for part in range(3)]
                    codes = record(trial, book, keys)
                    proxy.cut = None
                    outcome.played += proxy.cuts - before_it
                    # A client that was told of a failure asks again, with the same keys.
                    again = record(trial, book, keys)
                    if again or not set(keys) <= trial.seen.keys():
                        outcome.wrong.append(f"{cut}: not recorded afterwards: {codes} {again}")
        finally:
            book.close()
        if outcome.played < rounds * len(CUTS):
            outcome.wrong.append(f"{outcome.played} commits were cut, not {rounds * len(CUTS)}")
        return trial.check()
