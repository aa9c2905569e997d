"""A log with something in every table: gifts, goods, points, a reference, a proposal, what a
witness and a time-stamping authority said; and the files beside it."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

from faults.trial import Trial, prepared_gift
from scribe import REGISTERS, Scribe
from service import Service
from tamper import Tamper
from timestamp_authority import TimestampAuthority
from witness_process import WitnessProcess

from ledger.audit.authorities import Authority, stamp_newest
from ledger.book import Book
from ledger.known import FOLDER as KNOWN_FOLDER
from ledger.records.kind import Role
from ledger.tlog.note import format_verifier_key

DAY = "2021-09-01"
WITNESS_SECONDS_MAX = 60
FILES = ("keys/log-key.pem", "keys/vault.key", f"{KNOWN_FOLDER}/heard.checkpoint")
"""What the data folder holds beside the database, and the inspection compares."""
PROPOSED = {
    "kind": "money.allocated",
    "occurred_on": DAY,
    "fields": {
        "from_fund": "general",
        "to_fund": "relief",
        "amount_fen": 100,
        "reason": "补充救灾资金",
        "basis": "理事会决议",
    },
}


def fill(trial: Trial, folder: Path, gifts: int) -> None:
    """Record so many gifts and one of everything else; the trial keeps their receipts.

    Args:
        trial: A new one.
        folder: Where the witness and the authority keep theirs.
        gifts: More than 256 make a full tile.
    """
    book = Book.open(trial.data)
    try:
        keys = [f"b{number:03d}" for number in range(gifts)]
        futures = book.sequencer.submit([prepared_gift(book, key) for key in keys])
        for key, future in zip(keys, futures, strict=True):
            done = future.result(WITNESS_SECONDS_MAX)
            trial.take(key, done.index, done.receipt.decode())
        before = book.head().size
        _tell_others(Scribe(book))
        trial.others += book.head().size - before
        book.proposals.propose(PROPOSED, key="p-1", person="recorder-1", role=Role.CLERK)
        known = trial.data / FILES[-1]
        known.parent.mkdir(exist_ok=True)
        known.write_bytes(book.checkpoint())
        authority = TimestampAuthority(folder / "authority")
        with authority.serving() as url:
            stamp_newest(book.store, book.vault, [Authority("tsa", url, authority.root)])
        key = format_verifier_key(book.verifier_keys[0])
    finally:
        book.close()
    _cosign(trial, folder, key)


def _tell_others(scribe: Scribe) -> None:
    """Funds, gifts, goods and points of others than the trial's, and a refund."""
    scribe.submit(scribe.prepare(kind, fields, day="2021-01-01") for kind, fields in REGISTERS)
    gift = scribe.record("donation.money", GIFT, day=DAY).index
    scribe.tell("donation.goods", GOODS, day=DAY)
    points = {"holder": "holder-1", "rule": "points-for-money", "rule_version": 1, "source": gift}
    scribe.tell("points.issued", points, day=DAY)
    refunded = scribe.record("donation.money", GIFT, day=DAY).index
    scribe.tell("donation.refunded", {"gift": refunded, "reason": "退款"}, day=DAY)


GIFT = {"fund": "general", "channel": "bank", "amount_fen": 100_000}
GOODS = {"item": "rice", "quantity": 4, "unit": "箱", "site": "depot", "lot": "L1"}


def _cosign(trial: Trial, folder: Path, key: str) -> None:
    """Serve the log until a witness has cosigned it."""
    witness = WitnessProcess(folder / "witness", key).start()
    policy = folder / "policy"
    policy.write_text(f"log {key}\nwitness w1 {witness.vkey} {witness.url}\nquorum w1\n")
    service = Service(trial.data, "--policy", str(policy))
    try:
        service.wait_ready()
        end = time.monotonic() + WITNESS_SECONDS_MAX
        with closing(Tamper(trial.data)) as looking:
            while not looking.rows("witness"):
                if time.monotonic() > end:
                    raise RuntimeError(
                        f"no witness has cosigned: {service.log.read_text()[-1000:]}"
                    )
                time.sleep(0.05)
    finally:
        service.stop()
        witness.kill()
