"""A service over a log that is behind what was seen of it: it reads, and writes nothing."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import pytest
from caller import Caller, gift, serving

from ledger.backup.making import make_backup
from ledger.backup.restoring import restore_backup
from ledger.records.kind import Role


def test_it_reads_and_refuses_to_write(
    service: Caller, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    size = service.book.head().size
    made, _ = make_backup(service.folder, tmp_path / "backups", with_keys=True)
    service.record(gift(5))
    restored = tmp_path / "restored"
    restore_backup(made, restored, newer=[service.folder], nothing_newer=True)
    shutil.copyfile(service.folder / "tokens.json", restored / "tokens.json")
    with caplog.at_level(logging.ERROR), serving(restored) as other:
        other.tokens = service.tokens
        assert "served to read only" in caplog.text
        assert other.value("/v1/log")["size"] == size
        for answer in (other.post(gift(6)), other.get("/readyz")):
            problem = other.problem(answer, 503, "behind_known_checkpoint")
            assert "a second history would be signed" in problem["detail"]
        assert other.get("/", headers={"Accept-Language": "en"}).status_code == 200
        assert other.book.head().size == size
    assert service.record(gift(7), role=Role.CLERK)["index"] == size + 1
