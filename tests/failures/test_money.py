"""Money: totals, restrictions, age, receipts."""

from __future__ import annotations

from typing import Any

from bodies import DOCUMENT
from desk import DAY, Desk
from scribe import FIRST_GIFT

AID = {
    "fund": "relief",
    "project": "flood",
    "purpose": "disaster-relief",
    "amount_fen": 400,
    "payee_class": "family",
}


class TestPublishedTotalsThatDisagree:
    """published totals that disagree"""

    def test_each_total_says_of_which_size_it_is_and_follows_from_the_entries(
        self, desk: Desk
    ) -> None:
        seen: list[tuple[int, int]] = []
        for amount in (500, 700):
            desk.gift("relief", amount)
            fund = desk.caller.value("/v1/funds/relief")
            assert fund["as_of"] == desk.size()
            seen.append((fund["as_of"], fund["totals"]["raised_fen"]))
        (old, before), (new, after) = seen
        assert (before, after) == (500, 1_200)
        # The older total is no contradiction: the account still says it, as of that size.
        path = "/v1/accounts/CNY/fund:relief/statement"
        assert desk.caller.value(f"{path}?as_of={old}")["closing"] == before
        assert desk.caller.value(f"{path}?as_of={new}")["closing"] == after
        amounts = [
            one["entry"]["fields"]["amount_fen"]
            for one in desk.caller.value("/v1/entries?limit=500")["entries"]
            if one["entry"]["fields"].get("fund") == "relief" and one["entry"]["postings"]
        ]
        assert sum(amounts) == after

    def test_pages_and_statistics_carry_the_size_too(self, desk: Desk) -> None:
        desk.gift("relief", 500)
        last = desk.size() - 1
        for path, caption in (
            ("/", "各项资金"),
            ("/statistics", "按资金性质"),
            ("/funds", "各项资金"),
        ):
            assert f"截至条目 #{last}" in desk.page(path).table(caption).caption
        assert desk.caller.value("/v1/statistics")["as_of"] == last + 1

    def test_no_call_writes_a_total(self, desk: Desk) -> None:
        paths = desk.caller.value("/openapi.json")["paths"]
        writing = {path for path, calls in paths.items() if {"post", "put", "patch"} & set(calls)}
        assert not [path for path in writing if "funds" in path or "statistics" in path]
        problem = desk.refused(
            "donation.money",
            {"fund": "relief", "channel": "bank", "amount_fen": 1, "raised_fen": 10**9},
        )
        assert any(one["field"] == "fields.raised_fen" for one in problem["errors"])


class TestMoneyGivenForOneHospitalSpentElsewhere:
    """money given for one hospital spent elsewhere"""

    def test_what_is_not_the_purpose_is_refused(self, desk: Desk) -> None:
        desk.gift("relief", 1_000, project="flood")
        problem = desk.refused("aid.paid", {**AID, "purpose": "student-aid"})
        assert problem["code"] == "purpose_not_of_fund"
        problem = desk.refused("aid.paid", {**AID, "purpose": "medical-aid"})
        assert problem["code"] == "purpose_not_of_project"
        # Earmarked money is not there for another project of the same fund.
        other = {**AID, "project": "clinic", "purpose": "medical-aid"}
        assert desk.refused("aid.paid", other)["code"] == "insufficient_units"

    def test_a_change_needs_consent_and_the_donors_page_shows_it(self, desk: Desk) -> None:
        gift = desk.gift("relief", 1_000, project="flood")
        change: dict[str, Any] = {
            "from_fund": "relief",
            "from_project": "flood",
            "to_fund": "relief",
            "to_project": "clinic",
            "amount_fen": 600,
            "basis": "donor_consent",
            "reason": "灾情结束，经捐赠人同意改用于医疗救助",
        }
        assert desk.refused("purpose.changed", change)["code"] == "consent_missing"
        changed = desk.tell("purpose.changed", change, documents=[DOCUMENT])
        for language, title in (("zh", "变更用途"), ("en", "Purpose changed")):
            hops = desk.page(f"/entries/{gift}", language).table(
                {"zh": "经过的每一步", "en": "Every step"}[language]
            )
            assert hops.row(f"#{changed}")[1] == title
        trace = desk.caller.value(f"/v1/entries/{gift}/trace?direction=forward")
        assert changed in {hop["entry"] for walk in trace["walks"] for hop in walk["hops"]}


