"""A gift's page: which units by the ledger's order, the pools as a whole, what is linked."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import read
from caller import Caller, serving

from ledger.entry import parse_entry

AMOUNTS = {"zh": "元", "en": "yuan"}


@pytest.fixture(scope="module")
def site(loaded_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    """The service over the demonstration; nothing is recorded."""
    folder = tmp_path_factory.mktemp("traced") / "book"
    shutil.copytree(loaded_template, folder)
    with serving(folder, audit=False) as caller:
        yield caller


def find(caller: Caller, kind: str, key: str = "") -> int:
    """The first entry of a kind, which the state has an object about."""
    with caller.book.store.read() as reader:
        for index in range(caller.book.head().size):
            if parse_entry(reader.entry(index)).kind == kind and (
                not key or reader.object(f"{key}/{index}") is not None
            ):
                return index
    raise AssertionError(kind)


@pytest.mark.parametrize(
    ("language", "pools", "links", "order"),
    [
        ("zh", "经过的池子，整体计算", "相关条目", "先进先出"),
        ("en", "The pools that units went through, counted whole", "Linked entries", "first in"),
    ],
)
def test_a_gift_with_points(
    site: Caller, language: str, pools: str, links: str, order: str
) -> None:
    gift = find(site, "donation.money", "points-of")
    page = read(site, f"/entries/{gift}", language)
    assert order in " ".join(one.text for one in page.all("p"))
    value = site.value(f"/v1/entries/{gift}/trace")
    rows = page.table(pools).rows
    whole = value["pools"][0]
    # The header row, then one for each pool of the answer.
    assert len(rows) == 1 + len(value["pools"])
    amounts = [f"{whole[name] / 100:,.2f} {AMOUNTS[language]}" for name in ("received", "spent")]
    assert rows[1][1:3] == amounts
    assert rows[1][4] == f"{whole['spent'] * 10_000 // whole['received'] / 100:.2f}%"
    linked = page.table(links).rows
    assert len(linked) == 1 + len(value["related"])
    for one, row in zip(value["related"], linked[1:], strict=True):
        assert f"#{one['entry']}" in row[1]
    assert {one["relation"] for one in value["related"]} >= {"points"}


def test_redeemed_goods_lead_back_to_the_gift(site: Caller) -> None:
    redeemed = find(site, "points.redeemed")
    value = site.value(f"/v1/entries/{redeemed}/trace?direction=backward")
    sources = [one["entry"] for one in value["related"] if one["relation"] == "source"]
    assert sources
    page = read(site, f"/entries/{redeemed}", "zh")
    linked = page.table("相关条目").rows
    assert any(f"#{sources[0]}" in row[1] and row[0] == "积分的来由" for row in linked)
