"""A receipt's verdict: one of four outcomes, and four facts for people.

`judge` puts what the verifier says into an outcome: verified, pending, mismatch or
undecided. The facts are: genuine, recorded, witnessed, as of.

One sentence says whether a file holds (`verify.tell`); these say, each for itself, what
is known and what is not. Witnesses are called by the names of their keys, not by those
of the policy, which mean nothing outside of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Literal

from ledger.errors import (
    LedgerError,
    MalformedError,
    PendingError,
    UndecidedError,
    VerificationError,
)
from ledger.receipt import parse_receipt
from ledger.tlog.witnessed import WitnessedCheckpoint
from ledger.verify import (
    Language,
    Trust,
    VerifiedGrowth,
    VerifiedReceipt,
    VerifiedTrace,
    open_trusted,
    verify_receipt,
)

Outcome = Literal["verified", "pending", "mismatch", "undecided"]
FactName = Literal["genuine", "recorded", "witnessed", "as_of"]

_LABELS: dict[FactName, dict[str, str]] = {
    "genuine": {"zh": "真实", "en": "Genuine"},
    "recorded": {"zh": "已入账", "en": "Recorded"},
    "witnessed": {"zh": "见证", "en": "Witnessed"},
    "as_of": {"zh": "截至", "en": "As of"},
}
_REASONS = {
    "future": {
        "zh": "{} 的见证时间晚于本机时钟，未计入",
        "en": "{} states a time ahead of this machine's clock and does not count",
    },
    "untimed": {
        "zh": "{} 未写明见证时间，未计入",
        "en": "{} states no time and does not count",
    },
    "unsupported": {
        "zh": "本机无法核对 {} 的签名类型，未计入",
        "en": "{} has a key of a type that this machine cannot check and does not count",
    },
}
_SHANGHAI = timezone(timedelta(hours=8))
_YEAR_MAX_SECONDS = int(datetime(9999, 12, 30, tzinfo=UTC).timestamp())


@dataclass(frozen=True, slots=True)
class Fact:
    """One row of a verdict; ``holds`` is None where it was not examined."""

    name: FactName
    holds: bool | None
    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What can be said of a receipt.

    Attributes:
        outcome: One of the four.
        code: ``verified``, ``pending``, or the code of the error that stopped it.
        message: What was expected and what came; empty where it is verified.
        result: What holds, where it is verified or pending.
        holds: Each fact: it holds, it does not, or it was not reached (None).
    """

    outcome: Outcome
    code: str
    message: str
    result: VerifiedReceipt | None
    holds: Mapping[FactName, bool | None]


def judge(data: bytes, trust: Trust, *, now: int) -> Judgement:
    """Verify a receipt and say how it stands; no receipt raises anything.

    Args:
        data: The bytes of a ``.tlog-proof`` file.
        trust: The log's verifier keys, or a policy.
        now: The reader's clock, in seconds since 1970.
    """
    try:
        result = verify_receipt(data, trust, now=now)
    except PendingError as error:
        pending: VerifiedReceipt = error.result  # type: ignore[assignment]
        return Judgement("pending", error.code, error.message, pending, _holds(pending))
    except (VerificationError, MalformedError, UndecidedError) as error:
        outcome: Outcome = "mismatch" if isinstance(error, VerificationError) else "undecided"
        holds = _holds_until(data, trust, now, contradicts=outcome == "mismatch")
        return Judgement(outcome, error.code, error.message, None, holds)
    return Judgement("verified", "verified", "", result, _holds(result))


def _holds(result: VerifiedReceipt) -> dict[FactName, bool | None]:
    return {one.name: one.holds for one in facts(result, "en")}


def _holds_until(
    data: bytes, trust: Trust, now: int, *, contradicts: bool
) -> dict[FactName, bool | None]:
    """What holds of a receipt that was refused: its checkpoint may be good all the same."""
    refused = False if contradicts else None
    try:
        _, _, seen = open_trusted(parse_receipt(data).checkpoint, trust, now)
    except LedgerError:
        return {"genuine": refused, "recorded": None, "witnessed": None, "as_of": None}
    witnessed = None if seen is None else seen.quorum_met
    return {"genuine": True, "recorded": refused, "witnessed": witnessed, "as_of": True}


