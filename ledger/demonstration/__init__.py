"""The demonstration: one district's year of charity, told as entries.

It reproduces public figures of one district's federation for 2021 with exact totals:
epidemic relief (220,000 yuan raised, 7,250 items bought), zongzi for front-line workers
(1,100 boxes valued 330,000), Henan rebuilding (1,813,000), medical aid (874,000),
student aid (95,000), children under treatment (300,000), books (41,264), the
gathering days (571 events, 160,000 raised), five charity supermarkets that redeem
points, ten community funds (110,000 raised, 660,000 spent), the giving days in September
(5,120,000 from 100,000 gifts; a tenth of both unless `full`), 155 volunteers with 5,500
hours, wishes and the micro-project library. Every donor field in it is made up.

The first entries are used by the examples of the record kinds and by nothing else.
Loading is repeatable: each record has its own idempotency key, so an interrupted load
goes on where it stopped.
"""

from __future__ import annotations

from ledger.book import Book
from ledger.demonstration.beginning import tell_beginning
from ledger.demonstration.community import (
    tell_closed_project,
    tell_community_funds,
    tell_correction,
    tell_gathering_days,
    tell_time_bank,
    tell_wishes,
)
from ledger.demonstration.registers import tell_registers
from ledger.demonstration.teller import ORGANISATION, ORIGIN, PEOPLE, Progress, Teller, people_of
from ledger.demonstration.year import (
    GIVING_GIFTS,
    GIVING_GIFTS_FULL,
    giving_days,
    tell_aid,
    tell_books,
    tell_children,
    tell_goods_in_kind,
    tell_rebuilding,
    tell_relief,
    tell_shops,
)
from ledger.tlog.note import SignatureType, VerifierKey, format_verifier_key

__all__ = ["ORGANISATION", "ORIGIN", "PEOPLE", "is_loaded", "load", "people_of"]

LAST_KEY = "demonstration/complete"
SPARE_KEY = bytes.fromhex("4ebbb1ca00e7ed09871fb0364fe9f03c09f174293db61dc5a37711cd2d990ed1")
"""A public key whose private part was thrown away: the example of revoking a key."""

CHAPTERS = (
    tell_beginning,
    tell_registers,
    tell_relief,
    tell_goods_in_kind,
    tell_rebuilding,
    tell_aid,
    tell_children,
    tell_books,
    tell_gathering_days,
    tell_shops,
    tell_community_funds,
    tell_time_bank,
    tell_wishes,
    tell_closed_project,
    tell_correction,
)


def tell_spare_key(teller: Teller, origin: str) -> None:
    """A spare key of the log, as it is kept in a safe; nothing here signs with it."""
    key = format_verifier_key(VerifierKey(origin, SignatureType.ED25519, SPARE_KEY))
    fields = {"verifier_key": key, "algorithm": "ed25519", "reason": "备用密钥，封存于保险柜"}
    teller.tell("key.added", "2021-12-30", fields)


def is_loaded(book: Book) -> bool:
    """Whether the demonstration was loaded to its end."""
    with book.store.read() as reader:
        return LAST_KEY in reader.idempotency([LAST_KEY])


def load(book: Book, *, full: bool = False, progress: Progress | None = None) -> int:
    """Record the demonstration, or what is still missing of it.

    Args:
        book: The log to record it in.
        full: All 100,000 gifts of the giving days instead of a tenth.
        progress: Called with the number of records done so far.

    Returns:
        How many records the demonstration has.

    Raises:
        LedgerError: a record was refused; the log holds other things already.
    """
    teller = Teller(book, progress)
    for chapter in CHAPTERS:
        chapter(teller)
    teller.tell_many(giving_days(GIVING_GIFTS_FULL if full else GIVING_GIFTS))
    tell_spare_key(teller, book.origin)
    fund = {"code": "next-year", "name": "下一年度备用资金", "fund_class": "unrestricted"}
    teller.tell("fund.opened", "2021-12-31", fund, key=LAST_KEY)
    return teller.count
