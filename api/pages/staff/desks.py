"""Desks: the forms that people work with all day, laid out by hand.

A desk records one kind by the same form as any other (``recording``); what differs is the
order of its fields, which of them stand open and which wait under "more", and where one goes
on afterwards. The keyboard leads through it from the first field to the button.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from api.forms import FormOf, SessionOf, require_role
from api.pages.staff.fields import form_of
from api.pages.staff.record import Like, first_values
from api.pages.staff.recording import Desk, Draft, new_key, show, take
from ledger.errors import NotFoundError
from ledger.records.kind import Role

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

TEMPLATE = "staff/desk.html"


def _desk(name: str, kind: str) -> Desk:
    return Desk(f"/staff/desk/{name}", TEMPLATE, kind)


DESKS: Mapping[str, Desk] = {
    name: _desk(name, kind)
    for name, kind in (
        ("gift", "donation.money"),
        ("aid", "aid.paid"),
        ("grant", "grant.paid"),
        ("purchase", "purchase.made"),
        ("goods_in", "donation.goods"),
        ("receive", "goods.received"),
        ("move", "goods.moved"),
        ("deliver", "goods.distributed"),
        ("split", "goods.repacked"),
        ("points_issue", "points.issued"),
        ("points_redeem", "points.redeemed"),
    )
}
"""Every desk by its name, in the order of the page."""

FIRST: Mapping[str, tuple[str, ...]] = {
    "gift": ("amount_fen", "fund", "channel", "donor_name", "order_number", "project"),
    "aid": ("amount_fen", "fund", "purpose", "payee_class", "payee_name", "account", "project"),
    "grant": ("amount_fen", "fund", "purpose", "payee", "account", "project"),
    "purchase": ("fund", "purpose", "supplier", "site", "lines", "invoice_number"),
    "goods_in": ("item", "quantity", "unit", "site", "lot", "best_before", "donor_name"),
    "receive": ("shipment", "quantity", "unit", "site"),
    "move": ("lot", "item", "quantity", "unit", "from_site", "to_site", "shipment"),
    "deliver": ("lot", "item", "quantity", "unit", "site", "recipient_class", "recipient_name"),
    "split": ("site", "inputs", "item", "quantity", "unit", "lot", "best_before", "reason"),
    "points_issue": ("holder", "source", "rule", "rule_version"),
    "points_redeem": ("holder", "shop", "item", "quantity", "points", "price_rule"),
}
"""The fields that stand open, public and personal, in the order in which one works."""
SCANNED = ("lot", "shipment", "holder")
"""Fields whose codes stand on boxes, papers and cards: a phone's camera fills them in."""


def desk_named(name: str) -> Desk:
    """A desk.

    Raises:
        NotFoundError: there is none of that name.
    """
    found = DESKS.get(name)
    if found is None:
        raise NotFoundError(f"there is no desk {name[:40]!r}; /staff lists them", code="no_kind")
    return found


def desks_of(role: Role) -> list[tuple[str, str]]:
    """The desks that a role works at: name and path."""
    return [
        (name, desk.path)
        for name, desk in DESKS.items()
        if role in form_of(desk.kind).kind.recorders
    ]


def path_of(kind: str) -> str:
    """Where a kind is recorded: at its desk, or by its schema's form."""
    return next(
        (desk.path for desk in DESKS.values() if desk.kind == kind), f"/staff/record/{kind}"
    )


@router.get("/staff/desk/{name}")
def desk(request: Request, session: SessionOf, name: str, like: Like = None) -> Response:
    """A desk's form."""
    found = desk_named(name)
    require_role(session, *found.form.kind.recorders)
    draft = Draft(first_values(request, found.form, like), new_key())
    return show(request, session, found, draft, _layout(name))


@router.post("/staff/desk/{name}")
def send(request: Request, session: SessionOf, posted: FormOf, name: str) -> Response:
    """Record it, or propose it."""
    found = desk_named(name)
    require_role(session, *found.form.kind.recorders)
    return take(request, session, posted, found, _layout(name))


def _layout(name: str) -> dict[str, Any]:
    scanned = [f"fields.{one}" for one in FIRST[name] if one in SCANNED]
    return {"desk_name": name, "first": FIRST[name], "scanned": scanned}
