"""What the later families move and claim, and that reversal and refund leave no way round."""

from __future__ import annotations

from typing import Any

import pytest
from bodies import DOCUMENT, FULL, GIFT, full
from prerequisites import BEFORE, CLUB, FLOOD_GIFT, MATCH_RULE, OLD_POINTS
from refusals import BOUND, CLAIMED, CONFIRM, POSTED, SERVICE, VOIDED
from scribe import Scribe, audited, held, stored_object

from ledger.errors import InsufficientError, RejectedError

NEXT = GIFT + 3


def tell(world: Scribe, *bodies: tuple[str, dict[str, Any]]) -> int:
    """Record bodies in order; the index of the last."""
    last = -1
    for kind, fields in bodies:
        by = "recorder-2" if kind == "service.confirmed" else "recorder-1"
        last = world.tell(kind, fields, documents=[DOCUMENT], by=by)
    return last


def told(world: Scribe, kind: str, **changes: Any) -> Any:
    """Record what a kind's full body needs and the body with changes; the entry."""
    return world.entry(tell(world, *BEFORE.get(kind, []), (kind, full(kind, **changes))))


def undo(world: Scribe, entry: int) -> int:
    """Reverse an entry."""
    return world.tell("entry.reversed", {"entry": entry, "reason": "登记有误"})


def amount(world: Scribe, asset: str, account: str) -> int:
    """What an account holds."""
    return sum(end - first for first, end, _ in held(world.book, asset, account))


# Units that came back are the same units


def test_everything_reversed_one_by_one_is_the_start(world: Scribe) -> None:
    """Gift, payment, both reversed: the gift's units came back under other numbers."""
    gift = tell(world, ("donation.money", FLOOD_GIFT))
    paid = {"fund": "relief", "project": "flood", "purpose": "disaster-relief"}
    paid |= {"amount_fen": 2_000, "payee_class": "family"}
    for _ in range(3):
        undo(world, tell(world, ("aid.paid", paid)))
    moved = full("purpose.changed", amount_fen=700, to_fund="relief", to_project="clinic")
    undo(world, tell(world, ("purpose.changed", moved)))
    assert amount(world, "CNY", "fund:relief") == 5_000
    entry = world.entry(undo(world, gift))
    assert sum(end - first for first, end in entry.postings[0]["takes"]) == 5_000
    assert held(world.book, "CNY", "fund:relief") == []
    totals = stored_object(world.book, "fund-total/relief")
    assert set(totals.values()) == {0}
    audited(world.book)


def test_a_gift_is_refunded_out_of_what_came_back(world: Scribe) -> None:
    gift = tell(world, ("donation.money", FLOOD_GIFT))
    paid = {"fund": "relief", "project": "flood", "purpose": "disaster-relief"}
    paid |= {"amount_fen": 2_000, "payee_class": "family"}
    first = tell(world, ("aid.paid", paid))
    with pytest.raises(InsufficientError) as caught:
        world.tell("donation.refunded", {"gift": gift, "reason": "x"})
    assert caught.value.details == {"available": 3_000, "entries": [first]}
    undo(world, first)
    done = world.entry(world.tell("donation.refunded", {"gift": gift, "reason": "x"}))
    assert done.postings[0]["amount"] == 5_000
    assert held(world.book, "CNY", "fund:relief") == []
    audited(world.book)


SHOP = (
    ("goods.moved", full("goods.moved", shipment="trip-0", unit=None)),
    ("goods.received", {"shipment": "trip-0", "quantity": 2, "site": "shop"}),
)


def test_points_that_were_redeemed_and_came_back_are_clawed_back(world: Scribe) -> None:
    redeemed = tell(world, *SHOP, ("points.redeemed", full("points.redeemed")))
    undo(world, redeemed)
    assert amount(world, "points", "points:holder-1") == 500
    entry = world.entry(world.tell("donation.refunded", {"gift": GIFT, "reason": "x"}))
    assert [one["amount"] for one in entry.postings] == [100_000, 500]
    assert amount(world, "points", "points:holder-1") == 0
    audited(world.book)


def test_a_reversed_claw_back_does_not_escape_the_next(world: Scribe) -> None:
    undo(world, tell(world, ("points.reversed", FULL["points.reversed"]["fields"])))
    assert amount(world, "points", "points:holder-1") == 500
    with pytest.raises(RejectedError) as caught:
        undo(world, GIFT)
    assert caught.value.code == "points_depend"
    world.tell("donation.refunded", {"gift": GIFT, "reason": "x"})
    assert amount(world, "points", "points:holder-1") == 0


