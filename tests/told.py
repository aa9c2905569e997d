"""Records full bodies in the small world, with what each of them needs first."""

from __future__ import annotations

from typing import Any

import pytest
from bodies import DOCUMENT, FULL, full
from prerequisites import BEFORE
from scribe import Scribe

from ledger.errors import RejectedError

TODAY = "2022-01-10"


def tell_before(scribe: Scribe, kind: str) -> None:
    """Record what a kind's full body needs."""
    for name, fields in BEFORE.get(kind, []):
        scribe.tell(name, fields, by=by(name))


def by(kind: str) -> str:
    """Who records a kind: a confirmation is somebody else's word."""
    return "recorder-2" if kind == "service.confirmed" else "recorder-1"


def recorded(world: Scribe, kind: str, **changes: Any) -> Any:
    """Record a kind's full body with changes; the entry."""
    tell_before(world, kind)
    day = FULL[kind].get("occurred_on", TODAY)
    fields = full(kind, **changes)
    return world.entry(world.tell(kind, fields, day=day, documents=[DOCUMENT], by=by(kind)))


def rejected(scribe: Scribe, kind: str, fields: dict[str, Any]) -> RejectedError:
    """What recording this raises."""
    with pytest.raises(RejectedError) as caught:
        scribe.tell(kind, fields)
    return caught.value
