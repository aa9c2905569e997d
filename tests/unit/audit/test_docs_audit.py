"""The example of the documentation runs: the hashing part on a Dask cluster."""

from __future__ import annotations

import gc
import re
import warnings
from pathlib import Path
from typing import Any

import pytest
from served import write_served

from ledger.audit.public import audit_public
from ledger.audit.source import FolderSource
from ledger.book import Book


@pytest.fixture
def example(repository: Path) -> dict[str, Any]:
    """What the page's code defines."""
    page = (repository / "docs" / "audit-at-size.md").read_text("utf-8")
    match = re.search(r"```python dask\n(.*?)```", page, re.DOTALL)
    assert match is not None
    names: dict[str, Any] = {}
    with warnings.catch_warnings():
        # What the cluster's packages warn of on import is not about the example.
        warnings.simplefilter("ignore")
        exec(compile(match[1], "audit-at-size.md", "exec"), names)
    return names


def test_the_example_runs_on_a_cluster(
    long_book: Book, tmp_path: Path, example: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.audit.public.CHUNK_ENTRIES", 256)
    folder = write_served(long_book, tmp_path / "served")
    keys = long_book.verifier_keys
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from distributed import LocalCluster

        cluster = LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=False,
            dashboard_address=None,
        )
        with cluster:
            report = example["audit_on_cluster"](
                cluster.scheduler_address, str(folder), keys, workers=2
            )
        # What the cluster leaves to the collector warns here, not in somebody else's test.
        gc.collect()
    expected = audit_public(FolderSource(folder), keys=keys)
    assert report.clean, report.findings
    assert (report.root, report.sums, report.kinds) == (
        expected.root,
        expected.sums,
        expected.kinds,
    )
    assert report.checked == expected.checked
