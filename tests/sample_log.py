"""Small signed logs in memory, with receipts of every form: no store, no sequencer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.entry import FIRST_PREVIOUS, Entry, build_disclosure, format_entry, parse_entry, seal
from ledger.receipt import Opening, Receipt, build_receipt
from ledger.tlog.checkpoint import sign_checkpoint
from ledger.tlog.merkle import leaf_hash, root_of
from ledger.tlog.note import Ed25519Signer, VerifierKey
from ledger.tlog.proofs import build_inclusion
from ledger.verify import Direction, EntryFlows, build_trace, walk

ORIGIN = "shanji.example/test"
SIGNER = Ed25519Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
STRANGER = Ed25519Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33))))
KEYS: tuple[VerifierKey, ...] = (SIGNER.verifier_key,)
VALUES: Mapping[str, Any] = {
    "contact": "示例联系方式",
    "donor_name": "示例捐赠人",
    "order_number": "EXAMPLE-0001",
}


def seed_of(index: int) -> bytes:
    """The seed of an entry's sealed fields."""
    return index.to_bytes(16, "big")


@dataclass(frozen=True)
class SampleLog:
    """A log's entries, with what is derived from them."""

    data: Sequence[bytes]
    values: Mapping[int, Mapping[str, Any]]

    @cached_property
    def entries(self) -> list[Entry]:
        return [parse_entry(one) for one in self.data]

    @cached_property
    def leaves(self) -> list[bytes]:
        return [leaf_hash(one) for one in self.data]

    def node(self, height: int, position: int) -> bytes:
        return root_of(self.leaves[position << height : (position + 1) << height])

    def inclusion(self, index: int, size: int | None = None) -> tuple[bytes, ...]:
        return tuple(build_inclusion(index, size or len(self.data), self.node))

    def checkpoint(self, size: int | None = None, signers: Sequence[Any] = (SIGNER,)) -> bytes:
        size = len(self.data) if size is None else size
        return sign_checkpoint(ORIGIN, size, root_of(self.leaves[:size]), signers)

    def receipt(self, index: int, reveal: str | Sequence[str] = "all") -> bytes:
        """A receipt that reveals all, none, or the named personal fields."""
        values = self.values.get(index)
        opening = Opening(self.data[index])
        if values and reveal == "all":
            opening = Opening(self.data[index], seed_of(index), values)
        elif values and reveal != "none":
            shown = [build_disclosure(seed_of(index), name, values[name]) for name in reveal]
            opening = Opening(self.data[index], disclosures=shown)
        return build_receipt(Receipt(index, self.inclusion(index), self.checkpoint(), opening))

    def trace(self, index: int, direction: Direction, met: Sequence[int]) -> bytes:
        """A trace proof that holds the entries `met`."""
        walks = walk(EntryFlows(self.entries), index, direction)
        entries = [(one, self.data[one], self.inclusion(one)) for one in met]
        return build_trace(
            entry=index,
            direction=direction,
            checkpoint=self.checkpoint(),
            entries=entries,
            walks=walks,
        )


def make_log(parts: Sequence[Mapping[str, Any]]) -> SampleLog:
    """A log of entries that each say what differs from an entry that does nothing.

    `values` in a part are sealed.
    """
    data: list[bytes] = []
    values: dict[int, Mapping[str, Any]] = {}
    previous = FIRST_PREVIOUS
    for index, part in enumerate(parts):
        rest = dict(part)
        personal = rest.pop("values", None)
        if personal:
            values[index] = personal
        default: dict[str, Any] = {
            "index": index,
            "previous": previous,
            "recorded_at": f"2021-09-09T00:00:00.{index:06d}Z",
            "occurred_on": "2021-09-09",
            "recorded_by": "clerk-1",
            "approved_by": None,
            "kind": "test.noted",
            "fields": {},
            "sealed": seal(seed_of(index), personal) if personal else {},
            "postings": [],
            "references": [],
            "documents": [],
        }
        data.append(format_entry(**{**default, **rest}))
        previous = leaf_hash(data[-1]).hex()
    return SampleLog(data, values)


def gifts(count: int) -> SampleLog:
    """A log of gifts of 1.00 yuan to one fund, with personal fields."""
    return make_log(
        [
            {
                "kind": "donation.money",
                "fields": {"amount_fen": 100, "channel": "bank", "fund": "general"},
                "values": VALUES,
                "postings": [
                    {
                        "asset": "CNY",
                        "amount": 100,
                        "from": "world:donor",
                        "to": "fund:general",
                        "at": 100 * number,
                    }
                ],
            }
            for number in range(count)
        ]
    )


def purchase() -> SampleLog:
    """Two gifts, a purchase with both, a distribution: a log to trace through."""
    gift = {"asset": "CNY", "amount": 500, "from": "world:donor", "to": "fund:general"}
    return make_log(
        [
            {"kind": "log.opened"},
            {"kind": "donation.money", "postings": [{**gift, "at": 0}], "values": VALUES},
            {"kind": "donation.money", "postings": [{**gift, "at": 500}]},
            {
                "kind": "purchase.made",
                "postings": [
                    {
                        "asset": "CNY",
                        "amount": 600,
                        "from": "fund:general",
                        "takes": [[0, 600]],
                        "to": "world:supplier",
                    },
                    {
                        "asset": "item:pack",
                        "amount": 7,
                        "from": "world:supplier",
                        "to": "stock:hq",
                        "at": 0,
                    },
                ],
            },
            {
                "kind": "goods.distributed",
                "postings": [
                    {
                        "asset": "item:pack",
                        "amount": 3,
                        "from": "stock:hq",
                        "takes": [[0, 3]],
                        "to": "world:beneficiary",
                    }
                ],
            },
        ]
    )
