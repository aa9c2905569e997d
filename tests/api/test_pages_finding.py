"""The search box, the narrowed lists and their files, the page of keys."""

from __future__ import annotations

import csv
import io
from urllib.parse import quote

import pytest
from browser import fetch, read
from caller import Caller
from scribe import Scribe

from ledger.entry import Entry, parse_entry
from ledger.locator import Locator, format_locator, format_short_code, log_id


def entries_of(caller: Caller) -> list[Entry]:
    with caller.book.store.read() as reader:
        head = reader.head()
        assert head is not None
        return [parse_entry(one) for one in reader.entries(0, head.size)]


def found(caller: Caller, typed: str, language: str = "en") -> list[str]:
    """Where the results lead."""
    page = read(caller, f"/search?q={quote(typed)}", language)
    tables = [one for one in page.tables if "found" in one.caption or "找到" in one.caption]
    if not tables:
        return []
    links = page.links()
    names = [row[0] for row in tables[0].rows[1:]]
    return [links[[one.text for one in page.all("a")].index(name)] for name in names]


def test_the_box_knows_an_entry_by_everything_that_names_it(untouched: Caller) -> None:
    book = untouched.book
    with book.store.read() as reader:
        leaf = reader.leaf_hash(3).hex()
    code = format_short_code(book.origin, 3)
    for typed in ("3", "#3", "＃3", code, code.lower().replace("-", " "), leaf, leaf.upper()):
        assert "/entries/3" in found(untouched, typed), typed


def test_the_box_knows_roots_documents_days_and_things(untouched: Caller) -> None:
    head = untouched.book.head()
    assert f"/entries/{head.size - 1}" in found(untouched, head.root.hex())
    assert found(untouched, "ab" * 32) == []
    assert "/projects/flood" in found(untouched, "flood")
    assert "/funds/relief" in found(untouched, "relief")
    day = entries_of(untouched)[0].recorded_at[:10]
    for typed in (day, day.replace("-", "/"), day.replace("-", "")):
        page = read(untouched, f"/search?q={typed}", "en")
        assert "a day of recording" in page.html


