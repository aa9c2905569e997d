"""Many random sequences, told to the model and to a real book: the long form of `test_model`.

    python tests/model/long_run.py [--seconds 600 | --examples 100] [--steps 150] [--seed 1]

Prints how often each kind was accepted and refused. Where the two disagree, it prints the
smallest sequence that shows it and the seed that repeats it, and exits with 1.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

if not __package__:
    # Started by its path: the folders of tests and of the checkout come first.
    tests = Path(__file__).resolve().parents[1]
    sys.path[:0] = [str(tests.parent), str(tests)]

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import get_state_machine_test
from model.machine import machine_for
from model.rulebook import RULES
from model.twins import ACCEPTED, Counts

SEQUENCES = 20
"""Sequences of one seed; a part of them would be other sequences."""
STEPS = 150
SECONDS = 600


def play(
    seed_number: int,
    counts: Counts,
    *,
    sequences: int = SEQUENCES,
    steps: int,
    shrink: bool,
    sought: Sequence[str] = (),
) -> None:
    """Run the sequences of one seed; raises what the first disagreement raises.

    Args:
        sought: Kinds that are asked for more often than others.
    """
    phases = (Phase.generate, Phase.shrink) if shrink else (Phase.generate,)
    quiet = settings(
        max_examples=sequences,
        stateful_step_count=steps,
        phases=phases,
        deadline=None,
        database=None,
        print_blob=False,
        suppress_health_check=list(HealthCheck),
    )
    seed(seed_number)(get_state_machine_test(machine_for(counts, sought), settings=quiet))()


def report(counts: Counts, seconds: float) -> str:
    """What the sequences met, kind by kind."""
    lines = [f"{'kind':<22}{'accepted':>9}{'refused':>9}  refusals"]
    for kind in RULES:
        codes = counts.by_kind.get(kind, {})
        others = sorted((n, code) for code, n in codes.items() if code != ACCEPTED)
        shown = ", ".join(f"{code} {n}" for n, code in reversed(others))
        lines.append(f"{kind:<22}{counts.accepted(kind):>9}{counts.refused(kind):>9}  {shown}")
    lines.append(f"{counts.sequences} sequences, {counts.records} records, {seconds:.0f} s")
    return "\n".join(lines)


def sequence(error: BaseException) -> str:
    """The smallest sequence of a failure, as Hypothesis noted it."""
    return "\n".join(getattr(error, "__notes__", ()))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=SECONDS)
    parser.add_argument("--examples", type=int, help="stop after so many sequences")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    counts, began, number = Counts(), time.monotonic(), wanted.seed
    while True:
        try:
            play(number, counts, steps=wanted.steps, shrink=True)
        except Exception as error:
            print(report(counts, time.monotonic() - began))
            print(f"\nthe model and the ledger disagree:\n{sequence(error)}\n")
            print(f"{type(error).__name__}: {error}")
            print(f"repeat: scripts/model --examples 1 --steps {wanted.steps} --seed {number}")
            return 1
        seconds = time.monotonic() - began
        print(f"seed {number}: they agree; {counts.records} records so far", file=sys.stderr)
        number += 1
        over = seconds >= wanted.seconds
        if wanted.examples is not None:
            over = counts.sequences >= wanted.examples
        if over:
            print(report(counts, seconds))
            return 0


if __name__ == "__main__":
    sys.exit(main())
