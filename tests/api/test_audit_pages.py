"""The auditor's pages: sums, evidence, samples, decisions, downloads."""

from __future__ import annotations

import io
import re
import shlex
import time
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from browser import Page, fetch, read
from caller import Caller, gift, serving
from clerk import Clerk, form_values
from log_keys import private_key
from tamper import Tamper
from test_attention import rule
from typer.main import get_command
from typer.testing import CliRunner

from api.pages.audit import accounts, downloads, routes, sampling
from api.pages.audit.commands import Commands
from ledger.audit.evidence import judge
from ledger.audit.export.checking import check_export
from ledger.cli import build
from ledger.feed import Feed, Standing
from ledger.keys.files import signer_of
from ledger.records.kind import Role
from ledger.tlog.checkpoint import sign_checkpoint
from ledger.tlog.note import format_verifier_key

WAITS_MAX = 1200
PAGES = (
    "/audit",
    "/audit/integrity",
    "/audit/consistency",
    "/audit/attention",
    "/audit/sample",
    "/audit/downloads",
)


def words_of(page: Page) -> str:
    """All that a page says."""
    return page.one("main").text


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_page_is_whole_and_its_links_lead_somewhere(untouched: Caller, language: str) -> None:
    followed = set()
    for path in PAGES:
        page = read(untouched, path, language)
        assert path in page.links()
        followed |= {href.partition("#")[0] for href in page.links() if href.startswith("/")}
    for path in followed - {"/audit/export.zip"}:
        assert fetch(untouched, path).status_code in (200, 303), path


# --- does it add up ---


def test_every_number_leads_to_what_it_counts(untouched: Caller) -> None:
    page = read(untouched, "/audit")
    linked = [one.text for one in page.all("a")]
    for table in page.tables:
        head = table.rows[0]
        for row in table.rows[1:]:
            for name, text in zip(head[1:], row[1:], strict=True):
                counted = re.fullmatch(r"[0-9][0-9,.]*", text)
                if counted and name != "差额" and text.strip("0,.") != "":
                    assert text in linked, (table.caption, row[0], name, text)


def test_integrity_tells_of_the_background_inspection(folder: Path) -> None:
    with serving(folder, audit=False) as caller:
        facts = read(caller, "/audit/integrity").facts()
        assert facts["上次逐行比对完成"] == "未开启"
    pace = {"inspection_rows_per_second": 1_000_000, "inspection_audit_seconds": 86_400}
    with serving(folder, audit=False, **pace) as caller:
        for _ in range(WAITS_MAX):
            if caller.app.state.inspector.standing().round_ended is not None:
                break
            time.sleep(0.05)
        facts = read(caller, "/audit/integrity").facts()
        assert "前" in facts["上次逐行比对完成"]
        assert facts["上次完整核验完成"] == "本次启动以来还没有完成过"
        assert "没有发现问题" in facts["发现的问题"]


def test_every_balance_adds_up_and_says_as_of_when(untouched: Caller) -> None:
    page = read(untouched, "/audit")
    assert "全部相符" in words_of(page)
    assert "✕" not in words_of(page)
    size = untouched.book.head().size
    for table in page.tables:
        assert f"#{size - 1}" in table.caption
    total = page.table("各资金账户").row("全部资金")
    yuan = [float(one.replace(",", "")) for one in total[1:5]]
    assert yuan[0] + yuan[1] == yuan[2] + yuan[3]
    assert yuan[0] > 0


def test_a_changed_table_is_told_in_words(folder: Path) -> None:
    with serving(folder, audit=False) as caller:
        tamper = Tamper(folder)
        try:
            row = next(one for one in tamper.rows("pool") if one[3] > 0)
            tamper.change("pool", row[:2], "held", row[3] - 1)
        finally:
            tamper.close()
        page = read(caller, "/audit", "en")
        assert "do not add up" in words_of(page)
        assert "✕ differs by -" in words_of(page)


