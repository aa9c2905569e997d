"""The list of record kinds: to add one, write its module and add one line here."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from ledger.records.corrections import reversal
from ledger.records.gifts import DONATION_MONEY, DONATION_REFUNDED
from ledger.records.goods import DONATION_GOODS, GOODS_DISTRIBUTED, GOODS_MOVED, GOODS_RECEIVED
from ledger.records.kind import Kind
from ledger.records.log import LOG_OPENED
from ledger.records.points import POINTS_ISSUED, POINTS_REDEEMED
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

_FORWARD: tuple[Kind[Any], ...] = (
    LOG_OPENED,
    PARTY_REGISTERED,
    FUND_OPENED,
    PROJECT_OPENED,
    CAMPAIGN_FILED,
    ITEM_REGISTERED,
    SITE_REGISTERED,
    RULE_PUBLISHED,
    DONATION_MONEY,
    DONATION_REFUNDED,
    MONEY_ALLOCATED,
    AID_PAID,
    GRANT_PAID,
    PURCHASE_MADE,
    DONATION_GOODS,
    GOODS_MOVED,
    GOODS_RECEIVED,
    GOODS_DISTRIBUTED,
    POINTS_ISSUED,
    POINTS_REDEEMED,
)

KINDS: tuple[Kind[Any], ...] = (
    *_FORWARD,
    reversal({kind.name: kind.effects for kind in _FORWARD}),
)

KIND_BY_NAME: Mapping[str, Kind[Any]] = MappingProxyType({kind.name: kind for kind in KINDS})
