"""``shanji release``: what held the log is decided, and it may be written again."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ledger.commands.console import DATA_DEFAULT, Data, Lang, default_language

_WORDS = {
    "zh": {
        "free": "{data} 未因 {code} 暂停写入。",
        "held": "{code}：{reason}",
        "none": "{data} 没有任何暂停写入的原因。",
        "released": "{code} 已解除，可以写入了；原因与决定已留存。",
        "how": "查明并决定之后：shanji release CODE --by 谁、为何",
    },
    "en": {
        "free": "{data} is not held by {code}.",
        "held": "{code}: {reason}",
        "none": "Nothing holds {data}.",
        "released": "{code} holds it no more; the reason and the decision are kept.",
        "how": "Once it is found out and decided: shanji release CODE --by WHO-AND-WHY",
    },
}
BY_CHARS_MAX = 1000


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("release")(release)


def release(
    code: Annotated[
        str | None,
        typer.Argument(help="halted, damaged or restore_unconfirmed; without it, what holds it."),
    ] = None,
    by: Annotated[
        str | None, typer.Option(help="Who decided it, and why; kept with the time.")
    ] = None,
    data: Data = DATA_DEFAULT,
    lang: Lang = None,
) -> None:
    """Let a held log be written again, on every machine that shares its database."""
    from ledger.book import Book
    from ledger.errors import MalformedError
    from ledger.holds import HOLDS

    words = _WORDS[lang or default_language()]
    known = {hold.code: hold for hold in HOLDS}
    if code is not None and code not in known:
        raise MalformedError(
            f"expected one of {', '.join(known)}, got {code!r}", code="unknown_hold", field="code"
        )
    if code is not None and not 0 < len((by or "").strip()) <= BY_CHARS_MAX:
        raise MalformedError(
            f"--by: expected who decided it and why, in at most {BY_CHARS_MAX} characters",
            code="by_needed",
            field="by",
        )
    book = Book.open(data)
    try:
        held = book.held.read()
        if code is None:
            lines = [words["held"].format(code=hold.code, reason=why) for hold, why in held]
            lines = [*lines, words["how"]] if lines else [words["none"].format(data=data)]
        elif book.release(known[code], (by or "").strip()):
            lines = [words["released"].format(code=code)]
        else:
            lines = [words["free"].format(data=data, code=code)]
    finally:
        book.close()
    sys.stdout.write("\n".join(lines) + "\n")
    if code is None and held:
        raise typer.Exit(3)
