"""The store: holds bytes and rows, and knows no record kind.

`Store.read` gives a `Reader`, one consistent snapshot; `Store.append` gives an
`Appender`, the write transaction that takes one `Batch` and compares and swaps the
head. The only package that imports SQLModel, SQLAlchemy and Alembic.
"""

from ledger.store.appender import Appender
from ledger.store.leaves import LeafPlaces
from ledger.store.lookup import Found, Wanted
from ledger.store.reader import Reader
from ledger.store.rows import AccountRow, AnchorRow, AssetRow, Batch, Head, HolderRow, PoolRow
from ledger.store.store import Store, read_copy

__all__ = [
    "AccountRow",
    "AnchorRow",
    "Appender",
    "AssetRow",
    "Batch",
    "Found",
    "Head",
    "HolderRow",
    "LeafPlaces",
    "PoolRow",
    "Reader",
    "Store",
    "Wanted",
    "read_copy",
]
