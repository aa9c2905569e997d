"""What asks for a person's attention, computed from one snapshot of the ledger.

::

    rules in force on a day ─┐
    registers, state objects ├─► items, each with its code and its entries ─► dispositions
    accounts and their flows ┘

Nothing here is an accusation: an item says what the entries show and which entries they
are; a person judges. It reads objects, accounts and flows by their indexes, and single
entries by their index; never the log from end to end.
"""

from __future__ import annotations

from ledger.attention.board import Board, attend
from ledger.attention.expiring import Expiring
from ledger.attention.item import TITLES, Item
from ledger.attention.kept import KeptBoard

__all__ = ["TITLES", "Board", "Expiring", "Item", "KeptBoard", "attend"]
