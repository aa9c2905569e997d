"""Lists of gifts in the browser: from the file to the entries, and everything in between."""

from __future__ import annotations

import datetime as dt
import io
import logging
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import openpyxl
import pytest
from browser import Page
from caller import Caller, serving
from clerk import SITE, Clerk, errors_of, form_values

from api.auth import create_token
from api.imports import desk as desks
from api.imports import worker as working
from api.imports.desk import Desk
from api.imports.job import DAYS_MAX
from api.imports.worker import Worker
from api.pages.staff import importing
from ledger.errors import RetryableError
from ledger.intake import recording
from ledger.records.kind import OPENERS, Role
from ledger.sequencer import utc_now

CANARY = "金丝雀示例姓名"
HEADER = ("订单号", "捐赠金额(元)", "捐赠日期", "捐赠人姓名")
PATH = "/staff/import"
PATIENCE_SECONDS = 120.0
Rows = list[tuple[Any, ...]]


@pytest.fixture
def at_work(world: Caller) -> Iterator[Caller]:
    """The shared service over a small world of the test's own, with a worker for it."""
    state = world.app.state
    before, state.imports = state.imports, Worker(world.book)
    state.imports.start()
    try:
        yield world
    finally:
        state.imports.close()
        state.imports = before


def gifts(count: int, start: int = 1) -> Rows:
    return [
        (f"ORDER-{number:05d}", f"{number}.50", "2022-01-10", f"{CANARY}{number}")
        for number in range(start, start + count)
    ]


def csv(rows: Rows, header: tuple[str, ...] = HEADER, encoding: str = "gb18030") -> bytes:
    lines = [",".join(map(str, one)) for one in (header, *rows)]
    return ("\r\n".join(lines) + "\r\n").encode(encoding)


def xlsx(rows: Rows, header: tuple[str, ...] = HEADER) -> bytes:
    book = openpyxl.Workbook()
    for one in (header, *rows):
        book.active.append(list(one))
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def send_file(
    person: Clerk, data: bytes, name: str = "示例名单.csv", **changes: str
) -> httpx.Response:
    """Send the page's form with a file, as a browser does."""
    values = form_values(person.get(PATH), PATH)
    values.pop("file", None)
    fields = {**values, "fields.fund": "general", "fields.channel": "wechat"}
    for key, value in changes.items():
        fields[key.replace("__", ".")] = value
    return person.request("POST", PATH, {"origin": SITE}, data=fields, files={"file": (name, data)})


def planned(person: Clerk, data: bytes, name: str = "示例名单.csv", **changes: str) -> str:
    """Upload; the import's page."""
    answer = send_file(person, data, name, **changes)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def press(person: Clerk, path: str, do: str, **changes: str) -> httpx.Response:
    action = f"{path}/{do}"
    return person.submit(person.get(path), changes, action=action)


def state(caller: Caller, path: str) -> str:
    return Desk(caller.book).read(int(path.rpartition("/")[2])).status


def done(clerk: Clerk, approver: Clerk, data: bytes, total: str, **changes: str) -> str:
    """The whole way."""
    path = planned(clerk, data, **changes)
    assert press(clerk, path, "confirm", total=total).status_code == 303
    assert press(approver, path, "approve").status_code == 303
    return path


def errors(page: Page) -> str:
    return " ".join(errors_of(page).values())


