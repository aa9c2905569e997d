"""The model and a real book side by side: what one is told, the other is told too."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache, partial
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from log_keys import put_key
from scribe import NOON, TODAY, StepClock, audited, make_book

from ledger.book import Book
from ledger.entry import Entry, parse_entry
from ledger.errors import LedgerError
from ledger.proposals import DAYS_MAX
from ledger.recorded import Recorded
from ledger.records.catalog import KINDS
from ledger.records.kind import Role
from ledger.records.request import Prepared, prepare

from .asking.beginning import requests
from .asking.chooser import Request
from .asking.keys import NUMBERS
from .comparison import (
    check_conservation,
    check_places,
    compare_openings,
    compare_signers,
    compare_totals,
    compare_traces,
    compare_units,
    to_take_back,
    touched,
)
from .papers import receipt_of
from .points import fulfilment
from .rulebook import APPROVED, RULES
from .units import Undone
from .world import Answer, Body, Told, World

T = TypeVar("T")
ANSWER_SECONDS = 60
ACCEPTED = "accepted"
EVERYBODY = (
    "repeated",
    "idempotency_conflict",
    "order_number_recorded",
    "occurs_in_future",
    "approval_required",
    "approval_not_needed",
    "approved_by_recorder",
)
"""Outcomes that every kind can have."""


@dataclass
class Counts:
    """How often each kind was accepted, or refused by which code."""

    by_kind: dict[str, Counter[str]] = field(default_factory=dict)
    sequences: int = 0

    def add(self, kind: str, answer: Answer) -> None:
        outcome = answer.code or ("repeated" if answer.replayed else ACCEPTED)
        self.by_kind.setdefault(kind, Counter())[outcome] += 1

    def refused(self, kind: str) -> int:
        """How often a rule of the kind's own, or units that are not there, refused it."""
        found = self.by_kind.get(kind, Counter())
        return sum(n for code, n in found.items() if code not in (ACCEPTED, *EVERYBODY))

    def lacking(self) -> list[str]:
        """What was never met: ``<kind> accepted`` or ``<kind> refused``."""
        never = [f"{kind} accepted" for kind in RULES if not self.accepted(kind)]
        return never + [f"{kind} refused" for kind in RULES if not self.refused(kind)]

    def accepted(self, kind: str) -> int:
        return self.by_kind.get(kind, Counter())[ACCEPTED]

    @property
    def records(self) -> int:
        return sum(sum(found.values()) for found in self.by_kind.values())


@dataclass
class Proposed:
    """A proposal as the model has it."""

    body: Body
    by: str
    expires_on: str
    status: str = "open"
    index: int | None = None


@dataclass(frozen=True)
class _Waiting:
    """A record that the model has answered and the book is yet to be told."""

    kind: str
    prepared: Prepared
    answer: Answer


@cache
def public_fields() -> dict[str, frozenset[str]]:
    """By kind, the public fields that its schema lists; corrections have none to correct."""
    corrections = ("entry.reversed", "entry.annotated")
    return {
        kind.name: frozenset(kind.fields.model_json_schema()["properties"])
        for kind in KINDS
        if kind.name not in corrections
    }


MEMORY = Path("/dev/shm")
"""Where files cost no waiting for the disk, on systems that have it."""


def new_folder() -> Path:
    """A folder for one log; in memory where possible, for it is gone soon."""
    return Path(tempfile.mkdtemp(prefix="shanji-model-", dir=MEMORY if MEMORY.is_dir() else None))


@cache
def template() -> Path:
    """The closed folder of a log that has its first entry; made once, gone with the process."""
    folder = new_folder()
    atexit.register(shutil.rmtree, folder)
    make_book(folder / "book").close()
    for number in NUMBERS:
        put_key(number, folder / "book" / "keys" / f"log-key-{number}.pem")
    return folder / "book"


