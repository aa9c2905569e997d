"""``shanji attention``: what asks for a person's attention."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.commands.console import DATA_DEFAULT, Data, Lang, default_language

if TYPE_CHECKING:
    from ledger.attention import Board, Item

_WORDS = {
    "zh": {
        "sum": "{day}：{open} 项待处理，{done} 项已处理；账本大小 {size}。"
        "这些是供人判断的线索，不是指责。",
        "done": "已处理",
        "entries": "条目",
    },
    "en": {
        "sum": "{day}: {open} open, {done} disposed of; log size {size}. These are evidence for a "
        "person to judge, not accusations.",
        "done": "disposed of",
        "entries": "entries",
    },
}


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("attention")(attention)


def attention(
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="The day to count to, like 2021-12-31.")
    ] = None,
    data: Data = DATA_DEFAULT,
    as_json: Annotated[bool, typer.Option("--json", help="Print the items as JSON.")] = False,
    lang: Lang = None,
) -> None:
    """List overdue disclosures, what lies too long or runs out, and patterns worth a look."""
    from ledger.attention import attend
    from ledger.book import Book
    from ledger.day import parse_day

    book = Book.open(data)
    try:
        day = book.today() if as_of is None else parse_day(as_of, "--as-of")
        with book.store.read() as reader:
            board = attend(reader, day, holds=book.holds(), items_max=None)
    finally:
        book.close()
    if as_json:
        sys.stdout.write(json.dumps(board.as_json(), ensure_ascii=False) + "\n")
    else:
        _print(board, lang or default_language())


def _print(board: Board, lang: str) -> None:
    words = _WORDS[lang]
    for item in board.items:
        sys.stdout.write(_line(item, lang) + "\n")
    done = sum(one.disposition is not None for one in board.items)
    values = {"day": board.day, "size": board.size, "done": done, "open": len(board.items) - done}
    sys.stdout.write("# " + words["sum"].format(**values) + "\n")


def _line(item: Item, lang: str) -> str:
    words, value = _WORDS[lang], item.as_json()
    details = ", ".join(f"{name}={_plain(one)}" for name, one in item.details.items())
    entries = ", ".join(f"#{one}" for one in item.entries)
    line = f"{value[f'title_{lang}']} ({item.code}): {details}; {words['entries']} {entries}"
    if item.disposition is not None:
        line += f" [{words['done']} #{item.disposition['entry']}]"
    return line


def _plain(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
