"""A primary that is killed under load: what was answered is there, once (docs/failover.md)."""

from __future__ import annotations

from pathlib import Path

import pytest
from faults.failover import play
from faults.patroni_cluster import missing


@pytest.mark.fault
@pytest.mark.slow
@pytest.mark.sqlite("a cluster of its own, whatever database the run is on")
@pytest.mark.skipif(missing() is not None, reason=f"failover is not tested without: {missing()}")
def test_a_killed_primary_loses_and_doubles_nothing(tmp_path: Path) -> None:
    done = play(tmp_path, rounds=1, clients=8, seed=2)
    assert done.clean, done.say()
    assert done.played == 1
    assert done.answers > 10
