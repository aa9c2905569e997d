"""The public pages over the demonstration, with every record kind's example recorded."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from browser import Page, fetch, read
from caller import Caller, serving

from api.edge import SECURITY_HEADERS
from ledger.demonstration import PEOPLE
from ledger.records.catalog import KIND_BY_NAME, KINDS
from ledger.records.request import example_body

LINKS_FOLLOWED_MAX = 150
GIFT = 2
"""A gift of 200,000 yuan to the general fund, of which rice was bought."""


@dataclass(frozen=True)
class Site:
    """The service over the demonstration.

    `before` are the home pages before the examples were recorded; `examples` the index
    of each kind's example.
    """

    caller: Caller
    before: dict[str, Page]
    examples: dict[str, int]

    def read(self, path: str, language: str = "zh", **more: int) -> Page:
        return read(self.caller, path, language, **more)


@pytest.fixture(scope="module")
def site(loaded_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("pages") / "book"
    shutil.copytree(loaded_template, folder)
    with serving(folder) as caller:
        before = {language: read(caller, "/", language) for language in ("zh", "en")}
        examples = {"log.opened": 0}
        for kind in KINDS:
            if kind.recorders:
                role = next(role for role in PEOPLE if role in kind.recorders)
                approval = next((role for role in PEOPLE if role in kind.approvers), None)
                answer = caller.record(example_body(kind), role=role, approval=approval)
                examples[kind.name] = answer["index"]
        yield Site(caller, before, examples)


def last_before(site: Site) -> int:
    """The demonstration's last entry: the first example comes after it."""
    return site.examples["party.registered"] - 1


def large_purchase(site: Site) -> int:
    """The purchase of the 7,250 items against the epidemic."""
    entries = (site.caller.book.entry(index)[1] for index in range(last_before(site)))
    return next(
        one.index
        for one in entries
        if one.kind == "purchase.made" and one.postings[-1]["amount"] == 7_250
    )


def test_the_home_page_shows_the_figures_of_the_year(site: Site) -> None:
    page = site.before["zh"]
    assert page.one("h1").text == "捐赠去向账本"
    funds = page.table("各项资金")
    assert f"截至条目 #{last_before(site)}" in funds.caption
    zero = "0.00"
    for name, gifts, opened, raised, spent, balance in (
        ("防疫专项资金", "220", zero, "220,000.00", "220,000.00", zero),
        ("河南水灾重建资金", "182", zero, "1,813,000.00", "1,813,000.00", zero),
        ("来深建设者重疾救助资金", "38", zero, "874,000.00", "874,000.00", zero),
        ("助学资金", "19", zero, "95,000.00", "95,000.00", zero),
        ("困境儿童救治资金", "600", zero, "300,000.00", zero, "300,000.00"),
        ("聚善日资金", "160", zero, "160,000.00", zero, "160,000.00"),
        ("第10社区基金", "11", "55,000.00", "11,000.00", "66,000.00", zero),
        ("99公益日资金", "10,000", zero, "512,000.00", zero, "512,000.00"),
        ("非限定性资金", "16", zero, "204,400.00", "8,000.00", "196,400.00"),
        ("合计", "11,345", "550,000.00", "4,288,400.00", "3,670,000.00", "1,168,400.00"),
    ):
        assert funds.row(name)[2:] == [gifts, opened, raised, spent, balance]
    assert page.table("各个项目").row("樱桃沟社区灾后重建")[-2:] == ["1,813,000.00"] * 2
    items = page.table("各类物资")
    # Columns: unit, given, bought, distributed, redeemed, on hand, valued.
    assert items.row("防疫物资")[1:] == ["件", "0", "7,250", "7,250", "0", "0", zero]
    assert items.row("粽子")[1:] == ["盒", "1,100", "0", "1,100", "0", "0", "330,000.00"]
    assert items.row("图书")[1:] == ["册", "41,264", "0", "41,264", "0", "0", zero]
    assert items.row("大米")[1:] == ["袋", "0", "200", "0", "10", "190", zero]
    assert page.table("慈善超市 5 家").row("合计")[1:] == ["5", "600"]
    assert page.table("积分发放").row("捐款积分")[1:] == ["3,000"]
    assert len(page.table("最新的 10 个条目").rows) == 11


