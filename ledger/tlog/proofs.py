"""Inclusion and consistency proofs: built from tree nodes, checked against roots.

An inclusion proof shows that a leaf is at an index of the tree with a given
root; a consistency proof shows that one tree is a prefix of another. Builders
take the nodes they need from a ``NodeReader`` (``tiles.TileReader.node`` for a
stored log). Verifiers take plain integers and bytes, and either return or
raise: there is no boolean to forget. Index, sizes and roots must come from
signed checkpoints, never from the proof itself.

Rules: RFC 6962 sections 2.1.1 and 2.1.2 (RFC 9162 sections 2.1.3 and 2.1.4);
for witnesses c2sp.org/tlog-witness, where growth from size 0 has an empty proof.

How both proofs are laid out. In a tree of ``size`` leaves, the path from a leaf
up and the path from the last leaf up meet at height ``inner``, the bit length of
``index ^ (size - 1)``. Below it each height adds one hash, and the topmost of
these may cover an incomplete subtree on the right edge. Above it only left
siblings exist: one hash for each 1 bit of ``index >> inner``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence

from ledger.errors import MalformedError, NotFoundError, VerificationError
from ledger.tlog.merkle import (
    EMPTY_ROOT,
    HASH_SIZE,
    NODE_PREFIX,
    check_hash,
    check_integer,
    node_hash,
)

PROOF_HASHES_MAX = 63
"""Hashes in the longest proof (c2sp.org/tlog-witness); enough for 2**62 leaves."""

NodeReader = Callable[[int, int], bytes]
"""(height, position) -> hash of the perfect subtree of 2**height leaves there."""

EdgeReader = Callable[[int], bytes]
"""height -> hash of the right edge from the last multiple of 2**height to the end."""


def build_inclusion(index: int, size: int, node: NodeReader) -> list[bytes]:
    """Build the inclusion proof of a leaf (RFC 6962 section 2.1.1).

    Args:
        index: The leaf's 0-based index.
        size: Leaves in the tree that the proof is for.
        node: Reads perfect subtrees of that tree.

    Returns:
        The 32-byte hashes, the leaf's sibling first.

    Raises:
        MalformedError: ``index`` or ``size`` is not an unsigned integer.
        NotFoundError: the tree has no leaf at ``index``.
    """
    check_integer("index", index)
    check_integer("size", size)
    if index >= size:
        raise NotFoundError(
            f"expected an index below the tree's size {size}, got {index}; "
            "ask for an entry that the tree holds"
        )
    return collect_siblings(index, size, 0, node, lambda height: edge_hash(size, height, node))


def build_consistency(old_size: int, new_size: int, node: NodeReader) -> list[bytes]:
    """Build the proof that the tree of ``old_size`` is a prefix of a larger one.

    Args:
        old_size: Leaves in the earlier tree, at least 1: nothing can be proved
            about the empty tree.
        new_size: Leaves in the later tree.
        node: Reads perfect subtrees of the later tree.

    Returns:
        The 32-byte hashes in the order of RFC 6962 section 2.1.2 (RFC 9162
        section 2.1.4); empty for equal sizes.

    Raises:
        MalformedError: a size is not an unsigned integer, or ``old_size`` is 0.
        NotFoundError: ``old_size`` is above ``new_size``.
    """
    check_integer("old size", old_size)
    check_integer("new size", new_size)
    if old_size == 0:
        raise MalformedError(
            "expected an old size of at least 1, got 0; no consistency proof starts at "
            "the empty tree"
        )
    if old_size > new_size:
        raise NotFoundError(
            f"expected an old size up to the tree's size {new_size}, got {old_size}; "
            "ask for a size that the log has reached"
        )
    if old_size == new_size:
        return []
    return collect_consistency(
        old_size, new_size, node, lambda height: edge_hash(new_size, height, node)
    )


def collect_consistency(
    old_size: int, new_size: int, node: NodeReader, edge: EdgeReader
) -> list[bytes]:
    """Collect a consistency proof's hashes; sizes checked, 0 < old_size < new_size.

    The proof is the inclusion path of the old tree's last leaf in the new tree,
    entered at the largest perfect subtree that ends with it. That subtree comes
    first, unless it is the whole old tree, whose root the verifier has.
    """
    last = old_size - 1
    shift = _trailing_zeros(old_size)
    siblings = collect_siblings(last, new_size, shift, node, edge)
    if old_size == 1 << shift:
        return siblings
    return [node(shift, last >> shift), *siblings]


def collect_siblings(
    index: int, size: int, start: int, node: NodeReader, edge: EdgeReader
) -> list[bytes]:
    """Collect the siblings of a path from height ``start`` over leaf ``index`` to the root.

    Args:
        index: A leaf below the path's first node; 0 <= index < size, unchecked.
        size: Leaves in the tree.
        start: Height of the path's first node, whose subtree must be perfect.
        node: Reads perfect subtrees.
        edge: Reads the right edge (see ``edge_hash``).

    Returns:
        The 32-byte hashes from the lowest height up.
    """
    last = size - 1
    inner = (index ^ last).bit_length()
    siblings = [node(height, (index >> height) ^ 1) for height in range(start, inner - 1)]
    if inner > start:
        siblings.append(edge(inner - 1))
    siblings += [
        node(height, (index >> height) - 1)
        for height in range(max(start, inner), last.bit_length())
        if index >> height & 1
    ]
    return siblings


def edge_hash(size: int, height: int, node: NodeReader) -> bytes:
    """Hash the leaves from the last multiple of 2**height below ``size`` to the end.

    Args:
        size: Leaves in the tree, at least 1, unchecked.
        height: The height of the subtree on the right edge, complete or not.
        node: Reads perfect subtrees.

    Returns:
        The 32-byte hash; the tree's root when ``2**height >= size``.
    """
    end = size
    rest = (size - 1) % (1 << height) + 1
    low = _trailing_zeros(rest)
    end -= 1 << low
    result = node(low, end >> low)
    for above in range(low + 1, rest.bit_length()):
        if rest >> above & 1:
            end -= 1 << above
            result = node_hash(node(above, end >> above), result)
    return result


def root_from_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes]) -> bytes:
    """Compute the root that an inclusion proof leads to.

    Args:
        index: The leaf's 0-based index.
        size: Leaves in the tree.
        leaf: The 32-byte leaf hash.
        proof: The 32-byte hashes, the leaf's sibling first.

    Returns:
        The 32-byte root; it proves nothing until compared with a signed one.

    Raises:
        MalformedError: an argument has an impossible form.
        VerificationError: no proof of this length exists for index and size.
    """
    check_integer("index", index)
    check_integer("size", size)
    check_hash("leaf hash", leaf)
    _check_proof(proof)
    if index >= size:
        raise VerificationError(
            f"expected an index below the tree's size {size}, got {index}; "
            "the proof is for another entry or another checkpoint"
        )
    inner = (index ^ (size - 1)).bit_length()
    _check_proof_length(proof, inner + (index >> inner).bit_count())
    return _climb(leaf, index, inner, proof)


def root_from_subtree(
    height: int, position: int, size: int, node: bytes, proof: Sequence[bytes]
) -> bytes:
    """Compute the root that a perfect subtree's path leads to (``collect_siblings`` builds it).

    Args:
        height: The subtree has 2**height leaves; 0 for a leaf.
        position: Its 0-based place among the subtrees of that height.
        size: Leaves in the tree.
        node: The subtree's 32-byte hash.
        proof: The 32-byte hashes, the subtree's sibling first.

    Returns:
        The 32-byte root; it proves nothing until compared with a signed one.

    Raises:
        MalformedError: an argument has an impossible form.
        VerificationError: no proof of this length exists for the subtree and size.
    """
    check_integer("height", height, PROOF_HASHES_MAX)
    check_integer("position", position)
    check_integer("size", size)
    check_hash("node hash", node)
    _check_proof(proof)
    if (position + 1) << height > size:
        raise VerificationError(
            f"expected a subtree inside the tree of size {size}, got height {height}, position "
            f"{position}; the proof is for another checkpoint"
        )
    inner = max(0, ((position << height) ^ (size - 1)).bit_length() - height)
    _check_proof_length(proof, inner + (position >> inner).bit_count())
    return _climb(node, position, inner, proof)


def verify_inclusion(
    index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes
) -> None:
    """Verify that a leaf is at an index of a tree (RFC 9162 section 2.1.3.2).

    Args:
        index: The leaf's 0-based index.
        size: Leaves in the tree, from the signed checkpoint.
        leaf: The 32-byte leaf hash, computed from the entry's bytes.
        proof: The 32-byte hashes, the leaf's sibling first.
        root: The tree's 32-byte root, from the signed checkpoint.

    Raises:
        MalformedError: an argument has an impossible form.
        VerificationError: the proof does not lead from this leaf to this root.
    """
    check_hash("root", root)
    if root_from_inclusion(index, size, leaf, proof) != root:
        raise VerificationError(
            f"the inclusion proof of entry {index} does not lead to the root of the tree "
            f"of size {size}; the entry, its index, the proof or the checkpoint was changed"
        )


def verify_inclusions(
    size: int, root: bytes, paths: Iterable[tuple[int, bytes, Sequence[bytes]]]
) -> None:
    """Verify many inclusion proofs of one tree: each as `verify_inclusion` does.

    Neighbours share all but the lowest hashes of their paths. Where a path comes to the very
    hash, place and remaining siblings that an earlier one came to, the rest is the same
    computation with the same outcome, so it is not done again: about two hashes a proof are
    left of twenty.

    Args:
        size: Leaves in the tree, from the signed checkpoint.
        root: The tree's 32-byte root, from the signed checkpoint.
        paths: ``(index, leaf hash, proof)``.

    Raises:
        MalformedError, VerificationError: as `verify_inclusion`, for the first that fails.
    """
    check_integer("size", size)
    check_hash("root", root)
    sha256, prefix = hashlib.sha256, NODE_PREFIX
    # (siblings climbed, turns left) -> the hash there, and the siblings from there up.
    met: dict[tuple[int, int], tuple[bytes, Sequence[bytes]]] = {}
    for index, leaf, proof in paths:
        check_integer("index", index)
        check_hash("leaf hash", leaf)
        if index >= size or type(proof) is not tuple:
            verify_inclusion(index, size, leaf, proof, root)
            continue
        inner = (index ^ (size - 1)).bit_length()
        _check_proof_length(proof, inner + (index >> inner).bit_count())
        turns = index | (-1 << inner)
        result = leaf
        for place, sibling in enumerate(proof):
            if type(sibling) is not bytes or len(sibling) != HASH_SIZE:
                check_hash("proof hash", sibling)
            rest = proof[place:]
            before = met.get((place, turns))
            if before is not None and before[0] == result and before[1] == rest:
                break
            met[place, turns] = (result, rest)
            pair = sibling + result if turns & 1 else result + sibling
            result = sha256(prefix + pair).digest()
            turns >>= 1
        else:
            if result != root:
                # Told in the words of the one proof; raises.
                verify_inclusion(index, size, leaf, proof, root)


def verify_consistency(
    old_size: int, new_size: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes
) -> None:
    """Verify that an earlier tree is a prefix of a later one (RFC 9162 section 2.1.4.2).

    Args:
        old_size: Leaves in the earlier tree; 0 is an error.
        new_size: Leaves in the later tree.
        proof: The 32-byte hashes; empty for equal sizes.
        old_root: The earlier tree's 32-byte root.
        new_root: The later tree's 32-byte root.

    Raises:
        MalformedError: an argument has an impossible form.
        VerificationError: the proof does not show the earlier tree in the later one.
    """
    _check_consistency_arguments(old_size, new_size, proof, old_root, new_root)
    if old_size == 0:
        raise VerificationError(
            "expected an old size of at least 1, got 0; a proof from the empty tree shows "
            "nothing, start from the first checkpoint you hold"
        )
    _verify_growth(old_size, new_size, proof, old_root, new_root)


def verify_witness_consistency(
    old_size: int, new_size: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes
) -> None:
    """Verify a log's growth as a witness does (c2sp.org/tlog-witness, add-checkpoint).

    Differs from ``verify_consistency`` at old size 0 only, where a witness has
    seen nothing yet: the proof must be empty, and any new root is accepted,
    except that a tree still of size 0 must have the empty root. ``old_root`` is
    then not compared, since a tree of size 0 has but one root.

    Args and errors: as for ``verify_consistency``.
    """
    _check_consistency_arguments(old_size, new_size, proof, old_root, new_root)
    if old_size > 0:
        _verify_growth(old_size, new_size, proof, old_root, new_root)
        return
    _check_proof_length(proof, 0)
    if new_size == 0 and new_root != EMPTY_ROOT:
        raise VerificationError(
            "the new tree has size 0 and not the root of the empty tree; refuse the checkpoint"
        )


def _verify_growth(
    old_size: int, new_size: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes
) -> None:
    """Verify a consistency proof for 0 < old_size, arguments checked."""
    if old_size > new_size:
        raise VerificationError(
            f"expected an old size up to the new size {new_size}, got {old_size}; "
            "a log never shrinks, so swap the two or refuse the newer checkpoint"
        )
    if old_size == new_size:
        _check_proof_length(proof, 0)
        if old_root != new_root:
            raise VerificationError(
                f"two different roots for size {new_size}: the log shows two histories; "
                "keep both checkpoints as evidence"
            )
        return
    last = old_size - 1
    shift = _trailing_zeros(old_size)
    path = last >> shift
    inner = (last ^ (new_size - 1)).bit_length() - shift
    # The old tree's root starts the path itself when the old tree is perfect.
    whole = old_size == 1 << shift
    _check_proof_length(proof, inner + (path >> inner).bit_count() + (0 if whole else 1))
    seed, siblings = (old_root, proof) if whole else (proof[0], proof[1:])
    # The old tree ends at this path, so only the siblings left of it belong to it.
    old = seed
    for height, sibling in enumerate(siblings):
        if height >= inner or path >> height & 1:
            old = node_hash(sibling, old)
    if old != old_root:
        raise VerificationError(
            f"the consistency proof does not lead to the root of the old tree of size "
            f"{old_size}; the proof is wrong or the log changed what it had recorded"
        )
    if _climb(seed, path, inner, siblings) != new_root:
        raise VerificationError(
            f"the consistency proof does not lead to the root of the new tree of size "
            f"{new_size}; the proof is wrong or the log changed what it had recorded"
        )


def _climb(start: bytes, path: int, inner: int, siblings: Sequence[bytes]) -> bytes:
    """Hash from a node up to the root; from the ``inner``-th sibling on all are left."""
    sha256 = hashlib.sha256
    prefix = NODE_PREFIX
    result = start
    # Above ``inner`` every sibling is on the left, as if the path's bits were 1.
    turns = path | (-1 << inner)
    for sibling in siblings:
        pair = sibling + result if turns & 1 else result + sibling
        result = sha256(prefix + pair).digest()
        turns >>= 1
    return result


def _trailing_zeros(number: int) -> int:
    """Count the zero bits below the lowest 1 bit of a positive integer."""
    return (number & -number).bit_length() - 1


def _check_consistency_arguments(
    old_size: int, new_size: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes
) -> None:
    """Raise MalformedError or VerificationError for arguments no proof can have."""
    check_integer("old size", old_size)
    check_integer("new size", new_size)
    check_hash("old root", old_root)
    check_hash("new root", new_root)
    _check_proof(proof)


def _check_proof(proof: Sequence[bytes]) -> None:
    """Raise MalformedError unless the proof is a sequence of hashes, not too many."""
    if not isinstance(proof, Sequence):
        raise MalformedError(
            f"expected the proof to be a list of hashes, got {type(proof).__name__}; "
            "pass the decoded hashes in order"
        )
    if len(proof) > PROOF_HASHES_MAX:
        raise VerificationError(
            f"expected a proof of at most {PROOF_HASHES_MAX} hashes, got {len(proof)}; "
            "no log needs more, refuse it"
        )
    for sibling in proof:
        # Checked here first: the sequencer verifies every proof it hands out.
        if type(sibling) is not bytes or len(sibling) != HASH_SIZE:
            check_hash("proof hash", sibling)


def _check_proof_length(proof: Sequence[bytes], length: int) -> None:
    """Raise VerificationError unless the proof has the one length that the sizes allow."""
    if len(proof) != length:
        raise VerificationError(
            f"expected a proof of {length} hashes for these sizes, got {len(proof)}; "
            "the proof is for another index or size, or it was cut or padded"
        )
