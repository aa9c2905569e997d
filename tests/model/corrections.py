"""The model's rules: opening balances, reversals, annotations."""

from __future__ import annotations

from collections.abc import Iterator

from .goods import NEVER, asset_of, lot_tag, pieces, stock_account
from .money import earmark, fund_account, open_project
from .papers import receipt_of
from .points import confirmation, fulfilment, holder_account
from .registry import the
from .units import Move, Posted, RefusedError, Undone, is_outside
from .world import CLAIMING, CORRECTIONS, REVERSAL, Rule, Told, World, refuse_if

OPENING = "world:opening"


def opened(world: World, told: Told) -> list[Move]:
    parts = [name for name in ("fund", "stock", "points") if told.get(name) is not None]
    refuse_if(len(parts) != 1, "one_account")
    refuse_if(told.fields["as_of"] > told.day, "as_of_later")
    opens = {"fund": open_fund, "stock": open_stock, "points": open_points}
    moves = opens[parts[0]](world, told)
    check_unused(world, moves[0])
    return moves


def open_fund(world: World, told: Told) -> list[Move]:
    opening = told.fields["fund"]
    fund, account = opening["fund"], fund_account(opening["fund"])
    the(world, "fund", fund)
    moves: list[Move] = []
    free = opening["amount_fen"]
    for part in opening.get("earmarked") or ():
        open_project(world, part["project"], fund)
        amount, tag = part["amount_fen"], earmark(part["project"])
        moves.append(Move("CNY", amount, OPENING, account, tag=tag))
        free -= amount
    refuse_if(free < 0, "earmarked_over_amount")
    if free:
        moves.insert(0, Move("CNY", free, OPENING, account, tag=earmark(None)))
    return moves


def open_stock(world: World, told: Told) -> list[Move]:
    opening = told.fields["stock"]
    the(world, "site", opening["site"])
    asset, account = asset_of(opening["item"]), stock_account(opening["site"])
    moves: list[Move] = []
    for lot in opening["lots"]:
        amount = pieces(world, lot, opening["item"])
        tag = lot_tag(world, opening["item"], lot)
        moves.append(Move(asset, amount, OPENING, account, tag=tag))
    return moves


def open_points(world: World, told: Told) -> list[Move]:
    opening = told.fields["points"]
    the(world, "party", opening["holder"])
    tag = (opening.get("expires_on") or NEVER, told.fields["as_of"])
    account = holder_account(opening["holder"])
    return [Move("points", opening["points"], OPENING, account, tag=tag)]


def check_unused(world: World, move: Move) -> None:
    """Before any other movement of the account, and again only if all that was taken back."""

    def touches(posting: Posted) -> bool:
        return posting.asset == move.asset and move.target in (posting.source, posting.target)

    for one in world.entries:
        if not any(touches(posting) for posting in one.postings):
            continue
        undone = one.kind == "balance.opened" and one.reversed_by is not None
        undoes = (
            one.kind == REVERSAL and world.entries[one.fields["entry"]].kind == "balance.opened"
        )
        refuse_if(not undone and not undoes, "account_in_use")


def reversed_(world: World, told: Told) -> list[Move]:
    """Every posting of the entry, the other way round, with its very units."""
    undone = world.entry(told.fields["entry"])
    refuse_if(undone.kind == REVERSAL, "reversal_of_reversal")
    refuse_if(not undone.postings and undone.kind not in CLAIMING, "nothing_to_reverse")
    refuse_if(undone.reversed_by is not None, "already_reversed")
    for code, uses in (
        ("entry_relied_on", relying),
        ("points_depend", points_for),
        ("units_moved_on", taking),
    ):
        if any(True for _ in uses(world, undone)):
            raise RefusedError(code, undo_first(world, undone))
    moves: list[Move] = []
    for number, (posting, units) in enumerate(zip(undone.postings, undone.moved, strict=True)):
        assert is_outside(posting.target) or world.there(undone.index, number) == units
        moves.append(
            Move(posting.asset, posting.amount, posting.target, posting.source, units=units)
        )
    return moves


Use = tuple[Told, str]
"""A later entry that stands in the way, and the kind that undoes it."""


