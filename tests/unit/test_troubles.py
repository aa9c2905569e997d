"""What a failed test tells of the logs of what it started."""

from __future__ import annotations

from pathlib import Path

from troubles import RECORD_CHARS_MAX, TRACEBACK, TROUBLE_CHARS_MAX, trouble, troubles

AT = "2026-11-28 20:35:36"


def test_each_error_is_told_once_and_what_is_none_is_not(tmp_path: Path) -> None:
    log = tmp_path / "data.log"
    log.write_text(
        "善迹 Shanji\n"
        f"{AT},100 INFO shanji.access GET /\n"
        f"{AT},101 ERROR ledger.sequencer batch 17 failed\n{TRACEBACK}:\n  here\nOSError: 5\n"
        f"{AT},102 ERROR ledger.sequencer batch 18 failed\n{TRACEBACK}:\n  here\nOSError: 5\n"
        f"{AT}.103 UTC [77] LOG:  ready\n{AT}.104 UTC [77] FATAL:  shutting down\n"
    )
    assert trouble(log) == (
        f"{AT},101 ERROR ledger.sequencer batch 17 failed\n{TRACEBACK}:\n  here\nOSError: 5\n"
        f"{AT}.104 UTC [77] FATAL:  shutting down"
    )


def test_the_first_and_the_last_of_many_are_told(tmp_path: Path) -> None:
    log = tmp_path / "data.log"
    words = [a + b + c for a in "klmnopqrst" for b in "klmnopqrst" for c in "klmnopqrst"]
    log.write_text("".join(f"{AT},1 ERROR ledger {one} {one * 9}\n" for one in words))
    told = trouble(log)
    assert words[0] in told
    assert words[-1] in told
    assert len(told) < TROUBLE_CHARS_MAX + 20
    log.write_text(f"{AT},1 ERROR ledger {'long' * RECORD_CHARS_MAX}\n{AT},1 ERROR end\n")
    assert len(trouble(log)) < RECORD_CHARS_MAX + 100


def test_where_nothing_is_called_an_error_the_end_is_told(tmp_path: Path) -> None:
    log = tmp_path / "data.log"
    log.write_text("usage: shanji serve\n")
    assert troubles([log, tmp_path / "none.log"]) == (
        f"--- {tmp_path.name}/data.log:\nusage: shanji serve"
    )