@pytest.mark.parametrize("make", [csv, xlsx])
def test_a_list_is_recorded_once_after_a_second_person_approved(
    service: Caller, make: Callable[[Rows], bytes]
) -> None:
    clerk, approver = Clerk(service, Role.CLERK), Clerk(service, Role.APPROVER)
    size = service.book.head().size
    data = make(gifts(5))
    path = planned(clerk, data)
    page = clerk.get(path)
    assert "17.50" in page.html
    assert CANARY in page.html
    assert f"{path}/approve" not in page.html
    wrong = press(clerk, path, "confirm", total="17.51")
    assert "不符" in errors(clerk.shown(wrong, 422))
    assert "wrong" in clerk.shown(press(clerk, path, "confirm", total="17,5"), 422).html
    assert press(clerk, path, "confirm", total="17.50").status_code == 303
    assert "另一人审批" in clerk.get(path).html
    assert "等待审批" in approver.get("/staff").html
    page = approver.get(path)
    again = form_values(page, f"{path}/approve")
    assert press(approver, path, "approve").headers["location"] == path
    assert service.book.head().size == size + 5
    # A second tap does nothing twice, on either page.
    assert approver.send(f"{path}/approve", again).status_code == 303
    assert service.book.head().size == size + 5
    page = approver.get(path)
    assert "已完成" in page.html
    assert f'href="/entries/{size}"' in page.html
    assert f"/staff/receipts?entries={size}-{size + 4}" in page.html
    assert f"{size}-{size + 4}" in clerk.get(f"/staff/receipts?entries={size}-{size + 4}").html
    _, entry = service.book.entry(size)
    assert (entry.kind, entry.recorded_by, entry.approved_by) == ("donation.money", "clerk-1", None)
    metrics = service.get("/metrics").text
    assert 'shanji_import_rows_total{outcome="recorded"} 5' in metrics
    # Nothing of the file stays, and importing it again adds nothing.
    assert [one.name for one in (service.folder / "imports/1").iterdir()] == ["job"]
    path = planned(clerk, data)
    page = clerk.get(path)
    assert f"{path}/confirm" not in page.html
    assert service.book.head().size == size + 5


def test_every_refusal_says_what_to_do(at_work: Caller) -> None:
    clerk, approver = Clerk(at_work, Role.CLERK), Clerk(at_work, Role.APPROVER)
    size = at_work.book.head().size
    assert "请选择文件" in errors(clerk.shown(send_file(clerk, b""), 422))
    page = clerk.shown(send_file(clerk, csv(gifts(1)), fields__fund="nowhere"), 422)
    assert "fields.fund" in page.html
    assert errors(clerk.shown(send_file(clerk, csv(gifts(1)), fields__fund=""), 422))
    encrypted = bytes.fromhex("d0cf11e0a1b11ae1") + "EncryptedPackage".encode("utf-16-le") * 9
    for data, told in (
        (encrypted, "密码"),
        (b"<html>no</html>", "不是表格"),
        (b"%PDF-1.7 no", "不是表格"),
        (b"PK\x03\x04 no", "已损坏"),
        (csv(gifts(1), ("甲", "乙", "丙", "丁")), "没有找到标题行"),
    ):
        path = planned(clerk, data)
        assert state(at_work, path) == "unread"
        assert told in clerk.get(path).html
        # Its first page named it; the same bytes again lead there.
        assert planned(clerk, data) == f"{path}?again=1"
        assert press(clerk, path, "end").status_code == 303
        assert state(at_work, path) == "withdrawn"
        assert "已撤回" in clerk.get(path).html
    answer = press_raw(approver, clerk, "confirm")
    assert answer.status_code in (403, 404)
    assert at_work.book.head().size == size


def press_raw(person: Clerk, clerk: Clerk, do: str) -> httpx.Response:
    """A form of another's page, sent with one's own session."""
    path = planned(clerk, csv(gifts(2)))
    csrf = form_values(person.get("/staff"), "/staff/sign-out")["csrf"]
    return person.send(f"{path}/{do}", {"csrf": csrf, "total": "4.00"})


def test_problems_are_told_by_row_and_column(at_work: Caller) -> None:
    clerk = Clerk(at_work, Role.CLERK)
    rows = [
        ("ORDER-1", "12.345", "2022-01-10", CANARY),
        ("", "1.00", "2022-01-10", CANARY),
        ("=A1", "1.00", "2022-01-10", CANARY),
        ("1.46500E+27", "1.00", "2022-01-10", CANARY),
        ("ORDER-2", "0", "2022-13-10", CANARY),
        ("ORDER-3", "7.00", "2022-01-10", CANARY),
        ("ORDER-3", "8.00", "2022-01-10", CANARY),
    ]
    path = planned(clerk, csv(rows))
    page = clerk.get(path)
    table = page.table("逐行列出问题")
    assert [row[0] for row in table.rows[1:]] == ["2", "3", "4", "5", "6", "6", "8"]
    assert "12.345" in page.html
    assert "两位小数" in page.html
    assert f"{path}/confirm" not in page.html
    assert "6" in clerk.get("/staff").table("等待审批、有问题或中断的导入").row("导入 1")
    answer = clerk.request("GET", f"{path}/problems.csv")
    assert answer.status_code == 200
    assert answer.content.startswith(b"\xef\xbb\xbf")
    assert answer.headers["cache-control"] == "private, no-store"
    assert "'=A1" in answer.text
    assert len(answer.text.splitlines()) == 7


