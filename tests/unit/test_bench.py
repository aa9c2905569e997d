"""The benchmark in its smallest form, so that it cannot rot; it says nothing of speed here."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench import realistic
from bench.__main__ import parse_options, run
from bench.measure import Row, Took, row, table
from bench.pages import FAMILIES, NOT_MEASURED, REACH, Log, places
from bench.place import PREFIX
from fastapi.routing import APIRoute
from postgresql_server import Databases

from api.app import ALL_ROUTERS

SIZES = [
    "--gifts=40",
    "--requests=8",
    "--sample=4",
    "--clients=4",
    "--runs=1",
    "--small=30",
    "--large=60",
]
SHORT = ("post", "bulk", "import", "receipt", "trace")
"""The others start ten processes each; types are checked of those too."""


@pytest.mark.parametrize("name", SHORT)
def test_workload_runs(name: str, tmp_path: Path) -> None:
    database, rows = run(parse_options([*SIZES, f"--only={name}", f"--folder={tmp_path}"]))
    assert database.startswith("SQLite")
    check(rows)


def test_bulk_runs_on_a_server(tmp_path: Path, databases: Databases) -> None:
    server = databases.server.url("postgres")
    options = [*SIZES, "--only=bulk", f"--folder={tmp_path}", f"--database={server}"]
    database, rows = run(parse_options(options))
    assert database.startswith("PostgreSQL")
    check(rows)
    # What it made there is gone.
    assert not databases.server.execute(
        f"SELECT datname FROM pg_database WHERE datname LIKE '{PREFIX}%'"
    )


def check(rows: list[Row]) -> None:
    assert rows
    for one in rows:
        assert one.ours > 0
        assert one.limit_rate > 0
        assert one.ratio > 0
        assert one.as_json()["workload"] in table(rows)


def test_pages_are_measured_in_both_logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(realistic, "FILLED", 6)
    sizes = ["--small=600", "--large=900", "--runs=1", f"--keep={tmp_path}"]
    _, rows = run(parse_options(["pages", "--page=/funds", *sizes]))
    assert {one.workload for one in rows} >= {"/funds", "/funds/{code} largest", "/funds.csv"}
    assert all(one.reach == REACH and one.ratio > 0 for one in rows)


def test_every_public_route_is_measured_or_left_out_by_name() -> None:
    def left_out(path: str) -> bool:
        return any(path.startswith(one) for one in NOT_MEASURED)

    every = (route for router in ALL_ROUTERS for route in router.routes)
    routes = {
        route.path
        for route in every
        if isinstance(route, APIRoute) and route.methods == {"GET"} and not left_out(route.path)
    }
    kinds = {"donation.money": 1}
    log = Log(
        1000, kinds, 1, 1, "00" * 32, "lot", "shipment", 1, 1, {"day": "2021-01-01", **FAMILIES}
    )
    assert {name.partition(" ")[0] for name in places(log)} == routes


def test_unknown_workload_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_options(["--only=bulk,nothing"])
    assert "nothing" in capsys.readouterr().err


def test_other_database_is_refused_in_words(tmp_path: Path) -> None:
    options = ["--only=bulk", "--database=mysql://u:secret@h/n", f"--folder={tmp_path}"]
    with pytest.raises(SystemExit, match=r"expected sqlite, postgresql .*got mysql://u:\*\*\*@h/n"):
        run(parse_options(options))


def test_ratio_is_the_median_over_turns() -> None:
    pairs = [(Took(10, wall, 1.0), Took(10, 1.0, 0.5)) for wall in (2.0, 4.0, 100.0)]
    found = row("ours", "limit", pairs, 0.2)
    assert (found.ratio, found.cpu_ratio, found.verdict) == (0.25, 0.5, "yes")
    found = row("ours", "limit", pairs, 3.0, at_most=True)
    assert (found.ratio, found.cpu_ratio, found.verdict) == (4.0, 2.0, "by one")


def test_verdict() -> None:
    def verdict(ratio: float, cpu: float | None, reach: float | None) -> str:
        return Row("", "", 1, 1, ratio, cpu, reach).verdict

    assert verdict(0.4, 0.3, 0.5) == "no"
    assert verdict(0.4, None, 0.4) == "yes"
    assert verdict(0.4, 0.1, None) == ""
