"""The whole ledger against a model in plain lists: random sequences of all kinds.

The long form is ``scripts/model``; what the model is stands in ``tests/model/__init__.py``.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from model.asking.everything import ASKS
from model.long_run import play
from model.rulebook import APPROVED, RULES
from model.twins import Counts

from ledger.records import points
from ledger.records.catalog import KINDS
from ledger.records.gifts import points_earned
from ledger.units import Holdings, Range, Rank, joined

SEQUENCES, STEPS = 10, 140
SEQUENCES_MORE, SEEDS_MAX = 2, 20
"""Once the first seed's sequences are played, so few of each further seed, up to this one, until
each kind was accepted and refused."""
RUNNING = frozenset(("comparison.py", "long_run.py", "machine.py", "twins.py"))
"""The modules of the model that know the ledger: they run it and compare."""


def test_every_kind_has_a_rule_in_the_model_and_is_asked_for() -> None:
    kinds = {kind.name for kind in KINDS if kind.recorders}
    assert set(RULES) == kinds
    assert set(ASKS) == kinds
    assert {kind.name for kind in KINDS if kind.approvers} == APPROVED


def test_the_model_takes_nothing_from_the_ledger(repository: Path) -> None:
    folder = repository / "tests" / "model"
    modules = [one for one in folder.rglob("*.py") if one.name not in RUNNING]
    assert len(modules) > len(RUNNING)
    for module in modules:
        for node in ast.walk(ast.parse(module.read_text("utf-8"))):
            names = [one.name for one in getattr(node, "names", ())]
            names.append(getattr(node, "module", None) or "")
            assert not any(name.partition(".")[0] == "ledger" for name in names), module


@pytest.mark.soak
@pytest.mark.slow
def test_the_model_and_the_ledger_agree() -> None:
    counts = Counts()
    play(1, counts, sequences=SEQUENCES, steps=STEPS, shrink=False)
    for seed in range(2, SEEDS_MAX + 1):
        sought = sorted({one.split()[0] for one in counts.lacking()})
        if not sought:
            break
        play(seed, counts, sequences=SEQUENCES_MORE, steps=STEPS, shrink=False, sought=sought)
    assert counts.lacking() == [], counts


def _newest_first(self: Holdings, amount: int, rank: Rank = lambda label: ()) -> list[Range]:
    """A wrong `Holdings.pick`: what came last leaves first."""
    held = [(first, end) for first, end, label in self.segments() if rank(label) is not None]
    numbers = [number for first, end in held for number in range(first, end)]
    return joined((number, number + 1) for number in numbers[-amount:])


@pytest.mark.parametrize("wrong", ["the newest leave first", "a point too many"])
def test_a_wrong_ledger_is_found(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    if wrong == "a point too many":
        monkeypatch.setattr(points, "points_earned", lambda *given: points_earned(*given) + 1)
    else:
        monkeypatch.setattr(Holdings, "pick", _newest_first)
    with pytest.raises(AssertionError):
        play(1, Counts(), sequences=SEQUENCES, steps=STEPS, shrink=False)
