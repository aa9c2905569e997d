"""Public statistics over the demonstration, as JSON and as a page in both languages."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import read
from caller import Caller, serving


@pytest.fixture(scope="module")
def shown(loaded_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    """The service over the demonstration; nothing is recorded."""
    folder = tmp_path_factory.mktemp("statistics") / "book"
    shutil.copytree(loaded_template, folder)
    with serving(folder, audit=False) as caller:
        yield caller


def test_the_year_in_numbers(shown: Caller) -> None:
    value = shown.value("/v1/statistics")
    assert value["as_of"] == shown.book.head().size
    assert value["group_min"] == 5
    raised = sum(one["raised_fen"] for one in value["money_in"])
    assert raised == sum(one["raised_fen"] for one in value["money_in_by_purpose"]) > 0
    assert value["volunteers"] == {"volunteers": 155}
    # Four wishes, each of another kind and age: "fewer than five" in all would be one of each.
    assert value["wishes"]["total"] == {"withheld": True}
    assert all("fewer_than" in one for one in value["wishes"]["groups"])
    first = shown.call("GET", "/v1/statistics")
    again = shown.call("GET", "/v1/statistics", headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304


def test_the_page_says_what_is_hidden_and_why(shown: Caller) -> None:
    home = read(shown, "/", "zh")
    assert "/statistics" in home.links()
    page = read(shown, "/statistics", "zh")
    size = shown.book.head().size
    wishes = page.table("微心愿")
    assert f"截至条目 #{size - 1}" in wishes.caption
    assert [row[-1] for row in wishes.rows[1:]] == ["少于 5"] * 4 + ["不公布"]
    english = read(shown, "/statistics", "en")
    assert english.table("Micro wishes").row("Total")[-1] == "withheld"
    assert english.table("By fund class").rows
    assert "donors are not" in english.html
