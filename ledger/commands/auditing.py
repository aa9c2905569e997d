"""``shanji audit``: rebuild everything from the entries alone, and compare."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ledger.commands.console import DATA_DEFAULT, Data, Lang, default_language, read_file

if TYPE_CHECKING:
    from ledger.audit.report import Report

_WORDS: dict[str, dict[str, Any]] = {
    "zh": {
        "clean": "通过：{size} 个条目全部重算一致，树根 {root}，每秒 {entries_per_second} 条。",
        "found": "不一致：{size} 个条目，发现 {count} 处问题（见上），树根 {root}。",
        "part": "未检查：{what}",
        "witness": "见证人 {name}{trust}：最近见证到 {last_size} 条",
        "trust": {True: "（策略信任）", False: "（策略未列出）", None: ""},
    },
    "en": {
        "clean": "Verified: all {size} entries were rebuilt and agree, root {root}, "
        "{entries_per_second} entries/s.",
        "found": "Mismatch: {size} entries, {count} findings (above), root {root}.",
        "part": "Not checked: {what}",
        "witness": "Witness {name}{trust}: last cosigned {last_size} entries",
        "trust": {True: " (trusted by the policy)", False: " (not in the policy)", None: ""},
    },
}


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("audit")(audit)


def audit(
    data: Data = DATA_DEFAULT,
    key: Annotated[
        list[str] | None,
        typer.Option("--key", help="A verifier key that you trust; by default the log's own."),
    ] = None,
    known: Annotated[
        list[str] | None,
        typer.Option(
            "--known",
            metavar="FILE",
            help="A checkpoint or receipt that you kept: the log must contain it. Repeatable.",
        ),
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(
            "--policy", help="Your trust policy: its log keys, and the witnesses that you trust."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    lang: Lang = None,
) -> None:
    """Re-verify a whole log: chain, tree, signatures, units, rules, state."""
    from rich.console import Console
    from rich.progress import Progress

    from ledger.audit.replay import audit as replay
    from ledger.backup.restoring import erased_again
    from ledger.book import Book
    from ledger.known import FOLDER, SUFFIX
    from ledger.receipt import RECEIPT_BYTES_MAX
    from ledger.tlog.note import parse_verifier_key
    from ledger.tlog.policy import POLICY_BYTES_MAX, parse_policy

    kept = [read_file(name, RECEIPT_BYTES_MAX) for name in known or []]
    # What the data folder itself knows to have been signed counts too.
    kept += [path.read_bytes() for path in sorted((data / FOLDER).glob(f"*{SUFFIX}"))]
    gone = erased_again(data)
    store, vault = Book.parts(data)
    keys = [parse_verifier_key(one) for one in key or []]
    trusted = None
    if policy is not None:
        trusted = parse_policy(read_file(policy, POLICY_BYTES_MAX))
        keys += [one.key for one in trusted.log_keys]
    try:
        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("audit", total=None)

            def progress(done: int, size: int) -> None:
                bar.update(task, completed=done, total=size)

            report = replay(
                store,
                vault=vault,
                keys=keys,
                known=kept,
                erased_again=gone,
                policy=trusted,
                progress=progress,
            )
    finally:
        store.close()
    if as_json:
        sys.stdout.write(json.dumps(report.as_json(), ensure_ascii=False) + "\n")
    else:
        _print(report, _WORDS[lang or default_language()])
    if not report.clean:
        raise typer.Exit(1)


def _print(report: Report, words: dict[str, Any]) -> None:
    for finding in report.findings:
        sys.stdout.write(f"{finding.code}: {finding.place}: {finding.message}\n")
        for note in finding.evidence:
            sys.stdout.write(f"{note}\n")
    for one in report.witnesses:
        name = str(one["verifier_key"]).partition("+")[0]
        trust = words["trust"][one.get("trusted")]
        sys.stdout.write(words["witness"].format(name=name, trust=trust, **one) + "\n")
    for what in report.not_checked:
        sys.stdout.write(words["part"].format(what=what) + "\n")
    values: dict[str, Any] = {**report.as_json(), "count": len(report.findings)}
    sys.stdout.write(words["clean" if report.clean else "found"].format(**values) + "\n")
