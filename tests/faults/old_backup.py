"""An old backup restored under a running witness: it signs nothing; the newest one goes on."""

from __future__ import annotations

import shutil
import time
from functools import partial
from pathlib import Path

import httpx
from faults.database import new_url
from faults.trial import WAIT_STATUSES, Outcome, Trial
from postgresql_server import Databases
from service import Service
from witness_process import WitnessProcess

from ledger.backup.making import make_backup
from ledger.backup.restoring import restore_backup
from ledger.book import Book
from ledger.tlog.note import format_verifier_key
from ledger.tlog.policy import parse_policy
from ledger.witnessing import Witnessing

READY_SECONDS_MAX = 120
WAIT_SECONDS_MAX = 120


def play(
    folder: Path, *, rounds: int = 1, seed: int = 1, place: Databases | None = None
) -> Outcome:
    """Each round: back up, record on under the witness, lose the machine, restore both ways."""
    trial = Trial(folder, "old-backup", seed, database=new_url(place))
    book = Book.open(trial.data)
    key = format_verifier_key(book.verifier_keys[0])
    book.close()
    witness = WitnessProcess(folder / "witness", key).start()
    policy = folder / "policy"
    policy.write_text(f"log {key}\nwitness w1 {witness.vkey} {witness.url}\nquorum w1\n")
    trial.witnessing = Witnessing(parse_policy(policy.read_bytes()), 1)
    options = ("--policy", str(policy), "--require-witnesses", "1")
    try:
        for number in range(rounds):
            _round(trial, folder / f"round-{number}", options, number, place)
            trial.outcome.played += 1
    finally:
        witness.kill()
    return trial.check()


def _round(
    trial: Trial, folder: Path, options: tuple[str, ...], number: int, place: Databases | None
) -> None:
    wrong = trial.outcome.wrong
    service = Service(trial.data, *options)
    try:
        service.wait_ready()
        _post(trial, service.url, f"early-{number}")
        old, _ = make_backup(trial.data, folder / "old", with_keys=True)
        # Answered once the witness has seen it, which is what stops the older copy.
        _post(trial, service.url, f"late-{number}")
        new, _ = make_backup(trial.data, folder / "new", with_keys=True)
    finally:
        service.kill()
    # Nothing newer is named to it: only the witness knows better.
    restore_backup(old, folder / "from-old", database=new_url(place))
    code, status = _start(trial, folder / "from-old", options, f"fork-{number}", "halted")
    if code != "halted" or status != 503:
        wrong.append(f"an older copy is not halted but {code}, and answers {status}")
    restored = restore_backup(old, folder / "proven", newer=[trial.data], database=new_url(place))
    if restored.prefix != "proven" or not restored.behind:
        wrong.append("the older copy does not prove to be the beginning of the witnessed log")
    # The machine is gone; the newest backup goes on as the log, once the witness agrees.
    shutil.move(trial.data, folder / "lost")
    restore_backup(new, trial.data, database=new_url(place))
    code, status = _start(trial, trial.data, options, f"again-{number}", "")
    if code or status not in (200, 201):
        wrong.append(f"the newest copy does not go on: {code}, it answers {status}")


def _start(
    trial: Trial, data: Path, options: tuple[str, ...], key: str, code: str
) -> tuple[str, int]:
    """Start a service, wait until /readyz says this (empty: ready), record; what it says."""
    if not (data / "tokens.json").exists():
        tokens = [*trial.data.parent.rglob("tokens.json")]
        shutil.copyfile(tokens[0], data / "tokens.json")
    service = Service(data, *options)
    said = "no answer"
    try:
        end = time.monotonic() + READY_SECONDS_MAX
        while time.monotonic() < end:
            try:
                answer = httpx.get(f"{service.url}/readyz", timeout=5)
            except httpx.HTTPError:
                time.sleep(0.05)
                continue
            said = "" if answer.status_code == 200 else str(answer.json()["code"])
            if said == code:
                break
            time.sleep(0.05)
        post = trial.post if code else partial(_post, trial)
        return said, post(service.url, key)
    finally:
        service.kill()


def _post(trial: Trial, url: str, key: str) -> int:
    """Record as a client does that is told to repeat, for one where the witness is slow."""
    end = time.monotonic() + WAIT_SECONDS_MAX
    while (status := trial.post(url, key)) in WAIT_STATUSES and time.monotonic() < end:
        time.sleep(0.05)
    return status
