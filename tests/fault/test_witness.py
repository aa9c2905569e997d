"""A real witness under attack: two forks at once, and kills at any moment.

The client is somebody else's (``witness_client``); the promise is that one witness never
cosigns two checkpoints that cannot both be true.
"""

from __future__ import annotations

import base64
import http.client
import os
import random
import threading
import urllib.error
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from service import STOP_SECONDS_MAX
from witness_client import Log, post, verify_cosignatures
from witness_process import WitnessProcess

FORK = 40
REQUESTS = 64


@pytest.fixture
def logs() -> tuple[Log, Log]:
    """The same log with two futures, of one key."""
    return Log(), Log(fork=FORK)


@pytest.fixture
def witness(tmp_path: Path, logs: tuple[Log, Log]) -> Iterator[WitnessProcess]:
    one = WitnessProcess(tmp_path / "witness", logs[0].vkey)
    yield one
    one.kill()


def cosigned(witness: WitnessProcess, log: Log, size: int, body: bytes) -> bool:
    """Whether an answer of status 200 really cosigns this log's tree of this size."""
    assert len(verify_cosignatures(body, log.text(size), witness.vkey)) == 1
    return True


@pytest.mark.fault
def test_64_requests_from_two_forks_at_once(witness: WitnessProcess, logs: tuple[Log, Log]) -> None:
    witness.start()
    for log in logs:
        log.grow(FORK + 200)
    status, _, body = post(witness.url, logs[0].request(0, FORK))
    assert status == 200
    assert cosigned(witness, logs[0], FORK, body)
    for round_number in range(3):
        # The forks meet at the witness's size only in the first round; then one has won.
        size = FORK + 50 * (round_number + 1)
        barrier = threading.Barrier(REQUESTS, timeout=STOP_SECONDS_MAX)
        jobs = [(logs[n % 2], FORK + (n // 2) % 4 + size - FORK) for n in range(REQUESTS)]
        bodies = [log.request(FORK, to) for log, to in jobs]

        def ask(
            number: int, bodies: list[bytes] = bodies, barrier: threading.Barrier = barrier
        ) -> tuple[int, str, bytes]:
            barrier.wait()
            return post(witness.url, bodies[number])

        with ThreadPoolExecutor(REQUESTS) as pool:
            answers = list(pool.map(ask, range(REQUESTS)))
        won = [n for n, answer in enumerate(answers) if answer[0] == 200]
        assert {answer[0] for answer in answers} <= {200, 409}
        assert len(won) == (1 if round_number == 0 else 0)
        for number in won:
            log, to = jobs[number]
            assert cosigned(witness, log, to, answers[number][2])
    # Whichever fork has lost can never come back, not even with a proof from where it forked.
    sizes = [int(post(witness.url, log.request(0, FORK))[2]) for log in logs]
    assert sizes[0] == sizes[1] > FORK
    # Each asks from the size that the witness has by then, since the winner moves it.
    statuses = []
    for log, to in zip(logs, (FORK + 180, FORK + 190), strict=True):
        last = int(post(witness.url, log.request(0, FORK))[2])
        statuses.append(post(witness.url, log.request(last, to))[0])
    assert sorted(statuses) == [200, 422]


@pytest.mark.fault
def test_two_processes_on_one_state(
    witness: WitnessProcess, tmp_path: Path, logs: tuple[Log, Log]
) -> None:
    witness.start()
    second = WitnessProcess(witness.folder, logs[0].vkey)
    second.start()
    try:
        urls = [witness.url, second.url]
        bodies = [log.request(0, FORK + 1 + n) for n in range(16) for log in logs]
        with ThreadPoolExecutor(len(bodies)) as pool:
            jobs = [pool.submit(post, urls[n % 2], body) for n, body in enumerate(bodies)]
            statuses = [job.result()[0] for job in jobs]
        assert statuses.count(200) == 1
    finally:
        second.kill()


def kill_rounds(witness: WitnessProcess, logs: tuple[Log, Log], rounds: int, seed: int) -> None:
    """Two forks race for every step while the witness is killed again and again.

    Only what was answered counts: of all the cosignatures that anybody got, no two may be
    of different forks beyond the place where they part, and sizes answered never go back.
    More rounds than asked for are played where the witness is so slow that it was not yet asked
    beyond that place.
    """
    chance = random.Random(seed)
    answered: dict[int, set[int]] = {0: set(), 1: set()}
    known = 0
    for log in logs:
        log.grow(FORK + 40 * rounds)
    for number in range(rounds * 10):
        if number >= rounds and known > FORK:
            break
        witness.start()
        killer = threading.Timer(chance.uniform(0.05, 0.5), witness.kill)
        killer.start()
        size = known
        try:
            while True:
                which = chance.randrange(2) if size >= FORK else 0
                to = size + chance.randrange(1, 4) if size else FORK - 2
                if to >= len(logs[0].leaves):
                    to = size
                status, _, body = post(witness.url, logs[which].request(size, to))
                if status == 200:
                    assert cosigned(witness, logs[which], to, body)
                    if to > FORK:
                        answered[which].add(to)
                    assert to >= known
                    known = size = to
                elif status == 409:
                    # It may know more than it could answer before it was killed, never less.
                    size = int(body)
                    assert size >= known
                else:
                    assert status == 422
        except (OSError, http.client.HTTPException, urllib.error.URLError):
            pass
        killer.join()
    assert known > FORK
    assert not (answered[0] and answered[1])


@pytest.mark.fault
def test_killed_and_restarted_it_keeps_its_word(
    witness: WitnessProcess, logs: tuple[Log, Log]
) -> None:
    kill_rounds(witness, logs, 8, 1)


@pytest.mark.fault
@pytest.mark.soak
@pytest.mark.parametrize("seed", range(5 if os.environ.get("SHANJI_SOAK") else 1))
def test_killed_a_hundred_times(witness: WitnessProcess, logs: tuple[Log, Log], seed: int) -> None:
    kill_rounds(witness, logs, 20, seed)


@pytest.mark.fault
def test_it_starts_anew_only_when_told(witness: WitnessProcess, logs: tuple[Log, Log]) -> None:
    witness.start()
    assert post(witness.url, logs[0].request(0, 5))[0] == 200
    assert witness.stop() == 0
    witness.state.rename(witness.state.with_suffix(".away"))
    process = witness.spawn()
    assert process.wait(STOP_SECONDS_MAX) == 2
    assert "--new" in (witness.folder / "log").read_text()
    witness.state.with_suffix(".away").rename(witness.state)
    assert witness.spawn("--new").wait(STOP_SECONDS_MAX) == 1
    witness.start()
    assert post(witness.url, logs[0].request(0, 6))[2] == b"5\n"
    assert base64.b64decode(witness.vkey.split("+", 2)[2])[0] == 4
