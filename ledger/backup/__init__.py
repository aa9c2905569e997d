"""Backups of a log: made while it is served, checked, and restored into an empty place.

A backup is a folder: the database as it stood in one moment, and a manifest that says
which log it is and how far it goes (``manifest``). ``making`` makes one, ``checking`` says
what one is worth: whether it verifies, whether it is older than its retention, and which
personal data it still holds that the log has erased since. ``restoring`` puts one in place,
erases again what it should not hold, and keeps the checkpoints that were seen, so that no
second history is signed (``ledger.known``).
"""
