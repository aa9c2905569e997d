"""Alive, ready, and how it does."""

from __future__ import annotations

import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from caller import Caller, gift

from api.metrics import MEDIA_TYPE
from api.routes.health import LOOKERS_MAX
from ledger.errors import NotReadyError
from ledger.store import Appender


def test_it_lives_and_is_ready(untouched: Caller) -> None:
    assert untouched.value("/livez") == {"status": "ok"}
    size = untouched.book.head().size
    assert untouched.value("/readyz") == {"status": "ok", "size": size}


def test_it_is_not_ready_when_the_writer_has_stopped(service: Caller) -> None:
    service.book.sequencer.close()
    service.problem(service.get("/readyz"), 503, "not_ready")
    assert service.get("/livez").status_code == 200


def test_it_is_not_ready_when_the_disk_is_full(
    untouched: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(untouched.folder)._replace(free=1000)
    monkeypatch.setattr("api.routes.health.shutil.disk_usage", lambda _: usage)
    problem = untouched.problem(untouched.get("/readyz"), 503, "not_ready")
    assert "1000 bytes" in problem["detail"]


def test_it_is_not_ready_when_the_folder_cannot_be_written(
    untouched: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.routes.health.os.access", lambda *_: False)
    untouched.problem(untouched.get("/readyz"), 503, "not_ready")


def test_it_is_not_ready_when_the_last_batch_failed(
    service: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> Any:
        raise NotReadyError("another process is writing")

    with monkeypatch.context() as broken:
        broken.setattr(service.book.store, "append", fail)
        service.problem(service.post(gift()), 503, "not_ready")
        service.problem(service.get("/readyz"), 503, "not_ready")
    service.record(gift())
    assert service.get("/readyz").status_code == 200


def test_it_is_not_ready_while_a_commit_hangs(
    service: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = Event(), Event()
    commit = Appender.commit

    def hang(appender: Appender) -> None:
        begun.set()
        assert go_on.wait(60)
        commit(appender)

    monkeypatch.setattr("ledger.sequencer.BATCH_SECONDS_MAX", 0.0)
    with monkeypatch.context() as broken, ThreadPoolExecutor(1) as threads:
        broken.setattr(Appender, "commit", hang)
        recording = threads.submit(service.post, gift())
        assert begun.wait(60)
        problem = service.problem(service.get("/readyz"), 503, "commit_hangs")
        assert "look at its server" in problem["detail"]
        go_on.set()
        assert recording.result(60).status_code == 201
    monkeypatch.undo()
    assert service.get("/readyz").status_code == 200


def test_it_is_not_ready_when_the_database_does_not_answer(
    service: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = Event()
    monkeypatch.setattr("api.routes.health.READY_SECONDS_MAX", 0.01)
    with monkeypatch.context() as broken:
        broken.setattr(service.book, "head", lambda: go_on.wait(60))
        # More than there are threads for it: each answers all the same.
        for _ in range(LOOKERS_MAX + 1):
            service.problem(service.get("/readyz"), 503, "database_slow")
        go_on.set()


def test_the_counters_count(service: Caller) -> None:
    service.record(gift(), key="a")
    service.post(gift(), key="a")
    service.post(gift(), key="b", role=None)
    body = gift()
    body["fields"]["fund"] = "nowhere"
    service.post(body, key="c")
    answer = service.get("/metrics")
    assert answer.headers["content-type"] == MEDIA_TYPE
    found = dict(
        line.rsplit(" ", 1) for line in answer.text.splitlines() if not line.startswith("#")
    )
    assert found['shanji_requests_total{method="POST",status="201"}'] == "1"
    assert found['shanji_requests_total{method="POST",status="200"}'] == "1"
    assert found['shanji_requests_total{method="POST",status="401"}'] == "1"
    assert found['shanji_requests_total{method="POST",status="422"}'] == "1"
    assert found["shanji_entries_total"] == "1"
    assert found["shanji_replayed_total"] == "1"
    assert found["shanji_rejected_total"] == "1"
    assert found["shanji_queue_length"] == "0"
    assert found["shanji_log_size"] == str(service.book.head().size)
    assert 0 <= float(found["shanji_checkpoint_age_seconds"]) < 600


def test_the_counters_are_in_the_text_form(untouched: Caller) -> None:
    names = []
    for line in untouched.get("/metrics").text.splitlines():
        if line.startswith("# "):
            assert re.fullmatch(r"# (HELP \w+ .+|TYPE \w+ (counter|gauge))", line)
        else:
            match = re.fullmatch(r'(\w+)(?:\{\w+="[^"]*"(?:,\w+="[^"]*")*\})? [0-9.e+-]+', line)
            assert match, line
            names.append(match[1])
    assert all(name.startswith("shanji_") for name in names)


def test_the_page_for_operators_says_what_each_counter_means(
    untouched: Caller, repository: Path
) -> None:
    served = re.findall(r"^# TYPE (\w+)", untouched.get("/metrics").text, re.M)
    page = (repository / "docs" / "operations.md").read_text("utf-8")
    rows = re.findall(r"^\| (`shanji_.+?) \|", page, re.M)
    assert sorted(re.findall(r"shanji_\w+", " ".join(rows))) == sorted(served)
