"""Whether the book holds what the model holds: units, totals, traces, personal fields."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import orjson
from oracle_units import check_walk

from ledger.book import Book
from ledger.entry import parse_entry
from ledger.flows import walk_backward, walk_forward
from ledger.store import Reader
from ledger.tlog.note import split_note
from ledger.trace import StoreFlows

from .keys import signers
from .units import Tag, Unit, is_outside
from .world import Told, World

Segment = tuple[int, int, str]


def label_of(asset: str, tag: Tag) -> str:
    """A tag as the store writes it (docs/adr/0003)."""
    if asset.startswith("item:") and tag == ("", ""):
        return ""
    return "/".join(tag)


def segments(asset: str, units: list[Unit]) -> list[Segment]:
    """Units by number as the longest runs with one label."""
    found: list[Segment] = []
    for unit in units:
        number, label = unit.number or 0, label_of(asset, unit.tag)
        if found and found[-1][1:] == (number, label):
            found[-1] = (found[-1][0], number + 1, label)
        else:
            found.append((number, number + 1, label))
    return found


def touched(entries: Iterable[Told]) -> set[tuple[str, str]]:
    """The accounts, by asset, that entries moved units between."""
    used: set[tuple[str, str]] = set()
    for told in entries:
        for posting in told.postings:
            used |= {(posting.asset, posting.source), (posting.asset, posting.target)}
    return used


def compare_units(reader: Reader, world: World, accounts: Iterable[tuple[str, str]]) -> None:
    """Each account: how much it ever received, and which units are still there."""
    for asset, name in sorted(accounts):
        account = reader.account(asset, name)
        assert account is not None, (asset, name)
        places = [] if is_outside(name) else world.accounts.places[asset, name]
        held = world.accounts.held(asset, name) if places else []
        got = (account.received, list(account.segments))
        assert got == (len(places), segments(asset, held)), (asset, name)


def check_conservation(reader: Reader, world: World) -> None:
    """What came in less what went out is what the accounts hold, asset by asset.

    From the entries and accounts that the book has; the model only says which there are.
    """
    inside: Counter[str] = Counter()
    for told in world.entries:
        for posting in parse_entry(reader.entry(told.index)).postings:
            inside[posting["asset"]] += posting["amount"] * is_outside(posting["from"])
            inside[posting["asset"]] -= posting["amount"] * is_outside(posting["to"])
    held: Counter[str] = Counter()
    for asset, name in world.accounts.places:
        account = reader.account(asset, name)
        assert account is not None
        held[asset] += sum(end - first for first, end, _ in account.segments)
    assert +inside == +held


def compare_traces(reader: Reader, world: World) -> None:
    """Where each unit of each entry went and came from; a gift's shares fill the gift."""
    flows = StoreFlows(reader)
    for told in world.entries:
        for walk in walk_forward(flows, told.index) if told.postings else ():
            check_walk(walk, world.accounts, told.index, "forward")
        for walk in walk_backward(flows, told.index) if told.postings else ():
            check_walk(walk, world.accounts, told.index, "backward")


def check_places(world: World) -> None:
    """Every unit that ever came in is in one place of one account, or outside."""
    seen: Counter[int] = Counter()
    for (asset, name), places in world.accounts.places.items():
        for number, unit in enumerate(places):
            if unit is not None:
                seen[id(unit)] += 1
                assert (unit.asset, unit.account, unit.number) == (asset, name, number)
    assert set(seen.values()) <= {1}
    for units in world.accounts.moved.values():
        for unit in units:
            assert (id(unit) in seen) == (not is_outside(unit.account))


FUND_ADDS = ("opened_fen", "raised_fen", "received_fen", "sales_fen")
FUND_TAKES = ("refunded_fen", "allocated_fen", "fees_fen", "spent_fen")
ITEM_ADDS = ("opened", "given", "bought", "surplus", "repacked_out")
ITEM_TAKES = ("distributed", "lost", "redeemed", "sold", "repacked_in")


def compare_totals(reader: Reader, world: World) -> None:
    """A fund's and an item's running totals come to what is there of them."""
    for told in world.entries:
        if told.kind == "fund.opened":
            code = told.fields["code"]
            balance = world.accounts.balance("CNY", f"fund:{code}")
            assert _total(reader, f"fund-total/{code}", FUND_ADDS, FUND_TAKES) == balance, code
        if told.kind == "item.registered":
            code = told.fields["code"]
            held = sum(
                world.accounts.balance(asset, name)
                for asset, name in world.accounts.places
                if asset == f"item:{code}"
            )
            assert _total(reader, f"item-total/{code}", ITEM_ADDS, ITEM_TAKES) == held, code


def _total(reader: Reader, key: str, adds: tuple[str, ...], takes: tuple[str, ...]) -> int:
    data = reader.object(key)
    value = {} if data is None else orjson.loads(data)
    return sum(value.get(one, 0) for one in adds) - sum(value.get(one, 0) for one in takes)


def compare_signers(reader: Reader, world: World) -> None:
    """Every checkpoint is signed by the keys that were active then, and by no others."""
    for size, checkpoint in reader.checkpoints(0, len(world.entries) + 1):
        got = [one.key_id.hex() for one in split_note(checkpoint)[1]]
        assert sorted(got) == sorted(signers(world, size)), size


def compare_openings(book: Book, world: World) -> None:
    """Personal fields open as they were sent, and no more once they were erased."""
    erased = {
        index
        for told in world.entries
        if told.kind == "privacy.erased"
        for index in told.fields["entries"]
    }
    for told in world.entries:
        if not told.sealed:
            continue
        opening = book.opening(told.index)
        assert (None if opening is None else opening[1]) == (
            None if told.index in erased else told.sealed
        ), told.index


def to_take_back(world: World) -> Iterator[Told]:
    """The entries that can be reversed, the newest first."""
    for told in reversed(world.entries):
        if told.reversible:
            yield told
