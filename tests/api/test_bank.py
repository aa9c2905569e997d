"""Bank statements at the pages: read, recorded, matched; what does not fit is told."""

from __future__ import annotations

import logging
import os
import re

import httpx
import pytest
from browser import Page
from caller import Caller, gift
from clerk import SITE, Clerk, errors_of, form_values

from api.imports.statement_files import StatementFiles
from api.pages.staff import statements
from ledger.records.kind import OPENERS, Role

PATH = "/staff/statements"
CANARY = "金丝雀示例付款人"
SIDES = "交易日期,贷方发生额,借方发生额,余额,对方户名,附言"


def csv(*rows: str, header: str = SIDES) -> bytes:
    return "\r\n".join((header, *rows, "")).encode("gb18030")


STATEMENT = csv(
    f"2022-01-10,301.00,,1301.00,{CANARY},捐款",
    f"2022-01-10,302.00,,1603.00,{CANARY},捐款",
    "2022-01-11,,3.00,1600.00,示例供应商,货款",
    f"2022-01-11,303.00,,1903.00,{CANARY},捐款",
)


def send_file(person: Clerk, data: bytes, **changes: str) -> httpx.Response:
    values = form_values(person.get(PATH), PATH)
    values.pop("file")
    fields = {**values, "account": "bank-main", **changes}
    return person.request("POST", PATH, {"origin": SITE}, data=fields, files={"file": data})


def imported(person: Clerk, data: bytes = STATEMENT, **changes: str) -> str:
    """The page of a statement that was recorded."""
    answer = send_file(person, data, **changes)
    assert answer.status_code == 303, answer.text
    draft = answer.headers["location"]
    return person.submit(person.get(draft), action=draft).headers["location"]


def told(page: Page) -> str:
    return " ".join(errors_of(page).values())


def given(caller: Caller, *fens: int, **sealed: str) -> list[int]:
    return [caller.record(gift(fen, **sealed))["index"] for fen in fens]


def pairs(page: Page, *, ticked: bool = False) -> list[str]:
    return [
        one.attributes["value"]
        for one in page.all("input")
        if one.attributes.get("name") == "pair" and (not ticked or "checked" in one.attributes)
    ]


def test_a_statement_is_recorded_and_matched_to_the_last_fen(world: Caller) -> None:
    clerk = Clerk(world, Role.CLERK)
    first, second, twin, half = given(world, 30_100, 30_200, 30_200, 10_000)
    assert "还没有对账单" in clerk.get(PATH).html
    answer = send_file(clerk, STATEMENT)
    draft = answer.headers["location"]
    page = clerk.get(draft)
    assert "只能由两人冲正" in page.html
    assert page.table("期初 + 进账 − 出账 = 期末").rows[1] == [
        *("1,000.00", "+ 906.00", "− 3.00", "= 1,903.00"),
    ]
    assert CANARY not in page.html
    size = world.book.head().size
    answers = [clerk.submit(page, action=draft) for _ in range(2)]
    path = f"{PATH}/{size}"
    assert [one.headers["location"] for one in answers] == [path, path], "a second tap"
    assert world.book.head().size == size + 1
    _, entry = world.book.entry(size)
    assert (entry.fields["credits"], entry.fields["credits_fen"]) == (3, 90_600)
    page = clerk.get(path)
    assert CANARY in page.html
    assert pairs(page, ticked=True) == [f"2:{first}"], "one clear suggestion"
    assert pairs(page) == [f"2:{first}", f"3:{second}", f"3:{twin}"]
    assert "有几种可能" in page.html
    # What went out has no payment yet, and all of it is counted.
    assert page.table("出账和对应的付款").rows[1][1] == "3.00"
    assert "没有找到付款" in page.html
    assert "没有找到捐赠" in page.html
    for state, count in (("clear", 1), ("ambiguous", 1), ("alone", 1), ("matched", 0)):
        rows = clerk.get(f"{path}?state={state}").table("进账和对应的捐赠").rows[1:]
        assert len([row for row in rows if len(row) > 1]) == count
    fields = {**form_values(page, f"{path}/confirm"), "pair": f"2:{first}"}
    again = [clerk.send(f"{path}/confirm", fields) for _ in range(2)]
    assert [one.headers["location"] for one in again] == [f"{path}?done=1"] * 2
    assert world.book.head().size == size + 2
    assert "已登记 1 笔匹配" in clerk.get(f"{path}?done=1").html
    # By hand: a difference needs its reason.
    hand = f"{path}/match"
    form = form_values(clerk.get(path), hand)
    fields = {**form, "lines": "3,5", "gifts": f"{second},{half}"}
    page = clerk.shown(clerk.send(hand, fields), 422)
    assert "203.00" in told(page)
    assert form_values(page, hand)["gifts"] == f"{second},{half}"
    assert clerk.send(hand, {**fields, "reason": "其余稍后补录"}).status_code == 303
    page = clerk.get(path)
    assert "已对平" in page.html
    assert f"#{twin}" in page.html, "a gift without a line"
    _, entry = world.book.entry(size + 2)
    assert entry.fields["difference_fen"] == 20_300
    assert [one["line"] for one in entry.fields["lines"]] == [3, 5]
    assert "bank-main" not in clerk.get("/staff").html, "nothing of it waits any more"
    assert "✓" in clerk.get(PATH).html


