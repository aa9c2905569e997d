"""One import: what was uploaded, what it is for, how far it has come, and who did what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from ledger.errors import ConflictError
from ledger.intake.gift_list import Choices
from ledger.intake.recording import Target

DAYS_MAX = 30
"""So long a file may wait for its second person; then it is deleted, like a proposal."""

Status = Literal[
    "reading",
    "unread",
    "planned",
    "waiting",
    "recording",
    "stopped",
    "done",
    "withdrawn",
    "rejected",
    "expired",
]
STATUSES: tuple[Status, ...] = get_args(Status)
AT_WORK: frozenset[Status] = frozenset(("reading", "recording"))
"""The worker has something to do."""
OPEN: frozenset[Status] = frozenset(
    ("reading", "unread", "planned", "waiting", "recording", "stopped")
)
"""The file is still there."""
CHANGEABLE: frozenset[Status] = frozenset(("unread", "planned"))
"""How the file is read, and what its gifts are for, may still be said anew."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why it does not go on: the ledger's own code and sentence, and the field if one is wrong."""

    code: str
    message: str
    field: str | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """What a plan says, without anything that stands in the file.

    Attributes:
        digest: The plan's (`Plan.digest`): what was approved is what is recorded.
        headers: Part of a gift → header.
        gifts, sum_fen: To be recorded.
        recorded: Rows whose gifts the ledger has already.
        problems: Rows with an error or a conflict; 0 where the plan is clean.
    """

    digest: str
    media: str
    encoding: str | None
    sheet: str | None
    unit: str
    headers: Mapping[str, str]
    rows: int
    blank: int
    gifts: int
    sum_fen: int
    repeats: int
    recorded: int
    conflicts: int
    errors: int
    problems: int
    earliest: str | None
    latest: str | None

    @property
    def clean(self) -> bool:
        """Whether it may be recorded."""
        return not self.errors and not self.conflicts


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One import.

    Attributes:
        number: What names it, from 1 up.
        key: A digest of the form's key, so that a repeated upload is the same import.
        created_by, created_at: Who uploaded, and when (UTC, as in entries).
        file_name: As the person's device calls it; forgotten with the file.
        file_sha256, file_bytes: What the file is: its bytes, nothing else.
        target: What the gifts are for. `choices`: how the file is read.
        summary: What the plan says; None where there is none.
        confirmed_at: When its person typed the total.
        approved_by, approved_at: The second person.
        decided_by, decided_at, reason: Who withdrew or rejected it, and why.
        begun_size: The log's size when recording began: entries from there on that hold the
            file's order numbers are this import's.
        recorded: Gifts recorded so far. `first`, `last`: their entries. `spans`: the first
            ranges of them, both ends included.
        trouble: Why it does not go on.
    """

    number: int
    key: str
    created_by: str
    created_at: str
    file_name: str = field(repr=False)
    file_sha256: str
    file_bytes: int
    target: Target
    choices: Choices = field(repr=False)
    status: Status = "reading"
    changed_at: str = ""
    summary: Summary | None = None
    confirmed_at: str | None = None
    approved_by: str | None = None
    approved_at: str | None = None
    decided_by: str | None = None
    decided_at: str | None = None
    reason: str | None = None
    begun_size: int | None = None
    recorded: int = 0
    first: int | None = None
    last: int | None = None
    spans: Sequence[Sequence[int]] = ()
    trouble: Trouble | None = None

    def require(self, *statuses: Status) -> None:
        """Return if it is in one of these states.

        Raises:
            ConflictError: ``import_state``: somebody was quicker, or the page is an old one.
        """
        if self.status not in statuses:
            raise ConflictError(
                f"import {self.number} is {self.status} since {self.changed_at}; expected "
                f"{' or '.join(statuses)}: open its page again",
                code="import_state",
                details={"status": self.status},
            )


def parse_job(value: Mapping[str, Any]) -> Job:
    """A job from plain values, as `dataclasses.asdict` wrote them.

    Raises:
        TypeError, KeyError: it is none.
    """
    given = dict(value)
    given["target"] = Target(**given["target"])
    given["choices"] = Choices(**given["choices"])
    if given["summary"] is not None:
        given["summary"] = Summary(**given["summary"])
    if given["trouble"] is not None:
        given["trouble"] = Trouble(**given["trouble"])
    return Job(**given)
