"""The disk is full, a file may not grow, nothing may be written; and then it is good again."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faults.trial import ANSWER_SECONDS_MAX, Outcome, Trial
from faults.writer import Writer
from service import Service

DISK_BYTES = 48 << 20
FILLER = "filler"
CHUNK = 1 << 16
FULL = "disk_full"
READ_ONLY = ("read-only", "readonly", "opened or written")


@contextmanager
def small_disk(folder: Path) -> Iterator[str]:
    """Mounts a small disk there, for root; yields why not, where that cannot be."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    if done.returncode != 0:
        yield f"no small disk can be mounted here ({done.stderr.strip()})"
        return
    try:
        yield ""
    finally:
        subprocess.run(["umount", "-l", str(folder)], capture_output=True, check=False)


def fill(place: Path) -> None:
    """Take all room that is left."""
    with (place / FILLER).open("ab", buffering=0) as file:
        size = CHUNK
        while size:
            try:
                file.write(b"\0" * size)
            except OSError:
                size //= 2


def play_full(folder: Path, *, rounds: int = 5, seed: int = 1) -> Outcome:
    """The disk fills up under the writer, and has room again; the same process goes on."""
    disk = folder / "disk"
    with small_disk(disk) as missing:
        trial = Trial(folder, "disk-full", seed, None if missing else disk / "data")
        if missing:
            trial.outcome.skipped = missing
            return trial.outcome
        writer = Writer(trial)
        try:
            for number in range(rounds):
                writer.record([f"before-{number}"])
                fill(disk)
                # Room in pages that are there already may do for a while, not for long.
                codes: list[str] = []
                for part in range(200):
                    codes = writer.record([f"full-{number}-{part}"])
                    if codes or not writer.alive:
                        break
                trial.outcome.played += bool(codes)
                if writer.standing != FULL or not writer.alive:
                    trial.outcome.wrong.append(f"a full disk was not told: {writer.standing}")
                (disk / FILLER).unlink()
                if writer.record([f"full-{number}-{part}", f"after-{number}"]):
                    trial.outcome.wrong.append("with room again nothing is recorded")
        finally:
            writer.close()
        return trial.check()


def play_limit(folder: Path, *, rounds: int = 5, seed: int = 1) -> Outcome:
    """A file may not grow over a limit (RLIMIT_FSIZE); then it may."""
    trial = Trial(folder, "file-limit", seed)
    writer = Writer(trial)
    try:
        for number in range(rounds):
            writer.record([f"before-{number}"])
            sizes = [one.stat().st_size for one in trial.data.glob("ledger.sqlite3*")]
            limit = max(sizes) + number * 4096
            hard = resource.prlimit(writer.process.pid, resource.RLIMIT_FSIZE)[1]
            resource.prlimit(writer.process.pid, resource.RLIMIT_FSIZE, (limit, hard))
            codes: list[str] = []
            for part in range(500):
                codes = writer.record([f"limited-{number}-{part}"])
                if codes or not writer.alive:
                    break
            trial.outcome.played += bool(codes)
            if not codes or not writer.alive:
                trial.outcome.wrong.append(f"the limit was not told: {codes}")
                break
            resource.prlimit(writer.process.pid, resource.RLIMIT_FSIZE, (hard, hard))
            if writer.record([f"limited-{number}-{part}", f"after-{number}"]):
                trial.outcome.wrong.append("without the limit nothing is recorded")
    finally:
        writer.close()
    return trial.check()


def play_read_only(folder: Path, *, rounds: int = 2, seed: int = 1) -> Outcome:
    """A service on a disk that is read-only says so, soon; on one that is not it goes on."""
    disk = folder / "disk"
    with small_disk(disk) as missing:
        trial = Trial(folder, "read-only", seed, None if missing else disk / "data")
        if missing:
            trial.outcome.skipped = missing
            return trial.outcome
        for number in range(rounds):
            writer = Writer(trial)
            writer.record([f"good-{number}"])
            writer.close()
            remount(disk, "ro")
            log = folder / f"service-{number}.log"
            service = Service(trial.data, log=log)
            try:
                code = service.process.wait(ANSWER_SECONDS_MAX)
                said = log.read_text()
                if code == 0 or not any(one in said.lower() for one in READ_ONLY):
                    trial.outcome.wrong.append(f"it does not say what is wrong: {said[-300:]}")
                trial.outcome.played += 1
            except subprocess.TimeoutExpired:
                trial.outcome.wrong.append("a service on a read-only disk hangs")
                service.kill()
            finally:
                remount(disk, "rw")
        writer = Writer(trial)
        if writer.record(["again"]):
            trial.outcome.wrong.append("with the right to write again nothing is recorded")
        writer.close()
        return trial.check()


def remount(disk: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(disk)], check=True)
