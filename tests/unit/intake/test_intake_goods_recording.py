"""Goods from lists into the log: once, resumable, out of their offers' lots."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from scribe import Scribe, audited, held, make_book, whole_log
from typer.testing import CliRunner

from ledger.attention.board import attend
from ledger.book import Book
from ledger.cli import build
from ledger.errors import RejectedError
from ledger.intake import goods_recording
from ledger.intake.goods_account import format_account
from ledger.intake.goods_recording import record_goods
from ledger.trace import trace
from tests.unit.intake.goods_files import (
    TARGET,
    delivery,
    offer,
    plan_files,
    taken,
    write_lists,
)

OFFERS = [offer("o1", 100), offer("o2", 40, day=2), offer("o3", 9, donor="d2", item="gown")]
DELIVERIES = [
    delivery("m1", 60),
    delivery("m2", 70, closed=4),  # 40 of o1, 30 of o2
    delivery("m3", 9, donor="d2", item="gown", asked=9, closed=5),
]
ITEMS = ["N95 Respirators,pieces,1,n95,,", "Gowns,pieces,1,gown,,"]


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    """An empty log; audited in the end."""
    book = make_book(tmp_path / "book")
    yield book
    audited(book)
    book.close()


def kinds(book: Book) -> list[str]:
    """The kinds of all entries after the first."""
    return [entry.kind for entry in whole_log(book)[1:]]


def test_each_delivery_comes_out_of_its_offer(book: Book, tmp_path: Path) -> None:
    lists = write_lists(tmp_path, OFFERS, DELIVERIES, ITEMS)
    plan = plan_files(book, *lists)
    outcome = record_goods(book, plan, TARGET)
    assert outcome.by_kind == {
        "site.registered": 1,
        "item.registered": 2,
        "party.registered": 1,
        "donation.goods": 3,
        "goods.distributed": 4,
        "document.attached": 1,
    }
    entries = whole_log(book)
    given = {one.fields["lot"]: one.index for one in entries if one.kind == "donation.goods"}
    out = [one for one in entries if one.kind == "goods.distributed"]
    with book.store.read() as reader:
        for one in out:
            (walk,) = trace(reader, one.index, "backward")
            assert [(end.entry, end.amount) for end in walk.ends] == [
                (given[one.fields["lot"]], one.postings[0]["amount"])
            ]
    assert [end - first for first, end, _ in held(book, "item:n95", "stock:hub")] == [10]
    assert held(book, "item:gown", "stock:hub") == []
    gift = entries[given["o1"]]
    assert "d1" not in str(gift.fields)
    opening = book.opening(gift.index)
    assert opening is not None
    assert opening[1] == {"donor_name": "d1"}
    assert gift.documents == [plan.files["offers"]]
    document = entries[-1]
    assert document.fields["sha256"] == hashlib.sha256(format_account(plan)).hexdigest()
    assert set(document.documents) == set(plan.files.values())


def test_the_ledger_itself_flags_what_came_before_it_was_asked_for(
    book: Book, tmp_path: Path
) -> None:
    record_goods(book, plan_files(book, *write_lists(tmp_path, OFFERS, DELIVERIES)), TARGET)
    (early,) = [one for one in whole_log(book) if one.occurred_on == "2020-05-05"]
    assert early.fields["requested_on"] == "2020-05-09"
    with book.store.read() as reader:
        found = [one for one in attend(reader, book.today()).items if early.index in one.entries]
    assert [(one.code, one.details) for one in found] == [
        (
            "delivered_before_request",
            {"recipient": "facility-f1", "deliveries": 1, "days_max": 4},
        )
    ]
    scribe = Scribe(book)
    scribe.tell("entry.reversed", {"entry": early.index, "reason": "日期有误"})
    with book.store.read() as reader:
        codes = [one.code for one in attend(reader, book.today()).items]
    assert "delivered_before_request" not in codes


def test_a_second_import_adds_nothing(book: Book, tmp_path: Path) -> None:
    lists = write_lists(tmp_path, OFFERS, DELIVERIES, ITEMS)
    first = plan_files(book, *lists)
    record_goods(book, first, TARGET)
    size = book.head().size
    again = plan_files(book, *lists)
    assert (again.digest, again.new_records) == (first.digest, 0)
    assert format_account(again) == format_account(first)
    assert record_goods(book, again, TARGET).recorded == 0
    assert book.head().size == size


def test_a_longer_list_adds_what_is_new_and_moves_nothing(book: Book, tmp_path: Path) -> None:
    record_goods(book, plan_files(book, *write_lists(tmp_path, OFFERS, DELIVERIES)), TARGET)
    more = [delivery("m0", 10, asked=1, closed=2), *DELIVERIES]
    plan = plan_files(book, *write_lists(tmp_path, OFFERS, more))
    assert plan.clean
    assert taken(plan)[0] == ("m0", [("o2", 10)])
    outcome = record_goods(book, plan, TARGET)
    assert outcome.by_kind == {"goods.distributed": 1, "document.attached": 1}


def test_another_content_under_a_number_stops(book: Book, tmp_path: Path) -> None:
    record_goods(book, plan_files(book, *write_lists(tmp_path, OFFERS, DELIVERIES)), TARGET)
    offers = [offer("o1", 101), *OFFERS[1:]]
    deliveries = [delivery("m1", 61), delivery("m2", 71, closed=4), *DELIVERIES[2:]]
    plan = plan_files(book, *write_lists(tmp_path, offers, deliveries))
    assert [(one.list, one.row) for one in plan.conflicts] == [
        ("offers", 2),
        ("deliveries", 2),
        ("deliveries", 3),
    ]
    assert "amount 100, here 101" in plan.conflicts[0].reason
    size = book.head().size
    with pytest.raises(RejectedError) as caught:
        record_goods(book, plan, TARGET)
    assert caught.value.code == "plan_not_clean"
    assert book.head().size == size


@pytest.mark.parametrize("stop", [2, 4, 6, 7, 8, 9, 10])
def test_an_interrupted_import_is_finished_by_the_next(
    book: Book, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: int
) -> None:
    lists = write_lists(tmp_path, OFFERS, DELIVERIES, ITEMS)
    whole = plan_files(book, *lists)
    monkeypatch.setattr(goods_recording, "SLICE", 1)

    def interrupt(done: int) -> None:
        if done == stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        record_goods(book, whole, TARGET, interrupt)
    assert book.head().size == 1 + stop
    rest = plan_files(book, *lists)
    assert rest.clean
    assert taken(rest) == taken(whole)
    assert rest.digest == whole.digest
    record_goods(book, rest, TARGET)
    assert sorted(kinds(book)).count("goods.distributed") == 4
    assert book.head().size == 13


def test_one_refused_record_keeps_everything_out(book: Book, tmp_path: Path) -> None:
    scribe = Scribe(book)
    fields = {"code": "n95", "name": "口罩", "unit": "只", "perishable": True}
    scribe.tell("item.registered", fields, day="2020-01-01")
    plan = plan_files(book, *write_lists(tmp_path, OFFERS, DELIVERIES))
    with pytest.raises(RejectedError, match=r"offers, row 2: .*Nothing was recorded") as caught:
        record_goods(book, plan, TARGET)
    assert caught.value.code == "best_before_missing"
    assert book.head().size == 2


def test_the_ledgers_items_are_found_by_alias_and_pack(book: Book, tmp_path: Path) -> None:
    scribe = Scribe(book)
    fields: dict[str, Any] = {"code": "mask", "name": "口罩", "unit": "只", "aliases": ["n95"]}
    fields["packs"] = [{"unit": "箱", "factor": 20}]
    scribe.tell("item.registered", fields, day="2020-01-01")
    (tmp_path / "offers.csv").write_text(
        "捐赠编号,捐赠人,物资,数量,单位,捐赠日期\no1,d1,口罩,5,箱,2020-05-01\n"
    )
    _, deliveries, _ = write_lists(tmp_path / "x", [], [delivery("m1", 99)])
    record_goods(book, plan_files(book, tmp_path / "offers.csv", deliveries), TARGET)
    assert "item.registered" not in kinds(book)[1:]
    assert [end - first for first, end, _ in held(book, "item:mask", "stock:hub")] == [1]


@pytest.mark.parametrize(("lang", "word"), [("zh", "超出捐赠余量"), ("en", "left of the offer")])
def test_the_command(tmp_path: Path, lang: str, word: str) -> None:
    import json

    make_book(tmp_path / "book").close()
    offers, deliveries, _ = write_lists(tmp_path, OFFERS, [*DELIVERIES, delivery("m4", 500)])
    call = ["import-goods", str(offers), str(deliveries), "--site", "hub", "--json"]
    call += ["--data", str(tmp_path / "book"), "--lang", lang]
    files = ["--account", str(tmp_path / "a.json"), "--errors", str(tmp_path / "errors")]
    shown = CliRunner().invoke(build(), [*call, "--plan", *files])
    assert shown.exit_code == 0, shown.output
    assert word in shown.stderr
    value = json.loads(shown.stdout)
    assert value["added"] == {}
    assert value["deliveries"]["outcomes"]["beyond_offer"] == {"rows": 1, "units": 500}
    assert value["deliveries"]["delivered"] == {"rows": 4, "units": 639}
    listed = (tmp_path / "errors" / "deliveries.csv").read_text("utf-8-sig").splitlines()
    assert [line.partition(",")[0] for line in listed] == ["matchkey", "m2", "m3", "m4"]
    done = json.loads(CliRunner().invoke(build(), [*call, "--yes"]).stdout)
    assert done["added"]["goods.distributed"] == 4
    again = CliRunner().invoke(build(), [*call, "--yes"])
    assert json.loads(again.stdout)["added"] == {"first": None, "last": None}
    bad = CliRunner().invoke(build(), [*call, "--offers-column", "price=qty"])
    assert bad.exit_code == 2
    offers.write_text(offers.read_text().replace(",100,", ",ten,"))
    assert CliRunner().invoke(build(), call).exit_code == 1
