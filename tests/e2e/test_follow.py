"""`--follow` goes on through an outage, and Ctrl-C ends it cleanly."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from dishonest import VKEY, Answer, PaperLog, operating

from ledger.tlog.note import format_verifier_key

STOP_SECONDS_MAX = 120


@pytest.mark.parametrize("command", ["mirror", "monitor"])
def test_it_follows_until_it_is_told_to_stop(command: str, tmp_path: Path) -> None:
    log = PaperLog(300)
    away = False

    def answer(path: str, headers: Mapping[str, str]) -> Answer:
        return (403, b"") if away else log.answer(path, headers)

    program = (sys.executable, "-c", "from ledger.cli import main; main()")
    with operating(answer) as operator:
        more = ("m", "--follow") if command == "mirror" else ("--state", "s")
        options = ("--key", format_verifier_key(VKEY), "--every", "1", "--json")
        process = subprocess.Popen(
            [*program, command, operator.url, *more, *options],
            stdout=subprocess.PIPE,
            cwd=tmp_path,
        )
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["size"] == 300
        away = True
        seen = len(operator.asked)
        while len(operator.asked) < seen + 2:
            assert process.poll() is None
            time.sleep(0.05)
        log.grow(100)
        away = False
        while json.loads(process.stdout.readline())["size"] != 400:
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=STOP_SECONDS_MAX)
        assert process.returncode == 0
