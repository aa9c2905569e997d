"""An entry as the record that it was: what its kind says of it alone, without a state.

The same for every program and every process, so it can be checked far from the state
that the rules need.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Any

from pydantic import ValidationError

from ledger.day import CHINA
from ledger.entry import Entry
from ledger.errors import RejectedError
from ledger.records.catalog import KIND_BY_NAME
from ledger.records.kind import Draft, Fields, Kind, check_common


@lru_cache(maxsize=4096)
def _day_in_china(recorded_at: str) -> str:
    """The day on which an entry was recorded; the entries of one batch ask for the same."""
    return datetime.fromisoformat(recorded_at).astimezone(CHINA).date().isoformat()


def draft_of(entry: Entry, fields: Fields) -> Draft[Any]:
    """The record of an entry.

    Raises:
        ValueError: its time is none.
        OverflowError: its time has no day in China.
    """
    return Draft(
        entry.index,
        fields,
        frozenset(entry.sealed),
        entry.occurred_on,
        _day_in_china(entry.recorded_at),
        entry.recorded_by,
        entry.approved_by,
        entry.documents,
    )


def written_otherwise(entry: Entry, fields: Fields) -> bool:
    """Whether the entry's fields are not as their model writes them."""
    return fields.model_dump(exclude_none=True) != entry.fields


def unknown_sealed(kind: Kind[Any], entry: Entry) -> list[str]:
    """The sealed fields that the entry's kind does not know."""
    return sorted(entry.sealed.keys() - kind.sealed.model_fields.keys())


def is_plain(entry: Entry) -> bool:
    """Whether an entry is in every way as its kind writes it, as far as it says itself."""
    kind = KIND_BY_NAME.get(entry.kind)
    if kind is None:
        return False
    try:
        fields = kind.fields.model_validate(entry.fields)
        if written_otherwise(entry, fields) or unknown_sealed(kind, entry):
            return False
        check_common(kind, draft_of(entry, fields))
    except (ValidationError, RejectedError, ValueError, OverflowError):
        return False
    return True
