"""What is written comes back: every method of Reader and Appender, on a real file."""

from __future__ import annotations

from dataclasses import replace

import pytest
from batches import Batches, digest, put

from ledger.errors import ConflictError, CorruptionError, FatalError, NotFoundError
from ledger.flows import Flow
from ledger.movements import MovementRow
from ledger.store import AccountRow, AnchorRow, AssetRow, HolderRow, PoolRow, Store
from ledger.store.chosen import IN_MAX
from ledger.store.tables import TABLES
from ledger.tlog.merkle import leaf_hash
from ledger.tlog.tiles import TILE_WIDTH, TileReader, parse_bundle

FUND = ("CNY", "fund:a")
ACCOUNTS = [(0, "CNY", "world:donor", 0), (1, *FUND, 100), (2, "CNY", "world:beneficiary", 0)]


def gift(entry: int, first: int, length: int, label: str = "") -> Flow:
    """A flow into the fund."""
    return Flow(entry, 0, 0, "CNY", "world:donor", None, "fund:a", first, length, label)


def payment(entry: int, part: int, first: int, length: int) -> Flow:
    """A flow out of the fund."""
    return Flow(entry, 0, part, "CNY", "fund:a", first, "world:beneficiary", None, length, "")


def test_an_empty_store_has_nothing(store: Store) -> None:
    with store.read() as reader:
        assert reader.head() is None
        assert reader.edges() == []
        assert reader.entries(0, 0) == []
        assert reader.entry_flows(0) == []
        assert reader.arrivals(*FUND, 0, 9) == []
        assert reader.departures(*FUND, 0, 9) == []
        assert reader.account(*FUND) is None
        assert reader.account_count() == 0
        assert reader.vault(0) is None
        assert reader.object("fund/a") is None
        assert reader.objects("fund/", limit=9) == []
        assert reader.checkpoints(0, 9) == []
        assert reader.idempotency(["key-0"]) == {}
        assert reader.order_numbers([digest(0)]) == {}
        for table in TABLES:
            assert list(reader.scan(table)) == []


def test_entries_hashes_and_keys_come_back(store: Store, batches: Batches) -> None:
    batch = batches.make(3)
    put(store, batch)
    with store.read() as reader:
        assert reader.head() == batch.head
        assert reader.edges() == list(batch.edges)
        assert reader.entry(1) == b"entry 1"
        assert reader.leaf_hash(2) == leaf_hash(b"entry 2")
        assert reader.entries(1, 3) == [b"entry 1", b"entry 2"]
        assert reader.checkpoint(3) == batch.head.checkpoint
        assert reader.vault(2) == b"sealed 2"
        assert reader.vault(3) is None
        assert reader.idempotency(["key-1", "key-1", "none"]) == {"key-1": (digest(1), 1)}
        assert reader.order_numbers([digest(2), digest(9)]) == {digest(2): 2}


def test_what_is_not_there_says_so(store: Store, batches: Batches) -> None:
    put(store, batches.make(3))
    with store.read() as reader:
        for missing in (3, -1):
            with pytest.raises(NotFoundError, match=f"no entry {missing}"):
                reader.entry(missing)
            with pytest.raises(NotFoundError, match=f"no entry {missing}"):
                reader.leaf_hash(missing)
        with pytest.raises(CorruptionError, match="expected the entries 1 to 4, 2 are stored"):
            reader.entries(1, 5)
        with pytest.raises(NotFoundError, match="no checkpoint was signed at size 2") as caught:
            reader.checkpoint(2)
        assert caught.value.code == "no_checkpoint"


def test_many_keys_are_asked_for_in_parts(store: Store, batches: Batches) -> None:
    count = 2 * IN_MAX + 1
    put(store, batches.make(count))
    with store.read() as reader:
        keys = [f"key-{index}" for index in range(count + 5)]
        assert reader.idempotency(keys) == {
            f"key-{index}": (digest(index), index) for index in range(count)
        }
        orders = [digest(index) for index in range(count)]
        assert reader.order_numbers(orders) == {digest(index): index for index in range(count)}


