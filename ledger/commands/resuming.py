"""``shanji resume``: a person vouches for a log that was restored from a backup."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ledger.commands.console import DATA_DEFAULT, Data, Lang, default_language

_WORDS = {
    "zh": {
        "free": "{data} 未因恢复而暂停写入。",
        "held": "{reason}\n请先询问可能持有更新的检查点或凭证的人（见证人、审计人员、"
        "最近的捐赠人），用 --known 给出；确认没有更新的之后加 --nothing-newer。",
        "resumed": "可以写入了。请补记备份之后的记录，使用原来的幂等键。",
    },
    "en": {
        "free": "{data} is not held because of a restore.",
        "held": "{reason}\nAsk whoever may hold a newer checkpoint or receipt (witnesses, "
        "auditors, the latest donors) and give it with --known; when there is none, add "
        "--nothing-newer.",
        "resumed": "It may be written. Send the records since the backup again, with their "
        "idempotency keys.",
    },
}


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("resume")(resume)


def resume(
    data: Data = DATA_DEFAULT,
    known: Annotated[
        list[Path] | None,
        typer.Option(help="A checkpoint or receipt that somebody kept. Repeatable."),
    ] = None,
    nothing_newer: Annotated[
        bool,
        typer.Option(
            "--nothing-newer", help="I vouch that nothing newer of this log was ever signed."
        ),
    ] = False,
    lang: Lang = None,
) -> None:
    """Confirm that a restored log is the newest there is, so that it may be written again."""
    from ledger.book import Book
    from ledger.holds import UNCONFIRMED
    from ledger.known import (
        FOLDER,
        SUFFIX,
        read_known,
        require_contains,
        require_not_behind,
        write_known,
    )

    words = _WORDS[lang or default_language()]
    book = Book.open(data)
    try:
        reason = dict(book.held.read()).get(UNCONFIRMED)
        if reason is None:
            sys.stdout.write(words["free"].format(data=data) + "\n")
            return
        with book.store.read() as reader:
            # Kept even where the log is behind them: they hold it from then on.
            for path in known or ():
                write_known(data, *read_known(path, book.verifier_keys))
            # What a restore has put there too: nobody can vouch against it.
            places = sorted((data / FOLDER).glob(f"*{SUFFIX}"))
            found = [read_known(path, book.verifier_keys)[0] for path in places]
            require_not_behind(reader.head(), found)
            require_contains(reader, found)
        if not nothing_newer:
            sys.stdout.write(words["held"].format(reason=reason) + "\n")
            raise typer.Exit(3)
        book.confirm_restored("a person vouched for it (shanji resume --nothing-newer)")
    finally:
        book.close()
    sys.stdout.write(words["resumed"] + "\n")
