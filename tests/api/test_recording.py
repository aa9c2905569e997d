"""POST /v1/entries: the answer, its receipt, keys, roles, approval, and all bad input."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from caller import Caller, gift, serving
from scribe import FIRST_GIFT

from api import dependencies
from ledger.records.kind import Role
from ledger.records.request import BODY_BYTES_MAX
from ledger.verify import verify_receipt

REFUND = {
    "kind": "donation.refunded",
    "occurred_on": "2022-01-10",
    "fields": {"gift": FIRST_GIFT, "reason": "重复付款"},
}


def test_a_record_is_answered_with_its_finished_receipt(service: Caller) -> None:
    size = service.book.head().size
    answer = service.post(gift(donor_name="示例捐赠人", order_number="A-1"))
    assert answer.status_code == 201
    value = answer.json()
    assert answer.headers["location"] == f"/v1/entries/{size}" == value["links"]["self"]
    assert answer.headers["cache-control"] == "private, no-store"
    assert (value["index"], value["size"], value["replayed"]) == (size, size + 1, False)
    verified = verify_receipt(value["receipt"].encode(), service.book.verifier_keys)
    assert verified.entry.index == size
    assert verified.leaf_hash.hex() == value["leaf_hash"]
    assert verified.entry.recorded_by == "clerk-1"
    assert verified.values == {"donor_name": "示例捐赠人", "order_number": "A-1"}


def test_the_same_key_and_content_give_the_same_receipt(service: Caller) -> None:
    first = service.post(gift(donor_name="甲"), key="same")
    service.record(gift())
    again = service.post(gift(donor_name="甲"), key="same")
    assert again.status_code == 200
    assert again.json() == {**first.json(), "replayed": True}
    assert again.headers["location"] == first.headers["location"]


def test_the_same_key_with_other_content_is_a_conflict(service: Caller) -> None:
    service.record(gift(), key="same")
    size = service.book.head().size
    service.problem(service.post(gift(10_001), key="same"), 409, "idempotency_conflict")
    assert service.book.head().size == size


def test_colliding_keys_are_recorded_once(service: Caller) -> None:
    size = service.book.head().size
    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda n: service.post(gift(), key=f"k{n % 5}"), range(60)))
    assert sorted({one.json()["index"] for one in answers}) == list(range(size, size + 5))
    assert sum(one.status_code == 201 for one in answers) == 5
    for n, one in enumerate(answers):
        assert one.json()["receipt"] == answers[n % 5].json()["receipt"]


@pytest.mark.parametrize(
    ("key", "code"),
    [
        (None, "idempotency_key_missing"),
        ("has space", "invalid_key"),
        ("k" * 201, "invalid_key"),
        ("", "invalid_key"),
    ],
)
def test_a_bad_key_is_refused(untouched: Caller, key: str | None, code: str) -> None:
    headers = {} if key is None else {"Idempotency-Key": key}
    answer = untouched.post(gift(), key=None, headers=headers)
    assert untouched.problem(answer, 400, code)["errors"][0]["field"] == "Idempotency-Key"


def test_without_a_token_nothing_is_recorded(untouched: Caller) -> None:
    size = untouched.book.head().size
    answer = untouched.post(gift(), role=None)
    untouched.problem(answer, 401, "no_token")
    assert answer.headers["www-authenticate"] == 'Bearer realm="shanji"'
    for value in ("Bearer wrong", "Basic abc", "Bearer ", "Bearer \u00e9\u00e8"):
        headers = {"Authorization": value.encode("latin-1")}
        answer = untouched.post(gift(), role=None, headers=headers)
        untouched.problem(answer, 401, "unknown_token")
    assert untouched.book.head().size == size


@pytest.mark.parametrize("role", sorted(set(Role) - {Role.CLERK}))
def test_a_role_records_only_its_kinds(untouched: Caller, role: Role) -> None:
    untouched.problem(untouched.post(gift(), role=role), 403, "recorder_role")


def test_a_kind_that_needs_approval_takes_two_people(service: Caller) -> None:
    service.problem(service.post(REFUND), 422, "approval_required")
    service.problem(service.post(REFUND, approval=Role.AUDITOR), 403, "approver_role")
    headers = {"Approval": "Bearer nobody"}
    service.problem(service.post(REFUND, headers=headers), 401, "unknown_token")
    value = service.record(REFUND, approval=Role.APPROVER)
    entry = service.value(f"/v1/entries/{value['index']}")["entry"]
    assert (entry["recorded_by"], entry["approved_by"]) == ("clerk-1", "approver-1")


def test_an_approval_where_none_is_needed_is_refused(untouched: Caller) -> None:
    answer = untouched.post(gift(), approval=Role.APPROVER)
    untouched.problem(answer, 422, "approval_not_needed")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "malformed_json"),
        (b"{", 400, "malformed_json"),
        (b"\xff\xfe{}", 400, "malformed_json"),
        (b'{"kind": NaN}', 400, "malformed_json"),
        (b"[" * 100_000, 400, "malformed_json"),
        (b'{"kind": "donation.money", "kind": "donation.money"}', 400, "duplicate_key"),
        (b'{"fields": {"a": 1, "a": 2}}', 400, "duplicate_key"),
        (b"[]", 422, "invalid_record"),
        (b"{}", 422, "unknown_kind"),
        (b'{"kind": "donation.magic"}', 422, "unknown_kind"),
        (b'{"kind": "log.opened"}', 422, "unknown_kind"),
        (b'{"kind": 7}', 422, "unknown_kind"),
    ],
)
def test_what_is_no_record_is_refused(
    untouched: Caller, body: bytes, status: int, code: str
) -> None:
    untouched.problem(untouched.post(body), status, code)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"fields": {"amount_fen": 100.5}}, "fields.amount_fen"),
        ({"fields": {"amount_fen": 100.0}}, "fields.amount_fen"),
        ({"fields": {"amount_fen": "100"}}, "fields.amount_fen"),
        ({"fields": {"amount_fen": -1}}, "fields.amount_fen"),
        ({"fields": {"amount_fen": 0}}, "fields.amount_fen"),
        ({"fields": {"amount_fen": 10**13 + 1}}, "fields.amount_fen"),
        ({"fields": {"amount_fen": 10**400}}, "fields.amount_fen"),
        ({"fields": {"amount_fen": True}}, "fields.amount_fen"),
        ({"fields": {"amount_fen": None}}, "fields.amount_fen"),
        ({"fields": {"fund": "No Such Code"}}, "fields.fund"),
        ({"fields": {"extra": 1}}, "fields.extra"),
        ({"extra": 1}, "extra"),
        ({"occurred_on": "2022-02-30"}, "occurred_on"),
        ({"occurred_on": "10.1.2022"}, "occurred_on"),
        ({"sealed": {"donor_nmae": "x"}}, "sealed.donor_nmae"),
        ({"sealed": {"donor_name": "a\u0000b"}}, "sealed.donor_name"),
        ({"documents": ["abc"]}, "documents.0"),
    ],
)
def test_each_wrong_field_is_named(untouched: Caller, change: dict[str, Any], field: str) -> None:
    body = gift()
    for name, value in change.items():
        body[name] = {**body.get(name, {}), **value} if isinstance(value, dict) else value
    size = untouched.book.head().size
    problem = untouched.problem(untouched.post(body), 422, "invalid_record")
    assert [one["field"] for one in problem["errors"]] == [field]
    assert untouched.book.head().size == size


def test_all_wrong_fields_are_told_at_once(untouched: Caller) -> None:
    body = gift(-5)
    body["occurred_on"] = "yesterday"
    body["fields"]["colour"] = "red"
    problem = untouched.problem(untouched.post(body), 422, "invalid_record")
    fields = {one["field"] for one in problem["errors"]}
    assert fields == {"occurred_on", "fields.amount_fen", "fields.colour"}


def test_a_rule_that_is_broken_is_told_by_its_code(service: Caller) -> None:
    body = gift()
    body["fields"]["fund"] = "nowhere"
    problem = service.problem(service.post(body), 422, "unknown_fund")
    assert problem["errors"][0]["field"] == "fields.fund"
    service.record(gift(order_number="TWICE"))
    problem = service.problem(
        service.post(gift(order_number="TWICE")), 409, "order_number_recorded"
    )
    assert problem["details"]["entry"] == service.book.head().size - 1


def test_more_than_is_there_cannot_be_spent(untouched: Caller) -> None:
    body = {**REFUND, "fields": {**REFUND["fields"], "amount_fen": 100_001}}  # type: ignore[dict-item]
    answer = untouched.post(body, approval=Role.APPROVER)
    problem = untouched.problem(answer, 409, "gift_units_spent")
    assert problem["details"]["available"] == 100_000


def test_a_body_that_is_too_large_is_refused(untouched: Caller) -> None:
    body = json.dumps(gift(message="长" * BODY_BYTES_MAX)).encode()
    problem = untouched.problem(untouched.post(body), 413, "body_too_large")
    assert problem["details"]["bytes_max"] == BODY_BYTES_MAX


def test_a_body_without_a_length_is_counted_while_it_comes(untouched: Caller) -> None:
    sent = []

    async def endless() -> Any:
        while True:
            sent.append(1)
            yield b" " * 4096

    untouched.problem(untouched.post(None, content=endless(), json=None), 413, "body_too_large")
    assert len(sent) <= BODY_BYTES_MAX // 4096 + 2


def test_a_body_that_does_not_come_is_not_waited_for(
    untouched: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dependencies, "BODY_SECONDS_MAX", 0.01)

    async def stuck() -> Any:
        yield b"{"
        await asyncio.Event().wait()

    untouched.problem(untouched.post(None, content=stuck(), json=None), 408, "body_too_slow")


def test_a_full_queue_is_told_and_nothing_is_lost(folder: Path) -> None:
    with serving(folder, queue_max=2) as service, ThreadPoolExecutor(8) as threads:
        size = service.book.head().size
        refused: httpx.Response | None = None
        started: list[Future[httpx.Response]] = []
        # While the write lock is held, records wait: one batch, then the queue.
        with service.book.store.append():
            while refused is None:
                assert len(started) < 8
                last = len(started) == 7
                started.append(threads.submit(service.post, gift(), key=f"k{len(started)}"))
                # One of them must be refused, however slow the machine is.
                done, _ = wait(started, 60 if last else 0.5, return_when=FIRST_COMPLETED)
                refused = next((one.result() for one in done), None)
        service.problem(refused, 429, "queue_full")
        assert refused.headers["retry-after"] == "1"
        answers = [one.result() for one in started]
        recorded = [one.json()["index"] for one in answers if one.status_code == 201]
        # Where a refusal is slow to come, more than one is on its way.
        for one in answers:
            if one.status_code != 201:
                service.problem(one, 429, "queue_full")
        assert sorted(recorded) == list(range(size, size + len(recorded)))
        assert service.book.head().size == size + len(recorded)


def test_a_stopping_service_takes_no_record(service: Caller) -> None:
    service.book.sequencer.close()
    answer = service.post(gift())
    service.problem(answer, 503, "not_ready")
    assert answer.headers["retry-after"] == "1"


def test_a_client_that_goes_away_changes_nothing(service: Caller) -> None:
    """The task that waits for the receipt is cancelled; the record is recorded."""
    size = service.book.head().size

    async def leave() -> None:
        headers = {
            "Authorization": f"Bearer {service.tokens[Role.CLERK]}",
            "Idempotency-Key": "gone",
        }
        with anyio.fail_after(60):
            async with anyio.create_task_group() as tasks:
                more = {"json": gift()}
                tasks.start_soon(service._call, "POST", "/v1/entries", headers, more)
                # The writer has it, and waits for the lock.
                while service.book.sequencer._busy_since is None:
                    await anyio.sleep(0.01)
                tasks.cancel_scope.cancel()

    with service.book.store.append():
        service.portal.call(leave)
    again = service.post(gift(), key="gone")
    assert again.status_code == 200
    assert again.json()["index"] == size
    assert service.book.head().size == size + 1
