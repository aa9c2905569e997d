"""Names for codes: what the ledger's things, accounts and assets are called on a page.

Entries name things by code; people read names. One `Directory` belongs to one snapshot,
looks each code up once, and gives for each a name and a page to read more on: its own
page where there is one, else the entry that registered it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from api.pages.format import format_number, format_yuan
from api.pages.texts import Translator
from ledger.flows import is_world
from ledger.store import Reader

OWN_PAGES: Mapping[str, str] = {
    "fund": "/funds",
    "project": "/projects",
    "item": "/items",
    "site": "/sites",
    "party": "/parties",
    "wish": "/wishes",
}
"""Families whose things have a page of their own, and where."""

_FAMILY_OF_ACCOUNT: Mapping[str, str] = {
    "fund": "fund",
    "stock": "site",
    "transit": "shipment",
    "points": "party",
    "minutes": "party",
}
_ITEM = "item:"


@dataclass(frozen=True, slots=True)
class Place:
    """A thing or an account as a page shows it; `href` is None where nothing tells more."""

    name: str
    href: str | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Amount:
    """Units of an asset: the number, its unit, and the item where goods are counted."""

    number: str
    unit: str
    item: Place | None = None


class Directory:
    """The names of one snapshot, in one language."""

    def __init__(self, reader: Reader, translator: Translator) -> None:
        self._reader = reader
        self._translator = translator
        self._things: dict[str, Any] = {}

    def thing(self, family: str, code: str) -> Any:
        """The registered thing of that code as a plain value, or None."""
        key = f"{family}/{code}"
        if key not in self._things:
            self._things[key] = self.read_thing(self._reader, family, code)
        return self._things[key]

    def remember(self, family: str, code: str, thing: Any) -> None:
        """Take up a thing that was read already, so that it is not read again."""
        self._things[f"{family}/{code}"] = thing

    def look_up(self, family: str, codes: Sequence[str]) -> None:
        """Read things that will be asked for, all at once."""
        found = self._reader.chosen_objects([f"{family}/{code}" for code in codes])
        self._things |= {key: orjson.loads(data) for key, data in found.items()}

    @staticmethod
    def read_thing(reader: Reader, family: str, code: str) -> Any:
        """The registered thing of that code, as `thing`, from any snapshot."""
        data = reader.object(f"{family}/{code}")
        return None if data is None else orjson.loads(data)

    def place(self, family: str, code: str, version: int | None = None) -> Place:
        """A thing by its name; a code that nothing has is shown as it is."""
        thing = self.thing(family, code)
        if thing is None:
            return Place(code)
        if "versions" in thing:
            versions = {one["version"]: one for one in thing["versions"]}
            thing = versions.get(version) or thing["versions"][-1]
        name = thing.get("name", code)
        href = f"{OWN_PAGES[family]}/{code}" if family in OWN_PAGES else _entry_path(thing)
        return Place(name, href, None if name == code else code)

    def account(self, account: str) -> Place:
        """An account in words: 中心物资仓的库存, donors, a fund by its name."""
        family, _, code = account.partition(":")
        if is_world(account):
            return Place(self._translator.word("account", f"world_{code}"))
        if family not in _FAMILY_OF_ACCOUNT:
            return Place(account)
        place = self.place(_FAMILY_OF_ACCOUNT[family], code)
        words = self._translator.text(f"account.{family}", name=place.name)
        return Place(words, place.href, place.code)

    def amount(self, asset: str, amount: int) -> Amount:
        """Units of an asset in words: yuan with two decimals, goods in their base unit."""
        translator = self._translator
        if asset == "CNY":
            return Amount(format_yuan(amount), translator.word("unit", "yuan"))
        if not asset.startswith(_ITEM):
            return Amount(format_number(amount), translator.word("unit", asset))
        code = asset.removeprefix(_ITEM)
        thing = self.thing("item", code) or {"unit": ""}
        return Amount(format_number(amount), thing["unit"], self.place("item", code))

    def label(self, asset: str, label: str) -> Place | None:
        """What units carry in their account: a project, or a lot and its best-before date."""
        if not label:
            return None
        if asset == "CNY":
            return self.place("project", label)
        best_before, _, lot = label.partition("/")
        parts = (("label.best_before", best_before), ("label.lot", lot))
        return Place(
            " · ".join(self._translator.text(name, value=one) for name, one in parts if one)
        )

    def numbered(self, asset: str) -> str:
        """What the unit is called that an account numbers: 分 for money, 件 for an item."""
        if asset == "CNY":
            return self._translator.word("unit", "fen")
        if asset.startswith(_ITEM):
            thing = self.thing("item", asset.removeprefix(_ITEM))
            return "" if thing is None else str(thing["unit"])
        return self._translator.word("unit", asset)


def _entry_path(thing: Mapping[str, Any]) -> str | None:
    return f"/entries/{thing['entry']}" if "entry" in thing else None
