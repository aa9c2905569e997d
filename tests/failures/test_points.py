"""Points and hours that nobody earned."""

from __future__ import annotations

from desk import Desk
from prerequisites import SERVED
from scribe import FIRST_GIFT

from ledger.records.kind import Role

BUY = {
    "holder": "holder-1",
    "shop": "shop",
    "item": "rice",
    "quantity": 1,
    "points": 60,
    "price_rule": "price-rice",
    "price_rule_version": 1,
}


class TestPointsFarmedHoursInvented:
    """points farmed by give-and-refund; hours invented at the back office"""

    def issue(self, desk: Desk, gift: int, day: str = "2022-01-01") -> int:
        fields = {"holder": "holder-1", "rule": "points-for-money", "rule_version": 1}
        return desk.tell("points.issued", {**fields, "source": gift}, day=day)

    def stock(self, desk: Desk) -> None:
        fields = {"item": "rice", "quantity": 4, "from_site": "depot", "to_site": "shop"}
        desk.tell("goods.moved", {"shipment": "trip-1", **fields})
        desk.tell("goods.received", {"shipment": "trip-1", "quantity": 4, "site": "shop"})

    def test_points_wait_and_a_refund_takes_back_what_was_not_redeemed(self, desk: Desk) -> None:
        self.stock(desk)
        gift = desk.gift("general", 10_000, day="2022-01-01")
        issue = self.issue(desk, gift)
        # 500 points of the small world, and 100 that may be used from the eighth on.
        early = {**BUY, "points": 540, "quantity": 9}
        assert desk.refused("points.redeemed", early, day="2022-01-07")["code"] == (
            "insufficient_units"
        )
        refund = desk.tell("donation.refunded", {"gift": gift, "reason": "退款"})
        _, clawed = desk.entry(refund)["entry"]["postings"]
        assert (clawed["asset"], clawed["amount"], clawed["to"]) == ("points", 100, "world:issuer")
        assert {one["index"] for one in desk.entry(issue)["referred_by"]} == {refund}
        problem = desk.refused(
            "points.issued",
            {"holder": "holder-1", "rule": "points-for-money", "rule_version": 1, "source": gift},
        )
        assert problem["code"] == "source_used"

    def test_points_that_were_redeemed_before_the_refund_are_flagged(self, desk: Desk) -> None:
        self.stock(desk)
        desk.tell("points.redeemed", BUY)
        desk.tell("donation.refunded", {"gift": FIRST_GIFT, "reason": "退款"})
        (flag,) = desk.flags("points_of_refunded_gift")
        assert flag["entries"] == [FIRST_GIFT, FIRST_GIFT + 2]
        assert flag["details"]["points_used_or_left"] == 60

    def test_giving_and_asking_back_again_and_again_is_flagged(self, desk: Desk) -> None:
        entries: list[int] = []
        for _ in range(3):
            assert desk.flags("refunds_of_holder") == []
            gift = desk.gift("general", 1_000, day="2022-01-01")
            entries += [gift, self.issue(desk, gift)]
            desk.tell("donation.refunded", {"gift": gift, "reason": "退款"})
        (flag,) = desk.flags("refunds_of_holder")
        assert flag["entries"] == entries
        assert flag["details"]["rule"] == "rule-3"

    def test_matching_money_does_not_stay_behind_unseen(self, desk: Desk) -> None:
        terms = {"numerator": 1, "denominator": 1}
        fields = {
            "code": "match",
            "version": 1,
            "name": "一比一配捐",
            "text": "示例规则。",
            "in_force_from": "2021-01-01",
            "topic": "matching",
            "matching": terms,
        }
        desk.tell("rule.published", fields)
        gift = desk.gift("general", 1_000)
        matching = desk.tell(
            "donation.matched",
            {
                "rule": "match",
                "rule_version": 1,
                "matcher": "centre-1",
                "gifts": [gift],
                "amount_fen": 1_000,
                "channel": "bank",
            },
        )
        refund = desk.tell("donation.refunded", {"gift": gift, "reason": "退款"})
        (flag,) = desk.flags("matching_of_refunded_gift")
        assert flag["entries"] == [gift, matching, refund]
        desk.tell("donation.refunded", {"gift": matching, "reason": "捐赠已退款"})
        assert desk.flags("matching_of_refunded_gift") == []

    def test_hours_count_only_by_the_word_of_the_other_side(self, desk: Desk) -> None:
        served = desk.tell("service.recorded", SERVED, role=Role.CLERK)
        spend = {"holder": "holder-1", "minutes": 60, "activity": "陪诊"}
        assert desk.refused("hours.spent", spend)["code"] == "insufficient_units"
        confirm = {"service": served, "confirmed_by": "centre-1"}
        for fields, role, code in (
            ({**confirm, "confirmed_by": "holder-1"}, Role.SHOP, "confirmed_by_volunteer"),
            ({**confirm, "confirmed_by": "supplier-1"}, Role.SHOP, "confirmed_by_stranger"),
            (confirm, Role.CLERK, "confirmed_by_recorder"),
        ):
            assert desk.refused("service.confirmed", fields, role=role)["code"] == code
        desk.tell("service.confirmed", confirm, role=Role.SHOP)
        desk.tell("hours.spent", spend)

    def test_hours_do_not_overlap_and_a_day_has_a_limit(self, desk: Desk) -> None:
        desk.tell("service.recorded", SERVED)
        other = {**SERVED, "starts_at": "15:00", "ends_at": "16:00"}
        assert desk.refused("service.recorded", other)["code"] == "service_overlaps"
        whole = {**SERVED, "starts_at": "05:00", "ends_at": "12:00"}
        problem = desk.refused("service.recorded", whole)
        assert problem["code"] == "service_over_daily_limit"
        assert "rule-5" in problem["detail"]

    def test_hours_recorded_long_afterwards_are_flagged(self, desk: Desk) -> None:
        late = desk.tell("service.recorded", SERVED, day="2021-03-10")
        (flag,) = desk.flags("service_recorded_late")
        assert flag["entries"] == [late]
        # A mistake is undone in the open, and then it is no flag.
        desk.tell("entry.reversed", {"entry": late, "reason": "登记错人"})
        assert desk.flags("service_recorded_late") == []
