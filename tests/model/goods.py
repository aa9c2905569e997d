"""The model's rules: goods given, bought, moved, handed out, repacked, counted, lost, sold."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from .money import check_payment, earmark, fund_account, open_project
from .registry import terms_in_force, the
from .units import Move, Rank, Tag
from .world import Rule, Told, World, refuse_if

NEVER = "9999-12-31"
Line = Mapping[str, Any]


def asset_of(item: str) -> str:
    return f"item:{item}"


def stock_account(site: str) -> str:
    return f"stock:{site}"


def pieces(world: World, line: Line, item: str | None = None) -> int:
    """A quantity in the item's base unit."""
    found = the(world, "item", item or line["item"])
    factors = {pack["unit"]: pack["factor"] for pack in found.get("packs") or ()}
    factors[found.fields["unit"]] = 1
    unit = line.get("unit") or found.fields["unit"]
    refuse_if(unit not in factors, "unknown_unit")
    return int(line["quantity"] * factors[unit])


def lot_tag(world: World, item: str, line: Line) -> Tag:
    """Best-before date and lot."""
    best, made = line.get("best_before"), line.get("made_on")
    refuse_if(the(world, "item", item).get("perishable") and not best, "best_before_missing")
    refuse_if(best and made and best < made, "best_before_made")
    return (best or "", line.get("lot") or "")


def check_shelf_life(world: World, item: str, line: Line, day: str) -> None:
    """Goods that soon go bad are not taken in."""
    best = line.get("best_before")
    if best is None:
        return
    left = (dt.date.fromisoformat(best) - dt.date.fromisoformat(day)).days
    for terms in terms_in_force(world, "shelf_life", day):
        about = not terms.get("items") or item in terms["items"]
        refuse_if(about and left < terms["days_min"], "shelf_life_too_short")


def first_expired(lot: str | None = None) -> Rank:
    """The earliest best-before date first; of a lot that is named, only that lot."""

    def rank(tag: Tag) -> tuple[str, ...] | None:
        best, of_lot = tag
        return None if lot is not None and of_lot != lot else (best or NEVER,)

    return rank


def given(world: World, told: Told) -> list[Move]:
    item, fields = told.fields["item"], told.fields
    amount = pieces(world, fields)
    the(world, "site", fields["site"])
    open_to_goods(world, told.get("project"))
    tag = lot_tag(world, item, fields)
    check_shelf_life(world, item, fields, told.day)
    return [Move(asset_of(item), amount, "world:donor", stock_account(fields["site"]), tag=tag)]


def open_to_goods(world: World, project: str | None) -> None:
    """Goods are given to a project whatever fund it is of."""
    if project is not None:
        open_project(world, project, the(world, "project", project).fields["fund"])


def bought(world: World, told: Told) -> list[Move]:
    rank = check_payment(world, told)
    fields, day = told.fields, told.day
    the(world, "party", fields["supplier"])
    the(world, "site", fields["site"])
    fund, stock = fund_account(fields["fund"]), stock_account(fields["site"])
    moves: list[Move] = []
    for line in fields["lines"]:
        amount = pieces(world, line)
        check_shelf_life(world, line["item"], line, day)
        tag = lot_tag(world, line["item"], line)
        asset, paid = asset_of(line["item"]), len(moves)
        moves.append(Move("CNY", line["cost_fen"], fund, "world:supplier", rank))
        moves.append(Move(asset, amount, "world:supplier", stock, tag=tag, made_of=(paid,)))
    return moves


def sent(world: World, told: Told) -> list[Move]:
    fields, shipment = told.fields, told.fields["shipment"]
    refuse_if(sending(world, shipment), "code_taken")
    refuse_if(fields["from_site"] == fields["to_site"], "moved_nowhere")
    amount = pieces(world, fields)
    the(world, "site", fields["from_site"])
    the(world, "site", fields["to_site"])
    source, target = stock_account(fields["from_site"]), f"transit:{shipment}"
    rank = first_expired(told.get("lot"))
    return [Move(asset_of(fields["item"]), amount, source, target, rank)]


def sending(world: World, shipment: str) -> Told | None:
    """The entry that sent a shipment, reversed or not."""
    found = (
        one
        for one in world.entries
        if one.kind == "goods.moved" and one.get("shipment") == shipment
    )
    return next(found, None)


