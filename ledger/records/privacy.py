"""Personal data: erased from the vault, or hidden from view (domain, "privacy").

The entries stay as they are, and so does every proof: an entry only ever held
commitments. Erasing removes their openings, which are kept in the vault, in the same
transaction as the entry that says so.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ledger.entry import Entry
from ledger.records.kind import APPROVERS, Draft, Fields, Index, Kind, Plan, Role, Text, reject
from ledger.state import State, references_of

ENTRIES_MAX = 1000

Entries = Annotated[list[Index], Field(min_length=1, max_length=ENTRIES_MAX)]


class PrivacyErased(Fields):
    """A person's data removed: seed and values of these entries' sealed fields."""

    entries: Entries
    legal_basis: Text


def _plan_erased(draft: Draft[PrivacyErased], state: State) -> Plan:
    for number, index in enumerate(draft.fields.entries):
        where = f"fields.entries.{number}"
        entry = state.entry(index, where)
        if not entry.sealed:
            reject(
                "nothing_sealed",
                f"{where}: entry {index} has no personal fields",
                field=where,
            )
        erased = state.get(f"erased/{index}")
        if erased is not None or draft.fields.entries.count(index) > 1:
            reject(
                "already_erased",
                f"{where}: the personal fields of entry {index} are erased already",
                field=where,
                **({} if erased is None else {"entry": erased["entry"]}),
            )
    return Plan(references=references_of(draft.fields.entries))


def _effects_erased(entry: Entry, state: State, sign: int) -> None:
    for index in entry.fields["entries"]:
        state.put(f"erased/{index}", {"entry": entry.index})


PRIVACY_ERASED = Kind(
    name="privacy.erased",
    title_zh="删除个人信息",
    title_en="Personal data erased",
    moves="nothing",
    fields=PrivacyErased,
    recorders=frozenset((Role.CLERK,)),
    approvers=APPROVERS,
    plan=_plan_erased,
    effects=_effects_erased,
    erases=lambda fields: fields.entries,
    example={
        "occurred_on": "2021-12-31",
        "fields": {"entries": [9], "legal_basis": "个人信息保护法第四十七条：个人撤回同意"},
    },
)


class EntryHidden(Fields):
    """Entries whose public fields are no longer shown; the bytes and proofs stay."""

    entries: Entries
    legal_basis: Text


def _plan_hidden(draft: Draft[EntryHidden], state: State) -> Plan:
    for number, index in enumerate(draft.fields.entries):
        where = f"fields.entries.{number}"
        state.entry(index, where)
        hidden = state.get(f"hidden/{index}")
        if hidden is not None or draft.fields.entries.count(index) > 1:
            reject(
                "already_hidden",
                f"{where}: entry {index} is hidden already",
                field=where,
                **({} if hidden is None else {"entry": hidden["entry"]}),
            )
    return Plan(references=references_of(draft.fields.entries))


def _effects_hidden(entry: Entry, state: State, sign: int) -> None:
    for index in entry.fields["entries"]:
        state.put(f"hidden/{index}", {"entry": entry.index})


ENTRY_HIDDEN = Kind(
    name="entry.hidden",
    title_zh="屏蔽条目",
    title_en="Entry hidden",
    moves="nothing",
    fields=EntryHidden,
    recorders=frozenset((Role.CLERK,)),
    approvers=APPROVERS,
    plan=_plan_hidden,
    effects=_effects_hidden,
    example={
        "occurred_on": "2021-12-31",
        "fields": {"entries": [5], "legal_basis": "当事人申请屏蔽"},
    },
)
