"""Corrections in the open: an entry is never changed, another one reverses it.

A reversal moves back exactly the units that the entry moved. Where some have moved on
since, it is refused with the list of the entries that moved them: those are reversed
first (domain, section 1, "correction").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated

from pydantic import Field

from ledger.entry import Entry
from ledger.flows import is_world
from ledger.records.kind import APPROVERS, Draft, Fields, Index, Kind, Plan, Role, Text, reject
from ledger.records.lineage import current, remaining
from ledger.state import Move, State
from ledger.verify import REVERSAL

Effects = Callable[[Entry, State, int], None]

CLAIMING = frozenset(("service.recorded", "statement.matched"))
"""Kinds that move nothing and yet hold something (a time of the day, bank lines and gifts),
which only a reversal gives back."""


class EntryReversed(Fields):
    """The reverse of an earlier entry's postings, with the reason for it."""

    entry: Index
    reason: Text


def _plan_reversed(draft: Draft[EntryReversed], state: State) -> Plan:
    number = draft.fields.entry
    entry = state.entry(number, "fields.entry")
    if entry.kind == REVERSAL:
        reject(
            "reversal_of_reversal",
            f"fields.entry: entry {number} is itself a reversal; record what is right anew",
            field="fields.entry",
        )
    if not entry.postings and entry.kind not in CLAIMING:
        reject(
            "nothing_to_reverse",
            f"fields.entry: entry {number} ({entry.kind}) moved no units; correct it by "
            "entry.annotated, or by the kind that voids or withdraws it",
            field="fields.entry",
        )
    reversed_by = state.get(f"reversed/{number}")
    if reversed_by is not None:
        reject(
            "already_reversed",
            f"fields.entry: entry {number} was reversed by entry {reversed_by['entry']}",
            field="fields.entry",
            entry=reversed_by["entry"],
        )
    _check_relied_on(state, number)
    depending = (state.get(f"points-of/{number}") or {"issues": []})["issues"]
    alive = [one for one in depending if remaining(state, state.entry_flows(one))[0]]
    if alive:
        reject(
            "points_depend",
            f"fields.entry: entries {alive} gave points for entry {number}; "
            "take those back first (points.reversed)",
            field="fields.entry",
            entries=alive,
        )
    moves: list[Move] = []
    for posting in entry.postings:
        asset, amount = posting["asset"], posting["amount"]
        exact = runs = None
        if not is_world(posting["to"]):
            brought = [(posting["at"], posting["at"] + amount)]
            exact = current(state, asset, posting["to"], brought)
        if not is_world(posting["from"]):
            taken = [(first, end) for first, end in posting["takes"]]
            runs = state.labels(asset, posting["from"], taken)
        moves.append(Move(asset, amount, posting["to"], posting["from"], exact=exact, runs=runs))
    return Plan(moves, (number,))


def _check_relied_on(state: State, number: int) -> None:
    """What another entry claims of this one must be given up first, in the open."""
    claims = (f"receipt-of/{number}", f"fulfils/{number}", f"confirmed/{number}")
    entries = [found["entry"] for found in map(state.get, claims) if found is not None]
    entries += (state.get(f"matchings-of/{number}") or {"entries": []})["entries"]
    if entries:
        reject(
            "entry_relied_on",
            f"fields.entry: entries {sorted(entries)} rely on entry {number}; void that receipt "
            "(receipt.voided), withdraw that fulfilment (wish.withdrawn), reverse that matching "
            "gift or that confirmation first",
            field="fields.entry",
            entries=sorted(entries),
        )


def reversal(effects_of: Mapping[str, Effects]) -> Kind[EntryReversed]:
    """The kind that takes back the effects of the other kinds.

    Args:
        effects_of: The effects of every kind that can be reversed, by name.
    """

    def effects(entry: Entry, state: State, sign: int) -> None:
        number = entry.fields["entry"]
        undone = state.entry(number, "fields.entry")
        effects_of[undone.kind](undone, state, -1)
        state.put(f"reversed/{number}", {"entry": entry.index})

    return Kind(
        name=REVERSAL,
        title_zh="冲正条目",
        title_en="Entry reversed",
        moves="the reverse of the entry's postings",
        fields=EntryReversed,
        recorders=frozenset((Role.CLERK, Role.WAREHOUSE, Role.SHOP)),
        approvers=APPROVERS,
        plan=_plan_reversed,
        effects=effects,
        example={
            "occurred_on": "2021-10-09",
            "fields": {"entry": 4, "reason": "重复登记，予以冲正"},
        },
    )


class EntryAnnotated(Fields):
    """What a field of an earlier entry should have said; the old text stays readable."""

    entry: Index
    field: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_.]{0,99}$")]
    correct: Text
    reason: Text


EARMARKS = frozenset(("project", "from_project", "to_project", "lot", "made_on", "best_before"))
"""Fields that no posting shows and that yet say which units may leave for what."""


def _check_annotated(entry: Entry, fields: EntryAnnotated, model: type[Fields]) -> None:
    """Only public text that moved nothing: not a quantity, an account, nor a person.

    Raises:
        RejectedError: no public field of the kind, or one that moved units.
    """
    first, *rest = fields.field.split(".")
    if first not in model.model_fields:
        reject(
            "field_not_public",
            f"fields.field: {entry.kind} has no public field {first}; a personal field is never "
            "corrected in the open",
            field="fields.field",
        )
    value: object = entry.fields.get(first)
    for part in rest:
        value = value.get(part) if isinstance(value, dict) else value
    moved = {part for one in entry.postings for part in _codes(one)}
    decides = (rest or [first])[-1] in EARMARKS and bool(entry.postings)
    is_text = value is None or isinstance(value, str | bool)
    if decides or not is_text or value in moved:
        reject(
            "field_moves_units",
            f"fields.field: {fields.field} of entry {fields.entry} says which units moved, or how "
            "many; what moved units is corrected by reversing the entry",
            field="fields.field",
        )


def _codes(posting: Mapping[str, str]) -> set[str]:
    """The codes in a posting's asset and accounts, without those of the outside."""
    names = [posting["asset"], posting["from"], posting["to"]]
    return {name.partition(":")[2] for name in names if ":" in name and not is_world(name)}


def _effects_annotated(entry: Entry, state: State, sign: int) -> None:
    key = f"annotated/{entry.fields['entry']}"
    found = (state.get(key) or {"entries": []})["entries"]
    state.put(key, {"entries": [*found, entry.index]})


def annotation(fields_of: Mapping[str, type[Fields]]) -> Kind[EntryAnnotated]:
    """The kind that corrects what moved nothing.

    Args:
        fields_of: The public fields of every kind that can be annotated, by name.
    """

    def plan(draft: Draft[EntryAnnotated], state: State) -> Plan:
        entry = state.entry(draft.fields.entry, "fields.entry")
        _check_annotated(entry, draft.fields, fields_of.get(entry.kind, Fields))
        return Plan(references=(draft.fields.entry,))

    return Kind(
        name="entry.annotated",
        title_zh="更正说明",
        title_en="Entry annotated",
        moves="nothing",
        fields=EntryAnnotated,
        recorders=frozenset((Role.CLERK, Role.WAREHOUSE, Role.REGISTRAR)),
        approvers=APPROVERS,
        plan=plan,
        effects=_effects_annotated,
        example={
            "occurred_on": "2021-10-09",
            "fields": {
                "entry": 4,
                "field": "channel",
                "correct": "alipay",
                "reason": "渠道登记有误，予以更正",
            },
        },
    )
