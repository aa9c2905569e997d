"""One word per thing, in both languages (domain, section 3).

The table is the domain's; beside each pair stand the other words that people use for the
same thing, which no page, document, message or schema of ours may say.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from api.app import create_app
from api.pages.texts import catalogue
from api.settings import Settings
from ledger.attention import TITLES
from ledger.records.catalog import KINDS

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Word:
    """A thing with its word in each language, and the words that are not for it."""

    zh: str
    en: str
    not_zh: tuple[str, ...] = ()
    not_en: tuple[str, ...] = field(default=())


WORDS = (
    Word("慈善会", "charity federation", ("慈善总会", "慈善协会"), ("charity association",)),
    Word("捐赠人", "donor", ("捐款人", "捐赠者", "捐助人"), ("donator", "benefactor")),
    Word("公开募捐", "campaign", ("众筹",), ("crowdfunding", "fundraiser")),
    Word("募捐方案备案", "campaign filing", ("募捐登记",), ("campaign registration",)),
    Word("定向捐赠", "earmarked donation", ("指定捐赠",), ("designated donation",)),
    Word("限定性", "restricted", ("专用性",)),
    Word("非限定性", "unrestricted", ("不限定性",), ("unearmarked",)),
    Word("受托代理", "agency", ("代收代付",), ("fiduciary",)),
    Word("捐赠协议", "donation agreement", ("捐赠合同",), ("donation contract",)),
    Word("实物捐赠", "donation in kind", ("非货币捐赠",), ("in-kind donation", "noncash")),
    Word("公允价值", "fair value", ("公平价值", "市场价值"), ("market value",)),
    Word("评估", "appraisal", ("估价",)),
    Word("捐赠票据", "donation receipt", ("收据", "捐赠证书"), ("tax receipt",)),
    Word(
        "存证凭证",
        "proof file",
        ("存证证书", "存证收据"),
        ("donation certificate",),
    ),
    Word("配捐", "matching gift", ("匹配捐赠", "配比捐赠"), ("matching donation", "match funding")),
    Word("拨付", "disbursement", ("下拨",)),
    Word("资助", "grant", ("补助",), ("subsidy",)),
    Word("救助", "aid", ("救济",), ("handout",)),
    Word("用途变更", "purpose change", ("改变用途",), ("change of use", "repurposing")),
    Word("剩余财产", "leftover assets", ("结余", "尾款"), ("surplus funds", "residual assets")),
    Word("管理费用", "management cost", ("行政费",), ("overhead", "admin fee")),
    Word("募捐成本", "fundraising cost", ("募款成本", "筹款成本")),
    Word("受益人", "beneficiary", ("受助人", "受惠人"), ("aid recipient", "grantee")),
    Word("签收", "acknowledgement", ("验收单",)),
    Word("批次", "lot", ("批号",)),
    Word("保质期", "shelf life", ("质保期",), ("use-by", "expiry date")),
    Word("入库", "receive", ("进库",)),
    Word("出库", "issue", ("发库",)),
    Word("调拨", "move", ("移库", "转库"), ("stock transfer",)),
    Word("盘点", "stocktake", ("盘库", "清点"), ("inventory", "stock count")),
    Word("盘盈", "surplus", ("溢余",), ("overage",)),
    Word("盘亏", "shortage", ("短少",), ("shortfall",)),
    Word("损耗", "spoilage", ("耗损",)),
    Word("报废", "write-off", ("核销",), ("scrapping",)),
    Word("变卖", "sale", ("拍卖",), ("liquidation",)),
    Word(
        "公益积分", "welfare points", ("爱心积分", "志愿积分"), ("loyalty points", "reward points")
    ),
    Word("发放", "issue", ("派发",)),
    Word("兑换", "redeem", ("换购",), ("cash in",)),
    Word("过期", "expire", ("失效",), ("lapse",)),
    Word("冲回", "reverse", ("回冲", "扣回")),
    Word("时间银行", "time bank", ("时间储蓄",), ("time credit",)),
    Word("服务时长", "service minutes", ("志愿时长", "工时"), ("volunteer hours",)),
    Word("微心愿", "micro wish", ("小心愿",), ("wishlist",)),
    Word("微慈善项目库", "micro-project library", ("微公益项目",)),
    Word("社区基金", "community fund", ("社区资金",), ("neighbourhood fund",)),
    Word("慈善超市", "charity supermarket", ("爱心超市",), ("charity shop", "charity store")),
    Word("溯源", "provenance", ("追溯", "追踪"), ("audit trail",)),
    Word("去向", "whereabouts", ("流向",)),
    Word("条目", "entry", ("区块",), ("blockchain",)),
    Word("哈希链", "hash chain", ("散列", "区块链"), ("hash pointer",)),
    Word("树根", "root", ("根哈希", "默克尔根"), ("root hash",)),
    Word("检查点", "checkpoint", ("校验点", "存档点"), ("signed tree head",)),
    Word(
        "包含证明", "inclusion proof", ("存在证明", "成员证明"), ("membership proof", "audit path")
    ),
    Word("一致性证明", "consistency proof", ("连续性证明",)),
    Word("见证人", "witness", ("公证人", "监证人"), ("notary",)),
    Word("信息公开", "disclosure", ("信息披露",)),
    Word("更正说明", "correction notice", ("勘误",), ("erratum", "corrigendum")),
    Word("屏蔽", "hide", ("隐藏条目",), ("redact",)),
    Word("删除个人信息", "erase", ("抹除", "脱敏"), ("purge", "anonymise", "anonymize")),
)

OTHERS = ("ledger/intake", "ledger/tlog")
"""Where words of others are read or named: headers of platforms' files, the C2SP's terms."""


def texts() -> Iterator[tuple[str, str]]:
    """What people and programs read: ``(where, text)``."""
    for path in (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))):
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
            yield f"{path.relative_to(ROOT)}:{number}", line
    for path in sorted((ROOT / "api" / "pages" / "templates").glob("*.html")):
        yield str(path.relative_to(ROOT)), path.read_text("utf-8")
    for name, both in catalogue().items():
        yield f"text {name}", f"{both['zh']}\n{both['en']}"
    for code, titles in TITLES.items():
        yield f"attention {code}", "\n".join(titles)
    for kind in KINDS:
        example = orjson.dumps(kind.example).decode()
        yield f"kind {kind.name}", f"{kind.title_zh}\n{kind.title_en}\n{kind.moves}\n{example}"
    document = create_app(Settings(data=ROOT)).openapi()
    yield "openapi", orjson.dumps(document).decode()
    for package in ("ledger", "api"):
        for path in sorted((ROOT / package).rglob("*.py")):
            where = str(path.relative_to(ROOT))
            if not where.startswith(OTHERS):
                yield from ((where, text) for text in _strings(path))


def _strings(path: Path) -> Iterator[str]:
    """Every string in a source: messages, documentation, words of commands."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def found(text: str, word: Word) -> list[str]:
    """The words in a text that are not for the thing."""
    other = [one for one in word.not_zh if one in text]
    other += [
        one
        for one in word.not_en
        if re.search(rf"\b{re.escape(one)}s?\b", text, re.IGNORECASE) is not None
    ]
    return other


def test_a_thing_has_one_word() -> None:
    every = list(texts())
    assert len(every) > 1000
    # Most of the words are nowhere: only for the others each text is looked through.
    whole = "\n".join(text for _, text in every).replace("ı", "i").casefold()
    wrong = [
        f"{where}: {one}: say {word.zh} / {word.en} instead"
        for word in WORDS
        if any(one.casefold() in whole for one in (*word.not_zh, *word.not_en))
        for where, text in every
        for one in found(text, word)
    ]
    assert not wrong


def test_the_table_contradicts_nothing_of_itself() -> None:
    """No word of the table holds one that the table does not want."""
    for word in WORDS:
        for other in WORDS:
            assert not found(f"{other.zh}\n{other.en}", word), (word, other)


def test_the_scan_finds_a_word_that_is_not_for_the_thing() -> None:
    donor = next(word for word in WORDS if word.en == "donor")
    assert found("捐款人姓名 and two Donators", donor) == ["捐款人", "donator"]
    assert found("捐赠人 donor", donor) == []
