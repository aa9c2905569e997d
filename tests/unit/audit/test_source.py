"""Log sources: strict in bytes, patient with servers, and the same whatever serves the log."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from dishonest import LogReads, PaperLog, operating, paper_log
from scribe import Scribe, make_book

from ledger.audit.source import FolderSource, LogSource, PathSource
from ledger.audit.source_store import StoreSource, open_source
from ledger.audit.source_url import TRIES, UrlSource, check_url
from ledger.errors import MalformedError, NotFoundError, RetryableError
from ledger.store.place import place_of
from ledger.tlog.tiles import ENTRIES, format_tile_path, parse_bundle

SIZE = 600


def write_site(log: PaperLog, folder: Path) -> Path:
    for path, data in log.files().items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[LogSource]]:
    """The same log read in three ways."""
    log = paper_log(SIZE)
    folder = write_site(log, tmp_path_factory.mktemp("site"))
    with operating(log.answer) as operator:
        url = UrlSource(operator.url)
        yield [FolderSource(folder), url, PathSource("log", LogReads(log))]
        url.close()


def test_every_source_reads_the_same(sources: list[LogSource]) -> None:
    log = paper_log(SIZE)
    for source in sources:
        assert source.checkpoint() == log.checkpoint()
        assert source.tile(0, 1, 256) == log.tile(0, 1, 256)
        assert source.tile(1, 0, 2) == log.tile(1, 0, 2)
        assert source.bundle(2, 88) == log.bundle(2, 88)
        # A partial one that is gone is cut from the full one.
        assert source.tile(0, 1, 77) == log.tile(0, 1, 77)
        assert source.bundle(1, 77) == log.bundle(1, 77)
        # One on the right edge from what the newest checkpoint needs.
        assert source.tile(1, 0, 1) == log.tile(1, 0, 1)
        assert source.tile(0, 2, 9) == log.tile(0, 2, 9)
        assert source.bundle(2, 9) == log.bundle(2, 9)
        with pytest.raises(NotFoundError):
            source.tile(0, 2, 256)
        with pytest.raises(NotFoundError):
            source.bundle(2, 200)
        with pytest.raises(MalformedError):
            source.tile(64, 0, 1)


def test_a_database_reads_the_same(tmp_path: Path) -> None:
    book = make_book(tmp_path / "book")
    source = StoreSource(book.store)
    first = source.checkpoint()
    assert parse_bundle(source.bundle(0, 1), 1)
    Scribe(book).record("fund.opened", {"code": "a", "name": "示例", "fund_class": "unrestricted"})
    # One snapshot, until its checkpoint is read again.
    with pytest.raises(NotFoundError):
        source.bundle(0, 2)
    assert source.checkpoint() != first
    assert len(source.tile(0, 0, 2)) == 64
    assert source.tile(0, 0, 1) == source.tile(0, 0, 2)[:32]
    source.close()
    book.close()
    for where in (tmp_path / "book", place_of(tmp_path / "book")):
        again = open_source(str(where))
        assert len(again.bundle(0, 2)) > 100
        again.close()
        again.close()


def test_an_empty_database_has_no_checkpoint(tmp_path: Path) -> None:
    from ledger.store import Store

    store = Store.open(str(tmp_path / "empty.sqlite3"))
    source = StoreSource(store, own=True)
    with pytest.raises(NotFoundError, match="no log yet"):
        source.checkpoint()
    source.close()


def test_the_form_of_the_address_decides(tmp_path: Path) -> None:
    site = write_site(paper_log(3), tmp_path / "site")
    assert isinstance(open_source(str(site)), FolderSource)
    for url in ("http://127.0.0.1:9", "https://log.example/a/"):
        source = open_source(url)
        assert isinstance(source, UrlSource)
        assert source.name == url.rstrip("/")
        source.close()
    (tmp_path / "none").mkdir()
    for where in (tmp_path / "none", tmp_path / "absent"):
        with pytest.raises(NotFoundError):
            open_source(str(where))
    with pytest.raises(MalformedError):
        open_source("ftp://log.example")


@pytest.mark.parametrize(
    "url",
    ["http://", "http://a/?q=1", "http://a/#f", "http://[", "gopher://a", "http://a/" + "x" * 3000],
)
def test_what_is_no_address_of_a_log(url: str) -> None:
    with pytest.raises(MalformedError):
        check_url(url)


def test_files_that_are_wrong(tmp_path: Path) -> None:
    site = write_site(paper_log(SIZE), tmp_path)
    source = FolderSource(site)
    for path in ("tile/0/001", "tile/0/002.p/88"):
        (site / path).write_bytes((site / path).read_bytes()[:-1])
    for arguments in ((0, 1, 256), (0, 2, 88), (0, 1, 5)):
        with pytest.raises(MalformedError, match="expected"):
            source.tile(*arguments)
    (site / "tile/0/000").write_bytes(bytes(8193))
    with pytest.raises(MalformedError, match="at most 8192"):
        source.tile(0, 0, 256)
    (site / format_tile_path(ENTRIES, 0)).write_bytes(b"\x00")
    with pytest.raises(MalformedError):
        source.bundle(0, 10)
    (site / "tile/1").rename(site / "away")
    (site / "tile/1").write_bytes(b"")
    with pytest.raises(NotFoundError):
        source.tile(1, 0, 2)
    (site / "checkpoint").unlink()
    (site / "checkpoint").symlink_to("checkpoint")
    with pytest.raises(RetryableError):
        source.checkpoint()


Respond = Callable[[httpx.Request], httpx.Response]


def plain(data: bytes, status: int = 200, **headers: str) -> httpx.Response:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, headers=names, stream=httpx.ByteStream(data))


def always(answer: httpx.Response) -> Respond:
    return lambda request: answer


def asking(respond: Respond, tries: int = TRIES) -> tuple[UrlSource, list[float]]:
    pauses: list[float] = []
    source = UrlSource(
        "http://log.example/a",
        tries=tries,
        pause=pauses.append,
        transport=httpx.MockTransport(respond),
    )
    return source, pauses


@pytest.mark.parametrize("status", [500, 502, 503, 429, 408])
def test_a_server_error_is_asked_again(status: int) -> None:
    answers = [plain(b"", status), plain(b"", status), plain(b"note")]
    source, pauses = asking(lambda request: answers.pop(0))
    assert source.checkpoint() == b"note"
    assert pauses == [0.25, 0.5]


def test_it_gives_up_after_some_tries() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    for respond in (refuse, lambda request: plain(b"", 500)):
        source, pauses = asking(respond)
        with pytest.raises(RetryableError) as failure:
            source.checkpoint()
        assert failure.value.code == "source_away"
        assert len(pauses) == TRIES - 1


def test_a_refusal_is_not_asked_again() -> None:
    source, pauses = asking(lambda request: plain(b"", 403))
    with pytest.raises(RetryableError, match="got 403"):
        source.checkpoint()
    assert pauses == []


def test_redirects_stay_on_the_host() -> None:
    def lead(to: str) -> Respond:
        def respond(request: httpx.Request) -> httpx.Response:
            if request.url.path.endswith("/a/checkpoint"):
                return plain(b"", 301, location=to)
            return plain(str(request.url).encode())

        return respond

    for to in ("/b/checkpoint", "http://log.example/b/checkpoint", "https://log.example/b/c"):
        assert asking(lead(to))[0].checkpoint().endswith((b"/b/checkpoint", b"/b/c"))
    for to in ("http://evil.example/b", "http://log.example:8080/b", "//evil.example/b"):
        with pytest.raises(MalformedError, match="another host"):
            asking(lead(to))[0].checkpoint()
    with pytest.raises(MalformedError, match="redirects"):
        asking(lead("/a/checkpoint"))[0].checkpoint()


def test_answers_are_limited_in_bytes() -> None:
    packed = gzip.compress(bytes(10_000_000))
    bomb: list[Any] = [
        plain(bytes(8193)),
        plain(bytes(100_000)),
        plain(packed, content_encoding="gzip"),
        plain(gzip.compress(bytes(8193)), content_encoding="gzip"),
    ]
    for answer in bomb:
        source, _ = asking(always(answer))
        with pytest.raises(MalformedError, match="at most 8192 bytes"):
            source.tile(0, 0, 256)


def test_compressed_answers() -> None:
    tile = bytes(range(256)) * 32
    source, _ = asking(lambda request: plain(gzip.compress(tile), content_encoding="gzip"))
    assert source.tile(0, 0, 256) == tile
    packed = gzip.compress(tile)
    wrong = {
        "another coding": plain(tile, content_encoding="br"),
        "no gzip": plain(tile, content_encoding="gzip"),
        "two members": plain(packed + packed, content_encoding="gzip"),
    }
    for answer in wrong.values():
        source, _ = asking(always(answer))
        with pytest.raises(MalformedError):
            source.tile(0, 0, 256)
    # One that was cut on the way is asked for again.
    answers = [plain(packed[:-9], content_encoding="gzip"), plain(packed, content_encoding="gzip")]
    source, pauses = asking(lambda request: answers.pop(0))
    assert (source.tile(0, 0, 256), len(pauses)) == (tile, 1)


def test_a_slow_answer_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.audit.source_url.ANSWER_SECONDS_MAX", -1)
    source, _ = asking(lambda request: plain(bytes(8192)))
    with pytest.raises(RetryableError, match="the answer took more"):
        source.tile(0, 0, 256)


def test_no_cache_between_us_and_the_checkpoint() -> None:
    seen: dict[str, str] = {}

    def respond(request: httpx.Request) -> httpx.Response:
        seen[request.url.path] = request.headers.get("cache-control", "")
        return plain(bytes(8192))

    source, _ = asking(respond)
    source.checkpoint()
    source.tile(0, 0, 256)
    assert seen == {"/a/checkpoint": "no-cache", "/a/tile/0/000": ""}
