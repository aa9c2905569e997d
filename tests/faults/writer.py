"""The other side of ``worker``: starts one, gives it batches, may attach strace to it."""

from __future__ import annotations

import json
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from faults.trial import ANSWER_SECONDS_MAX, Trial
from service import READY_SECONDS_MAX

WORKER = Path(__file__).with_name("worker.py")
ATTACH_SECONDS_MAX = 120


def strace_missing() -> str:
    """Why strace cannot be used here; empty where it can."""
    if shutil.which("strace") is None:
        return "strace is missing (Debian's package strace)"
    tried = subprocess.run(
        ["strace", "-o", "/dev/null", "-e", "trace=none", "true"], capture_output=True, check=False
    )
    return "" if tried.returncode == 0 else "this machine does not let strace trace (ptrace)"


class Writer:
    """One worker process on a trial's log."""

    def __init__(self, trial: Trial, **more: Any) -> None:
        self.trial = trial
        self.tracer: subprocess.Popen[bytes] | None = None
        with (trial.folder / "writer.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(WORKER), str(trial.data)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                **more,
            )
        self.ahead = 0.0
        """How far its clock was ahead of this process's when it last answered, in seconds."""
        self.standing = ""
        """What it said of itself when it last answered that something failed."""
        self._rest = b""
        if self._line(READY_SECONDS_MAX) is None:
            raise RuntimeError("the worker did not start")

    def attach(self, *options: str) -> None:
        """Let strace watch all threads of the worker, from now until `detach`."""
        self.tracer = subprocess.Popen(
            ["strace", "-f", "-p", str(self.process.pid), *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        assert self.tracer.stderr is not None
        # It says on stderr that it has attached, once for each thread.
        ready, _, _ = select.select([self.tracer.stderr], [], [], ATTACH_SECONDS_MAX)
        if not ready:
            raise RuntimeError("strace did not attach")
        tasks = Path(f"/proc/{self.process.pid}/task")
        end = time.monotonic() + ATTACH_SECONDS_MAX
        while self._traced() < len(list(tasks.iterdir())) and time.monotonic() < end:
            time.sleep(0.005)

    def _traced(self) -> int:
        tasks = Path(f"/proc/{self.process.pid}/task")
        traced = 0
        for task in tasks.iterdir():
            # A thread that has ended meanwhile is not waited for.
            with suppress(FileNotFoundError, ProcessLookupError):
                traced += "TracerPid:\t0\n" not in (task / "status").read_text()
        return traced

    def detach(self) -> None:
        """Let the worker run alone again."""
        if self.tracer is not None:
            self.tracer.send_signal(signal.SIGINT)
            self.tracer.wait(ATTACH_SECONDS_MAX)
            assert self.tracer.stderr is not None
            self.tracer.stderr.close()
            self.tracer = None

    def record(self, keys: Sequence[str]) -> list[str]:
        """Record one batch; the codes of what failed. Answers go to the trial.

        A worker that dies meanwhile gives no more answers: `alive` says so.
        """
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(list(keys)).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return []
        errors: list[str] = []
        for _ in keys:
            value = self._line()
            if value is None:
                break
            if "error" in value:
                errors.append(value["error"])
                self.standing = value["standing"]
            else:
                self.trial.take(value["key"], value["index"], value["receipt"])
                self.ahead = value["now"] - time.time()
        return errors

    def _line(self, seconds: float = ANSWER_SECONDS_MAX) -> dict[str, Any] | None:
        """The next line, None where the worker has ended."""
        assert self.process.stdout is not None
        end = time.monotonic() + seconds
        while b"\n" not in self._rest:
            ready, _, _ = select.select([self.process.stdout], [], [], end - time.monotonic())
            if not ready:
                self.trial.outcome.wrong.append(f"the writer hung for {seconds} s")
                self.kill()
                return None
            data = self.process.stdout.read1(65_536)  # type: ignore[attr-defined]
            if not data:
                self.process.wait(ANSWER_SECONDS_MAX)
                return None
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        value: dict[str, Any] = json.loads(line)
        return value

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def kill(self) -> None:
        """End it as a power cut would."""
        if self.alive:
            self.process.kill()
        self.process.wait(ANSWER_SECONDS_MAX)
        self.detach()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue

    def close(self) -> None:
        """Let it finish what it does, and end."""
        self.detach()
        if self.alive and self.process.stdin is not None:
            self.process.stdin.close()
            self.process.wait(ANSWER_SECONDS_MAX)
        self.kill()
