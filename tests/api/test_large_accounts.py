"""An account with very many ranges: every answer about it stays small and reads little."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from caller import Caller, serving
from watched import scans, watching

from ledger.book import DATABASE

pytestmark = pytest.mark.sqlite("the plans and steps of its queries")

RANGES = 100_000
FUND = ("CNY", "fund:relief")
STOCK = ("item:rice", "stock:depot")
ROWS_MAX = 700
BYTES_MAX = 60_000


@pytest.fixture(scope="module")
def crowded(small_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    """The small world, where two accounts hold a hundred thousand ranges each.

    Written behind the recorder's back: what is read is what counts here, not how it came.
    """
    folder = tmp_path_factory.mktemp("crowded") / "data"
    shutil.copytree(small_template, folder)
    with closing(sqlite3.connect(folder / DATABASE)) as raw, raw:
        first = 1000
        for number, (asset, name) in enumerate((FUND, STOCK)):
            row = raw.execute(
                "SELECT id FROM account WHERE asset = ? AND name = ?", (asset, name)
            ).fetchone()
            account = row[0] if row else first + number
            raw.execute(
                "INSERT INTO account VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET received ="
                " excluded.received",
                (account, asset, name, 20 * RANGES),
            )
            raw.execute("DELETE FROM holding WHERE account = ?", (account,))
            raw.execute("DELETE FROM pool WHERE account = ?", (account,))
            sums = (RANGES, 20 * RANGES, 15 * RANGES)
            moved = (account, RANGES, "2099-01-01", *sums, *sums)
            raw.execute("INSERT INTO movement VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", moved)
            labels = ("", "flood") if name == FUND[1] else ("2030-01-01/L1", "2030-01-01/L2")
            raw.executemany(
                "INSERT INTO holding VALUES (?, ?, 5, ?)",
                ((account, 10 * place, labels[place % 2]) for place in range(RANGES)),
            )
            for label in labels:
                pool = (account, label, 10 * RANGES, 5 * RANGES // 2, 0)
                raw.execute("INSERT INTO pool VALUES (?, ?, ?, ?, ?)", pool)
    with serving(folder, audit=False) as caller:
        yield caller


PATHS = (
    "/v1/accounts/CNY/fund:relief",
    f"/v1/accounts/CNY/fund:relief?after={9 * RANGES}&limit=500",
    "/v1/accounts/item:rice/stock:depot",
    "/v1/attention",
    "/v1/reports/receipts",
    "/",
    "/funds",
    "/funds/relief",
    "/projects/flood",
    "/entries?fund=relief&kind=donation.money",
    "/search?q=relief",
    "/points",
    "/sites/depot",
    "/items/rice",
)


@pytest.mark.parametrize("path", PATHS)
def test_an_answer_stays_small(crowded: Caller, path: str) -> None:
    with watching(crowded.book.store) as cost:
        answer = crowded.get(path)
    assert answer.status_code == 200
    assert len(answer.content) < BYTES_MAX
    assert cost.rows < ROWS_MAX, cost.rows
    assert scans(cost.plans(crowded.book.store)) == []


def test_sums_are_of_the_whole_and_pages_lead_on(crowded: Caller) -> None:
    value = crowded.value("/v1/accounts/CNY/fund:relief?limit=3")
    assert (value["received"], value["held"]) == (20 * RANGES, 5 * RANGES)
    ranges: list[Any] = list(value["ranges"])
    for _ in range(2):
        value = crowded.value(value["next"])
        ranges += value["ranges"]
    assert [one["first"] for one in ranges] == [10 * place for place in range(9)]
    assert {one["label"] for one in ranges} == {"", "flood"}


def test_pages_sum_what_they_do_not_list(crowded: Caller) -> None:
    text = crowded.get("/funds/relief", headers={"Accept-Language": "en"}).text
    assert f"{(5 * RANGES - 50 * 5) / 100:,.2f}" in text
    assert "more, not listed range by range" in text
