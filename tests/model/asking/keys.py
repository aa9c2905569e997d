"""Requests for the log's keys."""

from __future__ import annotations

from ..keys import ADDED, REVOKED, active, beginnings
from .chooser import Ask, Chooser, Fields

NUMBERS = (11, 12, 13, 14)
"""The keys that may come, by their numbers in ``tests/log_keys.py``."""
TEXTS = (
    "shanji.example/test+9b70fe73+Aanodt7z3iHFLSymIoOsHefs+uvmXFrVv5q5Z01aZVRd",
    "shanji.example/test+742c3ad5+ASq2NH2xjhe9BZ0ieOWavvLIgt+hfqFB77q2BgibCpSJ",
    "shanji.example/test+c8615728+AaBXPTJTGLdCweqqykLXzmvDr3INQn6OxUtOlb/uvBxa",
    "shanji.example/test+e9280cb5+AbM7vxP1Eq/T4zBEM2lGZP2/TtWeM0iy2Pb5gDSdgxIh",
)
OTHER_LOG = "shanji.example/other+ec686e1e+AYAyCM0trwh/2+8m725tY2+Om2VkfXVsGtSnmnzW0MKN"


def added(c: Chooser) -> Fields:
    text = OTHER_LOG if c.rarely(8) else c.pick(TEXTS)
    algorithm = "ml-dsa-44" if c.rarely(8) else "ed25519"
    return {"verifier_key": text, "algorithm": algorithm, "reason": "轮换"}


def revoked(c: Chooser) -> Fields:
    """An active key mostly, sometimes a revoked or an unknown one."""
    key = c.pick(list(beginnings(c.world))) if c.rarely(4) else c.pick(active(c.world))
    fields = {"key_id": "00000000" if c.rarely() else key}
    return {**fields, "reason": "superseded", "note": c.maybe("更换")}


ASKS: dict[str, Ask] = {ADDED: added, REVOKED: revoked}
