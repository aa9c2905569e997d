"""``shanji monitor``: follow views of one log, and raise an alarm with evidence."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ledger.commands.console import Lang, default_language, say
from ledger.commands.mirroring import EVERY_SECONDS, Every
from ledger.commands.verifying import Json, Keys, PolicyFile, read_trust
from ledger.errors import MalformedError
from ledger.tlog.policy import Policy

if TYPE_CHECKING:
    from ledger.audit.monitor import Alarm, Monitor, Round, View
    from ledger.verify import Trust

HOOK_SECONDS_MAX = 60
"""How long the command of --on-alarm may take."""
BEHIND_SECONDS = 3600
STDERR = 2

_KINDS = {
    "zh": {
        "two_histories": "两段历史",
        "served_wrong": "所提供的内容与签名不符",
        "unproved": "无法证明只增不改",
        "shrunk": "账本变短",
        "bad_checkpoint": "检查点无效",
        "behind": "落后",
        "unwitnessed": "见证签名不足",
        "away": "无法读取",
    },
    "en": {
        "two_histories": "two histories",
        "served_wrong": "served bytes are not the signed ones",
        "unproved": "growth is not proved",
        "shrunk": "the log became shorter",
        "bad_checkpoint": "a checkpoint that does not verify",
        "behind": "behind",
        "unwitnessed": "too few cosignatures",
        "away": "cannot be read",
    },
}
_WORDS = {
    "zh": {
        "round": "{origin}：{size} 条，树根 {root}；{views}；警报 {alarms} 个。",
        "nothing": "尚无可核验的检查点；{views}；警报 {alarms} 个。",
        "new": "警报：{kind}：{message}（证据：{path}）",
        "old": "警报（此前已发出）：{kind}：{message}（证据：{path}）",
        "hook": "警报命令失败：{error}",
        "unread": "读不到",
    },
    "en": {
        "round": "{origin}: {size} entries, root {root}; {views}; {alarms} alarms.",
        "nothing": "No checkpoint that verifies yet; {views}; {alarms} alarms.",
        "new": "ALARM: {kind}: {message} (evidence: {path})",
        "old": "ALARM (raised before): {kind}: {message} (evidence: {path})",
        "hook": "the alarm command failed: {error}",
        "unread": "unread",
    },
}


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("monitor")(monitor)


def monitor(
    where: Annotated[
        list[str],
        typer.Argument(help="The log's URL, and its mirrors: URLs or folders."),
    ],
    state: Annotated[
        Path, typer.Option("--state", help="The folder for checkpoints, alarms and the state.")
    ],
    key: Keys = None,
    policy: PolicyFile = None,
    witness: Annotated[
        list[str] | None,
        typer.Option(
            "--witness",
            metavar="URL",
            help="A witness's monitoring prefix; those of the policy are followed anyway.",
        ),
    ] = None,
    every: Every = EVERY_SECONDS,
    once: Annotated[bool, typer.Option("--once", help="One look, then the exit code.")] = False,
    behind_seconds: Annotated[
        int,
        typer.Option(
            "--behind-seconds",
            min=0,
            help="How long a view may be behind, unread or without its witnesses.",
        ),
    ] = BEHIND_SECONDS,
    on_alarm: Annotated[
        str | None,
        typer.Option(
            "--on-alarm", metavar="CMD", help="Run for each new alarm, with the evidence folder."
        ),
    ] = None,
    lang: Lang = None,
    as_json: Json = False,
) -> None:
    """Follow a log, its mirrors and its witnesses; exit 1 or an alarm when they disagree."""
    from ledger.audit.folder import DurableFolder
    from ledger.audit.monitor import Monitor

    trust = read_trust(key, policy)
    hook = shlex.split(on_alarm) if on_alarm else []
    with ExitStack() as stack:
        views = open_views(where, witness or [], trust)
        for view in views:
            stack.callback(view.close)
        folder = stack.enter_context(closing(DurableFolder(state)))
        one = Monitor(views, folder, trust, behind_seconds=behind_seconds)
        code = _run(one, None if once else every, hook, lang or default_language(), as_json)
    if code:
        raise typer.Exit(code)


def _run(one: Monitor, every: int | None, hook: list[str], language: str, as_json: bool) -> int:
    """Look once, or until Ctrl-C; the exit code."""
    try:
        while True:
            seen = one.look()
            _tell(seen, language, as_json)
            _call_hook(seen, hook, language)
            if every is None:
                return seen.exit_code
            time.sleep(every)
    except KeyboardInterrupt:
        return 0


def open_views(where: list[str], witnesses: list[str], trust: Trust) -> list[View]:
    """The views of a log: sources by their addresses, and witnesses.

    Raises:
        MalformedError: witnesses of several logs cannot be told apart.
        NotFoundError: no such folder or database.
    """
    from ledger.audit.monitor import View, witness_path
    from ledger.audit.source_store import open_source
    from ledger.audit.source_url import UrlSource
    from ledger.tlog.note import NOTE_BYTES_MAX

    urls = list(witnesses)
    origins = [one.name for one in trust] if not isinstance(trust, Policy) else list(trust.origins)
    if isinstance(trust, Policy):
        urls += [one.url for one in trust.witnesses if one.url]
    if urls and len(set(origins)) != 1:
        raise MalformedError(
            f"expected the keys of one log to ask witnesses about, got {len(set(origins))}; give "
            "each log a policy of its own"
        )
    views = []
    for one in dict.fromkeys(where):
        source = open_source(one)
        views.append(View(one, "log", source.checkpoint, source.close, source))
    for url in dict.fromkeys(urls):
        prefix = UrlSource(url)

        def read(prefix: UrlSource = prefix) -> bytes:
            return prefix.read(witness_path(origins[0]), NOTE_BYTES_MAX)

        views.append(View(url, "witness", read, prefix.close))
    return views


def _tell(seen: Round, language: str, as_json: bool) -> None:
    words = _WORDS[language]
    if as_json:
        value: dict[str, Any] = {
            "origin": seen.origin,
            "size": seen.size,
            "root": seen.root.hex(),
            "views": seen.views,
            "alarms": [_alarm_as_json(one) for one in seen.alarms],
        }
        sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    else:
        views = ", ".join(
            f"{name} {words['unread'] if size is None else size}"
            for name, size in seen.views.items()
        )
        text = words["nothing" if seen.size < 0 else "round"].format(
            origin=seen.origin,
            size=seen.size,
            root=seen.root.hex(),
            views=views,
            alarms=len(seen.alarms),
        )
        sys.stdout.write(text + "\n")
    sys.stdout.flush()
    for one in seen.alarms:
        say(
            words["new" if one.new else "old"].format(
                kind=_KINDS[language][one.kind], message=one.message, path=one.path
            )
        )


def _alarm_as_json(alarm: Alarm) -> dict[str, Any]:
    return {
        "kind": alarm.kind,
        "view": alarm.view,
        "message": alarm.message,
        "evidence": None if alarm.path is None else str(alarm.path),
        "new": alarm.new,
    }


def _call_hook(seen: Round, hook: list[str], language: str) -> None:
    """Run the alarm command for each new alarm; its failure must not stop the monitor."""
    for one in seen.alarms:
        if not (hook and one.new and one.path is not None):
            continue
        try:
            # What it prints goes to stderr: stdout is ours, and may be JSON.
            subprocess.run(
                [*hook, str(one.path)], check=True, timeout=HOOK_SECONDS_MAX, stdout=STDERR
            )
        except (OSError, subprocess.SubprocessError) as error:
            say(_WORDS[language]["hook"].format(error=error))
