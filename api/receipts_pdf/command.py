"""``shanji receipt``: receipts from the data folder, as PDF with their proof files.

It works offline and beside a running service, which need not know of it. The files open
personal fields unless ``--no-open`` says otherwise, so only their owner can read them.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.commands.console import DATA_DEFAULT, Data, Lang, default_language

if TYPE_CHECKING:
    from api.receipts_pdf.paper import Paper
    from ledger.book import Book, Reveal
    from ledger.verify import Language

ENTRIES_MAX = 1_000_000
"""Receipts of one call, into a folder or a ZIP."""

_WORDS = {
    "zh": {
        "done": "已生成 {count} 份凭证：{place}",
        "opened": "凭证含有个人信息：得到它的人能读出。",
        "pending": "其中 {count} 份待封账：见证人尚不足，请稍后重新生成。",
        "no_url": "没有二维码：请以 --url 或设置 public_url 指明网站地址。",
        "drawing": "生成凭证",
    },
    "en": {
        "done": "{count} receipts made: {place}",
        "opened": "They hold personal fields: whoever gets them can read these.",
        "pending": "{count} of them are pending: too few witnesses yet; make them again later.",
        "no_url": "They have no QR code: name the site with --url, or set public_url.",
        "drawing": "Making receipts",
    },
}


def receipt(
    entries: Annotated[
        list[str],
        typer.Argument(help="Entries like 12, and ranges like 20-40.", metavar="INDEX..."),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="A folder for the files of each; a name ending in .zip, or in .pdf for one "
            "PDF with all.",
        ),
    ] = Path(),
    data: Data = DATA_DEFAULT,
    closed: Annotated[
        bool, typer.Option("--no-open", help="Open no personal field: the public receipt.")
    ] = False,
    url: Annotated[
        str | None,
        typer.Option(help="Where people reach the pages, for the QR code (or public_url)."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="A TOML file with settings (or SHANJI_CONFIG).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    lang: Lang = None,
) -> None:
    """Make receipts as PDF, offline, from the data folder; each has its proof file inside."""
    from api.receipts_pdf.bundle import parse_spans
    from api.receipts_pdf.typesetting import PAPERS_MAX, prepare_typesetter
    from api.settings import load_settings
    from api.witnessed import open_witnessing
    from ledger.book import Book

    language = lang or default_language()
    words = _WORDS[language]
    settings = load_settings(config, public_url=url, data=data)
    as_one = output.suffix == ".pdf"
    indices = parse_spans(entries, PAPERS_MAX if as_one else ENTRIES_MAX)
    prepare_typesetter()
    book = Book.open(data, access=settings.key_access)
    try:
        book.witnessing = open_witnessing(book, settings)
        drawing = _Drawing(book, closed, language, settings.public_url)
        papers = _with_progress(drawing.papers(indices), len(indices), words["drawing"])
        _write(papers, output)
    finally:
        book.close()
    if as_json:
        value = {"receipts": len(indices), "output": str(output), "pending": drawing.pending}
        sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
        return
    lines = [words["done"].format(count=len(indices), place=output)]
    if not closed:
        lines.append(words["opened"])
    if drawing.pending:
        lines.append(words["pending"].format(count=drawing.pending))
    if settings.public_url is None:
        lines.append(words["no_url"])
    sys.stdout.write("\n".join(lines) + "\n")


class _Drawing:
    """Draws receipts up one after the other, and counts those that are pending."""

    def __init__(self, book: Book, closed: bool, language: Language, site: str | None) -> None:
        self._book = book
        self._reveal: Reveal = "none" if closed else "all"
        self._language = language
        self._site = site
        self.pending = 0

    def papers(self, indices: list[int]) -> Iterator[Paper]:
        from api.receipts_pdf.paper import draw_up

        for index in indices:
            paper, settled = draw_up(
                self._book, index, reveal=self._reveal, language=self._language, site=self._site
            )
            self.pending += not settled
            yield paper


def _with_progress(papers: Iterator[Paper], count: int, what: str) -> Iterator[Paper]:
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        yield from bar.track(papers, total=count, description=what)


def _write(papers: Iterator[Paper], output: Path) -> None:
    """Write the files, each whole or not at all, readable by their owner only.

    Raises:
        NotFoundError: they cannot be written there.
    """
    from api.auth import write_private
    from api.receipts_pdf.bundle import zip_pieces
    from api.receipts_pdf.typesetting import typeset
    from ledger.errors import NotFoundError

    try:
        if output.suffix == ".pdf":
            write_private(output, typeset(list(papers)))
        elif output.suffix == ".zip":
            _write_pieces(output, zip_pieces(papers))
        else:
            output.mkdir(parents=True, exist_ok=True)
            for paper in papers:
                write_private(output / f"{paper.index}.pdf", typeset([paper]))
                write_private(output / paper.file, paper.receipt.encode())
    except OSError as error:
        raise NotFoundError(f"{output} cannot be written: {error.strerror}") from None


def _write_pieces(output: Path, pieces: Iterator[bytes]) -> None:
    part = output.with_name(output.name + ".part")
    part.unlink(missing_ok=True)
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        part.replace(output)
    finally:
        part.unlink(missing_ok=True)
