"""Shanji's library: a donation traceability ledger.

The flow of a gift, module by module:

1. A request names a record kind; ``records`` validates its fields and seals
   the personal ones (``entry``).
2. ``sequencer`` appends it: the rules read ``state``, ``units`` assigns the
   numbered units that move, ``entry`` makes the canonical bytes and the hash
   chain, ``tlog`` extends the Merkle tree and signs the checkpoint, ``store``
   commits all of it in one transaction.
3. The answer is a receipt (``receipt``): the entry, its opening and its
   inclusion proof under that checkpoint. ``verify`` checks it offline.
4. ``trace`` follows units through any number of entries; ``audit`` rebuilds
   everything from the entries alone and compares.

This package imports nothing by itself; import the module that you need.
"""
