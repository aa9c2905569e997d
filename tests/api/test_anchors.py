"""GET /v1/anchors and /notice: what the service shows of time stamps and notices."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from caller import Caller, gift
from timestamp_authority import TimestampAuthority

from ledger.audit.authorities import Authority, stamp_newest


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is missing: no authority")
def test_stamps_are_listed_newest_first_and_downloaded(service: Caller, tmp_path: Path) -> None:
    assert service.value("/v1/anchors") == {"anchors": []}
    tsa = TimestampAuthority(tmp_path / "tsa")
    named = [Authority(name, "http://127.0.0.1/", tsa.root) for name in ("tsa-a", "tsa-b")]
    size = service.book.head().size
    for _ in range(3):
        book = service.book
        stamp_newest(book.store, book.vault, named, send=lambda _, query: tsa.answer(query))
        service.record(gift())
    first = service.value("/v1/anchors?limit=3")
    assert [one["size"] for one in first["anchors"]] == [size + 2, size + 2]
    rest = service.value(first["next"])
    assert [one["size"] for one in rest["anchors"]] == [size + 1, size + 1]
    assert "next" not in service.value("/v1/anchors")
    answer = service.get(first["anchors"][1]["href"])
    assert answer.headers["content-type"] == "application/timestamp-reply"
    assert "immutable" in answer.headers["cache-control"]
    with service.book.store.read() as reader:
        assert answer.content == reader.anchors(size + 2)[1].response
    service.problem(service.get(f"/v1/anchors/{size}/nobody"), 404, "no_anchor")


def test_the_notice_is_a_page_with_its_style_beside_it(untouched: Caller) -> None:
    for language, title in (("zh", "账本公示"), ("en", "Notice of the log")):
        answer = untouched.get(f"/notice?lang={language}")
        assert answer.status_code == 200
        assert title in answer.text
        assert "<style" not in answer.text
    style = untouched.get("/notice.css")
    assert style.headers["content-type"].startswith("text/css")
    assert "@page" in style.text
    assert untouched.get("/notice?day=2021-02-30").status_code == 400
    assert untouched.get("/notice?day=2001-01-01").status_code == 404
