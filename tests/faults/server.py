"""What only a database server can do: die in a commit, be away, be slow, have no connection
left, swallow what it is sent, take a commit and not say so.

Clients post all the while, and ask again until they are answered. `Clients` of the failover
does that; here they ask one service, which must go on by itself.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psycopg
from faults.database import all_connections, crash, databases, missing, recover, take
from faults.failover import Clients
from faults.proxy import CUTS, Cut, Proxy, before, url_through
from faults.steps import record
from faults.trial import ANSWER_SECONDS_MAX, Outcome, Trial
from postgresql_server import Databases
from processes import until
from service import Service

from ledger.book import Book
from ledger.store.place import URL_FILE

CLIENTS = 4
BACK_SECONDS_MAX = 120
"""After a fault has ended, somebody must be answered so soon."""
SLOW_SECONDS = 0.2
"""The most that each answer of a slow server is held back."""
OTHERS = """
SELECT current_setting('max_connections')::int - count(*)
FROM pg_stat_activity WHERE backend_type = 'client backend' AND datname <> %s
"""
Act = Callable[[], None]


@contextmanager
def through_proxy(
    folder: Path, fault: str, seed: int, place: Databases | None
) -> Iterator[tuple[Trial, Databases, Proxy]]:
    """A trial on a server, the given one or one of its own, with a proxy before it."""
    with ExitStack() as stack:
        server = place or stack.enter_context(databases())
        proxy = stack.enter_context(before(server.server, seed))
        url = url_through(proxy, server.new())
        trial = Trial(folder, fault, seed, database=url)
        trial.logs.append(server.server.log)
        yield trial, server, proxy


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


@dataclass(frozen=True)
class Scene:
    """What the fault is played on."""

    trial: Trial
    place: Databases
    proxy: Proxy
    service: Service
    chance: random.Random

    def killed(self) -> None:
        """kill -9 of the whole server; it recovers."""
        time.sleep(self.chance.uniform(0, 0.3))
        crash(self.place.server)
        time.sleep(self.chance.uniform(0, 0.5))
        recover(self.place)

    def away(self, seconds: float) -> None:
        """The server cannot be reached for a while, and the service says so."""
        self.proxy.refuse()
        end = time.monotonic() + seconds
        says_not_ready(self.trial, self.service, ("database_away",))
        time.sleep(max(0.0, end - time.monotonic()))
        self.proxy.listen()

    def slow(self, seconds: float) -> None:
        """Each answer comes late."""
        before, self.proxy.delay = self.proxy.delayed, SLOW_SECONDS
        time.sleep(seconds)
        self._met(lambda: self.proxy.delayed > before, "no answer of the server was held back")
        self.proxy.delay = 0.0

    def silent(self, seconds: float) -> None:
        """What is sent vanishes while connections stay open; afterwards they are gone."""
        before, self.proxy.hole = self.proxy.swallowed, True
        time.sleep(seconds)
        self._met(lambda: self.proxy.swallowed > before, "nothing that was sent has vanished")
        livez = httpx.get(f"{self.service.url}/livez", timeout=ANSWER_SECONDS_MAX)
        if livez.status_code != 200:
            self.trial.outcome.wrong.append("it does not say that it lives")
        self.proxy.refuse()
        self.proxy.hole = False
        self.proxy.listen()

    def _met(self, met: Callable[[], bool], nothing: str) -> None:
        """A fault that met nobody shows nothing. Where the traffic was slow to come, who asks
        whether the service is ready makes it ask the server."""
        end = time.monotonic() + ANSWER_SECONDS_MAX
        while not met():
            if time.monotonic() >= end:
                self.trial.outcome.wrong.append(nothing)
                return
            httpx.get(f"{self.service.url}/readyz", timeout=ANSWER_SECONDS_MAX)

    def crowded(self) -> None:
        """Others take every connection, those of the service too, which says so."""
        url = self.place.server.url("postgres")
        with all_connections(url) as taken:
            self.proxy.refuse()
            # Its connections are there to be taken once the server has noticed that they ended.
            # One that ended only later would leave its place to the service.
            until(lambda: take(url, taken) and not _left(taken[0], self.trial))
            self.proxy.listen()
            says_not_ready(self.trial, self.service, ("database_connections",))


def _left(other: psycopg.Connection, trial: Trial) -> int:
    """How many of the server's connections are not those of others than the trial's service, as
    another one tells: those too that begin or end, of which the server tells nothing."""
    name = urlsplit((trial.data / URL_FILE).read_text().strip()).path.removeprefix("/")
    asked = other.execute(OTHERS, [name])
    (count,) = asked.fetchone() or (0,)
    return int(count)


Part = Callable[[Scene], None]


def _play(
    folder: Path, fault: str, seed: int, parts: Sequence[Part], place: Databases | None
) -> Outcome:
    """Play each under traffic, on one service that is never started again."""
    if reason := missing():
        return Outcome(fault, seed, skipped=reason)
    with through_proxy(folder, fault, seed, place) as (trial, server, proxy):
        service, back = Service(trial.data), []
        try:
            service.wait_ready()
            scene = Scene(trial, server, proxy, service, random.Random(seed))
            for number, part in enumerate(parts):
                act = partial(part, scene)
                back.append(under_traffic(trial, service, f"r{number}", seed + number, act))
                trial.outcome.played += 1
        finally:
            service.stop()
        times = ", ".join(f"{one:.1f}" for one in back)
        trial.outcome.notes.append(f"answered again after {times} s")
        return trial.check()


def play_crash(
    folder: Path, *, rounds: int = 10, seed: int = 1, place: Databases | None = None
) -> Outcome:
    """kill -9 of the whole server while records are committed."""
    return _play(folder, "database-killed", seed, [Scene.killed] * rounds, place)


def play_away(
    folder: Path,
    *,
    rounds: int = 1,
    seed: int = 1,
    seconds: float = ANSWER_SECONDS_MAX,
    place: Databases | None = None,
) -> Outcome:
    """The server cannot be reached for a while."""
    parts = [partial(Scene.away, seconds=seconds)] * rounds
    return _play(folder, "database-away", seed, parts, place)


def play_slow(
    folder: Path,
    *,
    rounds: int = 3,
    seed: int = 1,
    seconds: float = 10.0,
    place: Databases | None = None,
) -> Outcome:
    """Everything is slow, and right."""
    parts = [partial(Scene.slow, seconds=seconds)] * rounds
    return _play(folder, "database-slow", seed, parts, place)


def play_silent(
    folder: Path,
    *,
    rounds: int = 1,
    seed: int = 1,
    seconds: float = ANSWER_SECONDS_MAX,
    place: Databases | None = None,
) -> Outcome:
    """The server says nothing for a while."""
    parts = [partial(Scene.silent, seconds=seconds)] * rounds
    return _play(folder, "database-silent", seed, parts, place)


def play_crowded(
    folder: Path, *, rounds: int = 3, seed: int = 1, place: Databases | None = None
) -> Outcome:
    """The server has no connection left."""
    return _play(folder, "connections", seed, [Scene.crowded] * rounds, place)


def play_each(
    folder: Path, *, seed: int = 1, seconds: float = 1.0, place: Databases | None = None
) -> Outcome:
    """All of them, one after another, for a short while each."""
    parts: list[Part] = [
        Scene.killed,
        partial(Scene.away, seconds=seconds),
        partial(Scene.slow, seconds=seconds),
        partial(Scene.silent, seconds=seconds),
        Scene.crowded,
    ]
    return _play(folder, "database", seed, parts, place)


def play_cut(
    folder: Path, *, rounds: int = 20, seed: int = 1, place: Databases | None = None
) -> Outcome:
    """The connection breaks at a commit, which was not done, or done without an answer."""
    if reason := missing():
        return Outcome("commit-cut", seed, skipped=reason)
    with through_proxy(folder, "commit-cut", seed, place) as (trial, _, proxy):
        outcome = trial.outcome
        book = Book.open(trial.data)
        try:
            record(trial, book, ["warm"])
            for number in range(rounds):
                for cut in CUTS:
                    _cut_one(trial, book, proxy, cut, number)
        finally:
            book.close()
        if outcome.played < rounds * len(CUTS):
            outcome.wrong.append(f"{outcome.played} commits were cut, not {rounds * len(CUTS)}")
        return trial.check()


def _cut_one(trial: Trial, book: Book, proxy: Proxy, cut: Cut, number: int) -> None:
    before_it, proxy.cut = proxy.cuts, cut
    keys = [f"c{number}-{cut.replace(' ', '-')}-{part}" for part in range(3)]
    codes = record(trial, book, keys)
    proxy.cut = None
    trial.outcome.played += proxy.cuts - before_it
    # A client that was told of a failure asks again, with the same keys.
    again = record(trial, book, keys)
    if again or not set(keys) <= trial.seen.keys():
        trial.outcome.wrong.append(f"{cut}: not recorded afterwards: {codes} {again}")
