"""The mirror when something fails at every step, or kills it: it resumes to the same bytes."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from dishonest import KEYS, VKEY, Answer, LogReads, PaperLog, files_of, operating, paper_log

from ledger.audit import folder as folder_module
from ledger.audit.folder import MirrorFolder
from ledger.audit.mirror import Mirror
from ledger.audit.source import PathSource
from ledger.errors import FatalError, RetryableError
from ledger.tlog.note import format_verifier_key

HELD, SIZE = 300, 900
"""The mirror holds the log of the first size and is interrupted on its way to the second."""


def update(reads: LogReads, folder: Path) -> None:
    place = MirrorFolder(folder)
    try:
        Mirror(PathSource("log", reads), place, KEYS, workers=1).update()
    finally:
        place.close()


def whole(*sizes: int) -> dict[str, bytes]:
    """A mirror that saw these sizes and was never interrupted."""
    log = paper_log(sizes[-1])
    kept = {f"checkpoints/{size}": paper_log(size).checkpoint() for size in sizes}
    partial = {"tile/1/000.p/1": log.tile(1, 0, 1)} if 300 in sizes else {}
    return dict(sorted({**log.files(), **partial, **kept}.items()))


def check_right(folder: Path) -> None:
    """Whatever has a final name is right, and what the checkpoint promises is there."""
    files = files_of(folder)
    log = paper_log(SIZE)
    for path, data in files.items():
        if path.startswith("tile/"):
            assert data == log.read(path)
    held = files.get("checkpoint")
    assert held in (paper_log(HELD).checkpoint(), log.checkpoint())
    for path, data in (
        paper_log(HELD if held == paper_log(HELD).checkpoint() else SIZE).files().items()
    ):
        assert files[path] == data


class FailingOs:
    """`os`, but one call to one of the functions that reach the disk fails."""

    NAMES = ("open", "write", "fsync", "replace")

    def __init__(self, at: int, *, after: bool) -> None:
        self.at = at
        self.after = after
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        return self._counted(real) if name in self.NAMES else real

    def _counted(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            number, self.calls = self.calls, self.calls + 1
            if number == self.at and not self.after:
                raise OSError(28, "No space left on device")
            # That a flush reaches the disk cannot be seen here; without it this is quick.
            result = None if real is os.fsync else real(*arguments)
            if number == self.at:
                if real is os.open:
                    os.close(result)
                raise OSError(5, "Input/output error")
            return result

        return call


class ShortWrites:
    """`os`, but a write takes only a part of what it is given."""

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def write(self, handle: int, data: bytes) -> int:
        return os.write(handle, data[:1000])


@pytest.mark.fault
@pytest.mark.parametrize("after", [False, True], ids=["not done", "done, but said to fail"])
def test_the_disk_fails_at_every_step(
    after: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = whole(HELD, SIZE)
    held = tmp_path / "held"
    update(LogReads(paper_log(HELD)), held)
    at = 0
    while True:
        folder = tmp_path / str(at)
        shutil.copytree(held, folder)
        failing = FailingOs(at, after=after)
        monkeypatch.setattr(folder_module, "os", failing)
        try:
            update(LogReads(paper_log(SIZE)), folder)
        except FatalError:
            check_right(folder)
        else:
            assert failing.calls <= at
            break
        failing.at = -1
        update(LogReads(paper_log(SIZE)), folder)
        assert files_of(folder) == expected
        assert os.listdir(folder / ".mirror") == ["lock"]
        at += 1
    assert at > 40


@pytest.mark.fault
def test_the_source_fails_at_every_request(tmp_path: Path) -> None:
    expected = whole(HELD, SIZE)
    at, failed = 0, True
    while failed:
        folder = tmp_path / str(at)
        update(LogReads(paper_log(HELD)), folder)

        reads = LogReads(paper_log(SIZE), fail_at=at)
        try:
            update(reads, folder)
            failed = False
        except RetryableError:
            check_right(folder)
            update(LogReads(paper_log(SIZE)), folder)
        assert files_of(folder) == expected
        at += 1
    assert at > 10


@pytest.mark.fault
def test_a_write_in_parts_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_module, "os", ShortWrites())
    update(LogReads(paper_log(SIZE)), tmp_path)
    assert files_of(tmp_path) == whole(SIZE)


PROGRAM = """
import sys
from pathlib import Path
from ledger.audit.folder import MirrorFolder
from ledger.audit.mirror import Mirror
from ledger.audit.source_url import UrlSource
from ledger.tlog.note import parse_verifier_key