def test_every_refusal_of_a_statement_says_what_to_do(
    world: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    clerk = Clerk(world, Role.CLERK)
    size = world.book.head().size
    assert "请选择文件" in told(clerk.shown(send_file(clerk, b""), 422))
    assert told(clerk.shown(send_file(clerk, STATEMENT, account=""), 422))
    assert told(clerk.shown(send_file(clerk, STATEMENT, account="账户一"), 422))
    page = clerk.shown(send_file(clerk, STATEMENT, opening="1,000", period_from="x"), 422)
    assert set(errors_of(page)) == {"opening", "period_from"}
    assert "不符" in told(clerk.shown(send_file(clerk, STATEMENT, closing="1.00"), 422))
    encrypted = bytes.fromhex("d0cf11e0a1b11ae1") + "EncryptedPackage".encode("utf-16-le") * 9
    for data, text in ((encrypted, "密码"), (b"%PDF-1.7", "不是表格"), (b"a,b\n1,2\n", "标题行")):
        assert text in told(clerk.shown(send_file(clerk, data), 400))
    broken = csv("2022-01-10,1.00,,1.00,,", "2022-01-11,1.00,,9.00,,", "2022-01-12,x,,3.00,,")
    page = clerk.shown(send_file(clerk, broken), 422)
    assert page.table("逐行列出问题").rows[1][0] == "4"
    broken = csv("2022-01-10,1.00,,1.00,,", "2022-01-11,1.00,,9.00,,")
    page = clerk.shown(send_file(clerk, broken), 422)
    assert "不衔接" in page.html
    assert world.book.head().size == size
    path = imported(clerk)
    # The same period again, and a draft that has become impossible meanwhile.
    assert "fields" not in told(clerk.shown(send_file(clerk, STATEMENT), 422))
    later = csv("2022-02-10,1.00,,5.00,,")
    page = clerk.get(send_file(clerk, later).headers["location"])
    assert "不衔接" in page.html
    for changes, field in (
        ({"lines": "", "gifts": "2"}, "lines"),
        ({"lines": "4", "gifts": "2"}, "lines"),
        ({"lines": "2", "gifts": ""}, "gifts"),
        ({"lines": "2", "gifts": "x"}, "gifts"),
        ({"lines": "2", "gifts": "0", "reason": "x"}, "gifts"),
    ):
        answer = clerk.submit(clerk.get(path), changes, action=f"{path}/match")
        assert set(errors_of(clerk.shown(answer, answer.status_code))) == {field}, changes
        assert answer.status_code in (400, 404, 422)
    answer = clerk.submit(clerk.get(path), action=f"{path}/confirm")
    assert "没有勾选" in told(clerk.shown(answer, 422))
    (one,) = given(world, 30_100)
    fields = {**form_values(clerk.get(path), f"{path}/confirm"), "pair": f"2:{one}"}
    other = {**form_values(clerk.get(path), f"{path}/confirm"), "pair": f"2:{one}"}
    assert clerk.send(f"{path}/confirm", fields).status_code == 303
    assert errors_of(clerk.shown(clerk.send(f"{path}/confirm", other), 422)), "matched already"
    assert clerk.request("GET", f"{PATH}/0").status_code == 404
    assert clerk.request("GET", f"{PATH}/draft/{'0' * 32}").status_code == 404
    monkeypatch.setattr(statements, "UPLOAD_BYTES_MAX", 10)
    monkeypatch.setattr(statements, "FORM_BYTES", 0)
    assert "超过" in told(clerk.shown(send_file(clerk, STATEMENT), 413))


def test_lines_that_are_no_longer_kept_come_back_with_the_same_file(world: Caller) -> None:
    clerk = Clerk(world, Role.CLERK)
    path = imported(clerk)
    folder = world.book.folder / "statements"
    for one in folder.iterdir():
        assert CANARY.encode("gb18030") not in one.read_bytes()
        assert CANARY.encode() not in one.read_bytes()
        assert one.stat().st_mode & 0o777 == 0o600
        one.unlink()
    page = clerk.get(path)
    assert "再次提供文件" in page.html
    assert "1,903.00" in page.html
    action = f"{path}/lines"
    fields = form_values(page, action)
    fields.pop("file")

    def give(data: bytes) -> httpx.Response:
        return clerk.request("POST", action, {"origin": SITE}, data=fields, files={"file": data})

    assert errors_of(clerk.shown(give(csv("2022-01-10,1.00,,1.00,,")), 422))
    page = clerk.shown(give(STATEMENT + b"\r\n"), 422)
    assert "不是登记时的文件" in told(page)
    assert give(STATEMENT).headers["location"] == path
    assert CANARY in clerk.get(path).html
    assert give(b"").headers["location"] == path, "they are there already"


@pytest.mark.parametrize("role", list(Role))
def test_lines_are_only_for_who_may_see_them(
    world: Caller, role: Role, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    clerk = Clerk(world, Role.CLERK)
    path = imported(clerk)
    draft = send_file(clerk, csv("2022-02-10,1.00,,2.00,,")).headers["location"]
    person = Clerk(world, role)
    seen = {
        one
        for one in (PATH, "/staff", path, draft)
        if CANARY in (answer := person.request("GET", one)).text
        or answer.status_code not in (200, 403)
    }
    assert seen == ({path} if role in OPENERS else set())
    if role is not Role.CLERK:
        csrf = form_values(person.get("/staff"), "/staff/sign-out")["csrf"]
        for action in (f"{path}/match", f"{path}/confirm", draft):
            assert person.send(action, {"csrf": csrf}).status_code == 403
        for action in (PATH, f"{path}/lines"):
            answer = person.request("POST", action, {"origin": SITE}, data={"csrf": csrf})
            assert answer.status_code == 403
        if role in OPENERS:
            assert f"{path}/match" not in person.get(path).html
    assert CANARY not in caplog.text


def test_old_drafts_are_swept(world: Caller) -> None:
    clerk = Clerk(world, Role.CLERK)
    path = imported(clerk)
    index = int(re.findall(r"\d+", path)[0])
    files = StatementFiles(world.book)
    folder = world.book.folder / "statements"
    names = {one.name for one in folder.iterdir()}
    assert len(names) == 2
    for one in folder.iterdir():
        os.utime(one, (0, 0))
    # Another request's, listed and then moved into its place.
    moved = folder / "draft-other.part"
    moved.symlink_to("nowhere")
    send_file(clerk, csv("2022-03-10,1.00,,2.00,,"))
    assert files.find(index) is None
    moved.unlink()
    assert len(list(folder.iterdir())) == 1


def test_a_statement_imported_by_mistake_is_reversed_and_imported_again(world: Caller) -> None:
    clerk = Clerk(world, Role.CLERK)
    path = imported(clerk)
    index = int(re.findall(r"\d+", path)[0])
    assert f"{path}/match" in clerk.get(path).html
    undo = {"entry": index, "reason": "导错账户"}
    body = {"kind": "entry.reversed", "occurred_on": "2022-02-01", "fields": undo}
    by = world.record(body, approval=Role.APPROVER)["index"]
    page = clerk.get(path)
    assert f"/entries/{by}" in page.html
    assert f"{path}/match" not in page.html
    assert "还没有对账单" in clerk.get(PATH).html
    assert imported(clerk) != path
