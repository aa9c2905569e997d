"""Running totals: of each fund, project and item, and of all of them together.

What the public statistics say of the whole ledger is kept as objects of the state, which each
record's effects add to, so that a page reads a few rows however long the log is. Like every
object they follow from the entries alone: `shanji audit` adds them up again and compares.

    fund-total/<code>  project-total/<code>      one fund, one project
    class-total/<fund class>                     all funds of a class
    purpose-total/<purpose>                      money in, by what it is for
    paid-total/<fund class>/<purpose>            grants and purchases
    aid-total/<purpose>                          payments to persons
    organiser-total/<code>                       confirmed service, and how many volunteers
    served-for/<organiser>/<volunteer>           how often one served for one
    wish-group/<wish class>/<age band>           wishes
    clawed/<issuance>  points-taken-back         points that went back to the issuer
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ledger.state import State

UNSPECIFIED = "unspecified"
"""The purpose of money whose fund has several, or none, and that no project narrows."""
MONEY_IN = ("gifts", "raised_fen", "refunded_fen", "opened_fen", "sales_fen")
"""What is summed over purposes."""
PAID_AS: Mapping[str, str] = {"grant.paid": "grants_fen", "purchase.made": "purchases_fen"}
"""What organisations were paid for, by the kind of the payment."""


def add_money(state: State, fund: str, project: str | None = None, **amounts: int) -> None:
    """Add to the totals of a fund, of a project of it if one is named, and of all."""
    add_fund(state, fund, **amounts)
    if project is not None:
        add_project(state, project, **amounts)


def add_fund(state: State, code: str, **amounts: int) -> None:
    """Add to a fund's totals; what no project narrows is for the fund's only purpose."""
    state.add(f"fund-total/{code}", **amounts)
    fund = state.get(f"fund/{code}")
    state.add(f"class-total/{fund['fund_class']}", **amounts)
    came = _money_in(amounts)
    if came:
        state.add(f"purpose-total/{purpose_of(fund)}", **came)


def add_project(state: State, code: str, **amounts: int) -> None:
    """Add to a project's totals: its part of its fund's money is for its own purpose."""
    state.add(f"project-total/{code}", **amounts)
    came = _money_in(amounts)
    if came:
        project = state.get(f"project/{code}")
        meant = project["purpose"]
        otherwise = purpose_of(state.get(f"fund/{project['fund']}"))
        if meant != otherwise:
            state.add(f"purpose-total/{meant}", **came)
            gone = {name: -amount for name, amount in came.items()}
            state.add(f"purpose-total/{otherwise}", **gone)


def add_payment(state: State, kind: str, fields: Mapping[str, Any], amount: int, sign: int) -> None:
    """Add a payment out of a fund, or take a reversed one off.

    Args:
        amount: Fen; below nothing where it is taken off.
        sign: 1 for a payment, -1 for one that is taken off.
    """
    add_money(state, fields["fund"], fields.get("project"), spent_fen=amount)
    purpose = fields["purpose"]
    if kind in PAID_AS:
        fund_class = state.get(f"fund/{fields['fund']}")["fund_class"]
        state.add(f"paid-total/{fund_class}/{purpose}", **{PAID_AS[kind]: amount})
    else:
        state.add(f"aid-total/{purpose}", payments=sign, amount_fen=amount)


def add_service(state: State, organiser: str, volunteer: str, minutes: int, sign: int) -> None:
    """Add confirmed minutes to an organiser's; a volunteer counts once for each organiser."""
    key = f"served-for/{organiser}/{volunteer}"
    before = (state.get(key) or {"services": 0})["services"]
    state.add(key, services=sign)
    new = (before + sign > 0) - (before > 0)
    state.add(f"organiser-total/{organiser}", volunteers=new, minutes=minutes)


def add_taken_back(state: State, issue: int, points: int) -> None:
    """Add points of an issuance that went back to the issuer, by a refund or of themselves."""
    state.add(f"clawed/{issue}", points=points)
    state.add("points-taken-back", points=points)


def purpose_of(fund: Mapping[str, Any]) -> str:
    """What a fund's money is for where no project narrows it."""
    purposes = list(fund.get("purposes", ()))
    return str(purposes[0]) if len(purposes) == 1 else UNSPECIFIED


def _money_in(amounts: Mapping[str, int]) -> dict[str, int]:
    return {name: amount for name, amount in amounts.items() if name in MONEY_IN}
