"""The texts: both languages, every text that is asked for, no text that nobody asks for."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest
from jinja2 import Environment, nodes
from markupsafe import Markup

from api.pages import texts
from api.pages.directory import Directory
from api.pages.kinds import list_kinds
from api.pages.texts import LANGUAGES, Translator, catalogue, plain_catalogue
from ledger.errors import CorruptionError
from ledger.records.catalog import KINDS
from ledger.records.kind import Role

PAGES = Path(texts.__file__).parent
TEMPLATES = sorted((PAGES / "templates").rglob("*.html"))
WORD_TABLES = frozenset(
    (
        "unit",
        "account",
        "label",
        "role",
        "state",
        "type",
        "value",
        "why",
        "field",
        "suggested",
        "detail",
        "family",
        "trouble",
    )
)
"""Tables of words: asked for by what an entry holds, or by what a form suggests."""

ANY = r"[a-z0-9_.]+"


def _fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_both_languages_fill_in_the_same() -> None:
    # One test for all: as one for each text they were a quarter of all tests.
    assert len(catalogue()) > 1000
    for name, both in catalogue().items():
        assert set(both) == set(LANGUAGES), name
        assert _fields(both["zh"]) == _fields(both["en"]), name
        for text in both.values():
            assert text == text.strip() or name == "units.comma", name


def _keys_in_templates() -> Iterator[tuple[str, str]]:
    """Every text that a template asks for, as a pattern, with the template's name."""
    for path in TEMPLATES:
        tree = Environment().parse(path.read_text("utf-8"))
        for call in tree.find_all(nodes.Call):
            if isinstance(call.node, nodes.Name) and call.node.name == "t":
                yield _pattern(call.args[0]), path.name


def _pattern(key: nodes.Expr) -> str:
    if isinstance(key, nodes.Const):
        return re.escape(key.value)
    assert isinstance(key, nodes.Concat), "a text's name must be in the template"
    return "".join(
        re.escape(one.value) if isinstance(one, nodes.Const) else ANY for one in key.nodes
    )


def _keys_in_code() -> Iterator[tuple[str, str]]:
    """Every string in the pages' code that has the form of a text's name."""
    for path in sorted((*PAGES.rglob("*.py"), *PAGES.parent.glob("receipts_pdf/*.py"))):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = [
                    re.escape(str(one.value)) if isinstance(one, ast.Constant) else ANY
                    for one in node.values
                ]
                yield "".join(parts), path.name
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield re.escape(node.value), path.name


def _keys_in_modules() -> Iterator[tuple[str, str]]:
    """Every text that a module of the browser asks for: ``t("a.b")`` or ``t(`a.${b}`)``, or any
    other string of that form."""
    for path in sorted((PAGES / "static" / "verify").glob("*.js")):
        for _, text in re.findall(r"([\"`])([a-z]+\.[a-z0-9_${}.]+)\1", path.read_text("utf-8")):
            yield ANY.join(map(re.escape, re.split(r"\$\{[^}]*\}", text))), path.name


def test_every_text_that_a_template_asks_for_is_there() -> None:
    asked = list(_keys_in_templates())
    assert len(asked) > 200
    names = list(catalogue())
    for pattern, template in dict(asked).items():
        found = any(map(re.compile(pattern).fullmatch, names))
        assert found, f"{template} asks for {pattern}"


def _asked_for() -> Iterator[tuple[str, str]]:
    yield from _keys_in_templates()
    yield from _keys_in_code()
    yield from _keys_in_modules()


def test_every_check_that_the_modules_name_has_its_text() -> None:
    folder = PAGES / "static" / "verify"
    text = "".join(path.read_text("utf-8") for path in sorted(folder.glob("*.js")))
    named = set(re.findall(r'(?:malformed|mismatch|undecided|tellRefusal)\("([a-z_]+)"', text))
    assert len(named) > 20
    assert {f"check.{name}" for name in named} <= set(catalogue())


def test_no_text_is_there_in_vain() -> None:
    asked = {pattern for pattern, _ in _asked_for()}
    # A pattern that fits everything asks for nothing.
    asked = {pattern for pattern in asked if re.match(r"[a-z]+\\\.", pattern)}
    any_asked = re.compile("|".join(sorted(asked)))
    unused = [
        name
        for name in catalogue()
        if name.partition(".")[0] not in WORD_TABLES and not any_asked.fullmatch(name)
    ]
    assert unused == []


def test_templates_hold_no_words_of_their_own() -> None:
    """What people read is in the catalogue, so that both languages have it."""
    not_words = (
        r"\{#.*?#\}",
        r"\{%.*?%\}",
        r"\{\{.*?\}\}",
        r"<pre.*?</pre>",
        r"<code.*?</code>",
        r"<kbd.*?</kbd>",
        r"<[^>]*>",
        r"/v1/log|/openapi\.json",
    )
    for path in TEMPLATES:
        text = path.read_text("utf-8")
        for pattern in not_words:
            text = re.sub(pattern, "", text, flags=re.DOTALL)
        assert re.findall(r"\w{2,}", re.sub(r"[\d.]+%", "", text)) == [], path.name


