"""The tables (design, sections 1, 4, 5). The migrations make them; a test compares.

Rows of the tables in `IMMUTABLE` are written once: triggers refuse to change or to
delete them. Everything but `entry`, `vault`, `checkpoint` and `cosignature` is derived
from those. What machines that share a database tell each other is beside the log, and no
audit asks for it (`HOLD`, `AGREED`).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)
from sqlmodel import Field, SQLModel

WIDE = BigInteger().with_variant(Integer, "sqlite")
"""64-bit integers everywhere; SQLite's strict tables know them as INTEGER."""

TEXT = Text().with_variant(Text(collation="C"), "postgresql")
"""Text by code point, as SQLite compares it anyway: the order of keys is part of pages."""

_CLUSTERED: dict[str, Any] = {"sqlite_strict": True, "sqlite_with_rowid": False}
_STRICT: dict[str, Any] = {"sqlite_strict": True}

FIRST_OF_DAY = text("day_number = 1")
"""An index over these movements has each day of an account once."""


def _whole(*, primary_key: bool = False, nullable: bool = False) -> Any:
    column: Column[Any] = Column(
        WIDE, primary_key=primary_key, nullable=nullable, autoincrement=False
    )
    return Field(sa_column=column)


def _bytes(*, primary_key: bool = False) -> Any:
    return Field(sa_column=Column(LargeBinary, primary_key=primary_key, nullable=False))


def _numbered(name: str, side: str) -> Index:
    """An index that seeks a unit, and lets it arrive or leave only once (section 4)."""
    numbered = text(f"{side}_first IS NOT NULL")
    return Index(
        name,
        side,
        f"{side}_first",
        unique=True,
        sqlite_where=numbered,
        postgresql_where=numbered,
    )


def _text(*, primary_key: bool = False) -> Any:
    return Field(sa_column=Column(TEXT, primary_key=primary_key, nullable=False))


class HeadTable(SQLModel, table=True):
    """One row: the newest size, root, last entry and checkpoint."""

    __tablename__ = "head"
    __table_args__ = _STRICT
    id: int = _whole(primary_key=True)
    size: int = _whole()
    root: bytes = _bytes()
    last_leaf_hash: bytes = _bytes()
    last_recorded_at: str = _text()
    checkpoint: bytes = _bytes()


class EntryTable(SQLModel, table=True):
    """The entries, byte for byte, with their leaf hashes."""

    __tablename__ = "entry"
    __table_args__ = _STRICT
    index: int = _whole(primary_key=True)
    data: bytes = _bytes()
    leaf_hash: bytes = _bytes()


class TileTable(SQLModel, table=True):
    """Full tiles, 256 hashes each."""

    __tablename__ = "tile"
    __table_args__ = _STRICT
    level: int = _whole(primary_key=True)
    number: int = _whole(primary_key=True)
    hashes: bytes = _bytes()


class EdgeTable(SQLModel, table=True):
    """The partial tile of each level, on the tree's right edge."""

    __tablename__ = "edge"
    __table_args__ = _STRICT
    level: int = _whole(primary_key=True)
    hashes: bytes = _bytes()


class CheckpointTable(SQLModel, table=True):
    """Every checkpoint that was signed."""

    __tablename__ = "checkpoint"
    __table_args__ = (Index("checkpoint_by_root", "root"), _STRICT)
    size: int = _whole(primary_key=True)
    root: bytes = _bytes()
    note: bytes = _bytes()


class VaultTable(SQLModel, table=True):
    """What entries commit to but do not show, encrypted."""

    __tablename__ = "vault"
    __table_args__ = _STRICT
    entry: int = _whole(primary_key=True)
    ciphertext: bytes = _bytes()


class IdempotencyTable(SQLModel, table=True):
    """Which entry a request's key made."""

    __tablename__ = "idempotency"
    __table_args__ = (Index("idempotency_by_entry", "entry", unique=True), _CLUSTERED)
    key: str = _text(primary_key=True)
    digest: bytes = _bytes()
    entry: int = _whole()


class OrderNumberTable(SQLModel, table=True):
    """Which entry an external order entered by; only keyed digests are kept."""

    __tablename__ = "order_number"
    __table_args__ = _CLUSTERED
    digest: bytes = _bytes(primary_key=True)
    entry: int = _whole()


class AccountTable(SQLModel, table=True):
    """Accounts in the order of their first use, with the units they ever received."""

    __tablename__ = "account"
    __table_args__ = (
        Index("account_by_name", "asset", "name", unique=True),
        Index("account_by_holder", "name", "asset"),
        _STRICT,
    )
    id: int = _whole(primary_key=True)
    asset: str = _text()
    name: str = _text()
    received: int = _whole()


class HoldingTable(SQLModel, table=True):
    """The ranges of units that are still in an account."""

    __tablename__ = "holding"
    __table_args__ = (Index("holding_by_label", "account", "label", "first", "length"), _CLUSTERED)
    account: int = _whole(primary_key=True)
    first: int = _whole(primary_key=True)
    length: int = _whole()
    label: str = _text()


class PoolTable(SQLModel, table=True):
    """Of each account, what its units with one label are in all: one row answers how much a
    pool received, and how much of it is still there.

    `returned` counts units that moved because an earlier move was taken back (``pools``).
    """

    __tablename__ = "pool"
    __table_args__ = _CLUSTERED
    account: int = _whole(primary_key=True)
    label: str = _text(primary_key=True)
    received: int = _whole()
    held: int = _whole()
    returned: int = _whole()


