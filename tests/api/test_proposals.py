"""Proposals: two people apart in time, and everything that can go wrong between them."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import httpx
import pytest
from caller import Caller
from scribe import FIRST_GIFT, audited
from tamper import REFUSED, Tamper

from api.auth import create_token
from api.openapi import RECORDABLE
from ledger import proposals
from ledger.audit.replay import audit
from ledger.errors import LedgerError, OutcomeUnknownError, RejectedError
from ledger.proposals import CLAIM_SECONDS_MAX, DAYS_MAX, number_row, recorded_key
from ledger.recorded import Recorded
from ledger.records.kind import Role
from ledger.verify import verify_receipt

ACCOUNT = "金丝雀账户 7f3a"
KEYS = count(1)


def refund(amount_fen: int = 40_000) -> dict[str, Any]:
    return {
        "kind": "donation.refunded",
        "occurred_on": "2022-01-10",
        "fields": {"gift": FIRST_GIFT, "amount_fen": amount_fen, "reason": "重复付款"},
        "sealed": {"account": ACCOUNT},
    }


def propose(service: Caller, body: Any = None, *, key: str = "", **more: Any) -> httpx.Response:
    more.setdefault("role", Role.CLERK)
    key = key or f"proposal-{next(KEYS)}"
    return service.call("POST", "/v1/proposals", key=key, json=body or refund(), **more)


def proposed(service: Caller, body: Any = None) -> int:
    answer = propose(service, body)
    assert answer.status_code == 201, answer.text
    return int(answer.json()["id"])


def approve(service: Caller, number: int, role: Role = Role.APPROVER) -> httpx.Response:
    return service.call("POST", f"/v1/proposals/{number}/approve", role=role)


def reject(
    service: Caller, number: int, reason: Any = "发票不符", role: Role = Role.APPROVER
) -> httpx.Response:
    body = {"reason": reason}
    return service.call("POST", f"/v1/proposals/{number}/reject", role=role, json=body)


def read(service: Caller, number: int, role: Role = Role.CLERK) -> Any:
    return service.value(f"/v1/proposals/{number}", role=role)


def later(service: Caller, **span: int) -> None:
    """Set the service's clock forward."""
    service.book._clock = lambda: datetime.now(UTC) + timedelta(**span)


def test_an_approval_records_both_persons(service: Caller) -> None:
    size = service.book.head().size
    answer = propose(service)
    value = answer.json()
    assert (value["id"], value["status"], value["proposed_by"]) == (1, "open", "clerk-1")
    assert answer.headers["location"] == "/v1/proposals/1" == value["links"]["self"]
    assert answer.headers["cache-control"] == "private, no-store"
    assert service.book.head().size == size
    approval = approve(service, 1)
    assert approval.status_code == 201
    recorded = approval.json()
    assert (recorded["index"], recorded["replayed"]) == (size, False)
    verified = verify_receipt(recorded["receipt"].encode(), service.book.verifier_keys)
    entry = verified.entry
    assert (entry.recorded_by, entry.approved_by) == ("clerk-1", "approver-1")
    assert verified.values == {"account": ACCOUNT}
    decided = read(service, 1)
    assert (decided["status"], decided["entry"]) == ("approved", size)
    assert decided["decided_by"] == "approver-1"


def test_approving_again_gives_the_same_receipt_to_anybody_who_may(service: Caller) -> None:
    number = proposed(service)
    first = approve(service, number)
    service.tokens[Role.APPROVER] = create_token(service.folder, "approver-2", Role.APPROVER)
    again = approve(service, number)
    assert again.status_code == 200
    assert again.json() == {**first.json(), "replayed": True}
    service.problem(approve(service, number, Role.AUDITOR), 403, "approver_role")


def test_nobody_approves_their_own(service: Caller) -> None:
    service.tokens[Role.APPROVER] = create_token(service.folder, "clerk-1", Role.APPROVER)
    number = proposed(service)
    service.problem(approve(service, number), 422, "approved_by_recorder")
    assert read(service, number)["status"] == "open"


@pytest.mark.parametrize("role", sorted(set(Role) - {Role.APPROVER}))
def test_only_the_kinds_roles_approve_or_reject(service: Caller, role: Role) -> None:
    number = proposed(service)
    service.problem(approve(service, number, role), 403, "approver_role")
    if role is not Role.CLERK:
        service.problem(reject(service, number, role=role), 403, "approver_role")
    assert read(service, number)["status"] == "open"


