"""The model's rules: welfare points, service minutes, wishes."""

from __future__ import annotations

import datetime as dt

from .goods import NEVER, asset_of, first_expired, pieces, stock_account
from .money import earned, refunded_fen
from .registry import claim, terms_in_force, terms_of, the
from .units import Move, Rank, Tag
from .world import Rule, Told, World, refuse_if


def holder_account(code: str) -> str:
    return f"points:{code}"


def later(day: str, days: int) -> str:
    return (dt.date.fromisoformat(day) + dt.timedelta(days=days)).isoformat()


def issued(world: World, told: Told) -> list[Move]:
    holder, index = told.fields["holder"], told.fields["source"]
    the(world, "party", holder)
    terms = terms_of(world, told, "points_issue")
    source = world.entry(index)
    refuse_if(source.kind not in terms["sources"], "source_not_of_rule")
    refuse_if(source.day > told.day, "source_is_later")
    for one in world.alive("points.issued"):
        same = one.get("rule") == told.get("rule") and one.get("source") == index
        refuse_if(same, "source_used")
    refuse_if(source.reversed_by is not None, "source_reversed")
    if source.kind == "donation.money":
        amount = earned(terms, source.fields["amount_fen"] - refunded_fen(world, index))
    else:
        amount = earned(terms, 1)
    refuse_if(amount < 1, "no_points")
    usable = later(told.day, terms.get("wait_days") or 0)
    valid = terms.get("valid_days")
    tag = (NEVER if valid is None else later(usable, valid), usable)
    return [Move("points", amount, "world:issuer", holder_account(holder), tag=tag)]


def usable_on(day: str) -> Rank:
    """Points that wait no more and have not expired; the first to expire leave first."""

    def rank(tag: Tag) -> tuple[str, ...] | None:
        expires, usable = tag
        return (expires,) if usable <= day <= expires else None

    return rank


def expired_on(day: str) -> Rank:
    return lambda tag: (tag[0],) if tag[0] < day else None


def count(world: World, holder: str, rank: Rank) -> int:
    units = world.accounts.held("points", holder_account(holder))
    return sum(rank(unit.tag) is not None for unit in units)


def redeemed(world: World, told: Told) -> list[Move]:
    fields, holder = told.fields, told.fields["holder"]
    the(world, "party", holder)
    shop = the(world, "site", fields["shop"])
    refuse_if(shop.get("site_class") != "charity_supermarket", "not_a_shop")
    amount = pieces(world, fields)
    terms = terms_of(world, told, "points_price", "price_rule")
    cost = amount * terms["points_per_unit"]
    agrees = (terms["item"], cost) == (fields["item"], fields["points"])
    refuse_if(not agrees, "price_mismatch")
    rank, stock = usable_on(told.day), stock_account(fields["shop"])
    goods = asset_of(fields["item"])
    return [
        Move("points", cost, holder_account(holder), "world:redeemed", rank),
        Move(goods, amount, stock, "world:beneficiary", first_expired()),
    ]


def expired(world: World, told: Told) -> list[Move]:
    holder, rank = told.fields["holder"], expired_on(told.day)
    the(world, "party", holder)
    amount = count(world, holder, rank)
    refuse_if(amount == 0, "nothing_expired")
    return [Move("points", amount, holder_account(holder), "world:expired", rank)]


def taken_back(world: World, told: Told) -> list[Move]:
    index = told.fields["issue"]
    refuse_if(world.entry(index).kind != "points.issued", "not_an_issue")
    left = world.there(index)
    refuse_if(not left, "no_points_left")
    return [Move("points", len(left), left[0].account, "world:issuer", units=left)]


# The time bank


def minutes(clock: str) -> int:
    return int(clock[:2]) * 60 + int(clock[3:])


def times(told: Told) -> tuple[int, int]:
    return minutes(told.fields["starts_at"]), minutes(told.fields["ends_at"])


def served(world: World, told: Told) -> list[Move]:
    volunteer = told.fields["volunteer"]
    the(world, "party", volunteer)
    the(world, "party", told.fields["organiser"])
    begins, ends = times(told)
    refuse_if(ends <= begins, "service_ends_first")
    same_day = [
        times(one)
        for one in world.alive("service.recorded")
        if one.get("volunteer") == volunteer and one.day == told.day
    ]
    overlap = any(begins < other[1] and other[0] < ends for other in same_day)
    refuse_if(overlap, "service_overlaps")
    total = ends - begins + sum(other[1] - other[0] for other in same_day)
    for terms in terms_in_force(world, "time_bank", told.day):
        refuse_if(total > terms["minutes_per_day_max"], "service_over_daily_limit")
    return []


