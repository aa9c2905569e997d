"""POST /v1/entries/bulk: many lines, each with its own answer, in order."""

from __future__ import annotations

import json
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import httpx
import pytest
from caller import Caller, check_problem, gift, serving
from scribe import FIRST_GIFT

from api.routes import bulk
from api.routes.bulk import BULK_AT_ONCE_MAX, BulkLine
from ledger.errors import QueueFullError
from ledger.records.kind import Role
from ledger.records.request import BODY_BYTES_MAX
from ledger.verify import verify_receipt


def lines(*bodies: Any) -> bytes:
    """Bodies as NDJSON; bytes go in as they are."""
    return b"\n".join(one if isinstance(one, bytes) else json.dumps(one).encode() for one in bodies)


def keyed(number: int, amount_fen: int = 100) -> dict[str, Any]:
    return {**gift(amount_fen), "idempotency_key": f"line-{number}"}


def post_bulk(service: Caller, content: bytes) -> httpx.Response:
    return service.call("POST", "/v1/entries/bulk", role=Role.CLERK, content=content)


def test_lines_are_answered_in_order_with_receipts(service: Caller) -> None:
    size = service.book.head().size
    answers = service.bulk(lines(*(keyed(number, number + 1) for number in range(7))))
    assert [one["line"] for one in answers] == list(range(1, 8))
    assert [one["index"] for one in answers] == list(range(size, size + 7))
    for number, one in enumerate(answers):
        BulkLine.model_validate(one)
        verified = verify_receipt(one["receipt"].encode(), service.book.verifier_keys)
        assert verified.leaf_hash.hex() == one["leaf_hash"]
        assert verified.entry.fields["amount_fen"] == number + 1
        assert one["replayed"] is False


def test_a_wrong_line_fails_alone(service: Caller) -> None:
    size = service.book.head().size
    answers = service.bulk(
        lines(
            keyed(1),
            b"",
            b"{broken",
            b'{"kind": 1, "kind": 2}',
            {**keyed(5), "extra": 1},
            gift(),
            {**gift(), "idempotency_key": 7},
            b"   ",
            {**keyed(9), "fields": {"fund": "nowhere", "amount_fen": 1, "channel": "bank"}},
            keyed(1),
            keyed(1, 101),
            {"kind": "fund.opened", "idempotency_key": "x", "fields": {}},
            b'{"pad": "' + b"x" * BODY_BYTES_MAX + b'"}',
            b"[1]",
            keyed(15),
        )
    )
    told = {one["line"]: one.get("problem", {}).get("code", one.get("index")) for one in answers}
    assert told == {
        1: size,
        3: "malformed_json",
        4: "duplicate_key",
        5: "invalid_record",
        6: "idempotency_key_missing",
        7: "idempotency_key_missing",
        9: "unknown_fund",
        10: size,
        11: "idempotency_conflict",
        12: "recorder_role",
        13: "body_too_large",
        14: "idempotency_key_missing",
        15: size + 1,
    }
    for one in answers:
        if "problem" in one:
            check_problem(one["problem"], one["problem"]["status"])
            assert one["problem"]["instance"] == f"/v1/entries/bulk#{one['line']}"
    assert answers[7]["replayed"] is True
    assert service.book.head().size == size + 2


def test_the_header_gives_keys_by_line_number(service: Caller) -> None:
    first = service.bulk(lines(gift(1), b"", gift(2)), key="file-7")
    again = service.bulk(lines(gift(1), b"", gift(2)), key="file-7")
    assert [one["replayed"] for one in again] == [True, True]
    assert [{**one, "replayed": False} for one in again] == first
    single = service.post(gift(2), key="file-7/3")
    assert single.status_code == 200
    assert single.json()["index"] == first[1]["index"]


def test_an_approval_counts_for_the_lines_that_need_it(service: Caller) -> None:
    refund = {
        "kind": "donation.refunded",
        "occurred_on": "2022-01-10",
        "fields": {"gift": FIRST_GIFT, "reason": "重复付款"},
        "idempotency_key": "refund",
    }
    answers = service.bulk(lines(keyed(1), refund), approval=Role.APPROVER)
    entries = [service.value(f"/v1/entries/{one['index']}")["entry"] for one in answers]
    assert "approved_by" not in entries[0]
    assert entries[1]["approved_by"] == "approver-1"


def test_an_empty_request_has_an_empty_answer(service: Caller) -> None:
    assert service.bulk(b"") == []
    assert service.bulk(b"\n \n") == []


