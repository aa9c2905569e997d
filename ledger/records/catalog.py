"""The list of record kinds: to add one, write its module and add one line here."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from ledger.records.corrections import ENTRY_REPLACED, annotation, reversal
from ledger.records.dispositions import ATTENTION_DISPOSED
from ledger.records.evidence import (
    BALANCE_ASSERTED,
    DOCUMENT_ATTACHED,
    STATEMENT_IMPORTED,
    STATEMENT_MATCHED,
)
from ledger.records.gifts import DONATION_MONEY, DONATION_REFUNDED
from ledger.records.goods import DONATION_GOODS, GOODS_DISTRIBUTED, GOODS_MOVED, GOODS_RECEIVED
from ledger.records.keys import KEY_ADDED_KIND, KEY_REVOKED_KIND
from ledger.records.kind import Kind
from ledger.records.log import LOG_OPENED
from ledger.records.matching import DONATION_MATCHED
from ledger.records.official_receipts import RECEIPT_BOUND, RECEIPT_REISSUED, RECEIPT_VOIDED
from ledger.records.openings import BALANCE_OPENED
from ledger.records.points import (
    POINTS_EXPIRED,
    POINTS_ISSUED,
    POINTS_REDEEMED,
    POINTS_REVERSED,
)
from ledger.records.privacy import ENTRY_HIDDEN, PRIVACY_ERASED
from ledger.records.projects import PROJECT_CLOSED, PROJECT_REPORTED
from ledger.records.reassignments import FEE_CHARGED, LEFTOVER_ASSIGNED, PURPOSE_CHANGED
from ledger.records.registers import (
    CAMPAIGN_FILED,
    FUND_OPENED,
    ITEM_REGISTERED,
    PARTY_REGISTERED,
    PROJECT_OPENED,
    SITE_REGISTERED,
)
from ledger.records.rules import RULE_PUBLISHED
from ledger.records.spending import AID_PAID, GRANT_PAID, MONEY_ALLOCATED, PURCHASE_MADE
from ledger.records.stock import GOODS_COUNTED, GOODS_REPACKED, GOODS_SOLD, GOODS_WRITTEN_OFF
from ledger.records.time_bank import HOURS_SPENT, SERVICE_CONFIRMED, SERVICE_RECORDED
from ledger.records.wishes import WISH_CLAIMED, WISH_FULFILLED, WISH_POSTED, WISH_WITHDRAWN

_FORWARD: tuple[Kind[Any], ...] = (
    LOG_OPENED,
    PARTY_REGISTERED,
    FUND_OPENED,
    PROJECT_OPENED,
    CAMPAIGN_FILED,
    ITEM_REGISTERED,
    SITE_REGISTERED,
    RULE_PUBLISHED,
    BALANCE_OPENED,
    DONATION_MONEY,
    DONATION_MATCHED,
    DONATION_REFUNDED,
    MONEY_ALLOCATED,
    FEE_CHARGED,
    PURPOSE_CHANGED,
    AID_PAID,
    GRANT_PAID,
    PURCHASE_MADE,
    DONATION_GOODS,
    GOODS_MOVED,
    GOODS_RECEIVED,
    GOODS_DISTRIBUTED,
    GOODS_REPACKED,
    GOODS_COUNTED,
    GOODS_WRITTEN_OFF,
    GOODS_SOLD,
    POINTS_ISSUED,
    POINTS_REDEEMED,
    POINTS_EXPIRED,
    POINTS_REVERSED,
    SERVICE_RECORDED,
    SERVICE_CONFIRMED,
    HOURS_SPENT,
    WISH_POSTED,
    WISH_CLAIMED,
    WISH_FULFILLED,
    WISH_WITHDRAWN,
    RECEIPT_BOUND,
    RECEIPT_VOIDED,
    RECEIPT_REISSUED,
    PROJECT_REPORTED,
    PROJECT_CLOSED,
    LEFTOVER_ASSIGNED,
    DOCUMENT_ATTACHED,
    STATEMENT_IMPORTED,
    STATEMENT_MATCHED,
    BALANCE_ASSERTED,
    PRIVACY_ERASED,
    ENTRY_HIDDEN,
    ATTENTION_DISPOSED,
    ENTRY_REPLACED,
    KEY_ADDED_KIND,
    KEY_REVOKED_KIND,
)

KINDS: tuple[Kind[Any], ...] = (
    *_FORWARD,
    annotation({kind.name: kind.fields for kind in _FORWARD}),
    reversal({kind.name: kind.effects for kind in _FORWARD}),
)

KIND_BY_NAME: Mapping[str, Kind[Any]] = MappingProxyType({kind.name: kind for kind in KINDS})
