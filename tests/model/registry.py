"""The model's rules: codes that are given once, and dated rules."""

from __future__ import annotations

from typing import Any

from .units import Move, RefusedError
from .world import Rule, Told, World, refuse_if

FAMILY = {
    "party": "party.registered",
    "fund": "fund.opened",
    "project": "project.opened",
    "campaign": "campaign.filed",
    "item": "item.registered",
    "site": "site.registered",
    "wish": "wish.posted",
}


def the(world: World, family: str, code: str) -> Told:
    """What a code means; refused where nobody registered it."""
    found = world.registered(FAMILY[family], code)
    if found is None:
        raise RefusedError(f"unknown_{family}")
    return found


def claim(world: World, told: Told) -> None:
    """A code is given once."""
    refuse_if(world.registered(told.kind, told.fields["code"]), "code_taken")


def party(world: World, told: Told) -> list[Move]:
    claim(world, told)
    if told.get("party_class") == "person":
        refuse_if(told.get("name") or told.get("registration_number"), "person_named")
    else:
        refuse_if(told.get("name") is None, "name_missing")
    return []


def fund(world: World, told: Told) -> list[Move]:
    claim(world, told)
    free = told.get("fund_class") == "unrestricted"
    refuse_if(free == bool(told.get("purposes")), "purposes_mismatch")
    return []


def project(world: World, told: Told) -> list[Move]:
    claim(world, told)
    purposes = the(world, "fund", told.fields["fund"]).get("purposes")
    refuse_if(purposes and told.get("purpose") not in purposes, "purpose_not_of_fund")
    check_period(told)
    return []


def check_period(told: Told) -> None:
    ends = told.get("ends_on")
    refuse_if(ends is not None and ends < told.fields["starts_on"], "period_reversed")


def campaign(world: World, told: Told) -> list[Move]:
    claim(world, told)
    the(world, "fund", told.fields["fund"])
    if told.get("platform") is not None:
        the(world, "party", told.fields["platform"])
    check_period(told)
    return []


def item(world: World, told: Told) -> list[Move]:
    claim(world, told)
    units = [told.fields["unit"], *(pack["unit"] for pack in told.get("packs") or ())]
    refuse_if(len(units) > len(set(units)), "unit_twice")
    names = names_of(told)
    others = [one for one in world.entries if one.kind == "item.registered"]
    refuse_if(any(names & names_of(one) for one in others), "alias_taken")
    return []


def names_of(told: Told) -> set[str]:
    return {told.fields["name"], *(told.get("aliases") or ())}


def site(world: World, told: Told) -> list[Move]:
    claim(world, told)
    return []


# Dated rules


def versions(world: World, code: str) -> list[Told]:
    """All versions of a rule, oldest first."""
    return [
        one for one in world.entries if one.kind == "rule.published" and one.get("code") == code
    ]


TOPICS = (
    "points_issue",
    "points_price",
    "fee_cap",
    "matching",
    "shelf_life",
    "time_bank",
    "disclosure",
    "ageing",
    "pattern",
    "statistics",
)


def rule(world: World, told: Told) -> list[Move]:
    before = versions(world, told.fields["code"])
    refuse_if(told.get("version") != len(before) + 1, "version_not_next")
    for last in before[-1:]:
        refuse_if(last.get("topic") != told.get("topic"), "topic_changed")
        later = told.fields["in_force_from"] > last.fields["in_force_from"]
        refuse_if(not later, "not_after_last_version")
    given = [topic for topic in TOPICS if told.get(topic) is not None]
    refuse_if(given != [told.get("topic")], "parameters_mismatch")
    check_terms(world, told.fields["topic"], told.fields[told.fields["topic"]])
    return []


def check_terms(world: World, topic: str, terms: Any) -> None:
    """What the parameters name is there, and a deadline is one."""
    if topic == "points_price":
        the(world, "item", terms["item"])
    if topic == "shelf_life":
        for code in terms.get("items", ()):
            the(world, "item", code)
    if topic == "matching" and terms.get("campaign") is not None:
        the(world, "campaign", terms["campaign"])
    if topic == "disclosure":
        ways = [terms.get(way) for way in ("every_days", "within_days", "by_day")]
        refuse_if(sum(way is not None for way in ways) != 1, "one_deadline")
        amount = terms.get("amount_fen_min") is not None
        refuse_if(amount and terms["subject"] != "major_change", "amount_without_change")


def in_force(world: World, code: str, day: str) -> Told | None:
    """The version of a rule in force on a day."""
    begun = [one for one in versions(world, code) if one.fields["in_force_from"] <= day]
    return begun[-1] if begun else None


def terms_of(world: World, told: Told, topic: str, name: str = "rule") -> Any:
    """The terms of the rule that a record names, if it was in force that day."""
    code, version = told.fields[name], told.fields[f"{name}_version"]
    if not versions(world, code):
        raise RefusedError("unknown_rule")
    found = in_force(world, code, told.day)
    if found is None or found.get("version") != version or found.get("topic") != topic:
        raise RefusedError("rule_not_in_force")
    return found.fields[topic]


def terms_in_force(world: World, topic: str, day: str) -> list[Any]:
    """The terms of every rule of a topic on a day."""
    codes = {
        one.fields["code"]
        for one in world.entries
        if one.kind == "rule.published" and one.get("topic") == topic
    }
    found = (in_force(world, code, day) for code in sorted(codes))
    return [one.fields[topic] for one in found if one is not None]


RULES: dict[str, Rule] = {
    "party.registered": party,
    "fund.opened": fund,
    "project.opened": project,
    "campaign.filed": campaign,
    "item.registered": item,
    "site.registered": site,
    "rule.published": rule,
}
