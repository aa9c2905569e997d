"""Records that one rule refuses, continued: points, hours, wishes, receipts, papers."""

from __future__ import annotations

from bodies import FULL, GIFT, full
from log_keys import key_id, key_text
from prerequisites import BEFORE, CLAIM, FLOOD_GIFT, MATCH_RULE, SPARE_KEY, WISH
from refusals import (
    ACROSS,
    ASIDE,
    BOUND,
    CLAIMED,
    CLOSED,
    CONFIRM,
    IMPORTED,
    MATCHINGS,
    NEXT,
    OPENINGS,
    POSTED,
    SERVICE,
    STOCK,
    VOIDED,
    Case,
    after,
    case,
    gave,
    published,
    refunded,
    undone,
)
from scribe import LOG_KEY, ORIGIN

POINTS = [
    Case("unknown_party", "points.expired", {"holder": "none"}, "fields.holder"),
    Case("nothing_expired", "points.expired", {"holder": "holder-1"}, "fields.holder"),
    # The last day itself still counts.
    Case(
        "nothing_expired",
        "points.expired",
        {"holder": "holder-2"},
        "fields.holder",
        tuple(BEFORE["points.expired"]),
        day="2021-12-31",
    ),
    Case("unknown_entry", "points.reversed", {"issue": 99, "reason": "x"}, "fields.issue"),
    case("not_an_issue", "points.reversed", "fields.issue", issue=GIFT),
    after(
        "no_points_left",
        "points.reversed",
        "fields.issue",
        (("points.reversed", FULL["points.reversed"]["fields"]),),
    ),
    after(
        "no_points_left",
        "points.reversed",
        "fields.issue",
        (undone(GIFT + 2),),
    ),
    Case("points_depend", *undone(GIFT), "fields.entry"),
]

SERVICES = [
    case("unknown_party", "service.recorded", "fields.volunteer", volunteer="none"),
    case("unknown_party", "service.recorded", "fields.organiser", organiser="none"),
    case("service_ends_first", "service.recorded", "fields.ends_at", ends_at="09:00"),
    after("service_overlaps", "service.recorded", "fields.starts_at", (SERVICE,), ends_at="14:01"),
    after(
        "service_overlaps",
        "service.recorded",
        "fields.starts_at",
        (SERVICE,),
        starts_at="15:29",
        ends_at="16:00",
    ),
    after(
        "service_over_daily_limit",
        "service.recorded",
        "fields.ends_at",
        (published("daily", "time_bank", minutes_per_day_max=239), SERVICE),
    ),
    Case("not_a_service", "service.confirmed", {**CONFIRM, "service": GIFT}, "fields.service"),
    Case("unknown_entry", "service.confirmed", CONFIRM, "fields.service"),
    Case(
        "service_confirmed",
        "service.confirmed",
        CONFIRM,
        "fields.service",
        (SERVICE, ("service.confirmed", CONFIRM)),
        more=ASIDE,
    ),
    Case(
        "unknown_party",
        "service.confirmed",
        {**CONFIRM, "confirmed_by": "none"},
        "fields.confirmed_by",
        (SERVICE,),
        more=ASIDE,
    ),
    Case(
        "confirmed_by_volunteer",
        "service.confirmed",
        {**CONFIRM, "confirmed_by": "holder-1"},
        "fields.confirmed_by",
        (SERVICE,),
        more=ASIDE,
    ),
    Case(
        "confirmed_by_stranger",
        "service.confirmed",
        {**CONFIRM, "confirmed_by": "supplier-1"},
        "fields.confirmed_by",
        (SERVICE,),
        more=ASIDE,
    ),
    Case(
        "confirmed_before_service",
        "service.confirmed",
        CONFIRM,
        "occurred_on",
        (SERVICE,),
        day="2022-01-09",
        more=ASIDE,
    ),
    Case(
        "service_reversed",
        "service.confirmed",
        CONFIRM,
        "fields.service",
        (SERVICE, undone(NEXT)),
        more=ASIDE,
    ),
    Case("confirmed_by_recorder", "service.confirmed", CONFIRM, None, (SERVICE,)),
    case("unknown_party", "hours.spent", "fields.holder", holder="none"),
    case("insufficient_units", "hours.spent", minutes=91),
    # What nobody confirmed does not count.
    Case("insufficient_units", "hours.spent", full("hours.spent"), None, (SERVICE,)),
]

