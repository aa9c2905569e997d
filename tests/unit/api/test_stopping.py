"""An order to end counts wherever it comes, and whatever this process started ends with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from processes import WAIT_SECONDS, alive, until

from api import auth, serving
from api.stopping import SIGNALS, Stopping
from ledger.beside import worker_pool
from ledger.book import Book
from ledger.inspection import Inspector, inspector
from ledger.keys.access import KeyAccess

POOL = """
import os, time
from ledger.beside import worker_pool
with worker_pool(1) as pool:
    print(pool.submit(os.getpid).result(), flush=True)
    time.sleep(600)
"""
DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(600)
"""


@pytest.fixture
def stopping() -> Iterator[Stopping]:
    """One that listens, for the length of the test."""
    before = {one: signal.getsignal(one) for one in SIGNALS}
    made = Stopping()
    made.listen()
    try:
        yield made
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


class Ending:
    """Is told to end while it is thrown away."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGTERM)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_order_whose_exception_is_lost_counts(stopping: Stopping) -> None:
    stopping.check()
    Ending()
    assert stopping.asked
    with pytest.raises(KeyboardInterrupt):
        stopping.check()


def test_what_is_being_closed_is_closed_before_the_order_counts(stopping: Stopping) -> None:
    done: list[str] = []

    def close() -> None:
        with stopping.closing():
            signal.raise_signal(signal.SIGINT)
            done.append("closed")
        done.append("went on")

    with pytest.raises(KeyboardInterrupt):
        close()
    assert done == ["closed"]
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_a_server_that_was_told_to_end_before_it_listened_does_not_serve(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = Stopping()
    monkeypatch.setattr(asked, "_asked", True)
    monkeypatch.setattr(serving, "STOPPING", asked)
    lives: list[str] = []

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        for _ in range(2):
            kind = (await receive())["type"]
            lives.append(kind)
            await send({"type": f"{kind}.complete"})

    config = uvicorn.Config(app, log_config=None, lifespan="on")
    with serving.bind("127.0.0.1", 0) as listener:
        serving._Server(config, lambda: lives.append("announced")).run(sockets=[listener])
    assert lives == ["lifespan.startup", "lifespan.shutdown"]


def test_a_file_that_could_not_be_written_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_handle: int) -> None:
        raise KeyboardInterrupt

    auth.write_private(tmp_path / "tokens.json", b"before")
    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", interrupted)
        with pytest.raises(KeyboardInterrupt):
            auth.write_private(tmp_path / "tokens.json", b"after")
    assert [one.read_bytes() for one in tmp_path.iterdir()] == [b"before"]


def test_the_processes_of_a_pool_end_with_who_started_them() -> None:
    command = [sys.executable, "-c", POOL]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        worker = int(process.stdout.readline())
        assert alive(worker)
        process.kill()
    until(lambda: not alive(worker))


def test_a_process_that_listens_to_its_input_ends_with_who_holds_it() -> None:
    program = "import time, ledger.beside as b; b.end_with_input(); print(1, flush=True)"
    command = [sys.executable, "-c", f"{program}; time.sleep(600)"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        assert process.poll() is None
        process.stdin.close()
        assert process.wait(WAIT_SECONDS) == -signal.SIGTERM


def test_nobody_waits_for_what_a_pool_still_does_after_an_error() -> None:
    pids: list[int] = []

    def fail() -> None:
        with worker_pool(1) as pool:
            pids.append(pool.submit(os.getpid).result())
            pool.submit(time.sleep, 10 * WAIT_SECONDS)
            raise LookupError

    began = time.monotonic()
    with pytest.raises(LookupError):
        fail()
    assert not alive(*pids)
    assert time.monotonic() - began < 10 * WAIT_SECONDS


def test_an_audit_that_does_not_end_when_the_service_stops_is_killed(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspector, "END_SECONDS_MAX", 0.1)
    inspecting = Inspector(book, KeyAccess())
    inspecting.close()
    with subprocess.Popen([sys.executable, "-c", DEAF], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"deaf\n"
        inspecting._end(process)
        assert process.wait(WAIT_SECONDS) == -signal.SIGKILL
