"""The style sheet: its colours can be read by everybody, and it asks nobody for anything."""

from __future__ import annotations

import re

import pytest

from api.pages.assets import assets, find_asset
from ledger.errors import NotFoundError

TOKENS_FILE = assets()["tokens.css"].data.decode()
STYLES = "".join(assets()[name].data.decode() for name in ("style.css", "narrow.css"))
TEXT_CONTRAST_MIN = 4.5
"""WCAG 2.2, success criterion 1.4.3, level AA."""
ELDER_CONTRAST_MIN = 7.0
"""Success criterion 1.4.6, level AAA: what the elder mode promises."""
PART_CONTRAST_MIN = 3.0
"""WCAG 2.2, success criterion 1.4.11: focus, controls' borders and the like."""


def _colours(block: str) -> dict[str, str]:
    return dict(re.findall(r"--([a-z-]+):\s*(#[0-9a-f]{6});", block))


def _modes() -> dict[str, dict[str, str]]:
    """The colours of each mode: the usual ones, with what the mode says instead."""
    text = re.sub(r"/\*.*?\*/", "", TOKENS_FILE, flags=re.DOTALL)
    usual = _colours(text[: text.index(":root.elder")])
    elder = _colours(text[text.index(":root.elder") : text.index("@media (prefers")])
    more = _colours(text[text.index("@media (prefers") : text.index("@media print")])
    paper = _colours(text[text.index("@media print") :])
    return {
        "usual": usual,
        "elder": usual | elder,
        "more contrast": usual | more,
        "elder, more contrast": usual | elder | more,
        "print": usual | paper,
        "elder, print": usual | elder | paper,
    }


MODES = _modes()
INKS = ("ink", "quiet", "link", "link-hover", "notice", "seal", "brand", "mismatch")
PAPERS = ("paper", "surface", "tint")
MARKS = ("held", "left", "entered", "notice", "verified", "pending", "mismatch", "undecided")
FLOWS = ("in", "fund", "held", "out", "goods", "other")


def _luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_the_measure_of_contrast_is_right() -> None:
    assert _contrast("#000000", "#ffffff") == pytest.approx(21)
    assert _contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_each_mode_says_something() -> None:
    assert len({tuple(sorted(one.items())) for one in MODES.values()}) == len(MODES)


@pytest.mark.parametrize("mode", MODES)
def test_text_can_be_read(mode: str) -> None:
    colours = MODES[mode]
    least = ELDER_CONTRAST_MIN if "elder" in mode else TEXT_CONTRAST_MIN
    for ink in INKS:
        for paper in PAPERS:
            assert _contrast(colours[ink], colours[paper]) >= least, (ink, paper)
    for mark in MARKS:
        for paper in (f"{mark}-tint", "surface"):
            assert _contrast(colours[mark], colours[paper]) >= least, (mark, paper)
        assert _contrast(colours["ink"], colours[f"{mark}-tint"]) >= least, mark
    for brand in ("brand", "brand-deep"):
        assert _contrast(colours["brand-ink"], colours[brand]) >= least
        assert _contrast(colours["brand-quiet"], colours[brand]) >= least


@pytest.mark.parametrize("mode", MODES)
def test_controls_and_focus_can_be_seen(mode: str) -> None:
    colours = MODES[mode]
    for part in ("focus", "control"):
        for paper in PAPERS:
            assert _contrast(colours[part], colours[paper]) >= PART_CONTRAST_MIN, (part, paper)
    assert _contrast(colours["focus-on-brand"], colours["brand"]) >= PART_CONTRAST_MIN
    assert ".top :focus-visible { outline-color: var(--focus-on-brand); }" in STYLES


@pytest.mark.parametrize("mode", MODES)
def test_flow_pictures_can_be_seen(mode: str) -> None:
    colours = MODES[mode]
    for flow in FLOWS:
        assert _contrast(colours[f"flow-{flow}"], colours["surface"]) >= PART_CONTRAST_MIN, flow
        tint = colours[f"flow-{flow}-tint"]
        assert _contrast(colours["flow-line"], tint) >= PART_CONTRAST_MIN, flow
        assert _contrast(colours["ink"], tint) >= TEXT_CONTRAST_MIN, flow
    assert _contrast(colours["flow-line"], colours["surface"]) >= PART_CONTRAST_MIN


def test_every_token_that_is_used_is_made() -> None:
    made = set(re.findall(r"(--[a-z0-9-]+):", TOKENS_FILE))
    for one in assets().values():
        if one.name.endswith(".css"):
            assert set(re.findall(r"var\((--[a-z0-9-]+)\)", one.data.decode())) <= made, one.name


def test_only_the_tokens_name_colours() -> None:
    assert re.findall(r"#[0-9a-fA-F]{3,8}\b|rgba?\(|hsla?\(", STYLES) == []


def test_nothing_is_fetched() -> None:
    for one in assets().values():
        if not one.name.endswith((".css", ".svg")):
            continue
        text = one.data.decode()
        assert "url(" not in text
        assert "@import" not in text
        assert "//" not in text.replace("http://www.w3.org/2000/svg", "")
        assert "<script" not in text


def test_a_file_is_found_at_its_own_address_only() -> None:
    for name, one in assets().items():
        assert one.path == f"/static/{one.digest}/{name}"
        assert find_asset(one.digest, name) is one
        with pytest.raises(NotFoundError):
            find_asset("0" * 16, name)
    assert len({one.digest for one in assets().values()}) == 1, "modules import by relative name"
    for name in ("../assets.py", "vendor/manifest.toml"):
        with pytest.raises(NotFoundError):
            find_asset(assets()["style.css"].digest, name)