def test_many_slices_keep_their_order(service: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "SLICE_LINES_MAX", 7)
    size = service.book.head().size
    answers = service.bulk(lines(*(keyed(number) for number in range(100))))
    assert [one["index"] for one in answers] == list(range(size, size + 100))
    metrics = service.get("/metrics").text
    assert 'shanji_bulk_lines_total{outcome="recorded"} 100' in metrics


def test_a_small_queue_slows_a_request_down_and_does_not_break_it(folder: Path) -> None:
    with serving(folder, queue_max=5) as service:
        size = service.book.head().size
        answers = service.bulk(lines(*(keyed(number) for number in range(60))))
        assert [one["index"] for one in answers] == list(range(size, size + 60))


def test_a_slice_that_finds_the_queue_full_waits(
    service: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "SLICE_LINES_MAX", 2)
    queue = bulk._queue
    calls = []

    def full_at_first(book: Any, some: Any) -> Any:
        calls.append(len(some))
        if len(calls) in (2, 3, 5):
            raise QueueFullError("full")
        return queue(book, some)

    monkeypatch.setattr(bulk, "_queue", full_at_first)
    size = service.book.head().size
    answers = service.bulk(lines(*(keyed(number) for number in range(5))))
    assert [one["index"] for one in answers] == list(range(size, size + 5))
    assert calls == [2, 2, 2, 2, 1, 1, 0]


def test_a_full_queue_refuses_the_whole_request(folder: Path) -> None:
    with serving(folder, queue_max=1) as service, ThreadPoolExecutor(4) as threads:
        size = service.book.head().size
        refused: httpx.Response | None = None
        started: list[Future[httpx.Response]] = []
        with service.book.store.append():
            while refused is None:
                assert len(started) < 4
                last = len(started) == 3
                content = lines(keyed(2 * len(started)), keyed(2 * len(started) + 1))
                started.append(threads.submit(post_bulk, service, content))
                # One of them must be refused, however slow the machine is.
                done, _ = wait(started, 60 if last else 0.5, return_when=FIRST_COMPLETED)
                refused = next((one.result() for one in done), None)
        service.problem(refused, 429, "queue_full")
        taken = [one.result() for one in started if one.result().status_code == 200]
        answers = [json.loads(line) for one in taken for line in one.content.splitlines()]
        assert sorted(one["index"] for one in answers) == list(range(size, size + len(answers)))
        assert service.book.head().size == size + 2 * len(taken)
        assert service.app.state.bulk_running == 0


def test_too_many_lines_and_bytes_are_refused(
    service: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = service.book.head().size
    monkeypatch.setattr(bulk, "BULK_LINES_MAX", 5)
    content = lines(*(keyed(number) for number in range(6)))
    answer = post_bulk(service, content)
    service.problem(answer, 413, "too_many_lines")
    monkeypatch.setattr(bulk, "BULK_BYTES_MAX", 100)
    answer = post_bulk(service, content)
    service.problem(answer, 413, "body_too_large")
    assert service.book.head().size == size
    assert service.app.state.bulk_running == 0


def test_only_some_bulk_requests_are_taken_at_once(service: Caller) -> None:
    service.app.state.bulk_running = BULK_AT_ONCE_MAX
    answer = post_bulk(service, lines(keyed(1)))
    service.problem(answer, 429, "queue_full")
    service.app.state.bulk_running = BULK_AT_ONCE_MAX - 1
    assert len(service.bulk(lines(keyed(1)))) == 1
    assert service.app.state.bulk_running == BULK_AT_ONCE_MAX - 1


def test_a_token_is_needed(service: Caller) -> None:
    answer = service.call("POST", "/v1/entries/bulk", content=lines(keyed(1)))
    service.problem(answer, 401, "no_token")


def test_a_service_that_stops_half_way_says_so_for_each_line_left(
    service: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "SLICE_LINES_MAX", 5)
    queue = bulk._queue
    calls = []

    def stop_after_the_first(book: Any, some: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            book.sequencer.close()
        return queue(book, some)

    monkeypatch.setattr(bulk, "_queue", stop_after_the_first)
    size = service.book.head().size
    answers = service.bulk(lines(*(keyed(number) for number in range(12))))
    assert [one.get("index") for one in answers[:5]] == list(range(size, size + 5))
    assert {one["problem"]["code"] for one in answers[5:]} == {"not_ready"}
    assert [one["line"] for one in answers] == list(range(1, 13))