def test_points_that_were_taken_back_are_not_issued_again(world: Scribe) -> None:
    tell(world, ("points.reversed", FULL["points.reversed"]["fields"]))
    issue = {"holder": "holder-1", "rule": "points-for-money", "rule_version": 1, "source": GIFT}
    with pytest.raises(RejectedError) as caught:
        world.tell("points.issued", issue)
    assert caught.value.code == "source_used"


# Openings, matching, money across


def test_an_opening_balance_is_laid_out_by_earmark_and_lot(world: Scribe) -> None:
    entry = told(world, "balance.opened")
    assert [one["from"] for one in entry.postings] == ["world:opening"] * 2
    assert entry.references == [2, 7]
    assert held(world.book, "CNY", "fund:relief") == [(0, 70_000, ""), (70_000, 90_000, "flood")]
    assert stored_object(world.book, "fund-total/relief") == {"opened_fen": 90_000}
    assert stored_object(world.book, "project-total/flood") == {"opened_fen": 20_000}
    lots = [
        {"quantity": 3, "best_before": "2022-03-01", "lot": "A"},
        {"quantity": 4, "best_before": "2022-02-01"},
    ]
    stock = {"site": "shop", "item": "milk", "lots": lots}
    tell(world, ("balance.opened", full("balance.opened", fund=None, stock=stock)))
    assert held(world.book, "item:milk", "stock:shop") == [
        (0, 3, "2022-03-01/A"),
        (3, 7, "2022-02-01/"),
    ]
    audited(world.book)


def test_a_reversed_opening_is_opened_again_but_only_alone(world: Scribe) -> None:
    first = told(world, "balance.opened").index
    undo(world, first)
    again = told(world, "balance.opened").index
    tell(world, ("donation.money", FLOOD_GIFT))
    undo(world, again)
    with pytest.raises(RejectedError) as caught:
        told(world, "balance.opened")
    assert caught.value.code == "account_in_use"
    assert stored_object(world.book, "fund-total/relief")["opened_fen"] == 0


def test_a_gift_is_matched_once_by_each_rule(world: Scribe) -> None:
    entry = told(world, "donation.matched")
    assert entry.postings[0] | {"at": 0} == {
        "asset": "CNY",
        "amount": 30_000,
        "from": "world:donor",
        "to": "fund:general",
        "at": 0,
    }
    assert entry.references == [5, GIFT, NEXT]
    undo(world, entry.index)
    assert tell(world, ("donation.matched", full("donation.matched")))
    other = {**MATCH_RULE, "code": "other"}
    body = full("donation.matched", rule="other")
    assert tell(world, ("rule.published", other), ("donation.matched", body))
    found = stored_object(world.book, f"matchings-of/{GIFT}")
    assert len(found["entries"]) == 2


def test_a_fee_stays_under_the_cap_and_comes_back(world: Scribe) -> None:
    entry = told(world, "fee.charged")
    assert entry.references == [1, NEXT, NEXT + 1, NEXT + 2]
    assert stored_object(world.book, "fund-total/club")["fees_fen"] == 1_000
    undo(world, entry.index)
    assert stored_object(world.book, "fund-total/club")["fees_fen"] == 0
    assert tell(world, ("fee.charged", full("fee.charged")))
    assert len(CLUB) == 4


@pytest.mark.parametrize(
    ("kind", "label"), [("purpose.changed", "books"), ("leftover.assigned", "clinic")]
)
def test_money_changes_its_earmark_only_openly(world: Scribe, kind: str, label: str) -> None:
    entry = told(world, kind)
    (posting,) = entry.postings
    segments = held(world.book, "CNY", posting["to"])
    assert segments[-1] == (posting["at"], posting["at"] + posting["amount"], label)
    assert entry.approved_by == "approver-1"


# Stock


def test_a_kit_is_made_of_what_went_in(world: Scribe) -> None:
    entry = told(world, "goods.repacked")
    rice, kit = entry.postings
    assert (rice["to"], rice["amount"]) == ("world:repack", 10)
    assert (kit["from"], kit["amount"], kit["to"]) == ("world:repack", 5, "stock:depot")
    assert held(world.book, "item:kit", "stock:depot") == [(0, 5, "2022-06-01/K1")]
    assert stored_object(world.book, "item-total/kit") == {"repacked_out": 5}
    assert stored_object(world.book, "item-total/rice")["repacked_in"] == 10


