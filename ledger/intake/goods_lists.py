"""Lists of goods given and delivered → rows of plain values, or what is wrong with them.

Three lists, each CSV or a spreadsheet, each with its layout: *offers* (what a donor gives),
*deliveries* (what of it went to which facility) and, optionally, *items* (names and units of
the goods). The headers of `github.com/GetUsPPE/ppe_needs_retrospective` are among those that
are known.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from ledger.errors import MalformedError
from ledger.intake.cells import Cell, day, is_blank, moment_of, quantity, show, text
from ledger.intake.columns import Layout, place_of
from ledger.intake.gift_rows import RowError
from ledger.intake.sheets import Row, Table

KEY_CHARS_MAX = 100
"""The longest number of an offer or a delivery, and the longest status."""
NAME_CHARS_MAX = 120

OFFERS = Layout(
    "an offer",
    "a number of an offer, an item, a quantity and a day",
    {
        "offer": ("捐赠编号", "捐赠单号", "编号", "donationkey", "offer", "offer id",
                  "offer number", "donation id"),
        "donor": ("捐赠人", "捐赠方", "捐赠单位", "捐赠人姓名", "donorkey", "donor", "donor id"),
        "item": ("物资", "品名", "物资名称", "equipmentenum", "enumcode", "item", "goods"),
        "quantity": ("数量", "捐赠数量", "qty", "quantity", "count"),
        "unit": ("单位", "计量单位", "unit"),
        "offered_on": ("捐赠日期", "捐赠时间", "日期", "datecreated", "offered on", "date"),
        "best_before": ("保质期至", "有效期至", "best before", "expiry date"),
    },
    ("offer", "item", "quantity", "offered_on"),
)  # fmt: skip
DELIVERIES = Layout(
    "a delivery",
    "a number of a delivery, a facility, an item, a quantity and a day",
    {
        "delivery": ("发放编号", "发放单号", "编号", "matchkey", "delivery", "delivery id",
                     "delivery number"),
        "offer": ("捐赠编号", "捐赠单号", "donationkey", "offer", "offer id", "offer number"),
        "donor": ("捐赠人", "捐赠方", "捐赠单位", "donorkey", "donor", "donor id"),
        "facility": ("接收单位", "受赠单位", "领用单位", "facilitykey", "facility", "recipient"),
        "facility_name": ("接收单位名称", "facility name", "recipient name"),
        "status": ("状态", "matchstatus", "status"),
        "reason": ("说明", "原因", "matchsubstatus", "reason"),
        "requested_on": ("申请日期", "申请时间", "matchcreated", "requested on", "created"),
        "delivered_on": ("发放日期", "送达日期", "日期", "closedordelivered", "delivered on",
                         "date"),
        "item": ("物资", "品名", "物资名称", "enumcode", "equipmentenum", "item", "goods"),
        "quantity": ("数量", "发放数量", "qty", "quantity", "count"),
        "unit": ("单位", "计量单位", "unit"),
    },
    ("delivery", "facility", "delivered_on", "item", "quantity"),
)  # fmt: skip
ITEMS = Layout(
    "an item",
    "a code and a name of an item",
    {
        "item": ("物资编码", "编码", "enumcode", "item", "code"),
        "name": ("物资名称", "品名", "名称", "name"),
        "unit": ("计量单位", "单位", "unitofmeasure", "unit"),
        "single": ("最小单位", "reportunit", "single unit"),
    },
    ("item", "name"),
)  # fmt: skip


class Moment(NamedTuple):
    """A day in Shanghai and, where the list has one, the time of that day."""

    day: str
    clock: str = ""

    def before(self, other: Moment) -> bool:
        """Whether this is surely earlier: without both clocks the days alone decide."""
        if self.day != other.day or not (self.clock and other.clock):
            return self.day < other.day
        return self.clock < other.clock


class Offer(NamedTuple):
    """One row of the offers; `line` tells rows of one offer and item apart, from 1."""

    row: int
    key: str
    donor: str
    item: str
    unit: str
    quantity: int
    offered: Moment
    best_before: str
    line: int = 1

    def __repr__(self) -> str:
        """Without the donor, so that no log line can hold it."""
        return f"Offer(row={self.row}, quantity={self.quantity})"


class Delivery(NamedTuple):
    """One row of the deliveries; `line` tells rows of one delivery and item apart, from 1.

    `delivered` is None where the row says that nothing was delivered and has no day.
    """

    row: int
    key: str
    offer: str
    donor: str
    facility: str
    facility_name: str
    status: str
    reason: str
    requested: Moment | None
    delivered: Moment | None
    item: str
    unit: str
    quantity: int
    line: int = 1

    def __repr__(self) -> str:
        """Without donor and facility, so that no log line can hold them."""
        return f"Delivery(row={self.row}, quantity={self.quantity})"


class ItemRow(NamedTuple):
    """One row of the items: how lists call it, its name, the unit that lists count it in."""

    row: int
    item: str
    name: str
    unit: str


_T = TypeVar("_T")
_Row = TypeVar("_Row", Offer, Delivery)


class _Cells:
    """The cells of one row by part; collects what is wrong with each."""

    def __init__(self, table: Table, places: Mapping[str, int]) -> None:
        self._columns = table.columns
        self._places = places
        self.errors: list[RowError] = []
        self.row: Row

    def read(self, part: str, read: Callable[[Cell], _T], empty: _T) -> _T:
        """What a part's cell means; `empty` where the list has no such column, or on error."""
        place = self._places.get(part)
        if place is None:
            return empty
        cell = self.row.cells[place]
        try:
            return read(cell)
        except MalformedError as error:
            self.errors.append(
                RowError(
                    row=self.row.number,
                    column=self._columns[place],
                    value=show(cell),
                    code=error.code,
                    reason=str(error.details.get("reason", error.message)),
                    remedy=str(error.details.get("remedy", "")),
                )
            )
            return empty


