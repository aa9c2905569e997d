"""The real lists of protective goods, where they are beside the checkout."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from scribe import audited, make_book

from ledger.intake.goods_account import account_of
from ledger.intake.goods_recording import record_goods
from tests.unit.intake.goods_files import TARGET, outcomes, plan_files

LISTS = ("all_offers.csv", "all_matches.csv", "lookup_equipment_type.csv")


def _folder(repository: Path) -> Path:
    folder = repository.parent / "shared" / "data" / "getusppe"
    if not folder.exists():
        pytest.skip("the lists of protective goods are not beside this checkout")
    return folder


def test_every_row_and_unit_of_the_real_lists(repository: Path, tmp_path: Path) -> None:
    folder = _folder(repository)
    book = make_book(tmp_path / "book")
    plan = plan_files(book, *(folder / name for name in LISTS))
    assert plan.clean
    assert (plan.rows["offers"], plan.rows["deliveries"]) == (4966, 6932)
    assert outcomes(plan, "offers") == {
        "recorded": (4590, 32_776_359_803),
        "repeated": (5, 10_006_580),
        "zero_quantity": (339, 0),
        "negative_quantity": (31, -61),
        "quantity_too_large": (1, 199_999_999_999_998),
    }
    found = outcomes(plan, "deliveries")
    assert found["test"][0] == 98
    assert found["test"][0] + found["not_delivered"][0] == 2604 + 192
    account = account_of(plan)
    assert account["deliveries"]["delivered"] == {"rows": 4136, "units": 13_412_174}
    assert account["flags"]["delivered_before_request"]["rows"] == 305
    beyond = [one for one in plan.left_out if one.code == "beyond_offer"]
    rows = {one.row for one in beyond}
    assert found["no_offer"] == (1, 20)
    assert (found["repeated"], found["zero_quantity"]) == ((5, 700), (38, 0))
    assert found["negative_quantity"] == (9, -9)
    assert len(rows) == found["beyond_offer"][0] == 13
    book.close()


@pytest.mark.soak
def test_the_real_lists_are_recorded_and_audited(repository: Path, tmp_path: Path) -> None:
    """Half a minute and more: only where SHANJI_SOAK is set."""
    folder = _folder(repository)
    if "SHANJI_SOAK" not in os.environ:
        pytest.skip("records 11,000 entries; set SHANJI_SOAK to run it")
    book = make_book(tmp_path / "book")
    plan = plan_files(book, *(folder / name for name in LISTS))
    outcome = record_goods(book, plan, TARGET)
    assert outcome.by_kind["donation.goods"] == 4590
    assert audited(book).size == book.head().size
    again = plan_files(book, *(folder / name for name in LISTS))
    assert (again.digest, again.new_records) == (plan.digest, 0)
    book.close()
