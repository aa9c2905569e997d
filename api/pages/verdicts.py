"""A verdict as a page shows it when the server gives it: word, sentence, next step, rows, gift.

The browser's modules show the same (``static/verify/facts.js`` and ``view.js``), from the
same texts. The check that failed is told by the error's code alone, where the browser,
which takes the steps itself, can be finer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from api.pages.format import format_number, format_yuan
from api.pages.kinds import kind_title
from api.pages.texts import Translator, catalogue
from ledger.verdict import FactName, Judgement, facts
from ledger.verify import VerifiedReceipt

_SYMBOLS: Mapping[bool | None, str] = {True: "✓", False: "✕", None: "—"}
_ROWS: tuple[FactName, ...] = ("genuine", "recorded", "witnessed", "as_of")
_CHECK_OF_CODE = {
    "not_a_receipt": "header",
    "receipt_truncated": "cut",
    "unknown_signer": "signer",
    "other_log": "origin",
    "key_not_valid_at_size": "key_sizes",
    "index_mismatch": "place",
    "commitment_mismatch": "commitment",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One of the four rows; `holds` is "true", "false" or "null" (not reached)."""

    name: str
    label: str
    symbol: str
    text: str
    holds: str


@dataclass(frozen=True, slots=True)
class VerdictView:
    """A judgement for a template; `outcome` is the style's name of it."""

    outcome: str
    code: str
    sentence: str
    next: str
    rows: list[Row]
    title: str
    gift: list[tuple[str, str]]
    opened: list[tuple[str, str]]
    hidden: str


def check_of(found: Judgement) -> str:
    """The check that failed, as the texts name it."""
    if found.code in _CHECK_OF_CODE:
        return _CHECK_OF_CODE[found.code]
    if found.outcome == "mismatch":
        return "inclusion" if found.holds["genuine"] else "signature"
    return "entry" if found.holds["genuine"] else "extra"


def verdict_view(found: Judgement, translator: Translator) -> VerdictView:
    """A judgement in words."""
    result = found.result
    if result is None:
        reason = translator.text(f"check.{check_of(found)}")
        return refusal_view(found.outcome, found.code, reason, found.holds, translator)
    sentence = translator.text(
        f"verdict.{found.outcome}", index=result.entry.index, origin=result.checkpoint.origin
    )
    # Where no witness was asked for, the policy is met, but nobody has seen anything.
    unseen = result.witnessed is not None and not result.witnessed.witnesses
    rows = [
        Row(
            one.name,
            one.label,
            _SYMBOLS[None if unseen and one.name == "witnessed" else one.holds],
            one.text,
            _holds(one.holds),
        )
        for one in facts(result, translator.language)
    ]
    hidden = translator.text("units.comma").join(
        translator.word("field", name) for name in result.hidden
    )
    return VerdictView(
        found.outcome,
        found.code,
        sentence,
        translator.text(f"next.{found.outcome}"),
        rows,
        kind_title(result.entry.kind, translator),
        _gift(result, translator),
        [(translator.word("field", name), str(value)) for name, value in result.values.items()],
        hidden,
    )


def refusal_view(
    outcome: str,
    code: str,
    reason: str,
    holds: Mapping[FactName, bool | None],
    translator: Translator,
) -> VerdictView:
    """What is told where there is nothing to show but the reason."""
    style = "cannot_decide" if outcome == "undecided" else outcome
    steps = ("signer",) if code == "unknown_signer" else ()
    rows = [
        Row(
            name,
            translator.text(f"row.{name}"),
            _SYMBOLS[holds[name]],
            translator.text(_text_of(name, holds[name])),
            _holds(holds[name]),
        )
        for name in _ROWS
    ]
    return VerdictView(
        style,
        code,
        translator.text(f"verdict.{outcome}", reason=reason),
        translator.text(f"next.{steps[0] if steps else outcome}"),
        rows,
        "",
        [],
        [],
        "",
    )


def _text_of(name: FactName, holds: bool | None) -> str:
    """The row's text where the receipt as a whole does not hold."""
    refused = f"row.{name}_not"
    if holds is False and refused in catalogue():
        return refused
    return {True: "row.holds", False: "row.holds_not", None: "row.not_reached"}[holds]


def _holds(value: bool | None) -> str:
    return {True: "true", False: "false", None: "null"}[value]


def _gift(result: VerifiedReceipt, translator: Translator) -> list[tuple[str, str]]:
    """What was recorded: the day, what moved, the fields that are plain values."""
    entry = result.entry
    rows = [(translator.text("shown.day"), entry.occurred_on)]
    for one in entry.postings:
        if one["asset"] == "CNY":
            amount = translator.text("shown.yuan", amount=format_yuan(one["amount"]))
        else:
            unit = one["asset"].removeprefix("item:")
            amount = f"{format_number(one['amount'])} {translator.word('unit', unit)}"
        rows.append((translator.text("shown.moved"), amount))
    for name, value in entry.fields.items():
        if isinstance(value, str):
            rows.append((translator.word("field", name), value))
        elif type(value) is int and name.endswith("_fen"):
            shown = translator.text("shown.yuan", amount=format_yuan(value))
            rows.append((translator.word("field", name), shown))
    return rows