@pytest.mark.parametrize(("counted", "total"), [(23, {"surplus": 3}), (15, {"lost": 5}), (20, {})])
def test_a_count_moves_the_difference(world: Scribe, counted: int, total: dict[str, int]) -> None:
    lot = {} if counted > 20 else {"lot": None}
    entry = told(world, "goods.counted", counted=counted, **lot)
    assert len(entry.postings) == len(total)
    assert amount(world, "item:rice", "stock:depot") == counted
    found = stored_object(world.book, "item-total/rice")
    assert found == {"given": 20, "valued_fen": 0, **total}


def test_goods_lost_on_the_way_are_written_off_there(world: Scribe) -> None:
    tell(world, SHOP[0], ("goods.received", {"shipment": "trip-0", "quantity": 1, "site": "shop"}))
    fields = {"shipment": "trip-0", "item": "rice", "quantity": 1, "cause": "lost", "reason": "x"}
    entry = world.entry(tell(world, ("goods.written_off", fields)))
    assert entry.postings[0]["from"] == "transit:trip-0"
    assert entry.references == [10, NEXT]
    assert amount(world, "item:rice", "transit:trip-0") == 0


def test_what_was_sold_is_money_of_the_project(world: Scribe) -> None:
    told(world, "goods.sold")
    assert held(world.book, "CNY", "fund:relief") == [(0, 6_000, "flood")]
    assert stored_object(world.book, "fund-total/relief") == {"sales_fen": 6_000}
    assert stored_object(world.book, "item-total/rice")["sold"] == 10


# Points, hours, wishes


def test_only_expired_points_expire(world: Scribe) -> None:
    tell(world, *BEFORE["points.expired"])
    gift = {"fund": "general", "amount_fen": 700, "channel": "cash"}
    source = tell(world, ("donation.money", gift))
    issue = {"holder": "holder-2", "rule": "points-for-money", "rule_version": 1}
    tell(world, ("points.issued", {**issue, "source": source}))
    entry = world.entry(tell(world, ("points.expired", {"holder": "holder-2"})))
    assert entry.postings[0]["amount"] == OLD_POINTS["points"]["points"]
    assert amount(world, "points", "points:holder-2") == 7


def test_minutes_count_when_somebody_else_says_so(world: Scribe) -> None:
    tell(world, SERVICE)
    assert held(world.book, "minutes", "minutes:holder-1") == []
    confirmed = tell(world, ("service.confirmed", CONFIRM))
    assert held(world.book, "minutes", "minutes:holder-1") == [(0, 90, "")]
    assert stored_object(world.book, "time-total") == {"confirmed_minutes": 90, "services": 1}
    undo(world, confirmed)
    assert tell(world, ("service.confirmed", CONFIRM))
    tell(world, ("hours.spent", full("hours.spent")))
    assert amount(world, "minutes", "minutes:holder-1") == 30


def test_hours_that_touch_do_not_overlap_and_the_limit_is_reached(world: Scribe) -> None:
    limit = {"code": "daily", "topic": "time_bank", "time_bank": {"minutes_per_day_max": 240}}
    rule = {**MATCH_RULE, **limit, "matching": None}
    tell(world, ("rule.published", {k: v for k, v in rule.items() if v is not None}), SERVICE)
    entry = world.entry(
        tell(world, ("service.recorded", full("service.recorded", ends_at="11:30")))
    )
    assert entry.references == [5, 6, NEXT]
    late = full("service.recorded", starts_at="23:59", ends_at="24:00")
    assert world.tell("service.recorded", late, day="2022-01-09")
    touching = full("service.recorded", starts_at="15:30", ends_at="15:31")
    with pytest.raises(RejectedError) as caught:
        tell(world, ("service.recorded", touching))
    assert caught.value.code == "service_over_daily_limit"
    assert world.tell("service.recorded", touching, day="2022-01-09")


AUGUST = full("statement.imported")
SEPTEMBER = {
    **AUGUST,
    "period_from": "2021-09-01",
    "period_to": "2021-09-30",
    "opening_fen": 104_500,
    "closing_fen": 203_500,
}