def test_a_list_is_read_otherwise(at_work: Caller) -> None:
    clerk = Clerk(at_work, Role.CLERK)
    header = ("编码", "数额", "备忘", "谁")
    data = csv([(one[0], "12500", "x", one[3]) for one in gifts(3)], header, "utf-8")
    path = planned(clerk, data)
    assert state(at_work, path) == "unread"
    changes = {
        "column.order_number": "编码",
        "column.amount": "数额",
        "column.donor_name": "谁",
        "unit": "fen",
        "date": "2022-01-09",
        "fields.channel": "pos",
    }
    page = clerk.shown(
        clerk.submit(clerk.get(path), {**changes, "date": "x"}, action=f"{path}/read"), 422
    )
    assert "date-error" in page.html
    assert clerk.submit(page, changes, action=f"{path}/read").status_code == 303
    page = clerk.get(path)
    assert state(at_work, path) == "planned"
    assert "375.00" in page.html
    assert "2022-01-09" in page.html
    other = Clerk(at_work, Role.APPROVER)
    csrf = form_values(other.get(path), f"{path}/end")["csrf"]
    assert errors(other.shown(other.send(f"{path}/end", {"csrf": csrf}), 400))
    assert press(other, path, "end", reason="用途不对").status_code == 303
    assert "用途不对" in clerk.get(path).html
    assert [one.name for one in (at_work.book.folder / "imports/1").iterdir()] == ["job"]


def test_nobody_approves_their_own_and_only_what_was_shown(at_work: Caller) -> None:
    clerk, approver = Clerk(at_work, Role.CLERK), Clerk(at_work, Role.APPROVER)
    size = at_work.book.head().size
    path = planned(clerk, csv(gifts(3)))
    form = {"csrf": form_values(approver.get(path), f"{path}/end")["csrf"]}
    assert approver.send(f"{path}/approve", form | {"digest": "x"}).status_code == 409
    press(clerk, path, "confirm", total="7.50")
    # A page of another plan, a role that may not, and the same person in the other role.
    answer = approver.send(f"{path}/approve", form | {"digest": "x"})
    assert "不同" in errors(approver.shown(answer, 422))
    csrf = form_values(clerk.get("/staff"), "/staff/sign-out")["csrf"]
    assert clerk.send(f"{path}/approve", {"csrf": csrf}).status_code == 403
    both = Clerk(at_work)
    both.sign_in(create_token(at_work.folder, "clerk-1", Role.APPROVER))
    page = both.get(path)
    assert f"{path}/approve" not in page.html
    form = {"csrf": form_values(page, f"{path}/end")["csrf"]}
    digest = form_values(approver.get(path), f"{path}/approve")["digest"]
    answer = both.send(f"{path}/approve", form | {"digest": digest})
    assert "不能审批" in errors(both.shown(answer, 403))
    other = Clerk(at_work)
    other.sign_in(create_token(at_work.folder, "clerk-2", Role.CLERK))
    form = {"csrf": form_values(other.get(path), "/staff/sign-out")["csrf"]}
    answer = other.send(f"{path}/confirm", form | {"total": "7.50"})
    assert "另一人上传" in errors(other.shown(answer, 403))
    assert other.send(f"{path}/end", form).status_code == 403
    assert clerk.send(f"{path}/approve", {}).status_code == 403, "no CSRF token"
    assert at_work.book.head().size == size
    # Somebody else records one of the gifts meanwhile: that is another plan.
    gift = {"fund": "general", "amount_fen": 150, "channel": "cash"}
    sealed = {"order_number": "ORDER-00001"}
    body = {"kind": "donation.money", "occurred_on": "2022-01-10", "fields": gift}
    at_work.record(body | {"sealed": sealed})
    assert press(approver, path, "approve").status_code == 303
    assert state(at_work, path) == "stopped"
    assert "与审批的不同" in clerk.get(path).html
    assert "已中断" in clerk.get("/staff").html
    assert press(clerk, path, "end").status_code == 303
    assert at_work.book.head().size == size + 1


