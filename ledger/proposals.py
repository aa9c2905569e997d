"""Proposals: two people apart in time, one who proposes and one who approves.

::

    propose ──► open ──► approve ──► recorded by the sequencer: an entry
                  │                  (refused by a rule: it stays open)
                  ├────► reject, with a reason
                  └────► expires after `DAYS_MAX` days

A proposal is no part of the log and reserves nothing: only the approval is recorded, with
both persons in the entry. Once it is decided, its personal fields are forgotten here; an
approved one has them sealed in its entry.

Rows of the table ``proposal``, each encrypted with its own id as associated data:

- ``<number>``, twelve digits from 1 up: a proposal,
- ``key/<digest>``: the number of the proposal that an idempotency key made,
- ``count``: how many there are, and below which number all are decided.

So the audit misses a row that was taken out, and any changed byte fails to decrypt.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, get_args

import orjson

from ledger.entry import parse_entry
from ledger.errors import (
    ConflictError,
    CorruptionError,
    LedgerError,
    MalformedError,
    NotFoundError,
    OutcomeUnknownError,
    RejectedError,
    RetryableError,
)
from ledger.recorded import Recorded, recall
from ledger.records.kind import Role
from ledger.records.request import Prepared, prepare
from ledger.sequencer import Clock
from ledger.store import Appender, Reader, Store
from ledger.vault import Vault

DAYS_MAX = 30
"""So long a proposal may wait; then it is expired, and is proposed anew if still wanted."""
REASON_CHARS_MAX = 2000
CLAIM_SECONDS_MAX = 60
"""So long an approval that was begun keeps others from deciding: a crash may have ended it."""
SWEEP_ROWS_MAX = 500
"""Waiting proposals that one new proposal looks at, to mark what has expired."""
LIST_ROWS_MAX = 2000
"""Rows that one page of a list looks at."""
NUMBER_DIGITS = 12
NUMBER_MAX = 10**NUMBER_DIGITS - 1
COUNT_ROW = "count"
KEY_ROWS = "key/"
RECORDED_KEYS = "proposal/"
"""How the idempotency keys begin under which approved proposals are recorded."""
MAC_CHARS = 32

Status = Literal["open", "approved", "rejected", "expired"]
STATUSES: tuple[Status, ...] = get_args(Status)

_NUMBER_ROW = re.compile(rf"\d{{{NUMBER_DIGITS}}}")


@dataclass(frozen=True, slots=True)
class Proposal:
    """One proposal.

    Attributes:
        number: What names it, from 1 up.
        body: The record as it was sent; without ``sealed`` once it is decided.
        request, key: Digests of the content and of the idempotency key, hex.
        proposed_by, role: Who proposed it, in which role.
        created_at, expires_at: UTC, as in entries.
        decided_by, decided_at, reason: Who approved or rejected it, when, and why not.
        index: The entry that an approval made.
        claimed_by, claimed_at: Whose approval was begun last, and when.
    """

    number: int
    body: Mapping[str, Any]
    request: str
    key: str
    proposed_by: str
    role: str
    created_at: str
    expires_at: str
    status: Status = "open"
    decided_by: str | None = None
    decided_at: str | None = None
    reason: str | None = None
    index: int | None = None
    claimed_by: str | None = None
    claimed_at: str | None = None

    def at(self, now: str) -> Proposal:
        """As it is at a time: what was open too long has expired."""
        if self.status == "open" and now >= self.expires_at:
            return _forgetful(replace(self, status="expired", decided_at=self.expires_at))
        return self


@dataclass(frozen=True, slots=True)
class Page:
    """Proposals, newest first; `before` leads on to older ones, None at the end."""

    proposals: tuple[Proposal, ...]
    before: int | None


def number_row(number: int) -> str:
    """The row's id of a proposal."""
    return f"{number:0{NUMBER_DIGITS}}"


