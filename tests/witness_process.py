"""A real witness in a process of its own: ``shanji witness serve`` on a free loopback port."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from service import READY_SECONDS_MAX, STOP_SECONDS_MAX, free_port
from troubles import STARTED, Started

from ledger.audit.witness.key import create_key, read_key
from ledger.tlog.note import SignatureType, VerifierKey, format_verifier_key

PROGRAM = (sys.executable, "-c", "from ledger.cli import main; main()", "witness")


class WitnessProcess:
    """One witness with its folder; `start` and `kill` it as often as you like."""

    def __init__(self, folder: Path, *logs: str, name: str = "witness.example/w1") -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.state = folder / "state.sqlite3"
        self.key_file = folder / "key"
        if not self.key_file.exists():
            create_key(self.key_file, name, SignatureType.COSIGNATURE_ED25519, lambda: 0)
        self.policy = folder / "policy"
        self.policy.write_text("".join(f"log {one}\n" for one in logs) + "quorum none\n")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def key(self) -> VerifierKey:
        return read_key(self.key_file, lambda: 0).verifier_key

    @property
    def vkey(self) -> str:
        return format_verifier_key(self.key)

    def spawn(self, *options: str) -> subprocess.Popen[bytes]:
        """The bare process: it may be told to fail."""
        files = ("--key", self.key_file, "--policy", self.policy, "--state", self.state)
        command = [*PROGRAM, "serve", *map(str, files), "--port", str(self.port), *options]
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ})
        STARTED.append(Started(process, self.folder / "log"))
        return process

    def start(self) -> WitnessProcess:
        """Start it and wait until it answers; a new state is asked for where there is none."""
        self.process = self.spawn(*([] if self.state.exists() else ["--new"]))
        end = time.monotonic() + READY_SECONDS_MAX
        while time.monotonic() < end:
            if self.process.poll() is not None:
                break
            try:
                urllib.request.urlopen(f"{self.url}/log/none/checkpoint", timeout=5)
            except urllib.error.HTTPError:
                return self
            except OSError:
                time.sleep(0.03)
        raise RuntimeError(f"the witness did not start:\n{(self.folder / 'log').read_text()}")

    def kill(self) -> None:
        """End it as a power cut would."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(STOP_SECONDS_MAX)

    def stop(self) -> int:
        """End it as Ctrl-C would; its exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(STOP_SECONDS_MAX)
