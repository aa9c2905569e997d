"""A whole import taken back: asked for, approved by another, recorded behind the page."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from caller import Caller
from clerk import Clerk, form_values
from test_imports import at_work, csv, errors, gifts, press
from test_imports import done as all_done

from api.auth import create_token
from api.imports import desk as desks
from api.imports import undo as undoing
from api.imports import worker as working
from api.imports.desk import Desk
from api.imports.job import DAYS_MAX
from ledger.entry import Entry
from ledger.errors import ConflictError, CorruptionError, RetryableError
from ledger.records.kind import Role
from ledger.sequencer import utc_now

__all__ = ["at_work"]

WHY = "整份名单重复"


@pytest.fixture
def clerk(at_work: Caller) -> Clerk:
    return Clerk(at_work, Role.CLERK)


@pytest.fixture
def approver(at_work: Caller) -> Clerk:
    return Clerk(at_work, Role.APPROVER)


WAIT_SECONDS_MAX = 120.0


def settled(caller: Caller, number: int = 1) -> None:
    """Wait for the worker: a form's answer waits for it no longer than a person would."""
    caller.app.state.imports.wait(number, WAIT_SECONDS_MAX)


def done(clerk: Clerk, approver: Clerk, data: bytes, total: str) -> str:
    path = all_done(clerk, approver, data, total)
    settled(clerk.caller, int(path.rpartition("/")[2]))
    return path


def entries(caller: Caller, first: int) -> list[Entry]:
    """The entries from there on."""
    return [caller.book.entry(one)[1] for one in range(first, caller.book.head().size)]


