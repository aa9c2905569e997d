"""Evidence: files from which anybody can check that a log contradicts itself.

Three kinds of files, each beside a checkpoint that the log signed:

* another checkpoint (or receipt): two roots for one size, or two entries at one index;
* ``shanji-consistency/v1``: a later checkpoint with the root that its tree has at the
  earlier size, and the consistency proof of RFC 6962 section 2.1.2 between the two::

      shanji-consistency/v1
      old <size> <base64 root>
      <base64 hash>            (any number)

      <the later checkpoint>

* ``shanji-served/v1``: bytes that were served for a tile or bundle, with the hashes that
  tie the right content of that place to the signed root (canonical JSON).

The first two bind the log's key by themselves. Served bytes are signed by nobody: the
file shows that they are not what the checkpoint stands for, not who served them.
"""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass
from typing import Any, Literal

from ledger.entry import format_canonical, parse_canonical
from ledger.errors import (
    CorruptionError,
    MalformedError,
    PendingError,
    UndecidedError,
    VerificationError,
)
from ledger.receipt import HEADER
from ledger.tlog.checkpoint import Checkpoint
from ledger.tlog.merkle import (
    EMPTY_ROOT,
    HASH_SIZE,
    SIZE_MAX,
    leaf_hash,
    root_of,
    split_hashes,
)
from ledger.tlog.note import NOTE_BYTES_MAX, decode_base64, encode_base64
from ledger.tlog.proofs import PROOF_HASHES_MAX, root_from_subtree, verify_consistency
from ledger.tlog.tiles import (
    ENTRIES,
    ENTRY_BYTES_MAX,
    TILE_HEIGHT,
    TILE_WIDTH,
    TilePath,
    TileWriter,
    parse_bundle,
    parse_tile_path,
)
from ledger.verify import (
    Language,
    Trust,
    VerifiedReceipt,
    checkpoint_of,
    open_trusted,
    verify_receipt,
)

CONSISTENCY_FORMAT = "shanji-consistency/v1"
SERVED_FORMAT = "shanji-served/v1"
EVIDENCE_BYTES_MAX = 2 * TILE_WIDTH * (ENTRY_BYTES_MAX + 2) + NOTE_BYTES_MAX
"""Bytes in the largest evidence file: a bundle in base64 has a third more."""

_OLD = re.compile(r"old (0|[1-9][0-9]{0,18}) ([A-Za-z0-9+/=]{44})")

Verdict = Literal["two_histories", "served_wrong", "one_history"]


@dataclass(frozen=True, slots=True)
class Prefix:
    """What a later checkpoint's tree was at an earlier size.

    Attributes:
        size: The earlier size.
        root: The root that the later tree has at that size.
        proof: The consistency proof between the two.
        checkpoint: The later checkpoint, a signed note.
    """

    size: int
    root: bytes
    proof: tuple[bytes, ...]
    checkpoint: bytes


@dataclass(frozen=True, slots=True)
class Served:
    """Bytes that were served, and what the signed tree says of that place.

    Attributes:
        path: The path of tlog-tiles that they were served for.
        data: The bytes.
        height, position, node, proof: A perfect subtree under that path whose hash leads
            to the signed root: one leaf of a bundle, or the whole of a full tile.
        edges: Instead of these: the partial tiles of every level as served, which do not
            hash to the root together.
    """

    path: str
    data: bytes
    height: int = 0
    position: int = 0
    node: bytes = b""
    proof: tuple[bytes, ...] = ()
    edges: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Judgement:
    """What two files show.

    Attributes:
        verdict: ``two_histories``: the log's key signed two states of which at most one
            can be true. ``served_wrong``: the served bytes are not what was signed.
            ``one_history``: nothing in the files contradicts.
        reason: How the files show it.
        first, second: The two checkpoints; the same for ``served_wrong``.
    """

    verdict: Verdict
    reason: str
    first: Checkpoint
    second: Checkpoint


def format_prefix(prefix: Prefix) -> bytes:
    """Write a ``shanji-consistency/v1`` file."""
    lines = [CONSISTENCY_FORMAT, f"old {prefix.size} {encode_base64(prefix.root)}"]
    lines += [encode_base64(one) for one in prefix.proof]
    return "\n".join(lines).encode() + b"\n\n" + prefix.checkpoint


def parse_prefix(data: bytes) -> Prefix:
    """Read a ``shanji-consistency/v1`` file; verifies nothing.

    Raises:
        MalformedError: it is none.
    """
    head, separator, checkpoint = data.partition(b"\n\n")
    lines = head.decode("utf-8", "replace").split("\n")
    match = _OLD.fullmatch(lines[1]) if len(lines) > 1 else None
    if lines[0] != CONSISTENCY_FORMAT or match is None or not separator:
        raise MalformedError(
            f"expected a file of format {CONSISTENCY_FORMAT}: its second line is `old`, the size "
            "and the root; get the file again"
        )
    if len(lines) > 2 + PROOF_HASHES_MAX or int(match[1]) > SIZE_MAX:
        raise MalformedError(f"expected at most {PROOF_HASHES_MAX} hashes and a size below 2**63")
    proof = tuple(decode_base64(line, "proof hash") for line in lines[2:])
    return Prefix(int(match[1]), decode_base64(match[2], "root"), proof, checkpoint)


