"""``shanji audit``: rebuild everything from the entries alone, and compare.

``shanji audit-report verify`` opens a report that an auditor signed.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ledger.commands.console import (
    DATA_DEFAULT,
    Data,
    Lang,
    default_language,
    read_file,
    say,
    write_file,
)
from ledger.tlog.note import NOTE_BYTES_MAX

if TYPE_CHECKING:
    from ledger.audit.report import Report
    from ledger.audit.source import LogSource
    from ledger.tlog.note import VerifierKey

_WORDS: dict[str, dict[str, Any]] = {
    "zh": {
        "clean": "通过：{size} 个条目全部重算一致，树根 {root}，每秒 {entries_per_second} 条。",
        "found": "不一致：{size} 个条目，发现 {count} 处问题（见上），树根 {root}。",
        "part": "未检查：{what}",
        "grown": "通过：新增 {new} 个条目与前次审计的 {old} 个相接，全部一致；共 {size} 个，"
        "树根 {root}。",
        "base": "依据前次审计：{size} 个条目，树根 {root}，完成于 {finished_at}；其后逐条检查。",
        "signed": "报告已签名，验证公钥：{key}",
        "opened": "签名有效。账本 {origin}，{size} 个条目，树根 {root}，{finished_at}：{verdict}。",
        "good": "通过",
        "bad": "不一致，{count} 处问题",
        "witness": "见证人 {name}{trust}：最近见证到 {last_size} 条",
        "trust": {True: "（策略信任）", False: "（策略未列出）", None: ""},
    },
    "en": {
        "clean": "Verified: all {size} entries were rebuilt and agree, root {root}, "
        "{entries_per_second} entries/s.",
        "found": "Mismatch: {size} entries, {count} findings (above), root {root}.",
        "part": "Not checked: {what}",
        "grown": "Verified: {new} new entries go on from the {old} that were audited before, and "
        "agree; {size} in all, root {root}.",
        "base": "Relies on the audit of {size} entries, root {root}, finished {finished_at}; all "
        "after them was checked.",
        "signed": "The report is signed; verifier key: {key}",
        "opened": "The signature holds. Log {origin}, {size} entries, root {root}, {finished_at}: "
        "{verdict}.",
        "good": "verified",
        "bad": "mismatch, {count} findings",
        "witness": "Witness {name}{trust}: last cosigned {last_size} entries",
        "trust": {True: " (trusted by the policy)", False: " (not in the policy)", None: ""},
    },
}

JOBS_FROM_ENTRIES = 20_000
HASHES_JOBS_FROM_ENTRIES = 200_000
"""In a smaller log, more processes would take longer to start than they save."""

Keys = Annotated[
    list[str] | None,
    typer.Option("--key", help="A verifier key that you trust; by default the log's own."),
]
Where = Annotated[
    str | None,
    typer.Argument(
        metavar="[WHERE]",
        help="A log's URL, a mirror's folder or a data folder; by default that of --data.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("audit")(audit)
    reports = typer.Typer(help="Signed audit reports.", no_args_is_help=True)
    reports.command("verify")(verify_report)
    # A group of one command would take its name.
    reports.callback()(_reports)
    app.add_typer(reports, name="audit-report")


def _reports() -> None:
    """Signed audit reports."""


def audit(
    where: Where = None,
    data: Data = DATA_DEFAULT,
    key: Keys = None,
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
    state: Annotated[
        Path | None,
        typer.Option(
            "--state",
            metavar="DIR",
            help="A folder of the audit's own: it goes on there after a kill, and the next "
            "audit reads only what is new.",
        ),
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Read everything again, whatever --state has.")
    ] = False,
    hashes: Annotated[
        bool,
        typer.Option("--hashes", help="Public data only: signature, chain, tree and tiles."),
    ] = False,
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=1, max=256, help="Processes; by default the cores.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="FILE", help="Write the report as JSON.")
    ] = None,
    page: Annotated[
        Path | None, typer.Option("--page", metavar="FILE", help="Write a page to print (HTML).")
    ] = None,
    sign: Annotated[
        Path | None,
        typer.Option("--sign", metavar="KEYFILE", help="Sign the --report with this key (PEM)."),
    ] = None,
    sign_as: Annotated[
        str, typer.Option("--sign-as", help="The signing key's name, like auditor.example/li.")
    ] = "auditor",
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    lang: Lang = None,
) -> None:
    """Re-verify a whole log: chain, tree, signatures, units, rules, state."""
    from ledger.audit.signed_report import read_signer, sign_report
    from ledger.keys.access import default_access
    from ledger.tlog.note import format_verifier_key, parse_verifier_key
    from ledger.tlog.policy import POLICY_BYTES_MAX, parse_policy

    words = _WORDS[lang or default_language()]
    if sign is not None and report is None:
        raise typer.BadParameter("--sign needs --report, the file to write")
    signer = None if sign is None else read_signer(sign, sign_as, default_access())
    keys = [parse_verifier_key(one) for one in key or []]
    trusted = None
    if policy is not None:
        trusted = parse_policy(read_file(policy, POLICY_BYTES_MAX))
        keys += [one.key for one in trusted.log_keys]
    more = {
        "keys": keys,
        "known": _kept(known),
        "state": state,
        "full": full,
        "jobs": jobs,
        "policy": trusted,
        "hashes": hashes,
    }
    outcome = _run(where, data, more)
    if report is not None:
        if signer is None:
            write_file(report, (json.dumps(outcome.as_json(), ensure_ascii=False) + "\n").encode())
        else:
            write_file(report, sign_report(outcome, [signer]))
            say(words["signed"].format(key=format_verifier_key(signer.verifier_key)))
    if page is not None:
        from ledger.commands.audit_page import report_page

        name = "" if signer is None else signer.name
        write_file(page, report_page(outcome.as_json(), name).encode())
    if as_json:
        sys.stdout.write(json.dumps(outcome.as_json(), ensure_ascii=False) + "\n")
    else:
        _print(outcome, words)
    if not outcome.clean:
        raise typer.Exit(1)


def _kept(known: list[str] | None) -> list[bytes]:
    from ledger.receipt import RECEIPT_BYTES_MAX

    return [read_file(name, RECEIPT_BYTES_MAX) for name in known or []]


def _run(where: str | None, data: Path, more: dict[str, Any]) -> Report:
    """Audit the database of a data folder, or what a URL or a mirror's folder serves."""
    from rich.console import Console
    from rich.progress import Progress

    from ledger.audit.public import audit_public
    from ledger.verify import verify_checkpoint

    jobs, hashes, policy = more.pop("jobs"), more.pop("hashes"), more.pop("policy")
    folder = data if where is None else Path(where)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("audit", total=None)

        def progress(done: int, size: int) -> None:
            bar.update(task, completed=done, total=size)

        if not hashes and (where is None or _holds_database(folder)):
            from ledger.audit.replay import audit as audit_database
            from ledger.backup.restoring import erased_again
            from ledger.book import Book
            from ledger.known import FOLDER, SUFFIX

            # What the data folder itself knows to have been signed counts too.
            more["known"] += [
                path.read_bytes() for path in sorted((folder / FOLDER).glob(f"*{SUFFIX}"))
            ]
            more |= {"erased_again": erased_again(folder), "policy": policy}
            store, vault = Book.parts(folder)
            try:
                with store.read() as reader:
                    head = reader.head()
                jobs = _jobs(jobs, 0 if head is None else head.size)
                report = audit_database(store, vault=vault, progress=progress, jobs=jobs, **more)
                if policy is not None and report.clean:
                    # Only now, so that what is wrong is told whoever cosigned it.
                    with store.read() as reader:
                        note = reader.cosigned_checkpoint(report.size)
                    verify_checkpoint(note, policy, now=int(time.time()))
                return report
            finally:
                store.close()
        source = open_log(str(data) if where is None else where)
        try:
            if policy is not None:
                # Too few witnesses: pending, and never called clean.
                verify_checkpoint(source.checkpoint(), policy, now=int(time.time()))
            jobs = _jobs(jobs, _size_of(source.checkpoint()), hashes=hashes)
            return audit_public(source, progress=progress, jobs=jobs, hashes_only=hashes, **more)
        finally:
            source.close()