class TestRaisedAndNeverSpent:
    """raised and never spent"""

    def test_old_unspent_money_asks_for_attention_and_stands_on_the_donors_page(
        self, desk: Desk
    ) -> None:
        gift = desk.gift("relief", 1_000, day="2021-03-01", project="flood")
        (flag,) = desk.flags("restricted_unspent")
        assert flag["entries"] == [gift]
        assert (flag["details"]["amount_fen"], flag["details"]["oldest_on"]) == (
            1_000,
            "2021-03-01",
        )
        assert "其中 10.00 元尚未使用，自 2021-03-01 起已" in desk.texts(f"/entries/{gift}")
        assert "已超过规则所定的 100 天" in desk.texts(f"/entries/{gift}")
        english = desk.texts(f"/entries/{gift}", "en")
        assert "10.00 yuan of it is not spent yet" in english
        assert "it asks for attention" in english
        desk.tell("aid.paid", AID)
        assert "其中 6.00 元尚未使用" in desk.texts(f"/entries/{gift}")
        desk.tell("aid.paid", {**AID, "amount_fen": 600})
        assert "尚未使用" not in desk.texts(f"/entries/{gift}")
        assert desk.flags("restricted_unspent") == []

    def test_money_that_only_changed_its_fund_is_still_unspent(self, desk: Desk) -> None:
        move = {
            "from_fund": "general",
            "to_fund": "relief",
            "amount_fen": 100_000,
            "reason": "补充救灾资金",
            "basis": "理事会决议",
        }
        desk.tell("money.allocated", move)
        assert "其中 1,000.00 元尚未使用" in desk.texts(f"/entries/{FIRST_GIFT}")


RECEIPT = {
    "receipt_code": "44060121",
    "receipt_number": "0000000001",
    "check_code": "a1b2c3",
    "issued_on": DAY,
}


class TestReceiptsThatMatchNoGift:
    """receipts that match no gift"""

    def bind(self, gift: int, amount_fen: int, number: int = 1) -> dict[str, Any]:
        return {
            **RECEIPT,
            "receipt_number": f"{number:010}",
            "gifts": [gift],
            "amount_fen": amount_fen,
        }

    def test_a_receipt_names_gifts_and_says_their_sum(self, desk: Desk) -> None:
        gift = desk.gift("general", 5_000)
        for fields, code in (
            (self.bind(99_999, 5_000), "unknown_entry"),
            (self.bind(1, 5_000), "not_a_gift"),
            (self.bind(gift, 5_001), "receipt_sum"),
        ):
            assert desk.refused("receipt.bound", fields)["code"] == code
        desk.tell("receipt.bound", self.bind(gift, 5_000))
        again = self.bind(gift, 5_000, 2)
        assert desk.refused("receipt.bound", again)["code"] == "gift_has_receipt"

    def test_void_and_reissue_are_entries_and_a_mismatch_is_reported(self, desk: Desk) -> None:
        gift = desk.gift("general", 5_000)
        unbound = desk.caller.value("/v1/reports/receipts")["unbound"]["gifts"]
        assert gift in {one["entry"] for one in unbound}
        bound = desk.tell("receipt.bound", self.bind(gift, 5_000))
        desk.tell("donation.refunded", {"gift": gift, "amount_fen": 1_000, "reason": "多付"})
        (found,) = desk.caller.value("/v1/reports/receipts")["disagreeing"]["receipts"]
        assert (found["entry"], found["amount_fen"], found["gifts_fen"]) == (bound, 5_000, 4_000)
        number = {name: RECEIPT[name] for name in ("receipt_code", "receipt_number")}
        voided = desk.tell("receipt.voided", {**number, "form": "red", "reason": "金额变更"})
        anew = {
            **self.bind(gift, 4_000, 2),
            "replaces_code": RECEIPT["receipt_code"],
            "replaces_number": RECEIPT["receipt_number"],
        }
        reissued = desk.tell("receipt.reissued", anew)
        assert desk.caller.value("/v1/reports/receipts")["disagreeing"]["receipts"] == []
        about = [one["index"] for one in desk.entry(gift)["referred_by"]]
        assert {bound, reissued} <= set(about)
        assert voided in {one["index"] for one in desk.entry(bound)["referred_by"]}
