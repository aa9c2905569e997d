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
    from ledger.pools import Pools
    from ledger.related import Relations

_STATES = {
    "zh": {"held": "仍在账上", "left": "已离开账本", "entered": "进入账本"},
    "en": {"held": "still held", "left": "left the ledger", "entered": "came in"},
}
_WORDS = {
    "zh": {
        "pools": "上面按先进先出指明编号；以下是所经池子整体的使用情况：",
        "pool": "共收到 {received}，已用出 {spent}，尚在 {held}；"
        "其中属本条目 {traced}，尚在 {rest}",
        "whole": "整个账户",
        "plain": "未指定的部分",
        "related": "相关条目，各有自己的去向或来源：",
        "matching_gift": "为 #{of} 配捐",
        "refund": "退还 #{of}",
        "points": "#{of} 所得积分",
        "redeemed_goods": "#{of} 的积分兑换",
        "matched_gift": "由 #{of} 配捐的捐赠",
        "source": "#{of} 积分的来由",
        "part": "（{amount}，共 {whole}）",
        "more": "还有未列出的部分",
        "left_out": "涉及的条目太多",
    },
    "en": {
        "pools": "Which units is the ledger's order (first in, first out); the pools as a whole:",
        "pool": "received {received} in all, {spent} spent, {held} still there; of this entry "
        "{traced}, still there {rest}",
        "whole": "the whole account",
        "plain": "without an earmark",
        "related": "Linked entries, each with its own way:",
        "matching_gift": "matching gift for #{of}",
        "refund": "refund of #{of}",
        "points": "points for #{of}",
        "redeemed_goods": "goods redeemed by points of #{of}",
        "matched_gift": "gift that #{of} matched",
        "source": "what the points of #{of} were for",
        "part": " ({amount} of {whole})",
        "more": "there are more",
        "left_out": "too many entries",
    },
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
    """Trace the units that an entry moved, through any number of entries.

    Beside it stand the pools that they went through, as a whole, and linked entries:
    matching gifts, refunds, points and what they redeemed.
    """
    from ledger.book import Book
    from ledger.pools import find_pools
    from ledger.related import find_related
    from ledger.trace import trace as walk_store
    from ledger.trace import trace_proof

    direction: Direction = "backward" if backward else "forward"
    book = Book.open(data)
    try:
        with book.store.read() as reader:
            head = reader.head()
            walks = walk_store(reader, index, direction)
            pools = find_pools(reader, walks)
            related = find_related(reader, index, direction, walks)
            if proof is not None:
                proof.write_bytes(trace_proof(reader, index, direction))
                say(str(proof))
    finally:
        book.close()
    size = head.size if head else 0
    if as_json:
        value: dict[str, Any] = {"entry": index, "direction": direction, "size": size}
        value["walks"] = walks_as_json(walks)
        value |= {**pools.as_json(), **related.as_json()}
        sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    else:
        language = lang or default_language()
        for one in walks:
            _print_walk(one, _STATES[language])
        _print_pools(pools, _WORDS[language])
        _print_related(related, language)
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


def _print_pools(pools: Pools, words: dict[str, str]) -> None:
    if not pools.rows:
        return
    sys.stdout.write(words["pools"] + "\n")
    for one in pools.rows:
        part = words["whole"] if one.label is None else one.label or words["plain"]
        amounts = {
            "received": one.received,
            "spent": one.spent,
            "held": one.held,
            "traced": one.traced,
            "rest": one.traced_held,
        }
        told = {name: format_amount(one.asset, amount) for name, amount in amounts.items()}
        sys.stdout.write(f"  {one.account} [{part}]: {words['pool'].format(**told)}\n")
    if pools.more:
        sys.stdout.write(f"  {words['more']}\n")


def _print_related(related: Relations, language: str) -> None:
    words = _WORDS[language]
    if not related.rows:
        return
    sys.stdout.write(words["related"] + "\n")
    for one in related.rows:
        part = ""
        if one.part is not None:
            amounts = {"amount": one.part.amount, "whole": one.part.whole}
            told = {name: format_amount(one.part.asset, n) for name, n in amounts.items()}
            part = words["part"].format(**told)
        relation = words[one.relation].format(of=one.of)
        sys.stdout.write(f"- {relation}: #{one.entry} {one.kind}{part}\n")
        if one.walks is None:
            sys.stdout.write(f"  {words['left_out']}\n")
        for walk in one.walks or ():
            _print_walk(walk, _STATES[language])
    if related.more:
        sys.stdout.write(f"- {words['more']}\n")
