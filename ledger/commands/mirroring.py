"""``shanji mirror``: a copy of a log's public data, verified while it is made."""

from __future__ import annotations

import json
import sys
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ledger.commands.console import Lang, default_language, say
from ledger.commands.verifying import Json, Keys, PolicyFile, read_trust
from ledger.errors import NotFoundError, RetryableError, UndecidedError

if TYPE_CHECKING:
    from ledger.audit.mirror import Mirror, Update

EVERY_SECONDS = 60
EXIT_UNDECIDED = 3

Every = Annotated[
    int, typer.Option("--every", min=1, max=86_400, help="Seconds between two looks.")
]

_WORDS = {
    "zh": {
        "copied": "已复制并核验：{size} 条，树根 {root}。",
        "current": "已是最新：{size} 条，树根 {root}。",
        "pending": "待封账：来源有 {source_size} 条，但见证人还不够；镜像仍为 {held} 条。"
        "可稍后再试，或用 --accept-unwitnessed。",
        "behind": "来源落后：它现在只给出 {source_size} 条，少于此前所见；镜像仍为 {held} 条。",
        "none": "零",
    },
    "en": {
        "copied": "Copied and verified: {size} entries, root {root}.",
        "current": "Nothing new: {size} entries, root {root}.",
        "pending": "Pending: the source has {source_size} entries, which too few witnesses saw; "
        "the mirror stays at {held}. Try again later, or give --accept-unwitnessed.",
        "behind": "The source is behind: it shows only {source_size} entries, fewer than it did "
        "before; the mirror stays at {held}.",
        "none": "no",
    },
}


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("mirror")(mirror)


def mirror(
    where: Annotated[
        str, typer.Argument(metavar="URL", help="The log's URL, or another mirror's folder.")
    ],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of the copy.")],
    key: Keys = None,
    policy: PolicyFile = None,
    accept_unwitnessed: Annotated[
        bool,
        typer.Option("--accept-unwitnessed", help="Copy also what too few witnesses have seen."),
    ] = False,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until Ctrl-C.")] = False,
    every: Every = EVERY_SECONDS,
    workers: Annotated[int, typer.Option("--workers", min=1, max=64, help="Requests at once.")] = 8,
    recheck: Annotated[
        bool,
        typer.Option("--recheck", help="Check all that is held once more, and mend it."),
    ] = False,
    lang: Lang = None,
    as_json: Json = False,
) -> None:
    """Copy a log, verified; the folder can be served by any static file server."""
    from rich.console import Console
    from rich.progress import Progress

    from ledger.audit.folder import MirrorFolder
    from ledger.audit.mirror import Mirror
    from ledger.audit.source_store import open_source

    trust = read_trust(key, policy)
    words = _WORDS[lang or default_language()]
    with ExitStack() as stack:
        source = stack.enter_context(closing(open_source(where)))
        place = stack.enter_context(closing(MirrorFolder(folder)))
        bar = stack.enter_context(Progress(console=Console(stderr=True), transient=True))
        task = bar.add_task("mirror", total=None)

        def progress(done: int, size: int) -> None:
            bar.update(task, completed=done, total=size)

        one = Mirror(
            source,
            place,
            trust,
            workers=workers,
            accept_unwitnessed=accept_unwitnessed,
            recheck=recheck,
            progress=progress,
        )
        code = _run(one, every if follow else None, words, as_json)
    if code:
        raise typer.Exit(code)


def _run(one: Mirror, every: int | None, words: dict[str, str], as_json: bool) -> int:
    """Update once, or until Ctrl-C; the exit code."""
    if every is None:
        done = one.update()
        _tell(done, words, as_json)
        return 0 if done.state in ("copied", "current") else EXIT_UNDECIDED
    try:
        while True:
            try:
                _tell(one.update(), words, as_json)
            except (RetryableError, UndecidedError, NotFoundError) as error:
                say(f"shanji: {error.message}")
            time.sleep(every)
    except KeyboardInterrupt:
        return 0


def _tell(done: Update, words: dict[str, str], as_json: bool) -> None:
    values: dict[str, Any] = {
        "state": done.state,
        "size": done.size,
        "source_size": done.source_size,
        "root": done.root.hex(),
    }
    if as_json:
        text = json.dumps(values)
    else:
        held = words["none"] if done.size < 0 else str(done.size)
        text = words[done.state].format(held=held, **values)
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
