"""One log under trial: what was answered, and whether the log holds it in the end.

Every fault plays on a `Trial`. It keeps each answer that any client got, and `examine`
compares them with the whole log: nothing answered is lost, nothing is there twice, no size
has two roots, every receipt verifies, units are conserved, the audit is clean.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from troubles import troubles

from api.auth import create_token
from ledger.audit.replay import audit
from ledger.book import Book
from ledger.errors import LedgerError
from ledger.records.kind import Role
from ledger.records.request import Prepared, prepare
from ledger.tlog.checkpoint import parse_checkpoint
from ledger.tlog.note import split_note
from ledger.tlog.tiles import TileReader
from ledger.verify import checkpoint_of, verify_receipt
from ledger.witnessing import Witnessing

AMOUNT_FEN = 100
ANSWER_SECONDS_MAX = 60
"""A service that says nothing for so long hangs: that is a failure, whatever it was doing."""
DAY = "2021-10-08"
FUND = {"code": "trial", "name": "示例资金", "fund_class": "unrestricted"}
SHOWN = 20
TOLD_CHARS_MAX = 600
"""Of a refusal: with its instance, by which the service's log names it."""
WAIT_STATUSES = (429, 503)
"""What a client is told to try again later: allowed at any time, and no answer."""


@dataclass
class Outcome:
    """What one fault did, and what the log says afterwards.

    Where something is wrong `told` is what the services' logs say, whose files may be gone when
    the outcome is read.
    """

    fault: str
    seed: int
    played: int = 0
    answers: int = 0
    replayed: int = 0
    refused_for_now: int = 0
    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    two_roots: list[str] = field(default_factory=list)
    unverified: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    skipped: str = ""
    told: str = ""
    size: int = 0
    began: float = field(default_factory=time.monotonic)

    @property
    def bad(self) -> list[str]:
        """Everything that must never be."""
        return [
            *self.lost,
            *self.twice,
            *self.two_roots,
            *self.unverified,
            *self.findings,
            *self.wrong,
        ]

    @property
    def clean(self) -> bool:
        return not self.bad

    def say(self) -> str:
        """The counts on one line, whatever is wrong below it, and what the logs say then."""
        if self.skipped:
            return f"{self.fault}: skipped: {self.skipped}"
        lines = [
            f"{self.fault}, seed {self.seed}: faults played {self.played}, answers given "
            f"{self.answers} ({self.replayed} repeated; {self.refused_for_now} told to come "
            f"again), entries {self.size}, entries lost {len(self.lost)}, entries twice "
            f"{len(self.twice)}, two roots for one size {len(self.two_roots)}, receipts that did "
            f"not verify {len(self.unverified)}, audit findings {len(self.findings)}, other "
            f"{len(self.wrong)}, seconds {time.monotonic() - self.began:.1f}"
        ]
        lines += [f"  {text}" for text in [*self.notes, *self.bad[:SHOWN]]]
        if self.bad and self.told:
            lines.append(self.told)
        return "\n".join(lines)


def body_of(key: str) -> dict[str, Any]:
    """The gift that belongs to a key: the same content whoever posts it."""
    return {
        "kind": "donation.money",
        "occurred_on": DAY,
        "fields": {"fund": "trial", "amount_fen": AMOUNT_FEN, "channel": "bank"},
        "sealed": {"donor_name": f"示例捐赠人{key}", "order_number": f"ORDER-{key}"},
    }


def prepared_gift(book: Book, key: str) -> Prepared:
    """The same gift, ready for the write path."""
    return prepare(body_of(key), key=key, recorded_by="clerk-1", approved_by=None, vault=book.vault)


