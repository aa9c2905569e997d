"""The first entry: what the log is, in whose name and currency (design, section 3)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ledger.records.kind import Draft, Fields, Kind, Name, Plan, clean, reject
from ledger.state import State


class LogOpened(Fields):
    """The facts that every later entry rests on."""

    origin: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\s+]+$"), clean(200)]
    organisation: Name
    currency: Literal["CNY"]
    time_zone: Literal["Asia/Shanghai"]
    keys: Annotated[
        list[Annotated[str, Field(max_length=4000)]],
        Field(min_length=1, max_length=8, description="the log's verifier keys"),
    ]


def _plan(draft: Draft[LogOpened], state: State) -> Plan:
    if draft.index != 0:
        reject("log_already_open", "log.opened is the first entry of a log and no other")
    return Plan()


LOG_OPENED = Kind(
    name="log.opened",
    title_zh="账本开立",
    title_en="Log opened",
    moves="nothing",
    fields=LogOpened,
    recorders=frozenset(),
    plan=_plan,
    example={},
)
