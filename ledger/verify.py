"""The stand-alone verifier: receipts, traces, growth. No database, no web, no pydantic.

Every `verify_*` takes bytes from anywhere and whom the caller trusts (the log's
verifier keys, or a policy that names witnesses too), and returns what it verified or
raises: `VerificationError` where something contradicts (a mismatch), `PendingError`
where only witnesses are missing, `UndecidedError` or `MalformedError` where nothing
can be said. Size, root and origin are taken only from the signed checkpoint; nothing is
believed because a proof says so (design, section 2).

`tell` puts a result into one sentence, Chinese or English, with what it does not
prove (promise 8).
"""

from __future__ import annotations

from base64 import b64encode
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, Literal

from ledger.entry import (
    Entry,
    format_canonical,
    open_disclosures,
    open_sealed,
    parse_canonical,
    parse_entry,
)
from ledger.errors import MalformedError, PendingError, UndecidedError, VerificationError
from ledger.flows import REVERSAL, Flow, Moves, Walk, flows_of, walk_backward, walk_forward
from ledger.receipt import HEADER, parse_receipt
from ledger.tlog.checkpoint import Checkpoint, open_checkpoint
from ledger.tlog.cosignature import verifier_for
from ledger.tlog.merkle import leaf_hash
from ledger.tlog.note import Verifier, VerifierKey, decode_base64
from ledger.tlog.policy import Policy
from ledger.tlog.proofs import PROOF_HASHES_MAX, verify_consistency, verify_inclusion
from ledger.tlog.witnessed import WitnessedCheckpoint, open_witnessed

Language = Literal["zh", "en"]
Direction = Literal["forward", "backward"]
Trust = Sequence[VerifierKey] | Policy
"""Whom to believe: the log's verifier keys, or a policy that names witnesses too."""

TRACE_FORMAT = "shanji-trace/v1"
TRACE_BYTES_MAX = 64_000_000
TRACE_ENTRIES_MAX = 100_000
VERIFIERS_KEPT = 64
"""Keys that stay parsed: parsing one took a tenth of a receipt's verification."""


@dataclass(frozen=True, slots=True)
class VerifiedReceipt:
    """A receipt that holds: this entry stands at this place of the signed log.

    `values` are the personal fields that the receipt reveals, each checked against
    its commitment; `hidden` names the others. `witnessed` is there where it was
    verified by a policy.
    """

    entry: Entry
    leaf_hash: bytes
    checkpoint: Checkpoint
    signers: tuple[str, ...]
    values: Mapping[str, Any]
    hidden: tuple[str, ...]
    witnessed: WitnessedCheckpoint | None = None


@dataclass(frozen=True, slots=True)
class VerifiedGrowth:
    """The log of `new` contains the log of `old` unchanged; `witnessed` is of `new`."""

    old: Checkpoint
    new: Checkpoint
    witnessed: WitnessedCheckpoint | None = None


@dataclass(frozen=True, slots=True)
class VerifiedTrace:
    """Every entry of the trace stands in the signed log, and the ranges fit end to end."""

    entry: int
    direction: Direction
    checkpoint: Checkpoint
    entries: tuple[Entry, ...]
    walks: tuple[Walk, ...]
    witnessed: WitnessedCheckpoint | None = None


def verify_checkpoint(
    data: bytes, keys: Trust, *, now: int | None = None
) -> tuple[Checkpoint, tuple[str, ...]]:
    """Open a signed checkpoint of the log that the keys, or the policy, name.

    Args:
        data: The signed note.
        keys: The log's keys, which the caller has from elsewhere, or a policy.
        now: The caller's clock, in seconds since 1970; with a policy, cosignatures
            from the future do not count (``witnessed.FUTURE_SECONDS_MAX``).

    Returns:
        The checkpoint and the names of the log keys whose signatures verified.

    Raises:
        PendingError: too few of the policy's witnesses cosigned it.
        UndecidedError: no key was given, or none of them signed it.
        VerificationError: a signature by a given key fails, another log's origin, or a
            key outside its sizes (``key_not_valid_at_size``).
        MalformedError: not a checkpoint.
    """
    checkpoint, signers, witnessed = open_trusted(data, keys, now)
    _require_quorum(witnessed, witnessed)
    return checkpoint, signers


