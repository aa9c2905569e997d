"""What is asked of the pages: languages, errors, and texts that mean harm."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browser import Page, check_page, fetch, read
from caller import Caller, serving
from scribe import FIRST_GIFT

from ledger.errors import CorruptionError
from ledger.records.kind import Role

HTML = {"Accept": "text/html,application/xhtml+xml;q=0.9"}
HOSTILE = "<script>alert('x')</script>\"><img src=x onerror=alert(1)> {{ 7*7 }} &amp; ${9}"
DAY = "2022-01-10"


@pytest.fixture(scope="module")
def world(small_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    """One service over the small world, for the tests that only read."""
    folder = tmp_path_factory.mktemp("pages-world") / "book"
    shutil.copytree(small_template, folder)
    with serving(folder) as caller:
        yield caller


@pytest.mark.parametrize(
    ("headers", "language"),
    [
        ({}, "zh"),
        ({"Accept-Language": "en-GB,en;q=0.9,zh;q=0.5"}, "en"),
        ({"Accept-Language": "fr, en;q=0.3, zh-CN;q=0.8"}, "zh"),
        ({"Accept-Language": "fr;q=1, de"}, "zh"),
        ({"Accept-Language": "en;q=0"}, "zh"),
        ({"Accept-Language": "en;q=many, ;;,=,"}, "zh"),
        ({"Accept-Language": "en", "Cookie": "lang=zh"}, "zh"),
        ({"Accept-Language": "zh", "Cookie": "lang=en"}, "en"),
        ({"Accept-Language": "en", "Cookie": "lang=klingon"}, "en"),
    ],
)
def test_the_language_is_remembered_or_preferred(
    world: Caller, headers: dict[str, str], language: str
) -> None:
    answer = fetch(world, "/how", {**HTML, **headers})
    check_page(Page(answer.text), language)
    assert "set-cookie" not in answer.headers
    assert answer.headers["vary"] == "accept-language, cookie"


def test_a_language_that_is_asked_for_is_kept(world: Caller) -> None:
    answer = fetch(world, "/how?lang=en", {**HTML, "Cookie": "lang=zh"})
    check_page(Page(answer.text), "en")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("lang=en;")
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "set-cookie" not in fetch(world, "/how?lang=xx", HTML).headers


def test_the_other_language_is_one_click_away_on_the_very_page(world: Caller) -> None:
    page = read(world, "/entries?before=5")
    link = next(one for one in page.all("a") if "hreflang" in one.attributes)
    assert link.attributes["href"] == "?before=5&lang=en"
    other = fetch(world, "/entries" + link.attributes["href"], HTML)
    check_page(Page(other.text), "en")
    assert "Entries 4 to 0" in other.text


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize(
    ("path", "status", "zh", "en"),
    [
        ("/nowhere", 404, "没有此路径", "Not found"),
        ("/entries/999999", 404, "没有找到", "Not found"),
        ("/entries/12345678901234567890", 400, "参数不正确", "The request is not right"),
        ("/entries/first", 400, "参数不正确", "The request is not right"),
        ("/entries?before=-1", 400, "参数不正确", "The request is not right"),
        ("/funds/nothing", 404, "没有找到", "Not found"),
        ("/funds/NOT-A-CODE", 400, "参数不正确", "The request is not right"),
        ("/projects/nothing", 404, "没有找到", "Not found"),
        ("/items/nothing", 404, "没有找到", "Not found"),
        ("/kinds/no.kind", 404, "没有找到", "Not found"),
    ],
)
def test_errors_are_pages_for_who_asks_for_pages(
    world: Caller, path: str, status: int, zh: str, en: str, language: str
) -> None:
    page = read(world, path, language, status=status)
    heading = {"zh": zh, "en": en}[language]
    assert page.one("h1").text == heading
    assert str(status) in [one.text for one in page.all("dd")]
    assert "/" in page.links()


def test_a_program_gets_a_problem_and_no_page(world: Caller) -> None:
    answer = world.get("/entries/999999")
    world.problem(answer, 404, "no_entry")
    answer = fetch(world, "/v1/entries/999999", HTML)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_fault_of_ours_says_nothing_of_its_inside(
    world: Caller, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    def fail(*_: object) -> None:
        raise CorruptionError("row 7 of the table with the names is damaged")

    monkeypatch.setattr("api.pages.routes.entry_view", fail)
    page = read(world, f"/entries/{FIRST_GIFT}", language, status=500)
    assert "row 7" not in page.html
    assert page.one("h1").text == {"zh": "服务器内部错误", "en": "The server has a fault"}[language]


def test_a_failed_page_does_not_break_the_next_one(
    world: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a secret name")

    with monkeypatch.context() as broken:
        broken.setattr("api.pages.routes.entry_view", fail)
        answer = fetch(world, f"/entries/{FIRST_GIFT}", HTML)
        assert answer.status_code == 500
        assert "a secret name" not in answer.text
    read(world, f"/entries/{FIRST_GIFT}")


@pytest.mark.parametrize(
    "make",
    [
        lambda text: f"/kinds/{text}",
        lambda text: f"/{text}",
        lambda text: f"/entries?before={text}",
        lambda text: f"/how?lang={text}&x={text}",
        lambda text: f"/static/{text}/{text}",
    ],
)
def test_what_is_asked_is_never_markup(world: Caller, make: Callable[[str], str]) -> None:
    path = make("%3Cscript%3Ealert(1)%3C%2Fscript%3E%22%27")
    answer = fetch(world, path, HTML)
    page = Page(answer.text)
    check_page(page, "zh")
    assert "<script>" not in answer.text


def test_what_is_recorded_is_never_markup(service: Caller) -> None:
    def tell(kind: str, fields: dict[str, object], role: Role, **more: Role) -> int:
        body = {"kind": kind, "occurred_on": DAY, "fields": fields}
        return int(service.record(body, role=role, **more)["index"])

    fund = {
        "code": "hostile",
        "name": HOSTILE[:120],
        "fund_class": "restricted",
        "purposes": ["hostile"],
        "fee_clause": HOSTILE,
    }
    project = {
        "code": "hostile",
        "name": HOSTILE[:120],
        "fund": "hostile",
        "purpose": "hostile",
        "starts_on": DAY,
    }
    unit = "<b>袋</b>"
    item = {
        "code": "hostile",
        "name": HOSTILE[:120],
        "unit": unit,
        "packs": [{"unit": "<i>箱</i>", "factor": 5}],
        "aliases": ["</dd></dl><script>"],
    }
    goods = {"item": "hostile", "quantity": 3, "site": "depot", "unit": "<i>箱</i>"}
    indices = [
        tell("fund.opened", fund, Role.REGISTRAR),
        tell("project.opened", project, Role.REGISTRAR),
        tell("item.registered", item, Role.WAREHOUSE),
        tell("donation.goods", goods, Role.WAREHOUSE),
        tell(
            "donation.money",
            {"fund": "hostile", "amount_fen": 5, "channel": "bank", "project": "hostile"},
            Role.CLERK,
        ),
    ]
    indices.append(
        tell(
            "entry.reversed",
            {"entry": indices[-1], "reason": HOSTILE},
            Role.CLERK,
            approval=Role.APPROVER,
        )
    )
    paths = ["/", "/entries", "/funds", "/projects", "/items"]
    paths += ["/funds/hostile", "/projects/hostile", "/items/hostile"]
    paths += [f"/entries/{index}" for index in indices]
    shown = 0
    for path in paths:
        for language in ("zh", "en"):
            page = read(service, path, language)
            assert "<img src=x" not in page.html
            assert "<b>袋" not in page.html
            assert "{{ 7*7 }}" in page.html or HOSTILE[:20] not in page.html
            shown += HOSTILE[:27] in page.one("main").text
    assert shown >= 2 * (len(paths) - 1)


def test_a_new_log_has_pages_too(world: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """Registers that hold nothing say so."""
    monkeypatch.setattr("ledger.store.Reader.objects", lambda *_, **__: [])
    for path in ("/", "/funds", "/projects", "/items"):
        assert "还没有记录。" in read(world, path).html


def test_pages_are_not_in_the_description_for_programs(world: Caller) -> None:
    paths = world.value("/openapi.json")["paths"]
    assert "/entries/{index}" not in paths
    assert "/v1/entries/{index}" in paths
    listed = read(world, "/docs").tables[0]
    assert {row[1] for row in listed.rows[1:]} == set(paths)
