"""Flow pictures: well-formed, bounded, nothing lost, nothing over anything else."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from api.pages.flow_picture import (
    COLUMN_NODES_MAX,
    COLUMNS_MAX,
    EM,
    LINES_MAX,
    NARROW,
    WIDE,
    FlowPicture,
    Node,
    Ribbon,
    flow_picture,
    standalone,
)
from api.pages.format import format_yuan_short

SVG = "{http://www.w3.org/2000/svg}"


def draw(pairs: dict[tuple[str, str], int], *, elder: bool = False) -> FlowPicture:
    keys = dict.fromkeys(key for pair in pairs for key in pair)
    return flow_picture(
        [Node(key, key, "fund") for key in keys],
        [Ribbon(source, target, value) for (source, target), value in pairs.items()],
        key="flow",
        title="去向",
        sentence="去了哪里 <&>",
        amount=lambda value: f"{value} 元",
        rest=lambda count: f"其余 {count} 项",
        elder=elder,
    )


def parsed(picture: FlowPicture) -> ElementTree.Element:
    assert picture.wide is not None
    return ElementTree.fromstring(str(picture.wide))


def boxes(svg: ElementTree.Element) -> list[tuple[float, float, float]]:
    """Left, top and bottom of every node."""
    found = []
    for one in svg.findall(f"{SVG}rect"):
        x, y, height = (float(one.attrib[name]) for name in ("x", "y", "height"))
        found.append((x, y, y + height))
    return found


def lines(svg: ElementTree.Element) -> list[list[str]]:
    """The lines of every label."""
    return [[span.text or "" for span in one] for one in svg.findall(f"{SVG}text")]


def test_a_picture_tells_itself_in_words_and_has_no_style_of_its_own() -> None:
    picture = draw({("甲", "乙"): 5, ("乙", "丙"): 3})
    svg = parsed(picture)
    assert svg.findtext(f"{SVG}title") == "去向"
    assert svg.findtext(f"{SVG}desc") == "去了哪里 <&>"
    assert svg.attrib["role"] == "img"
    ids = svg.attrib["aria-labelledby"].split()
    assert ids == [one.attrib["id"] for one in list(svg)[:2]]
    assert "style" not in str(picture.wide)
    assert ids[0] not in str(picture.narrow), "ids are unique in the page"
    assert [(row.source.name, row.target.name, row.amount) for row in picture.rows] == [
        ("甲", "乙", "5 元"),
        ("乙", "丙", "3 元"),
    ]


def test_nodes_stand_in_columns_and_never_on_each_other() -> None:
    svg = parsed(draw({("a", "b"): 9, ("a", "c"): 1, ("b", "d"): 5, ("c", "d"): 1, ("a", "d"): 2}))
    assert len({x for x, _, _ in boxes(svg)}) == 3
    by_column: dict[float, list[tuple[float, float]]] = {}
    for x, top, bottom in boxes(svg):
        by_column.setdefault(x, []).append((top, bottom))
    for places in by_column.values():
        places.sort()
        for (_, bottom), (top, _) in pairwise(places):
            assert top > bottom
    height = float(svg.attrib["height"])
    assert all(bottom <= height for _, _, bottom in boxes(svg))
    assert len(svg.findall(f"{SVG}path")) == 5


def test_heights_are_in_proportion() -> None:
    svg = parsed(draw({("a", "b"): 75, ("a", "c"): 25}))
    a, b, c = (bottom - top for _, top, bottom in boxes(svg))
    assert a == pytest.approx(b + c, abs=0.2)
    assert b == pytest.approx(3 * c, abs=0.2)


def test_small_ones_become_others_and_the_sum_stays() -> None:
    pairs = {("a", f"b{number}"): number + 1 for number in range(30)}
    picture = draw(pairs)
    labels = lines(parsed(picture))
    assert len(labels) == 1 + COLUMN_NODES_MAX
    assert labels[-1][0] == "其余 23 项", "the last of its column"
    shown = sum(int(one[-1].removesuffix(" 元")) for one in labels[1:])
    assert shown == sum(pairs.values())
    assert len(picture.rows) == len(pairs), "the table has them all"


def test_a_circle_is_drawn_by_coming_back_to_a_second_node() -> None:
    picture = draw({("a", "b"): 5, ("b", "c"): 4, ("c", "a"): 3, ("b", "a"): 1})
    names = [one[0] for one in lines(parsed(picture))]
    assert sorted(names) == ["a", "a", "b", "c"]
    assert ("c", "a", "3 元") in [(r.source.name, r.target.name, r.amount) for r in picture.rows]


def test_nothing_is_drawn_of_nothing_or_of_too_long_a_way() -> None:
    nothing = draw({("a", "a"): 5, ("a", "b"): 0})
    assert (nothing.wide, nothing.narrow, nothing.rows) == (None, None, [])
    long = draw({(str(one), str(one + 1)): 1 for one in range(COLUMNS_MAX)})
    assert long.wide is None
    assert len(long.rows) == COLUMNS_MAX
    assert draw({(str(one), str(one + 1)): 1 for one in range(COLUMNS_MAX - 1)}).wide is not None


def test_long_names_wrap_and_stay_in_their_column() -> None:
    name = "某某市某某区慈善总会与合作企业联合会共同设立的困境儿童医疗救助专项基金"
    svg = parsed(draw({("捐赠人", name): 5, (name, "an organisation with a long name"): 5}))
    pitch = WIDE / 3
    for label in lines(svg):
        assert len(label) <= LINES_MAX + 1
        assert all(len(one) * EM * 0.6 <= pitch for one in label)
    whole = ["".join(one[:-1]) for one in lines(svg)]
    assert any(name.startswith(one.rstrip("…")) and len(one) > 15 for one in whole)


def test_widths_suit_a_desktop_and_a_phone() -> None:
    picture = draw({("甲", "乙"): 5, ("乙", "丙"): 3})
    assert parsed(picture).attrib["width"] == str(WIDE)
    assert re.search(rf'width="{NARROW}"', str(picture.narrow))
    assert 'font-size="20"' in str(draw({("甲", "乙"): 5}, elder=True).wide)


def test_a_picture_for_a_document_has_its_colours_in_it() -> None:
    picture = draw({("甲", "乙"): 5})
    assert picture.wide is not None
    text = standalone(picture.wide)
    ElementTree.fromstring(text)
    assert "var(" not in text
    assert ".flow-node.fund { fill: #0f5f66; }" in text


@pytest.mark.parametrize(
    ("fen", "zh", "en"),
    [
        (0, "0 元", "¥0"),
        (12_345, "123.45 元", "¥123.45"),
        (20_000_000, "20 万元", "¥200k"),
        (228_044_999, "228.04 万元", "¥2.28m"),
        (12_345_678_900, "1.23 亿元", "¥123.45m"),
    ],
)
def test_short_amounts(fen: int, zh: str, en: str) -> None:
    assert (format_yuan_short(fen, "zh"), format_yuan_short(fen, "en")) == (zh, en)
