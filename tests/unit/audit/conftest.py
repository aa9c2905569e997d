"""A log of 300 entries that has rows of every kind in every table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from bodies import FULL, full
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from prerequisites import BEFORE
from scribe import Scribe, StepClock, audited, held, make_book, open_copy, tell_small_world
from tamper import Tamper
from templates import made_once
from timestamp_authority import TimestampAuthority

from ledger.audit.authorities import Authority, stamp_newest
from ledger.book import Book
from ledger.records.kind import Role
from ledger.tlog.cosignature import CosignatureSigner, MlDsa44Signer
from ledger.tlog.note import NoteSignature, format_signature, format_verifier_key, split_note

SIZE = 300


@pytest.fixture(scope="session")
def long_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The closed folder of a log of `SIZE` entries in many batches."""
    return made_once(tmp_path_factory, "long-template", make_long_log)


def make_long_log(folder: Path) -> None:
    """The long log, cosigned and stamped."""
    book = make_book(folder, clock=StepClock())
    scribe = Scribe(book)
    tell_long_log(scribe)
    assert book.head().size == SIZE
    tell_cosignatures(book)
    with TemporaryDirectory() as place:
        tsa = TimestampAuthority(Path(place) / "tsa")
        names = ("tsa-a", "tsa-b", "tsa-c")
        named = [Authority(name, "http://127.0.0.1/", tsa.root) for name in names]
        stamp_newest(book.store, book.vault, named, send=lambda _, query: tsa.answer(query))
    book.close()


def tell_long_log(scribe: Scribe) -> None:
    """The small world, gifts over a full tile, and every kind once among them."""
    tell_small_world(scribe)
    scribe.submit(
        scribe.gift(300 + number, sealed={"order_number": f"A-{number}"}) for number in range(90)
    )
    scribe.tell("donation.money", {"fund": "general", "channel": "cash", "amount_fen": 1_000})
    last = scribe.tell(
        "donation.money", {"fund": "general", "channel": "cash", "amount_fen": 2_050}
    )
    issue = 0
    for kind in FIRST:
        body = FULL[kind]
        for name, fields in BEFORE.get(kind, []) if kind != "points.issued" else []:
            if fields.get("shipment") != "trip-0" or kind == "goods.received":
                scribe.tell(name, fields)
        fields = dict(body["fields"])
        if kind == "points.issued":
            fields["source"] = last
        if kind == "points.redeemed":
            fields |= {"quantity": 1, "points": 60}
        if kind == "entry.reversed":
            fields["entry"] = scribe.book.head().size - 1
        day = body.get("occurred_on", "2022-01-10")
        done = scribe.tell(kind, fields, body.get("sealed"), day=day, documents=["cd" * 32])
        issue = done if kind == "points.issued" else issue
    tell_later(scribe, last, issue)
    tell_proposals(scribe.book)
    rest = SIZE - scribe.book.head().size
    scribe.submit(scribe.gift(7 + number) for number in range(rest - 3))
    for number in range(3):
        scribe.submit([scribe.gift(9, sealed={"order_number": f"B-{number}"})])


FIRST = list(FULL)[: list(FULL).index("entry.reversed") + 1]


