"""Micro wishes 微心愿: posted, claimed, fulfilled by a gift, withdrawn.

A child is an opaque code only; who it is lies in the sealed fields. One claim at a time;
a fulfilment names the gift that fulfils it (domain, section 1, "wishes").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from ledger.entry import Entry
from ledger.records.kind import (
    Code,
    Draft,
    Fen,
    Fields,
    Index,
    Kind,
    Name,
    Plan,
    Role,
    Sealed,
    Text,
    claim_code,
    reject,
)
from ledger.state import State, references_of

RECORDERS = frozenset((Role.CLERK, Role.SHOP))


class WishPosted(Fields):
    """A wish, without a word about whose it is."""

    code: Code
    wish_class: Code = Field(description="schoolbag, book, outing ...")
    age_band: Literal["0-5", "6-11", "12-17", "18-59", "60+"]
    value_fen: Fen | None = None


class WishSealed(Sealed):
    """Whose wish it is."""

    child_name: Name | None = None
    guardian: Name | None = None
    school: Name | None = None
    contact: Text | None = None


def _plan_posted(draft: Draft[WishPosted], state: State) -> Plan:
    claim_code(state, "wish", draft.fields.code)
    return Plan()


def _effects_posted(entry: Entry, state: State, sign: int) -> None:
    value = {**entry.fields, "status": "posted", "entry": entry.index}
    state.put(f"wish/{entry.fields['code']}", value)
    state.add("wish-total", posted=1)
    state.add(f"wish-group/{value['wish_class']}/{value['age_band']}", wishes=1)


WISH_POSTED = Kind(
    name="wish.posted",
    title_zh="发布微心愿",
    title_en="Wish posted",
    moves="nothing",
    fields=WishPosted,
    sealed=WishSealed,
    recorders=RECORDERS,
    plan=_plan_posted,
    effects=_effects_posted,
    example={
        "occurred_on": "2021-10-09",
        "fields": {"code": "wish-9001", "wish_class": "schoolbag", "age_band": "6-11"},
        "sealed": {"child_name": "示例儿童"},
    },
)


def _find(state: State, wish: str, *statuses: str) -> Any:
    found = state.find("wish", wish, "fields.wish")
    if found["status"] not in statuses:
        reject(
            "wish_status",
            f"fields.wish: the wish {wish} is {found['status']} (entry {found['entry']}); "
            f"expected {' or '.join(statuses)}",
            field="fields.wish",
            status=found["status"],
            entry=found["entry"],
        )
    return found


def _set(state: State, wish: str, **changes: Any) -> None:
    found = {**state.get(f"wish/{wish}"), **changes}
    state.put(f"wish/{wish}", {key: value for key, value in found.items() if value is not None})


class WishClaimed(Fields):
    """Somebody promises to fulfil a wish; nobody else can, meanwhile."""

    wish: Code
    claimant: Code = Field(description="the party code of who promises")


def _plan_claimed(draft: Draft[WishClaimed], state: State) -> Plan:
    wish = _find(state, draft.fields.wish, "posted")
    claimant = state.find("party", draft.fields.claimant, "fields.claimant")
    return Plan(references=references_of(wish, claimant))


def _effects_claimed(entry: Entry, state: State, sign: int) -> None:
    fields = entry.fields
    _set(state, fields["wish"], status="claimed", claimant=fields["claimant"], entry=entry.index)


WISH_CLAIMED = Kind(
    name="wish.claimed",
    title_zh="认领微心愿",
    title_en="Wish claimed",
    moves="nothing",
    fields=WishClaimed,
    recorders=RECORDERS,
    plan=_plan_claimed,
    effects=_effects_claimed,
    example={
        "occurred_on": "2021-10-09",
        "fields": {"wish": "wish-0001", "claimant": "holder-0001"},
    },
)


class WishFulfilled(Fields):
    """A wish came true by a gift that the ledger has."""

    wish: Code
    gift: Index


def _plan_fulfilled(draft: Draft[WishFulfilled], state: State) -> Plan:
    fields = draft.fields
    wish = _find(state, fields.wish, "claimed")
    gift = state.entry(fields.gift, "fields.gift")
    if gift.kind not in ("donation.money", "donation.goods"):
        reject(
            "not_a_gift",
            f"fields.gift: entry {fields.gift} is {gift.kind}, no gift",
            field="fields.gift",
        )
    if state.get(f"reversed/{fields.gift}") is not None:
        reject(
            "gift_reversed", f"fields.gift: gift {fields.gift} was reversed", field="fields.gift"
        )
    used = state.get(f"fulfils/{fields.gift}")
    if used is not None:
        reject(
            "gift_fulfils_other",
            f"fields.gift: gift {fields.gift} fulfilled the wish {used['wish']} "
            f"(entry {used['entry']})",
            field="fields.gift",
            entry=used["entry"],
        )
    return Plan(references=references_of(wish, [fields.gift]))


def _effects_fulfilled(entry: Entry, state: State, sign: int) -> None:
    fields = entry.fields
    _set(state, fields["wish"], status="fulfilled", gift=fields["gift"], entry=entry.index)
    state.put(f"fulfils/{fields['gift']}", {"wish": fields["wish"], "entry": entry.index})
    state.add("wish-total", fulfilled=1)


WISH_FULFILLED = Kind(
    name="wish.fulfilled",
    title_zh="微心愿达成",
    title_en="Wish fulfilled",
    moves="nothing; the gift that fulfils it moved the units",
    fields=WishFulfilled,
    recorders=RECORDERS,
    plan=_plan_fulfilled,
    effects=_effects_fulfilled,
    example={
        "occurred_on": "2021-10-10",
        "fields": {"wish": "wish-0002", "gift": 5},
    },
)


class WishWithdrawn(Fields):
    """A wish, its claim, or what was taken for its fulfilment, is taken back."""

    wish: Code
    withdrawn: Literal["wish", "claim", "fulfilment"]
    reason: Text


WITHDRAWN: Mapping[str, tuple[str, ...]] = {
    "wish": ("posted", "claimed"),
    "claim": ("claimed",),
    "fulfilment": ("fulfilled",),
}
"""What can be taken back in which status."""


def _plan_withdrawn(draft: Draft[WishWithdrawn], state: State) -> Plan:
    fields = draft.fields
    return Plan(references=references_of(_find(state, fields.wish, *WITHDRAWN[fields.withdrawn])))


def _effects_withdrawn(entry: Entry, state: State, sign: int) -> None:
    fields = entry.fields
    wish = fields["wish"]
    if fields["withdrawn"] == "fulfilment":
        state.put(f"fulfils/{state.get(f'wish/{wish}')['gift']}", None)
        state.add("wish-total", fulfilled=-1)
        _set(state, wish, status="claimed", gift=None, entry=entry.index)
        return
    status = "posted" if fields["withdrawn"] == "claim" else "withdrawn"
    _set(state, wish, status=status, claimant=None, entry=entry.index)
    if status == "withdrawn":
        state.add("wish-total", withdrawn=1)


WISH_WITHDRAWN = Kind(
    name="wish.withdrawn",
    title_zh="撤回微心愿",
    title_en="Wish withdrawn",
    moves="nothing",
    fields=WishWithdrawn,
    recorders=RECORDERS,
    plan=_plan_withdrawn,
    effects=_effects_withdrawn,
    example={
        "occurred_on": "2021-10-10",
        "fields": {"wish": "wish-0003", "withdrawn": "wish", "reason": "家庭情况变化"},
    },
)
