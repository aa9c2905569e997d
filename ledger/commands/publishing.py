"""``shanji publish``: tiles and bundles to a folder or an object store."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.commands.console import DATA_DEFAULT, Data, Lang, default_language

if TYPE_CHECKING:
    from ledger.witnessing import Witnessing

_WORDS = {
    "zh": {
        "published": "已发布到 {target}：{before} → {size} 个条目，{files} 个文件，树根 {root}。",
        "current": "{target} 已是最新：{size} 个条目，树根 {root}。",
    },
    "en": {
        "published": "Published to {target}: {before} → {size} entries, {files} files, "
        "root {root}.",
        "current": "{target} is up to date: {size} entries, root {root}.",
    },
}


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("publish")(publish)


def publish(
    target: Annotated[
        str, typer.Argument(metavar="TARGET", help="A folder, or like s3://bucket/prefix.")
    ],
    data: Data = DATA_DEFAULT,
    policy: Annotated[
        Path | None,
        typer.Option(help="A policy file: the witnesses that count for --require-witnesses."),
    ] = None,
    require_witnesses: Annotated[
        int,
        typer.Option(min=0, max=50, help="Publish only what so many witnesses have cosigned."),
    ] = 0,
    everything: Annotated[
        bool, typer.Option("--all", help="Upload also what is there, to mend a damaged target.")
    ] = False,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Uploads at once.")] = 8,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    lang: Lang = None,
) -> None:
    """Publish the log's tiles and bundles, verified; its checkpoint comes last."""
    from rich.console import Console
    from rich.progress import Progress

    from ledger.book import Book, read_key_history
    from ledger.publishing import open_target
    from ledger.publishing import publish as publish_log

    words = _WORDS[lang or default_language()]
    place = open_target(target)
    store, _ = Book.parts(data)
    try:
        with store.read() as reader:
            keys = read_key_history(reader).keys
        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("publish", total=None)
            done = publish_log(
                store,
                place,
                keys,
                witnessing=_witnessing(policy, require_witnesses),
                everything=everything,
                workers=workers,
                progress=lambda some, size: bar.update(task, completed=some, total=size),
            )
    finally:
        store.close()
    values = {"before": done.before, "size": done.size, "files": done.files}
    if as_json:
        text = json.dumps({"target": place.name, **values, "root": done.root.hex()})
    else:
        word = words["published" if done.files else "current"]
        text = word.format(target=place.name, root=done.root.hex(), **values)
    sys.stdout.write(text + "\n")


def _witnessing(policy: Path | None, require: int) -> Witnessing:
    """Whose cosignatures a published checkpoint needs."""
    from ledger.commands.console import read_file
    from ledger.errors import MalformedError
    from ledger.tlog.policy import POLICY_BYTES_MAX, parse_policy
    from ledger.witnessing import Witnessing

    if policy is None:
        if require:
            raise MalformedError("--require-witnesses needs a --policy that names them")
        return Witnessing()
    return Witnessing(parse_policy(read_file(str(policy), POLICY_BYTES_MAX)), require)
