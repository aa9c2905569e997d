"""The Hypothesis state machine: random sequences of all kinds, told to both ledgers."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from ledger.errors import MalformedError

from .asking.chooser import Chooser, Request
from .asking.everything import ASKS, FAMILIES, ask
from .rulebook import APPROVED
from .twins import Counts, Twins

BATCH_MAX = 5
PEOPLE = ("approver-1", "recorder-1", "recorder-2")


class LedgerMachine(RuleBasedStateMachine):
    """One sequence; a class made by `machine_for` counts what all of its sequences met."""

    counts: Counts

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="shanji-model-"))
        self.pair = Twins(self.folder / "book", self.counts, note)
        self.batch = 1
        self.counts.sequences += 1

    @initialize(batch=st.integers(1, BATCH_MAX))
    def begin(self, batch: int) -> None:
        """How many records are submitted at once."""
        self.batch = batch

    def _chooser(self, data: Any) -> Chooser:
        return Chooser(self.pair.world, data.draw)

    def _tell(self, data: Any, family: str) -> None:
        """One record of a family; a batch is submitted when it is full."""
        c = self._chooser(data)
        self.pair.tell(ask(c, c.pick(tuple(FAMILIES[family]))))
        if self.pair.waiting >= self.batch:
            self.pair.flush()

    @rule(data=st.data())
    def registry(self, data: Any) -> None:
        self._tell(data, "registry")

    @rule(data=st.data())
    def gifts(self, data: Any) -> None:
        self._tell(data, "gifts")

    @rule(data=st.data())
    def more_gifts(self, data: Any) -> None:
        self._tell(data, "gifts")

    @rule(data=st.data())
    def spending(self, data: Any) -> None:
        self._tell(data, "spending")

    @rule(data=st.data())
    def more_spending(self, data: Any) -> None:
        self._tell(data, "spending")

    @rule(data=st.data())
    def goods(self, data: Any) -> None:
        self._tell(data, "goods")

    @rule(data=st.data())
    def more_goods(self, data: Any) -> None:
        self._tell(data, "goods")

    @rule(data=st.data())
    def points(self, data: Any) -> None:
        self._tell(data, "points")

    @rule(data=st.data())
    def more_points(self, data: Any) -> None:
        self._tell(data, "points")

    @rule(data=st.data())
    def papers(self, data: Any) -> None:
        self._tell(data, "papers")

    @rule(data=st.data())
    def corrections(self, data: Any) -> None:
        self._tell(data, "corrections")

    @precondition(lambda self: self.pair.sent)
    @rule(data=st.data())
    def repeat(self, data: Any) -> None:
        """A request is sent again under its key, as it was or changed."""
        c = self._chooser(data)
        key, request = c.pick(self.pair.sent)
        if c.rarely(4):
            request = Request(
                request.kind,
                request.fields,
                request.day,
                request.by + "-x",
                request.approved_by,
                request.sealed,
                request.documents,
            )
        self.pair.tell(request, key)

    @rule(data=st.data())
    def malformed(self, data: Any) -> None:
        """What is no record is told at once, and nothing else happens."""
        c = self._chooser(data)
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
        try:
            self.pair.prepare_body(broken, self.pair.new_key(), "recorder-1", None)
        except MalformedError as error:
            assert error.code == code
        else:
            raise AssertionError(f"prepared: {broken}")

    @rule(data=st.data())
    def propose(self, data: Any) -> None:
        c = self._chooser(data)
        kinds = tuple(ASKS) if c.rarely() else tuple(sorted(APPROVED))
        self.pair.propose(ask(c, c.pick(kinds)))

    @precondition(lambda self: self.pair.proposals)
    @rule(data=st.data())
    def decide(self, data: Any) -> None:
        """A proposal is approved, or rejected; it may be decided or too old."""
        c = self._chooser(data)
        count = len(self.pair.proposals)
        number, person = count - c.number(0, min(count, 4) - 1), c.pick(PEOPLE)
        if c.rarely(6):
            self.pair.reject(number, person)
        else:
            self.pair.approve(number, person)

    @rule(days=st.sampled_from((1, 1, 2, 3, 31)))
    def days_pass(self, days: int) -> None:
        self.pair.pass_days(days)

    def teardown(self) -> None:
        """Compare everything; take everything back; compare everything again."""
        try:
            self.pair.compare()
            self.pair.take_everything_back()
            self.pair.compare()
        finally:
            self.pair.close()
            self.folder.rmdir()


def machine_for(counts: Counts) -> type[LedgerMachine]:
    """The state machine, counting into `counts`."""
    return type("LedgerMachine", (LedgerMachine,), {"counts": counts})
