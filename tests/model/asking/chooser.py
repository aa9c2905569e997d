"""Draws from small pools: what exists mostly, what does not now and then."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar

from ..money import fund_account, own_then_free
from ..registry import FAMILY, versions
from ..units import Rank, Unit, runs
from ..world import Told, World

T = TypeVar("T")
Fields = dict[str, Any]
NOWHERE = "nowhere"
"""A code that nobody registers."""
PURPOSES = ("disaster-relief", "medical-aid", "student-aid", "elderly-care")
WRONG_ONE_IN = 14
CARELESS_ONE_IN = 7
RECORDERS = ("recorder-1", "recorder-2")
APPROVERS = ("approver-1", "recorder-2")


@dataclass
class Request:
    """What a person sends."""

    kind: str
    fields: Fields
    day: str
    by: str
    approved_by: str | None
    sealed: Fields = field(default_factory=dict)
    documents: list[str] = field(default_factory=list)

    @property
    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = {
            "kind": self.kind,
            "occurred_on": self.day,
            "fields": {name: value for name, value in self.fields.items() if value is not None},
        }
        if self.sealed:
            body["sealed"] = self.sealed
        if self.documents:
            body["documents"] = self.documents
        return body


Ask = Callable[["Chooser"], Fields]


class Chooser:
    """Draws one request, looking at the model."""

    def __init__(self, world: World, chance: Random) -> None:
        self.world = world
        self._chance = chance
        self._careless = chance.randint(1, CARELESS_ONE_IN) == 1

    def number(self, low: int, high: int) -> int:
        return self._chance.randint(low, high)

    def pick(self, options: Sequence[T]) -> T:
        return options[self.number(0, len(options) - 1)] if len(options) > 1 else options[0]

    def rarely(self, one_in: int = WRONG_ONE_IN) -> bool:
        """True once in so many; more often in a request that is made carelessly."""
        if self._careless:
            one_in = max(2, one_in // 4)
        return self.number(1, one_in) == one_in

    def maybe(self, value: T) -> T | None:
        return value if self.number(0, 1) else None

    # Codes

    def code(self, family: str) -> str:
        """A code of the family that is registered, or rarely none."""
        kind = FAMILY[family]
        known = [one.fields["code"] for one in self.world.entries if one.kind == kind]
        return NOWHERE if self.rarely(2 * WRONG_ONE_IN) else self.pick(known or [NOWHERE])

    def new_code(self, family: str) -> str:
        """A code for a new thing, from a pool so small that it is taken soon."""
        known = [one.fields["code"] for one in self.things(family)]
        return self.pick(known) if self.rarely(6) else f"{family}-{self.number(1, 6)}"

    def things(self, family: str) -> list[Told]:
        return [one for one in self.world.entries if one.kind == FAMILY[family]]

    def project_of(self, fund: str) -> str | None:
        """A project of the fund, mostly; None where it has none."""
        if self.rarely():
            return self.code("project")
        mine = [one.fields["code"] for one in self.things("project") if one.get("fund") == fund]
        return self.pick(mine) if mine else None

    def rule(self, topic: str) -> tuple[str, int]:
        """A rule of the topic and its newest version, mostly."""
        found = [one for one in self.world.entries if one.kind == "rule.published"]
        right = [one for one in found if one.get("topic") == topic]
        chosen = self.pick(found if self.rarely(2 * WRONG_ONE_IN) or not right else right)
        code = NOWHERE if self.rarely(3 * WRONG_ONE_IN) else chosen.fields["code"]
        newest = len(versions(self.world, code)) or 1
        return code, newest + 1 if self.rarely() else newest

    # Entries

    def entry(self, *kinds: str, wanted: Callable[[Told], bool] = lambda one: True) -> int:
        """An entry of these kinds that is wanted; rarely any, or one that is not there yet."""
        entries = self.world.entries
        if self.rarely(3 * WRONG_ONE_IN):
            return len(entries) + self.number(0, 2)
        of_kind = [one.index for one in entries if not kinds or one.kind in kinds]
        fitting = [one for one in of_kind if wanted(entries[one])]
        if self.rarely():
            return self.number(0, len(entries) - 1)
        return self._recent((of_kind if self.rarely() else fitting) or of_kind or [0])

    def _recent(self, indices: Sequence[int]) -> int:
        return indices[-1 - self.number(0, len(indices) - 1)]

    def one_of(self, interesting: Sequence[int]) -> int | None:
        """One of these every other time, if there are any."""
        return self.pick(interesting) if interesting and self.number(0, 1) else None

    def came_back(self, entry: int) -> bool:
        """Whether units of an entry have left and come back: they are not in one run any more."""
        numbers = [unit.number or 0 for unit in self.world.there(entry)]
        return len(runs(numbers)) > 1

    def entries(self, *kinds: str, wanted: Callable[[Told], bool] = lambda one: True) -> list[int]:
        """One to three entries, seldom one of them twice."""
        some = [self.entry(*kinds, wanted=wanted) for _ in range(self.number(1, 3))]
        return some if self.rarely() else list(dict.fromkeys(some))

    # Amounts and days

    def amount(self, available: int, most: int = 40) -> int:
        """At most what is there, mostly; sometimes all of it, sometimes more."""
        if available < 1:
            return self.number(1, 5)
        if self.rarely():
            return available + self.number(1, 3)
        return available if self.rarely(4) else self.number(1, min(available, most))

    def near(self, right: int) -> int:
        """The right number, or rarely another one; never below 1."""
        return max(1, right + self.number(1, 2) if self.rarely() else right)

    def day(self) -> str:
        if self.rarely(20):
            return self.world.day_after(1)
        return self.world.day_after(-self.number(0, 6)) if self.rarely(4) else self.world.today

    def day_near(self, low: int, high: int) -> str:
        return self.world.day_after(self.number(low, high))

    # Units

    def free(self, fund: str, project: str | None) -> int:
        """How much a payment for a project may take."""
        rank = own_then_free(project)
        units = self.world.accounts.held("CNY", fund_account(fund))
        return sum(rank(unit.tag) is not None for unit in units)

    def carrying(self, fund: str, project: str | None) -> int:
        """How much of a fund carries exactly this earmark."""
        units = self.world.accounts.held("CNY", fund_account(fund))
        return sum(unit.tag == (project or "",) for unit in units)

    def fund_with_money(self) -> str:
        """A fund that holds something, mostly."""
        rich = [name.removeprefix("fund:") for name in self.holding("fund:")]
        return self.code("fund") if self.rarely() or not rich else self.pick(rich)

    def _held(self, asset: str, account: str) -> list[Unit]:
        return self.world.accounts.held(asset, account)

    def holding(self, prefix: str) -> list[str]:
        """The accounts of a class that hold something."""
        places = self.world.accounts.places
        return [
            name for asset, name in places if name.startswith(prefix) and self._held(asset, name)
        ]

    def stocked(self, prefix: str = "stock:") -> tuple[str, str]:
        """An item and where some of it lies, mostly."""
        found = [
            (asset.removeprefix("item:"), name.removeprefix(prefix))
            for asset, name in self.world.accounts.places
            if name.startswith(prefix) and asset.startswith("item:") and self._held(asset, name)
        ]
        if found and not self.rarely():
            return self.pick(found)
        return self.code("item"), self.code("site") if prefix == "stock:" else self.shipment()

    def shipment(self) -> str:
        return f"trip-{self.number(1, 12)}"

    def in_stock(self, item: str, site: str, rank: Rank | None = None) -> int:
        units = self._held(f"item:{item}", f"stock:{site}")
        return sum(rank is None or rank(unit.tag) is not None for unit in units)

    def holder(self, asset: str = "points") -> str:
        """Somebody who holds points or minutes, mostly."""
        found = [name.partition(":")[2] for name in self.holding(f"{asset}:")]
        return self.pick(found) if found and not self.rarely() else self.code("party")

    def lot(self, item: str) -> Mapping[str, Any]:
        """Lot and dates of goods; perishable ones have a date, mostly."""
        perishable = any(
            one.get("code") == item and one.get("perishable") for one in self.things("item")
        )
        lot: Fields = {"lot": self.maybe(self.pick(("L1", "L2")))}
        if perishable != self.rarely():
            lot["best_before"] = self.day_near(1 if self.rarely(5) else 8, 20)
            if self.rarely(6):
                lot["made_on"] = self.day_near(-5, 9)
        return {name: value for name, value in lot.items() if value is not None}

    def quantity(self, item: str, available: int) -> Fields:
        """A quantity, sometimes in boxes."""
        if available >= 5 and self.rarely(6):
            unit = self.pick(("box", "crate") if self.rarely(6) else ("box",))
            return {"quantity": self.number(1, max(1, available // 5)), "unit": unit}
        return {"quantity": self.amount(available, 15)}
