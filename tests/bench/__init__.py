"""Speed as ratios: each workload of issue 6 beside its limit, in the same run.

    scripts/bench [--only post,bulk] [--runs 5] [--json]

Machines are shared and noisy, so no figure stands alone. Each workload and its limit take
turns (limit, ours, limit, ours ...), so that what else the machine does hits both, and the
median of the ratios counts: by the clock, and by processor time, which waiting does not touch.

    measure        turns, ratios, rows of the table
    gifts          the gifts that are recorded, and the log that they go to
    recording      bulk recording beside a durable insert
    posting        single POSTs over loopback beside a validated POST that stores nothing
    client         the load generator, a process of its own
    answering      what the limit of `posting` serves
    importing      a spreadsheet: plan and recording
    auditing       hashes and full audits; ``audit_at_size`` for one large log
    reading        receipts and traces
    growth         memory and disk from a small log to a large one
"""
