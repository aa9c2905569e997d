"""Properties of traces: random ledgers, whose units an oracle follows one by one."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import oracle_units
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.entry import Entry, format_entry, parse_entry
from ledger.flows import REVERSAL, Flow, Moves
from ledger.units import Range, joined
from ledger.verify import Direction, EntryFlows, walk, walks_as_json

FUNDS = ("fund:a", "fund:b", "fund:c")
STOCKS = ("stock:a", "stock:b")
GOODS = ("item:pack", "item:mask")
DIRECTIONS: tuple[Direction, ...] = ("forward", "backward")


class Writer:
    """Writes a random ledger: only what a ledger's rules would let through."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.oracle = oracle_units.UnitOracle()
        self.entries: list[Entry] = []
        self.reversed: set[int] = set()
        self.held: dict[tuple[str, str], list[int]] = {}
        self.received: dict[tuple[str, str], int] = {}

    def write(self, count: int) -> None:
        """Append `count` entries of any kind that is possible then."""
        steps = (
            [self.gift] * 3 + [self.allocate, self.refund, self.undo] * 2 + [self.purchase] * 3
        ) + [self.repack, self.move, self.hand_out, self.pay, self.sale]
        while len(self.entries) < count:
            self.held = {key: list(numbers) for key, numbers in self.oracle.held().items()}
            self.received = {key: len(units) for key, units in self.oracle.accounts.items()}
            self.random.choice(steps)()

    def append(
        self, postings: Sequence[dict[str, Any]], kind: str = "test.moved", **f: Any
    ) -> None:
        """Append an entry, through the bytes that a log would hold."""
        data = format_entry(
            index=len(self.entries),
            previous="0" * 64,
            recorded_at="2021-09-09T00:00:00.000000Z",
            occurred_on="2021-09-09",
            recorded_by="tester",
            approved_by=None,
            kind=kind,
            fields=f,
            sealed={},
            postings=postings,
            references=[],
            documents=[],
        )
        self.entries.append(parse_entry(data))
        self.oracle.play(self.entries[-1])

    def posting(
        self, asset: str, amount: int, source: str, target: str, takes: Sequence[Range] = ()
    ) -> dict[str, Any]:
        """A posting, with the numbers that its account gives next."""
        value: dict[str, Any] = {"asset": asset, "amount": amount, "from": source, "to": target}
        if takes:
            value["takes"] = [list(one) for one in takes]
        if not target.startswith("world:"):
            value["at"] = self.received.get((asset, target), 0)
            self.received[asset, target] = value["at"] + amount
        return value

    def chosen(self, asset: str, account: str, most: int = 40) -> list[Range]:
        """Some units that are held there, in some order; they are not held after."""
        held = self.held.get((asset, account), [])
        picked: list[Range] = []
        for _ in range(self.random.randint(1, 4)):
            if held:
                at = self.random.randrange(len(held))
                run = held[at : at + self.random.randint(1, most // 2)]
                del held[at : at + len(run)]
                picked += joined((number, number + 1) for number in run)
        return joined(picked)

    def out(self, asset: str, account: str, target: str) -> dict[str, Any] | None:
        """A posting of some units of an account, if it has any."""
        takes = self.chosen(asset, account)
        amount = sum(end - first for first, end in takes)
        return self.posting(asset, amount, account, target, takes) if takes else None

    def gift(self) -> None:
        amount = self.random.randint(1, 40)
        self.append([self.posting("CNY", amount, "world:donor", self.random.choice(FUNDS))])

    def out_of(self, asset: str, accounts: Sequence[str], target: str) -> None:
        if posting := self.out(asset, self.random.choice(accounts), target):
            self.append([posting])

    def allocate(self) -> None:
        self.out_of("CNY", FUNDS, self.random.choice(FUNDS))

    def pay(self) -> None:
        self.out_of("CNY", FUNDS, "world:beneficiary")

    def move(self) -> None:
        self.out_of(self.random.choice(GOODS), STOCKS, self.random.choice(STOCKS))

    def hand_out(self) -> None:
        self.out_of(self.random.choice(GOODS), STOCKS, "world:beneficiary")

    def lines(self, assets: Sequence[tuple[str, Sequence[str]]], world: str, target: str) -> None:
        """One to three lines: a run of postings that pay, and one that receives."""
        postings: list[dict[str, Any]] = []
        for _ in range(self.random.randint(1, 3)):
            paid = [
                posting
                for asset, accounts in assets
                for _ in range(self.random.randint(1, 2))
                if (posting := self.out(asset, self.random.choice(accounts), world))
            ]
            if paid:
                product = "CNY" if target.startswith("fund:") else self.random.choice(GOODS)
                postings += [
                    *paid,
                    self.posting(product, self.random.randint(1, 60), world, target),
                ]
        if postings:
            self.append(postings)

    def purchase(self) -> None:
        self.lines([("CNY", FUNDS)], "world:supplier", self.random.choice(STOCKS))

    def repack(self) -> None:
        self.lines([(GOODS[0], STOCKS)], "world:repacked", self.random.choice(STOCKS))

    def sale(self) -> None:
        assets = [("CNY", FUNDS), (GOODS[1], STOCKS)]
        self.lines(assets, "world:market", self.random.choice([*STOCKS, *FUNDS]))

    def refund(self) -> None:
        gifts = [one for one in self.entries if one.postings[0]["from"] == "world:donor"]
        gifts = [one for one in gifts if one.kind != REVERSAL]
        if not gifts:
            return
        posting = self.random.choice(gifts).postings[0]
        at, fund = posting["at"], posting["to"]
        left = [n for n in self.held["CNY", fund] if at <= n < at + posting["amount"]]
        if left:
            back = left[self.random.randrange(len(left)) :]
            takes = joined((number, number + 1) for number in back)
            self.append([self.posting("CNY", len(back), fund, "world:donor", takes)])

    def undo(self) -> None:
        """Reverse an entry whose units are all where it put them."""
        able = [one for one in self.entries if self.undoable(one)]
        if not able:
            return
        entry = self.random.choice(able[-6:])
        postings = []
        for one in entry.postings:
            takes = [(one["at"], one["at"] + one["amount"])] if "at" in one else []
            asset, amount = one["asset"], one["amount"]
            postings.append(self.posting(asset, amount, one["to"], one["from"], takes))
        self.reversed.add(entry.index)
        self.append(postings, REVERSAL, entry=entry.index)

    def undoable(self, entry: Entry) -> bool:
        return (
            entry.kind != REVERSAL
            and entry.index not in self.reversed
            and all(
                set(range(one["at"], one["at"] + one["amount"]))
                <= set(self.held[one["asset"], one["to"]])
                for one in entry.postings
                if "at" in one
            )
        )


class Noted:
    """A flow source that notes which entries were met."""

    def __init__(self, source: EntryFlows) -> None:
        self.source = source
        self.met: set[int] = set()
        self.arrivals = source.arrivals
        self.departures = source.departures
        self.reversed_by = source.reversed_by

    def moves(self, entry: int) -> Moves:
        self.met.add(entry)
        return self.source.moves(entry)


def check_all(entries: Sequence[Entry], oracle: Any) -> None:
    """Every trace of a log, in both directions, against the oracle."""
    source = EntryFlows(entries)
    for entry in entries:
        told = [n for n in range(len(entry.postings)) if (entry.index, n) not in oracle.paid]
        for direction in DIRECTIONS:
            noted = Noted(source)
            walks = walk(noted, entry.index, direction)
            assert [one.posting for one in walks] == told
            for one in walks:
                oracle_units.check_walk(one, oracle, entry.index, direction)
            # The entries that a walk meets are all that it needs.
            alone = EntryFlows([entries[index] for index in sorted(noted.met)])
            assert walks_as_json(walk(alone, entry.index, direction)) == walks_as_json(walks)


@settings(derandomize=True, deadline=None, max_examples=40)
@given(st.integers(0, 2**32))
def test_every_unit_ends_and_begins_where_the_oracle_says(seed: int) -> None:
    writer = Writer(seed)
    writer.write(25)
    check_all(writer.entries, writer.oracle)


@settings(derandomize=True, deadline=None, max_examples=100)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 90), st.integers(0, 2**32))
def test_two_conversions_in_a_row(paid: int, packs: int, boxes: int, seed: int) -> None:
    writer = Writer(seed)
    writer.append([writer.posting("CNY", 100, "world:donor", "fund:a")])
    writer.append(
        [
            writer.posting("CNY", paid, "fund:a", "world:supplier", [(100 - paid, 100)]),
            writer.posting("item:pack", packs, "world:supplier", "stock:a"),
        ]
    )
    writer.append(
        [
            writer.posting("item:pack", packs, "stock:a", "world:repacked", [(0, packs)]),
            writer.posting("item:mask", boxes, "world:repacked", "stock:a"),
        ]
    )
    writer.held = {("item:mask", "stock:a"): list(range(boxes))}
    writer.hand_out()
    check_all(writer.entries, writer.oracle)


