"""Corrections in the open: an entry is never changed, another one reverses it.

A reversal moves back exactly the units that the entry moved. Where some have moved on
since, it is refused with the list of the entries that moved them: those are reversed
first (domain, section 1, "correction"). What stands in a reversed entry's place is recorded
anew and named by an entry of its own, ``entry.replaced``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import Field

from ledger.entry import Entry
from ledger.errors import InsufficientError
from ledger.flows import REVERSAL, is_world
from ledger.records.kind import APPROVERS, Draft, Fields, Index, Kind, Plan, Role, Text, reject
from ledger.records.later_uses import claims, depending_points, later_uses, moved_on
from ledger.records.lineage import current
from ledger.state import Move, State, references_of

ORDER_SHOWN_MAX = 20
"""A message names so many of the entries that are undone first; the details name all."""
CORRECTIONS = (REVERSAL, "entry.annotated")
"""The kinds that correct an entry."""
REPLACEMENT = "entry.replaced"

Effects = Callable[[Entry, State, int], None]

CLAIMING = frozenset(("service.recorded", "statement.matched", "statement.imported"))
"""Kinds that move nothing and yet hold something (a time of the day, bank lines and gifts, the
days of a bank account), which only a reversal gives back."""


def holds_something(entry: Entry) -> bool:
    """Whether there is anything that a reversal would give back: units, or what is claimed."""
    return bool(entry.postings) or entry.kind in CLAIMING


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
    if not holds_something(entry):
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
    _check_moved_on(state, entry)
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
    entries = sorted(claims(state, number))
    if entries:
        reject(
            "entry_relied_on",
            f"fields.entry: entries {entries} rely on entry {number}; void that receipt "
            "(receipt.voided), withdraw that fulfilment (wish.withdrawn), reverse that matching "
            "gift, that confirmation, those matched bank lines or the later statement first",
            field="fields.entry",
            entry=number,
            entries=entries,
            undo_first=_undo_first(state, number),
        )
    alive = depending_points(state, number)
    if alive:
        reject(
            "points_depend",
            f"fields.entry: entries {alive} gave points for entry {number}; "
            "take those back first (points.reversed)",
            field="fields.entry",
            entry=number,
            entries=alive,
            undo_first=_undo_first(state, number),
        )


def _check_moved_on(state: State, entry: Entry) -> None:
    """Every unit that the entry moved must be where it put it.

    Raises:
        InsufficientError: ``units_moved_on``, with all later entries, and with everything
            that is to be undone, in order.
    """
    found = moved_on(state, entry)
    if not found:
        return
    entries = sorted({use for one in found for use in one.entries})
    first = _undo_first(state, entry.index)
    order = ", ".join(str(one["entry"]) for one in first[:ORDER_SHOWN_MAX])
    more = " ..." if len(first) > ORDER_SHOWN_MAX else ""
    units = "; ".join(f"{list(one.missing)} of {one.asset} from {one.account}" for one in found)
    raise InsufficientError(
        f"units of entry {entry.index} have moved on by entries {entries} ({units}); undo these "
        f"first, in this order: {order}{more}",
        code="units_moved_on",
        details={
            "entry": entry.index,
            "account": found[0].account,
            "asset": found[0].asset,
            "missing": [list(part) for part in found[0].missing],
            "entries": entries,
            "undo_first": first,
        },
    )


def _undo_first(state: State, number: int) -> list[dict[str, Any]]:
    return [one.as_json() for one in later_uses(state, number).uses]


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


class EntryReplaced(Fields):
    """Which later entry records anew, and rightly, what a reversed entry recorded."""

    entry: Index = Field(description="the entry that was reversed")
    by: Index = Field(description="the entry that stands in its place")
    reason: Text | None = None


def _plan_replaced(draft: Draft[EntryReplaced], state: State) -> Plan:
    fields = draft.fields
    state.entry(fields.entry, "fields.entry")
    by = state.entry(fields.by, "fields.by")
    undone = state.get(f"reversed/{fields.entry}")
    if undone is None:
        reject(
            "not_reversed",
            f"fields.entry: entry {fields.entry} is not reversed; reverse it first, then name "
            "what stands in its place",
            field="fields.entry",
        )
    if (
        fields.by <= fields.entry
        or by.kind in (*CORRECTIONS, REPLACEMENT)
        or state.get(f"reversed/{fields.by}") is not None
    ):
        reject(
            "not_a_replacement",
            f"fields.by: expected a later entry than {fields.entry} that records anew and is "
            f"not reversed, got entry {fields.by} ({by.kind})",
            field="fields.by",
        )
    taken = state.get(f"replaces/{fields.by}")
    if taken is not None:
        reject(
            "already_replaces",
            f"fields.by: entry {fields.by} stands in the place of entry {taken['replaces']} by "
            f"entry {taken['entry']}; an entry replaces one other",
            field="fields.by",
            entry=taken["entry"],
        )
    return Plan(references=references_of([fields.entry, fields.by, undone["entry"]]))


def _effects_replaced(entry: Entry, state: State, sign: int) -> None:
    replaced, by = entry.fields["entry"], entry.fields["by"]
    key = f"replaced/{replaced}"
    found = (state.get(key) or {"by": []})["by"]
    state.put(key, {"by": [*found, by]})
    state.put(f"replaces/{by}", {"replaces": replaced, "entry": entry.index})


ENTRY_REPLACED = Kind(
    name=REPLACEMENT,
    title_zh="指明替代条目",
    title_en="Replacement named",
    moves="nothing",
    fields=EntryReplaced,
    recorders=frozenset((Role.CLERK, Role.WAREHOUSE, Role.SHOP)),
    approvers=APPROVERS,
    plan=_plan_replaced,
    effects=_effects_replaced,
    example={
        "occurred_on": "2021-10-09",
        "fields": {"entry": 3428, "by": 3430, "reason": "按实际渠道重新登记"},
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
    if entry.kind in (*CORRECTIONS, REPLACEMENT):
        reject(
            "field_not_public",
            f"fields.entry: entry {fields.entry} is a correction itself ({entry.kind}); annotate "
            "the entry that it corrects once more, the newest annotation counts",
            field="fields.entry",
        )
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
