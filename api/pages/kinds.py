"""The documentation of each record kind, made from the kind itself.

What a page says of a kind's fields is read from the JSON schema of its models, the same
that requests are validated against, so that it cannot lag behind.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson
from pydantic import TypeAdapter

from api.pages.format import format_number
from api.pages.texts import Translator
from ledger.errors import NotFoundError
from ledger.records.catalog import KIND_BY_NAME, KINDS
from ledger.records.kind import CODE_PATTERN, Code, Day, Kind, NoneSealed
from ledger.records.request import example_body

DAY_PATTERN = r"^\d{4}-\d\d-\d\d$"

GENERIC_DESCRIPTIONS = frozenset(
    str(TypeAdapter(one).json_schema()["description"]) for one in (Code, Day)
)
"""Descriptions that only repeat the field's type."""

Node = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FieldDoc:
    """One field in the documentation; `path` is dotted, ``[]`` stands for each of a list."""

    path: str
    label: str
    type: str
    choices: tuple[tuple[str, str], ...]
    required: bool
    description: str


@dataclass(frozen=True, slots=True)
class KindDoc:
    """One kind in the documentation."""

    name: str
    title: str
    other_title: str
    moves: str
    about: str
    fields: tuple[FieldDoc, ...]
    sealed: tuple[FieldDoc, ...]
    recorders: tuple[str, ...]
    approvers: tuple[str, ...]
    unique: tuple[str, ...]
    example: str | None


def list_kinds(translator: Translator) -> list[KindDoc]:
    """Every kind, in the order of the catalogue."""
    return [_document(kind, translator) for kind in KINDS]


def find_kind(name: str, translator: Translator) -> KindDoc:
    """One kind by its name.

    Raises:
        NotFoundError: there is no such kind.
    """
    kind = KIND_BY_NAME.get(name)
    if kind is None:
        raise NotFoundError(
            f"there is no record kind {name[:60]!r}; /kinds lists them", code="no_kind"
        )
    return _document(kind, translator)


def kind_title(name: str, translator: Translator) -> str:
    """What people call a kind; its name where this program does not know it."""
    kind = KIND_BY_NAME.get(name)
    if kind is None:
        return name
    return kind.title_zh if translator.language == "zh" else kind.title_en


@cache
def choices_of(kind_name: str) -> frozenset[str]:
    """The paths of a kind's public fields whose value is one of a fixed list."""
    kind = KIND_BY_NAME.get(kind_name)
    if kind is None:
        return frozenset()
    nodes = _nodes(kind.fields.model_json_schema())
    return frozenset(path for path, node, _ in nodes if "enum" in _items(node))


@cache
def order_of(kind_name: str) -> Mapping[str, int]:
    """The place of each field of a kind, public and sealed, by its path without ``[]``.

    Entries hold their fields in the order of the alphabet; people read the kind's own.
    """
    kind = KIND_BY_NAME.get(kind_name)
    models = () if kind is None else (kind.fields, kind.sealed)
    paths = [path for one in models for path, _, _ in _nodes(one.model_json_schema())]
    return {path.replace("[]", ""): place for place, path in enumerate(paths)}


def _document(kind: Kind[Any], translator: Translator) -> KindDoc:
    titles = (kind.title_zh, kind.title_en)
    title, other = titles if translator.language == "zh" else titles[::-1]
    sealed = () if kind.sealed is NoneSealed else _fields(kind.sealed, translator)
    return KindDoc(
        kind.name,
        title,
        other,
        kind.moves,
        " ".join((kind.fields.__doc__ or "").split()),
        _fields(kind.fields, translator),
        sealed,
        tuple(translator.word("role", role) for role in sorted(kind.recorders)),
        tuple(translator.word("role", role) for role in sorted(kind.approvers)),
        tuple(translator.word("field", name) for name in kind.unique),
        _example(kind),
    )


def _example(kind: Kind[Any]) -> str | None:
    if not kind.example:
        return None
    return orjson.dumps(example_body(kind), option=orjson.OPT_INDENT_2).decode()


def _fields(model: Any, translator: Translator) -> tuple[FieldDoc, ...]:
    docs: list[FieldDoc] = []
    for path, node, required in _nodes(model.model_json_schema()):
        name = path.rpartition(".")[2].removesuffix("[]")
        listed = tuple(
            (str(one), translator.word("value", str(one).replace(".", "_")))
            for one in _items(node).get("enum", ())
        )
        description = node.get("description", "")
        docs.append(
            FieldDoc(
                path,
                translator.word("field", name),
                _type(node, translator),
                listed,
                required,
                "" if description in GENERIC_DESCRIPTIONS else description,
            )
        )
    return tuple(docs)


def _nodes(schema: Node) -> Iterator[tuple[str, Node, bool]]:
    """Every field of a schema with its path, its own schema and whether it is required."""
    return _inside(schema, schema.get("$defs", {}), "")


def _inside(schema: Node, parts: Node, prefix: str) -> Iterator[tuple[str, Node, bool]]:
    required = schema.get("required", ())
    for name, raw in schema.get("properties", {}).items():
        node = resolve_node(raw, parts)
        path = f"{prefix}{name}"
        listed = node.get("type") == "array"
        if listed:
            node = {**node, "items": resolve_node(node.get("items", {}), parts)}
            path += "[]"
        yield path, node, name in required
        yield from _inside(_items(node), parts, f"{path}.")


def resolve_node(node: Node, parts: Node) -> Node:
    """A field's schema without references and without the choice of leaving it out."""
    options = [one for one in node.get("anyOf", ()) if one.get("type") != "null"]
    outer = {key: value for key, value in node.items() if key not in ("anyOf", "$ref")}
    if options:
        return {**resolve_node(options[0], parts), **outer}
    if "$ref" in node:
        return {**parts[node["$ref"].rpartition("/")[2]], **outer}
    if "const" in node:
        return {**outer, "enum": [node["const"]]}
    return node


def _items(node: Node) -> Node:
    """The schema of a list's members; of anything else, the schema itself."""
    items: Node = node["items"] if node.get("type") == "array" else node
    return items


def _type(node: Node, translator: Translator) -> str:
    kind = node.get("type")
    if kind == "array":
        of = _type(node["items"], translator)
        if "maxItems" in node:
            return translator.text("type.list_max", of=of, most=format_number(node["maxItems"]))
        return translator.text("type.list", of=of)
    if "enum" in node:
        return translator.text("type.choice")
    if kind == "integer" and "minimum" in node and "maximum" in node:
        least, most = format_number(node["minimum"]), format_number(node["maximum"])
        return translator.text("type.integer_range", least=least, most=most)
    if kind == "string":
        if node.get("pattern") in (CODE_PATTERN, DAY_PATTERN):
            return translator.text("type.code" if node["pattern"] == CODE_PATTERN else "type.day")
        if "maxLength" in node:
            return translator.text("type.text_max", most=format_number(node["maxLength"]))
        return translator.text("type.text")
    return translator.word("type", str(kind))
