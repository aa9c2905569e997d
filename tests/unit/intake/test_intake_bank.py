"""Bank statements: read, held against their balances, and matched with gifts."""

from __future__ import annotations

import pytest
from scribe import Scribe

from ledger.errors import LedgerError
from ledger.intake.bank_lines import (
    BankLine,
    BankStatement,
    Stated,
    StatementError,
    read_bank_statement,
    signed_fen,
)
from ledger.intake.bank_matching import (
    PAYMENTS,
    Suggestion,
    matched_lines,
    suggest,
    unmatched_gifts,
)

SIDES = "交易日期,贷方发生额,借方发生额,余额,对方户名,交易流水号,附言"
ROWS = (
    "2022-01-10,100.00,,1100.00,示例捐赠人甲,REF-1,捐款",
    "2022-01-11,0.00,50.00,1050.00,示例供应商,,货款",
    '2022-01-12,"1,200.50",,2250.50,,,',
    "合计,1300.50,50.00,,,,",
)
TODAY = "2022-12-31"


def read(text: str, encoding: str = "gb18030", **stated: object) -> BankStatement:
    return read_bank_statement("a.csv", text.encode(encoding), Stated(**stated), TODAY)


def lined(*rows: str, header: str = SIDES) -> str:
    return "\n".join((header, *rows)) + "\n"


def refused(text: str, **stated: object) -> LedgerError:
    with pytest.raises(LedgerError) as found:
        read(text, **stated)
    return found.value


def test_a_statement_ties_in_either_order() -> None:
    one = read(lined(*ROWS))
    assert (one.opening_fen, one.credits_fen, one.debits_fen, one.closing_fen) == (
        100_000,
        130_050,
        5_000,
        225_050,
    )
    assert (len(one.credits), one.debits, one.left_out, one.by_balances) == (2, 1, 1, True)
    assert (one.period_from, one.period_to) == ("2022-01-10", "2022-01-12")
    falling = read(lined(*ROWS[2::-1]), encoding="utf-8")
    assert (falling.opening_fen, falling.closing_fen) == (100_000, 225_050)
    assert [line.row for line in falling.lines] == [4, 3, 2]
    assert falling.lines[0].payer == "示例捐赠人甲"
    assert "示例捐赠人甲" not in repr(falling.lines[0])


def test_a_signed_amount_or_a_word_tells_the_direction() -> None:
    signed = lined("2022-01-02,-5.00", "2022-01-01,12.34", header="日期,金额")
    one = read(signed, opening_fen=0, closing_fen=734)
    assert [line.moved_fen for line in one.lines] == [1234, -500]
    assert not one.by_balances
    words = lined("2022-01-01,12.34,贷", "2022-01-02,5,借", header="日期,交易金额,借贷标志")
    assert read(words, opening_fen=0, closing_fen=734).debits_fen == 500
    assert [signed_fen(cell) for cell in ("", "-", "−1.50", "+2", -3, 0, "0.00")] == [
        *(0, 0, -150, 200),
        *(-300, 0, 0),
    ]


@pytest.mark.parametrize(
    ("text", "stated", "code", "field"),
    [
        ("甲,乙\n1,2\n", {}, "header_missing", None),
        (lined(header="日期,金额"), {}, "statement_size", "file"),
        (lined("2022-01-01,1", header="日期,金额"), {}, "balance_missing", "opening"),
        (
            lined("2022-01-01,1", header="日期,金额"),
            {"opening_fen": 0},
            "balance_missing",
            "closing",
        ),
        (
            lined("2022-01-01,1", header="日期,金额"),
            {"opening_fen": 0, "closing_fen": 99},
            "statement_does_not_tie",
            "closing",
        ),
        (lined(*ROWS), {"opening_fen": 1}, "balance_differs", "opening"),
        (lined(*ROWS), {"closing_fen": 1}, "balance_differs", "closing"),
        (lined(*ROWS), {"period_to": "2022-01-11"}, "period_differs", "period_to"),
        (lined(*ROWS), {"period_from": "2022-01-11"}, "period_differs", "period_from"),
    ],
)
def test_what_does_not_tie_is_refused(
    text: str, stated: dict[str, object], code: str, field: str | None
) -> None:
    error = refused(text, **stated)
    assert (error.code, error.field) == (code, field)


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("2022-13-01,1.00,,1.00,,,", "date_unreadable"),
        ("2023-01-01,1.00,,1.00,,,", "date_in_future"),
        ("2022-01-13,1.001,,2251.50,,,", "amount_decimals"),
        ("2022-01-13,1.00,2.00,2249.50,,,", "both_sides"),
        ("2022-01-13,1.00,,x,,,", "amount_unreadable"),
        (",1.00,,2251.50,,,", "date_missing"),
        ("2022-01-13,1.00,,9999.00,,,", "balance_breaks"),
    ],
)
def test_a_wrong_cell_is_named_by_its_row(row: str, code: str) -> None:
    error = refused(lined(*ROWS[:3], row))
    assert isinstance(error, StatementError)
    assert [(one.row, one.code) for one in error.errors] == [(5, code)]


def test_an_unknown_direction_is_no_direction() -> None:
    error = refused(lined("2022-01-01,1,左", header="日期,交易金额,借贷标志"))
    assert isinstance(error, StatementError)
    assert error.errors[0].code == "direction_unknown"


def line(row: int, fen: int, day: str = "2022-01-10", **more: str) -> BankLine:
    return BankLine(row, day, fen, **more)