def test_checkpoints_are_listed_by_size(store: Store, batches: Batches) -> None:
    notes = []
    for count in (2, 3, 4):
        batch = batches.make(count)
        put(store, batch)
        notes.append((batch.head.size, batch.head.checkpoint))
    with store.read() as reader:
        assert reader.checkpoints(0, 10) == notes
        assert reader.checkpoints(2, 1) == [notes[1]]
        assert reader.checkpoints(5, 10) == [notes[2]]
        assert reader.checkpoints(9, 10) == []


def test_tiles_full_and_partial(store: Store, batches: Batches) -> None:
    put(store, batches.make(TILE_WIDTH - 1))
    put(store, batches.make(TILE_WIDTH + 3))
    size = 2 * TILE_WIDTH + 2
    leaves = b"".join(batches.leaves)
    with store.read() as reader:
        assert reader.tile(0, 0, TILE_WIDTH) == leaves[: 32 * TILE_WIDTH]
        assert reader.tile(0, 0, 5) == leaves[: 32 * 5]
        assert reader.tile(0, 2, 2) == leaves[-64:]
        assert reader.tile(0, 2, 1) == leaves[-64:-32]
        assert len(reader.tile(1, 0, 2)) == 64
        head = reader.head()
        assert head is not None
        assert TileReader(size, reader.tile).root() == head.root
        for level, number, width in (
            (0, 2, 3),
            (0, 2, TILE_WIDTH),
            (0, 3, 1),
            (1, 0, 3),
            (1, 1, 1),
            (2, 0, 1),
            (0, 0, 0),
            (0, 0, TILE_WIDTH + 1),
            (0, 0, -1),
            (0, 1_000_000, 1),
        ):
            with pytest.raises(NotFoundError, match="no tile of level") as caught:
                reader.tile(level, number, width)
            assert caught.value.code == "no_tile"


def test_bundles(store: Store, batches: Batches) -> None:
    put(store, batches.make(TILE_WIDTH + 2))
    with store.read() as reader:
        full = parse_bundle(reader.bundle(0, TILE_WIDTH), TILE_WIDTH)
        assert full == [b"entry %d" % index for index in range(TILE_WIDTH)]
        assert parse_bundle(reader.bundle(1, 1), 1) == [b"entry 256"]
        for number, width in ((1, 3), (2, 1), (0, 0), (0, TILE_WIDTH + 1)):
            with pytest.raises(NotFoundError, match="no entry bundle"):
                reader.bundle(number, width)


def test_bundle_of_an_empty_log(store: Store) -> None:
    with store.read() as reader, pytest.raises(NotFoundError):
        reader.bundle(0, 1)


def test_accounts_and_holdings_are_replaced(store: Store, batches: Batches) -> None:
    held = [(1, 0, 60, ""), (1, 60, 40, "flood")]
    put(store, batches.make(1, accounts=ACCOUNTS, holdings_set=held))
    with store.read() as reader:
        assert reader.account_count() == 3
        assert reader.account(*FUND) == AccountRow(1, *FUND, 100, [(0, 60, ""), (60, 100, "flood")])
        assert reader.account("points", "fund:a") is None
    later = batches.make(
        1,
        accounts=[(1, *FUND, 130)],
        holdings_gone=[(1, 0)],
        holdings_set=[(1, 20, 40, ""), (1, 60, 70, "flood")],
    )
    put(store, later)
    with store.read() as reader:
        assert reader.account_count() == 3
        assert reader.account(*FUND) == AccountRow(
            1, *FUND, 130, [(20, 60, ""), (60, 130, "flood")]
        )
        assert reader.account("CNY", "world:donor") == AccountRow(0, "CNY", "world:donor", 0, [])


def test_objects_are_replaced_and_removed(store: Store, batches: Batches) -> None:
    put(store, batches.make(1, objects=[(f"fund/{name}", b"{}") for name in "cab"]))
    put(store, batches.make(1, objects=[("fund/a", b'{"n":1}'), ("fund/c", None), ("fune", b"1")]))
    with store.read() as reader:
        assert reader.object("fund/a") == b'{"n":1}'
        assert reader.object("fund/c") is None
        assert reader.objects("fund/", limit=9) == [("fund/a", b'{"n":1}'), ("fund/b", b"{}")]
        assert reader.objects("fund/", after="fund/a", limit=9) == [("fund/b", b"{}")]
        assert reader.objects("fund/", limit=1) == [("fund/a", b'{"n":1}')]
        assert reader.objects("fund/", after="fund/b", limit=9) == []
        assert reader.objects("fun", limit=9)[-1] == ("fune", b"1")