def test_many_funds_are_never_cut_in_silence(
    untouched: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = len(read(untouched, "/audit").table("各资金账户").rows) - 2
    monkeypatch.setattr(routes, "ROWS_MAX", 1)
    page = read(untouched, "/audit")
    assert len(page.table("各资金账户").rows) == 3
    assert f"另有 {every - 1} 行未列出" in words_of(page)


def test_an_account_is_read_page_by_page(
    untouched: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = "/audit/accounts/CNY/fund:general"
    whole = read(untouched, path).tables
    monkeypatch.setattr(accounts, "ROWS", 1)
    rows: list[list[str]] = []
    place: str | None = path
    while place is not None:
        page = read(untouched, place)
        rows += page.tables[0].rows[1:]
        place = next((f"{path}{one}" for one in page.links() if "下一页" in _name(page, one)), None)
        place = place if place and "#came" in place else None
    assert rows == whole[0].rows[1:]
    read(untouched, "/audit/accounts/CNY/fund:nobody", status=404)
    read(untouched, "/audit/accounts/CNY/world:donor", status=404)


def _name(page: Page, href: str) -> str:
    return next(one.text for one in page.all("a") if one.attributes["href"] == href)


# --- integrity and consistency ---


def test_integrity_says_what_to_compare(untouched: Caller) -> None:
    head = untouched.book.head()
    text = words_of(read(untouched, "/audit/integrity"))
    assert head.root.hex() in text
    for key in untouched.book.key_history.keys:
        assert format_verifier_key(key) in text
    assert "还没有配置见证人" in text


def test_integrity_says_how_each_witness_stands(
    untouched: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = untouched.book.head().size
    now = int(time.time())
    standings = [
        Standing("a.example", "a.example+0", size, now, None, None),
        Standing("b.example", "b.example+0", size - 2, now - 3 * 86_400, None, None),
        Standing("c.example", "c.example+0", None, None, None, None),
        Standing("d.example", "d.example+0", 1, 1, "away", "it cannot be reached: ConnectError"),
    ]
    monkeypatch.setattr(Feed, "standings", lambda _: standings)
    page = read(untouched, "/audit/integrity")
    rows = page.table("各见证人最近一次签名").rows[1:]
    assert [row[3].split(" ")[0] for row in rows] == ["✓", "…", "…", "✕"]
    assert "已见证至最新" in rows[0][3]
    assert "尚差 2 条" in rows[1][3]
    assert "3 天前" in rows[1][2]
    assert "还没有见证过" in rows[2][3]
    assert "联系不上" in rows[3][3]
    assert "答复不等待见证人签名" in words_of(page)


def test_two_sizes_are_proved(untouched: Caller) -> None:
    size = untouched.book.head().size
    page = read(untouched, f"/audit/consistency?old=3&new={size}", "en")
    assert f"the log of {size} entries contains the whole log of 3 entries" in words_of(page)
    assert "verify-growth" in words_of(page)
    assert "of 3 entries" in words_of(read(untouched, "/audit/consistency?old=%EF%BC%93", "en"))


@pytest.mark.parametrize(
    ("query", "field", "came"),
    [
        ("consistency?old=1&new=9,999", "new", "“9,999”"),
        ("consistency?old=5&new=4", "new", "“4”"),
        ("consistency?old=99999", "old", "“99999”"),
        ("consistency?old=&new=4", "old", "“”"),
        ("consistency?old=<b>&new=4", "old", "“<b>”"),
        ("sample?seed=x&n=0", "n", "“0”"),
        ("sample?seed=x&n=many", "n", "“many”"),
        ("sample?seed=x&n=501", "n", "1 to 500"),
        (f"sample?seed={'x' * 201}", "seed", "at most 200"),
        ("sample?seed=x&kind=no.such", "kind", "“no.such”"),
        ("sample?seed=x&fund=No%20such", "fund", "“No such”"),
        ("sample?seed=x&fund=no-such", "fund", "“no-such”"),
    ],
)
def test_what_is_wrong_is_told_at_its_field(
    untouched: Caller, query: str, field: str, came: str
) -> None:
    page = read(untouched, f"/audit/{query}", "en", status=400)
    told = next(one for one in page.all("a") if one.attributes["href"] == f"#{field}")
    assert came in told.text
    wrong = [one for one in page.elements if "aria-invalid" in one.attributes]
    assert [one.attributes["id"] for one in wrong] == [field]
    assert not [href for href in page.links() if href.startswith("/audit/sample.")]


def pasted(caller: Caller, first: bytes, second: bytes = b"", **more: str) -> Page:
    """The page that answers two pasted checkpoints."""
    answer = Clerk(caller, language="en").send(
        "/audit/consistency", {"first": first.decode(), "second": second.decode(), **more}
    )
    page = Page(answer.text)
    assert answer.status_code == (400 if page.all("h2")[0].text == "There is a problem" else 200)
    return page


def test_a_kept_checkpoint_is_of_this_history(service: Caller) -> None:
    old = service.book.checkpoint()
    receipt = service.record(gift(300))["receipt"].encode()
    assert "contains the whole log" in words_of(pasted(service, old))
    assert "same size" in words_of(pasted(service, service.book.checkpoint()))
    assert "contains the whole log" in words_of(pasted(service, receipt.strip(), old))


def test_what_is_no_checkpoint_of_this_log_is_told(untouched: Caller) -> None:
    book = untouched.book
    note = book.checkpoint()
    head = book.head()
    page = pasted(untouched, b"hello\nthere")
    assert "neither a whole checkpoint nor a receipt (2 lines came" in words_of(page)
    assert {"#first"} == {href for href in page.links() if href in ("#first", "#second")}
    assert "#second" in pasted(untouched, note, b"hello").links()
    assert "Nothing is here" in words_of(pasted(untouched, b" "))
    assert "same size" in words_of(pasted(untouched, b"\xef\xbb\xbf \n" + note + b"  "))
    forged = note.replace(b"\n", b"\n1", 1)
    assert "The signature fails" in words_of(pasted(untouched, forged))
    stranger = sign_checkpoint(
        book.origin, head.size, head.root, [signer_of(book.origin, private_key(9))]
    )
    assert "cannot be decided" in words_of(pasted(untouched, stranger))
    ahead = book.keyring.sign(book.origin, head.size + 5, head.root, book.key_history.active)
    assert "more than the" in words_of(pasted(untouched, ahead))


@pytest.mark.parametrize("back", [0, 1, 4])
def test_contradicting_checkpoints_are_evidence(
    untouched: Caller, tmp_path: Path, back: int
) -> None:
    """The log's own key signed another root: for the newest size, or for an earlier one."""
    book = untouched.book
    size = book.head().size - back
    other = book.keyring.sign(book.origin, size, bytes(32), book.key_history.active)
    page = pasted(untouched, other)
    assert "Contradiction" in words_of(page)
    assert "Download the evidence" in words_of(page)
    answer = Clerk(untouched).send(
        "/audit/consistency", {"first": other.decode(), "second": "", "do": "evidence"}
    )
    assert answer.headers["content-type"] == downloads.ZIP
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        archive.extractall(tmp_path)
        names = archive.namelist()
    files = [tmp_path / name for name in names if name != "README.txt"]
    judgement = judge(files[0].read_bytes(), files[1].read_bytes(), book.key_history.keys)
    assert judgement.verdict == "two_histories"
    command = (tmp_path / "README.txt").read_text("utf-8").splitlines()[-1]
    assert all(one.name in command for one in files)
    ran = CliRunner().invoke(
        build(), [*_in_folder(shlex.split(command)[1:], tmp_path), "--lang", "en"]
    )
    assert ran.exit_code == 1, ran.output


def _in_folder(arguments: list[str], folder: Path) -> list[str]:
    return [str(folder / one) if (folder / one).is_file() else one for one in arguments]


# --- the attention list ---


def test_an_auditor_decides_once(service: Caller) -> None:
    rule(service)
    page = read(service, "/audit/attention")
    assert "项目进展公开已逾期" in words_of(page)
    assert "审计人员登录后可以登记处理意见" in words_of(page)
    auditor = Clerk(service, Role.AUDITOR)
    page = Page(auditor.request("GET", "/audit/attention").text)
    form = next(href for href in page.links() if "/decide?" in href)
    assert Clerk(service, Role.CLERK).request("GET", form).status_code == 403
    assert Clerk(service).request("GET", form).headers["location"].startswith("/staff/sign-in")

    page = auditor.get(form)
    action = "/audit/attention/decide"
    wrong = auditor.shown(auditor.submit(page, {"reason": "  "}, action=action), 400)
    assert {"请选择处理意见", "请填写理由"} <= {one.text for one in wrong.all("a")}
    for reason, problem in (("长" * 2001, "文字过长，请缩短"), ("a\x07", "含有不能使用的字符")):
        typed = {"decision": "in_order", "reason": reason}
        wrong = auditor.shown(auditor.submit(wrong, typed, action=action), 400)
        told = next(one for one in wrong.all("a") if one.attributes["href"] == "#reason")
        assert problem in told.text
        assert wrong.one("textarea").text == reason
    size = service.book.head().size
    typed = {"decision": "in_order", "reason": "已核对公开材料"}
    answer = auditor.submit(wrong, typed, action=action)
    assert answer.headers["location"] == f"/entries/{size}"
    again = auditor.submit(wrong, typed, action=action)
    assert again.headers["location"] == answer.headers["location"]
    changed = {"decision": "referred", "reason": "改变了主意"}
    page = auditor.shown(auditor.submit(wrong, changed, action=action), 400)
    assert "这份表单已经以其他内容登记过" in words_of(page)
    assert "处理意见： 无异常" in words_of(page)
    assert service.book.head().size == size + 1
    entry = service.value(f"/v1/entries/{size}")["entry"]
    assert (entry["kind"], entry["recorded_by"]) == ("attention.disposed", "auditor-1")
    assert "处理意见： 无异常" in words_of(read(service, "/audit/attention"))
    # What is decided, or never was, has no form; a form from elsewhere is refused.
    assert auditor.request("GET", "/audit/attention/decide?flag=x&entries=1").status_code == 404
    fields = {**form_values(wrong, action), **typed, "csrf": "x"}
    assert auditor.send(action, fields).status_code == 403


def test_the_list_is_filtered_by_topic(service: Caller) -> None:
    rule(service)
    read(service, "/audit/attention?topic=project_report_overdue")
    assert "没有需要关注的事项" in words_of(read(service, "/audit/attention?topic=stock_expired"))
    assert fetch(service, "/audit/attention?topic=No").status_code == 400


# --- sampling ---


@pytest.mark.parametrize("query", [{}, {"kind": "donation.money"}, {"fund": "general"}])
def test_a_sample_is_the_very_one_of_the_command(
    untouched: Caller, tmp_path: Path, query: dict[str, str]
) -> None:
    size = untouched.book.head().size
    asked = urlencode({"seed": "2022 年", "n": 7, "size": size, **query})
    page = read(untouched, f"/audit/sample?{asked}")
    options = [part for name, value in query.items() for part in (f"--{name}", value)]
    command = ["sample", str(untouched.folder), "--seed", "2022 年", "-n", "7", *options]
    ran = CliRunner().invoke(
        build(),
        [*command, "--csv", str(tmp_path / "s.csv"), "--page", str(tmp_path / "s.html"), "--json"],
    )
    assert ran.exit_code == 0, ran.output
    for form, expected in (
        ("csv", (tmp_path / "s.csv").read_bytes()),
        ("html", (tmp_path / "s.html").read_bytes()),
        ("json", ran.stdout.encode()),
    ):
        answer = fetch(untouched, f"/audit/sample.{form}?{asked}")
        assert answer.content == expected, form
        assert f"/audit/sample.{form}?{asked}" in page.links()
    drawn = [row[0] for row in page.table("抽中的条目").rows[1:]]
    assert [f"#{one}" for one in re.findall(r'"index": (\d+)', ran.stdout)] == drawn


def test_what_is_too_large_for_a_page_is_a_command(
    untouched: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampling, "ENTRIES_MAX", 3)
    page = read(untouched, "/audit/sample?seed=it%27s&n=2", "en")
    assert "this page draws from at most 3" in words_of(page)
    assert "--seed 'it'\"'\"'s' -n 2" in words_of(page)
    assert fetch(untouched, "/audit/sample.csv?seed=x&size=9").status_code == 422
    monkeypatch.setattr(routes, "EXPORT_ENTRIES_MAX", 3)
    monkeypatch.setattr(downloads, "EXPORT_ENTRIES_MAX", 3)
    page = read(untouched, "/audit/downloads", "en")
    assert "/audit/export.zip" not in page.links()
    assert "shanji export export" in words_of(page)
    assert untouched.get("/audit/export.zip").json()["code"] == "export_too_large"


# --- downloads and commands ---


def test_everything_is_downloaded_whole(untouched: Caller, tmp_path: Path) -> None:
    assert "/audit/export.zip" in read(untouched, "/audit/downloads").links()
    answer = untouched.get("/audit/export.zip")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        archive.extractall(tmp_path)
    log = check_export(tmp_path / "export", untouched.book.key_history.keys)
    assert log.root == untouched.book.head().root


def test_the_commands_are_commands() -> None:
    commands = Commands("http://127.0.0.1:8000", "--key log+01234567+AAAA")
    program: Any = get_command(build())
    texts = [
        getattr(commands, name)
        for name in ("mirror", "audit", "verify", "export", "export_check", "growth")
    ]
    texts += [commands.growth_of(1, 2), commands.sample("种子", 3, "donation.money", "general")]
    texts.append(commands.evidence("a.checkpoint", "b.checkpoint"))
    for line in "\n".join(texts).splitlines():
        name, *arguments = shlex.split(line)
        if name == "curl":
            continue
        command = program.commands[arguments[0]]
        context = command.make_context(arguments[0], arguments[1:])
        assert name == "shanji"
        context.close()
