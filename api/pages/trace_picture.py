"""A walk as a flow picture: where the units of one entry went, in units of what was traced.

Accounts are nodes and hops are ribbons. What only passes through is left out of the
picture, not of the sums: the outside of a purchase (the fund leads to the goods), a
shipment between two sites. What rests in an account from which other parts went on gets a
node of its own, so that every ribbon's end tells a part of the answer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from api.pages.directory import Directory
from api.pages.flow_picture import (
    NODES_MAX,
    RIBBONS_MAX,
    FlowPicture,
    Look,
    Node,
    Ribbon,
    flow_picture,
)
from api.pages.format import format_yuan_short
from api.pages.texts import Translator
from ledger.flows import Hop, Walk, is_world

_LOOKS: dict[str, Look] = {"fund": "fund", "stock": "goods", "transit": "goods"}
_HELD = "held "

Pair = tuple[str, str]


def trace_picture(walk: Walk, directory: Directory, translator: Translator) -> FlowPicture | None:
    """The picture of a forward walk; None where it is too large to be drawn."""
    sums = _direct(_sums(walk.hops))
    held: dict[str, int] = defaultdict(int)
    for end in walk.ends:
        if end.state == "held":
            held[end.account] += end.amount
    leaving = {source for source, _ in sums}
    rests = {account for account in held if account not in leaving}
    for account in held.keys() - rests:
        sums[account, f"{_HELD}{account}"] = held[account]
    keys = dict.fromkeys(key for pair in sums for key in pair)
    if len(keys) > NODES_MAX or len(sums) > RIBBONS_MAX:
        return None
    nodes = [_node(key, key in rests, directory, translator) for key in keys]

    def amount(value: int) -> str:
        found = directory.amount(walk.asset, value)
        return f"{found.number} {found.unit}"

    def short(value: int) -> str:
        money = walk.asset == "CNY"
        return format_yuan_short(value, translator.language) if money else amount(value)

    return flow_picture(
        nodes,
        [Ribbon(source, target, value) for (source, target), value in sums.items()],
        key=f"flow-{walk.posting}",
        title=translator.text("flow.trace_title", amount=amount(walk.amount)),
        sentence=_sentence(walk, amount, translator),
        amount=amount,
        rest=lambda count: translator.text("flow.rest", count=count),
        short=short,
        elder=translator.plain,
    )


def _sums(hops: tuple[Hop, ...]) -> dict[Pair, int]:
    """What of the traced amount went from account to account; giving and taking outsides are
    two. The outside of a conversion is left out: what paid leads to what was got for it."""
    sums: dict[Pair, int] = defaultdict(int)
    paid: dict[tuple[int, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    got: dict[tuple[int, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for hop in hops:
        if hop.share is None:
            continue
        value = hop.share[1] - hop.share[0]
        if is_world(hop.target):
            paid[hop.entry, hop.target][hop.source] += value
        elif is_world(hop.source):
            got[hop.entry, hop.source][hop.target] += value
        else:
            sums[hop.source, hop.target] += value
    for (entry, world), sources in paid.items():
        into = got.pop((entry, world), {})
        whole = sum(into.values())
        for source, value in sources.items():
            for target, part in into.items():
                sums[source, target] += value * part // whole
            if not into:
                sums[source, f"out {world}"] += value
    for (_, world), targets in got.items():
        for target, value in targets.items():
            sums[f"in {world}", target] += value
    return sums


def _direct(sums: dict[Pair, int]) -> dict[Pair, int]:
    """The same without shipments that all went on: site leads to site."""
    found = dict(sums)
    for transit in {target for _, target in sums if target.startswith("transit:")}:
        into = {pair: value for pair, value in found.items() if pair[1] == transit}
        out = {pair: value for pair, value in found.items() if pair[0] == transit}
        if sum(into.values()) != sum(out.values()) or not out:
            continue
        whole = sum(into.values())
        for pair in (*into, *out):
            del found[pair]
        for (source, _), value in into.items():
            for (_, target), part in out.items():
                found[source, target] = found.get((source, target), 0) + value * part // whole
    return found


def _node(key: str, rests: bool, directory: Directory, translator: Translator) -> Node:
    if key.startswith(_HELD):
        place = directory.account(key.removeprefix(_HELD))
        return Node(key, translator.text("flow.still", name=place.name), "held", place.href)
    side, _, world = key.partition(" ")
    if world:
        place = directory.account(world)
        return Node(key, place.name, "in" if side == "in" else "out", place.href)
    place = directory.account(key)
    look: Look = "held" if rests else _LOOKS.get(key.partition(":")[0], "other")
    return Node(key, place.name, look, place.href)


def _sentence(walk: Walk, amount: Callable[[int], str], translator: Translator) -> str:
    parts = {"unspent": 0, "stock": 0, "left": 0}
    for end in walk.ends:
        if end.state != "held":
            parts["left"] += end.amount
        elif end.asset == walk.asset and end.asset == "CNY":
            parts["unspent"] += end.amount
        else:
            parts["stock"] += end.amount
    told = [
        translator.text(f"flow.part_{name}", amount=amount(value))
        for name, value in parts.items()
        if value
    ]
    comma = translator.text("units.comma")
    return translator.text("flow.trace_about", amount=amount(walk.amount), parts=comma.join(told))