def flows_of_all(entries: Sequence[Entry]) -> list[Flow]:
    source = EntryFlows(entries)
    return [flow for entry in entries for flow in source.moves(entry.index).flows]


@settings(derandomize=True, deadline=None, max_examples=30)
@given(st.integers(0, 2**32), st.integers(0, 200), st.integers(1, 60))
def test_overlaps_are_found_as_a_scan_finds_them(seed: int, first: int, length: int) -> None:
    writer = Writer(seed)
    writer.write(20)
    source, end = EntryFlows(writer.entries), first + length
    flows = flows_of_all(writer.entries)
    for asset, account in writer.oracle.accounts:
        into = [
            flow
            for flow in flows
            if (flow.asset, flow.target) == (asset, account)
            and flow.target_first is not None
            and flow.target_first < end
            and flow.target_first + flow.length > first
        ]
        out = [
            flow
            for flow in flows
            if (flow.asset, flow.source) == (asset, account)
            and flow.source_first is not None
            and flow.source_first < end
            and flow.source_first + flow.length > first
        ]
        assert source.arrivals(asset, account, first, end) == sorted(
            into, key=lambda flow: flow.target_first or 0
        )
        assert source.departures(asset, account, first, end) == sorted(
            out, key=lambda flow: flow.source_first or 0
        )
