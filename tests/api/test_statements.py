"""GET /v1/accounts/{asset}/{account}/statement: pages that tie, pinned to one size."""

from __future__ import annotations

import pytest
from caller import Caller, gift

PATH = "/v1/accounts/CNY/fund:general/statement"


@pytest.mark.parametrize("by", ["recorded", "occurred"])
def test_pages_lead_through_the_whole_while_the_log_grows(service: Caller, by: str) -> None:
    for number in range(5):
        service.record(gift(1_000 + number))
    whole = service.value(f"{PATH}?by={by}")
    assert whole["closing"] == service.value("/v1/accounts/CNY/fund:general")["held"]
    assert whole["closing"] == whole["opening"] + whole["incoming"] - whole["outgoing"]
    assert whole["movements_total"] == 6
    found = []
    path: str | None = f"{PATH}?by={by}&limit=2&from=2021-01-01"
    while path is not None:
        page = service.value(path)
        found += page["movements"]
        path = page.get("next")
        assert page["closing"] == whole["closing"]
        service.record(gift(7))
    assert found == whole["movements"]


def test_a_period_and_a_size(untouched: Caller) -> None:
    value = untouched.value(f"{PATH}?by=occurred&from=2021-08-01&to=2021-08-01")
    assert (value["opening"], value["closing"], value["day_from"]) == (0, 100_000, "2021-08-01")
    assert untouched.value(f"{PATH}?by=occurred&to=2021-07-31")["movements"] == []
    assert untouched.value(f"{PATH}?as_of=3")["closing"] == 0


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        (f"{PATH}?from=soon", 400, "invalid_day"),
        (f"{PATH}?from=2022-01-02&to=2022-01-01", 400, "period_reversed"),
        (f"{PATH}?by=guess", 400, "invalid_parameter"),
        (f"{PATH}?after=1", 400, "unknown_cursor"),
        (f"{PATH}?as_of=99999", 404, "no_size"),
        ("/v1/accounts/CNY/fund:none/statement", 404, "no_account"),
        ("/v1/accounts/CNY/world:donor/statement", 404, "outside_account"),
    ],
)
def test_what_cannot_be_stated(untouched: Caller, path: str, status: int, code: str) -> None:
    untouched.problem(untouched.get(path), status, code)