def test_the_home_page_names_the_log_and_its_key(site: Site) -> None:
    book = site.caller.book
    page = site.read("/")
    facts = page.facts()
    assert facts["账本名称"] == book.origin
    assert facts["条目总数"] == f"{book.head().size:,} 条"
    assert facts["核验公钥"] == site.caller.value("/v1/log")["verifier_keys"][0]
    for root in page.all("abbr"):
        assert root.attributes["title"] == book.head().root.hex()
        assert root.text == book.head().root.hex()[:16] + "…"
    assert facts["最近一次入账"].endswith("UTC+08:00")
    for path in ("/how", "/checkpoint", "/openapi.json", "/v1/log", "/entries"):
        assert path in page.links()


def test_the_same_home_page_in_english(site: Site) -> None:
    page = site.before["en"]
    assert page.table("Funds").row("Total")[2:] == [
        "11,345",
        "550,000.00",
        "4,288,400.00",
        "3,670,000.00",
        "1,168,400.00",
    ]
    assert f"as of entry #{last_before(site)}" in page.table("Goods").caption


PATHS = (
    "/",
    "/entries",
    "/entries?before=300",
    "/entries?before=0",
    "/funds",
    "/funds?after=general",
    "/funds/general",
    "/funds/giving-day",
    "/funds/next-year",
    "/projects",
    "/projects/giving-day-2021",
    "/projects/winter-visits",
    "/items",
    "/items/rice",
    "/items/blanket",
    "/search?q=rice",
    "/entries?kind=donation.money&fund=general",
    "/keys",
    "/how",
    "/kinds",
    "/docs",
)


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("path", PATHS)
def test_every_page_is_whole_in_both_languages(site: Site, path: str, language: str) -> None:
    page = site.read(path, language)
    other = next(one for one in page.all("a") if "hreflang" in one.attributes)
    assert other.text == {"zh": "English", "en": "中文"}[language]
    assert other.attributes["lang"] == {"zh": "en", "en": "zh-Hans"}[language]


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("kind", [kind.name for kind in KINDS])
def test_each_kind_has_its_documentation_and_its_entry(
    site: Site, kind: str, language: str
) -> None:
    documented = site.read(f"/kinds/{kind}", language)
    found = next(one for one in KINDS if one.name == kind)
    assert documented.one("h1").text == {"zh": found.title_zh, "en": found.title_en}[language]
    for name in (*found.fields.model_fields, *found.sealed.model_fields):
        prefix = "fields" if name in found.fields.model_fields else "sealed"
        assert re.search(rf"<code>{prefix}\.{name}(\[\])?</code>", documented.html), name
    assert documented.html.count('<code class="copy">') == bool(found.example)
    index = site.examples[kind]
    page = site.read(f"/entries/{index}", language)
    assert str(index) in page.one("h1").text
    _, entry = site.caller.book.entry(index)
    for commitment in entry.sealed.values():
        assert commitment in page.html
    for name in entry.sealed:
        assert example_body(found)["sealed"][name] not in page.html
    assert f"/v1/entries/{index}/receipt" in page.links()
    for number in entry.references:
        assert f"/entries/{number}" in page.links()


def test_the_units_of_a_gift_are_told_in_plain_words(site: Site) -> None:
    index = site.examples["donation.money"]
    at = site.caller.book.entry(index)[1].postings[0]["at"]
    moved = site.read(f"/entries/{index}").table("变动与编号").rows[1]
    assert moved[0] == "捐赠人"
    assert moved[1] == f"非限定性资金 general 编为第 {at:,}–{at + 9_999:,} 分"
    assert moved[2] == "100.00 元"
    english = site.read(f"/entries/{index}", "en").table("Movements").rows[1]
    assert english[1] == f"非限定性资金 general becomes fen {at:,}–{at + 9_999:,}"


def test_the_amount_of_a_gift_stands_in_words_on_the_chinese_page(site: Site) -> None:
    path = f"/entries/{site.examples['donation.money']}"
    assert site.read(path).facts()["金额"] == "100.00 元 壹佰元整"
    assert site.read(path, "en").facts()["amount"] == "100.00 yuan"


def _amounts(cells: list[str]) -> list[int]:
    """Amounts like ``1,234.56 元`` in fen, and per cents in hundredths."""
    return [int(cell.split()[0].strip("%").replace(",", "").replace(".", "")) for cell in cells]


