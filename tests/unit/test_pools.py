"""Pools: the overall share beside the ledger's order, against a plain count of postings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from scribe import Scribe, audited, open_copy, whole_log
from typer.testing import CliRunner

from ledger import cli, pools
from ledger.book import Book
from ledger.pools import Pool, Pools, find_pools
from ledger.trace import trace

RELIEF = ("CNY", "fund:relief")


@pytest.fixture(scope="module")
def told(world_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scribe]:
    book = open_copy(world_template, tmp_path_factory.mktemp("pools") / "book")
    yield Scribe(book)
    audited(book)
    book.close()


def give(scribe: Scribe, amount_fen: int, project: str | None = None) -> int:
    fields = {"fund": "relief", "channel": "bank", "amount_fen": amount_fen}
    return scribe.tell("donation.money", fields | ({"project": project} if project else {}))


def pay(scribe: Scribe, amount_fen: int, project: str | None = None) -> int:
    fields = {
        "fund": "relief",
        "purpose": "disaster-relief",
        "cost_class": "programme",
        "amount_fen": amount_fen,
        "payee": "centre-1",
    }
    return scribe.tell("grant.paid", fields | ({"project": project} if project else {}))


def ask(scribe: Scribe, entry: int) -> Pools:
    with scribe.book.store.read() as reader:
        return find_pools(reader, trace(reader, entry, "forward"))


def test_fen_by_order_and_share_by_pool(told: Scribe) -> None:
    """The first gift is spent first by the ledger's order; the pool is spent by a half."""
    first, second = give(told, 10_000), give(told, 30_000)
    earmarked = give(told, 4_000, "flood")
    pay(told, 20_000)
    whole = (*RELIEF, None, 44_000, 20_000, 24_000)
    plain = (*RELIEF, "", 40_000, 20_000, 20_000)
    assert ask(told, first) == Pools((Pool(*whole, 10_000, 0), Pool(*plain, 10_000, 0)), False)
    assert ask(told, second).rows == (
        Pool(*whole, 30_000, 20_000),
        Pool(*plain, 30_000, 20_000),
    )
    assert ask(told, earmarked).rows == (
        Pool(*whole, 4_000, 4_000),
        Pool(*RELIEF, "flood", 4_000, 0, 4_000, 4_000, 4_000),
    )
    refund = {"gift": second, "amount_fen": 5_000, "reason": "捐赠人要求"}
    refunded = told.tell("donation.refunded", refund)
    plain_now = ask(told, second).rows[1]
    # What went back was not received for good, and was not spent.
    assert (plain_now.received, plain_now.spent, plain_now.held) == (35_000, 20_000, 15_000)
    told.tell("entry.reversed", {"entry": refunded, "reason": "退款未成功"})
    plain_now = ask(told, second).rows[1]
    assert (plain_now.received, plain_now.spent, plain_now.held) == (40_000, 20_000, 20_000)
    paid = pay(told, 1_000)
    told.tell("entry.reversed", {"entry": paid, "reason": "付款退回"})
    plain_now = ask(told, second).rows[1]
    assert (plain_now.received, plain_now.spent, plain_now.held) == (40_000, 20_000, 20_000)
    wrong = give(told, 700)
    told.tell("entry.reversed", {"entry": wrong, "reason": "重复登记"})
    plain_now = ask(told, second).rows[1]
    assert (plain_now.received, plain_now.spent, plain_now.held) == (40_000, 20_000, 20_000)
    # The units that came back have other numbers, and are still of the gift.
    assert plain_now.traced_held == 20_000


def test_every_pool_of_the_demonstration_agrees_with_a_plain_count(demo_folder: Path) -> None:
    book = Book.open(demo_folder)
    entries = whole_log(book)
    received: Counter[tuple[str, str]] = Counter()
    gone: Counter[tuple[str, str]] = Counter()
    for entry in entries:
        for one in entry.postings:
            received[one["asset"], one["to"]] += one["amount"]
            gone[one["asset"], one["from"]] += one["amount"]
    with book.store.read() as reader:
        rows = list(reader.scan("pool"))
        held: Counter[tuple[int, str]] = Counter()
        for account, _, length, label in reader.scan("holding"):
            held[account, label] += length
        assert {row[:2]: row[3] for row in rows if row[3]} == dict(held)
        for (asset, account), amount in received.items():
            if account.startswith("world:"):
                continue
            total = reader.account_total(asset, account)
            assert total is not None
            assert total.received == amount
            assert total.held == amount - gone[asset, account]
            assert total.received - total.returned >= total.held
        for entry in entries[:: max(1, len(entries) // 60)]:
            walks = trace(reader, entry.index, "forward")
            for row in find_pools(reader, walks).rows:
                assert row.received == row.spent + row.held
                assert 0 <= row.traced_held <= row.traced
    book.close()


def test_what_is_too_much_is_left_out_and_said(
    told: Scribe, monkeypatch: pytest.MonkeyPatch
) -> None:
    gift = give(told, 900)
    monkeypatch.setattr(pools, "POOLS_MAX", 1)
    found = ask(told, gift)
    assert (len(found.rows), found.more) == (1, True)
    monkeypatch.setattr(pools, "RANGES_MAX", 0)
    assert ask(told, gift) == Pools((), True)


def test_the_command_says_the_difference(told: Scribe) -> None:
    gift = give(told, 123_400)
    command = ["trace", str(gift), "--data", str(told.book.folder)]
    english = CliRunner().invoke(cli.build(), [*command, "--lang", "en"]).stdout
    assert "Which units is the ledger's order (first in, first out); the pools" in english
    assert "fund:relief [without an earmark]: received " in english
    assert "of this entry 1,234.00 CNY, still there 1,234.00 CNY" in english
    assert "先进先出" in CliRunner().invoke(cli.build(), [*command, "--lang", "zh"]).stdout
