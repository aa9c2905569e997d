"""Public statistics: sums over the whole ledger, and groups too small to show hidden.

::

    registers, totals, accounts, spendings ─► figures ─► groups of persons ─► published
                                                         (least size by a dated rule)

Everything is derived from one snapshot and says of which size of the log it is.
"""

from __future__ import annotations

from ledger.statistics.figures import (
    Latest,
    Statistics,
    gather,
    group_rule,
    least_group,
    points_in_all,
)
from ledger.statistics.groups import Group, Published, publish

__all__ = [
    "Group",
    "Latest",
    "Published",
    "Statistics",
    "gather",
    "group_rule",
    "least_group",
    "points_in_all",
    "publish",
]
