"""What a form asks for: the tree of a record kind's fields, read from its schema.

The schema is the one that requests are validated against, so that no form lags behind its
kind: a new kind has a form at once. The names of inputs are the dotted paths of the request
(``fields.lines.0.item``), so that the ledger's errors find their field.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from api.pages.entries import FAMILY_OF_FIELD
from api.pages.kinds import DAY_PATTERN, GENERIC_DESCRIPTIONS, Node, resolve_node
from ledger.errors import NotFoundError
from ledger.records.catalog import KIND_BY_NAME
from ledger.records.kind import CODE_PATTERN, Kind
from ledger.records.request import record_model
from ledger.records.time_bank import CLOCK_PATTERN, UNTIL_PATTERN

LONG_TEXT_CHARS = 200
"""Texts that may be longer are typed in a box of several lines."""
FEN = "fen"
"""A part of the name of every field that holds an amount in fen."""

Shape = Literal["text", "long", "code", "day", "time", "until", "yuan", "whole", "choice", "flag"]

_MORE_FAMILIES: Mapping[str, str] = {
    "from_project": "project",
    "organiser": "party",
    "volunteer": "party",
    "confirmed_by": "party",
    "matcher": "party",
    "claimant": "party",
    "carrier": "party",
    "wish": "wish",
    "funds": "fund",
    "items": "item",
    "purpose": "purpose",
    "purposes": "purpose",
    "channel": "channel",
    "payee_class": "payee_class",
    "recipient_class": "recipient_class",
    "wish_class": "wish_class",
}
"""Fields for which codes are suggested, beside those whose code leads to a thing's page."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One field that a person fills in.

    Attributes:
        name: The field's own name; of a list of plain values, the list's.
        required: Whether it may not stay empty where its group is there at all.
        choices: The values that it may have, of a `choice`.
        default: What an empty field means, as it would be typed; None for nothing.
        least, most: The limits of a number; of a text, `most` is its length.
        suggests: The family of codes that are suggested, or None.
        description: What the schema says of it, in English; empty for nothing.
    """

    name: str
    shape: Shape
    required: bool
    choices: tuple[str, ...] = ()
    default: str | None = None
    least: int | None = None
    most: int | None = None
    suggests: str | None = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Fields that belong together; an optional group that stays empty is left out."""

    name: str
    required: bool
    parts: tuple[Field, ...]
    description: str = ""


@dataclass(frozen=True, slots=True)
class Rows:
    """A list: so many rows, each one field or one group."""

    name: str
    required: bool
    most: int
    of: Leaf | Group
    description: str = ""


Field = Leaf | Group | Rows


@dataclass(frozen=True, slots=True)
class RecordForm:
    """The form of a kind: the day, its public fields, its personal fields, its documents."""

    kind: Kind[Any]
    occurred_on: Leaf
    public: Group
    sealed: Group | None
    documents: Rows

    def parts(self) -> Iterator[Field]:
        """Everything that is typed, in the order of the request."""
        yield self.occurred_on
        yield self.public
        if self.sealed is not None:
            yield self.sealed
        yield self.documents


@cache
def form_of(name: str) -> RecordForm:
    """The form of a kind.

    Raises:
        NotFoundError: there is no such kind, or no person records it.
    """
    kind = KIND_BY_NAME.get(name)
    if kind is None or not kind.recorders:
        raise NotFoundError(
            f"there is no record kind {name[:60]!r} to fill in; /staff/record lists them",
            code="no_kind",
        )
    schema = record_model(kind).model_json_schema()
    parts = {one.name: one for one in _fields(schema, schema.get("$defs", {}))}
    day, public, documents = parts["occurred_on"], parts["fields"], parts["documents"]
    sealed = parts.get("sealed")
    assert isinstance(day, Leaf)
    assert isinstance(public, Group)
    assert isinstance(documents, Rows)
    assert sealed is None or isinstance(sealed, Group)
    return RecordForm(kind, day, public, sealed, documents)


def leaves(part: Field) -> Iterator[Leaf]:
    """Every field in a part of a form."""
    if isinstance(part, Leaf):
        yield part
    elif isinstance(part, Rows):
        yield from leaves(part.of)
    else:
        for one in part.parts:
            yield from leaves(one)


def _fields(schema: Node, definitions: Node) -> Iterator[Field]:
    required = schema.get("required", ())
    for name, raw in schema.get("properties", {}).items():
        yield _field(name, resolve_node(raw, definitions), name in required, definitions)


def _field(name: str, node: Node, required: bool, definitions: Node) -> Field:
    kind = node.get("type")
    description = _described(node)
    if kind == "object":
        return Group(name, required, tuple(_fields(node, definitions)), description)
    if kind == "array":
        of = _field(name, resolve_node(node["items"], definitions), True, definitions)
        assert isinstance(of, Leaf | Group)
        return Rows(name, required, int(node["maxItems"]), of, description)
    shape = _shape(name, node)
    default = node.get("default")
    typed = None if default is None else str(default)
    if shape == "flag" and default is not None:
        typed = "yes" if default else "no"
    least, most = node.get("minimum"), node.get("maximum", node.get("maxLength"))
    return Leaf(
        name,
        shape,
        required,
        tuple(str(one) for one in node.get("enum", ())),
        typed,
        least,
        most,
        FAMILY_OF_FIELD.get(name) or _MORE_FAMILIES.get(name) if shape == "code" else None,
        description,
    )


def _shape(name: str, node: Node) -> Shape:
    if "enum" in node:
        return "choice"
    if node["type"] == "boolean":
        return "flag"
    if node["type"] == "integer":
        return "yuan" if FEN in name.split("_") else "whole"
    pattern = node.get("pattern")
    if pattern is not None:
        known: Mapping[str, Shape] = {
            CODE_PATTERN: "code",
            DAY_PATTERN: "day",
            CLOCK_PATTERN: "time",
            UNTIL_PATTERN: "until",
        }
        return known.get(pattern, "text")
    return "long" if node.get("maxLength", 0) > LONG_TEXT_CHARS else "text"


def _described(node: Node) -> str:
    """What the schema says of a field, unless it only repeats its type or its model."""
    description = str(node.get("description", ""))
    model = node.get("type") == "object" or description in GENERIC_DESCRIPTIONS
    return "" if model else description
