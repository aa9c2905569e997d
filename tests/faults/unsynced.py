"""A file system that drops what was not synced: replayed from a record of the system calls.

strace records every write, sync and cut of the log's files while a writer works. Then the
power is cut at many moments: onto a copy of the folder go all writes up to the last sync of
their file, and of the later ones a seeded choice, in part torn at a sector. Each such
folder is opened, audited, and compared with the answers that had left by then. A moment at
which nothing could be lost is examined too, and not counted.
"""

from __future__ import annotations

import ast
import random
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from faults.trial import Outcome, Trial
from faults.writer import Writer, strace_missing

SECTOR = 512
CALLS = "pwrite64,write,ftruncate,fsync,fdatasync,unlink"
STRING_MAX = 1 << 20
MOMENTS_MAX = 10
"""So many moments are tried for each cut that loses something."""
_LINE = re.compile(r"(?:\d+ +)?(?P<call>\w+)\((?P<rest>.*)\) += (?P<result>-?\d+)")
_PATH = re.compile(r'\d+<(?P<path>[^>]*)>(?:, "(?P<data>(?:[^"\\]|\\.)*)")?(?P<more>.*)')


@dataclass(frozen=True)
class Event:
    """One call: what it did to which file, or an answer that left."""

    call: str
    name: str = ""
    data: bytes = b""
    offset: int = 0


@dataclass
class Disk:
    """Files as they are on the disk, and the changes that are not there for certain."""

    folder: Path
    pending: dict[str, list[Event]] = field(default_factory=dict)

    def take(self, event: Event) -> None:
        """What a call does: changes wait, a sync makes those of its file certain."""
        waiting = self.pending.setdefault(event.name, [])
        if event.call in ("fsync", "fdatasync"):
            for one in waiting:
                self.apply(one)
            waiting.clear()
        else:
            waiting.append(event)

    def apply(self, event: Event, part: int | None = None) -> None:
        """Carry one change out, or a write's first bytes."""
        path = self.folder / event.name
        with path.open("r+b" if path.exists() else "w+b") as file:
            if event.call == "ftruncate":
                file.truncate(event.offset)
            else:
                file.seek(event.offset)
                file.write(event.data[:part])

    def cut(self, chance: random.Random) -> int:
        """The power fails: of what waits, some is there, some is not, some is torn."""
        dropped = 0
        for waiting in self.pending.values():
            kept = chance.choice((0.0, 0.5, 0.9))
            for event in waiting:
                if chance.random() < kept:
                    torn = event.call == "pwrite64" and chance.random() < 0.2
                    sectors = len(event.data) // SECTOR
                    self.apply(event, chance.randint(0, sectors) * SECTOR if torn else None)
                    dropped += torn
                else:
                    dropped += 1
        return dropped


def read_events(log: Path, data: Path) -> list[Event]:
    """The record as events, in the order in which the calls ended."""
    events: list[Event] = []
    begun: dict[str, str] = {}
    for line in log.read_text("latin-1").splitlines():
        process, _, text = line.partition(" ")
        text = text.strip()
        if text.endswith("<unfinished ...>"):
            begun[process] = text.removesuffix("<unfinished ...>").rstrip()
            continue
        if text.startswith("<... "):
            text = begun.pop(process, "") + text.partition("resumed>")[2]
        found = _LINE.fullmatch(text)
        parts = _PATH.match(found["rest"]) if found is not None else None
        if found is None or parts is None or int(found["result"]) < 0:
            continue
        numbers = re.findall(r"\d+", parts["more"])
        written = ast.literal_eval(f'b"{parts["data"]}"') if parts["data"] is not None else b""
        path = Path(ast.literal_eval(f'b"{parts["path"]}"').decode())
        if found["call"] == "write" and b'"key"' in written:
            events.append(Event("answer", data=written))
        elif path.parent == data and not path.name.endswith("-shm"):
            offset = int(numbers[-1]) if numbers else 0
            events.append(Event(found["call"], path.name, written, offset))
    return events


def play(folder: Path, *, rounds: int = 40, seed: int = 1, batches: int = 12) -> Outcome:
    """Record once, then cut the power at seeded moments, until `rounds` cuts have lost writes."""
    trial = Trial(folder, "unsynced", seed)
    outcome = trial.outcome
    outcome.skipped = strace_missing()
    if outcome.skipped:
        return outcome
    before, log = folder / "before", folder / "strace.calls"
    writer = Writer(trial)
    try:
        writer.record(["warm"])
        shutil.copytree(trial.data, before)
        writer.attach("-y", "-xx", "-s", str(STRING_MAX), "-o", str(log), "-e", f"trace={CALLS}")
        for number in range(batches):
            writer.record([f"u{number:03d}-{part}" for part in range(3)])
        writer.detach()
    finally:
        writer.close()
    events = read_events(log, trial.data)
    chance = random.Random(seed)
    answered = dict(trial.seen)
    dropped = 0
    for number in range(rounds * MOMENTS_MAX):
        if outcome.played >= rounds:
            break
        moment = chance.randint(1, len(events))
        copy = folder / "cut"
        shutil.copytree(before, copy)
        for path in copy.glob("*-shm"):
            path.unlink()
        disk = Disk(copy)
        answers = b""
        for event in events[:moment]:
            if event.call == "answer":
                answers += event.data
            else:
                disk.take(event)
        lost = disk.cut(chance)
        trial.seen = {
            key: value
            for key, value in answered.items()
            if key == "warm" or f'"{key}"'.encode() in answers
        }
        trial.examine(copy)
        outcome.played += lost > 0
        dropped += lost
        if outcome.bad:
            outcome.notes.append(f"cut {number} after call {moment} of {len(events)}")
            break
        shutil.rmtree(copy)
    outcome.notes.append(f"{len(events)} calls recorded, {dropped} writes dropped or torn")
    return outcome
