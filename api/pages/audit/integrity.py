"""The log's state for an auditor: checkpoint, keys, witnesses, time stamps."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from api.pages.format import format_instant
from ledger.book import Book, read_key_history
from ledger.entry import parse_entry
from ledger.feed import Standing
from ledger.inspection import Inspector
from ledger.keys.history import describe
from ledger.store import Reader

ANCHORS_SHOWN = 10
SECONDS_PER_MINUTE, SECONDS_PER_HOUR, SECONDS_PER_DAY = 60, 3600, 86_400


@dataclass(frozen=True, slots=True)
class Age:
    """How long ago something was: the largest unit that fits, ``age.<unit>`` in the texts."""

    unit: str
    count: int


@dataclass(frozen=True, slots=True)
class WitnessRow:
    """A witness: how far it cosigned, when, and what troubles it (a code and words)."""

    name: str
    verifier_key: str
    size: int | None
    instant: str | None
    age: Age | None
    trouble: str | None
    message: str | None


@dataclass(frozen=True, slots=True)
class AnchorRow:
    """A time stamp of a checkpoint by an outside authority."""

    size: int
    authority: str


@dataclass(frozen=True, slots=True)
class Moment:
    """When something ended: as a time, for people, and how long ago."""

    datetime: str
    instant: str
    age: Age


@dataclass(frozen=True, slots=True)
class Inspection:
    """The background inspection since the service started; None for a moment that has not been.

    Attributes:
        rows_on, audits_on: Whether it does that at all.
        failed: Why the last whole audit could not be made.
        findings: What is damaged, in English, as the service's log tells it.
    """

    rows_on: bool
    rows: Moment | None
    audits_on: bool
    audit: Moment | None
    failed: str | None
    findings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Integrity:
    """Everything the page shows; `keys` are as `keys.history.describe` gives them."""

    signed_at: str
    age: Age
    keys: list[dict[str, object]]
    witnesses: list[WitnessRow]
    require: int
    halted: str | None
    anchors: list[AnchorRow]
    more_anchors: bool


def age_of(seconds: float) -> Age:
    """An age in words' units, never below nothing."""
    whole = max(0, int(seconds))
    for unit, length in (
        ("days", SECONDS_PER_DAY),
        ("hours", SECONDS_PER_HOUR),
        ("minutes", SECONDS_PER_MINUTE),
    ):
        if whole >= 2 * length or (unit == "minutes" and whole >= length):
            return Age(unit, whole // length)
    return Age("seconds", whole)


def integrity_view(
    book: Book, reader: Reader, recorded_at: str, standings: Sequence[Standing], require: int
) -> Integrity:
    """What a snapshot, the witnesses' standings and the write path say.

    Args:
        recorded_at: When the newest entry was recorded: its checkpoint is of that moment.
    """
    now = time.time()
    age = datetime.now(UTC) - datetime.fromisoformat(recorded_at)
    anchors = reader.anchored(_size(reader), ANCHORS_SHOWN + 1)
    return Integrity(
        signed_at=recorded_at,
        age=age_of(age.total_seconds()),
        keys=[
            {**describe(term), "added_on": _day_of(reader, term.added_by)}
            for term in read_key_history(reader).terms
        ],
        witnesses=[_witness(one, now) for one in standings],
        require=require,
        halted=book.halted,
        anchors=[AnchorRow(size, authority) for size, authority in anchors[:ANCHORS_SHOWN]],
        more_anchors=len(anchors) > ANCHORS_SHOWN,
    )


def inspection_view(inspector: Inspector) -> Inspection:
    """How the background inspection stands."""
    found, pace, now = inspector.standing(), inspector.pace, time.time()
    return Inspection(
        pace.rows_per_second > 0,
        _moment(found.round_ended, now),
        pace.rows_per_second > 0 and pace.audit_seconds > 0,
        _moment(found.audit_ended, now),
        found.audit_failed,
        found.findings,
    )


def _moment(seconds: float | None, now: float) -> Moment | None:
    if seconds is None:
        return None
    text = datetime.fromtimestamp(seconds, UTC).isoformat()
    return Moment(text, format_instant(text), age_of(now - seconds))


def _size(reader: Reader) -> int:
    head = reader.head()
    return head.size if head else 0


def _day_of(reader: Reader, index: int) -> str:
    return parse_entry(reader.entry(index)).occurred_on


def _witness(one: Standing, now: float) -> WitnessRow:
    instant = age = None
    if one.last_time is not None:
        moment = datetime.fromtimestamp(one.last_time, UTC)
        instant = format_instant(moment.isoformat())
        age = age_of(now - one.last_time)
    return WitnessRow(
        one.name, one.verifier_key, one.last_size, instant, age, one.trouble, one.message
    )
