"""The notice of the day: which checkpoint, its words, its QR code, its page."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scribe import Scribe, StepClock
from typer.testing import CliRunner

from ledger.audit.notice import (
    format_notice,
    notice_of_day,
    notice_page,
    parse_words,
    qr_svg,
    qr_text,
    root_words,
)
from ledger.book import Book
from ledger.cli import build
from ledger.errors import CorruptionError, MalformedError, NotFoundError, VerificationError
from ledger.verify import verify_checkpoint

ROOT = bytes.fromhex("fb589ad5d686123f27ef1135f19283a7ba13fd4e3f00748bea5e22d216a3c006")


@given(st.binary(min_size=32, max_size=32))
def test_words_are_the_root(root: bytes) -> None:
    assert parse_words(" ".join(root_words(root, "en"))) == root
    assert parse_words(" ".join(root_words(root, "zh"))) == root
    assert parse_words("".join(root_words(root, "zh"))) == root


def test_the_words_are_those_of_the_public_list() -> None:
    # The published vector of BIP 39 for 32 bytes of 0x7f.
    assert root_words(b"\x7f" * 32, "en") == [
        *("legal winner thank year wave sausage worth useful " * 2).split(),
        *["legal", "winner", "thank", "year", "wave", "sausage", "worth", "title"],
    ]
    assert "1. " not in " ".join(root_words(ROOT, "zh"))
    numbered = " ".join(f"{n}. {word}," for n, word in enumerate(root_words(ROOT, "en"), start=1))
    assert parse_words(numbered.upper()) == ROOT


def test_a_misheard_word_is_noticed() -> None:
    words = root_words(ROOT, "en")
    for place in range(24):
        wrong = [*words]
        wrong[place] = "zoo" if words[place] != "zoo" else "zone"
        # One wrong word in 256 fits the checksum by chance, and says another root.
        with contextlib.suppress(MalformedError):
            assert parse_words(" ".join(wrong)) != ROOT
    with pytest.raises(MalformedError, match="checksum"):
        parse_words(" ".join(["zoo", *words[1:]]))
    with pytest.raises(MalformedError, match="got 23"):
        parse_words(" ".join(words[1:]))
    with pytest.raises(MalformedError, match="not in the list: xyzzy"):
        parse_words(" ".join(["xyzzy", *words[1:]]))
    with pytest.raises(MalformedError):
        parse_words("")


def test_a_day_ends_in_shanghai(tmp_path: Path) -> None:
    clock = StepClock(datetime(2022, 1, 10, 2, 0, tzinfo=UTC))
    book = Book.create(tmp_path / "b", origin="o.example/l", organisation="示例", clock=clock)
    scribe = Scribe(book)

    def tell(code: str) -> None:
        scribe.tell("fund.opened", {"code": code, "name": "示例", "fund_class": "unrestricted"})

    try:
        tell("a")
        clock.now = datetime(2022, 1, 10, 15, 59, 50, tzinfo=UTC)  # 23:59 on the 10th
        tell("b")
        clock.now = datetime(2022, 1, 10, 16, 0, tzinfo=UTC)  # the 11th begins
        tell("c")
        with book.store.read() as reader:
            sizes = {
                day: notice_of_day(reader, day).checkpoint.size
                for day in ("2022-01-10", "2022-01-11", "2099-12-31")
            }
            assert sizes == {"2022-01-10": 3, "2022-01-11": 4, "2099-12-31": 4}
            with pytest.raises(NotFoundError):
                notice_of_day(reader, "2022-01-09")
            found = notice_of_day(reader, "2022-01-10")
        assert found.organisation == "示例"
        assert verify_checkpoint(found.note, book.verifier_keys)[0].size == 3
    finally:
        book.close()


def test_the_qr_code_holds_a_checkpoint_that_verifies(world: Scribe) -> None:
    book = world.book
    with book.store.read() as reader:
        found = notice_of_day(reader, book.today())
    data = qr_text(found.note)
    assert verify_checkpoint(data, book.verifier_keys)[0] == found.checkpoint
    # Cosignatures and other signatures stay out of the code.
    assert qr_text(found.note + b"\xe2\x80\x94 w.example AAAAAAAA\n") == data
    text = found.note.partition(b"\n\n")[0] + b"\n\n\xe2\x80\x94 other AAAAAAAA\n"
    with pytest.raises(CorruptionError):
        qr_text(text)
    with pytest.raises(MalformedError, match="too long"):
        qr_svg(b"x" * 1000)


def test_text_and_page_in_both_languages(world: Scribe) -> None:
    with world.book.store.read() as reader:
        found = notice_of_day(reader, world.book.today(), [("tsa-1", "2022-01-10T05:00:00Z")])
    for language, title in (("zh", "账本公示"), ("en", "Notice of the log")):
        text = format_notice(found, language)
        page = notice_page(found, language)
        for part in (title, found.checkpoint.origin, str(found.checkpoint.size), "tsa-1"):
            assert part in text
            assert part in page
        root = found.note.decode().split("\n")[2]
        assert root in text
        assert "<svg" in page
        assert "<script" not in page
        assert "http://" not in page.replace('xmlns="http://www.w3.org/2000/svg"', "")


def test_the_commands(world: Scribe, tmp_path: Path) -> None:
    book, folder = world.book, str(world.book.folder)
    (tmp_path / "checkpoint").write_bytes(book.checkpoint())
    root = book.head().root
    book.close()
    run, app = CliRunner(), build()
    done = run.invoke(app, ["notice", "--data", folder, "--day", "2022-01-10", "--lang", "en"])
    assert done.exit_code == 0
    assert "Notice of the log" in done.stdout
    page = tmp_path / "notice.html"
    assert run.invoke(app, ["notice", "--data", folder, "-o", str(page)]).exit_code == 0
    assert page.read_text().startswith("<!doctype html>")
    check = ["notice-check", str(tmp_path / "checkpoint")]
    assert run.invoke(app, [*check, *root_words(root, "en")]).exit_code == 0
    assert run.invoke(app, [*check, "".join(root_words(root, "zh"))]).exit_code == 0
    other = run.invoke(app, [*check, *root_words(ROOT, "en")])
    assert isinstance(other.exception, VerificationError)
