"""``shanji trace``: where an entry's units went, and whose they are."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ledger.commands.console import DATA_DEFAULT, Data, Lang, default_language, say
from ledger.verify import Direction, format_amount, walks_as_json

if TYPE_CHECKING:
    from ledger.flows import Walk

_STATES = {
    "zh": {"held": "仍在账上", "left": "已离开账本", "entered": "进入账本"},
    "en": {"held": "still held", "left": "left the ledger", "entered": "came in"},
}


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("trace")(trace)


def trace(
    index: Annotated[int, typer.Argument(min=0, help="The entry's index.")],
    backward: Annotated[
        bool, typer.Option("--backward", help="Whose units are these, instead of where they went.")
    ] = False,
    proof: Annotated[
        Path | None,
        typer.Option(help="Write the proof to this file; shanji verify checks it offline."),
    ] = None,
    data: Data = DATA_DEFAULT,
    as_json: Annotated[bool, typer.Option("--json", help="Print the trace as JSON.")] = False,
    lang: Lang = None,
) -> None:
    """Trace the units that an entry moved, through any number of entries."""
    from ledger.book import Book
    from ledger.trace import trace as walk_store
    from ledger.trace import trace_proof

    direction: Direction = "backward" if backward else "forward"
    book = Book.open(data)
    try:
        with book.store.read() as reader:
            head = reader.head()
            walks = walk_store(reader, index, direction)
            if proof is not None:
                proof.write_bytes(trace_proof(reader, index, direction))
                say(str(proof))
    finally:
        book.close()
    size = head.size if head else 0
    if as_json:
        value: dict[str, Any] = {"entry": index, "direction": direction, "size": size}
        value["walks"] = walks_as_json(walks)
        sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    else:
        for one in walks:
            _print_walk(one, _STATES[lang or default_language()])
        sys.stdout.write(f"# size {size}\n")


def _print_walk(walk: Walk, states: dict[str, str]) -> None:
    sys.stdout.write(f"{format_amount(walk.asset, walk.amount)} (posting {walk.posting})\n")
    for hop in walk.hops:
        amount = format_amount(hop.asset, hop.amount)
        sys.stdout.write(f"  #{hop.entry} {hop.kind}: {amount}, {hop.source} → {hop.target}\n")
    for end in walk.ends:
        asset = walk.asset if end.share is not None else end.asset
        amount = format_amount(asset, end.amount)
        units = "" if end.units is None else f" [{end.units[0]}, {end.units[1]})"
        sys.stdout.write(f"  = {amount} {states[end.state]}: {end.account}{units} (#{end.entry})\n")