def recorded_key(vault: Vault, number: int) -> str:
    """The idempotency key under which an approved proposal is recorded.

    It holds a keyed digest: nobody can have recorded something else under it before.
    """
    mac = vault.digest("proposal", str(number).encode()).hex()[:MAC_CHARS]
    return f"{RECORDED_KEYS}{number}/{mac}"


def number_of_key(vault: Vault, key: str) -> int | None:
    """The proposal that was recorded under an idempotency key; None for other keys."""
    parts = key.split("/")
    if len(parts) != 3 or not key.startswith(RECORDED_KEYS) or not parts[1].isdecimal():
        return None
    number = int(parts[1][:NUMBER_DIGITS])
    same = hmac.compare_digest(recorded_key(vault, number).encode(), key.encode())
    return number if same else None


def read_row(vault: Vault, row: str, ciphertext: bytes) -> Any:
    """What a row holds, as plain values.

    Raises:
        CorruptionError: it was altered, or is another row's.
    """
    data = vault.decrypt_blob(f"proposal/{row}", ciphertext)
    return orjson.loads(data)


def read_proposal(vault: Vault, row: str, ciphertext: bytes) -> Proposal:
    """The proposal that a row holds.

    Raises:
        CorruptionError: as in `read_row`, or it is no proposal.
    """
    value = read_row(vault, row, ciphertext)
    try:
        found = Proposal(**value)
    except TypeError:
        found = None
    if found is None or number_row(found.number) != row:
        raise CorruptionError(f"proposal {row}: the row holds something else", code="proposal")
    return found


def is_number_row(row: str) -> bool:
    """Whether a row's id is that of a proposal."""
    return _NUMBER_ROW.fullmatch(row) is not None


