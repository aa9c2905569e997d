"""Goods that go astray, and goods that are counted wrongly."""

from __future__ import annotations

from desk import Desk
from scribe import FIRST_GIFT

RICE = FIRST_GIFT + 1
"""Four boxes, twenty bags, of rice in the depot."""


class TestGoodsSentToTheWrongPlaceListsQuietlyReplaced:
    """goods sent to the wrong place, lists quietly replaced"""

    def sent(self, desk: Desk) -> int:
        fields = {
            "shipment": "trip-1",
            "item": "rice",
            "quantity": 8,
            "from_site": "depot",
            "to_site": "branch",
        }
        return desk.tell("goods.moved", fields, day="2022-01-01")

    def test_goods_are_received_only_where_they_were_sent(self, desk: Desk) -> None:
        self.sent(desk)
        wrong = {"shipment": "trip-1", "quantity": 8, "site": "shop"}
        problem = desk.refused("goods.received", wrong)
        assert problem["code"] == "wrong_site"
        assert "goes to branch, not to shop" in problem["detail"]

    def test_what_did_not_arrive_stays_in_transit_and_is_shown(self, desk: Desk) -> None:
        sent = self.sent(desk)
        arrived = desk.tell(
            "goods.received", {"shipment": "trip-1", "quantity": 6, "site": "branch"}
        )
        (flag,) = desk.flags("handover_differs")
        assert flag["entries"] == [sent, arrived]
        assert (flag["details"]["sent"], flag["details"]["outstanding"]) == (8, 2)
        (late,) = desk.flags("transit_long")
        assert late["entries"] == [sent]
        # It ends by an entry of its own, with the reason.
        lost = {"shipment": "trip-1", "item": "rice", "quantity": 2, "cause": "lost"}
        problem = desk.refused("goods.written_off", lost)
        assert any(one["field"] == "fields.reason" for one in problem["errors"])
        desk.tell("goods.written_off", {**lost, "reason": "途中遗失两袋"})
        assert desk.flags("handover_differs") == desk.flags("transit_long") == []

    def test_no_more_leaves_than_is_there(self, desk: Desk) -> None:
        fields = {"item": "rice", "quantity": 21, "site": "depot", "recipient_class": "family"}
        problem = desk.refused("goods.distributed", fields)
        assert problem["code"] == "insufficient_units"

    def test_a_list_that_is_replaced_shows_both_versions_and_the_reason(self, desk: Desk) -> None:
        fields = {
            "item": "rice",
            "quantity": 3,
            "site": "depot",
            "recipient_class": "family",
            "recipient": "centre-1",
        }
        given = desk.tell("goods.distributed", fields)
        before = desk.entry(given)
        change = {"entry": given, "field": "recipient_class", "correct": "student"}
        problem = desk.refused("entry.annotated", change)
        assert any(one["field"] == "fields.reason" for one in problem["errors"])
        notice = desk.tell("entry.annotated", {**change, "reason": "名单有误"})
        after = desk.entry(given)
        assert after["entry"] == before["entry"]
        assert after["leaf_hash"] == before["leaf_hash"]
        assert {"index": notice, "kind": "entry.annotated"} in after["referred_by"]
        for language, caption, words in (
            ("zh", "原记录与更正并列", ["家庭", "学生"]),
            ("en", "As recorded and as corrected", ["family", "student"]),
        ):
            (row,) = desk.page(f"/entries/{given}", language).table(caption).rows[1:]
            assert row[1:] == [*words, "名单有误", f"#{notice}"]

    def test_a_quantity_is_replaced_only_by_reversing_it_in_the_open(self, desk: Desk) -> None:
        fields = {"item": "rice", "quantity": 3, "site": "depot", "recipient_class": "family"}
        given = desk.tell("goods.distributed", fields)
        change = {"entry": given, "field": "quantity", "correct": "2", "reason": "名单有误"}
        assert desk.refused("entry.annotated", change)["code"] == "field_moves_units"
        undone = desk.tell("entry.reversed", {"entry": given, "reason": "数量有误"})
        again = desk.tell("goods.distributed", {**fields, "quantity": 2})
        assert desk.entry(given)["reversed_by"] == undone
        assert f"本条目已被条目 #{undone} 冲正。" in desk.texts(f"/entries/{given}")
        assert "数量有误" in desk.page(f"/entries/{undone}").html
        assert desk.entry(again)["entry"]["fields"]["quantity"] == 2


class TestStockUnaccountedBoxesCountedAsPieces:
    """in-kind stock unaccounted, boxes counted as pieces"""

    def test_boxes_are_counted_in_pieces_by_the_pack_factor(self, desk: Desk) -> None:
        for quantity, unit, pieces in ((2, "箱", 10), (2, "袋", 2)):
            fields = {"item": "rice", "quantity": quantity, "unit": unit, "site": "depot"}
            index = desk.tell("donation.goods", fields)
            assert desk.entry(index)["entry"]["postings"][0]["amount"] == pieces

    def test_a_unit_that_the_item_does_not_have_is_refused(self, desk: Desk) -> None:
        fields = {"item": "rice", "quantity": 2, "unit": "吨", "site": "depot"}
        problem = desk.refused("donation.goods", fields)
        assert problem["code"] == "unknown_unit"
        assert "箱" in problem["detail"]

    def test_one_thing_has_one_item_whatever_people_call_it(self, desk: Desk) -> None:
        fields = {"code": "rice-2", "name": "5公斤大米", "unit": "袋"}
        problem = desk.refused("item.registered", fields)
        assert problem["code"] == "alias_taken"

    def test_a_stocktake_writes_the_difference_with_its_reason(self, desk: Desk) -> None:
        counted = {"site": "depot", "item": "rice", "counted": 18}
        assert desk.refused("goods.counted", counted)["code"] == "difference_unexplained"
        index = desk.tell("goods.counted", {**counted, "reason": "盘亏两袋"})
        (posting,) = desk.entry(index)["entry"]["postings"]
        assert (posting["amount"], posting["to"]) == (2, "world:loss")
        totals = desk.caller.value("/v1/items/rice")
        assert totals["totals"]["lost"] == 2
        assert totals["as_of"] == desk.size()
        account = desk.caller.value("/v1/accounts/item:rice/stock:depot")
        assert account["held"] == 18