def test_suggestions_are_ranked_and_say_why(world: Scribe) -> None:
    def gift(fen: int, day: str = "2022-01-10", channel: str = "bank", **sealed: str) -> int:
        fields = {"fund": "general", "amount_fen": fen, "channel": channel}
        return world.tell("donation.money", fields, sealed or None, day=day)

    ordered = gift(500, order_number="REF-9")
    named = gift(700, donor_name="示例捐赠人乙")
    other = gift(700)
    near = gift(900, "2022-01-07")
    twins = [gift(1100), gift(1100)]
    payout = [gift(33, "2022-01-08", "wechat"), gift(44, "2022-01-08", "wechat")]
    gift(2000, "2021-11-01")
    lines = [
        line(2, 500, reference="REF-9"),
        line(3, 700, payer="示例捐赠人乙"),
        line(4, 900),
        line(5, 1100),
        line(6, 77),
        line(7, 2000),
        line(8, 999),
    ]
    book = world.book
    with book.store.read() as reader:
        looked = unmatched_gifts(reader, "2022-01-01", "2022-01-31")
        assert not looked.cut
        assert {ordered, named, other, near} <= {one.index for one in looked.gifts}
        found = suggest(book, reader, lines, looked.gifts)
        contested = suggest(book, reader, [line(2, 900), line(3, 900)], looked.gifts)
        better = suggest(book, reader, [line(2, 33, "2022-01-08"), line(3, 77)], looked.gifts)
    best = [one.suggestions[0].reason if one.suggestions else None for one in found]
    assert best == ["reference", "payer", "near", "same_day", "payout", None, None]
    assert [one.clear for one in found] == [True, True, True, False, True, False, False]
    assert found[0].suggestions[0].gifts == (ordered,)
    assert [one.gifts for one in found[1].suggestions] == [(named,), (other,)]
    assert sorted(one.gifts[0] for one in found[3].suggestions) == twins
    assert found[4].suggestions == (
        Suggestion(tuple(payout), "payout", 402, 2, "wechat", "2022-01-08"),
    )
    assert [one.clear for one in contested] == [False, False], "one gift, two lines"
    assert [one.clear for one in better] == [True, False], "a gift alone before a day's sum"


def test_what_is_matched_or_reversed_is_suggested_no_more(world: Scribe) -> None:
    fields = {"fund": "general", "amount_fen": 100, "channel": "bank"}
    gifts = [world.tell("donation.money", fields, day="2022-01-10") for _ in range(3)]
    totals = {"opening_fen": 0, "closing_fen": 100, "credits": 1, "credits_fen": 100}
    totals |= {"debits": 0, "debits_fen": 0, "lines_sha256": "0" * 64}
    period = {"account_alias": "main", "period_from": "2022-01-01", "period_to": "2022-01-31"}
    statement = world.tell("statement.imported", totals | period)
    lines = [{"line": 2, "amount_fen": 100}]
    matched = {"statement": statement, "lines": lines, "gifts": gifts[:1], "difference_fen": 0}
    match = world.tell("statement.matched", matched)
    world.tell("entry.reversed", {"entry": gifts[1], "reason": "误录"})
    with world.book.store.read() as reader:
        assert matched_lines(reader, statement, [1, 2]) == {2: match}
        left = {one.index for one in unmatched_gifts(reader, "2022-01-10", "2022-01-10").gifts}
        assert unmatched_gifts(reader, "1999-01-10", "1999-01-31").gifts == ()
    assert left & set(gifts) == {gifts[2]}


def test_what_went_out_stands_beside_the_payments(world: Scribe) -> None:
    gift = {"fund": "general", "amount_fen": 100_000, "channel": "bank"}
    ordered = world.tell("donation.money", gift, {"order_number": "REF-OUT"}, day="2022-01-08")

    def aid(fen: int, day: str = "2022-01-10", **sealed: str) -> int:
        fields = {"fund": "general", "amount_fen": fen, "purpose": "elderly-care"}
        fields["payee_class"] = "elderly"
        return world.tell("aid.paid", fields, sealed or None, day=day)

    named, other = aid(700, payee_name="示例受益人乙"), aid(700)
    day = [aid(33, "2022-01-08"), aid(44, "2022-01-08")]
    undone = aid(999)
    world.tell("entry.reversed", {"entry": undone, "reason": "误录"})
    refund = {"gift": ordered, "amount_fen": 250, "reason": "多付"}
    quoted = {"order_number": "BACK-250"}
    back = world.tell("donation.refunded", refund, quoted, day="2022-01-09")
    again = world.tell("donation.refunded", refund, day="2022-01-09")
    lines = [
        line(2, -700, payer="示例受益人乙"),
        line(3, -250, remark="退款 BACK-250"),
        line(4, -77),
        line(5, -999),
    ]
    with world.book.store.read() as reader:
        looked = unmatched_gifts(reader, "2022-01-01", "2022-01-31", PAYMENTS)
        assert {named, other, back, again, *day} == {one.index for one in looked.gifts}
        assert {one.index: one.amount_fen for one in looked.gifts}[back] == 250
        found = suggest(world.book, reader, lines, looked.gifts, PAYMENTS)
    best = [one.suggestions[0].reason if one.suggestions else None for one in found]
    assert best == ["payer", "reference", "payout", None]
    assert [one.clear for one in found] == [True, True, True, False]
    assert found[0].suggestions[0].gifts == (named,)
    assert found[1].suggestions[0].gifts == (back,)
    assert found[2].suggestions[0].gifts == tuple(day)
    assert found[2].suggestions[0].channel == "aid.paid"
