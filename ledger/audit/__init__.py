"""What an auditor runs: everything is rebuilt from the entries alone and compared.

`replay.audit` (a database) and `public.audit_public` (what anyone can read) walk over the
log once, in the order in which it was written: chain, leaf hashes, tree, tiles,
checkpoints and their signatures, the rules of every record kind, the units that each
entry moved, and at the end the whole state. What they find, they name; they mend
nothing.

    source or rows ─► chunks ─► hashing (any executor) ─► walk, in order ─► report
                                                          │  rules, units, tree
                                                          ▼
                                                        shadow: the audit's own state
"""