def test_a_recording_that_stopped_goes_on_and_counts_exactly(
    service: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    clerk, approver = Clerk(service, Role.CLERK), Clerk(service, Role.APPROVER)
    monkeypatch.setattr(recording, "SLICE", 2)
    monkeypatch.setattr(working, "RETRY_SECONDS", 0.0)
    size, sequencer = service.book.head().size, service.book.sequencer
    submit, calls = sequencer.submit_together, []

    def failing(*given: Any) -> Any:
        calls.append(given)
        if len(calls) > 2:
            raise RetryableError("the queue is full", code="queue_full")
        return submit(*given)

    monkeypatch.setattr(sequencer, "submit_together", failing)
    path = planned(clerk, csv(gifts(9)))
    press(clerk, path, "confirm", total="49.50")
    press(approver, path, "approve")
    assert len(calls) == 2 + working.TRIES_MAX
    page = clerk.get(path)
    assert state(service, path) == "stopped"
    assert "系统繁忙" in page.html
    assert service.book.head().size == size + 4
    monkeypatch.setattr(sequencer, "submit_together", submit)
    assert press(approver, path, "resume").status_code == 303
    job = Desk(service.book).read(1)
    assert (job.status, job.recorded, job.first, job.last) == ("done", 9, size, size + 8)
    assert service.book.head().size == size + 9
    amounts = [service.book.entry(size + one)[1].fields["amount_fen"] for one in range(9)]
    assert sorted(amounts) == [100 * one + 50 for one in range(1, 10)]


def test_a_restart_in_the_middle_takes_up_what_was_begun(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "SLICE", 2)
    with serving(folder) as service:
        clerk, approver = Clerk(service, Role.CLERK), Clerk(service, Role.APPROVER)
        size = service.book.head().size
        path = planned(clerk, csv(gifts(9)))
        press(clerk, path, "confirm", total="49.50")
        submit, calls = service.book.sequencer.submit_together, []

        def stopping(*given: Any) -> Any:
            calls.append(given)
            if len(calls) == 3:
                service.app.state.imports._stopping.set()
            return submit(*given)

        monkeypatch.setattr(service.book.sequencer, "submit_together", stopping)
        # Nobody tells the page that the worker has stopped: the service goes on.
        monkeypatch.setattr(importing, "WAIT_SECONDS", 0.0)
        press(approver, path, "approve")
        service.app.state.imports._thread.join(PATIENCE_SECONDS)
    assert len(calls) == 3
    with serving(folder) as service:
        desk = Desk(service.book)
        service.app.state.imports.wait(1, PATIENCE_SECONDS)
        job = desk.read(1)
        assert (job.status, job.recorded) == ("done", 9)
        assert (job.first, job.last) == (size, size + 8)
        assert service.book.head().size == size + 9


def test_files_are_kept_encrypted_and_for_their_owner_only(at_work: Caller) -> None:
    clerk = Clerk(at_work, Role.CLERK)
    path = planned(clerk, csv(gifts(2), encoding="utf-8") + b"bad,,,\r\n", "秘密名单.csv")
    kept = [one for one in (at_work.book.folder / "imports").rglob("*") if one.is_file()]
    assert {one.name for one in kept} >= {"job", "file", "details", "problems"}
    for one in kept:
        assert stat.S_IMODE(one.stat().st_mode) == 0o600
        assert CANARY.encode() not in one.read_bytes()
        assert "秘密".encode() not in one.read_bytes()
    assert stat.S_IMODE((at_work.book.folder / "imports").stat().st_mode) == 0o700
    # A file that was changed is noticed, and records nothing.
    file = at_work.book.folder / "imports/1/file"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    assert press(clerk, path, "read").status_code == 303
    assert state(at_work, path) == "unread"
    assert CANARY not in clerk.get(path).html
    # What cannot be read at all is told on its own page, and keeps nobody from the others.
    job = at_work.book.folder / "imports/1/job"
    job.write_bytes(job.read_bytes()[:-1] + b"x")
    assert clerk.request("GET", path).status_code == 500
    assert "导入 1" not in clerk.get("/staff").html
    assert planned(clerk, csv(gifts(2))) == f"{PATH}/2"


def test_what_waits_too_long_is_deleted(at_work: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    clerk = Clerk(at_work, Role.CLERK)
    path = planned(clerk, csv(gifts(2)))
    desk = Desk(at_work.book)
    # The worker sweeps too: it would take away the folder that is made here file by file.
    at_work.app.state.imports.close()
    desk.sweep()
    assert state(at_work, path) == "planned"
    later = utc_now() + dt.timedelta(days=DAYS_MAX, minutes=1)
    monkeypatch.setattr(desks, "utc_now", lambda: later)
    (desk.folder / "7").mkdir()
    (desk.folder / "7/file").write_bytes(b"cut off")
    desk.sweep()
    assert state(at_work, path) == "expired"
    assert desk.numbers() == [1]
    assert str(DAYS_MAX) in clerk.get(path).html
    assert [one.name for one in (desk.folder / "1").iterdir()] == ["job"]


def test_limits_are_told_on_the_form(at_work: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    clerk = Clerk(at_work, Role.CLERK)
    monkeypatch.setattr(importing, "UPLOAD_BYTES_MAX", 100)
    monkeypatch.setattr(importing, "FORM_BYTES", 0)
    assert "超过" in errors(clerk.shown(send_file(clerk, csv(gifts(99))), 413))
    monkeypatch.undo()
    monkeypatch.setattr(desks, "OPEN_MAX", 1)
    path = planned(clerk, csv(gifts(1)))
    assert "太多" in errors(clerk.shown(send_file(clerk, csv(gifts(2))), 409))
    # The same form twice is the same import.
    monkeypatch.undo()
    values = form_values(clerk.get(PATH), PATH)
    fields = {**values, "fields.fund": "general", "fields.channel": "bank"}
    fields.pop("file", None)
    files = {"file": ("a.csv", csv(gifts(3)))}
    answers = [
        clerk.request("POST", PATH, {"origin": SITE}, data=fields, files=files) for _ in range(2)
    ]
    assert [one.headers["location"] for one in answers] == [f"{PATH}/2", f"{PATH}/2?again=1"]
    assert path == f"{PATH}/1"
    at_work.app.state.uploads_running = importing.UPLOADS_AT_ONCE_MAX
    assert send_file(clerk, csv(gifts(4))).status_code == 429
    at_work.app.state.uploads_running = 0


@pytest.mark.parametrize("role", list(Role))
def test_a_file_is_only_for_who_may_see_it(
    untouched: Caller, imported: str, role: Role, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    person = Clerk(untouched, role)
    seen = set()
    paths = [PATH, "/staff", imported, f"{imported}/problems.csv", f"{imported}/refused.csv"]
    paths.append("/staff/import/999")
    for path in paths:
        answer = person.request("GET", path)
        allowed = (200, 404) if role in OPENERS or path == "/staff" else (403,)
        assert answer.status_code in allowed, path
        if CANARY in answer.text or "秘密" in answer.text:
            seen.add(path)
        if role is not Role.CLERK and path == PATH and role in OPENERS:
            assert 'type="file"' not in answer.text
    assert seen == ({imported, f"{imported}/problems.csv"} if role in OPENERS else set())
    if role not in (Role.CLERK, Role.APPROVER):
        csrf = form_values(person.get("/staff"), "/staff/sign-out")["csrf"]
        undo = ("undo", "undo/approve", "undo/resume", "undo/end")
        for do in ("read", "confirm", "approve", "resume", "end", *undo):
            assert person.send(f"{imported}/{do}", {"csrf": csrf}).status_code == 403
    if role is not Role.CLERK:
        files = {"file": ("a.csv", b"x")}
        answer = person.request("POST", PATH, {"origin": SITE}, data={"csrf": "x"}, files=files)
        assert answer.status_code == 403
    assert CANARY not in caplog.text
    assert "ORDER-0" not in caplog.text
    assert "秘密" not in caplog.text


@pytest.fixture(scope="module")
def imported(untouched: Caller) -> Iterator[str]:
    """A list with a problem that waits in the shared service; it is withdrawn in the end."""
    clerk = Clerk(untouched, Role.CLERK)
    rows = [*gifts(2), ("ORDER-9", "-1", "2022-01-10", CANARY)]
    path = planned(clerk, csv(rows), "秘密名单.csv")
    yield path
    press(clerk, path, "end")