def test_the_box_knows_documents_however_many_entries_name_one(
    service: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.pages.search.NAMED_SHOWN", 1)
    scribe = Scribe(service.book)
    shown = {"media_type": "application/pdf", "size_bytes": 9, "shows": "协议", "about": [1]}
    first, _ = (scribe.tell("document.attached", {"sha256": "5f" * 32, **shown}) for _ in range(2))
    assert found(service, "5f" * 32) == [f"/entries/{first}"]
    assert "More entries name this document" in read(service, f"/search?q={'5f' * 32}", "en").html


def test_it_says_what_it_looked_for_and_what_to_try(untouched: Caller) -> None:
    page = read(untouched, "/search?q=" + quote("没有这个"))
    assert "没有找到" in page.html
    assert "代码或名称" in page.html
    assert page.table("搜索框认得的内容")
    wrong = read(untouched, "/search?q=0000-3R3Z", "en")
    assert "A letter or digit of the short code is wrong" in wrong.html
    assert read(untouched, "/search").one("h1").text == "搜索"
    assert "looked for as" not in read(untouched, "/search?q=%20", "en").html
    assert "<script>" not in read(untouched, "/search?q=%3Cscript%3E").html


def test_order_numbers_are_not_looked_for(untouched: Caller) -> None:
    """One that is there and one that is not get the same answer, letter by letter."""
    answers = []
    sealed = [
        opening[1]["order_number"]
        for one in entries_of(untouched)
        if "order_number" in one.sealed
        and (opening := untouched.book.opening(one.index)) is not None
    ]
    there = str(sealed[0]) if sealed else "4200000000000001"
    for number in (there, "9" * len(there)):
        page = read(untouched, f"/search?q={quote(number)}", "en")
        assert "/entries/" not in "".join(page.links()[:-30])
        answers.append(page.html.replace(number, "").replace(quote(number), ""))
    assert answers[0] == answers[1]


def test_a_locator_leads_on_and_its_seed_is_on_no_page(untouched: Caller) -> None:
    seed = bytes(range(16))
    fragment = format_locator(Locator(log_id(untouched.book.origin), 3, seed))
    for typed in (fragment, f"https://shanji.test/r#{fragment}"):
        answer = fetch(untouched, f"/search?q={quote(typed)}", {"Accept": "text/html"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/entries/3")
        assert fragment not in answer.text
        assert answer.headers["cache-control"] == "private, no-store"


def test_a_list_is_narrowed_by_thing_and_by_kind(untouched: Caller) -> None:
    everything = entries_of(untouched)
    thing = next(one for one in everything if one.kind == "fund.opened")
    code = thing.fields["code"]
    want = [f"#{one.index}" for one in everything if thing.index in one.references][::-1]
    page = read(untouched, f"/entries?fund={code}", "en")
    assert [row[0] for row in page.tables[0].rows[1:]] == want
    assert f"/funds/{code}" in page.links()
    for kind in {one.kind for one in everything}:
        want = [f"#{one.index}" for one in everything if one.kind == kind][::-1]
        page = read(untouched, f"/entries?kind={kind}", "en")
        assert [row[0] for row in page.tables[0].rows[1:]] == want[:50]
    nothing = read(untouched, "/entries?kind=wish.posted", "en")
    assert "No entry fits" in nothing.html or nothing.tables


def test_a_list_is_narrowed_by_the_day_of_recording(untouched: Caller) -> None:
    # The small world's clock starts on a day of its own.
    days = sorted({one.recorded_at[:10] for one in entries_of(untouched)})
    page = read(untouched, f"/entries?from={days[0]}", "en")
    assert len(page.tables[0].rows) > 1
    assert "No entry fits" in read(untouched, "/entries?to=2000-01-01", "en").html
    assert "No entry fits" in read(untouched, "/entries?from=9999-12-31", "en").html
    page = read(untouched, "/entries?from=2022-01-02&to=2022-01-01", "en", status=400)
    assert "#to" in page.links()
    for wrong in ("2021-13-01", "today"):
        answer = fetch(untouched, f"/entries?from={wrong}", {"Accept": "text/html"})
        assert answer.status_code in (400, 422), wrong
    answer = fetch(untouched, "/entries?fund=no-such-fund", {"Accept": "text/html"})
    assert answer.status_code == 404


def test_pages_of_a_narrowed_list_lead_to_its_end(
    untouched: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.pages.listing.LOOKED_AT_MAX", 1)
    every = entries_of(untouched)
    (depot,) = (one for one in every if one.fields.get("code") == "depot")
    want = [f"#{one.index}" for one in every if depot.index in one.references]
    assert len(want) > 0
    path, seen = "/entries?item=rice&site=depot", []
    for _ in range(100):
        page = read(untouched, path, "en")
        if page.tables:
            seen += [row[0] for row in page.tables[0].rows[1:]]
        older = [one for one in page.all("a") if one.attributes.get("rel") == "next"]
        if not older:
            break
        assert "looked through" in page.html or page.tables
        path = older[0].attributes["href"]
    assert seen == want[::-1]


def rows_of(caller: Caller, path: str) -> tuple[list[list[str]], str]:
    answer = fetch(caller, path, {"Cookie": "lang=en"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.content.startswith(b"\xef\xbb\xbf")
    text = answer.content[3:].decode()
    return list(csv.reader(io.StringIO(text, newline=""))), answer.headers.get("link", "")


def test_a_list_is_a_file_too(untouched: Caller) -> None:
    rows, link = rows_of(untouched, "/entries.csv?kind=donation.money")
    gifts = [one for one in entries_of(untouched) if one.kind == "donation.money"]
    assert [int(row[0]) for row in rows[1:]] == [one.index for one in gifts][::-1]
    assert [int(row[7]) for row in rows[1:]] == [one.postings[0]["amount"] for one in gifts][::-1]
    assert link == ""


def test_a_file_that_is_cut_says_so_and_leads_on(
    untouched: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.pages.finding.ROWS_MAX", 3)
    path, seen = "/entries.csv", []
    for _ in range(100):
        rows, link = rows_of(untouched, path)
        seen += [int(row[0]) for row in rows[1:] if row[0].isdigit()]
        if not link:
            break
        path = link.partition(">")[0].removeprefix("<")
        assert path in rows[-1][0]
        assert "shanji export" in rows[-1][0]
    assert list(dict.fromkeys(seen)) == [one.index for one in entries_of(untouched)][::-1]


def test_the_keys_are_listed_and_bound_alike(untouched: Caller) -> None:
    page = read(untouched, "/keys", "en")
    bound = {
        one.attributes["data-keys"]: one.attributes.get("href", "/search")
        for one in page.elements
        if "data-keys" in one.attributes
    }
    listed = {" ".join(row[0].split()) for row in page.table("Shortcuts").rows[1:]}
    assert set(bound) <= listed
    assert listed - set(bound) == {"n", "b"}
    assert "accesskey" not in page.html
