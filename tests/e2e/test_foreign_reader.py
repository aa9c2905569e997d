"""Somebody else's client reads the log over HTTP at sizes around the tiles' borders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import foreign_reader
import pytest
from service import Service

from ledger.beside import rare_garbage
from ledger.book import Book
from ledger.records.request import prepare
from ledger.tlog.note import format_verifier_key

SIZES = (255, 256, 257, 65_536, 65_537)
SLICE = 1000


def grow(book: Book, size: int) -> None:
    """Record gifts until the log has exactly this size."""
    while (now := book.head().size) < size:
        prepared = [
            prepare(
                {
                    "kind": "donation.money",
                    "occurred_on": "2021-10-08",
                    "fields": {"fund": "trial", "amount_fen": 1, "channel": "bank"},
                },
                key=f"grow/{index}",
                recorded_by="clerk-1",
                approved_by=None,
                vault=book.vault,
            )
            for index in range(now, min(size, now + SLICE))
        ]
        book.sequencer.submit_together(prepared).result()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("foreign") / "data"
    book = Book.create(data, origin="shanji.example/foreign", organisation="示例慈善会")
    fields: dict[str, Any] = {"code": "trial", "name": "示例", "fund_class": "unrestricted"}
    body = {"kind": "fund.opened", "occurred_on": "2021-10-08", "fields": fields}
    prepared = prepare(
        body, key="open", recorded_by="registrar-1", approved_by=None, vault=book.vault
    )
    book.sequencer.record(prepared)
    book.close()
    return data


@pytest.mark.slow
def test_a_foreign_client_reads_the_log_at_every_border(folder: Path) -> None:
    service = Service(folder)
    try:
        service.wait_ready()
        book = Book.open(folder)
        vkey = format_verifier_key(book.verifier_keys[0])
        about = json.loads(foreign_reader.fetch(f"{service.url}/v1/log"))
        assert vkey in about["verifier_keys"]
        for size in SIZES:
            # As the commands have it.
            with rare_garbage():
                grow(book, size)
            seen, _, entries = foreign_reader.snapshot_log(service.url, vkey)
            assert seen == size
            for index in sorted({0, 1, size // 2, size - 2, size - 1}):
                url = f"{service.url}/v1/entries/{index}/receipt"
                entry = foreign_reader.verify_receipt(foreign_reader.fetch(url), vkey)
                assert entry == entries[index]
                assert json.loads(entry)["index"] == index
        book.close()
    finally:
        assert service.stop() == 0
