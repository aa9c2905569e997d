"""The browser's verifier as the server gives it out: its texts, its data, and the saved file.

The modules under ``static/verify`` are served as they are. The saved file is made of the
same modules and the same texts, joined here into one page that needs no network: each
module becomes a function that gives what it exports, in the order of their imports.
"""

from __future__ import annotations

import hashlib
import json
import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from api.pages.texts import HTML_LANG, LANGUAGES, catalogue, plain_catalogue
from ledger.errors import CorruptionError
from ledger.records.catalog import KIND_BY_NAME
from ledger.verify import Language

SAVED_BYTES_MAX = 150_000
"""The saved file stays small enough to send to anybody; a test keeps it so."""

_STATIC = Path(__file__).parent / "static"
_ENTRY = "verify/page-saved.js"
_STYLES = ("tokens.css", "saved.css")
_TABLES = frozenset(
    (
        "outcome", "verdict", "next", "row", "check", "shown", "limits", "saved", "locator", "lab",
        "unit", "field", "value", "suggested",
    )
)  # fmt: skip
_FROM_PAGE = frozenset(
    f"verify.{name}" for name in ("by_browser", "rows", "many", "show_one", "text", "submit")
)
"""Texts of the page that the saved file has too."""
_ACCOUNTS = re.compile(r"account\.(?:world_\w+|fund|stock|transit|points|minutes)")
"""Words for accounts; what the pages about accounts say is of no use here."""
_PAGE_ONLY = frozenset(("locator", "lab"))
"""Tables that the saved file has no use for."""

_IMPORT = re.compile(r'^import \{([^}]*)\} from ["\']([^"\']+)["\'];\n', re.M)
_IMPORT_ALL = re.compile(r'^import \* as (\w+) from ["\']([^"\']+)["\'];\n', re.M)
_EXPORT_NAMED = re.compile(r"^export (?:async )?(?:const|let|function|class) (\w+)", re.M)
_EXPORT_LIST = re.compile(r"^export \{([^}]*)\};\n?", re.M)
_EXPORT_WORD = re.compile(r"^export (?=(?:async )?(?:const|let|function|class) )", re.M)
_BLOCK_COMMENT = re.compile(r"^[ \t]*/\*(?!!)(?:(?!\*/).)*\*/[ \t]*\n", re.M | re.S)
_LINE_COMMENT = re.compile(r"^[ \t]*//.*\n", re.M)
_END_COMMENT = re.compile(r"^([^\"'`/\n]*\S)[ \t]+//.*$", re.M)
"""Only where nothing before it can be a text or a regular expression."""
_LINE_END = re.compile(r"^((?:(?!//).)*[;{,(\[])\n", re.M)
"""A line end that nothing depends on, on a line without a comment."""
_INDENT = re.compile(r"^[ \t]+", re.M)


def script_texts(language: Language, *, plain: bool = False) -> dict[str, str]:
    """The texts that the modules use, in one language; `plain` for the elder mode."""
    found = {
        name: texts[language]
        for name, texts in catalogue().items()
        if name.split(".")[0] in _TABLES | {"verify"} or _ACCOUNTS.fullmatch(name)
    }
    if plain:
        easy = plain_catalogue()
        found |= {name: easy[name][language] for name in found if name in easy}
    return found | _kind_titles(language) | {"units.comma": catalogue()["units.comma"][language]}


def _kind_titles(language: Language) -> dict[str, str]:
    return {
        f"kind_title.{name}": kind.title_zh if language == "zh" else kind.title_en
        for name, kind in KIND_BY_NAME.items()
    }


