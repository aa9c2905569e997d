"""Days of the calendar, as people ask for them, and the clock."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable

from ledger.errors import MalformedError

CHINA = dt.timezone(dt.timedelta(hours=8), "Asia/Shanghai")
"""Asia/Shanghai has had no daylight saving since 1991, before the earliest recorded day."""

Clock = Callable[[], dt.datetime]

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def utc_now() -> dt.datetime:
    """The system's clock."""
    return dt.datetime.now(dt.UTC)


def parse_day(text: str, where: str) -> str:
    """A day like 2021-12-31.

    Raises:
        MalformedError: it is no day of the calendar (``invalid_day``).
    """
    try:
        if _DAY.fullmatch(text) is None:
            raise ValueError
        return dt.date.fromisoformat(text).isoformat()
    except ValueError:
        raise MalformedError(
            f"{where}: expected a day like 2021-12-31, got {text[:20]!r}",
            code="invalid_day",
            field=where,
        ) from None