def tell_later(scribe: Scribe, gift: int, issue: int) -> None:
    """The kinds that came later, each once.

    Args:
        gift: A gift of 2,050 fen that nothing else is about.
        issue: Points that are still held.
    """

    def told(kind: str, **changes: Any) -> int:
        sealed = FULL[kind].get("sealed")
        by = "recorder-2" if kind == "service.confirmed" else "recorder-1"
        return scribe.tell(kind, full(kind, **changes), sealed, documents=["cd" * 32], by=by)

    def before(kind: str) -> None:
        for name, fields in BEFORE[kind]:
            scribe.tell(name, fields)

    told("balance.opened", fund={"fund": "school", "amount_fen": 90_000, "earmarked": []})
    before("donation.matched")
    told("donation.matched", gifts=[gift], amount_fen=1_025)
    for kind in ("fee.charged", "purpose.changed"):
        before(kind)
        told(kind)
    before("goods.repacked")
    told("goods.repacked", inputs=[{"item": "rice", "quantity": 2, "lot": "L2"}])
    told("goods.counted")
    told("goods.written_off", lot="L3", quantity=1)
    told("goods.sold", lot="L2", quantity=1, unit="袋")
    before("points.expired")
    told("points.expired")
    told("points.reversed", issue=issue)
    told("service.confirmed", service=told("service.recorded"))
    told("hours.spent")
    told("wish.posted")
    for kind in ("claimed", "fulfilled", "withdrawn"):
        changes = {"gift": gift} if kind == "fulfilled" else {}
        changes |= {"withdrawn": "fulfilment"} if kind == "withdrawn" else {}
        told(f"wish.{kind}", wish="wish-2", **changes)
    told("receipt.bound", gifts=[gift], amount_fen=2_050)
    told("receipt.voided")
    told("receipt.reissued", gifts=[gift], amount_fen=2_050)
    told("project.reported")
    told("document.attached", notice_of=told("entry.annotated"))
    cash = {"fund": "general", "channel": "cash", "amount_fen": 500}
    wrong = scribe.tell("donation.money", cash)
    told("entry.reversed", entry=wrong)
    right = scribe.tell("donation.money", cash)
    told("entry.replaced", entry=wrong, by=right)
    told("attention.disposed")
    told("key.added")
    before("key.revoked")
    told("key.revoked")
    statement = told("statement.imported")
    lines = [{"line": 1, "amount_fen": 2_150}]
    told("statement.matched", statement=statement, lines=lines, gifts=[gift])
    held_fen = sum(end - first for first, end, _ in held(scribe.book, "CNY", "fund:club"))
    told("balance.asserted", funds=["club"], bank_fen=held_fen - 100)
    told("entry.hidden")
    told("privacy.erased", entries=[scribe.book.head().size - 120])
    before("leftover.assigned")
    told("leftover.assigned")


def tell_proposals(book: Book) -> None:
    """One proposal that is approved, one rejected, one that waits."""
    fields = {
        "from_fund": "general",
        "to_fund": "relief",
        "amount_fen": 100,
        "reason": "补充救灾资金",
        "basis": "理事会决议",
    }
    body = {"kind": "money.allocated", "occurred_on": "2022-01-10", "fields": fields}
    for number in range(3):
        key = f"proposal-{number}"
        book.proposals.propose(body, key=key, person="recorder-1", role=Role.CLERK)
    book.proposals.approve(1, person="approver-1")
    book.proposals.reject(2, person="approver-1", reason="重复申请")


def tell_cosignatures(book: Book) -> None:
    """What two witnesses said of some checkpoints; one of them has a post-quantum key."""
    ed25519 = Ed25519PrivateKey.from_private_bytes(bytes([5]) * 32)
    signers: list[Any] = [
        CosignatureSigner("w1.example", ed25519, lambda: 1_700_000_000),
        MlDsa44Signer("w2.example", MLDSA44PrivateKey.generate(), lambda: 1_700_000_001),
    ]
    with book.store.append() as store:
        sizes = [size for size, _ in store.checkpoints(0, 1000)]
        for place, size in enumerate(sizes[:: len(sizes) // 6]):
            text = split_note(store.checkpoint(size))[0]
            rows = []
            for signer in signers[: 1 + place % 2]:
                line = NoteSignature(signer.name, signer.key_id, signer.sign(text))
                rows.append((format_verifier_key(signer.verifier_key), format_signature(line)))
            assert store.write_cosignatures(size, rows) == len(rows)
            assert store.write_cosignatures(size, rows) == 0
        store.commit()


@pytest.fixture(scope="module")
def long_book(long_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Book]:
    """A copy for the tests of one module, which put back what they change."""
    book = open_copy(long_template, tmp_path_factory.mktemp("copy") / "book")
    yield book
    book.close()


@pytest.fixture(scope="module")
def tamper(long_book: Book) -> Iterator[Tamper]:
    """Changes the rows of `long_book`; at the end all that was changed is as it was."""
    made = Tamper(long_book.folder)
    yield made
    made.close()
    audited(long_book)
