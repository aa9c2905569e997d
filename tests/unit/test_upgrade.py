"""An older database gets its pools from the flows and holdings that it has."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from scribe import FIRST_GIFT, Scribe, audited, open_copy
from tamper import Row, Tamper

from ledger.book import Book

BEFORE_POOLS = """
DROP TABLE pool;
DROP INDEX holding_by_label;
DROP TABLE cosignature;
DROP TABLE witness;
DROP TABLE anchor;
DROP TABLE entry_reference;
DROP TABLE hold;
DROP TABLE agreed;
UPDATE alembic_version SET version_num = '0002';
"""


def recorded(folder: Path) -> dict[str, list[Row]]:
    """Every row of what is never changed."""
    with closing(Tamper(folder)) as tamper:
        tables = ("entry", "checkpoint", "tile", "flow", "idempotency")
        return {table: tamper.rows(table) for table in tables}


def test_the_pools_are_those_that_the_recorder_would_have_kept(
    world_template: Path, tmp_path: Path
) -> None:
    book = open_copy(world_template, tmp_path / "book")
    scribe = Scribe(book)
    money = {"fund": "relief", "channel": "bank"}
    gift = scribe.tell("donation.money", {**money, "amount_fen": 9_000, "project": "flood"})
    scribe.tell("donation.money", {**money, "amount_fen": 4_000})
    paid = {"fund": "relief", "purpose": "disaster-relief", "cost_class": "programme"}
    payment = {**paid, "payee": "centre-1", "amount_fen": 10_000, "project": "flood"}
    first = scribe.tell("grant.paid", payment)
    scribe.tell("entry.reversed", {"entry": first, "reason": "付款退回"})
    refund = {"gift": gift, "amount_fen": 500, "reason": "多付"}
    undone = scribe.tell("donation.refunded", refund)
    scribe.tell("donation.refunded", {**refund, "amount_fen": 700})
    scribe.tell("entry.reversed", {"entry": undone, "reason": "退款未成功"})
    scribe.tell("donation.refunded", {"gift": FIRST_GIFT, "amount_fen": 9_000, "reason": "多付"})
    scribe.tell("grant.paid", {**payment, "amount_fen": 3_000})
    folder = book.folder
    with book.store.read() as reader:
        rows = list(reader.scan("pool"))
    assert any(row[4] for row in rows)
    book.close()
    before = recorded(folder)
    with closing(Tamper(folder)) as tamper:
        for statement in BEFORE_POOLS.strip().split("\n"):
            tamper.run(statement)
    book = Book.open(folder)
    with book.store.read() as reader:
        assert list(reader.scan("pool")) == rows
    audited(book)
    book.close()
    assert recorded(folder) == before
