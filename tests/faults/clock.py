"""The clock goes back an hour, and forward a year, and back, under a running writer (faketime)."""

from __future__ import annotations

import json
import os
import random
from datetime import datetime, timedelta
from glob import glob
from pathlib import Path

from faults.database import new_url
from faults.trial import Outcome, Trial
from faults.writer import Writer
from postgresql_server import Databases

from ledger.book import Book

LIBRARY = "/usr/lib/*/faketime/libfaketimeMT.so.1"
JUMPS = {"-1h": -3600, "+365d": 365 * 86_400, "+0": 0}
"""As faketime takes them, and in seconds."""
FIRST = ("-1h", "+365d", "+0", "-1h", "+0")
NEAR_SECONDS = 120
AHEAD = timedelta(days=360)


def play(
    folder: Path, *, rounds: int = 5, seed: int = 1, place: Databases | None = None
) -> Outcome:
    """Each round records, jumps, and records again; times of recording never fall."""
    trial = Trial(folder, "clock", seed, database=new_url(place))
    outcome = trial.outcome
    libraries = glob(LIBRARY)
    if not libraries:
        outcome.skipped = "faketime is missing (Debian's package faketime)"
        return outcome
    chance = random.Random(seed)
    offset = folder / "offset"
    _jump(offset, "+0")
    environment = {
        **os.environ,
        "LD_PRELOAD": libraries[0],
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    writer = Writer(trial, env=environment)
    try:
        for number in range(rounds):
            jump = FIRST[number] if number < len(FIRST) else chance.choice(list(JUMPS))
            if writer.record([f"before-{number}"]):
                outcome.wrong.append("nothing is recorded")
            _jump(offset, jump)
            if writer.record([f"after-{number}-{part}" for part in range(3)]):
                outcome.wrong.append(f"after the clock went {jump} nothing is recorded")
            if abs(writer.ahead - JUMPS[jump]) > NEAR_SECONDS:
                outcome.wrong.append(f"the writer's clock is {writer.ahead:.0f} s ahead at {jump}")
            else:
                outcome.played += 1
    finally:
        writer.close()
    times = times_of(trial.data)
    if times != sorted(times):
        outcome.wrong.append("a time of recording is earlier than the one before")
    went = datetime.fromisoformat(times[-1]) - datetime.fromisoformat(times[0])
    if rounds > 1 and went < AHEAD:
        outcome.wrong.append(f"the clock did not jump for the writer ({went})")
    return trial.check()


def _jump(offset: Path, jump: str) -> None:
    """Let the clock go; whoever reads the file meanwhile reads a whole line."""
    part = offset.with_suffix(".part")
    part.write_text(jump + "\n")
    part.replace(offset)


def times_of(data: Path) -> list[str]:
    """When each entry says that it was recorded."""
    book = Book.open(data)
    try:
        with book.store.read() as reader:
            entries = reader.entries(0, book.head().size)
    finally:
        book.close()
    return [str(json.loads(one)["recorded_at"]) for one in entries]