def test_what_no_longer_fits_is_refused_and_stays_open(service: Caller) -> None:
    first, second = proposed(service, refund(60_000)), proposed(service, refund(70_000))
    assert approve(service, first).status_code == 201
    size = service.book.head().size
    problem = service.problem(approve(service, second), 409, "gift_units_spent")
    assert problem["details"]["available"] == 40_000
    assert service.book.head().size == size
    assert read(service, second)["status"] == "open"
    assert reject(service, second).json()["status"] == "rejected"


def test_a_rejection_needs_a_reason_and_is_final(service: Caller) -> None:
    number = proposed(service)
    for reason in ("", "  ", 7, None, "长" * 2001):
        service.problem(reject(service, number, reason), 400, "reason_missing")
    path = f"/v1/proposals/{number}/reject"
    answer = service.call("POST", path, role=Role.APPROVER, json=[1])
    service.problem(answer, 400, "reason_missing")
    value = reject(service, number).json()
    assert (value["status"], value["reason"]) == ("rejected", "发票不符")
    assert value["decided_by"] == "approver-1"
    service.problem(approve(service, number), 409, "proposal_closed")
    service.problem(reject(service, number), 409, "proposal_closed")


def test_who_proposed_may_take_it_back(service: Caller) -> None:
    number = proposed(service)
    value = reject(service, number, "填错了", Role.CLERK).json()
    assert (value["status"], value["decided_by"]) == ("rejected", "clerk-1")


def test_a_proposal_expires(service: Caller) -> None:
    number = proposed(service)
    later(service, days=DAYS_MAX, minutes=-1)
    assert read(service, number)["status"] == "open"
    later(service, days=DAYS_MAX, minutes=1)
    value = read(service, number)
    assert value["status"] == "expired"
    assert "sealed" not in value["record"]
    service.problem(approve(service, number), 409, "proposal_closed")
    # The next proposal writes it down, so that the personal fields are forgotten.
    assert b"sealed" in stored(service, number)
    proposed(service)
    assert b"sealed" not in stored(service, number)


def stored(service: Caller, number: int) -> bytes:
    """What the row of a proposal holds, decrypted."""
    row = number_row(number)
    with service.book.store.read() as reader:
        ciphertext = reader.proposal(row)
    assert ciphertext is not None
    return service.book.vault.decrypt_blob(f"proposal/{row}", ciphertext)


def test_a_decided_proposal_forgets_its_personal_fields(service: Caller) -> None:
    numbers = [proposed(service) for _ in range(3)]
    assert ACCOUNT.encode() in stored(service, numbers[0])
    approve(service, numbers[0])
    reject(service, numbers[1])
    for number, keeps in zip(numbers, (False, False, True), strict=True):
        assert (ACCOUNT.encode() in stored(service, number)) == keeps
    assert service.book.opening(service.book.head().size - 1) is not None


def test_personal_fields_are_for_who_may_see_them(service: Caller) -> None:
    number = proposed(service)
    for role in Role:
        sees = role in (Role.CLERK, Role.APPROVER, Role.AUDITOR)
        assert ("sealed" in read(service, number, role)["record"]) == sees
        listed = service.value("/v1/proposals", role=role)["proposals"]
        assert ("sealed" in listed[0]["record"]) == sees
    for path in ("/v1/proposals", f"/v1/proposals/{number}"):
        service.problem(service.get(path), 401, "no_token")
    database = service.folder / "ledger.sqlite3"
    for file in (database, database.with_name(database.name + "-wal")):
        assert not file.exists() or ACCOUNT.encode() not in file.read_bytes()


def test_the_same_key_gives_the_same_proposal(service: Caller) -> None:
    first = propose(service, key="same")
    again = propose(service, key="same")
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    service.problem(propose(service, refund(1), key="same"), 409, "idempotency_conflict")
    service.tokens[Role.CLERK] = create_token(service.folder, "clerk-2", Role.CLERK)
    assert propose(service, key="same").json()["id"] == 2


