"""The monitor: follows several views of one log and says when they cannot all be true.

A view is anything that shows the log's newest checkpoint: its own URL, a mirror, the
same URL from elsewhere, a witness. In each round every view is read; every checkpoint is
opened by the keys or the policy and tied to all that were ever seen (``chain``), by the
tiles that any of the views serve. What is wrong becomes an alarm, with the signed
checkpoints as evidence where they contradict each other.

What a monitor cannot see: a history that is shown to somebody else only, at an address
that it does not follow. That is what witnesses are for.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from ledger.audit.chain import Chain
from ledger.audit.evidence_folder import ALARM, write_evidence
from ledger.audit.folder import DurableFolder
from ledger.audit.signed_tiles import SignedHead, open_head
from ledger.audit.source import LogSource
from ledger.errors import (
    CorruptionError,
    EvidenceError,
    FatalError,
    LedgerError,
    MalformedError,
    NotFoundError,
    RetryableError,
)
from ledger.tlog.policy import Policy
from ledger.verify import Trust

ALARMS = "alarms"
STATE = "state.json"
VIEWS_MAX = 64
ALARMS_MAX = 200
"""Alarm folders of one kind; later ones are told, and not written down any more."""
BEHIND_SECONDS = 3600
"""How long a view may be behind the others, or without its witnesses, by default."""

Clock = Callable[[], float]
ViewKind = Literal["log", "witness"]
AlarmKind = Literal[
    "two_histories",
    "served_wrong",
    "unproved",
    "shrunk",
    "bad_checkpoint",
    "behind",
    "unwitnessed",
    "away",
]
UNDECIDED_KINDS: frozenset[AlarmKind] = frozenset(("away",))
"""Alarms that say nothing about the log itself: nothing could be read."""


@dataclass(frozen=True, slots=True)
class View:
    """One place that shows the log's newest checkpoint.

    Attributes:
        name: For people, and for the state: the URL or folder.
        kind: A witness shows only what it cosigned.
        read: Gives the newest checkpoint, a signed note.
        close: Releases what the view holds.
        source: Where this view's tiles are; None for a witness.
    """

    name: str
    kind: ViewKind
    read: Callable[[], bytes]
    close: Callable[[], None]
    source: LogSource | None = None


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that a person must look at.

    Attributes:
        kind: What it is.
        view: The view that it is about; empty for the log as a whole.
        message: One sentence.
        path: The evidence folder; None when there are too many already.
        new: Whether it was raised now, and not in an earlier round.
    """

    kind: AlarmKind
    view: str
    message: str
    path: Path | None
    new: bool


@dataclass(frozen=True, slots=True)
class Round:
    """What one round saw.

    Attributes:
        origin: The log's name; empty before any view could be read.
        size, root: The largest checkpoint that is tied to all others; -1 before any.
        views: The size that each view shows, None where it could not be read.
        alarms: All that stand now, new or not.
    """

    origin: str
    size: int
    root: bytes
    views: dict[str, int | None]
    alarms: tuple[Alarm, ...]

    @property
    def exit_code(self) -> int:
        """0 when nothing is wrong, 3 when views could not be read, otherwise 1."""
        if not self.alarms:
            return 3 if all(size is None for size in self.views.values()) else 0
        return 3 if all(one.kind in UNDECIDED_KINDS for one in self.alarms) else 1


@dataclass(slots=True)
class _Record:
    """What is remembered of a view between rounds; times in seconds since 1970.

    Attributes:
        size: The size that it showed last.
        largest: The largest that it ever showed, and that note.
        overtaken_at: Since when larger ones are known than the one it shows.
        unwitnessed_at: Since when its checkpoints lack cosignatures.
        unproved_at: Since when no tiles tie its checkpoints to the others.
        away_at: Since when it cannot be read.
    """

    size: int = -1
    largest: int = -1
    largest_note: str = ""
    overtaken_at: int | None = None
    unwitnessed_at: int | None = None
    unproved_at: int | None = None
    away_at: int | None = None


@dataclass(slots=True)
class _Memory:
    """The state file."""

    origin: str = ""
    views: dict[str, _Record] = field(default_factory=dict)