def test_a_statement_that_was_imported_by_mistake_is_taken_back(world: Scribe) -> None:
    """The newest first, and its matched lines before it; then its days are free again."""
    first = tell(world, ("statement.imported", AUGUST))
    standing = stored_object(world.book, "statement/bank-main")
    second = tell(world, ("statement.imported", SEPTEMBER))
    match = tell(world, ("statement.matched", full("statement.matched", statement=second)))
    for entry, uses in ((second, [(match, "bank")]), (first, [(second, "statement")])):
        with pytest.raises(RejectedError) as caught:
            undo(world, entry)
        assert caught.value.code == "entry_relied_on"
        found: Any = caught.value.details["undo_first"]
        assert [(one["entry"], one["why"][-1]) for one in found if entry in one["of"]] == uses
    assert stored_object(world.book, f"matches-of/{second}") == {"entries": [match]}
    undo(world, match)
    undo(world, second)
    assert stored_object(world.book, "statement/bank-main") == standing
    with pytest.raises(RejectedError) as caught:
        tell(world, ("statement.matched", full("statement.matched", statement=second)))
    assert caught.value.code == "statement_reversed"
    undo(world, first)
    assert stored_object(world.book, "statement/bank-main") is None
    anew = tell(world, ("statement.imported", AUGUST), ("statement.imported", SEPTEMBER))
    last = stored_object(world.book, "statement/bank-main")
    assert (last["gap_before_fen"], last["entry"]) == (500, anew)
    world.tell("entry.replaced", {"entry": second, "by": anew})
    audited(world.book)


def test_a_wish_goes_its_way_and_back(world: Scribe) -> None:
    gift = {"fund": "general", "amount_fen": 10_000, "channel": "cash"}
    given = tell(world, POSTED, CLAIMED, ("donation.money", gift))
    tell(world, ("wish.fulfilled", {"wish": "wish-1", "gift": given}))
    assert stored_object(world.book, "wish/wish-1")["status"] == "fulfilled"
    assert stored_object(world.book, "wish-total") == {"posted": 1, "fulfilled": 1}
    for what, status in (("fulfilment", "claimed"), ("claim", "posted"), ("wish", "withdrawn")):
        fields = {"wish": "wish-1", "withdrawn": what, "reason": "x"}
        tell(world, ("wish.withdrawn", fields))
        assert stored_object(world.book, "wish/wish-1")["status"] == status
    assert stored_object(world.book, "wish-total") == {"posted": 1, "fulfilled": 0, "withdrawn": 1}
    assert stored_object(world.book, f"fulfils/{given}") is None
    assert undo(world, given)


# Receipts, bank, corrections


def test_a_voided_receipt_frees_its_gifts(world: Scribe) -> None:
    bound = tell(world, BOUND)
    assert stored_object(world.book, f"receipt-of/{GIFT}") == {"entry": bound}
    tell(world, VOIDED)
    assert stored_object(world.book, f"receipt-of/{GIFT}") is None
    again = tell(world, ("receipt.reissued", full("receipt.reissued")))
    assert stored_object(world.book, f"receipt-of/{GIFT}") == {"entry": again}
    replaced = stored_object(world.book, "official-receipt/44060122-0000000001")
    assert (replaced["status"], replaced["entry"]) == ("replaced", again)


def test_a_gap_between_statements_is_shown(world: Scribe) -> None:
    first = FULL["statement.imported"]["fields"]
    later = {"period_from": "2021-09-01", "period_to": "2021-09-30", "opening_fen": 104_007}
    later |= {"closing_fen": 104_007, "credits_fen": 0, "debits_fen": 0}
    tell(world, ("statement.imported", first), ("statement.imported", first | later))
    assert stored_object(world.book, "statement/bank-main")["gap_before_fen"] == 7


def test_a_difference_is_kept_beside_the_match(world: Scribe) -> None:
    told(world, "statement.matched")
    assert stored_object(world.book, "bank-total") == {"matched_lines": 2, "difference_fen": 100}
    assert stored_object(world.book, f"bank-matched/{NEXT}") == {"amount_fen": 100_100}


def test_annotations_are_listed_beside_the_entry(world: Scribe) -> None:
    first = told(world, "entry.annotated").index
    second = told(world, "entry.annotated", field="visibility", correct="named").index
    found = stored_object(world.book, f"annotated/{GIFT}")
    assert found == {"entries": [first, second]}
    assert world.entry(GIFT).fields["channel"] == "bank"


def test_reports_add_up(world: Scribe) -> None:
    told(world, "project.reported")
    last = told(world, "project.reported", people_reached=None)
    assert stored_object(world.book, "project-report/flood") == {
        "reports": 2,
        "people_reached": 120,
        "activities": 6,
        "last_on": "2022-01-10",
        "entry": last.index,
    }