def confirmed(world: World, told: Told) -> list[Move]:
    service = world.entry(told.fields["service"])
    refuse_if(service.kind != "service.recorded", "not_a_service")
    refuse_if(service.reversed_by is not None, "service_reversed")
    refuse_if(confirmation(world, service.index), "service_confirmed")
    who = told.fields["confirmed_by"]
    party = the(world, "party", who)
    refuse_if(who == service.get("volunteer"), "confirmed_by_volunteer")
    stranger = party.get("party_class") != "person" and who != service.get("organiser")
    refuse_if(stranger, "confirmed_by_stranger")
    refuse_if(told.day < service.day, "confirmed_before_service")
    refuse_if(told.by == service.by, "confirmed_by_recorder")
    begins, ends = times(service)
    account = f"minutes:{service.fields['volunteer']}"
    return [Move("minutes", ends - begins, "world:service", account, tag=())]


def confirmation(world: World, service: int) -> Told | None:
    """The entry that confirms a service."""
    found = (one for one in world.alive("service.confirmed") if one.get("service") == service)
    return next(found, None)


def spent(world: World, told: Told) -> list[Move]:
    holder = told.fields["holder"]
    the(world, "party", holder)
    return [Move("minutes", told.fields["minutes"], f"minutes:{holder}", "world:helped")]


# Wishes


def status_of(world: World, code: str) -> str:
    """What became of a wish, told again from its entries."""
    status = "posted" if world.registered("wish.posted", code) else "unknown"
    for one in world.entries:
        if one.get("wish") != code:
            continue
        if one.kind == "wish.withdrawn":
            back = {"wish": "withdrawn", "claim": "posted", "fulfilment": "claimed"}
            status = back[one.fields["withdrawn"]]
        elif one.kind in ("wish.claimed", "wish.fulfilled"):
            status = one.kind.removeprefix("wish.")
    return status


def check_status(world: World, told: Told, *wanted: str) -> None:
    status = status_of(world, told.fields["wish"])
    refuse_if(status == "unknown", "unknown_wish")
    refuse_if(status not in wanted, "wish_status")


def fulfilment(world: World, gift: int) -> Told | None:
    """The fulfilment that names a gift, unless it was withdrawn since."""
    found = None
    for one in world.entries:
        if one.kind == "wish.fulfilled" and one.get("gift") == gift:
            found = one
        if found is not None and one.kind == "wish.withdrawn":
            same = one.get("wish") == found.get("wish")
            found = None if same and one.get("withdrawn") == "fulfilment" else found
    return found


def posted(world: World, told: Told) -> list[Move]:
    claim(world, told)
    return []


def claimed(world: World, told: Told) -> list[Move]:
    check_status(world, told, "posted")
    the(world, "party", told.fields["claimant"])
    return []


def fulfilled(world: World, told: Told) -> list[Move]:
    check_status(world, told, "claimed")
    gift = world.entry(told.fields["gift"])
    refuse_if(gift.kind not in ("donation.money", "donation.goods"), "not_a_gift")
    refuse_if(gift.reversed_by is not None, "gift_reversed")
    refuse_if(fulfilment(world, gift.index), "gift_fulfils_other")
    return []


def withdrawn(world: World, told: Told) -> list[Move]:
    wanted = {
        "wish": ("posted", "claimed"),
        "claim": ("claimed",),
        "fulfilment": ("fulfilled",),
    }
    check_status(world, told, *wanted[told.fields["withdrawn"]])
    return []


RULES: dict[str, Rule] = {
    "points.issued": issued,
    "points.redeemed": redeemed,
    "points.expired": expired,
    "points.reversed": taken_back,
    "service.recorded": served,
    "service.confirmed": confirmed,
    "hours.spent": spent,
    "wish.posted": posted,
    "wish.claimed": claimed,
    "wish.fulfilled": fulfilled,
    "wish.withdrawn": withdrawn,
}