def data_block(value: Mapping[str, object]) -> str:
    """Values as JSON that can stand inside a ``script`` element: no ``<`` is left in it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


@dataclass(frozen=True, slots=True)
class SavedPage:
    """The saved file, its SHA-256, and the policy under which it may run its own script."""

    data: bytes
    sha256: str
    policy: str


@cache
def saved_page() -> SavedPage:
    """The whole verifier as one HTML file; the same bytes wherever the same files are.

    Raises:
        CorruptionError: a module is written so that it cannot be joined; our own mistake.
    """
    script = bundle(_ENTRY)
    style = "\n".join((_STATIC / name).read_text("utf-8") for name in _STYLES)
    style = re.sub(r"/\*.*?\*/", "", style, flags=re.S)
    style = re.sub(r"\n\s*", "\n", style).strip() + "\n"
    policy = (
        f"default-src 'none'; script-src '{_source(script)}'; style-src '{_source(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    words = data_block({"words": _saved_texts()})
    html = (
        f'<!doctype html>\n<html lang="{HTML_LANG["zh"]}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f"<title>{catalogue()['saved.title']['zh']}</title>\n<style>{style}</style>\n</head>\n"
        '<body>\n<main id="main" class="page"><noscript>'
        f"<p>{catalogue()['saved.needs_script']['zh']}</p>"
        f'<p lang="en">{catalogue()["saved.needs_script"]["en"]}</p></noscript></main>\n'
        f'<script type="application/json" id="verifier-data">{words}</script>\n'
        f"<script>{script}</script>\n</body>\n</html>\n"
    )
    data = html.encode()
    return SavedPage(data, hashlib.sha256(data).hexdigest(), policy)


def _saved_texts() -> dict[str, list[str]]:
    """The texts of the saved file by name, each in all languages: names stand only once."""
    texts = [script_texts(language) for language in LANGUAGES]
    return {
        name: [one[name] for one in texts]
        for name in texts[0]
        if (name in _FROM_PAGE or not name.startswith("verify."))
        and name.split(".")[0] not in _PAGE_ONLY
    }


def _source(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{b64encode(digest).decode()}"


# Joining modules


def bundle(entry: str) -> str:
    """A module and all that it imports as one script.

    Args:
        entry: Its path below ``static``.

    Raises:
        CorruptionError: an import or export in a form that this does not know.
    """
    order: list[str] = []
    _visit(entry, order, ())
    names = {path: f"m{number}" for number, path in enumerate(order)}
    parts = [_module(path, names) for path in order]
    return '"use strict";\n' + "".join(parts)


def _visit(path: str, order: list[str], above: tuple[str, ...]) -> None:
    """Put a module behind those that it imports."""
    if path in above:
        raise CorruptionError(f"{path} imports itself by way of {above}", code="saved_page")
    if path in order:
        return
    text = _read(path)
    for pattern in (_IMPORT, _IMPORT_ALL):
        for match in pattern.finditer(text):
            _visit(_beside(path, match[2]), order, (*above, path))
    order.append(path)


@cache
def _read(path: str) -> str:
    """A module without comments and indents; licence comments (``/*!``) stay.

    Raises:
        CorruptionError: a template literal over several lines, whose indents mean something.
    """
    text = (_STATIC / path).read_text("utf-8")
    text = _LINE_COMMENT.sub("", _BLOCK_COMMENT.sub("", text))
    if any(line.count("`") % 2 for line in text.splitlines()):
        raise CorruptionError(f"{path}: a template literal over lines", code="saved_page")
    return _INDENT.sub("", _END_COMMENT.sub(r"\1", text))


def _beside(path: str, target: str) -> str:
    return (_STATIC / path).parent.joinpath(target).resolve().relative_to(_STATIC).as_posix()


def _module(path: str, names: Mapping[str, str]) -> str:
    text = _read(path)
    given = _EXPORT_NAMED.findall(text)
    for match in _EXPORT_LIST.finditer(text):
        given += [one.strip() for one in match[1].split(",") if one.strip()]
    text = _IMPORT.sub(
        lambda match: (
            f"const {{{match[1].replace(' as ', ': ')}}} = {names[_beside(path, match[2])]};\n"
        ),
        text,
    )
    text = _IMPORT_ALL.sub(
        lambda match: f"const {match[1]} = {names[_beside(path, match[2])]};\n", text
    )
    text = _EXPORT_WORD.sub("", _EXPORT_LIST.sub("", text))
    if re.search(r"^(?:import|export)\b", text, re.M) or "</script" in text:
        raise CorruptionError(f"{path} cannot be joined into one page", code="saved_page")
    text = _LINE_END.sub(r"\1", text)
    return f"const {names[path]} = (() => {{\n{text}return {{{', '.join(given)}}};\n}})();\n"
