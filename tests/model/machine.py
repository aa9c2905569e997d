"""The Hypothesis state machine: random sequences of all kinds, told to both ledgers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from random import Random

import pytest
from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from ledger.errors import MalformedError

from .asking.chooser import Chooser
from .asking.everything import ASKS, ask, ask_any
from .rulebook import APPROVED
from .twins import Counts, Twins

BATCH_MAX = 5
SOUGHT_ONE_IN = 3
SEASON_DAYS = 100
SEEDS_MAX = 2**20 - 1
PEOPLE = ("approver-1", "recorder-1", "recorder-2")


class LedgerMachine(RuleBasedStateMachine):
    """One sequence; a class made by `machine_for` counts what all of its sequences met."""

    counts: Counts
    sought: Sequence[str] = ()
    """Kinds that are asked for more often than others."""

    def __init__(self) -> None:
        super().__init__()
        self.pair = Twins(self.counts, note)
        self.batch = 1
        self.whole = True
        """False once a step has failed: there is nothing more to compare."""
        self.counts.sequences += 1

    @initialize(batch=st.integers(1, BATCH_MAX))
    def begin(self, batch: int) -> None:
        """The registers; and how many records are submitted at once from then on."""
        self.whole = False
        self.pair.begin()
        self.batch, self.whole = batch, True

    @rule(seed=st.integers(0, SEEDS_MAX))
    def step(self, seed: int) -> None:
        """One step, whatever the seed makes of it; 0 is no step, so that sequences shrink."""
        if seed == 0:
            return
        self.whole = False
        c = Chooser(self.pair.world, Random(seed))
        OTHER_STEPS.get(c.number(0, 19), LedgerMachine.record)(self, c)
        self.whole = True

    def record(self, c: Chooser) -> None:
        """One record; a batch is submitted when it is full."""
        seek = self.sought and c.number(1, SOUGHT_ONE_IN) == 1
        self.pair.tell(ask(c, c.pick(self.sought)) if seek else ask_any(c))
        if self.pair.waiting >= self.batch:
            self.pair.flush()

    def repeat(self, c: Chooser) -> None:
        """A request is sent again under its key, as it was or changed."""
        key, request = c.pick(self.pair.sent)
        if c.rarely(4):
            request = replace(request, by="recorder-3")
        self.pair.tell(request, key)

    def malformed(self, c: Chooser) -> None:
        """What is no record is told at once, and nothing else happens."""
        body = ask(c, c.pick(tuple(ASKS))).body
        broken, code = c.pick(
            (
                ({**body, "fields": {**body["fields"], "surprise": 1}}, "invalid_record"),
                ({**body, "occurred_on": "2022-02-30"}, "invalid_record"),
                ({**body, "fields": {}}, "invalid_record"),
                ({**body, "sealed": {"surprise": "x"}}, "invalid_record"),
                ({**body, "kind": "donation.blood"}, "unknown_kind"),
                ({**body, "kind": "log.opened"}, "unknown_kind"),
                ([body], "invalid_record"),
            )
        )
        with pytest.raises(MalformedError) as refused:
            self.pair.prepare_body(broken, self.pair.new_key(), "recorder-1", None)
        assert refused.value.code == code

    def propose(self, c: Chooser) -> None:
        kinds = tuple(ASKS) if c.rarely() else tuple(sorted(APPROVED))
        self.pair.propose(ask(c, c.pick(kinds)))

    def decide(self, c: Chooser) -> None:
        """A proposal is approved, or rejected; it may be decided or too old."""
        count = len(self.pair.proposals)
        if not count:
            return self.propose(c)
        number, person = count - c.number(0, min(count, 4) - 1), c.pick(PEOPLE)
        if c.rarely(6):
            self.pair.reject(number, person)
        else:
            self.pair.approve(number, person)

    def days_pass(self, c: Chooser) -> None:
        """A day or some; now and then a month, a season where rare kinds are sought."""
        if self.sought and c.rarely(3):
            self.pair.pass_days(SEASON_DAYS)
        else:
            self.pair.pass_days(31 if c.rarely(10) else c.number(1, 3))

    def teardown(self) -> None:
        """Compare everything; take everything back; compare everything again."""
        try:
            if self.whole:
                self.pair.compare()
                self.pair.take_everything_back()
                self.pair.compare()
        finally:
            self.pair.close()


OTHER_STEPS: Mapping[int, Callable[[LedgerMachine, Chooser], None]] = {
    15: LedgerMachine.repeat,
    16: LedgerMachine.malformed,
    17: LedgerMachine.days_pass,
    18: LedgerMachine.propose,
    19: LedgerMachine.decide,
}
"""Of twenty steps, these; the others record something."""


def machine_for(counts: Counts, sought: Sequence[str] = ()) -> type[LedgerMachine]:
    """The state machine, counting into `counts` and asking for the kinds `sought` more often."""
    return type("LedgerMachine", (LedgerMachine,), {"counts": counts, "sought": tuple(sought)})