class Trial:
    """A new log with one fund, in a folder of its own; and the answers that clients got."""

    def __init__(
        self,
        folder: Path,
        fault: str,
        seed: int,
        data: Path | None = None,
        database: str | None = None,
    ) -> None:
        self.folder = folder
        self.logs: list[Path] = []
        """Logs of others than the services and writers, whose logs are in the folder."""
        self.data = folder / "data" if data is None else data
        self.outcome = Outcome(fault, seed)
        self.seen: dict[str, tuple[int, str]] = {}
        self.witnessing = Witnessing()
        """Whose cosignatures receipts carry, where the services ask witnesses."""
        self.others = 2
        """Entries that are no gift to the trial's fund: at first the log's and the fund's."""
        self._roots: dict[int, bytes] = {}
        book = Book.create(
            self.data,
            origin="shanji.example/fault",
            organisation="示例慈善会",
            database=database,
        )
        fund = {"kind": "fund.opened", "occurred_on": DAY, "fields": FUND}
        book.sequencer.record(
            prepare(
                fund,
                key="open-trial",
                recorded_by="registrar-1",
                approved_by=None,
                vault=book.vault,
            )
        )
        book.close()
        self.clerk = create_token(self.data, "clerk-1", Role.CLERK)

    def post(self, url: str, key: str, seconds_max: float = ANSWER_SECONDS_MAX) -> int:
        """Post the gift of a key, once; the status, or 0 where the connection broke."""
        try:
            answer = httpx.post(
                f"{url}/v1/entries",
                headers=self.headers(key),
                json=body_of(key),
                timeout=seconds_max,
            )
        except httpx.TimeoutException:
            self.outcome.wrong.append(f"{key}: no answer within {seconds_max} s")
            return 0
        except httpx.HTTPError:
            return 0
        self.take_answer(key, answer)
        return answer.status_code

    def headers(self, key: str) -> dict[str, str]:
        """The headers of a clerk's record."""
        return {"Authorization": f"Bearer {self.clerk}", "Idempotency-Key": key}

    def take_answer(self, key: str, answer: httpx.Response, *, faulty: bool = False) -> None:
        """Keep an answer; `faulty` while a fault is on, when the service may say that it failed."""
        if answer.status_code in WAIT_STATUSES or (faulty and answer.status_code == 500):
            self.outcome.refused_for_now += 1
            if answer.status_code in WAIT_STATUSES and "retry-after" not in answer.headers:
                self.outcome.wrong.append(f"{key}: {answer.status_code} without Retry-After")
        elif answer.status_code in (200, 201):
            value = answer.json()
            self.take(key, value["index"], value["receipt"], replayed=value["replayed"])
        else:
            self.outcome.wrong.append(f"{key}: {answer.status_code} {answer.text[:TOLD_CHARS_MAX]}")

    def take(self, key: str, index: int, receipt: str, *, replayed: bool = False) -> None:
        """Keep that a client was told that its record stands at an index."""
        self.outcome.answers += 1
        self.outcome.replayed += replayed
        if self.seen.setdefault(key, (index, receipt)) != (index, receipt):
            self.outcome.twice.append(f"{key}: it was answered with two receipts")
        signed = parse_checkpoint(split_note(checkpoint_of(receipt.encode()))[0])
        if self._roots.setdefault(signed.size, signed.root) != signed.root:
            self.outcome.two_roots.append(f"size {signed.size} was answered with two roots")

    def check(self, data: Path | None = None) -> Outcome:
        """As `examine`, when the trial ends; the outcome."""
        self.examine(self.data if data is None else data)
        if self.outcome.bad:
            self.outcome.told = troubles([*sorted(self.folder.rglob("*.log")), *self.logs])
        return self.outcome

    def examine(self, data: Path) -> None:
        """Compare what was answered with what the log in a folder holds, and audit it whole."""
        outcome = self.outcome
        book = Book.open(data)
        book.witnessing = self.witnessing
        try:
            outcome.size = book.head().size
            self._compare_answers(book)
            with book.store.read() as reader:
                for size, root in self._roots.items():
                    if size <= outcome.size and TileReader(size, reader.tile).root() != root:
                        outcome.two_roots.append(f"size {size}: answered with another root")
                keys = [row[0] for row in reader.scan("idempotency")]
                account = reader.account("CNY", "fund:trial")
            if len(set(keys)) != outcome.size or len(keys) != outcome.size:
                outcome.twice.append(f"{len(keys)} keys for {outcome.size} entries")
            held = sum(end - first for first, end, _ in account.segments) if account else 0
            gifts = (outcome.size - self.others) * AMOUNT_FEN
            if held != gifts or (account and account.received != gifts):
                outcome.wrong.append(f"the fund holds {held} fen, {gifts} were given")
        except LedgerError as error:
            outcome.findings.append(f"the log cannot be read: {error}")
        finally:
            book.close()
        store, vault = Book.parts(data)
        try:
            report = audit(store, vault=vault)
            outcome.findings += [f"{one.place}: {one.message}" for one in report.findings]
        finally:
            store.close()

    def _compare_answers(self, book: Book) -> None:
        trust = book.verifier_keys
        for key, (index, receipt) in self.seen.items():
            try:
                if verify_receipt(receipt.encode(), trust).entry.index != index:
                    self.outcome.unverified.append(f"{key}: the receipt is of another entry")
            except LedgerError as error:
                self.outcome.unverified.append(f"{key}: {error}")
            try:
                stored = book.receipt(index, reveal="all")
            except LedgerError as error:
                self.outcome.lost.append(f"{key}: {error}")
                continue
            if stored != receipt.encode():
                self.outcome.lost.append(f"{key}: entry {index} has another receipt now")
