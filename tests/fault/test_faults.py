"""The short form of each fault that ``scripts/fault`` plays; the long forms run by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from faults import clock, disk, old_backup, steps, syscalls, unsynced
from faults.trial import Outcome

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

OF_A_FILE = ("syscalls", "unsynced", "file-limit", "disk-full")


def _marked(name: str) -> Any:
    """A fault of the disk is one of SQLite's file: a server's disk is under the server."""
    marks = [pytest.mark.sqlite("faults of the disk under its file")] if name in OF_A_FILE else []
    return pytest.param(name, marks=marks)


@pytest.mark.fault
@pytest.mark.parametrize("name", map(_marked, SHORT))
def test_a_fault_loses_nothing(name: str, tmp_path: Path) -> None:
    play, options = SHORT[name]
    outcome = play(tmp_path, seed=20261128, **options)
    if outcome.skipped:
        pytest.skip(outcome.skipped)
    assert outcome.clean, outcome.say()
    assert outcome.played > 0
    assert outcome.answers > 0
