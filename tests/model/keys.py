"""The model's rules: the log's keys, of which one comes and another goes."""

from __future__ import annotations

from .units import Move, RefusedError
from .world import Rule, Told, World, refuse_if

ADDED, REVOKED = "key.added", "key.revoked"


def name_of(text: str) -> str:
    """The name in a verifier key, which is written ``name+id+key``."""
    return text.split("+", 2)[0]


def id_of(text: str) -> str:
    return text.split("+", 2)[1]


def beginnings(world: World) -> dict[str, int]:
    """By id, the smallest size that each key signs: its entry is in it."""
    found = {id_of(text): 0 for text in world.entries[0].fields["keys"]}
    for one in world.entries:
        if one.kind == ADDED:
            found[id_of(one.fields["verifier_key"])] = one.index + 1
    return found


def ends(world: World) -> dict[str, int]:
    """By id, the largest size that each revoked key signs: its revocation is not in it."""
    return {one.fields["key_id"]: one.index for one in world.entries if one.kind == REVOKED}


def signers(world: World, size: int) -> list[str]:
    """The ids of the keys that sign the checkpoint of a size."""
    over = ends(world)
    return [
        key
        for key, first in beginnings(world).items()
        if first <= size and size <= over.get(key, size)
    ]


def active(world: World) -> list[str]:
    """The ids of the keys that are not revoked, the oldest first."""
    over = ends(world)
    return [key for key in beginnings(world) if key not in over]


def added(world: World, told: Told) -> list[Move]:
    """A new Ed25519 key with the log's name; the model has no others."""
    text = told.fields["verifier_key"]
    refuse_if(name_of(text) != name_of(world.entries[0].fields["keys"][0]), "key_name")
    refuse_if(told.fields["algorithm"] != "ed25519", "key_algorithm")
    refuse_if(id_of(text) in beginnings(world), "key_known")
    return []


def revoked(world: World, told: Told) -> list[Move]:
    key = told.fields["key_id"]
    if key not in beginnings(world):
        raise RefusedError("unknown_key")
    refuse_if(key in ends(world), "already_revoked")
    refuse_if(active(world) == [key], "last_key")
    return []


RULES: dict[str, Rule] = {ADDED: added, REVOKED: revoked}
