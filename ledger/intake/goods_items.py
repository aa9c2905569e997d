"""What lists call an item → the item as the ledger counts it.

An item is found in the ledger by its code, its name or an alias; else it is registered, with
what the list calls it as an alias. A list counts in the unit that it states, or that the list
of items states; a unit that the item has no factor for is an error, so that boxes are never
counted as pieces (domain, section 2).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ledger.intake.gift_rows import RowError
from ledger.intake.goods_lists import ItemRow
from ledger.records.kind import CODE_PATTERN

CODE_CHARS_MAX = 48
DIGEST_CHARS = 16

Registered = Callable[[str], Mapping[str, Any] | None]
"""A code, a name or an alias → the item as it is registered in the ledger."""

_CODE = re.compile(CODE_PATTERN)


@dataclass(frozen=True, slots=True)
class Goods:
    """An item as the lists and the ledger count it.

    Attributes:
        code: The item's code in the ledger.
        unit: What a quantity without a unit is counted in.
        factors: Unit → base units.
        registration: The fields to register it with; None where it is registered.
    """

    code: str
    unit: str
    factors: Mapping[str, int]
    registration: Mapping[str, Any] | None = None

    def base(self, quantity: int, unit: str) -> int | None:
        """A quantity in base units; None where the item has no such unit."""
        factor = self.factors.get(unit or self.unit)
        return None if factor is None else quantity * factor


def code_of(text: str, prefix: str = "") -> str:
    """A code for what a list calls a thing: the text itself where it can be one.

    Spaces and underscores become dashes; any other text gets a digest of itself.
    """
    plain = prefix + re.sub(r"[\s_]+", "-", text.strip().casefold())
    if _CODE.fullmatch(plain):
        return plain
    digest = hashlib.sha256(text.strip().encode()).hexdigest()[:DIGEST_CHARS]
    return f"{prefix or 'item-'}{digest}"


def resolve_items(
    texts: Iterable[str], rows: Sequence[ItemRow], registered: Registered, default_unit: str
) -> tuple[dict[str, Goods], list[RowError]]:
    """Find or plan the item of each text.

    Args:
        texts: What the lists call their items.
        rows: The list of items; may be empty.
        registered: What the ledger has.
        default_unit: The base unit of a new item for which no list states one.

    Returns:
        Text → item, and an error for each row of the list of items whose unit the ledger's
        item does not have, or that gives one code two meanings.
    """
    by_text = {name: row for row in reversed(rows) for name in (row.name, row.item)}
    found: dict[str, Goods] = {}
    new: dict[str, dict[str, Any]] = {}
    errors: list[RowError] = []
    for text in dict.fromkeys(texts):
        row = by_text.get(text)
        names = [text, code_of(text)] + ([row.name] if row else [])
        there = next((one for one in map(registered, names) if one is not None), None)
        if there is None:
            fields = _registration(text, row, default_unit, new)
            there = {**fields, "packs": []}
            goods = Goods(fields["code"], fields["unit"], {fields["unit"]: 1}, fields)
        else:
            factors = {there["unit"]: 1, **{one["unit"]: one["factor"] for one in there["packs"]}}
            stated = row.unit if row and row.unit else there["unit"]
            goods = Goods(there["code"], stated, factors)
        if row and row.unit and row.unit not in goods.factors:
            errors.append(_unit_error(row, goods))
        found[text] = goods
    return found, errors


def _registration(
    text: str, row: ItemRow | None, default_unit: str, new: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    """The fields of a new item; what several texts call the same has one registration."""
    code = code_of(text)
    name = row.name if row else text
    unit = (row.unit if row else "") or default_unit
    fields = new.setdefault(code, {"code": code, "name": name, "unit": unit, "aliases": []})
    if text != fields["name"] and text not in fields["aliases"]:
        fields["aliases"].append(text)
    return fields


def _unit_error(row: ItemRow, goods: Goods) -> RowError:
    return RowError(
        row=row.row,
        column="",
        value=row.unit,
        code="unit_unknown",
        reason=f"the list counts {row.item!r} in {row.unit!r}, the item {goods.code} is counted in "
        f"{', '.join(goods.factors)}",
        remedy="correct the unit in the list of items, or register the pack with its factor",
    )
