"""How a vector of a verdict is written: the input, and what is wanted of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from verdict_log import GIFT, LOG, NOW, VALUES, Receipt

Case = dict[str, Any]

FILE, CHECKPOINT, CONTENT = "file", "checkpoint", "content"
"""Where a refusal comes: in the file's form, at the checkpoint, or at what it is of."""


def case(
    desc: str,
    receipt: str | bytes,
    want: Case,
    *,
    keys: Sequence[str] = (LOG.vkey,),
    policy: str | bytes | None = None,
    now: int = NOW,
) -> Case:
    """One vector; with a policy the keys are left out."""
    given: Case = {}
    if isinstance(receipt, bytes):
        given["latin1"] = receipt.decode("latin-1")
    else:
        given["receipt"] = receipt
    if policy is None:
        given["keys"] = list(keys)
    elif isinstance(policy, bytes):
        given["policy_latin1"] = policy.decode("latin-1")
    else:
        given["policy"] = policy
    return {"desc": desc, "input": {**given, "now": now}, "want": want}


def _holds(*values: bool | None) -> Case:
    return dict(zip(("genuine", "recorded", "witnessed", "as_of"), values, strict=True))


def verified(
    receipt: Receipt,
    *,
    shown: Sequence[str] | None = None,
    witnessed: bool | None = None,
    seen: int | None = None,
    of: int | None = None,
) -> Case:
    """Wanted: it is verified, or pending where too few witnesses saw it.

    Args:
        receipt: It says index and size.
        shown: The personal fields that it opens; all of the gift's by default.
        witnessed: Whether enough witnesses saw it; None without a policy.
        seen: How many witnesses count.
        of: How many the policy has.
    """
    index = int(receipt.index)
    all_fields = sorted(VALUES) if index == GIFT else []
    names = all_fields if shown is None else sorted(shown)
    outcome = "pending" if witnessed is False else "verified"
    want: Case = {
        "outcome": outcome,
        "code": outcome,
        "holds": _holds(True, True, witnessed, True),
        "index": index,
        "size": int(receipt.text.split("\n")[1]),
        "values": {name: VALUES[name] for name in names},
        "hidden": [name for name in all_fields if name not in names],
    }
    if witnessed is not None:
        want |= {"cosigned": seen, "witnesses": of}
    return want


def mismatch(stage: str, code: str = "mismatch", *, witnessed: bool | None = None) -> Case:
    """Wanted: it contradicts, at this stage."""
    good = stage == CONTENT
    holds = _holds(True, False, witnessed, True) if good else _holds(False, None, None, None)
    return {"outcome": "mismatch", "code": code, "holds": holds}


def undecided(stage: str, code: str = "malformed", *, witnessed: bool | None = None) -> Case:
    """Wanted: nothing can be said, for a reason found at this stage."""
    good = stage == CONTENT
    holds = _holds(True, None, witnessed, True) if good else _holds(None, None, None, None)
    return {"outcome": "undecided", "code": code, "holds": holds}