def open_trusted(
    data: bytes, keys: Trust, now: int | None = None
) -> tuple[Checkpoint, tuple[str, ...], WitnessedCheckpoint | None]:
    """Open a signed checkpoint, whether or not enough witnesses saw it.

    Returns:
        The checkpoint, the names of the log keys that signed it, and with a policy what
        it says of the witnesses.

    Raises:
        As `verify_checkpoint`, without PendingError.
    """
    if isinstance(keys, Policy):
        opened = open_witnessed(data, keys, now=now)
        names = tuple(dict.fromkeys(one.key.name for one in opened.log_keys))
        return opened.checkpoint, names, opened
    if not keys:
        raise UndecidedError("expected at least one verifier key of the log, got none")
    verifiers = [_verifier(key) for key in keys]
    checkpoint, note = open_checkpoint(data, keys[0].name, verifiers)
    return checkpoint, tuple(dict.fromkeys(one.name for one in note.verified)), None


@lru_cache(VERIFIERS_KEPT)
def _verifier(key: VerifierKey) -> Verifier:
    """As `verifier_for`; who verifies many receipts does so under the same few keys."""
    return verifier_for(key)


def _require_quorum(witnessed: WitnessedCheckpoint | None, result: object) -> None:
    """Raise PendingError, with what holds so far, where witnesses are missing."""
    if witnessed is not None and not witnessed.quorum_met:
        raise PendingError(
            f"the checkpoint of size {witnessed.checkpoint.size} is cosigned by "
            f"{len(witnessed.cosigned)} of the policy's {witnessed.witnesses} witnesses, fewer "
            "than its quorum; fetch the file again later",
            result=result,
        )


def verify_receipt(data: bytes, keys: Trust, *, now: int | None = None) -> VerifiedReceipt:
    """Verify a receipt offline.

    Args:
        data: The bytes of a ``.tlog-proof`` file.
        keys: The log's verifier keys, which the caller has from elsewhere, or a policy.
        now: The caller's clock (see `verify_checkpoint`).

    Raises:
        PendingError: all of it holds, but too few witnesses cosigned its checkpoint;
            its `result` is the `VerifiedReceipt`.
        VerificationError: altered: entry, place, proof, opening or checkpoint differ.
        UndecidedError: signed by none of the keys.
        MalformedError: not a receipt.
    """
    receipt = parse_receipt(data)
    checkpoint, signers, witnessed = open_trusted(receipt.checkpoint, keys, now)
    leaf = leaf_hash(receipt.opening.entry)
    verify_inclusion(receipt.index, checkpoint.size, leaf, receipt.proof, checkpoint.root)
    entry = parse_entry(receipt.opening.entry)
    if entry.index != receipt.index:
        raise VerificationError(
            f"the entry says index {entry.index}, but it stands at {receipt.index} in the log",
            code="index_mismatch",
        )
    opening = receipt.opening
    values: Mapping[str, Any] = {}
    if opening.seed is not None:
        values = opening.values or {}
        open_sealed(entry.sealed, opening.seed, values)
    elif opening.disclosures:
        values = open_disclosures(entry.sealed, opening.disclosures)
    hidden = tuple(sorted(set(entry.sealed) - set(values)))
    result = VerifiedReceipt(entry, leaf, checkpoint, signers, values, hidden, witnessed)
    _require_quorum(witnessed, result)
    return result


def checkpoint_of(data: bytes) -> bytes:
    """The checkpoint in a file: of a receipt, or the file itself.

    Raises:
        MalformedError: a damaged receipt.
    """
    return parse_receipt(data).checkpoint if data.startswith(HEADER) else data


