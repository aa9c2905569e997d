"""``shanji evidence``: what two files prove about one log, offline."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from ledger.audit.evidence import EVIDENCE_BYTES_MAX, Judgement, judge, tell_judgement
from ledger.commands.console import Lang, default_language, read_file
from ledger.commands.verifying import Json, Keys, PolicyFile, read_trust, run_check

EXIT_CONTRADICTION = 1
"""Two histories, or served bytes that are not the signed ones: a mismatch was found."""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("evidence")(evidence)


def evidence(
    first: Annotated[
        str, typer.Argument(help="A checkpoint, a receipt, or an evidence file of a monitor.")
    ],
    second: Annotated[str, typer.Argument(help="The other file.")],
    key: Keys = None,
    policy: PolicyFile = None,
    lang: Lang = None,
    as_json: Json = False,
) -> None:
    """Check from two files alone whether a log signed two histories."""

    def check() -> Judgement:
        trust = read_trust(key, policy)
        one, other = (read_file(name, EVIDENCE_BYTES_MAX) for name in (first, second))
        return judge(one, other, trust)

    language = lang or default_language()
    result = run_check(check, language, as_json)
    text = tell_judgement(result, language)
    if as_json:
        value = {
            "verdict": result.verdict,
            "reason": result.reason,
            "text": text,
            "origin": result.first.origin,
            "checkpoints": [
                {"size": one.size, "root": one.root.hex()} for one in (result.first, result.second)
            ],
        }
        sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(text + "\n")
    if result.verdict != "one_history":
        raise typer.Exit(EXIT_CONTRADICTION)
