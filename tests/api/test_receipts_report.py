"""GET /v1/reports/receipts: gifts without a receipt, receipts that no longer agree."""

from __future__ import annotations

from typing import Any

import pytest
from caller import Caller, gift
from scribe import FIRST_GIFT

from ledger import receipts_report
from ledger.records.kind import Role

PATH = "/v1/reports/receipts"
GOODS = FIRST_GIFT + 1
"""The rice of the small world, which has no valuation."""


def bind(service: Caller, number: int, amount_fen: int, *gifts: int) -> int:
    fields = {
        "receipt_code": "44060121",
        "receipt_number": f"{number:010}",
        "check_code": "a1b2c3",
        "issued_on": "2022-01-10",
        "amount_fen": amount_fen,
        "gifts": list(gifts),
    }
    body = {"kind": "receipt.bound", "occurred_on": "2022-01-10", "fields": fields}
    return int(service.record(body)["index"])


def refund(service: Caller, index: int, amount_fen: int) -> None:
    fields = {"gift": index, "amount_fen": amount_fen, "reason": "多付"}
    body = {"kind": "donation.refunded", "occurred_on": "2022-01-10", "fields": fields}
    service.record(body, approval=Role.APPROVER)


def reverse(service: Caller, index: int) -> None:
    fields = {"entry": index, "reason": "登记有误"}
    body = {"kind": "entry.reversed", "occurred_on": "2022-01-10", "fields": fields}
    service.record(body, approval=Role.APPROVER)


def unbound(service: Caller, query: str = "") -> list[Any]:
    found: list[Any] = []
    path: str | None = f"{PATH}/unbound{query}"
    while path is not None:
        page = service.value(path)
        found += page["gifts"]
        path = page.get("next")
    return found


def disagreeing(service: Caller, query: str = "") -> list[Any]:
    found: list[Any] = []
    path: str | None = f"{PATH}/disagreeing{query}"
    while path is not None:
        page = service.value(path)
        found += page["receipts"]
        path = page.get("next")
    return found


def test_a_gift_is_listed_until_a_receipt_covers_it(service: Caller) -> None:
    first, goods = unbound(service)
    assert first == {
        "entry": FIRST_GIFT,
        "kind": "donation.money",
        "occurred_on": "2021-08-01",
        "amount_fen": 100_000,
    }
    assert (goods["entry"], goods["kind"]) == (GOODS, "donation.goods")
    assert "amount_fen" not in goods
    bind(service, 1, 100_000, FIRST_GIFT)
    assert [one["entry"] for one in unbound(service)] == [GOODS]
    fields = {
        "receipt_code": "44060121",
        "receipt_number": f"{1:010}",
        "form": "void",
        "reason": "抬头有误",
    }
    service.record({"kind": "receipt.voided", "occurred_on": "2022-01-10", "fields": fields})
    assert [one["entry"] for one in unbound(service)] == [FIRST_GIFT, GOODS]


def test_what_was_given_back_needs_no_receipt(service: Caller) -> None:
    part, whole, undone = (service.record(gift(1_000))["index"] for _ in range(3))
    refund(service, part, 400)
    refund(service, whole, 1_000)
    reverse(service, undone)
    assert [(one["entry"], one.get("amount_fen")) for one in unbound(service)] == [
        (FIRST_GIFT, 100_000),
        (GOODS, None),
        (part, 600),
    ]


def test_a_receipt_disagrees_after_a_refund(service: Caller) -> None:
    first, second = (service.record(gift(1_000))["index"] for _ in range(2))
    entry = bind(service, 7, 2_000, first, second)
    bind(service, 8, 100_000, FIRST_GIFT)
    assert disagreeing(service) == []
    refund(service, first, 400)
    assert disagreeing(service) == [
        {
            "receipt": "44060121-0000000007",
            "entry": entry,
            "amount_fen": 2_000,
            "gifts_fen": 1_600,
            "gifts": [first, second],
        }
    ]
    report = service.value(PATH)
    assert report["disagreeing"]["receipts"] == disagreeing(service)
    assert report["unbound"]["gifts"] == unbound(service)
    assert report["unbound"]["as_of"] == service.book.head().size


@pytest.mark.parametrize(("flows", "receipts"), [(5000, 1000), (2, 1)])
def test_pages_lead_through_all(
    service: Caller, monkeypatch: pytest.MonkeyPatch, flows: int, receipts: int
) -> None:
    gifts = [service.record(gift(1_000 + number))["index"] for number in range(6)]
    for number in range(3):
        bind(service, number, 1_000 + number, gifts[number])
        refund(service, gifts[number], 1)
    whole, receipts_whole = unbound(service), disagreeing(service)
    assert [one["entry"] for one in whole] == [FIRST_GIFT, GOODS, *gifts[3:]]
    assert [one["gifts"] for one in receipts_whole] == [[one] for one in gifts[:3]]
    monkeypatch.setattr(receipts_report, "FLOWS_MAX", flows)
    monkeypatch.setattr(receipts_report, "RECEIPTS_MAX", receipts)
    for limit in (1, 2, 50):
        assert unbound(service, f"?limit={limit}") == whole
        assert disagreeing(service, f"?limit={limit}") == receipts_whole


@pytest.mark.parametrize("query", ["unbound?after=-1", "disagreeing?after=x", "unbound?limit=0"])
def test_a_wrong_cursor_is_refused(untouched: Caller, query: str) -> None:
    untouched.problem(untouched.get(f"{PATH}/{query}"), 400, "invalid_parameter")
