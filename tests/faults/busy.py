"""The database is held, the queue is full, clients are slow or half gone, bodies at limits."""

from __future__ import annotations

import json
import random
import socket
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
from faults.database import head_locked, new_url
from faults.trial import ANSWER_SECONDS_MAX, Outcome, Trial, body_of
from postgresql_server import Databases
from service import Service

from api.routes.bulk import BULK_BYTES_MAX
from api.serving import HEADER_BYTES_MAX
from ledger.book import DATABASE
from ledger.records.request import BODY_BYTES_MAX, KEY_CHARS_MAX
from ledger.store.place import is_postgresql, place_of

HELD_SECONDS = 2.0
HALF_OPEN = 60
TRIES_MAX = 50


@contextmanager
def serving(trial: Trial, **environment: str) -> Iterator[Service]:
    """A service that is ready; it is stopped as Ctrl-C would in the end."""
    service = Service(trial.data, environment=environment)
    try:
        service.wait_ready()
        yield service
    finally:
        service.stop()


@contextmanager
def held(data: Path) -> Iterator[None]:
    """Another process's transaction: nobody else can write."""
    url = place_of(data)
    if is_postgresql(url):
        with head_locked(url):
            yield
        return
    with closing(sqlite3.connect(data / DATABASE, isolation_level=None)) as raw:
        raw.execute("BEGIN IMMEDIATE")
        yield
        raw.execute("ROLLBACK")


def post_until_answered(trial: Trial, url: str, keys: list[str], statuses: Counter[int]) -> None:
    """Post each key, as often as a patient client does."""

    def one(key: str) -> None:
        for _ in range(TRIES_MAX):
            status = trial.post(url, key)
            statuses[status] += 1
            if status in (200, 201):
                return
            time.sleep(0.2)
        trial.outcome.lost.append(f"{key}: no answer after {TRIES_MAX} tries")

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(one, keys))


def play_held(
    folder: Path, *, rounds: int = 3, seed: int = 1, place: Databases | None = None
) -> Outcome:
    """The database is held for a while: records wait, and are answered afterwards."""
    trial, statuses = Trial(folder, "database-held", seed, database=new_url(place)), Counter[int]()
    with serving(trial) as service:
        for number in range(rounds):
            keys = [f"h{number}-{part}" for part in range(20)]
            sender = threading.Thread(
                target=post_until_answered, args=(trial, service.url, keys, statuses)
            )
            with held(trial.data):
                before = trial.outcome.answers
                sender.start()
                time.sleep(HELD_SECONDS)
                if trial.outcome.answers != before:
                    trial.outcome.wrong.append("it answered while another had the database")
                if httpx.get(f"{service.url}/livez", timeout=10).status_code != 200:
                    trial.outcome.wrong.append("it does not say that it lives")
                if httpx.get(f"{service.url}/checkpoint", timeout=10).status_code != 200:
                    trial.outcome.wrong.append("it does not serve to read meanwhile")
            sender.join()
            trial.outcome.played += 1
    trial.outcome.notes.append(f"statuses {dict(statuses)}")
    return trial.check()


def play_queue(
    folder: Path, *, rounds: int = 3, seed: int = 1, place: Databases | None = None
) -> Outcome:
    """The queue is full: 429 with Retry-After, and every patient client is answered."""
    trial, statuses = Trial(folder, "queue-full", seed, database=new_url(place)), Counter[int]()
    with serving(trial, SHANJI_QUEUE_MAX="4") as service:
        for number in range(rounds):
            keys = [f"q{number}-{part}" for part in range(40)]
            sender = threading.Thread(
                target=post_until_answered, args=(trial, service.url, keys, statuses)
            )
            before = statuses[429]
            with held(trial.data):
                sender.start()
                time.sleep(HELD_SECONDS)
            sender.join()
            trial.outcome.played += statuses[429] > before
    if not statuses[429]:
        trial.outcome.wrong.append("a full queue was never told")
    trial.outcome.notes.append(f"statuses {dict(statuses)}")
    return trial.check()


