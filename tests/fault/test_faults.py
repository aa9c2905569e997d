"""The short form of each fault that ``scripts/fault`` plays; the long forms run by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from faults import clock, disk, old_backup, server, steps, syscalls, unsynced
from faults.database import databases, missing
from faults.trial import Outcome
from postgresql_server import Databases

SHORT: dict[str, tuple[Callable[..., Outcome], dict[str, Any]]] = {
    "steps": (steps.play, {"rounds": 12}),
    "syscalls": (syscalls.play, {"rounds": 3}),
    "unsynced": (unsynced.play, {"rounds": 3, "batches": 4}),
    "file-limit": (disk.play_limit, {"rounds": 1}),
    "disk-full": (disk.play_full, {"rounds": 1}),
    "clock": (clock.play, {"rounds": 3}),
    "old-backup": (old_backup.play, {"rounds": 1}),
}
"""Those that need many services or long waits are played by ``scripts/fault`` only."""
ON_SERVER: dict[str, tuple[Callable[..., Outcome], dict[str, Any]]] = {
    "steps": (steps.play, {"rounds": 6}),
    "commit-cut": (server.play_cut, {"rounds": 1}),
    "each": (server.play_each, {"seconds": 0.5}),
}


@pytest.fixture(scope="module")
def place() -> Iterator[Databases]:
    """A server that syncs each commit, for all of these."""
    if reason := missing():
        pytest.skip(reason)
    with databases() as made:
        yield made


@pytest.mark.fault
@pytest.mark.sqlite("played on a server of its own below")
@pytest.mark.parametrize("name", SHORT)
def test_a_fault_loses_nothing(name: str, tmp_path: Path) -> None:
    play, options = SHORT[name]
    check(play(tmp_path, seed=20261128, **options))


@pytest.mark.fault
@pytest.mark.sqlite("a server of its own, whatever database the run is on")
@pytest.mark.parametrize("name", ON_SERVER)
def test_a_fault_of_a_server_loses_nothing(name: str, tmp_path: Path, place: Databases) -> None:
    play, options = ON_SERVER[name]
    check(play(tmp_path, seed=20261128, place=place, **options))


def check(outcome: Outcome) -> None:
    if outcome.skipped:
        pytest.skip(outcome.skipped)
    assert outcome.clean, outcome.say()
    assert outcome.played > 0
    assert outcome.answers > 0
