"""``shanji sample``: draw entries to compare with the paper behind them."""

from __future__ import annotations

import csv
import io
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.commands.auditing import Keys, open_log
from ledger.commands.console import Lang, default_language, read_file, write_file

if TYPE_CHECKING:
    from ledger.audit.sample import Drawn, Sample

_WORDS = {
    "zh": {
        "drawn": "{origin}，{size} 条，树根 {root}：种子 {seed!r} 从 {population} 条中"
        "抽取 {count} 条。",
        "head": ("#", "种类", "数额", "日期", "条目哈希", "凭证 SHA-256", "核对"),
    },
    "en": {
        "drawn": "{origin}, {size} entries, root {root}: seed {seed!r} drew {count} of "
        "{population}.",
        "head": ("#", "kind", "amount", "day", "leaf hash", "documents, SHA-256", "agrees"),
    },
}
_COLUMNS = (
    "index",
    "kind",
    "asset",
    "amount",
    "unit",
    "occurred_on",
    "recorded_by",
    "leaf_hash",
    "documents",
    "agrees",
)
_BOX = "[ ]"


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("sample")(sample)


def sample(
    where: Annotated[str, typer.Argument(help="A log's URL, a mirror's folder or a data folder.")],
    seed: Annotated[
        str, typer.Option("--seed", help="Any text; announce it before you know the log's size.")
    ],
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="How many entries.")] = 25,
    kind: Annotated[str | None, typer.Option("--kind", help="Of this record kind only.")] = None,
    fund: Annotated[
        str | None, typer.Option("--fund", help="Those that move this fund's money only.")
    ] = None,
    amount_min: Annotated[
        int, typer.Option("--min-amount", min=0, help="At least so much moves (fen for money).")
    ] = 0,
    strata: Annotated[
        int, typer.Option("--strata", min=1, help="As many from each of so many parts by amount.")
    ] = 1,
    key: Keys = None,
    policy: Annotated[
        str | None,
        typer.Option(
            "--policy", help="Your trust policy: its log keys, and the witnesses that you trust."
        ),
    ] = None,
    table: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write a table (CSV, UTF-8).")
    ] = None,
    page: Annotated[
        Path | None, typer.Option("--page", metavar="FILE", help="Write a page to print (HTML).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the sample as JSON.")] = False,
    lang: Lang = None,
) -> None:
    """Draw a reproducible sample of entries with their evidence, to tick off."""
    from ledger.audit.public import open_signed
    from ledger.audit.sample import Wanted, draw, verified_entries
    from ledger.tlog.note import parse_verifier_key
    from ledger.tlog.policy import POLICY_BYTES_MAX, parse_policy
    from ledger.verify import verify_checkpoint

    keys = [parse_verifier_key(one) for one in key or []]
    trusted = None
    if policy is not None:
        trusted = parse_policy(read_file(policy, POLICY_BYTES_MAX))
        keys += [one.key for one in trusted.log_keys]
    source = open_log(where)
    try:
        signed = open_signed(source, keys)
        if trusted is not None:
            # Too few witnesses: pending, and nothing is drawn from what they have not seen.
            verify_checkpoint(signed.note, trusted, now=int(time.time()))
        drawn = draw(
            lambda: verified_entries(source, signed.checkpoint),
            signed.checkpoint,
            seed=seed,
            count=count,
            wanted=Wanted(kind, fund, amount_min),
            strata=strata,
        )
    finally:
        source.close()
    if table is not None:
        write_file(table, sample_csv(drawn))
    if page is not None:
        from ledger.commands.audit_page import sample_page

        write_file(page, sample_page(drawn).encode())
    if as_json:
        sys.stdout.write(sample_json(drawn))
    else:
        _print(drawn, lang)


def _print(drawn: Sample, lang: Lang) -> None:
    words = _WORDS[lang or default_language()]
    values = {**asdict(drawn), "count": len(drawn.drawn)}
    sys.stdout.write(str(words["drawn"]).format(**values) + "\n")
    sys.stdout.write("\t".join(words["head"]) + "\n")
    for one in drawn.drawn:
        cells = (
            str(one.index),
            one.kind,
            _moved(one),
            one.occurred_on,
            one.leaf_hash,
            " ".join(one.documents) or "-",
            _BOX,
        )
        sys.stdout.write("\t".join(cells) + "\n")


def _moved(one: Drawn) -> str:
    """Money in yuan, as people read it; anything else in its own units."""
    from ledger.intake.cells import format_yuan

    amount = format_yuan(one.amount) if one.asset == "CNY" else one.amount
    return f"{amount} {one.asset}" if one.asset else "-"


def sample_json(drawn: Sample) -> str:
    """The sample as one line of JSON."""
    return json.dumps(asdict(drawn), ensure_ascii=False) + "\n"


def sample_csv(drawn: Sample) -> bytes:
    """The sample as a table that a spreadsheet opens as it is."""
    from ledger.intake.errors_file import guarded

    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    for one in drawn.drawn:
        # Who reads 100000 CNY in a spreadsheet takes it for yuan.
        unit = "fen" if one.asset == "CNY" else ""
        row = asdict(one) | {"documents": " ".join(one.documents), "unit": unit, "agrees": ""}
        cells = (row[name] for name in _COLUMNS)
        writer.writerow([guarded(cell) if isinstance(cell, str) else cell for cell in cells])
    return text.getvalue().encode("utf-8-sig")
