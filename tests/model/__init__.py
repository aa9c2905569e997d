"""The ledger once more, slow and obvious: what must come out of any sequence of records.

::

    asking   draws requests of every kind from small pools: valid mostly, invalid often
      │
      ├──► world      the model: a list of entries, a list of units for each account;
      │               the rules of each family in a module of its own (`rulebook`)
      └──► ledger     the real write path: prepare, sequencer, SQLite
              │
    comparison   same answer or same refusal, same postings, same units everywhere, same traces
    machine      the Hypothesis state machine that runs both; `long_run` is its command

The model takes nothing from the ledger's code. Its rules are written from the domain's table,
the kinds' documentation and the texts of the refusals, and it keeps no totals, claims or
ranges: whatever it wants to know it counts again from its entries and its units. A unit is an
object that remembers its steps; a reversal takes the last step back.

Where a record breaks several rules, one code is answered. The order is: the form of the
request; a repeated key; an order number; the day, then who approved; then the kind's own rules
in the order in which its module here has them, which is mostly that of its fields; units that
are not there come last.

Not in the model, for they need more than its small numbers: `too_many_ranges`,
`units_overflow`, `entry_too_large` and `too_many_keys`; nor ML-DSA keys. Not compared:
messages, details, `references`.
"""
