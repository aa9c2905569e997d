"""``shanji export`` and ``export-check``: the whole log as tables, and the way back."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Annotated, Literal

import typer

from ledger.commands.console import DATA_DEFAULT, Data, Lang, default_language
from ledger.commands.verifying import Json, Keys, PolicyFile, read_trust

_WORDS = {
    "zh": {
        "done": "已导出：{tables} 张表，{size} 个条目，树根 {root}；清单 {manifest}。",
        "checked": "通过：导出文件与清单一致，条目给出账本 {origin} 已签名的树根"
        "（{size} 条，{root}）。",
    },
    "en": {
        "done": "Exported: {tables} tables, {size} entries, root {root}; manifest {manifest}.",
        "checked": "Verified: the files are as the manifest says, and the entries give the signed "
        "root of the log {origin} ({size} entries, {root}).",
    },
}


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("export")(export)
    app.command("export-check")(export_check)


def export(
    folder: Annotated[Path, typer.Argument(help="A new or empty folder.")],
    form: Annotated[
        Literal["csv", "parquet", "both"], typer.Option("--format", help="Which files.")
    ] = "both",
    data: Data = DATA_DEFAULT,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Export everything that is public as tables, with a manifest and a data dictionary."""
    from rich.console import Console
    from rich.progress import Progress

    from ledger.audit.export.exporting import MANIFEST, Format
    from ledger.audit.export.exporting import export as write
    from ledger.book import Book
    from ledger.sequencer import utc_now

    formats: list[Format] = ["csv", "parquet"] if form == "both" else [form]
    store, _ = Book.parts(data)
    try:
        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("export", total=None)
            manifest = write(
                store,
                folder,
                formats=formats,
                now=utc_now(),
                progress=lambda done, size: bar.update(task, completed=done, total=size),
            )
    finally:
        store.close()
    if as_json:
        sys.stdout.write(json.dumps(manifest, ensure_ascii=False) + "\n")
        return
    words = _WORDS[lang or default_language()]["done"]
    values = {"size": manifest["size"], "root": manifest["root"], "manifest": folder / MANIFEST}
    sys.stdout.write(words.format(tables=len(manifest["tables"]), **values) + "\n")


def export_check(
    folder: Annotated[Path, typer.Argument(help="An export.")],
    key: Keys = None,
    policy: PolicyFile = None,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Check an export without the ledger: files, hashes, and the root from its entries."""
    from ledger.audit.export.checking import check_export

    log = check_export(folder, read_trust(key, policy), now=int(time.time()))
    values = {"origin": log.origin, "size": log.size, "root": log.root.hex()}
    if as_json:
        sys.stdout.write(json.dumps({"verdict": "verified", **values}) + "\n")
    else:
        sys.stdout.write(_WORDS[lang or default_language()]["checked"].format(**values) + "\n")