def verify_growth(
    old: bytes, new: bytes, proof: Sequence[bytes], keys: Trust, *, now: int | None = None
) -> VerifiedGrowth:
    """Verify that a log only grew between two of its checkpoints.

    Args:
        old: The earlier checkpoint, or a receipt that holds it.
        new: The later one. By a policy, its witnesses count: those who saw the later
            log saw that it contains the earlier one.
        proof: The consistency proof, 32-byte hashes (RFC 6962, section 2.1.2).
        keys: The log's verifier keys, or a policy.
        now: The caller's clock (see `verify_checkpoint`).

    Raises:
        PendingError: too few witnesses cosigned `new`; its `result` is the growth.
        VerificationError: the log was rewritten between them: keep both files, together
            they are the evidence.
        UndecidedError: `old` is the larger, or is empty, or a signature is unknown.
    """
    before, _, _ = open_trusted(checkpoint_of(old), keys, now)
    after, _, witnessed = open_trusted(checkpoint_of(new), keys, now)
    if before.origin != after.origin:
        raise UndecidedError(
            f"the first checkpoint is of the log {before.origin!r}, the second of "
            f"{after.origin!r}; give two of one log",
            code="other_log",
        )
    if before.size > after.size:
        raise UndecidedError(
            f"the first checkpoint has size {before.size}, the second only {after.size}; "
            "give the older one first",
            code="order",
        )
    if before.size == 0:
        raise UndecidedError("the first checkpoint is of an empty log, which every log contains")
    verify_consistency(before.size, after.size, proof, before.root, after.root)
    result = VerifiedGrowth(before, after, witnessed)
    _require_quorum(witnessed, result)
    return result


# Trace proofs


class EntryFlows:
    """A `FlowSource` over parsed entries alone."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._moves: dict[int, Moves] = {}
        self._reversals: dict[int, int] = {}
        self._arrivals: dict[tuple[str, str], list[tuple[int, Flow]]] = {}
        self._departures: dict[tuple[str, str], list[tuple[int, Flow]]] = {}
        for entry in entries:
            moves = moves_of(entry)
            self._moves[entry.index] = moves
            if moves.reverses is not None:
                self._reversals[moves.reverses] = entry.index
            for flow in moves.flows:
                if flow.target_first is not None:
                    into = self._arrivals.setdefault((flow.asset, flow.target), [])
                    into.append((flow.target_first, flow))
                if flow.source_first is not None:
                    out = self._departures.setdefault((flow.asset, flow.source), [])
                    out.append((flow.source_first, flow))
        for rows in (*self._arrivals.values(), *self._departures.values()):
            rows.sort(key=lambda row: row[0])

    def arrivals(self, asset: str, account: str, first: int, end: int) -> list[Flow]:
        return _overlapping(self._arrivals.get((asset, account), []), first, end)

    def departures(self, asset: str, account: str, first: int, end: int) -> list[Flow]:
        return _overlapping(self._departures.get((asset, account), []), first, end)

    def moves(self, entry: int) -> Moves:
        if entry not in self._moves:
            raise VerificationError(
                f"the trace needs entry {entry}, which its proof does not hold",
                code="trace_incomplete",
            )
        return self._moves[entry]

    def reversed_by(self, entry: int) -> int | None:
        return self._reversals.get(entry)


def _overlapping(rows: Sequence[tuple[int, Flow]], first: int, end: int) -> list[Flow]:
    # Flows into one account are disjoint, so only the last one before `first` can reach it.
    low = max(bisect_left(rows, first, key=lambda row: row[0]) - 1, 0)
    high = bisect_left(rows, end, key=lambda row: row[0])
    return [flow for start, flow in rows[low:high] if start + flow.length > first]


def moves_of(entry: Entry) -> Moves:
    """An entry as the walk sees it."""
    reverses = entry.fields.get("entry") if entry.kind == REVERSAL else None
    flows = tuple(flows_of(entry.index, entry.postings))
    return Moves(entry.index, entry.kind, flows, reverses if type(reverses) is int else None)


def walk(source: Any, entry: int, direction: Direction) -> tuple[Walk, ...]:
    """Trace an entry's units in one direction (see ``flows``)."""
    return tuple((walk_forward if direction == "forward" else walk_backward)(source, entry))