class AssetTable(SQLModel, table=True):
    """Of each asset, what all accounts are together: one row, however many they are.

    `accounts` counts those that ever received any of it.
    """

    __tablename__ = "asset"
    __table_args__ = _CLUSTERED
    asset: str = _text(primary_key=True)
    accounts: int = _whole()
    received: int = _whole()
    held: int = _whole()


class FlowTable(SQLModel, table=True):
    """Each range that moved. The two indexes are what makes a trace O(log n + results)."""

    __tablename__ = "flow"
    __table_args__ = (
        _numbered("flow_by_target", "target"),
        _numbered("flow_by_source", "source"),
        _CLUSTERED,
    )
    entry: int = _whole(primary_key=True)
    posting: int = _whole(primary_key=True)
    part: int = _whole(primary_key=True)
    source: int = _whole()
    source_first: int | None = _whole(nullable=True)
    target: int = _whole()
    target_first: int | None = _whole(nullable=True)
    length: int = _whole()
    label: str = _text()


class EntryReferenceTable(SQLModel, table=True):
    """Which entries are about an entry: each entry's references, the other way round."""

    __tablename__ = "entry_reference"
    __table_args__ = _CLUSTERED
    target: int = _whole(primary_key=True)
    source: int = _whole(primary_key=True)


class EntryKindTable(SQLModel, table=True):
    """The entries of each kind, so that those of a rare one are found among millions."""

    __tablename__ = "entry_kind"
    __table_args__ = _CLUSTERED
    kind: str = _text(primary_key=True)
    entry: int = _whole(primary_key=True)


class MovementTable(SQLModel, table=True):
    """What each entry moved in an account: the account's sums up to it, in the order of the
    log, and those of its day of occurrence (``movements``).

    One row answers what an account was at any size. By the first movements of its days, and
    the last one of each as of a size, it answers what the account was on any day.
    """

    __tablename__ = "movement"
    __table_args__ = (
        Index("movement_by_day", "account", "occurred_on", "entry"),
        Index(
            "movement_first_of_day",
            "account",
            "occurred_on",
            unique=True,
            sqlite_where=FIRST_OF_DAY,
            postgresql_where=FIRST_OF_DAY,
        ),
        _CLUSTERED,
    )
    account: int = _whole(primary_key=True)
    entry: int = _whole(primary_key=True)
    occurred_on: str = _text()
    number: int = _whole()
    received: int = _whole()
    gone: int = _whole()
    day_number: int = _whole()
    day_received: int = _whole()
    day_gone: int = _whole()


class StateObjectTable(SQLModel, table=True):
    """Named objects of the state, as canonical JSON."""

    __tablename__ = "state_object"
    __table_args__ = _CLUSTERED
    key: str = _text(primary_key=True)
    value: bytes = _bytes()


class ProposalTable(SQLModel, table=True):
    """What waits for a second person, and what became of it, encrypted (``proposals``)."""

    __tablename__ = "proposal"
    __table_args__ = _CLUSTERED
    id: str = _text(primary_key=True)
    ciphertext: bytes = _bytes()


class CosignatureTable(SQLModel, table=True):
    """What witnesses said of checkpoints, in the order in which it came.

    ``line`` is the signature line as it stands on the note; ``verifier_key`` checks it.
    """

    __tablename__ = "cosignature"
    __table_args__ = (
        Index("cosignature_by_size", "size", "verifier_key", unique=True),
        _STRICT,
    )
    number: int = _whole(primary_key=True)
    size: int = _whole()
    verifier_key: str = _text()
    line: bytes = _bytes()


class WitnessTable(SQLModel, table=True):
    """Each witness's number of cosignatures and the last size: a missing row shows."""

    __tablename__ = "witness"
    __table_args__ = _CLUSTERED
    verifier_key: str = _text(primary_key=True)
    cosignatures: int = _whole()
    last_size: int = _whole()


class AnchorTable(SQLModel, table=True):
    """Time stamps of checkpoints by outside authorities (``audit.anchors``)."""

    __tablename__ = "anchor"
    __table_args__ = _CLUSTERED
    size: int = _whole(primary_key=True)
    authority: str = _text(primary_key=True)
    response: bytes = _bytes()
    certificates: bytes = _bytes()
    mac: bytes = _bytes()


TABLES: dict[str, Table] = dict(SQLModel.metadata.tables)
"""Every table by name."""

OPERATIONAL_METADATA = MetaData()

HOLD = Table(
    "hold",
    OPERATIONAL_METADATA,
    Column("number", WIDE, primary_key=True, autoincrement=False, nullable=False),
    Column("code", TEXT, nullable=False),
    Column("reason", TEXT, nullable=False),
    Column("lifted", TEXT, nullable=True),
    **_STRICT,
)
"""Why nothing may be written, for all machines; `lifted` says by whom and when it ended."""

AGREED = Table(
    "agreed",
    OPERATIONAL_METADATA,
    Column("name", TEXT, primary_key=True, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("machine", TEXT, nullable=False),
    Column("noted_at", TEXT, nullable=False),
    **_CLUSTERED,
)
"""What every machine's data folder must have the same, as the last service that started had it."""

OPERATIONAL: dict[str, Table] = dict(OPERATIONAL_METADATA.tables)
"""Beside the log: neither copied nor audited."""

IMMUTABLE = (
    "entry",
    "tile",
    "checkpoint",
    "idempotency",
    "order_number",
    "flow",
    "cosignature",
    "anchor",
    "entry_reference",
    "entry_kind",
    "movement",
)
UNDELETABLE = ("head", "vault", "proposal", "witness")
OUTSIDE = ("anchor",)
"""What outsiders said of the log: nothing in the log tells how much of it there must be."""
