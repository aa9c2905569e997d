"""Lists of goods: every row has one outcome, every unit is accounted for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from scribe import make_book

from ledger.book import Book
from ledger.errors import MalformedError
from ledger.intake.goods_account import format_account
from ledger.intake.goods_plan import remarks_of
from tests.unit.intake.goods_files import delivery, offer, outcomes, plan_files, taken, write_lists


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Book]:
    """A log with nothing but its first entry; planning records nothing."""
    book = make_book(tmp_path_factory.mktemp("goods") / "book")
    yield book
    assert book.head().size == 1
    book.close()


def test_every_anomaly_has_its_outcome(book: Book, tmp_path: Path) -> None:
    offers = [
        offer("o1", 100),
        offer("o2", 0),
        offer("o3", -1),
        offer("o4", 10**13),
        offer("o5", 7, donor="d5"),
        offer("o5", 7, donor="d5"),
    ]
    deliveries = [
        delivery("m1", 60),
        delivery("m2", 50),  # 40 are left
        delivery("m3", 40),
        delivery("m4", 0),
        delivery("m5", -1),
        delivery("m6", 5, status="closed", reason="no_supply"),
        delivery("m7", 5, status="closed", reason="test_match"),
        delivery("m8", 5, status="pre_match", closed=None),
        delivery("m9", 5, donor="nobody"),
        delivery("m10", 7, donor="d5"),
        delivery("m10", 7, donor="d5"),
    ]
    plan = plan_files(book, *write_lists(tmp_path, offers, deliveries))
    assert plan.clean
    assert outcomes(plan, "offers") == {
        "recorded": (2, 107),
        "repeated": (1, 7),
        "zero_quantity": (1, 0),
        "negative_quantity": (1, -1),
        "quantity_too_large": (1, 10**13),
    }
    assert outcomes(plan, "deliveries") == {
        "recorded": (3, 107),
        "test": (1, 5),
        "not_delivered": (2, 10),
        "repeated": (1, 7),
        "zero_quantity": (1, 0),
        "negative_quantity": (1, -1),
        "no_offer": (1, 5),
        "beyond_offer": (1, 50),
    }
    assert taken(plan) == [("m1", [("o1", 60)]), ("m10", [("o5", 7)]), ("m3", [("o1", 40)])]
    listed = remarks_of(plan, "deliveries")
    assert sorted(listed) == [3, 5, 6, 8, 10, 12]
    assert listed[3][0][1] == "beyond_offer: more than is left of what was offered"


def test_repeats_are_records_where_a_person_says_so(book: Book, tmp_path: Path) -> None:
    lists = write_lists(tmp_path, [offer("o1", 20)], [delivery("m1", 5), delivery("m1", 5)])
    assert outcomes(plan_files(book, *lists), "deliveries")["recorded"] == (1, 5)
    both = plan_files(book, *lists, record_repeats=True)
    assert outcomes(both, "deliveries") == {"recorded": (2, 10)}
    assert len({part.name for one in both.deliveries for part in one.parts}) == 2


def test_what_is_odd_is_recorded_on_the_day_stated_and_flagged(book: Book, tmp_path: Path) -> None:
    offers = [offer("o1", 10, day=1), offer("o2", 10**8, donor="d2", day=9)]
    deliveries = [
        delivery("m1", 1, asked=9, closed=4),
        delivery("m2", 1, donor="d2"),
        delivery("m3", 1, reason="no_supply"),
        delivery("m4", 1, asked=4, closed=4),
    ]
    plan = plan_files(book, *write_lists(tmp_path, offers, deliveries))
    assert [(one.list, one.row, one.code) for one in plan.flagged] == [
        ("deliveries", 2, "delivered_before_request"),
        ("deliveries", 3, "delivered_before_offer"),
        ("deliveries", 4, "reason_given"),
        ("deliveries", 5, "delivered_before_request"),  # 00:00 is before 09:00
        ("offers", 3, "quantity_odd"),
    ]
    assert outcomes(plan, "deliveries") == {"recorded": (4, 4)}


def test_lots_are_chosen_by_when_they_were_offered(book: Book, tmp_path: Path) -> None:
    offers = [offer("new", 10, day=5), offer("old", 10, day=1), offer("later", 50, day=8)]
    deliveries = [
        delivery("m1", 8, asked=6, closed=10),  # the oldest that has enough
        delivery("m2", 5, asked=2, closed=11),  # the old one is short: the next that has enough
        delivery("m3", 50, asked=9, closed=12),
        delivery("m4", 6, asked=9, closed=13),  # no single one has 6 left
        delivery("m5", 2, asked=9, closed=14),
    ]
    plan = plan_files(book, *write_lists(tmp_path, offers, deliveries))
    assert taken(plan) == [
        ("m1", [("old", 8)]),
        ("m2", [("new", 5)]),
        ("m3", [("later", 50)]),
        ("m4", [("old", 2), ("new", 4)]),
    ]
    assert [one.code for one in plan.flagged] == ["split"]
    assert outcomes(plan, "deliveries")["beyond_offer"] == (1, 2)


def test_the_order_of_the_rows_decides_nothing(book: Book, tmp_path: Path) -> None:
    offers = [offer("a", 5), offer("b", 9, day=2), offer("a", 3)]
    deliveries = [delivery(f"m{n}", n, closed=3 + n) for n in range(1, 7)]
    one = plan_files(book, *write_lists(tmp_path / "1", offers, deliveries))
    two = plan_files(book, *write_lists(tmp_path / "2", offers[::-1], deliveries[::-1]))
    assert taken(one) == taken(two)
    assert {part for _, parts in taken(one) for part, _ in parts} == {"a", "a-2", "b"}


def test_lines_of_one_number_have_lots_of_their_own(book: Book, tmp_path: Path) -> None:
    offers = [offer("o1", 25), offer("o1", 75), offer("编号 1", 5, donor="d2")]
    plan = plan_files(book, *write_lists(tmp_path, offers, [delivery("m1", 100)]))
    assert [one.lot for one in plan.offers][:2] == ["o1", "o1-2"]
    assert plan.offers[2].lot.isalnum()
    assert taken(plan) == [("m1", [("o1", 25), ("o1-2", 75)])]


def test_a_delivery_may_name_its_offer(book: Book, tmp_path: Path) -> None:
    offers, _, _ = write_lists(tmp_path, [offer("o1", 5), offer("o2", 5)], [])
    rows = "发放编号,捐赠编号,接收单位,日期,物资,数量\nm1,o2,一院,2020-05-09,n95,4\n"
    (tmp_path / "named.csv").write_text(rows)
    assert taken(plan_files(book, offers, tmp_path / "named.csv")) == [("m1", [("o2", 4)])]


def test_items_get_their_names_and_units(book: Book, tmp_path: Path) -> None:
    items = ["N95 Respirators,pieces,1,n95,,", "Gloves,pairs,50,nitrile_gloves,Box of 100,"]
    offers = [offer("o1", 5), offer("o2", 3, item="nitrile_gloves"), offer("o3", 1, item="口罩")]
    plan = plan_files(book, *write_lists(tmp_path, offers, [delivery("m1", 5)], items))
    found = {code: one.registration for code, one in plan.items.items()}
    assert found["n95"] == {
        "code": "n95",
        "name": "N95 Respirators",
        "unit": "pieces",
        "aliases": ["n95"],
    }
    gloves = found["nitrile-gloves"]
    assert gloves is not None
    assert (gloves["unit"], gloves["aliases"]) == ("Box of 100", ["nitrile_gloves"])
    (other,) = [one for code, one in found.items() if code.startswith("item-")]
    assert other is not None
    assert (other["name"], other["unit"]) == ("口罩", "件")


def test_what_cannot_be_read_stops_everything(book: Book, tmp_path: Path) -> None:
    offers = [offer("o1", "2.5"), offer("", 1), offer("o3", "十")]
    deliveries = [
        delivery("m1", "", asked=2),
        delivery("m2", 1, closed=None),
        delivery("m3", 1, facility=""),
        delivery("m4", "1E+05"),
        delivery("m5", 1).replace("2020-05-03", "2222-05-03"),
    ]
    plan = plan_files(book, *write_lists(tmp_path, offers, deliveries))
    assert not plan.clean
    assert [(name, one.row, one.column, one.code) for name, one in plan.errors] == [
        ("offers", 2, "qty", "quantity_decimals"),
        ("offers", 3, "donationkey", "cell_missing"),
        ("offers", 4, "qty", "quantity_unreadable"),
        ("deliveries", 2, "qty", "quantity_missing"),
        ("deliveries", 3, "closedOrDelivered", "date_missing"),
        ("deliveries", 4, "facilitykey", "cell_missing"),
        ("deliveries", 5, "qty", "quantity_unreadable"),
        ("deliveries", 6, "closedOrDelivered", "date_in_future"),
    ]
    assert all(one.reason and one.remedy for _, one in plan.errors)
    assert outcomes(plan, "offers") == {"recorded": (0, 0), "unreadable": (3, 0)}


def test_deliveries_say_whose_goods_they_are(book: Book, tmp_path: Path) -> None:
    offers, _, _ = write_lists(tmp_path, [offer("o1", 5)], [])
    (tmp_path / "bare.csv").write_text("matchkey,facility,date,item,qty\nm1,f1,2020-05-09,n95,4\n")
    with pytest.raises(MalformedError, match="the offer's number or the donor"):
        plan_files(book, offers, tmp_path / "bare.csv")


def test_a_unit_that_the_item_has_not_is_an_error(book: Book, tmp_path: Path) -> None:
    (tmp_path / "offers.csv").write_text(
        "捐赠编号,捐赠人,物资,数量,单位,捐赠日期\no1,d1,口罩,5,箱,2020-05-01\n"
    )
    _, deliveries, _ = write_lists(tmp_path / "x", [], [delivery("m1", 5)])
    plan = plan_files(book, tmp_path / "offers.csv", deliveries)
    assert [(name, one.code) for name, one in plan.errors] == [("offers", "unit_unknown")]


def test_the_account_names_nobody_and_stays_the_same(book: Book, tmp_path: Path) -> None:
    offers = [offer("o1", 5, donor="someone"), offer("o1", 5, donor="someone")]
    lists = write_lists(tmp_path, offers, [delivery("m1", 9, donor="someone", facility="clinic")])
    account = format_account(plan_files(book, *lists))
    assert account == format_account(plan_files(book, *lists))
    assert b"someone" not in account
    assert b"clinic" not in account
