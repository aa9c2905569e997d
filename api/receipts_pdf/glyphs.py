"""Which characters the receipt's fonts have, and what stands for one that they lack.

Names of people hold rare characters. The two fonts together have about 31,000 of them;
for any other the receipt shows 〓, the mark that Chinese printers set for a sort that they
lack, and says below which character it is, so that nothing is dropped in silence and the
attached file, which has the character itself, can be compared. Invisible characters are
marked too: one that turns the direction of writing could make a line read as another one.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from struct import unpack_from

from ledger.errors import CorruptionError, LedgerError

MARK = "〓"
"""Geta mark (U+3013)."""
CHARACTERS_NAMED_MAX = 40
"""Characters that one receipt names; it says how many more there are."""

_BREAKS = "\n\t"
_SEGMENTED = 12
"""The format of a ``cmap`` subtable that maps all of Unicode (OpenType, "cmap", format 12)."""
_SELECTORS = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))
"""Variation selectors: they choose a form of the character before, and have none themselves."""


def font_folder() -> Path:
    """The folder of the two fonts, Noto Sans SC and Noto Serif SC (OFL).

    Raises:
        LedgerError: ``receipts_extra_missing``.
    """
    try:
        from pylopdf_fonts_zh_cn import sans_path
    except ImportError:
        raise extra_missing() from None
    return sans_path().parent


def extra_missing() -> LedgerError:
    """The answer where the packages that make PDFs are not installed."""
    return LedgerError(
        "a receipt as PDF needs the packages of the extra `receipts`, which are not installed "
        "here: have the operator install shanji[receipts]; the proof file (.tlog-proof) needs "
        "none of them and proves the same",
        code="receipts_extra_missing",
    )


@cache
def coverage() -> frozenset[int]:
    """The code points for which one of the fonts has a glyph.

    Raises:
        LedgerError: ``receipts_extra_missing``.
        CorruptionError: a font's file is not what it must be.
    """
    fonts = sorted(font_folder().glob("*.otf"))
    return frozenset(point for font in fonts for point in _points(font))


def _points(font: Path) -> Iterable[int]:
    """The code points of an OpenType font, from its ``cmap`` table."""
    data = font.read_bytes()
    (tables,) = unpack_from(">H", data, 4)
    records = (unpack_from(">4sIII", data, 12 + 16 * number) for number in range(tables))
    start = next((offset for tag, _, offset, _ in records if tag == b"cmap"), None)
    if start is None:
        raise CorruptionError(f"{font.name}: expected a font with a cmap table", code="font_file")
    (subtables,) = unpack_from(">H", data, start + 2)
    for number in range(subtables):
        (at,) = unpack_from(">4xI", data, start + 4 + 8 * number)
        form, groups = unpack_from(">H10xI", data, start + at)
        if form == _SEGMENTED:
            for group in range(groups):
                first, last, _ = unpack_from(">III", data, start + at + 16 + 12 * group)
                yield from range(first, last + 1)
            return
    raise CorruptionError(f"{font.name}: expected a cmap subtable of format 12", code="font_file")


def lacking(text: str) -> list[str]:
    """The characters of a text that cannot be set, each once, in their order."""
    if text.isascii() and text.isprintable():
        return []
    return list(dict.fromkeys(one for one in text if not _can_be_set(one)))


def printable(text: str) -> str:
    """A text with `MARK` for each character that cannot be set.

    A variation selector is left out: the character before it stands in its usual form.
    """
    missing = set(lacking(text))
    if not missing:
        return text
    return "".join(one if one not in missing else "" if _is_selector(one) else MARK for one in text)


def name_characters(characters: Iterable[str]) -> tuple[list[str], int]:
    """``U+30EDE`` for each character, at most `CHARACTERS_NAMED_MAX`, and how many more."""
    named = [f"U+{ord(one):04X}" for one in characters]
    return named[:CHARACTERS_NAMED_MAX], max(0, len(named) - CHARACTERS_NAMED_MAX)


def _can_be_set(character: str) -> bool:
    if character in _BREAKS:
        return True
    if _is_selector(character) or unicodedata.category(character) in ("Cf", "Cc", "Zl", "Zp"):
        return False
    return ord(character) in coverage()


def _is_selector(character: str) -> bool:
    return any(ord(character) in one for one in _SELECTORS)
