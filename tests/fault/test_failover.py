"""A primary that is killed under load: what was answered is there, once (docs/failover.md)."""

from __future__ import annotations

from pathlib import Path

import pytest
from failover import play
from patroni_cluster import missing


@pytest.mark.fault
@pytest.mark.slow
@pytest.mark.skipif(missing() is not None, reason=f"failover is not tested without: {missing()}")
def test_a_killed_primary_loses_and_doubles_nothing(tmp_path: Path) -> None:
    done = play(tmp_path, rounds=1, clients=8, seed=2)
    assert len(done.killed) == 1
    assert done.outcome.distinct > 10
    # It said that it takes nothing, instead of hanging or answering what does not hold.
    assert done.not_ready
    assert done.outcome.clean, done.outcome
