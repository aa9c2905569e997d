"""Everything at random for as long as you like: mixed traffic, and a fault every few seconds."""

from __future__ import annotations

import asyncio
import random
import signal
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import httpx
from faults.busy import held
from faults.database import crash, recover
from faults.kill import post_all
from faults.proxy import CUTS, Proxy, before, url_through
from faults.trial import Outcome, Trial
from faults.writer import strace_missing
from postgresql_server import Databases
from service import Service

KEYS_A_ROUND = 300
CLIENTS = 40
READS = ("/checkpoint", "/readyz", "/metrics", "/v1/entries", "/", "/tile/0/000.p/1", "/v1/log")
FAULTS = ("kill", "stop", "held", "half-open", "restart")
FILE_FAULTS = ("call fails",)
SERVER_FAULTS = ("database killed", "away", "slow", "silent", "commit cut")


def play(
    folder: Path,
    *,
    rounds: int = 0,
    seed: int = 1,
    minutes: float = 2.0,
    place: Databases | None = None,
) -> Outcome:
    """Each round: a service, traffic, and one fault; until the time is over, or `rounds`.

    Only faults that were really played count, each by its name: a call may be over before it
    can be made to fail, and no commit may come by while one is to be cut.
    """
    if place is None:
        trial = Trial(folder, "soak", seed)
        return _soak(trial, rounds, seed, minutes, [*FAULTS, *FILE_FAULTS], {})
    with before(place.server, seed) as proxy:
        trial = Trial(folder, "soak", seed, database=url_through(proxy, place.new()))
        chance = random.Random(seed)
        own = {name: partial(server_fault, name, place, proxy, chance) for name in SERVER_FAULTS}
        return _soak(trial, rounds, seed, minutes, [*FAULTS, *SERVER_FAULTS], own)


def server_fault(name: str, place: Databases, proxy: Proxy, chance: random.Random) -> bool:
    """One fault of the database, which is over when this returns; whether it was played."""
    before = (proxy.cuts, proxy.delayed, proxy.swallowed)
    seconds = chance.uniform(0.1, 1.0)
    match name:
        case "database killed":
            crash(place.server)
            time.sleep(seconds)
            recover(place)
        case "away":
            proxy.refuse()
            time.sleep(seconds)
            proxy.listen()
        case "slow":
            proxy.delay = 0.1
            time.sleep(seconds)
            proxy.delay = 0.0
        case "silent":
            proxy.hole = True
            time.sleep(seconds)
            proxy.refuse()
            proxy.hole = False
            proxy.listen()
        case _:
            proxy.cut = chance.choice(CUTS)
            time.sleep(seconds)
            proxy.cut = None
    return name in ("database killed", "away") or before != (
        proxy.cuts,
        proxy.delayed,
        proxy.swallowed,
    )


def _soak(
    trial: Trial,
    rounds: int,
    seed: int,
    minutes: float,
    faults: Sequence[str],
    own: Mapping[str, Callable[[], bool]],
) -> Outcome:
    chance = random.Random(seed)
    end = time.monotonic() + minutes * 60
    number = 0
    names: list[str] = []
    played: Counter[str] = Counter()
    while number < rounds if rounds else time.monotonic() < end:
        # In turn, so that each comes; in an order that the seed chooses.
        if not names:
            names = list(faults)
            chance.shuffle(names)
        name = names.pop()
        service = Service(trial.data)
        try:
            service.wait_ready()
            # Half of the keys are known from the round before.
            keys = [f"m{number - chance.randint(0, 1)}-{chance.randrange(KEYS_A_ROUND)}"]
            keys += [f"m{number}-{chance.randrange(KEYS_A_ROUND)}" for _ in range(KEYS_A_ROUND)]
            traffic = threading.Thread(
                target=lambda keys=keys, url=service.url: asyncio.run(
                    post_all(trial, [url], keys, CLIENTS)
                )
            )
            traffic.start()
            _read(trial, service)
            time.sleep(chance.uniform(0.0, 0.3))
            played[name] += own[name]() if name in own else _fault(trial, service, name, chance)
            traffic.join()
        finally:
            if service.process.poll() is None:
                service.kill()
        number += 1
    trial.outcome.played = played.total()
    by_name = ", ".join(f"{count} {name}" for name, count in sorted(played.items()))
    trial.outcome.notes.append(f"{number} rounds; played: {by_name}")
    return trial.check()


def _read(trial: Trial, service: Service) -> None:
    """What anybody asks for while records come in."""
    for path in READS:
        try:
            answer = httpx.get(f"{service.url}{path}", timeout=30)
        except httpx.TimeoutException:
            trial.outcome.wrong.append(f"{path} hangs")
        except httpx.HTTPError as error:
            trial.outcome.wrong.append(f"{path}: {type(error).__name__}")
        else:
            if answer.status_code not in (200, 404, 503):
                trial.outcome.wrong.append(f"{path}: {answer.status_code}")


def _fault(trial: Trial, service: Service, name: str, chance: random.Random) -> bool:
    """One fault of the service or its file; whether it was played."""
    match name:
        case "kill":
            service.kill()
        case "stop":
            service.process.send_signal(signal.SIGSTOP)
            time.sleep(chance.uniform(0.1, 1.0))
            service.process.send_signal(signal.SIGCONT)
        case "held":
            with held(trial.data):
                time.sleep(chance.uniform(0.1, 1.0))
        case "half-open":
            for _ in range(20):
                with socket.create_connection(("127.0.0.1", service.port), timeout=5) as one:
                    one.sendall(b"POST /v1/entries HTTP/1.1\r\nHost: x\r\n")
        case "call fails":
            return _fail_a_call(service, chance)
        case _:
            service.stop()
    return True


def _fail_a_call(service: Service, chance: random.Random) -> bool:
    """Writes of the database fail, one in each thread of the running service (strace)."""
    if strace_missing():
        return False
    error, when = chance.choice(("EIO", "ENOSPC")), chance.randint(1, 30)
    inject = f"inject=pwrite64,fdatasync:error={error}:when={when}"
    paths = [f"-P{service.data / name}" for name in ("ledger.sqlite3", "ledger.sqlite3-wal")]
    calls = service.log.with_suffix(".calls")
    command = ["strace", "-f", "-p", str(service.process.pid), "-o", str(calls), *paths]
    tracer = subprocess.Popen(
        [*command, "-e", "trace=pwrite64,fdatasync", "-e", inject],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(chance.uniform(0.5, 1.5))
    tracer.send_signal(signal.SIGINT)
    tracer.wait(30)
    return "(INJECTED)" in calls.read_text(errors="replace")