@pytest.mark.parametrize(
    ("body", "role", "status", "code"),
    [
        ({"kind": "donation.magic"}, Role.CLERK, 422, "unknown_kind"),
        ({**refund(), "fields": {}}, Role.CLERK, 422, "invalid_record"),
        (refund(), Role.SHOP, 403, "recorder_role"),
        (refund(), None, 401, "no_token"),
        (
            {
                "kind": "donation.money",
                "occurred_on": "2022-01-10",
                "fields": {"fund": "general", "amount_fen": 1, "channel": "bank"},
            },
            Role.CLERK,
            422,
            "approval_not_needed",
        ),
    ],
)
def test_what_cannot_be_proposed(
    untouched: Caller, body: Any, role: Role | None, status: int, code: str
) -> None:
    untouched.problem(propose(untouched, body, role=role), status, code)
    assert untouched.value("/v1/proposals", role=Role.CLERK) == {"proposals": []}


def test_a_key_is_needed_and_an_unknown_number_is_not_found(untouched: Caller) -> None:
    answer = untouched.call("POST", "/v1/proposals", role=Role.CLERK, json=refund())
    untouched.problem(answer, 400, "idempotency_key_missing")
    untouched.problem(untouched.get("/v1/proposals/9", role=Role.CLERK), 404, "no_proposal")
    untouched.problem(approve(untouched, 9), 404, "no_proposal")
    untouched.problem(reject(untouched, 9), 404, "no_proposal")


