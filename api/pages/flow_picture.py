"""Flow pictures: who gave, where it went, as SVG that is drawn here and needs no script.

Nodes stand in columns, from left to right in the order in which units went; a ribbon
between two nodes is as wide as what went that way (a Sankey diagram). Pure: nodes and
ribbons in, markup out. Colours are classes, which style.css fills from the tokens, so the
picture obeys the content security policy and prints; `standalone` writes them into the
picture, for documents that have no style sheet.

A picture never stands alone: `FlowPicture.rows` is the same as a table, and `sentence` the
same in words (experience, "For everyone").
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from markupsafe import Markup

from api.pages.assets import assets

Look = Literal["in", "fund", "held", "out", "goods", "other"]
"""What a node is: it decides the colour, and nothing is told by colour alone."""

NODES_MAX = 400
"""Nodes and ribbons that are looked at; a caller sums up before it has more."""
RIBBONS_MAX = 1000
COLUMN_NODES_MAX = 8
"""Nodes in one column; the smallest are put together as others."""
COLUMNS_MAX = 8
"""A longer way is told by its table only."""

WIDE, NARROW = 880, 300
"""Widths in units of the picture, which are pixels where it is shown as large as it is."""
EM, ELDER_EM = 14, 20
"""Size of its type, usually and in elder mode."""
RIBBONS_HEIGHT = 230
"""What the column with the most in it is high, its gaps aside."""
NODE_WIDTH = 12
NODE_HEIGHT_MIN = 3.0
RIBBON_HEIGHT_MIN = 1.0
GAP = 14
MARGIN = NODE_WIDTH + 10
"""Of a column's width, what is not for its label."""
COLUMN_EMS_MIN = 5.5
"""The least width of a column: six Chinese characters beside its node."""
LINES_MAX = 3
"""Lines of a name; what does not fit ends with an ellipsis. The table has it whole."""
LATIN_EMS = 0.6
BOLD = 1.12
"""How much wider bold type is."""
LINE = 1.3

_OTHERS = "others"


@dataclass(frozen=True, slots=True)
class Node:
    """An account, a donor, a supplier: something that units come from or go to."""

    key: str
    name: str
    look: Look
    href: str | None = None


@dataclass(frozen=True, slots=True)
class Ribbon:
    """What went from one node to another; `value` counts in one unit in the whole picture."""

    source: str
    target: str
    value: int


@dataclass(frozen=True, slots=True)
class FlowRow:
    """A ribbon as a row of the table."""

    source: Node
    target: Node
    amount: str


@dataclass(frozen=True, slots=True)
class FlowPicture:
    """A picture in two widths, its table and its sentence.

    `wide` and `narrow` are None where there is nothing to draw, or too long a way.
    """

    title: str
    sentence: str
    wide: Markup | None
    narrow: Markup | None
    rows: list[FlowRow]


@dataclass(frozen=True, slots=True)
class _Placed:
    node: Node
    column: int
    value: int
    top: float
    height: float


def flow_picture(
    nodes: Sequence[Node],
    ribbons: Sequence[Ribbon],
    *,
    key: str,
    title: str,
    sentence: str,
    amount: Callable[[int], str],
    rest: Callable[[int], str],
    short: Callable[[int], str] | None = None,
    elder: bool = False,
) -> FlowPicture:
    """Draw what went where.

    Args:
        nodes: At most `NODES_MAX`, each with a key of its own.
        ribbons: At most `RIBBONS_MAX`, between those nodes. Those of no value, or from a
            node to itself, are left out; several between the same two are one. Where they
            would go round in a circle, the node that is come back to is drawn again.
        key: What begins the ids of the picture's own elements; unique in the page.
        title: What the picture is called.
        sentence: What it says, in words; its description for who does not see it.
        amount: Writes a value with its unit.
        short: Writes it shorter, perhaps rounded, for the narrow picture.
        rest: Names the node that stands for so many others.
        elder: Larger type.
    """
    assert len(nodes) <= NODES_MAX
    assert len(ribbons) <= RIBBONS_MAX
    by_key = {one.key: one for one in nodes}
    merged = _merged(ribbons)
    rows = [FlowRow(by_key[one.source], by_key[one.target], amount(one.value)) for one in merged]
    straight, by_key = _straightened(merged, by_key)
    columns = _columns(straight)
    if not straight or max(columns.values()) >= COLUMNS_MAX:
        return FlowPicture(title, sentence, None, None, rows)
    bounded, by_key, columns = _bounded(straight, by_key, columns, rest)
    em = ELDER_EM if elder else EM
    drawings = [
        _draw(bounded, by_key, columns, width, em, (f"{key}-{name}", title, sentence), written)
        for name, width, written in (("wide", WIDE, amount), ("narrow", NARROW, short or amount))
    ]
    return FlowPicture(title, sentence, drawings[0], drawings[1], rows)


