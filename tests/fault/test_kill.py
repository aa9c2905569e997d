"""The short form of `kill`: a few rounds, in every run."""

from __future__ import annotations

from pathlib import Path

import pytest
from faults.kill import play


@pytest.mark.fault
def test_nothing_answered_is_lost_when_the_service_is_killed(tmp_path: Path) -> None:
    outcome = play(tmp_path, rounds=3, clients=50, seed=20261123, keys=300)
    assert outcome.clean, outcome.say()
    assert outcome.answers > outcome.replayed > 0