def test_every_field_choice_and_role_of_every_kind_has_its_word() -> None:
    names = catalogue()
    for kind in KINDS:
        for model in (kind.fields, kind.sealed):
            for name in _all_names(model.model_json_schema()):
                assert f"field.{name}" in names, f"{kind.name}: add {name} to words.toml"
    for documented in list_kinds(Translator("zh")):
        for field in (*documented.fields, *documented.sealed):
            for value, _ in field.choices:
                assert f"value.{value.replace('.', '_')}" in names, f"{documented.name}: {value}"
    for role in Role:
        assert f"role.{role}" in names


def _all_names(schema: object) -> Iterator[str]:
    """Names of properties anywhere in a schema."""
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        for value in schema.values():
            yield from _all_names(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _all_names(value)


def test_no_word_is_of_a_field_that_no_kind_has() -> None:
    names = {
        name
        for kind in KINDS
        for model in (kind.fields, kind.sealed)
        for name in _all_names(model.model_json_schema())
    }
    words = {name.partition(".")[2] for name in catalogue() if name.startswith("field.")}
    assert words <= names | {"occurred_on", "documents"}, "these two are of every record"


def test_a_word_that_nobody_translated_is_shown_as_it_is() -> None:
    assert Translator("zh").word("field", "shoe_size") == "shoe size"
    assert Translator("zh").word("value", "restricted") == "限定性"


def test_what_is_filled_in_is_escaped_unless_it_is_markup() -> None:
    translator = Translator("en")
    hostile = "<script>&{entry}"
    assert (
        translator.markup("site.as_of", entry=hostile) == "as of entry &lt;script&gt;&amp;{entry}"
    )
    assert translator.markup("site.as_of", entry=Markup("<b>5</b>")) == "as of entry <b>5</b>"
    assert translator.text("site.as_of", entry=hostile) == f"as of entry {hostile}"


def test_an_unknown_text_is_our_own_mistake() -> None:
    with pytest.raises(KeyError):
        Translator("zh").text("home.nothing")


@pytest.mark.parametrize(
    "toml",
    [
        '[a]\nb = { zh = "一" }',
        '[a]\nb = { zh = "一", en = "" }',
        '[a]\nb = { zh = "一", en = "one", fr = "un" }',
        '[a]\nb = { zh = "一", en = 1 }',
        '[a]\nb = "one"',
        '[a]\nb = { zh = "一", en = "one", zh_plain = "壹" }',
    ],
)
def test_a_file_that_lacks_a_language_is_refused(
    toml: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in texts._FILES:
        (tmp_path / name).write_text(toml, "utf-8")
    monkeypatch.setattr(texts, "_FOLDER", tmp_path)
    with pytest.raises(CorruptionError, match=r"expected a\.b"):
        texts._read.__wrapped__()


def test_a_text_in_two_files_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in texts._FILES:
        (tmp_path / name).write_text('[a]\nb = { zh = "一", en = "one" }', "utf-8")
    monkeypatch.setattr(texts, "_FOLDER", tmp_path)
    with pytest.raises(CorruptionError, match=r"expected a\.b once"):
        texts._read.__wrapped__()


def test_the_elder_mode_has_plainer_words_where_there_are_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = '[a]\nb = { zh = "一", en = "one", zh_plain = "壹", en_plain = "1 {x}" }'
    for name in texts._FILES:
        (tmp_path / name).write_text(whole.replace("[a]", f"[{name[0]}]"), "utf-8")
    monkeypatch.setattr(texts, "_FOLDER", tmp_path)
    found, plain = texts._read.__wrapped__()
    assert plain["i.b"] == {"zh": "壹", "en": "1 {x}"}
    assert found["i.b"] == {"zh": "一", "en": "one"}
    assert set(plain_catalogue()) <= set(catalogue())
    for name, both in plain_catalogue().items():
        for language in LANGUAGES:
            assert _fields(both[language]) <= _fields(catalogue()[name][language]), name


class _Empty:
    """A snapshot that holds nothing."""

    def object(self, key: str) -> bytes | None:
        return None


@pytest.mark.parametrize(
    ("account", "name"),
    [
        ("world:donor", "捐赠人"),
        ("world:somebody", "world somebody"),
        ("fund:general", "general"),
        ("stock:shop-1", "shop-1 · 库存"),
        ("attic:box-1", "attic:box-1"),
    ],
)
def test_accounts_and_things_that_nothing_names_are_shown_by_their_code(
    account: str, name: str
) -> None:
    place = Directory(_Empty(), Translator("zh")).account(account)  # type: ignore[arg-type]
    assert place.name == name
    assert place.href is None


def test_units_of_things_that_nothing_names() -> None:
    directory = Directory(_Empty(), Translator("en"))  # type: ignore[arg-type]
    amount = directory.amount("item:chair", 1234)
    assert (amount.number, amount.unit) == ("1,234", "")
    assert directory.numbered("item:chair") == ""
    assert directory.numbered("minutes") == "minutes"
    assert directory.label("item:chair", "") is None
    assert directory.label("item:chair", "2022-01-01/") is not None
