"""Pages of sites, parties, wishes, lots and points; what funds and projects tell besides sums."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from browser import Page, fetch, read
from caller import Caller, serving

from ledger.attention import KeptBoard

RICE = "2022-06-30/D2021-01"


@pytest.fixture(scope="module")
def shown(loaded_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    folder = tmp_path_factory.mktemp("things") / "book"
    shutil.copytree(loaded_template, folder)
    with serving(folder, audit=False) as caller:
        yield caller


def fen(text: str) -> int:
    return int(re.sub(r"[^\d]", "", text.split()[0]))


PATHS = (
    "/sites",
    "/sites/shop-1",
    "/parties",
    "/parties/supplier-goods",
    "/parties/holder-0001",
    "/wishes",
    "/points",
    f"/items/rice/lot?label={quote(RICE)}",
    "/projects?state=open",
    "/projects?state=closed",
    "/funds/giving-day",
    "/projects/giving-day-2021",
)


@pytest.mark.parametrize("path", PATHS)
def test_a_page_is_whole_in_both_languages_and_in_elder_mode(shown: Caller, path: str) -> None:
    for language in ("zh", "en"):
        read(shown, path, language)
        cookie = {"Cookie": f"lang={language}; elder=1"}
        assert read(shown, path, language, headers=cookie).one("html").attributes["class"]


def test_points_add_up(shown: Caller) -> None:
    facts = read(shown, "/points").facts()
    used = ("已兑换积分", "过期积分", "冲回积分", "尚未使用")
    assert fen(facts["已发放积分"]) == sum(fen(facts[name]) for name in used) == 3_000


def test_points_tell_what_they_buy_and_when_they_run_out(
    shown: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = read(shown, "/points")
    (item, price, stock) = page.table("可兑换的物资").rows[1]
    assert (item, price.split()[0]) == ("大米", "60")
    here = read(shown, "/sites/shop-1").table("收到与现有的物资").row("大米")[3]
    assert f"聚善空间·慈善超市1号店 {here} 袋" in stock
    # The month of one holder is hidden, and the other with it: it would give that one away.
    months = page.table("尚未使用的积分").rows[1:]
    assert [row[1] for row in months] == ["不公布"] * 2
    assert not any(row[2].isdigit() for row in months)
    assert all("已到期" in row[0] for row in months)
    monkeypatch.setattr("api.pages.points.least_group", lambda rule: 1)
    months = read(shown, "/points").table("尚未使用的积分").rows[1:]
    assert sum(fen(row[1]) for row in months) == fen(page.facts()["尚未使用"])
    assert [int(row[2]) for row in months] == [1, 5], "one holder has points of both months"
    monkeypatch.setattr(KeptBoard, "beginning", True)
    assert "正在汇总" in read(shown, "/points").html


def test_purposes_are_words_and_codes_that_nobody_translated_are_codes(shown: Caller) -> None:
    code = "community-charity"
    for language, word in (("zh", "社区慈善"), ("en", "community charity")):
        for path in ("/projects/giving-day-2021", "/funds/giving-day"):
            facts = read(shown, path, language).facts()
            assert f"{word} {code}" in facts.values()


def test_the_parts_of_a_holder_sum_to_what_is_held(shown: Caller) -> None:
    page = read(shown, "/parties/holder-0001")
    facts = page.facts()
    assert fen(facts["累计获得"]) == fen(facts["已使用、过期或冲回"]) + fen(facts["现有"])
    parts = page.table("现有积分的可用日期与有效期").rows[1:]
    assert sum(fen(row[2]) for row in parts) == fen(facts["现有"])
    assert "不公开" in page.html


def test_a_lot_is_told_site_by_site_as_the_item_is(shown: Caller) -> None:
    held = sum(int(row[2]) for row in read(shown, PATHS[7]).table("各处的本批次物资").rows[1:])
    stock = read(shown, "/items/rice").table("各处库存")
    assert held == sum(int(row[3]) for row in stock.rows[1:] if not row[0].startswith("在途"))
    assert "/items/rice/lot?label=2022-06-30%2FD2021-01" in read(shown, "/items/rice").links()
    lot = read(shown, PATHS[7]).table("涉及本批次的条目")
    about_rice = {row[0] for row in read(shown, "/entries?item=rice").tables[0].rows[1:]}
    listed = {row[0] for row in lot.rows[1:]}
    assert 0 < len(listed & about_rice) < len(about_rice), "the lot's own, not all of the item's"
    kinds = [row[1] for row in lot.rows[1:] if row[0] not in about_rice]
    assert set(kinds) == {"调拨入库"}, "which names the shipment and not the item"
    answer = fetch(shown, "/items/rice/lot?label=none", {"Accept": "text/html"})
    assert answer.status_code == 404


@pytest.mark.parametrize(("path", "part"), [("/items/rice", "/lot"), ("/sites/shop-1", "/items/")])
def test_lots_and_stock_are_read_page_by_page(
    shown: Caller, monkeypatch: pytest.MonkeyPatch, path: str, part: str
) -> None:
    def told(address: str) -> tuple[list[str], str | None]:
        page = read(shown, address)
        links = [one for one in page.links() if part in one]
        following = [one for one in page.all("a") if one.attributes.get("rel") == "next"]
        return links, following[0].attributes["href"] if following else None

    whole, _ = told(path)
    monkeypatch.setattr("api.pages.things.ROWS_MAX", 1)
    seen: list[str] = []
    address: str | None = path
    while address is not None and len(seen) <= len(whole):
        some, following = told(address)
        seen += some
        address = (
            None
            if following is None
            else path + following[following.index("?") :].partition("#")[0]
        )
    assert whole
    assert seen == whole


@pytest.mark.parametrize(
    ("path", "balance"),
    [
        ("/funds/general", "余额"),
        ("/funds/giving-day", "余额"),
        ("/projects/giving-day-2021", "账上"),
    ],
)
def test_ages_sum_to_what_is_unspent(shown: Caller, path: str, balance: str) -> None:
    page = read(shown, path)
    ages = page.table("从捐赠之日算到").rows[1:]
    assert sum(fen(row[1]) for row in ages) == fen(page.table("收支").row(balance)[1])
    assert ("未逐笔计算" in page.html) == ("giving-day" in path), "ten thousand are not counted"


def test_the_picture_of_a_fund_is_its_totals(shown: Caller) -> None:
    page = read(shown, "/funds/general")
    rows = page.table("图示：非限定性资金的来去").rows[1:]
    came = sum(fen(row[2]) for row in rows if row[1] == "非限定性资金")
    went = sum(fen(row[2]) for row in rows if row[0] == "非限定性资金")
    assert came == went
    assert ["非限定性资金", "尚未使用", page.table("收支").row("余额")[1] + " 元"] in rows


def test_payments_name_suppliers_and_goods_and_no_person(shown: Caller) -> None:
    (payment,) = read(shown, "/funds/general").table("最近的 1 笔支出").rows[1:]
    assert payment[2:4] == ["示例物资供应商", "200 袋 大米"]
    aided = read(shown, "/parties/supplier-goods")
    assert aided.table("最近的").rows[1][2] == "示例物资供应商"


def test_a_project_tells_when_it_has_to_report(shown: Caller) -> None:
    page: Page = read(shown, "/projects/giving-day-2021", "en")
    assert "overdue" in page.facts()["Next report due"]
    assert page.facts()["Last report"] == "no report yet"


def test_open_and_closed_projects_are_all_projects(shown: Caller) -> None:
    names = {
        state: {row[0] for row in read(shown, f"/projects?state={state}").tables[0].rows[1:]}
        for state in ("", "open", "closed")
    }
    assert names[""] - {"合计"} >= (names["open"] | names["closed"]) - {"合计", "还没有记录。"}
    assert fetch(shown, "/projects?state=other", {"Accept": "text/html"}).status_code == 400


@pytest.mark.parametrize("name", ["funds", "projects", "items"])
def test_a_register_is_a_file_and_leads_on(
    shown: Caller, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fetch(shown, f"/{name}.csv").text.splitlines()
    assert ("募得（分）" in whole[0]) == (name != "items")
    assert ("余额（分）" in whole[0]) == (name == "funds"), "a project has no account of its own"
    monkeypatch.setattr("api.pages.registers.ROWS_MAX", 3)
    path, seen = f"/{name}.csv", []
    for _ in range(50):
        answer = fetch(shown, path)
        lines = answer.text.splitlines()
        link = answer.headers.get("link")
        seen += lines[1:-1] if link else lines[1:]
        if link is None:
            break
        assert "shanji export" in lines[-1]
        path = link.partition(">")[0].removeprefix("<")
    assert seen == whole[1:]