def test_lists_lead_on_newest_first(service: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(5):
        proposed(service)
    reject(service, 2)
    reject(service, 4)
    for rows in (proposals.LIST_ROWS_MAX, 2):
        monkeypatch.setattr(proposals, "LIST_ROWS_MAX", rows)
        for status, expected in (("", [5, 4, 3, 2, 1]), ("&status=open", [5, 3, 1])):
            found: list[int] = []
            path: str | None = f"/v1/proposals?limit=2{status}"
            while path is not None:
                page = service.value(path, role=Role.CLERK)
                found += [one["id"] for one in page["proposals"]]
                path = page.get("next")
            assert found == expected


def test_an_approval_whose_answer_was_lost_is_found_again(service: Caller) -> None:
    """A crash between the entry and the proposal's row: the key leads to the entry."""
    number = proposed(service)
    desk = service.book.proposals
    record = desk._record

    def lose(prepared: Any) -> Recorded:
        record(prepared)
        raise OutcomeUnknownError("the answer was lost")

    desk._record = lose
    with pytest.raises(OutcomeUnknownError):
        desk.approve(number, person="approver-1")
    service.problem(reject(service, number), 409, "proposal_closed")
    assert approve(service, number).status_code == 200
    assert read(service, number)["status"] == "approved"


def test_nobody_rejects_what_is_being_approved(service: Caller) -> None:
    number = proposed(service)
    desk = service.book.proposals
    answers: list[httpx.Response] = []

    def refuse(prepared: Any) -> Recorded:
        answers.append(reject(service, number))
        raise RejectedError("a rule refuses it")

    desk._record = refuse
    with pytest.raises(RejectedError):
        desk.approve(number, person="approver-1")
    service.problem(answers[0], 503, "proposal_busy")
    assert reject(service, number).status_code == 200


def test_two_approvals_at_once_make_one_entry(service: Caller) -> None:
    """The second begins when the first one's claim is old, and the first records meanwhile."""
    number = proposed(service)
    first, second = service.book.proposals, service.book.proposals
    second._clock = lambda: datetime.now(UTC) + timedelta(seconds=2 * CLAIM_SECONDS_MAX)
    record = first._record
    inner: list[Recorded] = []

    def slow(prepared: Any) -> Recorded:
        inner.append(second.approve(number, person="approver-2"))
        return record(prepared)

    first._record = slow
    outer = first.approve(number, person="approver-1")
    assert outer.index == inner[0].index
    assert service.book.entry(outer.index)[1].approved_by == "approver-2"


def test_a_key_of_a_client_never_passes_for_a_proposals(service: Caller) -> None:
    number = proposed(service)
    body = {**refund(1_000), "sealed": {"account": "another"}}
    service.record(body, approval=Role.APPROVER, key=f"proposal/{number}/{'0' * 32}")
    assert approve(service, number).status_code == 201


def test_openapi_has_an_example_of_each_kind_that_needs_two(untouched: Caller) -> None:
    paths = untouched.value("/openapi.json")["paths"]
    content = paths["/v1/proposals"]["post"]["requestBody"]["content"]["application/json"]
    assert set(content["examples"]) == {kind.name for kind in RECORDABLE if kind.approvers}


# The audit


def three(service: Caller) -> None:
    """One approved, one rejected, one open proposal."""
    for _ in range(3):
        proposed(service)
    approve(service, 1)
    reject(service, 2)


def change(service: Caller, statement: str, *values: Any) -> None:
    """Change the table as somebody with the database would."""
    with closing(Tamper(service.folder)) as tamper, tamper.unlocked():
        tamper.run(statement, values)


def findings(service: Caller) -> set[str]:
    report = audit(service.book.store, vault=service.book.vault, keys=service.book.verifier_keys)
    assert {one.code for one in report.findings} <= {"proposal"}
    return {one.place for one in report.findings}


def rows_of(service: Caller) -> list[tuple[str, bytes]]:
    with service.book.store.read() as reader:
        return [(row, data) for row, data in reader.scan("proposal")]


def test_the_audit_finds_any_changed_or_missing_row(service: Caller) -> None:
    three(service)
    audited(service.book)
    rows = rows_of(service)
    assert len(rows) == 7
    for row, data in rows:
        for place in (0, len(data) // 2, len(data) - 1):
            flipped = bytearray(data)
            flipped[place] ^= 1
            change(service, "UPDATE proposal SET ciphertext = ? WHERE id = ?", flipped, row)
            assert f"proposal {row}" in findings(service)
        change(service, "DELETE FROM proposal WHERE id = ?", row)
        assert f"proposal {row}" in findings(service)
        change(service, "INSERT INTO proposal VALUES (?, ?)", row, data)
        change(service, "INSERT INTO proposal VALUES (?, ?)", row + "x", data)
        assert f"proposal {row}x" in findings(service)
        change(service, "DELETE FROM proposal WHERE id = ?", row + "x")
    audited(service.book)
    change(service, "DELETE FROM proposal")
    assert f"proposal {number_row(1)}" in findings(service)
    for row, data in rows:
        change(service, "INSERT INTO proposal VALUES (?, ?)", row, data)


def test_a_number_from_nowhere_does_not_keep_the_audit_busy(service: Caller) -> None:
    three(service)
    (row, _), *_ = [one for one in rows_of(service) if one[0].isdigit()]
    far = "9" * len(row)
    change(service, "UPDATE proposal SET id = ? WHERE id = ?", far, row)
    assert {f"proposal {row}", f"proposal {far}"} <= findings(service)
    change(service, "UPDATE proposal SET id = ? WHERE id = ?", row, far)
    audited(service.book)


def test_the_audit_finds_a_decision_that_the_log_does_not_have(service: Caller) -> None:
    three(service)
    book = service.book
    before = dict(rows_of(service))
    for number, status, index in ((3, "approved", 5), (1, "rejected", None)):
        value = stored(service, number)
        row = number_row(number)
        old = b'"status":"open"' if number == 3 else b'"status":"approved"'
        new = value.replace(old, f'"status":"{status}"'.encode())
        if index is not None:
            new = new.replace(b'"index":null', b'"index":%d' % index)
        assert new != value
        forged = book.vault.encrypt_blob(f"proposal/{row}", new)
        change(service, "UPDATE proposal SET ciphertext = ? WHERE id = ?", forged, row)
        assert findings(service) == {f"proposal {row}"}
        change(service, "UPDATE proposal SET ciphertext = ? WHERE id = ?", before[row], row)


def test_rows_refuse_to_be_deleted(service: Caller) -> None:
    proposed(service)
    with (
        closing(Tamper(service.folder)) as tamper,
        pytest.raises(REFUSED, match="nothing recorded ever changes"),
    ):
        tamper.run("DELETE FROM proposal")


def test_a_blob_opens_only_for_its_purpose(service: Caller) -> None:
    vault = service.book.vault
    data = vault.encrypt_blob("a", b"secret")
    assert vault.decrypt_blob("a", data) == b"secret"
    for purpose, value in (("b", data), ("a", data[:-1]), ("a", b"")):
        with pytest.raises(LedgerError, match="expected bytes that this vault key opens"):
            vault.decrypt_blob(purpose, value)
    key = recorded_key(vault, 7)
    assert proposals.number_of_key(vault, key) == 7
    for other in (key[:-1] + "x", key + "/1", "proposal/x/1", "other/7/1"):
        assert proposals.number_of_key(vault, other) is None