url, folder, key = sys.argv[1:]
mirror = Mirror(UrlSource(url), MirrorFolder(Path(folder)), [parse_verifier_key(key)])
print(mirror.update().state)
"""


HOLDER = """
import sys, time
from pathlib import Path
from ledger.audit.folder import MirrorFolder

one = MirrorFolder(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


def play(folder: Path, size: int, rounds: int, seed: int) -> int:
    """Kill the mirror at random requests until it is done; how often it was killed.

    Once the request is there at which it is to be killed, nothing more is answered, so that it
    gets no further however late the kill comes.
    """
    chance = random.Random(seed)
    log = paper_log(size)
    count = len(log.files())
    lock = threading.Lock()
    asked, at, number, process = 0, 0, 0, None
    begun, ended = threading.Event(), threading.Event()

    def answer(path: str, headers: Mapping[str, str]) -> Answer:
        nonlocal asked
        turn, _, path = path.partition("/")
        with lock:
            # What a killed mirror has still asked for is of no round.
            asked += turn == str(number)
            now, held = turn == str(number) and asked == at, 0 < at <= asked
        if now:
            begun.wait(120)
            assert process is not None
            time.sleep(chance.random() / 200)
            process.send_signal(signal.SIGKILL)
        if held:
            ended.wait(120)
        return log.answer(path, headers)

    killed = 0
    with operating(answer) as operator:
        command = [sys.executable, "-c", PROGRAM]
        arguments = (str(folder), format_verifier_key(VKEY))
        for turn in range(rounds + 1):
            with lock:
                asked, number = 0, turn
                at = 0 if turn == rounds else chance.randint(1, max(1, count // rounds * 2))
                begun.clear()
                ended.clear()
            process = subprocess.Popen(
                [*command, f"{operator.url}/{turn}", *arguments], stdout=subprocess.PIPE
            )
            begun.set()
            said, _ = process.communicate(timeout=120)
            ended.set()
            if process.returncode == -signal.SIGKILL:
                killed += 1
                for path, data in files_of(folder).items():
                    assert data == (
                        log.read(path) if "checkpoints" not in path else log.checkpoint()
                    )
            else:
                assert process.returncode == 0, said
    assert said.strip() in (b"copied", b"current")
    kept = {f"checkpoints/{size}": log.checkpoint()}
    assert files_of(folder) == dict(sorted({**log.files(), **kept}.items()))
    return killed


@pytest.mark.fault
@pytest.mark.soak
def test_it_is_killed_at_random_points(tmp_path: Path) -> None:
    rounds = int(os.environ.get("SHANJI_SOAK_ROUNDS", "10"))
    assert play(tmp_path / "m", size=5000, rounds=rounds, seed=20261128) >= rounds // 2


@pytest.mark.fault
def test_a_killed_mirror_leaves_no_lock(tmp_path: Path) -> None:
    update(LogReads(PaperLog(3)), tmp_path)
    holder = (
        "import sys, time; from pathlib import Path; from ledger.audit.folder import MirrorFolder"
    )
    holder += "; one = MirrorFolder(Path(sys.argv[1])); print('held', flush=True); time.sleep(600)"
    process = subprocess.Popen(
        [sys.executable, "-c", holder, str(tmp_path)], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    with pytest.raises(RetryableError):
        update(LogReads(PaperLog(3)), tmp_path)
    process.kill()
    process.communicate()
    update(LogReads(PaperLog(3)), tmp_path)