class Proposals:
    """The proposals of one log.

    Args:
        record: Appends a prepared record and waits for its receipt.
    """

    def __init__(
        self,
        store: Store,
        vault: Vault,
        record: Callable[[Prepared], Recorded],
        *,
        clock: Clock,
    ) -> None:
        self._store = store
        self._vault = vault
        self._record = record
        self._clock = clock

    def propose(self, body: object, *, key: str, person: str, role: Role) -> tuple[Proposal, bool]:
        """Keep a record for a second person to approve.

        Args:
            body: The parsed request, as for recording.
            key: The idempotency key; it counts for this person only.
            person, role: Who proposes.

        Returns:
            The proposal, and whether it was there already.

        Raises:
            MalformedError: the body is no record.
            RejectedError: the kind needs no approval (``approval_not_needed``).
            ConflictError: the key was used for other content.
        """
        prepared = prepare(body, key=key, recorded_by=person, approved_by=None, vault=self._vault)
        if not prepared.kind.approvers or not isinstance(body, dict):
            raise RejectedError(
                f"{prepared.kind.name} is recorded by one person; send it to POST /v1/entries",
                code="approval_not_needed",
            )
        request = prepared.row.request.hex()
        digest = self._vault.digest("proposal-key", f"{person}\0{key}".encode()).hex()
        now = self._now()
        with self._store.append() as store:
            known = store.proposal(KEY_ROWS + digest)
            if known is not None:
                number = int(read_row(self._vault, KEY_ROWS + digest, known))
                return _repeated(self._load(store, number).at(now), request, key), True
            count, settled = self._count(store)
            proposal = Proposal(
                number=count + 1,
                body=body,
                request=request,
                key=digest,
                proposed_by=person,
                role=role.value,
                created_at=now,
                expires_at=self._now(timedelta(days=DAYS_MAX)),
            )
            settled = self._sweep(store, settled, count, now)
            self._write(store, KEY_ROWS + digest, proposal.number)
            self._write(store, number_row(proposal.number), asdict(proposal))
            self._write(store, COUNT_ROW, [proposal.number, settled])
            store.commit()
        return proposal, False

    def read(self, number: int) -> Proposal:
        """One proposal.

        Raises:
            NotFoundError: there is none of that number.
        """
        with self._store.read() as reader:
            return self._load(reader, number).at(self._now())

    def latest(
        self, limit: int, *, before: int | None = None, status: Status | None = None
    ) -> Page:
        """At most `limit` proposals with smaller numbers than `before`, newest first.

        One call looks at `LIST_ROWS_MAX` rows; with a status, a page may hold fewer than
        there are, and `Page.before` leads on.
        """
        now = self._now()
        found: list[Proposal] = []
        with self._store.read() as reader:
            count, _ = self._count(reader)
            end = count + 1 if before is None else min(before, count + 1)
            first = max(1, end - LIST_ROWS_MAX)
            rows = reader.proposals(number_row(first), number_row(end)) if first < end else []
            for row, ciphertext in reversed(rows):
                one = read_proposal(self._vault, row, ciphertext).at(now)
                if status in (None, one.status):
                    found.append(one)
                    if len(found) == limit:
                        first = one.number
                        break
        return Page(tuple(found), first if first > 1 else None)

    def approve(self, number: int, *, person: str) -> Recorded:
        """Record a proposal; approving again gives the same receipt.

        Raises:
            NotFoundError: there is none of that number.
            RejectedError: it was rejected or has expired (``proposal_closed``), it is this
                person's own (``approved_by_recorder``), or a rule of the ledger refuses the
                record now: then it stays open.
            RetryableError: another approval of it is under way (``proposal_busy``).
        """
        proposal = self._claim(number, person)
        if proposal.index is None:
            prepared = prepare(
                proposal.body,
                key=recorded_key(self._vault, number),
                recorded_by=proposal.proposed_by,
                approved_by=person,
                vault=self._vault,
            )
            try:
                recorded = self._record(prepared)
            except OutcomeUnknownError:
                raise
            except LedgerError:
                # Two approvals at once by two persons: the first one's entry is the answer.
                proposal = self._release(number)
                if proposal.index is None:
                    raise
            else:
                self._release(number)
                return recorded
        index = proposal.index
        with self._store.read() as reader:
            return recall(reader, self._vault, index)

    def reject(self, number: int, *, person: str, reason: str) -> Proposal:
        """Refuse a proposal; its proposer may take it back in the same way.

        Raises:
            NotFoundError: there is none of that number.
            MalformedError: no reason, or one that is too long.
            RejectedError: it is decided already (``proposal_closed``).
            RetryableError: an approval of it is under way (``proposal_busy``).
        """
        reason = reason.strip()
        if not 0 < len(reason) <= REASON_CHARS_MAX:
            raise MalformedError(
                f"reason: expected 1 to {REASON_CHARS_MAX} characters that say why, "
                f"got {len(reason)}",
                code="reason_missing",
                field="reason",
            )
        now = self._now()
        with self._store.append() as store:
            proposal = self._settled(store, self._load(store, number)).at(now)
            self._check_open(proposal)
            self._check_free(proposal, None)
            proposal = _forgetful(
                replace(
                    proposal, status="rejected", decided_by=person, decided_at=now, reason=reason
                )
            )
            self._write(store, number_row(number), asdict(proposal))
            store.commit()
        return proposal

    # One proposal, under the write lock

    def _claim(self, number: int, person: str) -> Proposal:
        """Note that an approval begins, so that nobody rejects meanwhile what is recorded."""
        with self._store.append() as store:
            proposal = self._settled(store, self._load(store, number)).at(self._now())
            if proposal.status != "approved":
                self._check_open(proposal)
                if proposal.proposed_by == person:
                    raise RejectedError(
                        f"{person} proposed this and cannot approve it; ask another person",
                        code="approved_by_recorder",
                    )
                self._check_free(proposal, person)
                proposal = replace(proposal, claimed_by=person, claimed_at=self._now())
            self._write(store, number_row(number), asdict(proposal))
            store.commit()
        return proposal

    def _release(self, number: int) -> Proposal:
        """After an approval: approved if it is in the log, otherwise open as before."""
        with self._store.append() as store:
            proposal = self._settled(store, self._load(store, number))
            proposal = replace(proposal, claimed_by=None, claimed_at=None)
            self._write(store, number_row(number), asdict(proposal))
            store.commit()
        return proposal

    def _settled(self, reader: Reader, proposal: Proposal) -> Proposal:
        """Approved where the log has its entry: a crash may have come between the two."""
        if proposal.status != "open":
            return proposal
        key = recorded_key(self._vault, proposal.number)
        found = reader.idempotency([key]).get(key)
        if found is None:
            return proposal
        entry = parse_entry(reader.entry(found[1]))
        return _forgetful(
            replace(
                proposal,
                status="approved",
                decided_by=entry.approved_by,
                decided_at=entry.recorded_at,
                index=entry.index,
            )
        )

    def _check_open(self, proposal: Proposal) -> None:
        if proposal.status != "open":
            raise RejectedError(
                f"proposal {proposal.number} is {proposal.status} since {proposal.decided_at}; "
                "propose it anew if it is still wanted",
                code="proposal_closed",
                details={"status": proposal.status, "entry": proposal.index},
            )

    def _check_free(self, proposal: Proposal, person: str | None) -> None:
        fresh = self._now(-timedelta(seconds=CLAIM_SECONDS_MAX))
        if proposal.claimed_at is None or proposal.claimed_at < fresh:
            return
        if proposal.claimed_by != person:
            raise RetryableError(
                f"proposal {proposal.number} is being approved by {proposal.claimed_by}; "
                "look again in a moment",
                code="proposal_busy",
            )

    def _sweep(self, store: Appender, settled: int, count: int, now: str) -> int:
        """Write down what has expired or was recorded; below the result, all are decided."""
        first, end = settled + 1, min(count, settled + SWEEP_ROWS_MAX) + 1
        waiting = False
        for number, before in self._range(store, first, end):
            after = self._settled(store, before).at(now)
            if after != before:
                self._write(store, number_row(number), asdict(after))
            waiting = waiting or after.status == "open"
            if not waiting:
                settled = number
        return settled

    def _range(self, reader: Reader, first: int, end: int) -> Iterator[tuple[int, Proposal]]:
        for row, ciphertext in reader.proposals(number_row(first), number_row(end)):
            yield int(row), read_proposal(self._vault, row, ciphertext)

    # Rows

    def _load(self, reader: Reader, number: int) -> Proposal:
        row = number_row(number)
        ciphertext = reader.proposal(row) if 0 < number <= NUMBER_MAX else None
        if ciphertext is None:
            raise NotFoundError(
                f"there is no proposal {number}; GET /v1/proposals lists those that there are",
                code="no_proposal",
            )
        return read_proposal(self._vault, row, ciphertext)

    def _count(self, reader: Reader) -> tuple[int, int]:
        ciphertext = reader.proposal(COUNT_ROW)
        if ciphertext is None:
            return 0, 0
        count, settled = read_row(self._vault, COUNT_ROW, ciphertext)
        return count, settled

    def _write(self, store: Appender, row: str, value: object) -> None:
        data = orjson.dumps(value)
        store.write_proposals([(row, self._vault.encrypt_blob(f"proposal/{row}", data))])

    def _now(self, later: timedelta = timedelta()) -> str:
        moment = self._clock().astimezone(UTC) + later
        return _time(moment)


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _forgetful(proposal: Proposal) -> Proposal:
    """Without personal fields and claim: what is decided needs neither."""
    body = {name: value for name, value in proposal.body.items() if name != "sealed"}
    return replace(proposal, body=body, claimed_by=None, claimed_at=None)


def _repeated(proposal: Proposal, request: str, key: str) -> Proposal:
    if not hmac.compare_digest(proposal.request, request):
        raise ConflictError(
            f"the idempotency key {key!r} made proposal {proposal.number} with other content; "
            "use a fresh key",
            code="idempotency_conflict",
            details={"proposal": proposal.number},
        )
    return proposal
