"""The tables of an export, and the data dictionary: each column with type and meaning.

Seven tables are the same for every log; beside them each record kind has a table of its
public fields, with one column a field, made from the kind's model.
"""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin

from ledger.audit.export.words import FIELD_WORDS
from ledger.records.catalog import KINDS
from ledger.records.kind import Kind

ColumnType = Literal["integer", "text", "boolean", "json"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, type, and what it says in both languages."""

    name: str
    type: ColumnType
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Table:
    """One table.

    Attributes:
        name: The files' name, without ending.
        zh, en: What a row is.
        columns: In their order.
        sums: Integer columns whose sums go into the manifest, by the value of
            `sums_by` where there is one.
    """

    name: str
    zh: str
    en: str
    columns: tuple[Column, ...]
    sums: tuple[str, ...] = ()
    sums_by: str | None = None


ENTRIES = Table(
    "entries",
    "账本条目，一行一条，按序号",
    "The log's entries, a row each, by index",
    (
        Column("index", "integer", "条目序号，从 0 起", "The entry's index, from 0"),
        Column("kind", "text", "记录种类", "The record kind"),
        Column("occurred_on", "text", "发生日（上海）", "The day it happened (Asia/Shanghai)"),
        Column("recorded_at", "text", "记录时间（UTC）", "When it was recorded (UTC)"),
        Column("recorded_by", "text", "记录人代号", "Who recorded it, a pseudonym"),
        Column("approved_by", "text", "复核人代号", "Who approved it, a pseudonym"),
        Column("references", "json", "所涉条目序号", "Indices of the entries that it is about"),
        Column("documents", "json", "附件 SHA-256", "SHA-256 of the attached documents"),
        Column("sealed", "json", "密封字段的承诺", "Commitments of the sealed fields"),
        Column("previous", "text", "上一条目的叶哈希", "The leaf hash of the entry before"),
        Column("leaf_hash", "text", "叶哈希", "SHA-256(0x00 || entry), hex"),
        Column("entry", "text", "条目原文（规范 JSON）", "The entry's very bytes, canonical JSON"),
    ),
)
MOVEMENTS = Table(
    "movements",
    "单位的移动，一行一段连续编号",
    "Units that moved, a row for each range",
    (
        Column("entry", "integer", "条目序号", "The entry's index"),
        Column("posting", "integer", "条目内第几笔，从 0 起", "Which of its postings, from 0"),
        Column("part", "integer", "该笔内第几段，从 0 起", "Which range of the posting, from 0"),
        Column("asset", "text", "资产：CNY、item:…、points、minutes", "The asset"),
        Column("source", "text", "来源账户", "The account that it left"),
        Column("source_first", "integer", "在来源账户的首个编号", "Its first number there"),
        Column("target", "text", "去向账户", "The account that it entered"),
        Column("target_first", "integer", "在去向账户的首个编号", "Its first number there"),
        Column(
            "length",
            "integer",
            "数量（分、基本单位、分值、分钟）",
            "How many units (fen, base units, points, minutes)",
        ),
        Column("label", "text", "单位携带的标签", "What the units carry in the target account"),
    ),
    sums=("length",),
    sums_by="asset",
)
ACCOUNTS = Table(
    "accounts",
    "账户，一行一个资产",
    "Accounts, a row for each asset",
    (
        Column("id", "integer", "账户编号", "The account's number"),
        Column("asset", "text", "资产", "The asset"),
        Column("name", "text", "账户名", "The account's name"),
        Column("received", "integer", "累计收到", "How much it ever received"),
        Column("held", "integer", "现存", "How much is still there"),
    ),
    sums=("received", "held"),
    sums_by="asset",
)
HOLDINGS = Table(
    "holdings",
    "账户现存的编号段",
    "The ranges that are still in an account",
    (
        Column("asset", "text", "资产", "The asset"),
        Column("account", "text", "账户名", "The account's name"),
        Column("first", "integer", "首个编号", "Its first number"),
        Column("length", "integer", "数量", "How many units"),
        Column("label", "text", "标签", "What the units carry"),
    ),
    sums=("length",),
    sums_by="asset",
)
CHECKPOINTS = Table(
    "checkpoints",
    "签署过的检查点",
    "The checkpoints that were signed",
    (
        Column("size", "integer", "条目数", "How many entries the log had"),
        Column("root", "text", "树根（十六进制）", "The root, hex"),
        Column("note", "text", "签名检查点原文", "The signed note"),
    ),
)
COSIGNATURES = Table(
    "cosignatures",
    "见证人对检查点的共同签名",
    "What witnesses said of checkpoints",
    (
        Column("number", "integer", "到达顺序，从 0 起", "The order in which it came, from 0"),
        Column("size", "integer", "检查点的条目数", "The checkpoint's size"),
        Column("verifier_key", "text", "见证人的公钥", "The witness's verifier key"),
        Column("line", "text", "签名行", "The signature line, as on the note"),
    ),
)
ANCHORS = Table(
    "anchors",
    "外部机构对检查点的时间戳",
    "Time stamps of checkpoints by outside authorities",
    (
        Column("size", "integer", "检查点的条目数", "The checkpoint's size"),
        Column("authority", "text", "机构", "The authority"),
        Column("response", "text", "应答（RFC 3161，base64）", "The answer (RFC 3161), base64"),
        Column("certificates", "text", "当时所用证书（PEM）", "The certificates then used, PEM"),
    ),
)
FIXED = (ENTRIES, MOVEMENTS, ACCOUNTS, HOLDINGS, CHECKPOINTS, COSIGNATURES, ANCHORS)

KIND_PREFIX = "kind-"
_ENTRY_COLUMN = Column("entry", "integer", "条目序号", "The entry's index")
_SUMMED = frozenset(("amount_fen", "quantity", "points", "minutes"))


def kind_table(kind: Kind[Any]) -> Table:
    """The table of a kind's public fields, from its model."""
    columns = [_ENTRY_COLUMN]
    for name, field in kind.fields.model_fields.items():
        said = field.description or name.replace("_", " ")
        word = FIELD_WORDS.get(name, said)
        columns.append(Column(f"fields.{name}", _type_of(field.annotation), word, said))
    sums = tuple(
        column.name
        for column in columns[1:]
        if column.type == "integer" and column.name.removeprefix("fields.") in _SUMMED
    )
    return Table(f"{KIND_PREFIX}{kind.name}", kind.title_zh, kind.title_en, tuple(columns), sums)


def _type_of(annotation: Any) -> ColumnType:
    """The type of a field: plain ones as they are, everything else as JSON."""
    if get_origin(annotation) in (Union, types.UnionType):
        inner = {_type_of(one) for one in get_args(annotation) if one is not type(None)}
        return inner.pop() if len(inner) == 1 else "json"
    if get_origin(annotation) is Literal:
        values = {type(one) for one in get_args(annotation)}
        return "text" if values == {str} else "json"
    if hasattr(annotation, "__metadata__"):
        return _type_of(get_args(annotation)[0])
    plain: Mapping[Any, ColumnType] = {int: "integer", str: "text", bool: "boolean"}
    try:
        return plain.get(annotation, "json")
    except TypeError:
        return "json"


def all_tables() -> tuple[Table, ...]:
    """Every table of an export, in the order of the dictionary."""
    return (*FIXED, *(kind_table(kind) for kind in KINDS))


def dictionary(tables: Sequence[Table]) -> list[dict[str, Any]]:
    """The data dictionary as plain values."""
    return [
        {
            "table": table.name,
            "row_zh": table.zh,
            "row_en": table.en,
            "columns": [
                {"name": one.name, "type": one.type, "zh": one.zh, "en": one.en}
                for one in table.columns
            ],
        }
        for table in tables
    ]


def dictionary_page(tables: Sequence[Table]) -> str:
    """The data dictionary as Markdown, Chinese and English side by side."""
    lines = [
        "# 数据字典 Data dictionary",
        "",
        "金额以分计，数量以物品的基本单位计。CSV：UTF-8 带 BOM，逗号分隔，空单元格表示没有值；",
        "以 `= + - @ '`（含全角）、制表符或回车开头的文字，以及形似数字的文字，",
        "前加一个单引号 `'`，读回时去掉它。",
        "",
        "Amounts are in fen, quantities in an item's base unit. CSV: UTF-8 with a BOM, commas,",
        "an empty cell where there is no value; text that begins with `= + - @ '` (or full-width),",
        "a tab or a carriage return, and text that looks like a number, is written with one",
        "apostrophe before it, which a reader takes off.",
        "",
    ]
    for table in tables:
        lines += [
            f"## {table.name}",
            "",
            f"{table.zh} · {table.en}",
            "",
            "| column | type | 含义 | meaning |",
            "|---|---|---|---|",
        ]
        for one in table.columns:
            cells = (f"`{one.name}`", one.type, one.zh, one.en)
            lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
        lines.append("")
    return "\n".join(lines)
