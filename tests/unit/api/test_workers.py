"""Workers: started together, replaced when one dies, ended together."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from multiprocessing import connection
from pathlib import Path
from typing import Any

import pytest
import worker_targets
from processes import WAIT_SECONDS, alive, until

from api import workers
from api.workers import Serve, Workers
from ledger.errors import FatalError

PARENT = """
import sys, worker_targets
from pathlib import Path
from socket import create_server
from api.workers import Workers
Workers(2, worker_targets.good, Path(sys.argv[1]), create_server(("127.0.0.1", 0)), 30).run(
    lambda: print("all", flush=True))
"""


def pids(folder: Path) -> list[int]:
    return [int(one.name.split("-")[1]) for one in folder.iterdir()]


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


@pytest.mark.parametrize(
    ("serve", "code"),
    [
        (worker_targets.one_that_cannot_start, "worker_failed"),
        (worker_targets.mortal, "workers_die"),
    ],
)
def test_workers_that_cannot_go_on_end_the_service(
    serve: Serve,
    code: str,
    tmp_path: Path,
    listener: socket.socket,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(workers, "DEATHS_MAX", 1)
    with pytest.raises(FatalError) as caught:
        Workers(2, serve, tmp_path, listener, 30).run(lambda: None)
    assert caught.value.code == code
    assert pids(tmp_path)
    assert not any(map(alive, pids(tmp_path)))


def test_a_worker_that_answered_and_died_at_once_did_start(
    tmp_path: Path, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may say that it answers, and end, before its parent listens again."""
    listen = connection.wait

    def late(handles: list[Any], seconds: float) -> list[Any]:
        listen([one for one in handles if isinstance(one, int)], WAIT_SECONDS)
        return []

    monkeypatch.setattr(workers, "wait", late)
    monkeypatch.setattr(workers, "DEATHS_MAX", 0)
    with pytest.raises(FatalError) as caught:
        Workers(1, worker_targets.mortal, tmp_path, listener, 30).run(lambda: None)
    assert caught.value.code == "workers_die"


def test_a_dead_worker_is_replaced_and_none_outlives_its_parent(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PARENT, str(tmp_path)]
    path = os.pathsep.join(one for one in sys.path if one)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path}
    ) as parent:
        try:
            assert parent.stdout is not None
            assert parent.stdout.readline() == "all\n"
            first = pids(tmp_path)
            assert len(first) == 2
            os.kill(first[0], signal.SIGKILL)
            until(lambda: len(pids(tmp_path)) == 3)
            assert parent.poll() is None
            assert sum(map(alive, pids(tmp_path))) == 2
        finally:
            parent.kill()
    until(lambda: not any(map(alive, pids(tmp_path))))
