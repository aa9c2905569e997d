"""``shanji backup`` and ``shanji restore``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.commands.console import DATA_DEFAULT, Data, Lang, default_language

if TYPE_CHECKING:
    from ledger.backup.checking import BackupState
    from ledger.backup.manifest import Erasures, Manifest
    from ledger.backup.restoring import Restored

_WORDS = {
    "zh": {
        "made": "已备份：{place}（账本 {origin}，{size} 个条目，{bytes} 字节）",
        "no_keys": "备份不含密钥：请另行、分开保管 {keys}；"
        "没有密钥就不能恢复写入，也读不出个人信息。",
        "with_keys": "备份含有密钥：得到它的人能以本账本的名义签名，并读出全部个人信息。",
        "retention": "保存期限至 {until}。",
        "no_retention": "未指定保存期限（--retention-days）：删除个人信息之后，旧备份仍含有它。",
        "verifies": "核验通过",
        "wrong": "核验不通过：{problem}",
        "line": "{name}：{size} 个条目，{made_at}，{state}",
        "over": "已超过保存期限（{until}），应当销毁",
        "holds": "仍含有后来已删除的个人信息，条目 {entries}（共 {count} 个）",
        "unknown": "未与运行中的账本比较（--data）：后来的删除只能从其他备份得知",
        "none": "没有备份",
        "restored": "已恢复到 {data}：账本 {origin}，{size} 个条目。",
        "again": "已再次删除条目 {entries} 的个人信息（共 {count} 个）；可写入后请再登记一次 "
        "privacy.erased。",
        "behind": "此账本曾有 {seen} 个条目，这里只有 {size} 个：不会写入，以免签出第二个历史。",
        "prefix_proven": "已证明：这里的账本是所见账本的开头。",
        "prefix_unproven": "尚未证明这里的账本是所见账本的开头（--newer 指定更新的账本）。",
        "unconfirmed": "备份之后记录的内容不在这里；继续写入会签出第二个历史。因此暂不写入，"
        "直到策略中的全部见证人答复未见更新的账本（shanji serve --policy），"
        "或由您确认：shanji resume --data {data}",
        "keys_missing": "密钥不全：请将账本现在签名所用的密钥文件与 vault.key 放入 {keys}。",
        "audit": "请接着运行：shanji audit --data {data}",
    },
    "en": {
        "made": "Backed up: {place} (log {origin}, {size} entries, {bytes} bytes)",
        "no_keys": "The keys are not in it: keep {keys} elsewhere, apart from it; without them "
        "nothing can be written after a restore, and no personal field be read.",
        "with_keys": "The keys are in it: whoever has it can sign as this log and read every "
        "personal field.",
        "retention": "It may be kept until {until}.",
        "no_retention": "No retention was given (--retention-days): after an erasure an old "
        "backup still holds what was erased.",
        "verifies": "verifies",
        "wrong": "does not verify: {problem}",
        "line": "{name}: {size} entries, {made_at}, {state}",
        "over": "older than its retention ({until}); it should be destroyed",
        "holds": "still holds personal fields that were erased later, of entries {entries} "
        "({count} in all)",
        "unknown": "not compared with the living log (--data): later erasures are known from "
        "other backups only",
        "none": "there are no backups",
        "restored": "Restored into {data}: log {origin}, {size} entries.",
        "again": "The personal fields of entries {entries} ({count} in all) were erased again; "
        "record privacy.erased for them once more when the log is written.",
        "behind": "This log was seen with {seen} entries and has {size} here: nothing will be "
        "written, for a second history would be signed.",
        "prefix_proven": "Proven: the log here is the beginning of the log that was seen.",
        "prefix_unproven": "Not proven: that the log here is the beginning of the log that was "
        "seen (name a newer one with --newer).",
        "unconfirmed": "What was recorded after the backup is not here, and writing on would "
        "sign a second history of it. So nothing is written until all witnesses of the policy "
        "have said that they saw nothing newer (shanji serve --policy), or you confirm it: "
        "shanji resume --data {data}",
        "keys_missing": "The keys are not there, or not those that the log signs with now: put "
        "its key files and vault.key into {keys}.",
        "audit": "Now run: shanji audit --data {data}",
    },
}


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("backup")(backup)
    app.command("restore")(restore)


def backup(
    folder: Annotated[Path, typer.Argument(help="The folder of the backups.")],
    data: Data = DATA_DEFAULT,
    check: Annotated[
        bool,
        typer.Option("--check", help="Look at the backups that are there, instead of making one."),
    ] = False,
    retention_days: Annotated[
        int | None, typer.Option(min=1, help="How many days the backup may be kept.")
    ] = None,
    with_keys: Annotated[
        bool,
        typer.Option("--with-keys", help="Put the log's and the vault's keys into the backup too."),
    ] = False,
    key: Annotated[
        list[str] | None,
        typer.Option("--key", help="With --check: a verifier key to trust, not the backup's own."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    lang: Lang = None,
) -> None:
    """Back up a log while it is served; with --check, say what each backup is worth."""
    from ledger.backup.making import make_backup

    words = _WORDS[lang or default_language()]
    if check:
        _check(folder, data, key or [], as_json, words)
        return
    place, manifest = make_backup(data, folder, retention_days=retention_days, with_keys=with_keys)
    if as_json:
        value = {"backup": str(place), "origin": manifest.origin, "size": manifest.size}
        _print_json(value | {"root": manifest.root, "keys": manifest.keys})
        return
    _say_made(place, manifest, data, words)


def _say_made(place: Path, manifest: Manifest, data: Path, words: dict[str, str]) -> None:
    lines = [
        words["made"].format(
            place=place,
            origin=manifest.origin,
            size=manifest.size,
            bytes=manifest.database_bytes,
        ),
        words["with_keys" if manifest.keys else "no_keys"].format(keys=data / "keys"),
        words["no_retention" if manifest.retention_days is None else "retention"].format(
            until=manifest.keep_until()
        ),
    ]
    sys.stdout.write("\n".join(lines) + "\n")


def _check(folder: Path, data: Path, keys: list[str], as_json: bool, words: dict[str, str]) -> None:
    from ledger.backup.checking import list_backups
    from ledger.sequencer import utc_now
    from ledger.tlog.note import parse_verifier_key

    erasures = _living_erasures(data)
    trusted = [parse_verifier_key(one) for one in keys]
    states = list_backups(folder, now=utc_now(), keys=trusted, erasures=erasures)
    if as_json:
        value = [one.as_json() for one in states]
        _print_json({"backups": value, "compared_with_log": erasures is not None})
    else:
        for one in states:
            _print_state(one, words)
        if not states:
            sys.stdout.write(words["none"] + "\n")
        if erasures is None:
            sys.stdout.write(f"# {words['unknown']}\n")
    if any(one.problem is not None for one in states):
        raise typer.Exit(1)


def _living_erasures(data: Path) -> Erasures | None:
    """What the log in a data folder has erased; None where there is no log."""
    from ledger.backup.making import erasures_of
    from ledger.book import Book

    if not Book.exists(data):
        return None
    store, _ = Book.parts(data)
    try:
        with store.read() as reader:
            return erasures_of(reader)
    finally:
        store.close()


def _print_state(one: BackupState, words: dict[str, str]) -> None:
    from ledger.backup.checking import HELD_SHOWN

    good = words["verifies"]
    state = good if one.problem is None else words["wrong"].format(problem=one.problem)
    manifest = one.manifest
    size, made_at = ("?", "?") if manifest is None else (manifest.size, manifest.made_at)
    sys.stdout.write(
        words["line"].format(name=one.path.name, size=size, made_at=made_at, state=state) + "\n"
    )
    if one.over and manifest is not None:
        sys.stdout.write("  " + words["over"].format(until=manifest.keep_until()) + "\n")
    if one.holds:
        entries = ", ".join(map(str, one.holds[:HELD_SHOWN]))
        sys.stdout.write("  " + words["holds"].format(entries=entries, count=len(one.holds)) + "\n")


def restore(
    backup: Annotated[Path, typer.Argument(help="The backup's folder.")],
    data: Annotated[Path, typer.Option("--data", help="The empty place to restore into.")],
    keys: Annotated[
        Path | None,
        typer.Option(help="The folder with the key files and vault.key, if the backup has none."),
    ] = None,
    newer: Annotated[
        list[Path] | None,
        typer.Option(help="A data folder or backup of the log that went on further. Repeatable."),
    ] = None,
    erasures: Annotated[
        Path | None,
        typer.Option(help="A file with entries to erase again, one index a line."),
    ] = None,
    known: Annotated[
        list[Path] | None,
        typer.Option(help="A checkpoint or receipt that somebody kept. Repeatable."),
    ] = None,
    database: Annotated[
        str | None,
        typer.Option(
            envvar="SHANJI_DATABASE",
            help="An empty PostgreSQL database to restore into; else a file in the folder.",
        ),
    ] = None,
    nothing_newer: Annotated[
        bool,
        typer.Option(
            "--nothing-newer",
            help="I vouch that nothing newer of this log was ever signed: it may be written at "
            "once. Else its witnesses are asked first, or `shanji resume` confirms it.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    lang: Lang = None,
) -> None:
    """Restore a backup into an empty place; nothing is overwritten, no second history signed."""
    from ledger.backup.restoring import restore_backup

    restored = restore_backup(
        backup,
        data,
        keys=keys,
        newer=newer or (),
        erasures=erasures,
        known=known or (),
        database=database,
        nothing_newer=nothing_newer,
    )
    if as_json:
        _print_json(restored.as_json())
        return
    _say_restored(restored, data, _WORDS[lang or default_language()])


def _say_restored(restored: Restored, data: Path, words: dict[str, str]) -> None:
    from ledger.backup.checking import HELD_SHOWN

    manifest = restored.manifest
    values = {"data": data, "origin": manifest.origin, "size": manifest.size}
    lines = [words["restored"].format(**values)]
    if restored.erased_again:
        entries = ", ".join(str(entry) for entry, _ in restored.erased_again[:HELD_SHOWN])
        lines.append(words["again"].format(entries=entries, count=len(restored.erased_again)))
    if restored.behind:
        lines.append(words["behind"].format(seen=restored.seen, size=manifest.size))
    lines.append(words[f"prefix_{restored.prefix}"])
    if not restored.confirmed:
        lines.append(words["unconfirmed"].format(data=data))
    if not restored.keys:
        lines.append(words["keys_missing"].format(keys=data / "keys"))
    lines.append(words["audit"].format(data=data))
    sys.stdout.write("\n".join(lines) + "\n")


def _print_json(value: object) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