def standalone(picture: Markup) -> str:
    """A picture with its colours in it, as a file of its own or for a document."""
    usual, _, _ = _asset("tokens.css").partition(":root.elder")
    tokens = dict(re.findall(r"--([a-z-]+):\s*(#[0-9a-f]{6});", usual))
    drawn = r"^\.flow-(?:node|ribbon|text|amount)[^{]*\{[^}]*\}"
    rules = re.findall(drawn, _asset("flow.css"), flags=re.MULTILINE)
    style = re.sub(r"var\(--([a-z-]+)\)", lambda found: tokens[found[1]], "".join(rules))
    return str(picture).replace("<title", f"<style>{style}</style><title", 1)


def _asset(name: str) -> str:
    return assets()[name].data.decode()


def _merged(ribbons: Sequence[Ribbon]) -> list[Ribbon]:
    """One ribbon for two nodes, in the order of the first between them."""
    sums: dict[tuple[str, str], int] = {}
    for one in ribbons:
        if one.value > 0 and one.source != one.target:
            pair = (one.source, one.target)
            sums[pair] = sums.get(pair, 0) + one.value
    return [Ribbon(source, target, value) for (source, target), value in sums.items()]


def _straightened(
    ribbons: Sequence[Ribbon], nodes: dict[str, Node]
) -> tuple[list[Ribbon], dict[str, Node]]:
    """The same without circles: a ribbon that would close one leads to a second node of the
    same name, which nothing leaves."""
    found: list[Ribbon] = []
    made = dict(nodes)
    leads: dict[str, set[str]] = {}
    for one in ribbons:
        target = one.target
        if _reaches(leads, target, one.source):
            target = f"{target} again"
            made[target] = replace(nodes[one.target], key=target)
        leads.setdefault(one.source, set()).add(target)
        found.append(Ribbon(one.source, target, one.value))
    return _merged(found), made


def _reaches(leads: dict[str, set[str]], start: str, goal: str) -> bool:
    seen, ahead = {start}, [start]
    while ahead:
        here = ahead.pop()
        if here == goal:
            return True
        new = leads.get(here, set()) - seen
        seen |= new
        ahead += new
    return False


def _columns(ribbons: Sequence[Ribbon]) -> dict[str, int]:
    """Each node one column behind the last that leads to it; there are no circles."""
    columns: dict[str, int] = {}
    into: dict[str, list[str]] = {}
    for one in ribbons:
        into.setdefault(one.target, []).append(one.source)
        into.setdefault(one.source, [])
    ahead = list(into)
    while ahead:
        node = ahead[-1]
        missing = [source for source in into[node] if source not in columns]
        if missing:
            ahead += missing
            continue
        columns.setdefault(node, max((columns[one] + 1 for one in into[node]), default=0))
        ahead.pop()
    return columns


def _values(ribbons: Sequence[Ribbon]) -> dict[str, int]:
    """What each node is worth: what came in or what went out, whichever is more."""
    came: dict[str, int] = {}
    went: dict[str, int] = {}
    for one in ribbons:
        came[one.target] = came.get(one.target, 0) + one.value
        went[one.source] = went.get(one.source, 0) + one.value
    return {key: max(came.get(key, 0), went.get(key, 0)) for key in came | went}


def _bounded(
    ribbons: list[Ribbon],
    nodes: dict[str, Node],
    columns: dict[str, int],
    rest: Callable[[int], str],
) -> tuple[list[Ribbon], dict[str, Node], dict[str, int]]:
    """At most `COLUMN_NODES_MAX` nodes in a column: the smallest become one."""
    values = _values(ribbons)
    stands_for = {key: key for key in columns}
    made, placed = dict(nodes), dict(columns)
    for column in sorted(set(columns.values())):
        here = [key for key in columns if columns[key] == column]
        if len(here) <= COLUMN_NODES_MAX:
            continue
        here.sort(key=lambda key: -values[key])
        small = here[COLUMN_NODES_MAX - 1 :]
        key = f"{_OTHERS} {column}"
        looks = {nodes[one].look for one in small}
        made[key] = Node(key, rest(len(small)), looks.pop() if len(looks) == 1 else "other")
        placed[key] = column
        stands_for |= dict.fromkeys(small, key)
    bound = _merged(
        [Ribbon(stands_for[one.source], stands_for[one.target], one.value) for one in ribbons]
    )
    return bound, made, {key: placed[key] for key in _values(bound)}


def _draw(
    ribbons: Sequence[Ribbon],
    nodes: dict[str, Node],
    columns: dict[str, int],
    width: int,
    em: int,
    words: tuple[str, str, str],
    amount: Callable[[int], str],
) -> Markup:
    count = max(columns.values()) + 1
    values = _values(ribbons)
    amounts = {key: amount(values[key]) for key in columns}
    least = max(COLUMN_EMS_MIN, *(_ems(one) * BOLD for one in amounts.values())) * em
    pitch = max(width / count, least + MARGIN)
    room = (pitch - MARGIN) / em
    labels = {key: (*_wrapped(nodes[key].name, room), amounts[key]) for key in columns}
    placed, height = _placed(ribbons, nodes, columns, values, labels, em)
    parts = [_ribbon(shape, look) for shape, look in _shapes(ribbons, placed, pitch)]
    for key, one in placed.items():
        left = one.column * pitch
        parts.append(
            Markup('<rect class="flow-node {}" x="{}" y="{}" width="{}" height="{}"/>').format(
                one.node.look, _n(left), _n(one.top), NODE_WIDTH, _n(one.height)
            )
        )
        parts.append(_label(labels[key], left + NODE_WIDTH + 6, one.top, em))
    key, title, sentence = words
    return Markup(
        '<svg class="flow-picture" xmlns="http://www.w3.org/2000/svg" role="img" '
        'aria-labelledby="{key}-title {key}-about" viewBox="0 0 {width} {height}" '
        'width="{width}" height="{height}"><title id="{key}-title">{title}</title>'
        '<desc id="{key}-about">{sentence}</desc>{parts}</svg>'
    ).format(
        key=key,
        width=_n(count * pitch),
        height=_n(height),
        title=title,
        sentence=sentence,
        parts=Markup("").join(parts),
    )