FLOWS = [
    gift(0, 0, 30),
    gift(1, 30, 20, "flood"),
    gift(2, 50, 50),
    payment(3, 0, 20, 15),
    payment(3, 1, 60, 5),
    payment(4, 0, 35, 10),
]


def test_assets_add_up(store: Store, batches: Batches) -> None:
    put(store, batches.make(1, assets=[("CNY", 2, 100, 60), ("points", 1, 5, 5)]))
    put(store, batches.make(1, assets=[("CNY", 1, 10, -20)]))
    with store.read() as reader:
        assert reader.asset("CNY") == AssetRow("CNY", 3, 110, 40)
        assert reader.asset("minutes") is None


def test_pools_add_up_and_come_back(store: Store, batches: Batches) -> None:
    put(store, batches.make(1, accounts=ACCOUNTS, pools=[(1, "", 60, 60, 0), (1, "b", 40, 40, 0)]))
    put(store, batches.make(1, pools=[(1, "b", 10, -20, 5), (2, "", 7, 7, 0)]))
    with store.read() as reader:
        plain, marked = (PoolRow(1, *FUND, "", 60, 60, 0), PoolRow(1, *FUND, "b", 50, 20, 5))
        assert reader.pool(*FUND, "b") == marked
        assert reader.pool(*FUND, "c") is None
        assert reader.labelled_pools("CNY", "fund:", "b", looked_at=9) == [marked]
        assert reader.labelled_pools("CNY", "fund:b", "b", looked_at=9) == []
        assert reader.account_total(*FUND) == PoolRow(1, *FUND, "", 110, 80, 5)
        assert reader.account_total("CNY", "world:donor") == PoolRow(
            0, "CNY", "world:donor", "", 0, 0, 0
        )
        assert reader.account_total("points", "fund:a") is None
        rows = reader.held_pools((-1, ""), 9)
        assert [row.account for row in rows] == [1, 1, 2]
        assert rows[:2] == [plain, marked]
        assert reader.held_pools((1, ""), 1) == [marked]
        assert reader.held_pools((2, ""), 9) == []


def test_ranges_are_given_in_pages_and_by_label(store: Store, batches: Batches) -> None:
    held = [(1, 10 * number, 5, "ab"[number % 2]) for number in range(9)]
    put(store, batches.make(1, accounts=ACCOUNTS, holdings_set=held))
    every = [(first, first + 5, label) for _, first, _, label in held]
    with store.read() as reader:
        assert reader.held_ranges(1, limit=99) == every
        assert reader.held_ranges(1, limit=2) == every[:2]
        assert reader.held_ranges(1, first=41, limit=99) == every[5:]
        assert reader.held_ranges(1, label="b", first=11, limit=2) == every[3:7:2]
        assert reader.held_ranges(2, limit=99) == []


