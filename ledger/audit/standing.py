"""Where an audit stands: what is kept between its parts, and from one audit to the next.

An audit that was killed goes on where it last saved; one that ended clean is what the
next one begins from. Then the report says what it relies on. A standing of another log,
of another program or of another kind of audit is refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ledger.audit.report import Finding, Notes
from ledger.audit.shadow import FORMAT, Shadow
from ledger.errors import ConflictError

KEY = "standing"
_PACKAGE = Path(__file__).parents[1]
_RULE_FILES = (
    "records/*.py",
    "keys/history.py",
    "audit/*.py",
    "entry.py",
    "flows.py",
    "movements.py",
    "state.py",
    "units.py",
)
"""The code that a state depends on."""


@dataclass(frozen=True, slots=True)
class Base:
    """A finished audit that another one relies on.

    Attributes:
        size, root: What was audited; the root in hex.
        checkpoint: The signed note over it.
        finished_at: When, in UTC.
    """

    size: int
    root: str
    checkpoint: str
    finished_at: str


@dataclass(slots=True)
class Standing:
    """What is kept in a `Shadow` besides the state.

    Attributes:
        origin: The log.
        over: What is audited: ``database`` or ``public``.
        tree, tally, sealed, keys: As their classes keep them.
        previous, recorded_at: Of the last entry.
        base: The finished audit that this one began from.
        finished: Whether the audit that saved this ended clean.
    """

    origin: str
    over: str
    tree: dict[str, Any] | None = None
    tally: dict[str, Any] | None = None
    sealed: dict[str, Any] | None = None
    keys: dict[str, Any] | None = None
    previous: str = ""
    recorded_at: str = ""
    signed: int = 0
    checked: dict[str, int] = field(default_factory=dict)
    findings: list[dict[str, Any]] = field(default_factory=list)
    base: dict[str, Any] | None = None
    finished: bool = False

    @property
    def size(self) -> int:
        """Entries that need not be read again."""
        return self.tree["size"] if self.tree else 0

    def restore(self, notes: Notes) -> None:
        """What an audit that was killed had found and counted."""
        for name, number in self.checked.items():
            notes.count(name, number)
        for one in self.findings:
            notes.findings.append(Finding(**one))

    def relies_on(self) -> Base | None:
        """The finished audit that this one begins from, or began from before it was killed."""
        return None if self.base is None else Base(**self.base)


@cache
def program() -> str:
    """The version, and a digest of the code that replays: another one may give other state."""
    digest = hashlib.sha256(b"%d\n" % FORMAT)
    for pattern in _RULE_FILES:
        for file in sorted(_PACKAGE.glob(pattern)):
            digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return f"shanji {version('shanji')} {digest.hexdigest()[:32]}"


def load(shadow: Shadow, origin: str, over: str) -> Standing:
    """What a state says, for an audit of this log.

    Raises:
        ConflictError: it is of another log (``state_of_another_log``), of another program or
            of another kind of audit (``state_of_another_program``).
    """
    kept: Mapping[str, Any] | None = shadow.meta(KEY)
    if kept is None:
        return Standing(origin, over)
    if shadow.meta("program") != program():
        raise ConflictError(
            f"the state in {shadow.folder} was written by another version of this program, whose "
            "rules may differ; begin anew with --full",
            code="state_of_another_program",
        )
    found = Standing(**kept)
    if found.over != over:
        raise ConflictError(
            f"the state in {shadow.folder} is of an audit of a {found.over} log, this one is of a "
            f"{over} one; name another folder",
            code="state_of_another_program",
        )
    if found.origin != origin:
        raise ConflictError(
            f"the state in {shadow.folder} is of the log {found.origin}, not of {origin}; name "
            "another folder",
            code="state_of_another_log",
        )
    if found.finished:
        # What was counted and found belongs to the audit that ended.
        found.checked, found.findings, found.finished = {}, [], False
    shadow.size = found.size
    return found


def save(shadow: Shadow, standing: Standing) -> None:
    """Keep the state as it is now, durably."""
    shadow.save({KEY: asdict(standing), "program": program()})