WISHES = [
    Case("code_taken", *POSTED, "fields.code", (POSTED,)),
    Case("unknown_wish", *CLAIMED, "fields.wish"),
    case("unknown_party", "wish.claimed", "fields.claimant", claimant="none"),
    after("wish_status", "wish.claimed", "fields.wish", (CLAIMED,)),
    Case("wish_status", "wish.fulfilled", full("wish.fulfilled"), "fields.wish", (POSTED,)),
    case("not_a_gift", "wish.fulfilled", "fields.gift", gift=GIFT + 2),
    case("unknown_entry", "wish.fulfilled", "fields.gift", gift=99),
    after(
        "gift_reversed",
        "wish.fulfilled",
        "fields.gift",
        (gave(), undone(NEXT + 2)),
        gift=NEXT + 2,
    ),
    after(
        "gift_fulfils_other",
        "wish.fulfilled",
        "fields.gift",
        (
            ("wish.fulfilled", full("wish.fulfilled")),
            ("wish.posted", {**WISH, "code": "wish-2"}),
            ("wish.claimed", {**CLAIM, "wish": "wish-2"}),
        ),
        wish="wish-2",
    ),
    after("wish_status", "wish.withdrawn", "fields.wish", (), withdrawn="fulfilment"),
    Case("wish_status", "wish.withdrawn", full("wish.withdrawn"), "fields.wish", (POSTED,)),
    after(
        "wish_status",
        "wish.withdrawn",
        "fields.wish",
        (("wish.fulfilled", full("wish.fulfilled")),),
        withdrawn="wish",
    ),
]

RECEIPTS = [
    after("receipt_known", "receipt.bound", "fields.receipt_number", (BOUND,)),
    after("receipt_known", "receipt.bound", "fields.receipt_number", (BOUND, VOIDED)),
    case("receipt_issued_later", "receipt.bound", "fields.issued_on", issued_on="2022-01-11"),
    case("gift_twice", "receipt.bound", "fields.gifts", gifts=[GIFT, GIFT]),
    case("unknown_entry", "receipt.bound", "fields.gifts.0", gifts=[99]),
    case("not_a_gift", "receipt.bound", "fields.gifts.1", gifts=[GIFT, GIFT + 2]),
    case("gift_without_value", "receipt.bound", "fields.gifts.0", gifts=[GIFT + 1]),
    case("receipt_sum", "receipt.bound", "fields.amount_fen", amount_fen=99_999),
    after("receipt_sum", "receipt.bound", "fields.amount_fen", (refunded(GIFT, 1),)),
    after(
        "gift_has_receipt",
        "receipt.bound",
        "fields.gifts.0",
        (BOUND,),
        receipt_number="0000000009",
    ),
    after(
        "gift_reversed",
        "receipt.bound",
        "fields.gifts.0",
        (gave(), undone(NEXT)),
        gifts=[NEXT],
    ),
    Case("receipt_not_valid", *VOIDED, "fields.receipt_number"),
    Case("receipt_not_valid", *VOIDED, "fields.receipt_number", (BOUND, VOIDED)),
    Case(
        "replaced_not_void",
        "receipt.reissued",
        full("receipt.reissued"),
        "fields.replaces_number",
    ),
    after(
        "replaced_not_void",
        "receipt.reissued",
        "fields.replaces_number",
        (
            ("receipt.reissued", full("receipt.reissued")),
            ("receipt.voided", {**VOIDED[1], "receipt_number": "0000000002"}),
        ),
        receipt_number="0000000003",
    ),
    after(
        "gift_not_of_replaced",
        "receipt.reissued",
        "fields.gifts",
        (gave(100_000),),
        gifts=[NEXT + 2],
    ),
]

LIFE = [
    case("unknown_project", "project.reported", "fields.project", project="none"),
    case("period_reversed", "project.reported", "fields.period_to", period_to="2020-12-31"),
    case("unknown_project", "project.closed", "fields.project", project="none"),
    after("project_closed", "project.closed", "fields.project", (CLOSED,)),
    Case("project_closed", "donation.money", FLOOD_GIFT, "fields.project", (CLOSED,)),
]

