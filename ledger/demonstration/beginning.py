"""The first entries, which the examples of the record kinds use and nothing else does.

Their indices are fixed: the examples name them (refund entry 3, reverse entry 4 ...).
"""

from __future__ import annotations

from ledger.demonstration.teller import Teller, gifts

GENERAL_FEN = (20_000_000, 10_000, 10_000, 10_000)


def tell_beginning(teller: Teller) -> None:
    """Entries 1 to 18."""
    day = "2021-01-05"
    general = {"fund": "general", "channel": "bank"}
    teller.tell(
        "fund.opened",
        "2021-01-04",
        {"code": "general", "name": "非限定性资金", "fund_class": "unrestricted"},
    )
    # 2 is the fund's first large gift; 3 to refund, 4 to reverse, 5 to earn points.
    teller.tell_many(gifts(day, GENERAL_FEN, "GENERAL-20210105", general))
    _tell_points(teller)
    _tell_service_and_statement(teller)
    # 13 has a voided receipt to reissue, 16 a valid one to void.
    (reissue,) = teller.tell_many(gifts(day, [50_000], "REISSUE-20210105", general))
    _tell_receipt(teller, "0000000002", reissue, 50_000)
    void = {"receipt_code": "44060121", "receipt_number": "0000000002", "form": "red"}
    teller.tell("receipt.voided", "2021-01-08", {**void, "reason": "抬头有误，予以红冲"})
    (bound,) = teller.tell_many(gifts(day, [10_000], "BOUND-20210105", general))
    _tell_receipt(teller, "0000000001", bound, 10_000)


def _tell_points(teller: Teller) -> None:
    """6 to 10: a holder, a partner, the rule, a gift and the points for it."""
    day = "2021-01-05"
    holder = {"code": "holder-0001", "party_class": "person"}
    teller.tell("party.registered", day, holder, {"person_name": "示例积分持有人0001"})
    partner = {"code": "community-centre", "party_class": "organisation"}
    teller.tell("party.registered", day, {**partner, "name": "示例社区服务中心"})
    teller.tell(
        "rule.published",
        day,
        {
            "code": "points-for-money",
            "version": 1,
            "name": "捐款积分",
            "text": "每捐 1 元积 1 分，单笔最多 5000 分；7 天后可用，可用之日起一年内有效。",
            "in_force_from": "2021-01-05",
            "topic": "points_issue",
            "points_issue": {
                "sources": ["donation.money"],
                "points": 1,
                "per_fen": 100,
                "points_max": 5000,
                "wait_days": 7,
                "valid_days": 365,
            },
        },
    )
    general = {"fund": "general", "channel": "bank"}
    (gift,) = teller.tell_many(gifts(day, [50_000], "HOLDER-20210105", general))
    rule = {"rule": "points-for-money", "rule_version": 1}
    teller.tell("points.issued", "2021-01-06", {"holder": "holder-0001", "source": gift, **rule})


def _tell_service_and_statement(teller: Teller) -> None:
    """11 and 12: service that waits for its confirmation, and a bank statement."""
    teller.tell(
        "service.recorded",
        "2021-01-06",
        {
            "volunteer": "holder-0001",
            "organiser": "community-centre",
            "activity": "社区助老",
            "starts_at": "14:00",
            "ends_at": "16:00",
        },
    )
    teller.tell(
        "statement.imported",
        "2021-01-31",
        {
            "account_alias": "bank-trial",
            "period_from": "2021-01-01",
            "period_to": "2021-01-31",
            "opening_fen": 0,
            "closing_fen": 10_000,
            "credits": 1,
            "credits_fen": 10_000,
            "debits": 0,
            "debits_fen": 0,
            "lines_sha256": "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b",
        },
    )


def _tell_receipt(teller: Teller, number: str, gift: int, amount_fen: int) -> None:
    fields = {"receipt_code": "44060121", "receipt_number": number, "check_code": "0a1b2c"}
    fields |= {"issued_on": "2021-01-07"}
    teller.tell(
        "receipt.bound", "2021-01-07", {**fields, "amount_fen": amount_fen, "gifts": [gift]}
    )
