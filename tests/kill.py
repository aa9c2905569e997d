"""Kill the service while many clients post with colliding keys; nothing answered may be lost.

    python tests/kill.py [--rounds 20] [--clients 500] [--seed 1]

Each round starts the service, lets the clients post gifts whose idempotency keys
collide on purpose, and kills the process at a random moment. In the end every answer
that any client got must stand in the log as answered, each key recorded exactly once,
units conserved, and the audit clean.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from service import Service  # noqa: E402

from api.auth import create_token  # noqa: E402
from ledger.audit.replay import audit  # noqa: E402
from ledger.book import Book  # noqa: E402
from ledger.records.kind import Role  # noqa: E402
from ledger.verify import verify_receipt  # noqa: E402

AMOUNT_FEN = 100
ANSWER_SECONDS_MAX = 30


@dataclass
class Outcome:
    """What the clients saw and what the log says."""

    rounds: int = 0
    answered: int = 0
    distinct: int = 0
    replayed: int = 0
    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    size: int = 0
    conserved: bool = False
    findings: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        wrong = self.lost or self.twice or self.refused or self.findings
        return self.conserved and not wrong


def body_of(key: str) -> dict[str, Any]:
    """The gift that belongs to a key: the same content whoever posts it."""
    return {
        "kind": "donation.money",
        "occurred_on": "2021-10-08",
        "fields": {"fund": "trial", "amount_fen": AMOUNT_FEN, "channel": "bank"},
        "sealed": {"donor_name": f"示例捐赠人{key}", "order_number": f"ORDER-{key}"},
    }


async def post_all(url: str, token: str, keys: list[str], clients: int, answers: Any) -> None:
    """Post every key once, `clients` at a time, until the service is gone."""
    queue = iter(keys)
    limits = httpx.Limits(max_connections=clients)

    async def client(http: httpx.AsyncClient) -> None:
        for key in queue:
            try:
                answer = await http.post(
                    "/v1/entries",
                    headers={"Authorization": f"Bearer {token}", "Idempotency-Key": key},
                    json=body_of(key),
                )
            except httpx.HTTPError:
                return
            answers(key, answer)

    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=ANSWER_SECONDS_MAX) as http:
        await asyncio.gather(*(client(http) for _ in range(clients)))


async def play_round(
    service: Service,
    token: str,
    keys: list[str],
    clients: int,
    seconds: float,
    answers: Any,
    *,
    answered: bool,
) -> None:
    """Post until a random moment, counted from the first answer if wanted; kill the service."""
    first = asyncio.Event()

    def take(key: str, answer: httpx.Response) -> None:
        first.set()
        answers(key, answer)

    posting = asyncio.create_task(post_all(service.url, token, keys, clients, take))
    if answered:
        # On a slow machine the moment may come before there is any; one round must have some.
        await asyncio.wait_for(first.wait(), ANSWER_SECONDS_MAX)
    await asyncio.sleep(seconds)
    service.kill()
    await posting


def play(folder: Path, *, rounds: int, clients: int, seed: int, keys: int = 2000) -> Outcome:
    """Run the whole game; see the module's docstring."""
    chance = random.Random(seed)
    data = folder / "data"
    book = Book.create(data, origin="shanji.example/fault", organisation="示例慈善会")
    book.close()
    clerk = create_token(data, "clerk-1", Role.CLERK)
    registrar = create_token(data, "registrar-1", Role.REGISTRAR)
    outcome = Outcome(rounds=rounds)
    seen: dict[str, dict[str, Any]] = {}

    def take(key: str, answer: httpx.Response) -> None:
        if answer.status_code in (429, 503):
            return
        if answer.status_code not in (200, 201):
            outcome.refused.append(f"{key}: {answer.status_code} {answer.text[:200]}")
            return
        value = json.loads(answer.content)
        outcome.answered += 1
        outcome.replayed += bool(value["replayed"])
        before = seen.setdefault(key, value)
        if (before["index"], before["receipt"]) != (value["index"], value["receipt"]):
            outcome.twice.append(key)

    for number in range(rounds):
        service = Service(data)
        try:
            service.wait_ready()
            if number == 0:
                open_fund(service.url, registrar)
            # Every key three times in random order, half of them known from before.
            pool = [f"k{chance.randrange(keys):06d}" for _ in range(keys)]
            some = pool * 3
            chance.shuffle(some)
            seconds = chance.uniform(0.1, 1.5)
            last = number == rounds - 1
            asyncio.run(play_round(service, clerk, some, clients, seconds, take, answered=last))
        finally:
            if service.process.poll() is None:
                service.kill()
    outcome.distinct = len(seen)
    examine(data, seen, outcome)
    return outcome


def open_fund(url: str, token: str) -> None:
    """The fund that all gifts go to."""
    fields = {"code": "trial", "name": "示例资金", "fund_class": "unrestricted"}
    answer = httpx.post(
        f"{url}/v1/entries",
        headers={"Authorization": f"Bearer {token}", "Idempotency-Key": "open-trial"},
        json={"kind": "fund.opened", "occurred_on": "2021-10-08", "fields": fields},
        timeout=ANSWER_SECONDS_MAX,
    )
    answer.raise_for_status()


def examine(data: Path, seen: dict[str, dict[str, Any]], outcome: Outcome) -> None:
    """Compare what was answered with what the log holds."""
    book = Book.open(data)
    try:
        for key, value in seen.items():
            verified = verify_receipt(value["receipt"].encode(), book.verifier_keys)
            stored = book.receipt(value["index"], reveal="all") if value["index"] >= 0 else b""
            if stored != value["receipt"].encode() or verified.entry.index != value["index"]:
                outcome.lost.append(key)
        outcome.size = book.head().size
        with book.store.read() as reader:
            keys = [row[0] for row in reader.scan("idempotency")]
            account = reader.account("CNY", "fund:trial")
        gifts = outcome.size - 2
        if len(set(keys)) != outcome.size:
            outcome.twice.append(f"{len(keys)} keys for {outcome.size} entries")
        held = sum(end - first for first, end, _ in account.segments) if account else 0
        outcome.conserved = account is not None and held == account.received == gifts * AMOUNT_FEN
    finally:
        book.close()
    store, vault = Book.parts(data)
    try:
        report = audit(store, vault=vault)
        outcome.findings = [f"{one.place}: {one.message}" for one in report.findings]
    finally:
        store.close()


def main() -> int:
    """The long form, by hand."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--clients", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        outcome = play(
            Path(folder), rounds=options.rounds, clients=options.clients, seed=options.seed
        )
    sys.stdout.write(
        f"rounds {outcome.rounds}, seed {options.seed}, clients {options.clients}: "
        f"{outcome.answered} answers for {outcome.distinct} keys "
        f"({outcome.replayed} replayed), log of {outcome.size} entries; "
        f"lost {len(outcome.lost)}, twice {len(outcome.twice)}, refused {len(outcome.refused)}, "
        f"audit findings {len(outcome.findings)}, units conserved: {outcome.conserved}\n"
    )
    for text in [*outcome.lost, *outcome.twice, *outcome.refused, *outcome.findings][:20]:
        sys.stdout.write(f"  {text}\n")
    return 0 if outcome.clean else 1


if __name__ == "__main__":
    sys.exit(main())