PAPERS = [
    case("unknown_entry", "document.attached", "fields.about.1", about=[GIFT, 99]),
    case("period_reversed", "statement.imported", "fields.period_to", period_to="2021-07-31"),
    case("statement_does_not_add_up", "statement.imported", "fields.closing_fen", closing_fen=1),
    after("statement_overlaps", "statement.imported", "fields.period_from", (IMPORTED,)),
    case("not_a_statement", "statement.matched", "fields.statement", statement=GIFT),
    after(
        "statement_reversed",
        "statement.matched",
        "fields.statement",
        (undone(NEXT),),
    ),
    case("unknown_entry", "statement.matched", "fields.statement", statement=99),
    case(
        "line_matched",
        "statement.matched",
        "fields.lines",
        lines=[{"line": 1, "amount_fen": 1}, {"line": 1, "amount_fen": 2}],
    ),
    after(
        "line_matched",
        "statement.matched",
        "fields.lines",
        (("statement.matched", full("statement.matched")),),
    ),
    case(
        "lines_over_statement",
        "statement.matched",
        "fields.lines",
        lines=[{"line": 1, "amount_fen": 100_101}],
    ),
    after(
        "lines_over_statement",
        "statement.matched",
        "fields.lines",
        (("statement.matched", full("statement.matched")), gave()),
        lines=[{"line": 3, "amount_fen": 1}],
        gifts=[NEXT + 2],
    ),
    case("not_a_gift", "statement.matched", "fields.gifts.0", gifts=[GIFT + 1]),
    case("gift_matched", "statement.matched", "fields.gifts.0", gifts=[GIFT, GIFT]),
    after(
        "gift_reversed",
        "statement.matched",
        "fields.gifts.0",
        (gave(), undone(NEXT + 1)),
        gifts=[NEXT + 1],
    ),
    case("difference", "statement.matched", "fields.difference_fen", difference_fen=0),
    case("difference_unexplained", "statement.matched", "fields.reason", reason=None),
    case("as_of_later", "balance.asserted", "fields.as_of", as_of="2022-01-11"),
    case("unknown_fund", "balance.asserted", "fields.funds.1", funds=["general", "none"]),
    case("difference", "balance.asserted", "fields.difference_fen", difference_fen=0),
    case("difference_unexplained", "balance.asserted", "fields.reason", reason=None),
    Case(
        "one_deadline",
        *published("due", "disclosure", subject="annual_report"),
        "fields.disclosure",
    ),
    Case(
        "one_deadline",
        *published("due", "disclosure", subject="annual_report", every_days=1, by_day="05-31"),
        "fields.disclosure",
    ),
    Case(
        "amount_without_change",
        *published("due", "disclosure", subject="annual_report", by_day="05-31", amount_fen_min=1),
        "fields.disclosure.amount_fen_min",
    ),
]

