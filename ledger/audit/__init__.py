"""What an auditor runs: everything is rebuilt from the entries alone and compared.

`replay.audit` walks the log once, in the order in which it was written: chain, leaf
hashes, tree, tiles, checkpoints and their signatures, the rules of every record kind,
the units that each entry moved, and at the end the whole state. What it finds, it
names; it mends nothing.
"""
