"""An older database gets its pools, and its kept totals, from what it has."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from scribe import FIRST_GIFT, Scribe, audited, open_copy
from tamper import Row, Tamper

from ledger.book import Book

BEFORE_POOLS = """
DROP TABLE pool;
DROP TABLE asset;
DROP INDEX account_by_holder;
DROP INDEX holding_by_label;
DROP TABLE cosignature;
DROP TABLE witness;
DROP TABLE anchor;
DROP TABLE entry_reference;
DROP TABLE entry_kind;
DROP TABLE movement;
DROP INDEX checkpoint_by_root;
DROP TABLE hold;
DROP TABLE agreed;
DELETE FROM state_object WHERE key LIKE 'class-total/%' OR key LIKE 'purpose-total/%'
    OR key LIKE 'paid-total/%' OR key LIKE 'aid-total/%' OR key LIKE 'organiser-total/%'
    OR key LIKE 'served-for/%' OR key LIKE 'wish-group/%' OR key = 'points-taken-back'
    OR key LIKE 'matches-of/%' OR key LIKE 'expired-out/%' OR key LIKE 'documented/%';
UPDATE alembic_version SET version_num = '0002';
"""
KEPT = ("pool", "asset", "state_object", "entry_kind", "movement")


def recorded(folder: Path) -> dict[str, list[Row]]:
    """Every row of what is never changed."""
    with closing(Tamper(folder)) as tamper:
        tables = ("entry", "checkpoint", "tile", "flow", "idempotency")
        return {table: tamper.rows(table) for table in tables}


def tell_what_is_summed_up(scribe: Scribe) -> None:
    """Aid, purchases, service and wishes; of each one that was reversed, where it can be."""
    paid = {"fund": "general", "purpose": "elderly-care"}
    aid = {**paid, "amount_fen": 700, "payee_class": "elderly"}
    line = {"item": "rice", "quantity": 2, "cost_fen": 900}
    bought = {**paid, "supplier": "supplier-1", "site": "depot", "lines": [line]}
    served = {"volunteer": "holder-1", "organiser": "centre-1", "activity": "助老"}
    undone = [scribe.tell("aid.paid", aid), scribe.tell("purchase.made", bought)]
    scribe.tell("aid.paid", {**aid, "purpose": "medical-aid"})
    scribe.tell("purchase.made", bought)
    for hour in (9, 11, 13):
        times = {"starts_at": f"{hour:02d}:00", "ends_at": f"{hour + 1:02d}:00"}
        service = scribe.tell("service.recorded", {**served, **times})
        confirmed = {"service": service, "confirmed_by": "centre-1"}
        undone.append(scribe.tell("service.confirmed", confirmed, by="registrar-1"))
    for entry in undone[:-1]:
        scribe.tell("entry.reversed", {"entry": entry, "reason": "重复登记"})
    for number in range(2):
        wish = {"code": f"wish-{number}", "wish_class": "book", "age_band": "6-11"}
        scribe.tell("wish.posted", wish)


def tell_what_was_too_old(scribe: Scribe) -> None:
    """Goods of two lots, some handed out after their best-before date; one of it reversed."""
    given = {"item": "rice", "site": "depot", "quantity": 5}
    for lot, day in (("OLD", "2021-08-31"), ("NEW", "2031-08-31")):
        scribe.tell("donation.goods", {**given, "lot": lot, "best_before": day}, day="2021-02-01")
    out = {"item": "rice", "site": "depot", "quantity": 2, "recipient_class": "family"}
    scribe.tell("goods.distributed", {**out, "lot": "OLD"}, day="2021-08-31")
    undone = scribe.tell("goods.distributed", {**out, "lot": "OLD"}, day="2021-09-02")
    scribe.tell("entry.reversed", {"entry": undone, "reason": "登记错批次"})
    scribe.tell("goods.distributed", {**out, "quantity": 6}, day="2021-09-02")


def test_the_pools_and_totals_are_those_that_the_recorder_would_have_kept(
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
    tell_what_is_summed_up(scribe)
    tell_what_was_too_old(scribe)
    shown = {"sha256": "5f" * 32, "media_type": "application/pdf", "size_bytes": 9, "shows": "协议"}
    attached = scribe.tell("document.attached", {**shown, "about": [gift]})
    folder = book.folder
    with book.store.read() as reader:
        rows = {table: list(reader.scan(table)) for table in KEPT}
    assert any(row[4] for row in rows["pool"])
    keys = [key for key, _ in rows["state_object"]]
    assert any(key.startswith("expired-out/") for key in keys)
    assert f"documented/{'5f' * 32}/{attached:016d}" in keys
    book.close()
    before = recorded(folder)
    with closing(Tamper(folder)) as tamper:
        for statement in BEFORE_POOLS.split(";\n"):
            if statement.strip():
                tamper.run(statement)
    book = Book.open(folder)
    with book.store.read() as reader:
        assert {table: list(reader.scan(table)) for table in KEPT} == rows
    audited(book)
    book.close()
    assert recorded(folder) == before
