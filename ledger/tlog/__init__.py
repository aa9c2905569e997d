"""The transparency log's arithmetic: bytes and integers in, bytes or an error out.

The flow of one batch of entries, module by module:

1. ``merkle`` hashes each entry into a leaf (RFC 6962 section 2.1).
2. ``tiles`` extends the tree from its right edge alone (``TileWriter``), hands
   out each tile that became full, and names tiles as c2sp.org/tlog-tiles does.
3. ``checkpoint`` writes origin, size and root as three lines
   (c2sp.org/tlog-checkpoint), and ``note`` signs them (c2sp.org/signed-note).
   ``cosignature`` adds the timestamped signatures of witnesses and the
   post-quantum signature of the log (c2sp.org/tlog-cosignature).
4. Later, ``tiles`` reads stored tiles (``TileReader``) and ``proofs`` builds
   inclusion and consistency proofs from them.
5. Whoever holds a proof opens the checkpoint (``checkpoint``, ``note``), takes
   size and root from it alone, and checks the proof (``proofs``).

Nothing here reads a file, a clock or a database; randomness, keys and clocks
are passed in. Errors come from ``ledger.errors`` only: ``MalformedError`` for
what has the wrong form, ``VerificationError`` for what has the right form and
is wrong. This package imports nothing by itself; import the module you need.
"""
