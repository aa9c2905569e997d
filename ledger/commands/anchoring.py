"""``shanji anchor``, ``anchor-verify``, ``notice``, ``notice-check``: what stands outside."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ledger.commands.console import DATA_DEFAULT, Data, Lang, default_language, read_file, say
from ledger.errors import NotFoundError, RetryableError, VerificationError

if TYPE_CHECKING:
    from ledger.audit.authorities import Stamped
    from ledger.book import Book
    from ledger.store import Reader

_WORDS = {
    "zh": {
        "stamped": "{authority}：检查点（{size} 条）已盖时间戳 {time}",
        "already": "{authority}：检查点（{size} 条）此前已盖时间戳 {time}",
        "failed": "{authority}：未取得时间戳：{failure} 稍后重试。",
        "verified": "通过：账本 {origin} 的检查点（{size} 条，树根 {root}）在 {time} 之前已存在。"
        "时间由该机构证明；条目内容是否属实不在此列。",
        "same": "通过：所读之词与账本 {origin}（{size} 条）的树根一致。",
        "differ": "所读之词是另一个树根 {root}；请保留检查点与公示",
    },
    "en": {
        "stamped": "{authority}: the checkpoint of {size} entries was stamped at {time}",
        "already": "{authority}: the checkpoint of {size} entries was stamped before, at {time}",
        "failed": "{authority}: no time stamp: {failure} Try again later.",
        "verified": "Verified: the checkpoint of {size} entries of the log {origin} (root {root}) "
        "was there at {time}. The authority proves the time; it does not prove what the entries "
        "say.",
        "same": "Verified: the words are the root of the log {origin} at {size} entries.",
        "differ": "the words are another root, {root}; keep the checkpoint and the notice",
    },
}

_Authorities = Annotated[
    Path,
    typer.Option("--authorities", help="The TOML file that names the authorities."),
]
_Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("anchor")(anchor)
    app.command("anchor-verify")(anchor_verify)
    app.command("notice")(notice)
    app.command("notice-check")(notice_check)


def anchor(
    authorities: _Authorities,
    data: Data = DATA_DEFAULT,
    as_json: _Json = False,
    lang: Lang = None,
) -> None:
    """Have the newest checkpoint stamped by outside authorities (RFC 3161); run it daily."""
    from ledger.audit.authorities import read_authorities, stamp_newest
    from ledger.book import Book

    named = read_authorities(authorities)
    book = Book.open(data)
    try:
        outcomes = stamp_newest(book.store, book.vault, named)
    finally:
        book.close()
    words = _WORDS[lang or default_language()]
    if as_json:
        sys.stdout.write(json.dumps([_outcome(one) for one in outcomes]) + "\n")
    for one in outcomes:
        text = _told(one, words)
        if one.timestamp is None:
            say(text)
        elif not as_json:
            sys.stdout.write(text + "\n")
    if any(one.timestamp is None for one in outcomes):
        raise RetryableError("not every authority stamped the checkpoint; run it again later")


def _outcome(one: Stamped) -> dict[str, Any]:
    value: dict[str, Any] = {"authority": one.authority, "size": one.size}
    if one.timestamp is None:
        return {**value, "failure": one.failure}
    return {**value, "time": one.timestamp.time.isoformat(), "already": one.already}


def _told(one: Stamped, words: dict[str, str]) -> str:
    name = "failed" if one.timestamp is None else "already" if one.already else "stamped"
    time = "" if one.timestamp is None else one.timestamp.time.isoformat()
    failure = one.failure.rstrip(".") + "."
    return words[name].format(authority=one.authority, size=one.size, time=time, failure=failure)


def anchor_verify(
    stamp: Annotated[Path, typer.Argument(help="The time stamp, a .tsr file; - for stdin.")],
    checkpoint: Annotated[Path, typer.Argument(help="The checkpoint, or a receipt under it.")],
    certificates: Annotated[
        Path,
        typer.Option("--certificates", help="The authority's root certificate, PEM."),
    ],
    as_json: _Json = False,
    lang: Lang = None,
) -> None:
    """Verify offline that an authority stamped a checkpoint."""
    from ledger.audit.anchors import (
        PEM_BYTES_MAX,
        RESPONSE_BYTES_MAX,
        parse_certificates,
        stamped_text,
        verify_timestamp,
    )
    from ledger.receipt import RECEIPT_BYTES_MAX
    from ledger.tlog.checkpoint import parse_checkpoint
    from ledger.verify import checkpoint_of

    roots = parse_certificates(read_file(str(certificates), PEM_BYTES_MAX))
    text = stamped_text(checkpoint_of(read_file(str(checkpoint), RECEIPT_BYTES_MAX)))
    found = verify_timestamp(read_file(str(stamp), RESPONSE_BYTES_MAX), text, roots, nonce=None)
    log = parse_checkpoint(text)
    values = {
        "origin": log.origin,
        "size": log.size,
        "root": log.root.hex(),
        "time": found.time.isoformat(),
        "serial": str(found.serial),
        "policy": found.policy,
    }
    if as_json:
        sys.stdout.write(json.dumps({"verdict": "verified", **values}) + "\n")
    else:
        text_out = _WORDS[lang or default_language()]["verified"].format(**values)
        sys.stdout.write(text_out + "\n")


def notice(
    day: Annotated[
        str | None, typer.Option("--day", help="The day, like 2021-12-31; by default today.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write a page for A4 here, one HTML file."),
    ] = None,
    data: Data = DATA_DEFAULT,
    lang: Lang = None,
) -> None:
    """Print the notice of a day: origin, size, root, words to read aloud, QR code."""
    from ledger.audit.notice import format_notice, notice_of_day, notice_page
    from ledger.book import Book
    from ledger.day import parse_day

    language = lang or default_language()
    book = Book.open(data)
    try:
        wanted = book.today() if day is None else parse_day(day, "--day")
        with book.store.read() as reader:
            found = notice_of_day(reader, wanted, stamps_of(book, reader, wanted))
    finally:
        book.close()
    if output is None:
        sys.stdout.write(format_notice(found, language))
        return
    try:
        output.write_text(notice_page(found, language), "utf-8")
    except OSError as error:
        raise NotFoundError(f"{output} cannot be written: {error.strerror}") from None


def stamps_of(book: Book, reader: Reader, day: str) -> list[tuple[str, str]]:
    """The verified time stamps of a day's checkpoint."""
    from ledger.audit.anchors import stamped_text
    from ledger.audit.authorities import verify_row
    from ledger.audit.notice import notice_of_day

    found = notice_of_day(reader, day)
    text = stamped_text(found.note)
    return [
        (row.authority, verify_row(row, text).time.isoformat())
        for row in reader.anchors(found.checkpoint.size)
    ]


def notice_check(
    checkpoint: Annotated[Path, typer.Argument(help="The checkpoint, or a receipt under it.")],
    words: Annotated[list[str], typer.Argument(help="The 24 words, as they were read aloud.")],
    lang: Lang = None,
) -> None:
    """Compare words that were read aloud with a checkpoint's root."""
    from ledger.audit.anchors import stamped_text
    from ledger.audit.notice import parse_words
    from ledger.receipt import RECEIPT_BYTES_MAX
    from ledger.tlog.checkpoint import parse_checkpoint
    from ledger.verify import checkpoint_of

    told = _WORDS[lang or default_language()]
    log = parse_checkpoint(
        stamped_text(checkpoint_of(read_file(str(checkpoint), RECEIPT_BYTES_MAX)))
    )
    root = parse_words(" ".join(words))
    if root != log.root:
        raise VerificationError(told["differ"].format(root=root.hex()))
    sys.stdout.write(told["same"].format(origin=log.origin, size=log.size) + "\n")
