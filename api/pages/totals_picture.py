"""Totals as a flow picture: what came into a fund, project or item, and what went out.

From the totals alone, so it costs nothing however many entries there are.
"""

from __future__ import annotations

from collections.abc import Callable

from api.pages.directory import Directory
from api.pages.flow_picture import FlowPicture, Look, Node, Ribbon, flow_picture
from api.pages.format import format_yuan_short
from api.pages.registers import ItemRow, MoneyRow
from api.pages.texts import Translator

Part = tuple[str, Look, int]
"""The name of a text, the look, and how much; nothing of it leaves the part out."""


def money_picture(
    row: MoneyRow, held: int, directory: Directory, translator: Translator
) -> FlowPicture | None:
    """A fund's or a project's money; None where none ever moved.

    Args:
        row: The fund or project.
        held: Fen that are still in the account for it.
        directory: Names.
        translator: Words.
    """
    ins: list[Part] = [
        ("raised", "in", row.raised),
        ("opened", "in", row.opened),
        ("received", "fund", row.received),
        ("sales", "goods", row.sales),
    ]
    outs: list[Part] = [
        ("spent", "out", row.spent),
        ("allocated", "fund", row.allocated),
        ("fees", "other", row.fees),
        ("refunded", "in", row.refunded),
        ("held", "held", held),
    ]
    # A project may spend what of its fund is for no project, and the reverse.
    missing = sum(part[2] for part in outs) - sum(part[2] for part in ins)
    ins.append(("unmarked", "fund", max(0, missing)))
    outs.append(("otherwise", "other", max(0, -missing)))
    return _picture(row.place.name, "fund", ins, outs, "CNY", directory, translator)


def item_picture(row: ItemRow, directory: Directory, translator: Translator) -> FlowPicture | None:
    """An item's units; None where none ever moved."""
    ins: list[Part] = [
        ("given", "in", row.given),
        ("bought", "fund", row.bought),
        ("opened", "in", row.opened),
        ("surplus", "other", row.surplus),
        ("repacked_out", "goods", row.repacked_out),
    ]
    outs: list[Part] = [
        ("distributed", "out", row.distributed),
        ("redeemed", "out", row.redeemed),
        ("sold", "out", row.sold),
        ("lost", "other", row.lost),
        ("repacked_in", "goods", row.repacked_in),
        ("on_hand", "held", row.on_hand),
    ]
    asset = f"item:{row.thing['code']}"
    return _picture(row.place.name, "goods", ins, outs, asset, directory, translator)


def _picture(
    name: str,
    look: Look,
    ins: list[Part],
    outs: list[Part],
    asset: str,
    directory: Directory,
    translator: Translator,
) -> FlowPicture | None:
    came = sum(part[2] for part in ins)
    if came <= 0:
        return None
    amount = _amount(asset, directory)
    nodes = [Node("here", name, look)]
    ribbons: list[Ribbon] = []
    for side, parts in (("in", ins), ("out", outs)):
        for part, part_look, value in parts:
            key = f"{side}-{part}"
            nodes.append(Node(key, translator.text(f"totals.{part}"), part_look))
            pair = (key, "here") if side == "in" else ("here", key)
            ribbons.append(Ribbon(*pair, value))
    told = [
        translator.text("totals.part", name=translator.text(f"totals.{part}"), amount=amount(value))
        for part, _, value in outs
        if value > 0
    ]
    comma = translator.text("units.comma")
    money = asset == "CNY"
    return flow_picture(
        nodes,
        ribbons,
        key="totals",
        title=translator.text("totals.title", name=name),
        sentence=translator.text("totals.about", amount=amount(came), parts=comma.join(told)),
        amount=amount,
        rest=lambda count: translator.text("flow.rest", count=count),
        short=(lambda fen: format_yuan_short(fen, translator.language)) if money else None,
        elder=translator.plain,
    )


def _amount(asset: str, directory: Directory) -> Callable[[int], str]:
    def amount(value: int) -> str:
        found = directory.amount(asset, value)
        return f"{found.number} {found.unit}"

    return amount