def test_the_shares_of_a_trace_sum_to_the_whole(site: Site) -> None:
    page = site.read(f"/entries/{GIFT}")
    table = page.table("200,000.00 元的去向 ")
    *parts, total = table.rows[1:]
    assert sum(_amounts([row[3] for row in parts])) == 20_000_000
    assert _amounts([total[3]]) == [20_000_000]
    assert sum(_amounts([row[4] for row in parts])) == 10_000
    assert total[4] == "100.00%"
    shop = table.row("聚善空间·慈善超市1号店")
    assert shop[1].startswith("仍在账上")
    assert shop[1].endswith("袋 大米")
    steps = page.table("经过的每一步")
    assert {"purchase.made", "采购物资"} & {row[1] for row in steps.rows}
    kept = page.table("200,000.00 元的来源")
    assert kept.row("非限定性资金")[2] == f"#{GIFT}"


def test_a_large_trace_is_summed_up_and_a_huge_one_is_a_download(site: Site) -> None:
    purchase = large_purchase(site)
    page = site.read(f"/entries/{purchase}")
    table = page.table("7,250 件 防疫物资的来源")
    rest = table.row("其余 180 项合计")
    assert _amounts([rest[3]]) == [18_000_000]
    assert sum(_amounts([row[3] for row in table.rows[1:-1]])) == 22_000_000
    assert sum(_amounts([row[4] for row in table.rows[1:-1]])) == 10_000
    assert f"/v1/entries/{purchase}/trace?direction=backward&proof=true" in page.links()


