"""The questions that the store answers by index, whatever the size of the log, and its rows."""

from __future__ import annotations

from collections.abc import Callable

from batches import Batches, digest, put

from ledger.flows import Flow
from ledger.store import Reader, Store
from ledger.tlog.checkpoint import parse_checkpoint
from ledger.tlog.note import split_note

ENTRIES = 300
FUND: tuple[str, str] = ("CNY", "fund:a")
DAY = "2021-01-05"
TREE = ("head", "edge")
"""Tables of one row, and of one for each level of the tree: there is nothing to seek in."""


def root_at(reader: Reader, size: int) -> bytes:
    """The root that a stored checkpoint signs."""
    return parse_checkpoint(split_note(reader.checkpoint(size))[0]).root


SEEKS: list[tuple[str, list[str], Callable[[Reader], object]]] = [
    ("arrivals", ["flow_by_target"], lambda reader: reader.arrivals(*FUND, 25, 40)),
    ("departures", ["flow_by_source"], lambda reader: reader.departures(*FUND, 5, 40)),
    ("entry_flows", ["flow USING PRIMARY KEY"], lambda reader: reader.entry_flows(3)),
    ("account", ["account_by_name", "holding USING"], lambda reader: reader.account(*FUND)),
    ("accounts", ["account USING", "holding USING"], lambda reader: reader.accounts(-1, 5)),
    ("objects", ["state_object USING"], lambda reader: reader.objects("fund/", limit=5)),
    ("object", ["state_object USING"], lambda reader: reader.object("fund/a")),
    ("entry", ["entry USING"], lambda reader: reader.entry(3)),
    ("entries", ["entry USING"], lambda reader: reader.entries(3, 9)),
    ("tile", ["tile USING"], lambda reader: reader.tile(0, 0, 256)),
    ("checkpoint", ["checkpoint USING"], lambda reader: reader.checkpoint(ENTRIES)),
    ("checkpoints", ["checkpoint USING"], lambda reader: reader.checkpoints(1, 1)),
    ("vault", ["vault USING"], lambda reader: reader.vault(3)),
    ("idempotency", ["idempotency USING"], lambda reader: reader.idempotency(["key-1", "x"])),
    ("account_sums", ["movement USING PRIMARY KEY"], lambda reader: reader.account_sums(1, 200)),
    ("movement", ["movement USING PRIMARY KEY"], lambda reader: reader.movement(1, 9)),
    (
        "movements",
        ["movement USING PRIMARY KEY"],
        lambda reader: reader.movements(1, 20, 200, 5),
    ),
    (
        "movements_of_day",
        ["movement_by_day"],
        lambda reader: reader.movements_of_day(1, DAY, after=8, end=200, limit=5),
    ),
    (
        "movements_of_days",
        ["movement_first_of_day", "movement_by_day"],
        lambda reader: reader.movements_of_days(1, 200, after="2021", last=DAY, limit=5),
    ),
    (
        "movement_days",
        ["movement_first_of_day", "movement_by_day"],
        lambda reader: reader.movement_days(1, 200, after="2021", last=DAY, limit=5),
    ),
    (
        "days_sums",
        ["movement_first_of_day", "movement_by_day"],
        lambda reader: reader.days_sums(1, 200, after="2021", last=DAY),
    ),
    (
        "newest_movements",
        ["movement_by_day"],
        lambda reader: reader.newest_movements([(1, DAY), (2, DAY)]),
    ),
    (
        "account_total",
        ["account_by_name", "pool USING PRIMARY KEY"],
        lambda reader: reader.account_total(*FUND),
    ),
    (
        "pool",
        ["account_by_name", "pool USING PRIMARY KEY"],
        lambda reader: reader.pool(*FUND, "flood"),
    ),
    (
        "held_pools",
        ["pool USING PRIMARY KEY", "account USING"],
        lambda reader: reader.held_pools((1, ""), 5),
    ),
    (
        "held_ranges",
        ["holding USING PRIMARY KEY"],
        lambda reader: reader.held_ranges(1, first=5, limit=5),
    ),
    (
        "held_ranges of a label",
        ["holding_by_label"],
        lambda reader: reader.held_ranges(1, label="flood", limit=5),
    ),
    ("chosen_entries", ["entry USING"], lambda reader: reader.chosen_entries([3, 7])),
    (
        "cosignatures",
        ["cosignature_by_size"],
        lambda reader: reader.cosignatures(ENTRIES),
    ),
    (
        "cosigned_sizes",
        ["cosignature_by_size"],
        lambda reader: reader.cosigned_sizes(["key-1", "key-2"], 2, after=0, limit=1),
    ),
    (
        "last_cosignature",
        ["witness USING", "cosignature_by_size"],
        lambda reader: reader.last_cosignature("key-1"),
    ),
    (
        "referrers",
        ["entry_reference USING PRIMARY KEY"],
        lambda reader: reader.referrers(3, after=4, limit=5),
    ),
    (
        "objects_with",
        ["state_object USING PRIMARY KEY"],
        lambda reader: reader.objects_with("fund/", "fund/a", looked_at=5, limit=5),
    ),
    ("leaf_tiles", ["tile USING"], lambda reader: reader.leaf_tiles(0, 1)),
    (
        "size_of_root",
        ["checkpoint_by_root"],
        lambda reader: reader.size_of_root(root_at(reader, ENTRIES)),
    ),
    (
        "held_arrivals",
        ["holding USING PRIMARY KEY", "flow_by_target"],
        lambda reader: reader.held_arrivals(1, ranges=5, limit=5),
    ),
    ("asset", ["asset USING PRIMARY KEY"], lambda reader: reader.asset("CNY")),
    (
        "named_sums",
        ["account_by_holder", "movement USING PRIMARY KEY"],
        lambda reader: reader.named_sums("fund:a", limit=5),
    ),
    (
        "asset_holders",
        ["account_by_name", "pool USING PRIMARY KEY"],
        lambda reader: reader.asset_holders("CNY", "fund:", limit=5),
    ),
    (
        "asset_sums",
        ["account_by_name", "movement USING PRIMARY KEY"],
        lambda reader: reader.asset_sums("CNY", "fund:", limit=5),
    ),
    (
        "labelled_pools",
        ["account_by_name", "pool USING PRIMARY KEY"],
        lambda reader: reader.labelled_pools("CNY", "fund:a", "flood", looked_at=5),
    ),
    (
        "those_that_moved",
        ["flow USING PRIMARY KEY", "flow_by_target", "account USING"],
        lambda reader: reader.those_that_moved([3, ENTRIES - 1], "CNY", ""),
    ),
    ("account_ids", ["account_by_holder"], lambda reader: reader.account_ids("world:donor")),
    (
        "newest_of_kinds",
        ["entry_kind USING PRIMARY KEY"],
        lambda reader: reader.newest_of_kinds(["gift", "payment"], before=8, limit=5),
    ),
    (
        "those_of_kinds",
        ["entry_kind USING PRIMARY KEY"],
        lambda reader: reader.those_of_kinds([3, 4, 9], ["gift"]),
    ),
    (
        "those_about",
        ["entry_reference USING PRIMARY KEY"],
        lambda reader: reader.those_about([4, 6, 9], 3),
    ),
    ("proposal", ["proposal USING"], lambda reader: reader.proposal("count")),
    ("proposals", ["proposal USING"], lambda reader: reader.proposals("0", "1")),
    (
        "order_numbers",
        ["order_number USING"],
        lambda reader: reader.order_numbers([digest(0), b"y"]),
    ),
    ("scan", ["flow USING"], lambda reader: list(reader.scan("flow", after=(290, 0, 0)))),
]
"""A name, the indexes that it uses as SQLite's plans name them, and the question."""


