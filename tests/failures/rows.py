"""Domain, section 2, row by row: what goes wrong in reality, and the test that plays it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One row of the table, and the class that plays it (in ``test_<module>``)."""

    failure: str
    answer: str
    module: str
    group: str


ROWS = (
    Row(
        "goods sent to the wrong place, lists quietly replaced",
        "each change is an entry with a reason; conservation is checked when recording; both "
        "versions stay readable side by side",
        "goods",
        "TestGoodsSentToTheWrongPlaceListsQuietlyReplaced",
    ),
    Row(
        "published totals that disagree",
        "totals are only ever derived, and carry the log size they were computed at",
        "money",
        "TestPublishedTotalsThatDisagree",
    ),
    Row(
        "money given for one hospital spent elsewhere",
        "restrictions are checked by the ledger; a change needs consent, and the donor's page "
        "shows it",
        "money",
        "TestMoneyGivenForOneHospitalSpentElsewhere",
    ),
    Row(
        "raised and never spent",
        "ageing of unspent restricted money, on the donor's page too",
        "money",
        "TestRaisedAndNeverSpent",
    ),
    Row(
        "the same platform file imported twice; the same order with another amount",
        "exact repeats are skipped and counted; a different content under one order number "
        "always stops",
        "files",
        "TestTheSameFileTwiceTheSameOrderWithAnotherAmount",
    ),
    Row(
        "order numbers that a spreadsheet turned into 1.465E+27; fen taken for yuan",
        "refused before anything enters, with the row, the reason and what to do",
        "files",
        "TestOrderNumbersTurnedIntoPowersFenTakenForYuan",
    ),
    Row(
        "points farmed by give-and-refund; hours invented at the back office",
        "vesting, claw-back, one issue per source, confirmation by the other side, overlap and "
        "daily limits",
        "points",
        "TestPointsFarmedHoursInvented",
    ),
    Row(
        "in-kind stock unaccounted, boxes counted as pieces",
        "items with units, pack factors and aliases; stocktake with differences",
        "goods",
        "TestStockUnaccountedBoxesCountedAsPieces",
    ),
    Row(
        "receipts that match no gift",
        "binding, void and reissue as entries; a mismatch report",
        "money",
        "TestReceiptsThatMatchNoGift",
    ),
    Row(
        "a donor's name leaked, a child identified",
        "sealed fields, opaque ids, minimum group size in public statistics",
        "people",
        "TestADonorsNameLeakedAChildIdentified",
    ),
    Row(
        '"one participant is only a database"',
        "outside witnesses cosign checkpoints; anyone can mirror and re-verify",
        "people",
        "TestOneParticipantIsOnlyADatabase",
    ),
)
