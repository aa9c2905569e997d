"""Makes the vectors of verdicts: ``python tests/vectors/generate_verdicts.py``.

Files under ``docs/vectors/verdicts/``, each a list of ``{desc, input, want}``. The input is a
receipt (``receipt``, or ``latin1`` where it is not UTF-8), whom the reader trusts (``keys`` or
``policy``) and the reader's clock ``now``; wanted are the outcome, the reason's code, what holds
of each row (null: not reached), and where it is verified or pending what it shows.

Library, command, browser and saved page must agree on all of them. Each expectation is
written here by hand from docs/formats.md, and nothing comes from the code under test but the
ML-DSA-44 signatures (``verdict_trust.ML_DSA``).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from verdict_cases import Case
from verdict_content import content_cases, opening_cases
from verdict_notes import layout_cases, note_cases
from verdict_trust import key_cases, policy_cases

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "vectors" / "verdicts"

BUILDERS: dict[str, Callable[[], list[Case]]] = {
    "layout": layout_cases,
    "content": content_cases,
    "opening": opening_cases,
    "checkpoint": note_cases,
    "keys": key_cases,
    "policy": policy_cases,
}


def encode(cases: list[Any]) -> str:
    return json.dumps(cases, ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    total = 0
    for name, build in BUILDERS.items():
        made = build()
        total += len(made)
        (FOLDER / f"{name}.json").write_text(encode(made), encoding="utf-8")
    print(f"{total} cases")