def relying(world: World, told: Told) -> Iterator[Use]:
    """A valid receipt, a fulfilment, matching gifts, a confirmation, bank lines, a statement."""
    for one in world.alive("statement.matched"):
        if one.get("statement") == told.index:
            yield one, REVERSAL
    alias = told.get("account_alias") if told.kind == "statement.imported" else None
    for one in world.alive("statement.imported"):
        if one.index > told.index and one.get("account_alias") == alias:
            yield one, REVERSAL
            break
    for one in world.alive("donation.matched"):
        if told.index in one.fields["gifts"]:
            yield one, REVERSAL
    naming = (
        (receipt_of(world, told.index), "receipt.voided"),
        (fulfilment(world, told.index), "wish.withdrawn"),
        (confirmation(world, told.index), REVERSAL),
    )
    for found, way in naming:
        if found is not None:
            yield found, way


def points_for(world: World, told: Told) -> Iterator[Use]:
    """Points that the entry earned, of which some are still there."""
    for one in world.alive("points.issued"):
        if one.get("source") == told.index and world.there(one.index):
            yield one, "points.reversed"


def taking(world: World, told: Told) -> Iterator[Use]:
    """What took units from where the entry had put them."""
    for number, (posting, units) in enumerate(zip(told.postings, told.moved, strict=True)):
        for unit in () if is_outside(posting.target) else units:
            if not unit.is_where(told.index, number):
                yield world.entries[unit.after(told.index, number)], REVERSAL


def undo_first(world: World, told: Told) -> list[Undone]:
    """All that rests on an entry, and on that again, the newest first."""
    rests: dict[int, set[int]] = {}
    ways: dict[int, str | None] = {}
    waiting, seen = [told], {told.index}
    while waiting:
        at = waiting.pop()
        for uses in (relying, points_for, taking):
            for use, way in uses(world, at):
                rests.setdefault(use.index, set()).add(at.index)
                ways[use.index] = None if use.kind == REVERSAL else way
                if way == REVERSAL and use.index not in seen:
                    seen.add(use.index)
                    waiting.append(use)
    return [(one, tuple(sorted(rests[one])), ways[one]) for one in sorted(rests, reverse=True)]


def replaced(world: World, told: Told) -> list[Move]:
    """What stands in the place of a reversed entry; it stands in no other's."""
    undone, by = world.entry(told.fields["entry"]), world.entry(told.fields["by"])
    refuse_if(undone.reversed_by is None, "not_reversed")
    anew = by.index > undone.index and by.kind not in (*CORRECTIONS, told.kind)
    refuse_if(not anew or by.reversed_by is not None, "not_a_replacement")
    named = [one for one in world.entries if one.kind == told.kind]
    refuse_if(any(one.get("by") == by.index for one in named), "already_replaces")
    return []


EARMARKS = ("project", "from_project", "to_project", "lot", "made_on", "best_before")
"""Decide which units may leave for what, and are in no posting."""


LISTS = ("purposes", "packs", "aliases")
"""What an entry shows as an empty list where it was left out."""


def annotated(world: World, told: Told) -> list[Move]:
    """Public text that moved nothing."""
    entry = world.entry(told.fields["entry"])
    first, *rest = told.fields["field"].split(".")
    refuse_if(first not in world.public_fields.get(entry.kind, ()), "field_not_public")
    value = entry.get(first)
    if value is None and first in LISTS:
        value = []
    for name in rest:
        value = value.get(name) if isinstance(value, dict) else value
    countable = not isinstance(value, str | bool | None)
    decides = bool(entry.postings) and (rest or [first])[-1] in EARMARKS
    refuse_if(countable or decides or value in codes_of(entry), "field_moves_units")
    return []


def codes_of(entry: Told) -> set[str]:
    """The codes in an entry's postings: what moved, from where, to where."""
    found = set()
    for posting in entry.postings:
        for name in (posting.asset, posting.source, posting.target):
            if ":" in name and not is_outside(name):
                found.add(name.partition(":")[2])
    return found


RULES: dict[str, Rule] = {
    "balance.opened": opened,
    "entry.reversed": reversed_,
    "entry.replaced": replaced,
    "entry.annotated": annotated,
}
