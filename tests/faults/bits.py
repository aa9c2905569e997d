"""A flipped bit in each kind of stored row: the service finds it itself, and never serves it."""

from __future__ import annotations

import random
import shutil
import time
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from faults.database import new_url
from faults.trial import Outcome, Trial
from faults.writer import Writer
from postgresql_server import Databases
from service import Service
from tamper import REFUSED, Tamper

from ledger.store.place import place_of, write_url
from ledger.store.tables import TABLES

FIND_SECONDS_MAX = 90
ENTRIES = 270
FLIPS_MAX = 100
FAST = {"SHANJI_INSPECTION_ROWS_PER_SECOND": "1000000", "SHANJI_INSPECTION_AUDIT_SECONDS": "1"}
PATHS = ("/checkpoint", "/tile/0/000", "/tile/1/000.p/1", "/tile/entries/000", "/v1/entries/40")


def kinds(data: Path) -> list[tuple[str, str]]:
    """Each table that has rows, with each column that is not part of its key."""
    with closing(Tamper(data)) as tamper:
        return [
            (name, column.name)
            for name, table in TABLES.items()
            if tamper.rows(name)
            for column in table.columns
            if not column.primary_key and column.name != "last_recorded_at"
        ]


def play(
    folder: Path, *, rounds: int = 0, seed: int = 1, place: Databases | None = None
) -> Outcome:
    """One bit in one row of each kind; `rounds` takes that many kinds by chance, 0 all."""
    trial = Trial(folder, "bits", seed, database=new_url(place))
    chance = random.Random(seed)
    writer = Writer(trial)
    writer.record([f"b{number:03d}" for number in range(ENTRIES)])
    writer.close()
    every = kinds(trial.data)
    if rounds:
        every = chance.sample(every, min(rounds, len(every)))
    good = served(trial.data)
    for table, column in every:
        copy = folder / "damaged"
        copy_log(trial.data, copy, place)
        service = Service(copy, environment=FAST)
        try:
            service.wait_ready()
            flip(copy, table, column, chance)
            found = wait_found(service)
            trial.outcome.played += 1
            if not found:
                trial.outcome.wrong.append(f"{table}.{column}: not found")
            for path, body in ask(service).items():
                if body not in (b"", good[path]):
                    trial.outcome.wrong.append(f"{table}.{column}: {path} served as good")
        finally:
            service.kill()
            shutil.rmtree(copy)
    return trial.check()


def copy_log(data: Path, copy: Path, place: Databases | None) -> None:
    """A copy of a data folder, with a copy of its database where that is on a server."""
    shutil.copytree(data, copy)
    if place is not None:
        name = urlsplit(place_of(data)).path.removeprefix("/")
        write_url(copy, place.server.url(place.new(name)))


def flip(data: Path, table: str, column: str, chance: random.Random) -> None:
    """Change one bit of one column of one row, behind the service's back.

    The database refuses what would be there twice, or is no text: then it is another bit.
    """
    with closing(Tamper(data)) as tamper:
        rows = tamper.rows(table)
        place = [one.name for one in TABLES[table].columns].index(column)
        for _ in range(FLIPS_MAX):
            row = chance.choice(rows)
            try:
                tamper.change(table, tamper.key(table, row), column, flipped(row[place], chance))
            except REFUSED:
                continue
            return
    raise RuntimeError(f"no bit of {table}.{column} can be flipped in {FLIPS_MAX} tries")


def flipped(value: Any, chance: random.Random) -> Any:
    """The value with one bit changed."""
    if isinstance(value, int):
        return value ^ (1 << chance.randrange(12))
    raw = value.encode() if isinstance(value, str) else value
    place = chance.randrange(len(raw)) if raw else 0
    changed = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :] if raw else b"\1"
    return changed.decode("utf-8", "replace") if isinstance(value, str) else changed


def wait_found(service: Service) -> bool:
    """Whether the service says of itself that something is damaged."""
    end = time.monotonic() + FIND_SECONDS_MAX
    while time.monotonic() < end:
        answer = httpx.get(f"{service.url}/readyz", timeout=30)
        if answer.status_code == 503 and answer.json()["code"] == "damaged":
            return True
        if answer.status_code == 500 and (service.data / "damaged.txt").exists():
            return True
        time.sleep(0.1)
    return False


def ask(service: Service) -> dict[str, bytes]:
    """What anybody is given; empty where it is refused."""
    answers = {path: httpx.get(f"{service.url}{path}", timeout=30) for path in PATHS}
    return {path: one.content if one.status_code == 200 else b"" for path, one in answers.items()}


def served(data: Path) -> dict[str, bytes]:
    """What a good log gives."""
    service = Service(data)
    try:
        service.wait_ready()
        return ask(service)
    finally:
        service.kill()