class Monitor:
    """Follows the views of one log; `look` once a round.

    Args:
        views: What to follow; at least one.
        folder: Where checkpoints, alarms and the state are kept.
        trust: The log's keys or a policy.
        behind_seconds: How long a view may be behind, away or without its witnesses.
        clock: Seconds since 1970.

    Raises:
        MalformedError: no view, too many, one twice, or only witnesses.
        CorruptionError: the state file is damaged.
    """

    def __init__(
        self,
        views: Sequence[View],
        folder: DurableFolder,
        trust: Trust,
        *,
        behind_seconds: int = BEHIND_SECONDS,
        clock: Clock = time.time,
    ) -> None:
        names = {one.name for one in views}
        if not 1 <= len(views) <= VIEWS_MAX or len(names) < len(views):
            raise MalformedError(
                f"expected 1 to {VIEWS_MAX} views, each once, got {len(views)}; name the log's "
                "URL, its mirrors and its witnesses"
            )
        if all(one.source is None for one in views):
            raise MalformedError(
                "expected a view with tiles besides the witnesses: the log's URL or a mirror"
            )
        self._views = tuple(views)
        self._folder = folder
        self._trust = trust
        self._behind_seconds = behind_seconds
        self._clock = clock
        self._now = int(clock())
        self._chain = Chain(folder, self._open)
        self._memory = _read_memory(folder.folder / STATE)
        self._alarms: list[Alarm] = []
        self._away: set[str] = set()

    def look(self) -> Round:
        """Read every view once, compare, and remember.

        Raises:
            FatalError: the disk failed, or the folder was changed meanwhile.
        """
        self._now = int(self._clock())
        self._alarms = []
        self._away = set()
        sizes: dict[str, int | None] = dict.fromkeys(view.name for view in self._views)
        heads: list[tuple[View, SignedHead]] = []
        with ThreadPoolExecutor(len(self._views), thread_name_prefix="monitor") as pool:
            answers = list(pool.map(_read_view, self._views))
        for view, answer in zip(self._views, answers, strict=True):
            head = self._take(view, answer)
            if head is not None:
                heads.append((view, head))
                sizes[view.name] = head.checkpoint.size
        self._tie(heads)
        best = max((head.checkpoint.size for _, head in heads), default=-1)
        for view, head in heads:
            self._watch_size(view, head, best)
            self._watch_witnesses(view, head)
        for view in self._views:
            self._watch_age(view)
        self._repeat_standing()
        self._write_memory()
        newest = self._chain.newest()
        return Round(
            self._memory.origin,
            -1 if newest is None else newest.checkpoint.size,
            b"" if newest is None else newest.checkpoint.root,
            sizes,
            tuple(self._alarms),
        )

    def _open(self, note: bytes) -> SignedHead:
        return open_head(note, self._trust, self._now)

    def _record(self, view: View) -> _Record:
        return self._memory.views.setdefault(view.name, _Record())

    # What the views say

    def _take(self, view: View, answer: bytes | LedgerError) -> SignedHead | None:
        """Open what a view answered; None where there is nothing to compare."""
        if isinstance(answer, (RetryableError, NotFoundError)):
            self._away.add(view.name)
            return None
        try:
            if isinstance(answer, LedgerError):
                raise answer
            head = self._open(answer)
        except (FatalError, OSError):
            raise
        except LedgerError as error:
            files = {"a.served": answer} if isinstance(answer, bytes) else {}
            message = f"{view.name} shows a checkpoint that does not verify: {error.message}"
            self._raise("bad_checkpoint", view.name, message, files)
            return None
        origin = head.checkpoint.origin
        if self._memory.origin in ("", origin):
            self._memory.origin = origin
            return head
        self._raise(
            "bad_checkpoint",
            view.name,
            f"{view.name} shows the log {origin}, this monitor follows {self._memory.origin}; "
            "follow each log with a state folder of its own",
            {"a.checkpoint": head.note},
        )
        return None

    def _tie(self, heads: Sequence[tuple[View, SignedHead]]) -> None:
        """Tie every head to all that were seen, smaller ones first."""
        for view, head in sorted(heads, key=lambda one: one[1].checkpoint.size):
            try:
                self._chain.link(head, self._sources(view))
            except EvidenceError as error:
                kind: AlarmKind = (
                    "two_histories" if error.code == "two_histories" else "served_wrong"
                )
                self._raise(kind, view.name, f"{view.name}: {error.message}", error.files)
            except RetryableError:
                self._away.add(view.name)
            except (NotFoundError, MalformedError) as error:
                self._watch_unproved(view, head, error)
            else:
                self._record(view).unproved_at = None
        newest = self._chain.newest()
        if newest is None:
            return
        try:
            self._chain.settle(newest, self._sources(None))
        except EvidenceError as error:
            self._raise("two_histories", "", error.message, error.files)

    def _sources(self, first: View | None) -> list[LogSource]:
        """Where tiles may be found, the view's own first."""
        ordered = sorted(self._views, key=lambda one: one is not first)
        return [one.source for one in ordered if one.source is not None]

    def _both(self, head: SignedHead) -> dict[str, bytes]:
        files = {"a.checkpoint": head.note}
        newest = self._chain.newest()
        if newest is not None:
            files["b.checkpoint"] = newest.note
        return files

    # What changes with time

    def _watch_size(self, view: View, head: SignedHead, best: int) -> None:
        """A view must not go back, nor stay behind the others for long."""
        record, size = self._record(view), head.checkpoint.size
        if size > record.largest:
            record.largest, record.largest_note = size, head.note.decode("utf-8", "replace")
        elif size < record.largest:
            self._raise(
                "shrunk",
                view.name,
                f"{view.name} went back from size {record.largest} to {size}",
                {"a.checkpoint": record.largest_note.encode(), "b.checkpoint": head.note},
            )
        best = max([best, *self._chain.sizes[-1:]])
        if size >= best:
            record.overtaken_at = None
        elif size != record.size or record.overtaken_at is None:
            record.overtaken_at = self._now
        record.size = size
        if self._lasts(record.overtaken_at):
            self._raise(
                "behind",
                view.name,
                f"{view.name} still shows size {size}, others size {best}",
                self._both(head),
                since=record.overtaken_at,
            )

    def _watch_unproved(self, view: View, head: SignedHead, error: LedgerError) -> None:
        """What a witness saw may be newer than every mirror, but not for long."""
        record = self._record(view)
        if record.unproved_at is None:
            record.unproved_at = self._now
        if self._lasts(record.unproved_at):
            self._raise(
                "unproved",
                view.name,
                f"no view shows tiles that tie the checkpoint of size {head.checkpoint.size} "
                f"of {view.name} to those seen before: {error.message}",
                self._both(head),
                since=record.unproved_at,
            )

    def _watch_witnesses(self, view: View, head: SignedHead) -> None:
        """The log must show checkpoints that enough witnesses saw."""
        record = self._record(view)
        if view.kind == "witness" or head.settled or head.witnessed is None:
            record.unwitnessed_at = None
            return
        if record.unwitnessed_at is None:
            record.unwitnessed_at = self._now
        if self._lasts(record.unwitnessed_at) and isinstance(self._trust, Policy):
            seen = {one.witness.name for one in head.witnessed.cosigned}
            missing = [one.name for one in self._trust.witnesses if one.name not in seen]
            self._raise(
                "unwitnessed",
                view.name,
                f"{view.name} shows size {head.checkpoint.size} with cosignatures by "
                f"{len(seen)} of {head.witnessed.witnesses} witnesses, fewer than the policy "
                f"asks for; missing: {', '.join(missing)}",
                {"a.checkpoint": head.note},
                since=record.unwitnessed_at,
            )

    def _watch_age(self, view: View) -> None:
        record = self._record(view)
        if view.name not in self._away:
            record.away_at = None
        elif record.away_at is None:
            record.away_at = self._now
        if self._lasts(record.away_at):
            self._raise("away", view.name, f"{view.name} cannot be read", {}, since=record.away_at)

    def _lasts(self, since: int | None) -> bool:
        return since is not None and self._now - since >= self._behind_seconds

    # Alarms

    def _raise(
        self,
        kind: AlarmKind,
        view: str,
        message: str,
        files: dict[str, bytes],
        *,
        since: int | None = None,
    ) -> None:
        details: dict[str, object] = {"view": view}
        if since is not None:
            details["since"] = since
        path, new = None, True
        if sum(1 for _ in (self._folder.folder / ALARMS).glob(f"{kind}-*")) < ALARMS_MAX:
            path, new = write_evidence(
                self._folder, ALARMS, kind, message, files, now=self._now, details=details
            )
        self._alarms.append(Alarm(kind, view, message, path, new))

    def _repeat_standing(self) -> None:
        """Two histories stay two histories: the alarm stands until its folder is moved away."""
        told = {one.path for one in self._alarms}
        for path in sorted((self._folder.folder / ALARMS).glob("two_histories-*")):
            alarm = path / ALARM
            if path in told or not alarm.is_file():
                continue
            try:
                value = json.loads(alarm.read_bytes())
                view, message = str(value["view"]), str(value["message"])
            except (ValueError, KeyError, TypeError):
                view, message = "", f"the evidence is in {path}"
            self._alarms.append(Alarm("two_histories", view, message, path, False))

    # Memory

    def _write_memory(self) -> None:
        value = asdict(self._memory)
        self._folder.write(STATE, json.dumps(value, ensure_ascii=False, indent=1).encode())
        self._folder.sync()


def _read_view(view: View) -> bytes | LedgerError:
    """A view's checkpoint, or why there is none."""
    try:
        return view.read()
    except LedgerError as error:
        return error


def _read_memory(path: Path) -> _Memory:
    if not path.exists():
        return _Memory()
    try:
        value: dict[str, Any] = json.loads(path.read_bytes())
        views = {name: _Record(**one) for name, one in value["views"].items()}
        return _Memory(value["origin"], views)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise CorruptionError(
            f"{path}: expected the monitor's state; put a good copy back, or remove the file: "
            "the checkpoints beside it stay",
            code="monitor_state",
        ) from None


def witness_path(origin: str) -> str:
    """Where a witness shows the newest checkpoint that it cosigned of a log."""
    return f"log/{hashlib.sha256(origin.encode()).hexdigest()}/checkpoint"