def format_served(served: Served) -> bytes:
    """Write a ``shanji-served/v1`` file."""
    value: dict[str, Any] = {
        "format": SERVED_FORMAT,
        "path": served.path,
        "data": b64encode(served.data).decode(),
    }
    if served.edges:
        value["edges"] = [b64encode(one).decode() for one in served.edges]
    else:
        value |= {
            "height": served.height,
            "position": served.position,
            "node": encode_base64(served.node),
            "proof": [encode_base64(one) for one in served.proof],
        }
    return format_canonical(value) + b"\n"


def parse_served(data: bytes) -> Served:
    """Read a ``shanji-served/v1`` file; verifies nothing.

    Raises:
        MalformedError: it is none.
    """
    value = parse_canonical(data.removesuffix(b"\n"))
    try:
        if not isinstance(value, dict) or value.pop("format") != SERVED_FORMAT:
            raise TypeError
        path, content = value.pop("path"), decode_base64(value.pop("data"), "served bytes")
        if set(value) == {"edges"}:
            edges = tuple(decode_base64(one, "tile") for one in value["edges"])
            return Served(path, content, edges=edges)
        proof = tuple(decode_base64(one, "proof hash") for one in value.pop("proof"))
        node = decode_base64(value.pop("node"), "node hash")
        height, position = value.pop("height"), value.pop("position")
        if value or type(height) is not int or type(position) is not int:
            raise TypeError
    except (KeyError, TypeError, AttributeError):
        raise MalformedError(f"expected a file of format {SERVED_FORMAT}") from None
    return Served(path, content, height, position, node, proof)


def judge(first: bytes, second: bytes, trust: Trust) -> Judgement:
    """Say what two files prove, from these files and the log's keys alone.

    Args:
        first, second: A checkpoint, a receipt, or an evidence file; at least one of them
            with a checkpoint of its own. Their order does not matter.
        trust: The log's verifier keys, which the caller has from elsewhere, or a policy;
            witnesses do not count here: the log's own signatures are what is judged.

    Raises:
        UndecidedError: the files decide nothing: two sizes without a proof that ties
            them, a proof that does not lead to its own checkpoint, an unknown signer.
        VerificationError: a signature by one of the keys fails: a forged file.
        MalformedError: one is none of these files.
    """
    if second.startswith(b"{"):
        return _judge_served(first, second, trust)
    if first.startswith(b"{"):
        return _judge_served(second, first, trust)
    one, other = _open(first, trust), _open(second, trust)
    for checkpoint in (one, other):
        if checkpoint.size == 0 and checkpoint.root != EMPTY_ROOT:
            return Judgement("two_histories", "empty_root", one, other)
    if one.size == other.size:
        verdict: Verdict = "one_history" if one.root == other.root else "two_histories"
        return Judgement(verdict, "same_size", one, other)
    if first.startswith(HEADER) and second.startswith(HEADER):
        mine, theirs = (_open_receipt(one, trust) for one in (first, second))
        if mine.entry.index == theirs.entry.index and mine.leaf_hash != theirs.leaf_hash:
            return Judgement("two_histories", "same_index", one, other)
    for data, late, early in ((first, one, other), (second, other, one)):
        if data.startswith(CONSISTENCY_FORMAT.encode()):
            return _judge_prefix(parse_prefix(data), early, late)
    if 0 in (one.size, other.size):
        return Judgement("one_history", "empty", one, other)
    raise UndecidedError(
        f"the checkpoints are of the sizes {one.size} and {other.size}, and nothing ties them: "
        f"add the proof (a {CONSISTENCY_FORMAT} file), or use shanji verify-growth with the log",
        code="no_proof",
    )


def _open(data: bytes, trust: Trust) -> Checkpoint:
    """The signed checkpoint in a file."""
    if data.startswith(CONSISTENCY_FORMAT.encode()):
        data = parse_prefix(data).checkpoint
    return open_trusted(checkpoint_of(data), trust)[0]


def _open_receipt(data: bytes, trust: Trust) -> VerifiedReceipt:
    """A receipt's entry and place; too few witnesses do not matter here."""
    try:
        return verify_receipt(data, trust)
    except PendingError as error:
        if isinstance(error.result, VerifiedReceipt):
            return error.result
        raise


def _judge_prefix(prefix: Prefix, early: Checkpoint, late: Checkpoint) -> Judgement:
    if prefix.size != early.size:
        raise UndecidedError(
            f"the proof is about size {prefix.size}, the other checkpoint has size {early.size}; "
            "give the checkpoint of that size",
            code="no_proof",
        )
    try:
        verify_consistency(prefix.size, late.size, prefix.proof, prefix.root, late.root)
    except VerificationError as error:
        raise UndecidedError(
            f"the proof does not lead to its own checkpoint, so it proves nothing: {error.message}",
            code="no_proof",
        ) from None
    verdict: Verdict = "one_history" if prefix.root == early.root else "two_histories"
    return Judgement(verdict, "prefix", early, late)