def test_a_walk_through_too_many_entries_is_left_to_the_file(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.pages.whereabouts.ENTRIES_MAX", 5)
    page = site.read(f"/entries/{large_purchase(site)}")
    assert "涉及的条目太多" in page.html
    assert not [one for one in page.tables if "的来源" in one.caption]


def test_corrections_are_told_on_both_sides(site: Site) -> None:
    reversal = site.examples["entry.reversed"]
    page = site.read("/entries/4")
    assert f"本条目已被条目 #{reversal} 冲正。" in [one.text for one in page.all("p")]
    assert f"/entries/{reversal}" in page.links()
    other = site.read(f"/entries/{reversal}", "en")
    assert "This entry reverses entry #4." in [one.text for one in other.all("p")]
    listed = site.read("/entries?before=5").table("第 4 号至第 0 号").row("#4")
    assert listed[1] == f"捐赠款项 已被 #{reversal} 冲正"


def test_a_refund_is_told_on_the_page_of_its_gift(site: Site) -> None:
    refund = site.examples["donation.refunded"]
    page = site.read("/entries/3")
    assert "本笔捐款已退还 100.00 元。" in [one.text for one in page.all("p")]
    assert page.facts()["引用本条目的后续条目"].startswith(f"#{refund} 退还捐款")


def test_points_are_told_on_the_page_of_what_earned_them(site: Site) -> None:
    issued = site.examples["points.issued"]
    page = site.read("/entries/5", "en")
    assert f"#{issued} Points issued" in page.html.replace(
        f'<a href="/entries/{issued}">#{issued}</a>', f"#{issued}"
    )


def test_the_proof_on_the_page_is_the_proof_of_the_entry(site: Site) -> None:
    proof = site.caller.book.inclusion(GIFT)
    page = site.read(f"/entries/{GIFT}")
    hashes = [one.text for one in page.all("code")]
    for one in (proof.leaf_hash, proof.root, *proof.proof):
        assert one.hex() in hashes
    data, entry = site.caller.book.entry(GIFT)
    assert data.decode() in hashes
    assert entry.previous in hashes


def test_lists_of_entries_lead_on_and_back(site: Site) -> None:
    size = site.caller.book.head().size
    newest = site.read("/entries")
    assert f"/entries?before={size - 50}" in newest.links()
    second = site.read(f"/entries?before={size - 50}")
    assert "/entries" in [
        one.attributes["href"] for one in second.all("a") if one.attributes.get("rel") == "prev"
    ]
    oldest = site.read("/entries?before=30")
    assert [one for one in oldest.all("a") if one.attributes.get("rel") == "next"] == []
    assert len(oldest.tables[0].rows) == 31
    assert oldest.tables[0].rows[-1][0] == "#0"


def test_lists_go_on_where_they_were_cut(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = [row[0] for row in site.read("/funds").tables[0].rows[1:-1]]
    monkeypatch.setattr("api.pages.registers.ROWS_MAX", 4)
    found: list[str] = []
    path = "/funds"
    while path:
        page = site.read(path)
        found += [row[0] for row in page.tables[0].rows[1:]]
        path = next((link for link in page.links() if link.startswith("/funds?after=")), "")
    assert found == whole
    assert "合计" not in found


def test_a_fund_page_adds_up_to_its_account(site: Site) -> None:
    page = site.read("/funds/general")
    sums = page.table("收支")
    value = {row[0]: _amounts([row[1]])[0] for row in sums.rows[1:]}
    balance = value.pop("余额")
    assert balance == sum(
        amount if name.endswith("（加）") else -amount for name, amount in value.items()
    )
    assert set(value) >= {"募得（加）", "变卖所得（加）", "退还（减）", "支出（减）"}
    held = page.table("仍在账上的编号")
    assert sum(_amounts([row[-1] for row in held.rows[1:]])) == balance


def test_an_item_page_tells_where_its_units_are(site: Site) -> None:
    page = site.read("/items/rice")
    on_hand = int(page.table("收发存").row("在库与在途")[1])
    stock = page.table("各处库存")
    assert sum(int(row[3]) for row in stock.rows[1:]) == on_hand
    assert "保质期至 2022-06-30 · 批次 D2021-01" in stock.row("聚善空间·慈善超市1号店")[1]
    assert stock.row("在途")[3].isdigit()


def test_a_project_page_tells_its_fund_and_target(site: Site) -> None:
    page = site.read("/projects/giving-day-2021", "en")
    assert "/funds/giving-day" in page.links()
    assert page.facts()["Target"] == "5,120,000.00 yuan"
    assert page.table("Money in and out").row("Held for this project")[1] == "511,900.00"


def test_every_link_leads_somewhere(site: Site) -> None:
    found: dict[str, None] = {}
    for path in (*PATHS, f"/entries/{GIFT}", "/kinds/purchase.made"):
        for link in site.read(path).links():
            target = link if link.startswith("/") else path.partition("?")[0] + link
            found.setdefault(target.partition("#")[0])
    followed = list(found)[:LINKS_FOLLOWED_MAX]
    assert len(followed) > 100
    for link in followed:
        # What is for those who work here leads to the sign-in.
        expected = 303 if link == "/staff" else 200
        assert fetch(site.caller, link, {"Accept": "text/html"}).status_code == expected, link


def test_the_style_and_the_icon_never_change_at_their_address(site: Site) -> None:
    page = site.read("/how")
    for link in page.all("link"):
        answer = fetch(site.caller, link.attributes["href"])
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        again = fetch(
            site.caller, link.attributes["href"], {"If-None-Match": answer.headers["etag"]}
        )
        assert again.status_code == 304
    name = page.all("link")[-1].attributes["href"].rpartition("/")[2]
    for path in (f"/static/0000000000000000/{name}", "/static/x/../../secret", "/static/x/page.py"):
        assert fetch(site.caller, path).status_code == 404


def test_pages_run_nothing_and_load_nothing_from_elsewhere(site: Site) -> None:
    answer = fetch(site.caller, "/", {"Accept": "text/html"})
    policy = dict(SECURITY_HEADERS)["content-security-policy"]
    assert answer.headers["content-security-policy"] == policy
    assert policy.startswith("default-src 'self';")
    style = fetch(site.caller, site.read("/").all("link")[-1].attributes["href"]).text
    assert "url(" not in style
    assert "@import" not in style


def test_no_sealed_value_is_on_any_page(site: Site) -> None:
    book = site.caller.book
    paths = [*PATHS, *(f"/entries/{index}" for index in (*site.examples.values(), 2, 3, 4, 5, 264))]
    pages = [site.read(path).html for path in dict.fromkeys(paths)]
    openings = [book.opening(index) for index in (2, 3, 264, *site.examples.values())]
    secrets = {
        str(value) for opening in openings if opening is not None for value in opening[1].values()
    }
    assert len(secrets) > 10
    for secret in secrets:
        assert not [html for html in pages if secret in html], secret


def test_a_hidden_entry_shows_no_content(site: Site) -> None:
    hiding = site.examples["entry.hidden"]
    (index,) = example_body(KIND_BY_NAME["entry.hidden"])["fields"]["entries"]
    page = site.read(f"/entries/{index}")
    assert f"/entries/{hiding}" in page.links()
    assert "屏蔽，不再展示" in page.html
    shown = page.html
    # They are shown, and say anything by chance.
    for commitment in site.caller.book.entry(index)[1].sealed.values():
        shown = shown.replace(commitment, "")
    assert "bank" not in shown
    assert "raw" not in shown