def _key(cell: Cell) -> str:
    found = text(cell, KEY_CHARS_MAX)
    if found is None:
        raise MalformedError(
            "expected a text, the cell is empty",
            code="cell_missing",
            details={"reason": "expected a text, the cell is empty", "remedy": "fill it in"},
        )
    return found


def _name(cell: Cell) -> str:
    return text(cell, NAME_CHARS_MAX) or ""


def _moment_until(day_last: str) -> Callable[[Cell], Moment]:
    def read(cell: Cell) -> Moment:
        found = day(cell)
        if found > day_last:
            reason = f"expected a day until {day_last}, got {show(cell)!r}"
            raise MalformedError(
                reason,
                code="date_in_future",
                details={"reason": reason, "remedy": "correct the date"},
            )
        moment = moment_of(cell)
        clock = moment.strftime("%H:%M:%S.%f") if isinstance(moment, dt.datetime) else ""
        return Moment(found, clock)

    return read


def _optional(read: Callable[[Cell], _T]) -> Callable[[Cell], _T | None]:
    return lambda cell: None if is_blank(cell) else read(cell)


def _cells_of(table: Table, columns: Mapping[str, str]) -> _Cells:
    places = {part: place_of(header, table.columns, part) for part, header in columns.items()}
    return _Cells(table, places)


def read_offers(
    table: Table, columns: Mapping[str, str], day_last: str
) -> tuple[list[Offer], list[RowError]]:
    """The offers that are readable, and everything that is wrong with the other rows.

    Args:
        table: What `read_table` gave with the layout `OFFERS`.
        columns: Part → header, as `OFFERS.guess` gives them.
        day_last: The last day that an offer can have.

    Raises:
        MalformedError: a column is missing or ambiguous.
    """
    cells = _cells_of(table, columns)
    moment = _moment_until(day_last)
    found: list[Offer] = []
    for row in table.rows:
        cells.row = row
        wrong = len(cells.errors)
        offer = Offer(
            row.number,
            cells.read("offer", _key, ""),
            cells.read("donor", _name, ""),
            cells.read("item", _key, ""),
            cells.read("unit", _name, ""),
            cells.read("quantity", quantity, 0),
            cells.read("offered_on", moment, Moment("")),
            cells.read("best_before", _optional(day), None) or "",
        )
        if len(cells.errors) == wrong:
            found.append(offer)
    return found, cells.errors


def read_deliveries(
    table: Table,
    columns: Mapping[str, str],
    day_last: str,
    is_delivered: Callable[[str], bool],
) -> tuple[list[Delivery], list[RowError]]:
    """The deliveries that are readable, and everything that is wrong with the other rows.

    Args:
        table: What `read_table` gave with the layout `DELIVERIES`.
        columns: Part → header, as `DELIVERIES.guess` gives them; it has `offer` or `donor`.
        day_last: The last day that a delivery can have.
        is_delivered: Whether a status says so; only then a day is needed.

    Raises:
        MalformedError: a column is missing or ambiguous, or neither says whose goods they are.
    """
    if not columns.keys() & {"offer", "donor"}:
        raise MalformedError(
            "expected a column with the offer's number or the donor in the list of deliveries; "
            "without one nobody can say which goods were delivered; name the column",
            code="column_missing",
            field="offer",
        )
    cells = _cells_of(table, columns)
    moment = _moment_until(day_last)
    found: list[Delivery] = []
    for row in table.rows:
        cells.row = row
        wrong = len(cells.errors)
        status = cells.read("status", _name, "")
        needed = is_delivered(status)
        delivery = Delivery(
            row.number,
            cells.read("delivery", _key, ""),
            cells.read("offer", _name, ""),
            cells.read("donor", _name, ""),
            cells.read("facility", _key if needed else _name, ""),
            cells.read("facility_name", _name, ""),
            status,
            cells.read("reason", _name, ""),
            cells.read("requested_on", _optional(moment), None),
            cells.read("delivered_on", moment if needed else _optional(moment), None),
            cells.read("item", _key, ""),
            cells.read("unit", _name, ""),
            cells.read("quantity", quantity, 0),
        )
        if len(cells.errors) == wrong:
            found.append(delivery)
    return found, cells.errors


def read_items(table: Table, columns: Mapping[str, str]) -> tuple[list[ItemRow], list[RowError]]:
    """The items that are readable, and what is wrong with the other rows.

    Raises:
        MalformedError: a column is missing or ambiguous.
    """
    cells = _cells_of(table, columns)
    found: list[ItemRow] = []
    for row in table.rows:
        cells.row = row
        wrong = len(cells.errors)
        unit = cells.read("unit", _name, "") or cells.read("single", _name, "")
        item = ItemRow(row.number, cells.read("item", _key, ""), cells.read("name", _key, ""), unit)
        if len(cells.errors) == wrong:
            found.append(item)
    return found, cells.errors


def numbered(rows: Sequence[_Row], content: Callable[[_Row], tuple[object, ...]]) -> list[_Row]:
    """Give the rows of one number and item their lines, by content, not by place in the file.

    A list that is exported again in another order gives the same lines.

    Args:
        rows: Offers or deliveries.
        content: What tells two rows of one number and item apart.
    """
    groups: dict[tuple[str, str], list[_Row]] = {}
    for row in rows:
        groups.setdefault((row.key, row.item), []).append(row)
    lines = {
        row.row: line
        for some in groups.values()
        for line, row in enumerate(sorted(some, key=content), 1)
    }
    return [row._replace(line=lines[row.row]) for row in rows]
