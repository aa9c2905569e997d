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
from ledger.state import Move, State
from ledger.verify import REVERSAL

Effects = Callable[[Entry, State, int], None]


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
    if not entry.postings:
        reject(
            "nothing_to_reverse",
            f"fields.entry: entry {number} ({entry.kind}) moved no units",
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
    depending = (state.get(f"points-of/{number}") or {"issues": []})["issues"]
    alive = [one for one in depending if state.left_of(state.entry_flows(one))]
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
            exact = [(posting["at"], posting["at"] + amount)]
        if not is_world(posting["from"]):
            taken = [(first, end) for first, end in posting["takes"]]
            runs = state.labels(asset, posting["from"], taken)
        moves.append(Move(asset, amount, posting["to"], posting["from"], exact=exact, runs=runs))
    return Plan(moves, (number,))


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


def _plan_annotated(draft: Draft[EntryAnnotated], state: State) -> Plan:
    fields = draft.fields
    entry = state.entry(fields.entry, "fields.entry")
    value: object = entry.fields
    for part in fields.field.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if not isinstance(value, str | bool) and value is not None:
        reject(
            "field_moves_units",
            f"fields.field: {fields.field} of entry {fields.entry} is a quantity or a list; "
            "what moved units is corrected by reversing the entry",
            field="fields.field",
        )
    return Plan(references=(fields.entry,))


def _effects_annotated(entry: Entry, state: State, sign: int) -> None:
    key = f"annotated/{entry.fields['entry']}"
    found = (state.get(key) or {"entries": []})["entries"]
    state.put(key, {"entries": [*found, entry.index]})


ENTRY_ANNOTATED = Kind(
    name="entry.annotated",
    title_zh="更正说明",
    title_en="Entry annotated",
    moves="nothing",
    fields=EntryAnnotated,
    recorders=frozenset((Role.CLERK, Role.WAREHOUSE, Role.REGISTRAR)),
    approvers=APPROVERS,
    plan=_plan_annotated,
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