NAMES = {"account_by_name", "account_by_holder"}
"""Both are of an account's asset and name: one of them whole is found by either."""


def on_postgresql(wanted: str) -> set[str]:
    """The names of the indices there that do: a table's primary key is one as well."""
    table, using, _ = wanted.partition(" USING")
    if wanted == "account_by_name":
        return NAMES
    return {f"{table}_pkey" if using else wanted}


def fill(store: Store, batches: Batches, received: int = 10 * ENTRIES) -> None:
    """Put `ENTRIES` entries into a store, and some rows into every other table.

    Args:
        received: How many units the fund is said to have received.
    """
    gifts = [
        Flow(index, 0, 0, "CNY", "world:donor", None, "fund:a", 10 * index, 10)
        for index in range(ENTRIES - 1)
    ]
    moved = Flow(ENTRIES - 1, 0, 0, "CNY", "fund:a", 7, "fund:b", 0, 5)
    batch = batches.make(
        ENTRIES,
        accounts=[(0, "CNY", "world:donor", 0), (1, *FUND, received), (2, "CNY", "fund:b", 5)],
        flows=[*gifts, moved],
        holdings_set=[(1, 0, 7, ""), (1, 12, 10 * ENTRIES - 12, "flood"), (2, 0, 5, "")],
        pools=[(1, "", 1500, 7, 0), (1, "flood", 1490, 1478, 5), (2, "", 5, 5, 0)],
        objects=[("fund/a", b"{}"), ("fund/b", b"{}")],
        assets=[("CNY", 2, 3_000, 1_490)],
        references=[(3, 4), (3, 5), (3, 9), (4, 9)],
        kinds=[("gift", 3), ("gift", 9), ("payment", 5)],
        movements=[
            (1, index, f"2021-01-{1 + index % 20:02d}", index + 1, 10 * index + 10, 0, *of_day)
            for index in range(ENTRIES - 1)
            for of_day in [(1 + index // 20, 10 + 10 * (index // 20), 0)]
        ],
    )
    put(store, batch)
    with store.append() as appender:
        appender.write_proposals([("count", b"encrypted"), ("000000000001", b"encrypted")])
        appender.write_cosignatures(ENTRIES, [("key-1", b"line"), ("key-2", b"line")])
        appender.commit()
