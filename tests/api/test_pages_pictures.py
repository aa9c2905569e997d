"""The pictures on an entry's page: they tell what the table beside them tells."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import read
from caller import Caller, serving

GIFT = 2
"""A gift of 200,000 yuan to the general fund, of which rice was bought."""


@pytest.fixture(scope="module")
def shown(loaded_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    folder = tmp_path_factory.mktemp("pictures") / "book"
    shutil.copytree(loaded_template, folder)
    with serving(folder, audit=False) as caller:
        yield caller


def _fen(text: str) -> int:
    return int(text.split()[0].replace(",", "").replace(".", ""))


def test_a_gift_is_drawn_and_its_parts_sum_to_the_whole(shown: Caller) -> None:
    page = read(shown, f"/entries/{GIFT}")
    assert len(page.all("svg")) == 2, "for a wide page and a narrow one"
    table = page.table("图示：200,000.00 元去了哪里")
    came = [_fen(row[2]) for row in table.rows[1:] if row[0] == "捐赠人"]
    assert sum(came) == 20_000_000
    starts = {row[0] for row in table.rows[1:]}
    ends = [row for row in table.rows[1:] if row[1] not in starts]
    assert sum(_fen(row[2]) for row in ends) == 20_000_000
    assert ["非限定性资金", "仍在：非限定性资金", "192,000.00 元"] in ends
    caption = next(one for one in page.all("figcaption"))
    assert "192,000.00 元仍在资金账上、尚未使用" in caption.text
    assert "400.00 元已离开本会" in caption.text


def test_the_picture_is_large_in_elder_mode(shown: Caller) -> None:
    page = read(shown, f"/entries/{GIFT}", headers={"Cookie": "lang=zh; elder=1"})
    assert page.one("html").attributes["class"] == "elder"
    assert 'font-size="20"' in page.html