def test_running_sums_of_an_account_at_any_size_and_on_any_day(
    store: Store, batches: Batches
) -> None:
    first, second = "2022-01-03", "2022-01-05"
    rows = [
        (1, 0, second, 1, 30, 0, 1, 30, 0),
        (1, 1, first, 2, 50, 0, 1, 20, 0),
        (1, 3, second, 3, 50, 20, 2, 30, 20),
        (2, 3, second, 1, 20, 0, 1, 20, 0),
        (1, 4, first, 4, 50, 30, 2, 20, 10),
    ]
    put(store, batches.make(5, accounts=ACCOUNTS, movements=sorted(rows)))
    moved = {(row[0], row[1]): MovementRow(*row) for row in rows}
    with store.read() as reader:
        ends = [reader.account_sums(1, end) for end in (0, 1, 2, 3, 4, 5)]
        assert ends == [(0, 0, 0), (1, 30, 0), (2, 50, 0), (2, 50, 0), (3, 50, 20), (4, 50, 30)]
        assert reader.movement(1, 3) == moved[1, 3]
        assert reader.movement(1, 2) is None
        holders = [HolderRow(1, *FUND, 50, 20), HolderRow(2, "CNY", "world:beneficiary", 20, 20)]
        assert reader.asset_sums("CNY", "", limit=9) == holders
        assert reader.asset_sums("CNY", "fund:", limit=9) == holders[:1]
        assert reader.named_sums("fund:a", limit=9) == holders[:1]
        assert reader.movements(1, 1, 4, 9) == [moved[1, 1], moved[1, 3]]
        assert reader.movements(1, 0, 5, 1) == [moved[1, 0]]
        assert reader.movements_of_day(1, second, end=3, limit=9) == [moved[1, 0]]
        assert reader.movements_of_day(1, second, after=0, end=5, limit=9) == [moved[1, 3]]
        of_days = reader.movements_of_days(1, 5, after="", last=second, limit=9)
        assert of_days == [moved[1, one] for one in (1, 4, 0, 3)]
        assert reader.movements_of_days(1, 4, after=first, last=second, limit=1) == [moved[1, 0]]
        days = reader.movement_days(1, 5, after="", last=second, limit=9)
        assert days == [(first, (2, 20, 10)), (second, (2, 30, 20))]
        assert reader.movement_days(1, 1, after="", last=second, limit=9) == [(second, (1, 30, 0))]
        assert reader.movement_days(1, 5, after="", last=second, limit=1) == days[:1]
        assert reader.days_sums(1, 4, after="", last=second) == (3, 50, 20)
        assert reader.days_sums(1, 5, after=first, last=second) == (2, 30, 20)
        assert reader.days_sums(1, 5, after=second, last="9999-12-31") == (0, 0, 0)
        wanted = [(1, first), (2, second), (2, first), (7, first)]
        newest = sorted(set(reader.newest_movements(wanted)), key=lambda one: one.account)
        assert newest == [moved[1, 4], moved[2, 3]]
        assert reader.newest_movements([]) == []


def test_leaf_hashes_are_found_in_whatever_tile_they_lie(store: Store, batches: Batches) -> None:
    put(store, batches.make(TILE_WIDTH + 3))
    with store.read() as older:
        assert store.leaves.find(older, batches.leaves[TILE_WIDTH]) == TILE_WIDTH
        assert store.leaves.find(older, batches.leaves[7]) == 7
        put(store, batches.make(2 * TILE_WIDTH))
        with store.read() as reader:
            for index in (0, 7, TILE_WIDTH - 1, TILE_WIDTH, 2 * TILE_WIDTH, 3 * TILE_WIDTH + 2):
                assert store.leaves.find(reader, batches.leaves[index]) == index
            assert store.leaves.find(reader, batches.leaves[7][:4] + bytes(28)) is None
            assert store.leaves.find(reader, batches.leaves[7][1:] + b"x") is None
        later = batches.leaves[2 * TILE_WIDTH]
        assert store.leaves.find(older, later) is None
        assert store.leaves.find(older, batches.leaves[TILE_WIDTH + 2]) == TILE_WIDTH + 2


def test_flows_come_back_by_entry_and_by_overlap(store: Store, batches: Batches) -> None:
    put(store, batches.make(5, accounts=ACCOUNTS, flows=FLOWS))
    first, second, third, paid, paid_more, paid_last = FLOWS
    with store.read() as reader:
        assert reader.entry_flows(1) == [second]
        assert reader.entry_flows(3) == [paid, paid_more]
        assert reader.arrivals(*FUND, 0, 100) == [first, second, third]
        assert reader.arrivals(*FUND, 29, 30) == [first]
        assert reader.arrivals(*FUND, 29, 31) == [first, second]
        assert reader.arrivals(*FUND, 30, 50) == [second]
        assert reader.arrivals(*FUND, 99, 200) == [third]
        assert reader.arrivals(*FUND, 100, 200) == []
        assert reader.departures(*FUND, 0, 100) == [paid, paid_last, paid_more]
        assert reader.departures(*FUND, 0, 20) == []
        assert reader.departures(*FUND, 34, 36) == [paid, paid_last]
        assert reader.departures(*FUND, 44, 60) == [paid_last]
        assert reader.departures(*FUND, 45, 60) == []
        assert reader.departures(*FUND, 64, 65) == [paid_more]
        assert reader.arrivals("CNY", "world:donor", 0, 100) == []
        assert reader.departures("CNY", "fund:b", 0, 100) == []
        # By the label that units bring, and by that of the units that leave.
        assert reader.those_that_moved(range(5), "CNY", "flood") == {1, 4}
        assert reader.those_that_moved([0, 3, 4], "CNY", "flood") == {4}
        assert reader.those_that_moved(range(5), "item:rice", "flood") == set()


