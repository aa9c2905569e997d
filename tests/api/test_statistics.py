"""Public statistics over the demonstration, as JSON and as a page in both languages."""

from __future__ import annotations

from browser import read
from caller import Caller


def test_the_year_in_numbers(loaded: Caller) -> None:
    value = loaded.value("/v1/statistics")
    assert value["as_of"] == loaded.book.head().size
    assert value["group_min"] == 5
    raised = sum(one["raised_fen"] for one in value["money_in"])
    assert raised == sum(one["raised_fen"] for one in value["money_in_by_purpose"]) > 0
    assert value["volunteers"] == {"volunteers": 155}
    # Four wishes, each of another kind and age: no group, and not even their number.
    assert value["wishes"]["total"] == {"fewer_than": 5}
    assert all("fewer_than" in one for one in value["wishes"]["groups"])
    first = loaded.call("GET", "/v1/statistics")
    again = loaded.call("GET", "/v1/statistics", headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304


def test_the_page_says_what_is_hidden_and_why(loaded: Caller) -> None:
    home = read(loaded, "/", "zh")
    assert "/statistics" in home.links()
    page = read(loaded, "/statistics", "zh")
    size = loaded.book.head().size
    wishes = page.table("微心愿")
    assert f"截至条目 #{size - 1}" in wishes.caption
    assert {row[-1] for row in wishes.rows[1:]} == {"少于 5"}
    english = read(loaded, "/statistics", "en")
    assert english.table("Micro wishes").row("Total")[-1] == "fewer than 5"
    assert english.table("By fund class").rows
    assert "donors are not" in english.html
