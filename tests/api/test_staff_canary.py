"""No staff page, address or log line shows a sealed value to who may not see it."""

from __future__ import annotations

import logging
import re

import pytest
from caller import Caller
from clerk import Clerk

from api.app import ALL_ROUTERS
from ledger.records.kind import OPENERS, Role

CANARY = "金丝雀示例姓名"
ORDER = "CANARY-ORDER-1"
GIFT = {
    "fields.fund": "general",
    "fields.amount_fen": "77.70",
    "fields.channel": "cash",
    "sealed.donor_name": CANARY,
    "sealed.order_number": ORDER,
    "occurred_on": "2022-01-10",
}
AID = {
    "fields.fund": "general",
    "fields.purpose": "community",
    "fields.amount_fen": "1.00",
    "fields.payee_class": "patient",
    "sealed.payee_name": CANARY,
    "occurred_on": "2022-01-10",
}


def staff_paths(index: int) -> list[str]:
    """Every staff page that a GET gives, about the entry and the proposal with the canary."""
    found = set()
    for router in ALL_ROUTERS:
        for route in router.routes:
            path = str(getattr(route, "path", ""))
            if path.startswith("/staff") and "GET" in getattr(route, "methods", ()):
                found.add(path)
    numbers = {"index": str(index), "number": "1", "token": "0" * 32}
    paths = []
    for path in sorted(found - {"/staff/sign-in", "/staff/receipts/{index}.pdf"}):
        names = ["donation.money", "aid.paid"] if "record/" in path else ["gift", "aid"]
        for name in names if "{name}" in path else [""]:
            one = path.replace("{name}", name)
            one = re.sub(r"\{(\w+)\}", lambda match: numbers[match[1]], one)
            paths += [one, f"{one}?like={index}"] if name in ("donation.money", "gift") else [one]
    return paths


@pytest.fixture
def seeded(world: Caller) -> int:
    """A gift and a proposal with the canary in their personal fields; the gift's number."""
    clerk = Clerk(world, Role.CLERK)
    index = world.book.head().size
    desk = "/staff/desk/gift"
    assert clerk.submit(clerk.get(desk), GIFT, action=desk).status_code == 303
    desk = "/staff/desk/aid"
    assert clerk.submit(clerk.get(desk), AID, action=desk, do="propose").status_code == 303
    return index


@pytest.mark.parametrize("role", list(Role))
def test_a_sealed_value_is_only_for_who_may_see_it(
    world: Caller, seeded: int, role: Role, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    person = Clerk(world, role)
    seen = set()
    paths = staff_paths(seeded)
    assert len(paths) > 12
    for path in paths:
        answer = person.request("GET", path)
        assert answer.status_code in (200, 303, 403, 404), path
        assert CANARY not in answer.headers.get("location", "")
        if CANARY in answer.text:
            seen.add(path)
        assert ORDER not in answer.text, path
    anew = {f"/staff/correct/{seeded}/anew"} if role is Role.CLERK else set()
    proposal = {"/staff/proposals/1"} if role in OPENERS else set()
    assert seen == anew | proposal
    assert CANARY not in caplog.text
    assert world.tokens[role] not in caplog.text