@pytest.mark.parametrize("table", TABLES)
def test_a_scan_gives_every_row_in_the_order_of_its_key(
    store: Store, batches: Batches, table: str
) -> None:
    put(
        store,
        batches.make(
            TILE_WIDTH + 1,
            accounts=ACCOUNTS,
            flows=FLOWS,
            holdings_set=[(1, 60, 40, "b"), (1, 0, 60, "a")],
            pools=[(1, "b", 40, 40, 0), (1, "a", 60, 60, 0)],
            assets=[("points", 1, 7, 7), ("CNY", 1, 100, 100)],
            movements=[(2, 5, "2021-01-01", 1, 9, 0, 1, 9, 0), (1, 7, "", 1, 9, 0, 1, 9, 0)],
            objects=[("b", b"2"), ("a", b"1")],
            references=[(9, 10), (2, 11), (2, 3)],
            kinds=[("b", 1), ("a", 2), ("a", 0)],
        ),
    )
    with store.append() as appender:
        appender.write_proposals([("count", b"2"), ("000000000001", b"1")])
        lines = [("key-2", b"line"), ("key-1", b"line")]
        assert appender.write_cosignatures(TILE_WIDTH + 1, lines) == 2
        assert appender.write_cosignatures(TILE_WIDTH + 1, lines) == 0
        for size, authority in ((257, "b"), (257, "a"), (1, "c")):
            appender.write_anchor(AnchorRow(size, authority, b"response", b"roots", b"mac"))
        appender.commit()
    with store.read() as reader:
        rows = [tuple(row) for row in reader.scan(table)]
    keys = len(TABLES[table].primary_key.columns)
    assert rows
    assert [row[:keys] for row in rows] == sorted(row[:keys] for row in rows)
    assert all(len(row) == len(TABLES[table].columns) for row in rows)


def test_the_appender_reads_what_it_wrote(store: Store, batches: Batches) -> None:
    batch = batches.make(2)
    with store.append() as appender:
        appender.write(batch)
        assert appender.head() == batch.head
        assert appender.entry(1) == b"entry 1"
        with store.read() as reader:
            assert reader.head() is None
        appender.commit()
    with store.read() as reader:
        assert reader.head() == batch.head


def test_what_is_not_committed_is_not_there(store: Store, batches: Batches) -> None:
    put(store, batches.make(2, accounts=ACCOUNTS, flows=FLOWS[:2]))
    lost = batches.make(2, objects=[("a", b"1")])
    with store.append() as appender:
        appender.write(lost)

    def fail() -> None:
        with store.append() as appender:
            appender.write(lost)
            raise RuntimeError("the caller failed")

    with pytest.raises(RuntimeError, match="the caller failed"):
        fail()
    with store.read() as reader:
        head = reader.head()
        assert head is not None
        assert head.size == 2
        assert reader.object("a") is None
        assert [row[0] for row in reader.scan("entry")] == [0, 1]
        assert [row[0] for row in reader.scan("checkpoint")] == [2]


def test_a_batch_fits_at_the_head_only(store: Store, batches: Batches) -> None:
    first, second, third = (batches.make(2) for _ in range(3))
    with store.append() as appender, pytest.raises(ConflictError, match="not at size 2"):
        appender.write(second)
    put(store, first)
    for wrong in (first, third):
        with store.append() as appender, pytest.raises(ConflictError, match="head is not at size"):
            appender.write(wrong)
    put(store, second)
    with store.read() as reader:
        head = reader.head()
    assert head == second.head


def test_a_head_is_written_only_with_its_own_checkpoint(store: Store, batches: Batches) -> None:
    batch = batches.make(2)
    for wrong in (replace(batch.head, size=3), replace(batch.head, root=bytes(32))):
        with store.append() as appender, pytest.raises(FatalError, match="checkpoint differ"):
            appender.write(replace(batch, head=wrong))
    with store.read() as reader:
        assert reader.head() is None