class Twins:
    """Both ledgers; records wait until `flush`, which submits them as one batch."""

    def __init__(self, counts: Counts, say: Callable[[str], None]) -> None:
        self._folder = new_folder()
        folder = self._folder / "book"
        shutil.copytree(template(), folder)
        self.clock = StepClock(NOON)
        self.book = Book.open(folder, clock=self.clock)
        opened = self.book.opened.fields
        self.world = World(RULES, APPROVED, public_fields(), today=TODAY, opened=opened)
        self.counts = counts
        self.proposals: list[Proposed] = []
        self.sent: list[tuple[str, Request]] = []
        self._say = say
        self._numbers = count(1)
        self._waiting: list[_Waiting] = []

    def begin(self) -> None:
        """Tell both what every sequence begins with."""
        for request in requests():
            assert self.tell(request).index is not None, f"the beginning is refused: {request}"
        self.flush()

    def new_key(self) -> str:
        return f"key-{next(self._numbers)}"

    def prepare(self, request: Request, key: str) -> Prepared:
        return self.prepare_body(request.body, key, request.by, request.approved_by)

    def prepare_body(self, body: object, key: str, by: str, approved_by: str | None) -> Prepared:
        vault = self.book.vault
        return prepare(body, key=key, recorded_by=by, approved_by=approved_by, vault=vault)

    def tell(self, request: Request, key: str | None = None) -> Answer:
        """Tell the model now, and the book with the next batch."""
        fresh = key is None
        key = key or self.new_key()
        prepared = self.prepare(request, key)
        by, approved_by = request.by, request.approved_by
        answer = self.world.tell(request.body, key=key, by=by, approved_by=approved_by)
        self._say(f"{_shown(request)} -> {answer.code or answer.index}")
        self.counts.add(request.kind, answer)
        self._waiting.append(_Waiting(request.kind, prepared, answer))
        if fresh:
            self.sent.append((key, request))
        return answer

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def flush(self) -> None:
        """Submit what waits as one batch, and compare every answer and the units after it."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        futures = self.book.sequencer.submit([one.prepared for one in waiting])
        for one, future in zip(waiting, futures, strict=True):
            self.check_answer(one.kind, one.answer, partial(future.result, ANSWER_SECONDS))
        self._compare_accounts(one.answer.index for one in waiting)

    def _compare_accounts(self, indices: Iterable[int | None]) -> None:
        """The accounts that these entries touched."""
        told = [self.world.entries[index] for index in indices if index is not None]
        if any(one.postings for one in told):
            with self.book.store.read() as reader:
                compare_units(reader, self.world, touched(told))

    def check_answer(self, kind: str, answer: Answer, ask: Callable[[], Recorded]) -> None:
        """The book answers as the model did: an entry with these postings, or this code."""
        got, undo_first, recorded = _told(ask)
        assert got == answer.code, (kind, answer, got)
        assert undo_first == answer.undo_first, (kind, answer, undo_first)
        if recorded is None:
            return
        assert answer.index == recorded.index, (kind, answer)
        assert answer.replayed == recorded.replayed
        self._check_entry(self.world.entries[recorded.index], parse_entry(recorded.opening.entry))

    def _check_entry(self, told: Told, entry: Entry) -> None:
        assert (entry.kind, entry.occurred_on) == (told.kind, told.day)
        assert (entry.recorded_by, entry.approved_by) == (told.by, told.approved_by)
        assert sorted(entry.sealed) == sorted(told.sealed)
        got = [dict(posting) for posting in entry.postings]
        assert got == [posting.shown() for posting in told.postings], (told.index, told.kind)

    # Proposals

    def propose(self, request: Request) -> None:
        """One person proposes; kinds that nobody approves are refused."""
        self.flush()
        body, person = request.body, request.by
        self._say(f"propose {_shown(request)}")
        propose = partial(
            self.book.proposals.propose, body, key=self.new_key(), person=person, role=Role.CLERK
        )
        code, found = _asked(propose)
        assert code == (None if request.kind in APPROVED else "approval_not_needed")
        if found is not None:
            self.proposals.append(Proposed(body, person, self.world.day_after(DAYS_MAX)))
            assert (found[0].number, found[1]) == (len(self.proposals), False)

    def approve(self, number: int, person: str) -> None:
        """Another one approves: recorded, or refused by a rule and still open."""
        self.flush()
        proposed = self.proposals[number - 1]
        self._settle(proposed)
        if proposed.status == "approved":
            answer = Answer(proposed.index, replayed=True)
        elif proposed.status != "open":
            answer = Answer(code="proposal_closed")
        elif proposed.by == person:
            answer = Answer(code="approved_by_recorder")
        else:
            key, by = f"proposal {number}", proposed.by
            answer = self.world.tell(proposed.body, key=key, by=by, approved_by=person)
            self.counts.add(proposed.body["kind"], answer)
        self._say(f"approve {number} by {person} -> {answer.code or answer.index}")
        if answer.index is not None:
            proposed.status, proposed.index = "approved", answer.index
        kind = proposed.body["kind"]
        approve = partial(self.book.proposals.approve, number, person=person)
        self.check_answer(kind, answer, approve)
        assert self.book.proposals.read(number).status == proposed.status
        self._compare_accounts([answer.index])

    def reject(self, number: int, person: str) -> None:
        self.flush()
        proposed = self.proposals[number - 1]
        self._settle(proposed)
        self._say(f"reject {number}: it is {proposed.status}")
        reject = partial(self.book.proposals.reject, number, person=person, reason="不合适")
        code, _ = _asked(reject)
        assert code == (None if proposed.status == "open" else "proposal_closed")
        if proposed.status == "open":
            proposed.status = "rejected"

    def _settle(self, proposed: Proposed) -> None:
        if proposed.status == "open" and self.world.today >= proposed.expires_on:
            proposed.status = "expired"

    # The whole

    def pass_days(self, days: int) -> None:
        """The clock goes on, for both."""
        self.flush()
        self.clock.now += timedelta(days=days)
        self.world.today = self.world.day_after(days)
        self._say(f"it is {self.world.today}")

    def compare(self) -> None:
        """Everything that can be asked of both."""
        self.flush()
        check_places(self.world)
        with self.book.store.read() as reader:
            used = touched(self.world.entries)
            assert reader.account_count() == len(used)
            compare_units(reader, self.world, used)
            check_conservation(reader, self.world)
            compare_totals(reader, self.world)
            compare_signers(reader, self.world)
            compare_traces(reader, self.world)
        compare_openings(self.book, self.world)
        audited(self.book)

    def take_everything_back(self) -> None:
        """Reverse all that moved or claims something, the newest first; then nothing is left.

        The rest is not reversed, by the rules: an official receipt is voided and a
        fulfilment withdrawn where they stand in the way; registrations, reports, documents,
        statements, closings, erasures and dispositions stay.
        """
        by, approver, day = "recorder-1", "approver-1", self.world.today
        for told in to_take_back(self.world):
            for kind, fields in _standing_in_the_way(self.world, told):
                assert self.tell(Request(kind, fields, day, by, None)).index is not None
            fields = {"entry": told.index, "reason": "全部冲正"}
            answer = self.tell(Request("entry.reversed", fields, day, by, approver))
            assert answer.index is not None, (told.index, told.kind, answer.code)
        self.flush()
        for asset, name in self.world.accounts.places:
            assert self.world.accounts.balance(asset, name) == 0, (asset, name)

    def close(self) -> None:
        self.book.close()
        shutil.rmtree(self._folder)


def _told(
    ask: Callable[[], Recorded],
) -> tuple[str | None, tuple[Undone, ...], Recorded | None]:
    """The code of a refusal and what it says must be undone before, or what was recorded."""
    try:
        return None, (), ask()
    except LedgerError as error:
        uses: Any = error.details.get("undo_first", ())
        found = tuple((one["entry"], tuple(one["of"]), one["undone_by"]) for one in uses)
        return error.code, found, None


def _asked(ask: Callable[[], T]) -> tuple[str | None, T | None]:
    """The code of the ledger's refusal, or what it answers."""
    try:
        return None, ask()
    except LedgerError as error:
        return error.code, None


def _standing_in_the_way(world: World, told: Told) -> Iterator[tuple[str, dict[str, Any]]]:
    """What must be given up before an entry can be reversed."""
    receipt = receipt_of(world, told.index)
    if receipt is not None:
        names = ("receipt_code", "receipt_number")
        fields = {name: receipt.fields[name] for name in names}
        yield "receipt.voided", {**fields, "form": "red", "reason": "冲正"}
    wish = fulfilment(world, told.index)
    if wish is not None:
        fields = {"wish": wish.fields["wish"], "withdrawn": "fulfilment", "reason": "冲正"}
        yield "wish.withdrawn", fields


def _shown(request: Request) -> str:
    """A request as one line, to be read in a failing sequence."""
    body: Mapping[str, Any] = request.body
    more = {name: body[name] for name in ("sealed", "documents") if name in body}
    by = request.by + (f"/{request.approved_by}" if request.approved_by else "")
    return f"{request.kind} {body['fields']} on {request.day} by {by} {more or ''}".rstrip()