def format_time(timestamp: int) -> str:
    """Seconds since 1970 as a time in Shanghai, with its zone."""
    if timestamp > _YEAR_MAX_SECONDS:
        return f"{timestamp} s"
    return datetime.fromtimestamp(timestamp, _SHANGHAI).strftime("%Y-%m-%d %H:%M:%S UTC+8")


def facts(
    result: VerifiedReceipt | VerifiedGrowth | VerifiedTrace, language: Language
) -> tuple[Fact, ...]:
    """The four facts of what was verified, or of what a `PendingError` carries."""
    zh = language == "zh"
    seen = result.witnessed
    log = result.new if isinstance(result, VerifiedGrowth) else result.checkpoint
    keys = "" if seen is None else "、".join(one.key.key_id.hex() for one in seen.log_keys)
    if zh:
        genuine = f"由账本 {log.origin} 的密钥{keys and f'（{keys}）'}签名，内容未被改动"
    else:
        by = keys and f" {keys.replace('、', ', ')}"
        genuine = f"signed by the key{by} of the log {log.origin}, and unaltered"
    texts: dict[FactName, tuple[bool | None, str]] = {
        "genuine": (True, genuine),
        "recorded": (True, _recorded(result, zh)),
        "witnessed": (None if seen is None else seen.quorum_met, _witnessed(seen, language)),
        "as_of": (True, _as_of(log.size, seen, zh)),
    }
    return tuple(
        Fact(name, holds, _LABELS[name][language], text) for name, (holds, text) in texts.items()
    )


def _recorded(result: VerifiedReceipt | VerifiedGrowth | VerifiedTrace, zh: bool) -> str:
    match result:
        case VerifiedReceipt(entry=entry):
            at = entry.recorded_at
            return (
                f"第 {entry.index} 号条目，记账时间 {at}"
                if zh
                else f"entry {entry.index}, by the log's own word at {at}"
            )
        case VerifiedGrowth(old=old, new=new):
            return (
                f"前 {old.size} 条仍在 {new.size} 条之中"
                if zh
                else f"the first {old.size} entries are among the {new.size}"
            )
        case _:
            count = len(result.entries)
            return f"{count} 个条目均已入账" if zh else f"all {count} entries"


def _witnessed(seen: WitnessedCheckpoint | None, language: Language) -> str:
    zh = language == "zh"
    if seen is None:
        return (
            "未核对：没有提供信任策略（--policy）"
            if zh
            else "not examined: no policy was given (--policy)"
        )
    if not seen.witnesses:
        return "策略没有列出见证人" if zh else "the policy names no witness"
    rows = [f"{one.witness.key.name} {format_time(one.timestamp)}" for one in seen.cosigned]
    count = len(seen.cosigned)
    if zh:
        enough = "已满足" if seen.quorum_met else "尚不满足"
        text = f"{seen.witnesses} 个见证人中有 {count} 个见过，{enough}策略的要求"
    else:
        enough = "enough" if seen.quorum_met else "too few"
        text = f"{count} of {seen.witnesses} witnesses saw it, {enough} for the policy"
    rows += [_REASONS[why][language].format(one.key.name) for one, why in seen.passed_over]
    if rows:
        text += ("：" if zh else ": ") + ("；" if zh else "; ").join(rows)
    return text


def _as_of(size: int, seen: WitnessedCheckpoint | None, zh: bool) -> str:
    text = f"账本共 {size} 条时" if zh else f"the log of {size} entries"
    if seen is not None and seen.cosigned:
        last = format_time(max(one.timestamp for one in seen.cosigned))
        text += f"，最近一次见证于 {last}" if zh else f", last seen by a witness at {last}"
    return text
