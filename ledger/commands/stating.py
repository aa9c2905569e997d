"""``shanji statement``: an account's opening, movements and closing."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ledger.commands.console import DATA_DEFAULT, Data, Lang, default_language
from ledger.verify import format_amount

if TYPE_CHECKING:
    from ledger.statement import Statement

_WORDS = {
    "zh": {"opening": "期初", "closing": "期末", "size": "账本大小 {size}，共 {count} 笔"},
    "en": {
        "opening": "opening",
        "closing": "closing",
        "size": "log size {size}, {count} movements",
    },
}


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("statement")(statement)


def statement(
    asset: Annotated[str, typer.Argument(help="CNY, points, minutes, item:CODE.")],
    account: Annotated[str, typer.Argument(help="fund:CODE, stock:SITE, points:HOLDER ...")],
    day_from: Annotated[
        str | None, typer.Option("--from", help="The first day, like 2021-01-01.")
    ] = None,
    day_to: Annotated[str | None, typer.Option("--to", help="The last day.")] = None,
    by: Annotated[
        Literal["recorded", "occurred"], typer.Option(help="Which days count.")
    ] = "recorded",
    as_of: Annotated[
        int | None, typer.Option("--as-of", min=0, help="Only entries below this index.")
    ] = None,
    data: Data = DATA_DEFAULT,
    as_json: Annotated[bool, typer.Option("--json", help="Print the statement as JSON.")] = False,
    lang: Lang = None,
) -> None:
    """Print an account's statement, as of any size and between any days."""
    from ledger.book import Book
    from ledger.day import parse_day
    from ledger.statement import account_statement

    first = None if day_from is None else parse_day(day_from, "--from")
    last = None if day_to is None else parse_day(day_to, "--to")
    book = Book.open(data)
    movements: list[Any] = []
    after: int | None = None
    try:
        with book.store.read() as reader:
            while True:
                page = account_statement(
                    reader,
                    asset,
                    account,
                    by=by,
                    day_from=first,
                    day_to=last,
                    as_of=as_of,
                    after=after,
                )
                movements += page.movements
                after = page.next
                if after is None:
                    break
    finally:
        book.close()
    if as_json:
        value = {**page.as_json(), "movements": [asdict(one) for one in movements]}
        sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    else:
        _print(page, movements, lang or default_language())


def _print(page: Statement, movements: list[Any], lang: str) -> None:
    words = _WORDS[lang]
    sys.stdout.write(f"{words['opening']} {format_amount(page.asset, page.opening)}\n")
    for one in movements:
        day = one.recorded_on if page.by == "recorded" else one.occurred_on
        incoming = f"+{format_amount(page.asset, one.incoming)}" if one.incoming else ""
        outgoing = f"-{format_amount(page.asset, one.outgoing)}" if one.outgoing else ""
        both = " ".join(part for part in (incoming, outgoing) if part)
        # What was recorded late can leave a balance below nothing in between.
        sign = "-" if one.balance < 0 else ""
        balance = sign + format_amount(page.asset, abs(one.balance))
        sys.stdout.write(f"  {day} #{one.entry} {one.kind}: {both} = {balance}\n")
    sys.stdout.write(f"{words['closing']} {format_amount(page.asset, page.closing)}\n")
    summary = words["size"].format(size=page.as_of, count=page.movements_total)
    sys.stdout.write(f"# {summary}\n")