def walks_as_json(walks: Sequence[Walk]) -> list[dict[str, Any]]:
    """Walks as plain values in the restricted canonical form: what is absent is left out."""
    return [
        {
            **_plain(asdict(one)),
            "amounts": [
                {"asset": asset, "amount": amount} for asset, amount in sorted(one.amounts.items())
            ],
        }
        for one in walks
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value


def build_trace(
    *,
    entry: int,
    direction: Direction,
    checkpoint: bytes,
    entries: Sequence[tuple[int, bytes, Sequence[bytes]]],
    walks: Sequence[Walk],
) -> bytes:
    """Write a trace proof: canonical JSON, one inclusion proof an entry.

    Args:
        entry: The entry whose units are traced.
        direction: ``forward`` or ``backward``.
        checkpoint: The signed checkpoint that all proofs lead to.
        entries: ``(index, entry bytes, inclusion proof)`` of each entry met.
        walks: The answer, for people; the verifier computes it again.
    """
    return format_canonical(
        {
            "format": TRACE_FORMAT,
            "entry": entry,
            "direction": direction,
            "checkpoint": checkpoint.decode(),
            "entries": [
                {
                    "index": index,
                    "entry": b64encode(data).decode(),
                    "proof": [b64encode(one).decode() for one in proof],
                }
                for index, data, proof in sorted(entries)
            ],
            "walks": walks_as_json(walks),
        }
    )


def verify_trace(data: bytes, keys: Trust, *, now: int | None = None) -> VerifiedTrace:
    """Verify a trace proof offline: each entry's place, and that the ranges fit.

    The walk is computed again from the entries alone and must equal the one stated.
    What nobody can see from a part of a log is an entry that was left out: units said
    to be held may have left by an entry that the file does not show, until it is
    compared with the log.

    Raises:
        PendingError, VerificationError, UndecidedError, MalformedError: as in
            `verify_receipt`.
        LedgerError: the walk meets too many flows (``trace_too_large``).
    """
    if len(data) > TRACE_BYTES_MAX:
        raise MalformedError(f"expected a trace of at most {TRACE_BYTES_MAX} bytes")
    value = parse_canonical(data)
    keys_wanted = {"format", "entry", "direction", "checkpoint", "entries", "walks"}
    if (
        not isinstance(value, dict)
        or set(value) != keys_wanted
        or value["format"] != TRACE_FORMAT
        or type(value["entry"]) is not int
        or value["direction"] not in ("forward", "backward")
        or not isinstance(value["checkpoint"], str)
        or not isinstance(value["entries"], list)
        or not isinstance(value["walks"], list)
    ):
        raise MalformedError(f"expected a trace proof of format {TRACE_FORMAT}")
    if len(value["entries"]) > TRACE_ENTRIES_MAX:
        raise MalformedError(f"expected at most {TRACE_ENTRIES_MAX} entries")
    checkpoint, _, witnessed = open_trusted(value["checkpoint"].encode(), keys, now)
    entries = tuple(_verify_member(one, checkpoint) for one in value["entries"])
    if len({one.index for one in entries}) != len(entries):
        raise MalformedError("expected each entry once in a trace proof")
    _check_disjoint(entries)
    direction: Direction = value["direction"]
    walks = walk(EntryFlows(entries), value["entry"], direction)
    for one in walks:
        found: dict[str, int] = {}
        for end in one.ends:
            asset = one.asset if direction == "forward" else end.asset
            found[asset] = found.get(asset, 0) + end.amount
        if found != {asset: amount for asset, amount in one.amounts.items() if amount}:
            raise VerificationError(
                f"the parts of posting {one.posting} do not sum to the whole: "
                f"expected {dict(one.amounts)}, found {found}",
                code="trace_gap",
            )
    if walks_as_json(walks) != value["walks"]:
        raise VerificationError(
            "the walk that the entries give is not the walk that the file states",
            code="trace_mismatch",
        )
    result = VerifiedTrace(value["entry"], direction, checkpoint, entries, walks, witnessed)
    _require_quorum(witnessed, result)
    return result


def _verify_member(value: object, checkpoint: Checkpoint) -> Entry:
    if (
        not isinstance(value, dict)
        or set(value) != {"index", "entry", "proof"}
        or type(value["index"]) is not int
        or not isinstance(value["proof"], list)
        or len(value["proof"]) > PROOF_HASHES_MAX
    ):
        raise MalformedError("expected entries as {index, entry, proof}")
    texts = (value["entry"], *value["proof"])
    if not all(isinstance(one, str) for one in texts):
        raise MalformedError("expected base64 text in a trace proof")
    data, *proof = (decode_base64(one, "entry or hash") for one in texts)
    verify_inclusion(value["index"], checkpoint.size, leaf_hash(data), proof, checkpoint.root)
    entry = parse_entry(data)
    if entry.index != value["index"]:
        raise VerificationError(
            f"the entry says index {entry.index}, but it stands at {value['index']}",
            code="index_mismatch",
        )
    return entry


def _check_disjoint(entries: Sequence[Entry]) -> None:
    """No unit leaves one account twice, none arrives twice (design, section 4)."""
    seen: dict[tuple[str, str, str], list[tuple[int, int, int]]] = {}
    for entry in entries:
        for flow in flows_of(entry.index, entry.postings):
            for side, account, first in (
                ("out", flow.source, flow.source_first),
                ("in", flow.target, flow.target_first),
            ):
                if first is not None:
                    rows = seen.setdefault((side, flow.asset, account), [])
                    rows.append((first, first + flow.length, entry.index))
    for (_, asset, account), rows in seen.items():
        rows.sort()
        for (_, end, one), (first, _, other) in pairwise(rows):
            if first < end:
                raise VerificationError(
                    f"entries {one} and {other} move the same units of {asset} in {account}",
                    code="units_twice",
                )


# Sentences

_LIMITS = {
    "zh": "证明只说明记录了什么、且记录未被改动；不能证明款物已经送达。",
    "en": "A proof shows what was recorded and that it is unaltered; "
    "it does not show that money or goods arrived.",
}
_VERDICTS = {
    True: {"zh": "通过", "en": "Verified"},
    False: {"zh": "待封账", "en": "Pending"},
}
_AGAIN = {
    "zh": "见过它的见证人还不够：请稍后重新取得凭证，再验证一次。",
    "en": "Too few witnesses have seen it yet: fetch the file again later, and verify it again.",
}
_HELD = {
    "zh": "“仍在账上”以所列条目为准，须与完整账本核对。",
    "en": "That units are still held is as stated by these entries; compare it with the whole log.",
}


def format_amount(asset: str, amount: int) -> str:
    """An amount for people: yuan with two decimals, or units of the asset."""
    if asset == "CNY":
        return f"{amount // 100:,}.{amount % 100:02d} CNY"
    return f"{amount:,} {asset.removeprefix('item:')}"


def tell(result: VerifiedReceipt | VerifiedGrowth | VerifiedTrace, language: Language) -> str:
    """What was verified and what it cannot show, in one sentence each.

    A result that a `PendingError` carries is told as pending, with the next step.
    """
    zh = language == "zh"
    settled = result.witnessed is None or result.witnessed.quorum_met
    verdict = _VERDICTS[settled][language]
    match result:
        case VerifiedReceipt(entry=entry, checkpoint=log):
            moved = "、".join(format_amount(one["asset"], one["amount"]) for one in entry.postings)
            if zh:
                text = (
                    f"{verdict}：第 {entry.index} 号条目（{entry.kind}，{entry.occurred_on}"
                    f"{'，' + moved if moved else ''}）已记入账本 {log.origin}"
                    f"（共 {log.size} 条），内容未被改动。"
                )
            else:
                text = (
                    f"{verdict}: entry {entry.index} ({entry.kind}, {entry.occurred_on}"
                    f"{', ' + moved.replace('、', ', ') if moved else ''}) is recorded in the log "
                    f"{log.origin} of {log.size} entries, and is unaltered."
                )
        case VerifiedGrowth(old=old, new=new):
            text = (
                f"{verdict}：账本 {new.origin} 从 {old.size} 条增至 {new.size} 条，"
                "此前的内容未被改动。"
                if zh
                else f"{verdict}: the log {new.origin} grew from {old.size} to {new.size} entries, "
                "and nothing before was altered."
            )
        case _:
            count, index = len(result.entries), result.entry
            way = ("去向" if zh else "onward") if result.direction == "forward" else ""
            way = way or ("来源" if zh else "back")
            text = (
                f"{verdict}：第 {index} 号条目的{way}由 {count} 个条目首尾相接地证明，"
                f"均在账本 {result.checkpoint.origin} 中（共 {result.checkpoint.size} 条）。"
                if zh
                else f"{verdict}: the way {way} from entry {index} is proved by {count} entries "
                f"that fit end to end, all in the log {result.checkpoint.origin} "
                f"of {result.checkpoint.size} entries."
            )
            if result.direction == "forward":
                text += ("" if zh else " ") + _HELD[language]
    if not settled:
        text += ("" if zh else " ") + _AGAIN[language]
    return text + ("" if zh else " ") + _LIMITS[language]