def test_what_an_import_recorded_is_reversed_but_for_what_moved_on(
    at_work: Caller, clerk: Clerk, approver: Clerk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(undoing, "SLICE", 2)
    monkeypatch.setattr(working, "RETRY_SECONDS", 0.0)
    book = at_work.book
    first = book.head().size
    path = done(clerk, approver, csv(gifts(5)), "17.50")
    # One gift went back to its donor, another was reversed already.
    refund = {"gift": first + 1, "amount_fen": 250, "reason": "捐赠人申请退款"}
    undo = {"entry": first + 3, "reason": "单笔有误"}
    for kind, fields in (("donation.refunded", refund), ("entry.reversed", undo)):
        body = {"kind": kind, "occurred_on": "2022-01-10", "fields": fields}
        at_work.record(body, approval=Role.APPROVER)
    size = book.head().size

    assert "请写明理由" in errors(clerk.shown(press(clerk, path, "undo"), 400))
    long = clerk.shown(press(clerk, path, "undo", undo_reason="长" * 2001), 400)
    assert "过长" in errors(long)
    assert press(clerk, path, "undo", undo_reason=WHY).status_code == 303
    # Asked again it is the same request; another one has to wait for its end.
    assert clerk.send(f"{path}/undo", {**csrf(clerk, path), "undo_reason": WHY}).status_code == 303
    again = clerk.send(f"{path}/undo", {**csrf(clerk, path), "undo_reason": "别的"})
    assert "下一步" in errors(clerk.shown(again, 409))
    assert "整批冲正待审批" in approver.get("/staff").html
    assert book.head().size == size, "nothing is recorded without the second person"
    assert f"{path}/undo/approve" not in clerk.get(path).html

    submit, calls = book.sequencer.submit, []

    def failing(*given: Any) -> Any:
        calls.append(given)
        if len(calls) > 1:
            raise RetryableError("the queue is full", code="queue_full")
        return submit(*given)

    monkeypatch.setattr(book.sequencer, "submit", failing)
    assert press(approver, path, "undo/approve").status_code == 303
    settled(at_work)
    found = Desk(book).undo(1)
    assert found is not None
    assert found.status == "stopped"
    assert "系统繁忙" in clerk.get(path).html
    assert "整批冲正已中断" in clerk.get("/staff").html
    assert book.head().size == size + 1
    monkeypatch.setattr(book.sequencer, "submit", submit)
    assert press(clerk, path, "undo/resume").status_code == 303
    settled(at_work)

    found = Desk(book).undo(1)
    assert found is not None
    assert (found.status, found.reversed, found.before, found.refused) == ("done", 3, 1, 1)
    recorded = entries(at_work, size)
    assert sorted(one.fields["entry"] for one in recorded) == [first, first + 2, first + 4]
    assert {(one.kind, one.recorded_by, one.approved_by) for one in recorded} == {
        ("entry.reversed", "clerk-1", "approver-1")
    }
    assert {one.fields["reason"] for one in recorded} == {WHY}
    page = clerk.get(path)
    assert f'href="/staff/correct/{first + 1}"' in page.html
    assert "已被后来的条目动用" in page.html
    assert f'href="/entries/{size}"' in page.html, "the reversals themselves"
    rows = clerk.request("GET", f"{path}/refused.csv").text
    assert f"{first + 1},units_moved_on," in rows
    # What could not be taken back may be asked for again; what was, stays so.
    assert press(clerk, path, "undo", undo_reason=WHY).status_code == 303
    assert press(approver, path, "undo/approve").status_code == 303
    settled(at_work)
    found = Desk(book).undo(1)
    assert found is not None
    assert (found.reversed, found.before, found.refused) == (0, 4, 1)
    assert book.head().size == size + 3


def csrf(person: Clerk, path: str) -> dict[str, str]:
    return {"csrf": form_values(person.get(path), "/staff/sign-out")["csrf"]}


def test_a_request_is_withdrawn_sent_back_or_expired_and_never_approved_by_its_own(
    at_work: Caller, clerk: Clerk, approver: Clerk, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = done(clerk, approver, csv(gifts(2)), "4.00")
    size = at_work.book.head().size
    assert approver.send(f"{path}/undo/approve", csrf(approver, path)).status_code == 404
    assert clerk.request("GET", f"{path}/refused.csv").status_code == 404
    press(clerk, path, "undo", undo_reason=WHY)
    both, other = Clerk(at_work), Clerk(at_work)
    both.sign_in(create_token(at_work.folder, "clerk-1", Role.APPROVER))
    other.sign_in(create_token(at_work.folder, "clerk-2", Role.CLERK))
    answer = both.send(f"{path}/undo/approve", csrf(both, path))
    assert "不能审批" in errors(both.shown(answer, 403))
    assert other.send(f"{path}/undo/end", csrf(other, path)).status_code == 403
    answer = approver.send(f"{path}/undo/end", csrf(approver, path))
    assert "请写明理由" in errors(approver.shown(answer, 400))
    assert press(approver, path, "undo/end", undo_reason="名单没有错").status_code == 303
    assert "名单没有错" in clerk.get(path).html
    assert approver.send(f"{path}/undo/approve", csrf(approver, path)).status_code == 409
    press(clerk, path, "undo", undo_reason=WHY)
    assert press(clerk, path, "undo/end").status_code == 303
    assert "已撤回" in clerk.get(path).html
    # What nobody decides expires, as a proposal does: it may be asked for anew, not approved.
    press(clerk, path, "undo", undo_reason=WHY)
    assert "有效至" in approver.get(path).html
    sent = csrf(approver, path)
    later = utc_now() + dt.timedelta(days=DAYS_MAX, minutes=1)
    with monkeypatch.context() as passing:
        passing.setattr(desks, "utc_now", lambda: later)
        assert approver.send(f"{path}/undo/approve", sent).status_code == 409
        page = approver.get(path).html
        assert "已过期" in page
        assert f"{path}/undo/approve" not in page
        assert "整批冲正" not in approver.get("/staff").html
        assert f'action="{path}/undo"' in clerk.get(path).html
    assert at_work.book.head().size == size


def test_an_undo_that_was_altered_stops_no_other_work(
    at_work: Caller, clerk: Clerk, approver: Clerk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desks, "KEPT_MAX", 0)
    monkeypatch.setattr(working, "SPANS_MAX", 0)
    path = done(clerk, approver, csv(gifts(1)), "1.50")
    desk = Desk(at_work.book)
    assert [len(one) for one in desk.spans(desk.read(1))] == [2]
    with pytest.raises(ConflictError):
        desk.change_undo(*_asked(desk, 1), ("done",), "waiting")
    # An import with an open request is not forgotten.
    done(clerk, approver, csv(gifts(1, 2)), "2.50")
    assert desk.numbers() == [1, 2]
    desk.keep(1, "undo", b'{"trouble":null}')
    with pytest.raises(CorruptionError):
        desk.undo(1)
    done(clerk, approver, csv(gifts(1, 3)), "3.50")
    assert path.endswith("/1")


def _asked(desk: Desk, number: int) -> tuple[int]:
    desk.propose_undo(number, person="clerk-1", reason=WHY)
    return (number,)
