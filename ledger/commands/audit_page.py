"""Printable pages of an audit report and of a sample: one file, no scripts, two languages.

Everything on them is in the JSON too; a page is for the file of papers and the signature
by hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from ledger.audit.sample import Drawn, Sample
from ledger.intake.cells import format_yuan
from ledger.records.catalog import KIND_BY_NAME

_STYLE = """
body { font: 11pt/1.5 "Noto Sans SC", "Source Han Sans SC", "Microsoft YaHei", sans-serif;
  color: #1b1b1b; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: .2rem; } h2 { font-size: 1.1rem; margin-top: 1.6rem; }
.verdict { border: 2px solid #1d6b3c; padding: .6rem 1rem; font-weight: bold; }
.verdict.found { border-color: #a3241c; }
table { border-collapse: collapse; width: 100%; font-size: .9em; }
th, td { border-bottom: 1px solid #bbb; padding: .25rem .5rem; text-align: left;
  vertical-align: top; overflow-wrap: anywhere; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.hash, pre { font-family: "Noto Sans Mono", monospace; font-size: .75em; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; border: 1px solid #bbb; padding: .5rem; }
td.box { width: 3rem; border: 1px solid #555; }
.small { font-size: .85em; color: #444; }
.sign { margin-top: 3rem; display: flex; gap: 4rem; }
.sign div { flex: 1; border-top: 1px solid #333; padding-top: .3rem; }
thead { display: table-header-group; } tr { break-inside: avoid; }
@page { size: A4; margin: 18mm 15mm; }
@media print { body { margin: 0; max-width: none; } h2 { break-after: avoid; } }
"""

_CHECKED = {
    "entries": "条目：规范格式、编号、哈希链 / Entries: form, index, chain",
    "checkpoints": "检查点与签名 / Checkpoints and signatures",
    "tiles": "默克尔树数据块 / Tiles of the tree",
    "rules": "按规则重放的条目 / Entries recorded again by the rules",
    "flows": "单位去向 / Flows of units",
    "account": "账户 / Accounts",
    "holding": "现存单位区间 / Ranges still held",
    "state_object": "状态对象 / Objects of the state",
    "vault": "密存字段的开启 / Openings of sealed fields",
    "idempotency": "请求键 / Keys of requests",
    "order_number": "订单号 / Order numbers",
    "proposal": "待审批记录 / Proposals",
    "anchors": "时间戳 / Time stamps of checkpoints",
    "cosignature": "见证签名 / Cosignatures of witnesses",
    "known": "审计人自存的检查点 / Checkpoints that the auditor kept",
}
_COLUMNS = {
    "opening": "期初 / opening",
    "in": "收入 / in",
    "out": "支出 / out",
    "held": "结存 / held",
    "issued": "发放 / issued",
    "redeemed": "兑换 / redeemed",
    "expired": "过期 / expired",
    "taken_back": "冲回 / taken back",
    "outstanding": "未用 / outstanding",
}
_SUMS = {
    "funds": "资金（元）/ Funds (yuan)",
    "items": "物资（基本单位）/ Items (base units)",
    "rules": "积分规则 / Points rules",
    "minutes": "服务时长（分钟）/ Service minutes",
}
_NOT_PROVED = (
    "通过只说明账上记了什么、且未被改动；不能证明款物已经送达。"
    "A clean audit shows what was recorded and that it is unaltered, not that goods arrived."
)


def report_page(value: Mapping[str, Any], signed_by: str = "") -> str:
    """The page of a report.

    Args:
        value: As `Report.as_json` gives it.
        signed_by: The name of the key that signed it; empty for none.
    """
    clean = value["clean"]
    verdict = (
        f"通过：{value['size']} 个条目全部一致。 / Verified: all {value['size']} entries agree."
        if clean
        else f"不一致：发现 {len(value['findings'])} 处问题。 / "
        f"Mismatch: {len(value['findings'])} findings."
    )
    over = {
        "database": "数据库（逐表比对）/ the database, every table compared",
        "public": "公开数据 / public data",
    }[value["over"]]
    facts: list[tuple[str, Any]] = [
        ("账本 / Log", value["origin"]),
        ("条目数 / Size", value["size"]),
        ("树根 / Root", value["root"]),
        ("merkletools 复算 / Root by merkletools", value.get("second_opinion", "—")),
        ("审计对象 / Audited", over),
        ("开始 / Started (UTC)", value["started_at"]),
        ("结束 / Finished (UTC)", value["finished_at"]),
        ("签名密钥 / Signed by", signed_by or "—"),
    ]
    parts = [
        f'<p class="verdict{"" if clean else " found"}">{escape(verdict)}</p>',
        _table((), facts),
        f'<p class="small">{escape(_NOT_PROVED)}</p>',
    ]
    parts += _relied(value.get("relies_on"))
    parts += _findings(value)
    rows = [(_CHECKED.get(name, name), count) for name, count in value["checked"].items()]
    parts += _section("已检查 / Checked", _table(("", "数量 / Count"), rows))
    if value["not_checked"]:
        items = "".join(f"<li>{escape(one)}</li>" for one in value["not_checked"])
        parts += _section("未检查 / Not checked", f"<ul>{items}</ul>")
    rows = [(_kind(one["kind"]), one["entries"]) for one in value["kinds"]]
    parts += _section("按种类 / By kind", _table(("种类 / Kind", "条目 / Entries"), rows))
    for name, title in _SUMS.items():
        parts += _sums(title, value["sums"].get(name, []), money=name == "funds")
    parts += _section("检查点 / Checkpoint", f"<pre>{escape(value['checkpoint'])}</pre>")
    parts += _section("速度与程序 / Speed and programs", _speed(value))
    parts.append('<div class="sign"><div>审计人 / Auditor</div><div>日期 / Date</div></div>')
    return _page(f"审计报告 Audit report · {value['origin']}", "审计报告 / Audit report", parts)


def _kind(name: str) -> str:
    kind = KIND_BY_NAME.get(name)
    return name if kind is None else f"{name}　{kind.title_zh} / {kind.title_en}"


def _relied(base: Mapping[str, Any] | None) -> list[str]:
    if base is None:
        return []
    rows = [
        ("条目数 / Size", base["size"]),
        ("树根 / Root", base["root"]),
        ("完成于 / Finished (UTC)", base["finished_at"]),
    ]
    return _section("依据的前次审计 / The earlier audit it relies on", _table((), rows))


def _findings(value: Mapping[str, Any]) -> list[str]:
    if not value["findings"]:
        return []
    rows = [(one["code"], one["place"], one["message"]) for one in value["findings"]]
    head = ("代码 / Code", "位置 / Place", "说明 / What")
    parts = _section("发现 / Findings", _table(head, rows))
    if value["truncated"]:
        parts.append("<p>还有更多，未列出。 / There is more that is not listed.</p>")
    return parts


def _sums(title: str, rows: Sequence[Mapping[str, Any]], *, money: bool) -> list[str]:
    if not rows:
        return []
    columns = [key for key in rows[0] if key != "name"]
    head = ("代码 / Code", *(_COLUMNS[one] for one in columns))
    shown = [
        (row["name"], *(_Yuan(row[one]) if money else row[one] for one in columns)) for row in rows
    ]
    return _section(title, _table(head, shown))


def _speed(value: Mapping[str, Any]) -> str:
    speed = value["speed"]
    programs = ", ".join(f"{name} {one}" for name, one in value["versions"].items())
    machine = value["machine"]
    rows: list[tuple[str, Any]] = [
        ("本次读取条目 / Entries read", speed["entries"]),
        ("每秒条目 / Entries a second", speed["entries_per_second"]),
        ("用时（毫秒）/ Milliseconds", speed["milliseconds"]),
        ("同样字节的 SHA-256（毫秒）/ SHA-256 of the same bytes", speed["sha256_milliseconds"]),
        ("进程 / Processes for hashing", speed["jobs"]),
        ("内存峰值（MB）/ Peak memory", speed["peak_memory_bytes"] // 1_000_000),
        ("程序 / Programs", programs),
        ("机器 / Machine", f"{machine['system']}, {machine['architecture']}, {machine['cores']}"),
    ]
    return _table((), rows)


def sample_page(sample: Sample) -> str:
    """The page of a sample, with a box to tick for each entry."""
    wanted = sample.wanted
    facts: list[tuple[str, Any]] = [
        ("账本 / Log", sample.origin),
        ("条目数 / Size", sample.size),
        ("树根 / Root", sample.root),
        ("种子 / Seed", sample.seed),
        ("抽取 / Drawn", f"{len(sample.drawn)} / {sample.population}"),
        ("分层 / Strata", sample.strata),
        ("种类 / Kind", wanted.kind or "—"),
        ("资金 / Fund", wanted.fund or "—"),
        ("最小数额（款项以分计）/ Smallest amount (money in fen)", wanted.amount_min),
    ]
    amount = "数额（款项以元计）/ Amount (money in yuan)"
    head = ("#", "种类 / Kind", amount, "日期 / Day", "条目哈希与凭证 / Hashes", "✓")
    rows = [
        (
            one.index,
            one.kind,
            _moved(one),
            one.occurred_on,
            _Hashes((one.leaf_hash, *one.documents)),
            _BOX,
        )
        for one in sample.drawn
    ]
    note = (
        "第一行为条目哈希，其后为凭证文件的 SHA-256。同一种子、大小与树根，任何人抽到的都相同。 / "
        "First the leaf hash, then the SHA-256 of each voucher. With the same seed, size and root "
        "everybody draws the same."
    )
    parts = [_table((), facts), f'<p class="small">{escape(note)}</p>', _table(head, rows)]
    parts.append('<div class="sign"><div>审计人 / Auditor</div><div>日期 / Date</div></div>')
    return _page(f"审计抽样 Sample · {sample.origin}", "审计抽样 / Audit sample", parts)


def _moved(one: Drawn) -> Any:
    if one.asset == "CNY":
        return _Yuan(one.amount)
    return f"{one.amount} {one.asset}" if one.asset else "—"


class _Yuan(int):
    """An amount of fen, shown in yuan."""


class _Hashes(tuple[str, ...]):
    """Hashes, one a line."""


_BOX = object()
"""An empty box to tick."""


def _cell(value: Any) -> str:
    if value is _BOX:
        return '<td class="box"></td>'
    if isinstance(value, _Hashes):
        return f'<td class="hash">{"<br>".join(map(escape, value))}</td>'
    if isinstance(value, _Yuan):
        return f'<td class="n">{format_yuan(int(value))}</td>'
    if isinstance(value, int):
        return f'<td class="n">{value:,}</td>'
    return f"<td>{escape(str(value))}</td>"


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    rows = list(rows)
    first = rows[0] if rows else head
    numbers = [isinstance(one, int) for one in first[: len(head)]]
    cells = "".join(
        f"<th{' class=n' if number else ''}>{escape(one)}</th>"
        for one, number in zip(head, numbers, strict=True)
    )
    top = f"<thead><tr>{cells}</tr></thead>" if head else ""
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f"<table>{top}<tbody>{body}</tbody></table>"


def _section(title: str, body: str) -> list[str]:
    return [f"<h2>{escape(title)}</h2>", body]


def _page(title: str, heading: str, parts: Iterable[str]) -> str:
    return (
        '<!doctype html>\n<html lang="zh-CN">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{escape(heading)}</h1>\n" + "\n".join(parts) + "\n</body>\n</html>\n"
    )
