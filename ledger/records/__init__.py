"""What may be recorded: one module a family, one visible list (``catalog``).

A record kind is a `kind.Kind`: its public fields and sealed fields (pydantic models),
who may record and who must approve, and two functions:

- ``plan(draft, state)`` checks the kind's rules and says which units move; the ledger
  chooses their numbers;
- ``effects(entry, state, sign)`` says what else of the state the entry changes, from
  the entry alone; sign -1 takes it back when the entry is reversed.

The same two functions run when a record is appended and when ``audit`` replays the
log, so what was allowed can be checked by anyone, for ever. For that reason a rule
of an existing kind is never changed for entries that are already recorded: a new
rule is a dated ``rule.published`` entry or a new kind.
"""