def _judge_served(note: bytes, data: bytes, trust: Trust) -> Judgement:
    checkpoint = _open(note, trust)
    served = parse_served(data)
    place = parse_tile_path(served.path)
    if served.edges:
        try:
            right = TileWriter(checkpoint.size, served.edges).root() == checkpoint.root
        except CorruptionError as error:
            raise UndecidedError(
                f"the file's tiles are not the right edge of this size: {error.message}",
                code="no_proof",
            ) from None
        verdict: Verdict = "one_history" if right else "served_wrong"
        return Judgement(verdict, "edges", checkpoint, checkpoint)
    try:
        root = root_from_subtree(
            served.height, served.position, checkpoint.size, served.node, served.proof
        )
    except VerificationError:
        root = b""
    if root != checkpoint.root:
        raise UndecidedError(
            "the hashes in the file do not lead to the signed root, so they prove nothing",
            code="no_proof",
        )
    right = served_node(place, served.data, served.height, served.position) == served.node
    verdict = "one_history" if right else "served_wrong"
    return Judgement(verdict, "node", checkpoint, checkpoint)


def served_node(place: TilePath, data: bytes, height: int, position: int) -> bytes:
    """The hash that served bytes give a subtree: a bundle's leaf, or a whole full tile.

    Returns:
        The 32-byte hash; empty when the bytes are not such a bundle or tile at all.

    Raises:
        MalformedError: the subtree is not under that path.
    """
    first = place.number * TILE_WIDTH
    if place.level == ENTRIES and height == 0 and 0 <= position - first < place.width:
        try:
            return leaf_hash(parse_bundle(data, place.width)[position - first])
        except MalformedError:
            return b""
    whole = place.level != ENTRIES and place.width == TILE_WIDTH
    if whole and height == TILE_HEIGHT * (int(place.level) + 1) and position == place.number:
        return root_of(split_hashes(data)) if len(data) == TILE_WIDTH * HASH_SIZE else b""
    raise MalformedError("expected a subtree that the served path holds; the file was changed")


_REASONS = {
    "zh": {
        "same_size": "同一长度 {a} 有两个不同的树根，都由账本密钥签名",
        "same_index": "同一序号有两个不同的条目，都在账本密钥签名的检查点之下",
        "prefix": "长度 {b} 的已签名的树在长度 {a} 处的树根，不是账本为长度 {a} 签名的树根",
        "empty_root": "账本为空树签名了不可能的树根",
        "edges": "所提供的各层末端哈希块合起来得不出已签名的树根（长度 {a}）",
        "node": "所提供的内容与已签名的树根（长度 {a}）在该处要求的哈希不符",
    },
    "en": {
        "same_size": "two different roots for the one size {a}, both signed with the log's key",
        "same_index": "two different entries at one index, both under checkpoints that the log's "
        "key signed",
        "prefix": "at size {a} the signed tree of size {b} has another root than the one that the "
        "log signed for size {a}",
        "empty_root": "the log signed an impossible root for the empty tree",
        "edges": "the tiles served for the right edge do not give the signed root of size {a}",
        "node": "the bytes served do not have the hash that the signed root of size {a} demands "
        "there",
    },
}
_VERDICTS = {
    "zh": {
        "two_histories": "已证明：账本 {origin} 有两段历史：{reason}。"
        "至多一个是真的；仅凭这两个文件和账本公钥即可核验。不能证明哪一个是真的，也不能证明原因。",
        "served_wrong": "已证明：这些内容不是账本 {origin} 所签名的内容：{reason}。"
        "内容本身没有签名，因此不能证明是谁提供的；请自行向该地址索取并比较。",
        "one_history": "两个文件没有矛盾（账本 {origin}，长度 {a} 与 {b}）。"
        "这不能证明没有第三个文件与之矛盾。",
    },
    "en": {
        "two_histories": "Proved: the log {origin} has two histories: {reason}. At most one is "
        "true; these two files and the log's key suffice to check it. They do not prove which one "
        "is true, nor why.",
        "served_wrong": "Proved: these bytes are not what the log {origin} signed: {reason}. The "
        "bytes themselves are signed by nobody, so who served them is not proved; ask the address "
        "yourself and compare.",
        "one_history": "Nothing in the two files contradicts (log {origin}, sizes {a} and {b}). "
        "That does not prove that no third file does.",
    },
}


def tell_judgement(judgement: Judgement, language: Language) -> str:
    """What two files prove and what they do not, for people."""
    sizes = sorted((judgement.first.size, judgement.second.size))
    values: dict[str, Any] = {"a": sizes[0], "b": sizes[1], "origin": judgement.first.origin}
    reason = _REASONS[language].get(judgement.reason, "").format(**values)
    return _VERDICTS[language][judgement.verdict].format(reason=reason, **values)
