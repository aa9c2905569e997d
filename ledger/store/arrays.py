"""Columns of values as PostgreSQL's binary arrays, made at once.

The driver's own dumper of a list looks at each value by itself and writes text, in which
every byte of an entry is escaped: a third of a small batch's processor time. The columns'
types are known here, so that a column is one join, or one `struct.pack`.

The form is that of ``array_recv`` (src/backend/utils/adt/arrayfuncs.c): number of
dimensions, whether there are NULLs, the elements' type, then of the one dimension its length and
first index, then each element's length (-1 for NULL) and bytes; all big-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import chain
from typing import Any

from psycopg.adapt import AdaptersMap, Dumper
from psycopg.pq import Format

_HEADER = struct.Struct(">iiIii")
_NULL = struct.pack(">i", -1)
_WHOLE_BYTES = 8
TYPE_OIDS = {"bigint": (20, 1016), "bytea": (17, 1001), "text": (25, 1009)}
"""Of each type that a column can have: its own number, and that of its arrays (pg_type)."""


class Column:
    """One column of many rows.

    Args:
        kind: One of `TYPE_OIDS`.
        values: Its values; None for NULL.
    """

    __slots__ = ("data", "kind")

    def __init__(self, kind: str, values: Sequence[Any]) -> None:
        self.kind = kind
        parts = _whole(values) if kind == "bigint" else _bytes(values, text=kind == "text")
        self.data = _HEADER.pack(1, 1, TYPE_OIDS[kind][0], len(values), 1) + parts


def _whole(values: Sequence[int | None]) -> bytes:
    if None in values:
        number = struct.Struct(">iq")
        return b"".join(_NULL if one is None else number.pack(_WHOLE_BYTES, one) for one in values)
    lengths = [_WHOLE_BYTES] * len(values)
    flat = chain.from_iterable(zip(lengths, values, strict=True))
    return struct.pack(f">{'iq' * len(values)}", *flat)


def _bytes(values: Sequence[Any], *, text: bool) -> bytes:
    raw = [one.encode() for one in values] if text else values
    return b"".join([part for one in raw for part in (len(one).to_bytes(4, "big"), one)])


class _Dumper(Dumper):
    """Gives the array's bytes as they are; its type is that of the column."""

    format = Format.BINARY

    def __init__(self, cls: type, context: Any = None, kind: str = "") -> None:
        super().__init__(cls, context)
        self._kind = kind
        if kind:
            self.oid = TYPE_OIDS[kind][1]

    def get_key(self, obj: Column, format: Any) -> Any:
        return (self.cls, obj.kind)

    def upgrade(self, obj: Column, format: Any) -> Dumper:
        return _Dumper(self.cls, None, obj.kind)

    def dump(self, obj: Column) -> bytes:
        return obj.data


def register(adapters: AdaptersMap) -> None:
    """Let a connection take columns as values of a statement."""
    adapters.register_dumper(Column, _Dumper)