CORRECTIONS = [
    case("unknown_entry", "entry.replaced", "fields.entry", entry=99),
    case("unknown_entry", "entry.replaced", "fields.by", by=99),
    case("not_reversed", "entry.replaced", "fields.entry", entry=GIFT),
    case("not_a_replacement", "entry.replaced", "fields.by", by=GIFT),
    case("not_a_replacement", "entry.replaced", "fields.by", by=NEXT),
    after("not_a_replacement", "entry.replaced", "fields.by", (undone(NEXT + 1),)),
    after(
        "already_replaces",
        "entry.replaced",
        "fields.by",
        (("entry.replaced", full("entry.replaced")),),
    ),
    case("unknown_entry", "document.attached", "fields.notice_of", notice_of=99),
    case("annual_report_year", "document.attached", "fields.year", year=2022),
    case("annual_report_year", "document.attached", "fields.year", discloses="major_change"),
    case("not_a_correction", "document.attached", "fields.notice_of", notice_of=GIFT),
    case("unknown_entry", "attention.disposed", "fields.entries.1", entries=[GIFT, 99]),
    case("entries_not_rising", "attention.disposed", "fields.entries", entries=[GIFT, 1]),
    case("entries_not_rising", "attention.disposed", "fields.entries", entries=[GIFT, GIFT]),
    case("unknown_entry", "entry.annotated", "fields.entry", entry=99),
    case("field_not_public", "entry.annotated", "fields.field", field="donor_name"),
    case("field_not_public", "entry.annotated", "fields.field", field="occurred_on"),
    case("field_not_public", "entry.annotated", "fields.field", entry=0),
    case("field_moves_units", "entry.annotated", "fields.field", field="amount_fen"),
    case("field_moves_units", "entry.annotated", "fields.field", field="fund"),
    case("field_moves_units", "entry.annotated", "fields.field", field="project"),
    case("field_moves_units", "entry.annotated", "fields.field", entry=GIFT + 1, field="lot"),
    case("field_moves_units", "entry.annotated", "fields.field", entry=GIFT + 1, field="site"),
    case(
        "field_moves_units",
        "entry.annotated",
        "fields.field",
        entry=10,
        field="packs.0.unit",
    ),
    case("nothing_sealed", "privacy.erased", "fields.entries.1", entries=[GIFT, GIFT + 1]),
    case("unknown_entry", "privacy.erased", "fields.entries.0", entries=[99]),
    case("already_erased", "privacy.erased", "fields.entries.0", entries=[GIFT, GIFT]),
    after(
        "already_erased",
        "privacy.erased",
        "fields.entries.0",
        (("privacy.erased", full("privacy.erased")),),
    ),
    case("already_hidden", "entry.hidden", "fields.entries.0", entries=[GIFT, GIFT]),
    case("unknown_entry", "entry.hidden", "fields.entries.0", entries=[99]),
    after(
        "already_hidden",
        "entry.hidden",
        "fields.entries.0",
        (("entry.hidden", full("entry.hidden")),),
    ),
    # What rests on a gift is given up before the gift is.
    Case(
        "entry_relied_on",
        *undone(NEXT),
        "fields.entry",
        (gave(100_000), ("receipt.bound", full("receipt.bound", gifts=[NEXT]))),
    ),
    Case(
        "entry_relied_on",
        *undone(NEXT),
        "fields.entry",
        (gave(), POSTED, CLAIMED, ("wish.fulfilled", full("wish.fulfilled", gift=NEXT))),
    ),
    Case(
        "entry_relied_on",
        *undone(NEXT),
        "fields.entry",
        (
            gave(),
            ("rule.published", MATCH_RULE),
            ("donation.matched", full("donation.matched", gifts=[NEXT], amount_fen=5_000)),
        ),
    ),
]

REVOKED = ("key.revoked", full("key.revoked"))

KEYS = [
    case("key_name", "key.added", "fields.verifier_key", verifier_key=key_text(2, "a.example/b")),
    case("key_algorithm", "key.added", "fields.algorithm", algorithm="ml-dsa-44"),
    case("key_known", "key.added", "fields.verifier_key", verifier_key=key_text(LOG_KEY, ORIGIN)),
    # A revoked key never comes back.
    after(
        "key_known",
        "key.added",
        "fields.verifier_key",
        (("key.added", SPARE_KEY), REVOKED),
        verifier_key=SPARE_KEY["verifier_key"],
    ),
    after(
        "too_many_keys",
        "key.added",
        "fields.verifier_key",
        tuple(
            ("key.added", {**SPARE_KEY, "verifier_key": key_text(number, ORIGIN)})
            for number in range(11, 18)
        ),
    ),
    case("unknown_key", "key.revoked", "fields.key_id", key_id="00000000"),
    after("already_revoked", "key.revoked", "fields.key_id", (REVOKED,)),
    Case(
        "last_key",
        "key.revoked",
        {"key_id": key_id(LOG_KEY, ORIGIN), "reason": "compromised"},
        "fields.key_id",
    ),
    after(
        "last_key",
        "key.revoked",
        "fields.key_id",
        (REVOKED,),
        key_id=key_id(LOG_KEY, ORIGIN),
    ),
]

MORE = [
    *OPENINGS,
    *MATCHINGS,
    *ACROSS,
    *STOCK,
    *POINTS,
    *SERVICES,
    *WISHES,
    *RECEIPTS,
    *LIFE,
    *PAPERS,
    *CORRECTIONS,
    *KEYS,
]