def received(world: World, told: Told) -> list[Move]:
    shipment, site = told.fields["shipment"], told.fields["site"]
    found = sending(world, shipment)
    refuse_if(found is None, "unknown_shipment")
    assert found is not None
    refuse_if(found.get("to_site") != site, "wrong_site")
    item = found.fields["item"]
    amount = pieces(world, told.fields, item)
    return [Move(asset_of(item), amount, f"transit:{shipment}", stock_account(site))]


def handed_out(world: World, told: Told) -> list[Move]:
    fields = told.fields
    amount = pieces(world, fields)
    the(world, "site", fields["site"])
    if told.get("recipient") is not None:
        the(world, "party", fields["recipient"])
    if told.get("project") is not None:
        the(world, "project", fields["project"])
    return [out(told, amount, "world:beneficiary")]


def out(told: Told, amount: int, target: str) -> Move:
    asset, stock = asset_of(told.fields["item"]), stock_account(told.fields["site"])
    return Move(asset, amount, stock, target, first_expired(told.get("lot")))


def repacked(world: World, told: Told) -> list[Move]:
    fields = told.fields
    amount = pieces(world, fields)
    tag = lot_tag(world, fields["item"], fields)
    the(world, "site", fields["site"])
    stock = stock_account(fields["site"])
    moves: list[Move] = []
    used = {fields["item"]}
    earliest = NEVER
    for line in fields["inputs"]:
        taken = pieces(world, line)
        refuse_if(line["item"] in used, "item_twice")
        used.add(line["item"])
        rank = first_expired(line.get("lot"))
        moves.append(Move(asset_of(line["item"]), taken, stock, "world:repack", rank))
        for unit in world.accounts.choose(moves[-1:])[0]:
            earliest = min(earliest, unit.tag[0] or NEVER)
    refuse_if((fields.get("best_before") or NEVER) > earliest, "best_before_later")
    made_of = tuple(range(len(moves)))
    asset = asset_of(fields["item"])
    moves.append(Move(asset, amount, "world:repack", stock, tag=tag, made_of=made_of))
    return moves


def counted(world: World, told: Told) -> list[Move]:
    item, site = told.fields["item"], told.fields["site"]
    the(world, "item", item)
    the(world, "site", site)
    booked = world.accounts.balance(asset_of(item), stock_account(site))
    found = told.fields["counted"]
    refuse_if(found != booked and told.get("reason") is None, "difference_unexplained")
    if found < booked:
        return [out(told, booked - found, "world:loss")]
    if found > booked:
        tag = lot_tag(world, item, told.fields)
        stock = stock_account(site)
        return [Move(asset_of(item), found - booked, "world:surplus", stock, tag=tag)]
    return []


def written_off(world: World, told: Told) -> list[Move]:
    amount = pieces(world, told.fields)
    site, shipment = told.get("site"), told.get("shipment")
    refuse_if((site is None) == (shipment is None), "one_place")
    if site is not None:
        the(world, "site", site)
        return [out(told, amount, "world:loss")]
    refuse_if(sending(world, shipment) is None, "unknown_shipment")
    asset, rank = asset_of(told.fields["item"]), first_expired(told.get("lot"))
    return [Move(asset, amount, f"transit:{shipment}", "world:loss", rank)]


def sold(world: World, told: Told) -> list[Move]:
    fields = told.fields
    amount = pieces(world, fields)
    the(world, "site", fields["site"])
    the(world, "fund", fields["fund"])
    open_project(world, told.get("project"), fields["fund"])
    fund, tag = fund_account(fields["fund"]), earmark(told.get("project"))
    price = Move("CNY", fields["amount_fen"], "world:buyer", fund, tag=tag, made_of=(0,))
    return [out(told, amount, "world:buyer"), price]


RULES: dict[str, Rule] = {
    "donation.goods": given,
    "purchase.made": bought,
    "goods.moved": sent,
    "goods.received": received,
    "goods.distributed": handed_out,
    "goods.repacked": repacked,
    "goods.counted": counted,
    "goods.written_off": written_off,
    "goods.sold": sold,
}
