"""What an auditor made of a flag: the disposition of something that asked for attention.

A flag is evidence for a person to judge, never an accusation (domain, section 2). It is
named by its code and the entries that it lists; a flag that lists other entries later is
another one, and asks again. So is one of more entries than can be listed, when it is about
more or fewer of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from ledger.entry import Entry
from ledger.records.kind import Draft, Fields, Index, Kind, Plan, Role, Text, reject
from ledger.state import State, references_of

FLAG_ENTRIES_MAX = 50
"""Entries that one flag lists, and that its disposition names."""

Flag = Annotated[str, Field(pattern=r"^[a-z][a-z_]{0,63}$", description="the flag's code")]


def disposition_key(flag: str, entries: Sequence[int], entries_total: int | None = None) -> str:
    """The state's key of a flag's disposition.

    Args:
        entries_total: How many entries the flag is about, where it cannot list all.
    """
    listed = ",".join(str(one) for one in sorted(set(entries)))
    if entries_total is not None:
        listed += f" of {entries_total}"
    return f"disposed/{flag}/{hashlib.sha256(listed.encode()).hexdigest()[:32]}"


class AttentionDisposed(Fields):
    """An auditor's decision about a flag, with the reason for it."""

    flag: Flag
    entries: Annotated[list[Index], Field(min_length=1, max_length=FLAG_ENTRIES_MAX)]
    entries_total: Annotated[int, Field(gt=FLAG_ENTRIES_MAX, le=10**9)] | None = Field(
        None, description="how many entries the flag is about, where it lists the first ones only"
    )
    decision: Literal["in_order", "corrected", "to_be_corrected", "referred"]
    reason: Text


def _plan_disposed(draft: Draft[AttentionDisposed], state: State) -> Plan:
    fields = draft.fields
    if list(fields.entries) != sorted(set(fields.entries)):
        reject(
            "entries_not_rising",
            "fields.entries: expected each entry of the flag once, by rising index",
            field="fields.entries",
        )
    for number, index in enumerate(fields.entries):
        state.entry(index, f"fields.entries.{number}")
    return Plan(references=references_of(fields.entries))


def _effects_disposed(entry: Entry, state: State, sign: int) -> None:
    fields = entry.fields
    state.put(
        disposition_key(fields["flag"], fields["entries"], fields.get("entries_total")),
        {
            "decision": fields["decision"],
            "entry": entry.index,
            "by": entry.recorded_by,
            "reason": fields["reason"],
        },
    )


ATTENTION_DISPOSED = Kind(
    name="attention.disposed",
    title_zh="关注事项处理",
    title_en="Attention disposed",
    moves="nothing",
    fields=AttentionDisposed,
    recorders=frozenset((Role.AUDITOR,)),
    plan=_plan_disposed,
    effects=_effects_disposed,
    example={
        "occurred_on": "2021-12-31",
        "fields": {
            "flag": "project_report_overdue",
            "entries": [3],
            "decision": "in_order",
            "reason": "项目资料已在线下公开，已补登记",
        },
    },
)