def play_slow(
    folder: Path, *, rounds: int = 1, seed: int = 1, place: Databases | None = None
) -> Outcome:
    """Clients that say nothing, half a header, half a body, or never read: others are served."""
    trial, statuses = Trial(folder, "slow-clients", seed, database=new_url(place)), Counter[int]()
    chance = random.Random(seed)
    head = f"POST /v1/entries HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {trial.clerk}\r\n"
    length = "Idempotency-Key: slow\r\nContent-Length: 400\r\n\r\n"
    with serving(trial) as service:
        for number in range(rounds):
            sockets = []
            for _ in range(HALF_OPEN):
                one = socket.create_connection(("127.0.0.1", service.port), timeout=10)
                said = chance.choice(("", head, head + length, head + length + '{"kind": "don'))
                one.sendall(said.encode())
                sockets.append(one)
            keys = [f"w{number}-{part}" for part in range(30)]
            post_until_answered(trial, service.url, keys, statuses)
            for one in sockets:
                # Gone without a word, as a cut cable leaves it.
                one.close()
            trial.outcome.played += len(sockets)
    trial.outcome.notes.append(f"statuses {dict(statuses)}")
    return trial.check()


def play_limits(
    folder: Path, *, rounds: int = 1, seed: int = 1, place: Databases | None = None
) -> Outcome:
    """Bodies, keys and headers one under, at and one over each named limit."""
    trial = Trial(folder, "limits", seed, database=new_url(place))
    outcome = trial.outcome
    with serving(trial) as service:
        for number in range(rounds):
            for size in (-1, 0, 1):
                for name, allowed, answer in _at_limits(trial, service, number, size):
                    outcome.played += 1
                    good = answer.status_code in ((200, 201, 400, 422) if allowed else (413, 400))
                    code = answer.headers.get("content-type", "")
                    if not good or (answer.status_code >= 400 and "problem" not in code):
                        outcome.wrong.append(
                            f"{name} {size:+d}: {answer.status_code} {answer.text[:120]}"
                        )
        if trial.post(service.url, "after-limits") != 201:
            outcome.wrong.append("after bodies at every limit nothing is recorded")
    return trial.check()


def _at_limits(
    trial: Trial, service: Service, number: int, size: int
) -> Iterator[tuple[str, bool, httpx.Response]]:
    """Each limit with a request of its size and so many more; whether it must be taken."""
    url = f"{service.url}/v1/entries"
    key = f"limit-{number}{size:+d}"
    allowed = size <= 0
    body = json.dumps(body_of(key)).encode()
    padded = body + b" " * (BODY_BYTES_MAX + size - len(body))
    answer = httpx.post(url, headers=trial.headers(key), content=padded, timeout=ANSWER_SECONDS_MAX)
    if answer.status_code == 201:
        trial.take_answer(key, answer)
    yield "BODY_BYTES_MAX", allowed, answer
    long = f"{size:+d}-{number}-".ljust(KEY_CHARS_MAX + size, "k")
    answer = httpx.post(
        url, headers=trial.headers(long), json=body_of(long[:30]), timeout=ANSWER_SECONDS_MAX
    )
    if answer.status_code == 201:
        trial.take_answer(long, answer)
    yield "KEY_CHARS_MAX", allowed, answer
    line = b" " * (BULK_BYTES_MAX + size)
    answer = httpx.post(
        f"{url}/bulk", headers=trial.headers(key), content=line, timeout=ANSWER_SECONDS_MAX
    )
    yield "BULK_BYTES_MAX", allowed, answer
    if size > 0:
        headers = {**trial.headers(f"{key}-h"), "X-Long": "x" * HEADER_BYTES_MAX * 4}
        try:
            answer = httpx.get(f"{service.url}/livez", headers=headers, timeout=10)
        except httpx.HTTPError:
            return
        if answer.status_code not in (200, 400, 431):
            trial.outcome.wrong.append(f"HEADER_BYTES_MAX: {answer.status_code}")