def _holds_database(folder: Path) -> bool:
    """Whether it is a data folder, and no mirror's."""
    from ledger.audit.source import CHECKPOINT

    if not folder.is_dir() or (folder / CHECKPOINT).is_file():
        return False
    from ledger.store.place import DATABASE, is_postgresql, place_of

    return (folder / DATABASE).is_file() or is_postgresql(place_of(folder))


def open_log(where: str) -> LogSource:
    """A log's public data; a mirror's folder without loading the database's packages."""
    from ledger.audit.source import CHECKPOINT, FolderSource

    if (Path(where) / CHECKPOINT).is_file():
        return FolderSource(Path(where))
    from ledger.audit.source_store import open_source

    return open_source(where)


def _size_of(checkpoint: bytes) -> int:
    """The size that a checkpoint names; it is not verified yet, and only helps to choose."""
    from ledger.tlog.checkpoint import parse_checkpoint
    from ledger.tlog.note import split_note

    return parse_checkpoint(split_note(checkpoint)[0]).size


def _jobs(asked: int | None, size: int, *, hashes: bool = False) -> int:
    if asked is not None:
        return asked
    least = HASHES_JOBS_FROM_ENTRIES if hashes else JOBS_FROM_ENTRIES
    return (os.cpu_count() or 1) if size >= least else 1


def _print(report: Report, words: dict[str, str]) -> None:
    for finding in report.findings:
        sys.stdout.write(f"{finding.code}: {finding.place}: {finding.message}\n")
        for note in finding.evidence:
            sys.stdout.write(f"{note}\n")
    for what in report.not_checked:
        sys.stdout.write(words["part"].format(what=what) + "\n")
    if report.relies_on is not None:
        sys.stdout.write(words["base"].format(**report.relies_on) + "\n")
    values: dict[str, Any] = {**report.as_json(), "count": len(report.findings)}
    verdict = "clean" if report.clean else "found"
    if report.clean and report.relies_on is not None:
        verdict = "grown"
        values |= {"old": report.relies_on["size"], "new": report.size - report.relies_on["size"]}
    sys.stdout.write(words[verdict].format(**values) + "\n")


def verify_report(
    file: Annotated[str, typer.Argument(help="A signed report; - for stdin.")],
    key: Annotated[
        list[str], typer.Option("--key", help="The auditor's verifier key. May be given again.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    lang: Lang = None,
) -> None:
    """Verify the signature on an audit report, and tell what it says."""
    from ledger.audit.signed_report import open_report
    from ledger.tlog.note import parse_verifier_key

    keys: list[VerifierKey] = [parse_verifier_key(one) for one in key]
    value = open_report(read_file(file, NOTE_BYTES_MAX), keys)
    if as_json:
        sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    else:
        words = _WORDS[lang or default_language()]
        count = len(value["findings"])
        verdict = words["good" if value["clean"] else "bad"].format(count=count)
        sys.stdout.write(words["opened"].format(**{**value, "verdict": verdict}) + "\n")
    if not value["clean"]:
        raise typer.Exit(1)
