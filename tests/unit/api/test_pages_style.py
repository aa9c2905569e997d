"""The style sheet: its colours can be read by everybody, and it asks nobody for anything."""

from __future__ import annotations

import re

import pytest

from api.pages.assets import assets, find_asset
from ledger.errors import NotFoundError

STYLE = assets()["style.css"].data.decode()
TOKENS = dict(re.findall(r"--([a-z-]+):\s*(#[0-9a-f]{6});", STYLE))
TEXT_CONTRAST_MIN = 4.5
"""WCAG 2.2, success criterion 1.4.3, level AA."""
PART_CONTRAST_MIN = 3.0
"""WCAG 2.2, success criterion 1.4.11: focus and the like."""


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


@pytest.mark.parametrize("paper", ["paper", "surface", "tint"])
@pytest.mark.parametrize("ink", ["ink", "quiet", "link", "link-hover", "notice"])
def test_text_can_be_read(ink: str, paper: str) -> None:
    assert _contrast(TOKENS[ink], TOKENS[paper]) >= TEXT_CONTRAST_MIN


@pytest.mark.parametrize("state", ["held", "left", "entered", "notice"])
def test_marks_can_be_read(state: str) -> None:
    assert _contrast(TOKENS[state], TOKENS[f"{state}-tint"]) >= TEXT_CONTRAST_MIN


def test_the_brand_can_be_read_and_the_focus_seen() -> None:
    assert _contrast(TOKENS["brand-ink"], TOKENS["brand"]) >= TEXT_CONTRAST_MIN
    for paper in ("paper", "surface", "tint"):
        assert _contrast(TOKENS["focus"], TOKENS[paper]) >= PART_CONTRAST_MIN
    assert _contrast("#ffd58a", TOKENS["brand"]) >= PART_CONTRAST_MIN
    assert ".top :focus-visible { outline-color: #ffd58a; }" in STYLE


def test_every_token_that_is_used_is_made() -> None:
    made = set(re.findall(r"(--[a-z-]+):", STYLE))
    assert set(re.findall(r"var\((--[a-z-]+)\)", STYLE)) == made


def test_nothing_is_fetched() -> None:
    for one in assets().values():
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
    with pytest.raises(NotFoundError):
        find_asset(assets()["style.css"].digest, "icon.svg")
    with pytest.raises(NotFoundError):
        find_asset("x", "../assets.py")