def _placed(
    ribbons: Sequence[Ribbon],
    nodes: dict[str, Node],
    columns: dict[str, int],
    values: dict[str, int],
    labels: dict[str, tuple[str, ...]],
    em: int,
) -> tuple[dict[str, _Placed], float]:
    """Every node's place, column by column: each beside what leads to it, none over another."""
    sums = [
        sum(values[key] for key in columns if columns[key] == column)
        for column in range(max(columns.values()) + 1)
    ]
    scale = RIBBONS_HEIGHT / max(sums)
    placed: dict[str, _Placed] = {}
    bottom = 0.0
    for column in range(len(sums)):
        here = [key for key in columns if columns[key] == column]
        here.sort(key=lambda key: (key.startswith(_OTHERS), _middle(key, ribbons, placed)))
        top = 0.0
        for key in here:
            height = max(values[key] * scale, NODE_HEIGHT_MIN)
            placed[key] = _Placed(nodes[key], column, values[key], top, height)
            top += max(height, len(labels[key]) * LINE * em) + GAP
        bottom = max(bottom, top - GAP)
    return placed, bottom + 2


def _middle(key: str, ribbons: Sequence[Ribbon], placed: dict[str, _Placed]) -> float:
    """How far down what leads to a node lies; in the first column, the largest comes first."""
    into = [one for one in ribbons if one.target == key]
    whole = sum(one.value for one in into)
    if not whole:
        return -float(sum(one.value for one in ribbons if one.source == key))
    return sum(placed[one.source].top * one.value for one in into) / whole


def _shapes(
    ribbons: Sequence[Ribbon], placed: dict[str, _Placed], pitch: float
) -> list[tuple[str, Look]]:
    """The outline of each ribbon; those of one node lie side by side along it."""
    down = {key: one.top for key, one in placed.items()}
    up = dict(down)
    found: list[tuple[str, Look]] = []
    for one in sorted(ribbons, key=lambda each: placed[each.target].top):
        source, target = placed[one.source], placed[one.target]
        heights = [
            max(one.value / side.value * side.height, RIBBON_HEIGHT_MIN)
            for side in (source, target)
        ]
        left, right = source.column * pitch + NODE_WIDTH, target.column * pitch
        y, z = down[one.source], up[one.target]
        down[one.source] += heights[0]
        up[one.target] += heights[1]
        bend = (left + right) / 2
        found.append(
            (
                f"M{_n(left)} {_n(y)}C{_n(bend)} {_n(y)} {_n(bend)} {_n(z)} {_n(right)} {_n(z)}"
                f"V{_n(z + heights[1])}C{_n(bend)} {_n(z + heights[1])} {_n(bend)} "
                f"{_n(y + heights[0])} {_n(left)} {_n(y + heights[0])}Z",
                source.node.look if target.node.look == "fund" else target.node.look,
            )
        )
    return found


def _ribbon(shape: str, look: Look) -> Markup:
    return Markup('<path class="flow-ribbon {}" d="{}"/>').format(look, shape)


def _label(lines: Sequence[str], left: float, top: float, em: int) -> Markup:
    spans = Markup("").join(
        Markup('<tspan class="{}" x="{}" y="{}">{}</tspan>').format(
            "flow-amount" if number == len(lines) - 1 else "flow-name",
            _n(left),
            _n(top + em + number * LINE * em),
            line,
        )
        for number, line in enumerate(lines)
    )
    return Markup('<text class="flow-text" font-size="{}">{}</text>').format(em, spans)


def _wrapped(name: str, room: float) -> list[str]:
    """A name in lines of at most `room` ems: Chinese breaks anywhere, other words between."""
    lines = [""]
    for piece in re.findall(r"[!-~]+\s*|\s+|.", name):
        for part in (piece,) if _ems(piece) <= room else tuple(piece):
            if lines[-1] and _ems(lines[-1] + part.rstrip()) > room:
                lines.append("")
            lines[-1] += part
    lines = [line.strip() for line in lines if line.strip()]
    if len(lines) > LINES_MAX:
        lines = [*lines[: LINES_MAX - 1], lines[LINES_MAX - 1][:-1] + "…"]
    return lines


def _ems(text: str) -> float:
    """How wide a text is, about: a Chinese character is one em."""
    return sum(1 if unicodedata.east_asian_width(one) in "WFA" else LATIN_EMS for one in text)


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
