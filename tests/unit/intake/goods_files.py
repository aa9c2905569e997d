"""Small lists of offers and deliveries, planned against a book."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ledger.book import Book
from ledger.intake.goods_account import account_of
from ledger.intake.goods_lists import (
    DELIVERIES,
    ITEMS,
    OFFERS,
    ItemRow,
    read_deliveries,
    read_items,
    read_offers,
)
from ledger.intake.goods_matching import plan_goods
from ledger.intake.goods_plan import GoodsPlan, Settings
from ledger.intake.goods_recording import GoodsTarget, known_goods, registered_items
from ledger.intake.sheets import read_table
from tests.unit.intake.list_files import write_csv

OFFERS_HEADER = "donorKey,donationkey,equipmentEnum,qty,datecreated"
DELIVERIES_HEADER = (
    "matchkey,donorkey,facilitykey,matchstatus,matchsubstatus,matchCreated,closedOrDelivered,"
    "enumcode,qty"
)
ITEMS_HEADER = "name,reportunit,reportMultiplier,enumcode,unitOfMeasure,description"
TARGET = GoodsTarget("hub", "示例仓", "import-clerk")


def settings(**more: Any) -> Settings:
    """What a person says, unless the test says otherwise."""
    more.setdefault("delivered", frozenset(("delivered",)))
    more.setdefault("tests", frozenset(("test_match",)))
    return Settings("hub", **more)


def offer(key: str, quantity: object, *, donor: str = "d1", item: str = "n95", day: int = 1) -> str:
    """One row of the offers; made on a day of May 2020."""
    return f"{donor},{key},{item},{quantity},2020-05-{day:02d} 07:38:09.981 UTC"


def delivery(
    key: str,
    quantity: object,
    *,
    donor: str = "d1",
    facility: str = "f1",
    status: str = "delivered",
    reason: str = "",
    asked: int = 2,
    closed: int | None = 3,
    item: str = "n95",
) -> str:
    """One row of the deliveries; asked for and closed on days of May 2020."""
    end = "" if closed is None else f"2020-05-{closed:02d} 00:00:00 UTC"
    begin = f"2020-05-{asked:02d} 09:00:00.5 UTC"
    return f"{key},{donor},{facility},{status},{reason},{begin},{end},{item},{quantity}"


def write_lists(
    folder: Path, offers: Sequence[str], deliveries: Sequence[str], items: Sequence[str] = ()
) -> tuple[Path, Path, Path | None]:
    """Three CSV files, the last one only where there are items."""
    folder.mkdir(parents=True, exist_ok=True)
    first = write_csv(folder / "offers.csv", "\n".join([OFFERS_HEADER, *offers]) + "\n")
    second = write_csv(
        folder / "deliveries.csv", "\n".join([DELIVERIES_HEADER, *deliveries]) + "\n"
    )
    third = write_csv(folder / "items.csv", "\n".join([ITEMS_HEADER, *items]) + "\n")
    return first, second, third if items else None


def plan_files(
    book: Book, offers: Path, deliveries: Path, items: Path | None = None, **more: Any
) -> GoodsPlan:
    """The plan of files, as the command makes it."""
    said = settings(**more)
    today = book.today()
    one = read_table(offers, layout=OFFERS)
    two = read_table(deliveries, layout=DELIVERIES)
    files = {"offers": one.source.sha256, "deliveries": two.source.sha256}
    given, wrong = read_offers(one, OFFERS.guess(one.columns), today)
    errors = [("offers", error) for error in wrong]
    out, wrong = read_deliveries(two, DELIVERIES.guess(two.columns), today, said.is_delivered)
    errors += [("deliveries", error) for error in wrong]
    rows: list[ItemRow] = []
    if items is not None:
        three = read_table(items, layout=ITEMS)
        rows, wrong = read_items(three, ITEMS.guess(three.columns))
        files["items"] = three.source.sha256
        errors += [("items", error) for error in wrong]
    return plan_goods(
        given,
        out,
        rows,
        settings=said,
        registered=registered_items(book),
        known=known_goods(book),
        files=files,
        errors=errors,
    )


def outcomes(plan: GoodsPlan, name: str) -> dict[str, tuple[int, int]]:
    """Rows and units by outcome, after a check that they sum to the list's."""
    found = account_of(plan)[name]
    rows = {code: (one["rows"], one["units"]) for code, one in found["outcomes"].items()}
    assert sum(count for count, _ in rows.values()) == found["rows"]
    assert sum(units for _, units in rows.values()) == found["units"]
    return rows


def taken(plan: GoodsPlan) -> list[tuple[str, list[tuple[str, int]]]]:
    """Each delivery with the lots that it comes out of, as they happened."""
    return [
        (one.delivery.key, [(part.lot, part.amount) for part in one.parts])
        for one in plan.deliveries
    ]
