"""Proposals at the pages: proposed, looked at, approved or rejected by somebody else."""

from __future__ import annotations

from caller import Caller
from clerk import Clerk, errors_of, form_values

from ledger.records.kind import Role

CANARY = "示例受益人金丝雀"
AID = {
    "fields.fund": "general",
    "fields.purpose": "community",
    "fields.amount_fen": "12.50",
    "fields.payee_class": "patient",
    "sealed.payee_name": CANARY,
    "occurred_on": "2022-01-10",
}
FORM = "/staff/record/aid.paid"


def proposed(world: Caller, **changes: str) -> tuple[Clerk, str]:
    """A clerk who has proposed aid, and where the proposal is."""
    clerk = Clerk(world, Role.CLERK)
    answer = clerk.submit(clerk.get(FORM), {**AID, **changes}, action=FORM, do="propose")
    assert answer.status_code == 303, errors_of(clerk.shown(answer, answer.status_code))
    return clerk, answer.headers["location"]


def test_a_proposal_is_approved_by_another_person(world: Caller) -> None:
    clerk, path = proposed(world)
    size = world.book.head().size
    page = clerk.get(path)
    assert "您不能批准" in page.html
    assert f"{path}/approve" not in page.html
    approver = Clerk(world, Role.APPROVER)
    assert "申请 1" in approver.get("/staff/proposals").html
    page = approver.get(path)
    assert CANARY in page.html
    change = page.table("账户").row("非限定性资金")
    assert change[2] == "−12.50"
    answer = approver.submit(page, action=f"{path}/approve")
    assert answer.headers["location"] == f"/staff/recorded/{size}"
    _, entry = world.book.entry(size)
    assert (entry.recorded_by, entry.approved_by) == ("clerk-1", "approver-1")
    again = approver.submit(page, action=f"{path}/approve")
    assert again.headers["location"] == f"/staff/recorded/{size}?again=1"
    assert world.book.head().size == size + 1
    assert "已批准" in approver.get(path).html
    assert CANARY not in approver.get(path).html


def test_nobody_approves_their_own_proposal(world: Caller) -> None:
    clerk, path = proposed(world)
    csrf = form_values(clerk.get(path), f"{path}/reject")["csrf"]
    page = clerk.shown(clerk.send(f"{path}/approve", {"csrf": csrf}), 403)
    assert errors_of(page)
    assert world.book.proposals.read(1).status == "open"


def test_a_proposal_is_rejected_with_a_reason(world: Caller) -> None:
    _, path = proposed(world)
    approver = Clerk(world, Role.APPROVER)
    page = approver.get(path)
    answer = approver.submit(page, {"reason": ""}, action=f"{path}/reject")
    assert errors_of(approver.shown(answer, 400)) == {"reason": "请写明理由"}
    page = approver.follow(approver.submit(page, {"reason": "金额不符"}, action=f"{path}/reject"))
    assert "金额不符" in page.html
    assert "已退回" in page.html
    assert "申请 1" in approver.get("/staff/proposals?status=rejected").html


def test_its_proposer_takes_it_back(world: Caller) -> None:
    clerk, path = proposed(world)
    page = clerk.get(path)
    page = clerk.follow(clerk.submit(page, {"reason": "录错"}, action=f"{path}/reject"))
    assert "已退回" in page.html


def test_what_a_rule_refuses_now_is_said_before(world: Caller) -> None:
    _, path = proposed(world, **{"fields.amount_fen": "99999999.00"})
    approver = Clerk(world, Role.APPROVER)
    page = approver.get(path)
    answer = approver.submit(page, action=f"{path}/approve")
    assert errors_of(approver.shown(answer, 409))
    assert world.book.proposals.read(1).status == "open"


def test_personal_fields_are_for_those_who_may_see_them(world: Caller) -> None:
    _, path = proposed(world)
    for role, sees in (
        (Role.APPROVER, True),
        (Role.AUDITOR, True),
        (Role.SHOP, False),
        (Role.WAREHOUSE, False),
        (Role.REGISTRAR, False),
    ):
        page = Clerk(world, role).get(path)
        assert (CANARY in page.html) is sees
        assert ("不能审批" in page.html) is (role is not Role.APPROVER)


def test_a_repeated_proposal_is_one(world: Caller) -> None:
    clerk = Clerk(world, Role.CLERK)
    page = clerk.get(FORM)
    first = clerk.submit(page, AID, action=FORM, do="propose")
    assert clerk.submit(page, AID, action=FORM, do="propose").headers == first.headers
    assert len(world.book.proposals.latest(10).proposals) == 1
