"""The texts that people read, in Chinese and in English, from ``texts/*.toml``.

``interface.toml`` holds the sentences and headings of the pages, ``words.toml`` the
ledger's own words: fields, values, accounts, units, roles; ``public.toml`` what the public
pages say besides; larger areas have a file of their own. A text is named ``table.key``;
``{name}`` in it is filled in. Both languages are always there: a file that lacks one is
refused when it is read. A text may have a plainer version for the elder mode, ``zh_plain``
and ``en_plain``, both or none.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from ledger.errors import CorruptionError
from ledger.verify import Language

LANGUAGES: tuple[Language, ...] = ("zh", "en")
HTML_LANG: Mapping[Language, str] = {"zh": "zh-Hans", "en": "en"}
"""The value of the attribute ``lang`` (BCP 47)."""

_FOLDER = Path(__file__).parent / "texts"
_FILES = (
    "interface.toml",
    "words.toml",
    "public.toml",
    "receipt.toml",
    "staff.toml",
    "help.toml",
    "lists.toml",
    "audit.toml",
    "gift.toml",
    "verify.toml",
)
_PLAIN: Mapping[Language, str] = {language: f"{language}_plain" for language in LANGUAGES}

Texts = Mapping[str, Mapping[Language, str]]


def catalogue() -> Texts:
    """Every text by its name, in each language.

    Raises:
        CorruptionError: a text lacks a language, or is there twice.
    """
    return _read()[0]


def plain_catalogue() -> Texts:
    """The texts that have a plainer version, for the elder mode; raises as `catalogue`."""
    return _read()[1]


@cache
def _read() -> tuple[Texts, Texts]:
    found: dict[str, Mapping[Language, str]] = {}
    plain: dict[str, Mapping[Language, str]] = {}
    for file in _FILES:
        tables = tomllib.loads((_FOLDER / file).read_text("utf-8"))
        for table, texts in tables.items():
            for key, text in texts.items():
                name = f"{table}.{key}"
                _check(file, name, text, found)
                found[name] = {language: text[language] for language in LANGUAGES}
                if len(text) > len(LANGUAGES):
                    plain[name] = {language: text[_PLAIN[language]] for language in LANGUAGES}
    return found, plain


def _check(file: str, name: str, text: Any, found: Mapping[str, object]) -> None:
    usual = set(LANGUAGES)
    whole = isinstance(text, dict) and set(text) in (usual, usual | set(_PLAIN.values()))
    if not whole or name in found or not all(isinstance(one, str) and one for one in text.values()):
        raise CorruptionError(
            f"{file}: expected {name} once, with a text in each of {', '.join(LANGUAGES)}, and "
            f"a plain one in each ({', '.join(_PLAIN.values())}) or in none",
            code="texts_file",
        )


@dataclass(frozen=True, slots=True)
class Translator:
    """The texts in one language; `plain` takes the plainer version where there is one."""

    language: Language
    plain: bool = False

    def text(self, key: str, /, **values: object) -> str:
        """A text with its values filled in, as plain text.

        Raises:
            KeyError: there is no such text: our own mistake, which the tests find.
        """
        return self._found(key).format(**values)

    def markup(self, key: str, /, **values: object) -> Markup:
        """A text for a template: what is filled in is escaped, unless it is markup itself."""
        return Markup(escape(self._found(key))).format(**values)

    def _found(self, key: str) -> str:
        texts = plain_catalogue() if self.plain and key in plain_catalogue() else catalogue()
        return texts[key][self.language]

    def word(self, table: str, key: str) -> str:
        """A word of the ledger's; where nobody has translated it yet, the key itself.

        A record kind that is newer than the catalogue is shown all the same.
        """
        found = catalogue().get(f"{table}.{key}")
        return key.replace("_", " ") if found is None else found[self.language]
