"""The model's ledger: entries told so far, the units they moved, and who may look at what."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .units import Accounts, Move, Posted, RefusedError, Undone, Unit

Body = Mapping[str, Any]
ONE_ORDER = ("donation.money", "donation.matched")
"""Kinds whose order number enters once, whichever of them brings it."""
REVERSAL = "entry.reversed"
CORRECTIONS = (REVERSAL, "entry.annotated")
CLAIMING = ("service.recorded", "statement.matched", "statement.imported")
"""Kinds that move nothing and yet are reversed: they hold an hour, or lines and gifts."""


@dataclass
class Told:
    """One entry; `moved` are the units of each posting."""

    index: int
    kind: str
    day: str
    fields: Mapping[str, Any]
    sealed: Mapping[str, Any]
    documents: Sequence[str]
    by: str
    approved_by: str | None
    postings: list[Posted] = field(default_factory=list)
    moved: list[list[Unit]] = field(default_factory=list)
    reversed_by: int | None = None

    def get(self, name: str) -> Any:
        """A public field, None where it was left out."""
        return self.fields.get(name)

    @property
    def reversible(self) -> bool:
        """Whether there is anything to take back, and it was not taken back yet."""
        does = bool(self.postings) or self.kind in CLAIMING
        return does and self.kind != REVERSAL and self.reversed_by is None


@dataclass(frozen=True)
class Answer:
    """What the ledger must answer: the entry's index, or the code of the refusal."""

    index: int | None = None
    code: str | None = None
    replayed: bool = False
    undo_first: tuple[Undone, ...] = ()


Rule = Callable[["World", Told], list[Move]]


class World:
    """The model.

    Args:
        rules: By kind: refuses a record or says what moves.
        approved: The kinds that a second person approves.
        public_fields: By kind, the names that its documentation lists as public.
        opened: The first entry's fields.
    """

    def __init__(
        self,
        rules: Mapping[str, Rule],
        approved: frozenset[str],
        public_fields: Mapping[str, frozenset[str]],
        *,
        today: str,
        opened: Mapping[str, Any],
    ) -> None:
        self.rules = rules
        self.approved = approved
        self.public_fields = public_fields
        self.today = today
        self.entries: list[Told] = [
            Told(0, "log.opened", today, opened, {}, (), "system", None),
        ]
        self.accounts = Accounts()
        self.requests: dict[str, tuple[object, int]] = {}

    # Telling

    def tell(self, body: Body, *, key: str, by: str, approved_by: str | None) -> Answer:
        """Take a well-formed request up, or refuse it."""
        told = Told(
            len(self.entries),
            body["kind"],
            body["occurred_on"],
            {name: value for name, value in body["fields"].items() if value is not None},
            body.get("sealed") or {},
            body.get("documents", ()),
            by,
            approved_by,
        )
        content = (dict(body), by, approved_by)
        if key in self.requests:
            known, index = self.requests[key]
            if known == content:
                return Answer(index, replayed=True)
            return Answer(code="idempotency_conflict")
        try:
            self._check_everybody(told)
            moves = self.rules[told.kind](self, told)
            chosen = self.accounts.choose(moves)
        except RefusedError as refused:
            return Answer(code=refused.code, undo_first=refused.undo_first)
        back = told.kind == REVERSAL
        told.postings = self.accounts.carry_out(told.index, moves, chosen, back=back)
        told.moved = chosen
        if back:
            self.entries[told.fields["entry"]].reversed_by = told.index
        self.entries.append(told)
        self.requests[key] = (content, told.index)
        return Answer(told.index)

    def _check_everybody(self, told: Told) -> None:
        """What every kind keeps."""
        order = told.sealed.get("order_number") if told.kind in ONE_ORDER else None
        if order is not None and any(
            one.kind in ONE_ORDER and one.sealed.get("order_number") == order
            for one in self.entries
        ):
            raise RefusedError("order_number_recorded")
        if told.day > self.today:
            raise RefusedError("occurs_in_future")
        if told.kind in self.approved and told.approved_by is None:
            raise RefusedError("approval_required")
        if told.kind not in self.approved and told.approved_by is not None:
            raise RefusedError("approval_not_needed")
        if told.approved_by == told.by:
            raise RefusedError("approved_by_recorder")

    # Looking

    def alive(self, *kinds: str) -> Iterator[Told]:
        """Entries of these kinds that were not reversed, oldest first."""
        return (one for one in self.entries if one.kind in kinds and one.reversed_by is None)

    def entry(self, index: int) -> Told:
        if index >= len(self.entries):
            raise RefusedError("unknown_entry")
        return self.entries[index]

    def registered(self, kind: str, code: str) -> Told | None:
        """The entry that gave a code its meaning."""
        found = (one for one in self.entries if one.kind == kind and one.get("code") == code)
        return next(found, None)

    def there(self, entry: int, posting: int = 0) -> list[Unit]:
        """The units that are where a posting brought them, in the order in which it did."""
        units = self.accounts.moved.get((entry, posting), [])
        return [unit for unit in units if unit.is_where(entry, posting)]

    def day_after(self, days: int) -> str:
        """A day that many days from today."""
        return (dt.date.fromisoformat(self.today) + dt.timedelta(days=days)).isoformat()


def refuse_if(broken: object, code: str) -> None:
    """Refuse where a rule is broken."""
    if broken:
        raise RefusedError(code)
