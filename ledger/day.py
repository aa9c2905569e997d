"""Days of the calendar, as people ask for them."""

from __future__ import annotations

import datetime as dt
import re

from ledger.errors import MalformedError

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


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
