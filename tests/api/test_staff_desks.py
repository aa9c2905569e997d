"""The forms that people work with all day, goods by lot, today's list, receipts to print."""

from __future__ import annotations

import io
import re
import zipfile

import pytest
from browser import Page, read
from caller import Caller
from clerk import Clerk, errors_of, form_values
from pypdf import PdfReader
from scribe import FIRST_GIFT

from api.pages.staff.desks import DESKS, FIRST
from api.pages.staff.fields import form_of
from ledger.records.kind import Role

HOLDER = "holder-1"
GIFT_DESK = "/staff/desk/gift"
GIFT = {
    "fields.fund": "general",
    "fields.amount_fen": "88.80",
    "fields.channel": "cash",
    "sealed.donor_name": "示例捐赠人丁",
    "occurred_on": "2022-01-10",
}
AID_DESK = "/staff/desk/aid"
AID = {
    "fields.fund": "general",
    "fields.purpose": "community",
    "fields.amount_fen": "20.00",
    "fields.payee_class": "patient",
    "sealed.payee_name": "示例受益人",
    "occurred_on": "2022-01-10",
}


def recorder(kind: str) -> Role:
    return sorted(form_of(kind).kind.recorders)[0]


def problems(person: Clerk, desk: str, values: dict[str, str], status: int = 422) -> dict[str, str]:
    answer = person.submit(person.get(desk), values, action=desk)
    return errors_of(person.shown(answer, status))


@pytest.mark.parametrize("name", DESKS)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_desk_is_laid_out_and_loses_no_field(
    untouched: Caller, name: str, language: str
) -> None:
    desk = DESKS[name]
    person = Clerk(untouched, recorder(desk.kind), language)
    fields = form_values(person.get(desk.path), desk.path)
    whole = form_values(person.get(f"/staff/record/{desk.kind}"), f"/staff/record/{desk.kind}")
    assert set(fields) == set(whole)
    assert all(
        any(one.endswith(f".{first}") or f".{first}." in one for one in fields)
        for first in FIRST[name]
    )


def test_a_gift_is_recorded_at_its_desk(world: Caller) -> None:
    person = Clerk(world, Role.CLERK)
    size = world.book.head().size
    answer = person.submit(person.get(GIFT_DESK), GIFT, action=GIFT_DESK)
    page = person.follow(answer)
    assert answer.headers["location"] == f"/staff/recorded/{size}"
    assert f"/staff/receipts/{size}.pdf" in page.links()
    assert f"{GIFT_DESK}?like={size}" in page.links()
    like = form_values(person.get(f"{GIFT_DESK}?like={size}"), GIFT_DESK)
    assert like["fields.amount_fen"] == "88.80"
    assert like["sealed.donor_name"] == ""


def test_what_looks_like_a_repetition_is_asked_about(world: Caller) -> None:
    person = Clerk(world, Role.CLERK)
    person.submit(person.get(GIFT_DESK), GIFT, action=GIFT_DESK)
    size = world.book.head().size
    page = person.get(GIFT_DESK)
    warned = person.shown(person.submit(page, GIFT, action=GIFT_DESK), 409)
    assert f"/entries/{size - 1}" in warned.links()
    assert "同一捐赠人姓名" in warned.html
    assert world.book.head().size == size
    values = form_values(warned, GIFT_DESK)
    answer = person.send(GIFT_DESK, {**values, "checked": values["key"]})
    assert answer.headers["location"] == f"/staff/recorded/{size}"
    other = {**GIFT, "sealed.donor_name": "示例捐赠人戊"}
    assert (
        "其他捐赠人"
        in person.shown(person.submit(person.get(GIFT_DESK), other, action=GIFT_DESK), 409).html
    )


def test_an_order_enters_once(world: Caller) -> None:
    person = Clerk(world, Role.CLERK)
    order = {**GIFT, "sealed.order_number": "ORDER-9"}
    person.submit(person.get(GIFT_DESK), order, action=GIFT_DESK)
    again = {**order, "fields.amount_fen": "1.00"}
    assert list(problems(person, GIFT_DESK, again, 409)) == ["sealed.order_number"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("１２．５", "半角"),
        ("1,234.50", "千位分隔符"),
        ("¥12", "只写数字"),
        ("12元", "只写数字"),
        ("1.234", "两位小数"),
        ("12.", "两位小数"),
        ("abc", "如 1234.50"),
        ("0", "最小为 0.01"),
        ("-5", "最小为 0.01"),
        ("999999999999", "最大为"),
        ("1e5", "如 1234.50"),
        ("", "请填写"),
    ],
)
def test_an_amount_is_read_strictly_and_kept_as_typed(
    untouched: Caller, text: str, told: str
) -> None:
    person = Clerk(untouched, Role.CLERK)
    answer = person.submit(
        person.get(GIFT_DESK), {**GIFT, "fields.amount_fen": text}, action=GIFT_DESK
    )
    page = person.shown(answer, 422)
    found = errors_of(page)
    assert list(found) == ["fields.amount_fen"]
    assert told in found["fields.amount_fen"]
    field = next(one for one in page.all("input") if one.attributes.get("id") in found)
    assert field.attributes["value"] == text
    assert field.attributes["aria-invalid"] == "true"
    assert "fields.amount_fen-error" in field.attributes["aria-describedby"]
    assert form_values(page, GIFT_DESK)["sealed.donor_name"] == GIFT["sealed.donor_name"]


def test_every_error_is_told_at_once(untouched: Caller) -> None:
    person = Clerk(untouched, Role.CLERK)
    bad = {"fields.fund": "No Code", "fields.amount_fen": "x", "occurred_on": "2021-02-30"}
    assert set(problems(person, GIFT_DESK, bad)) == {
        "occurred_on",
        "fields.fund",
        "fields.amount_fen",
        "fields.channel",
    }


def test_an_optional_text_that_cannot_be_read_is_no_record(untouched: Caller) -> None:
    person = Clerk(untouched, Role.REGISTRAR)
    path = "/staff/record/project.opened"
    values = {
        "fields.code": "p-9",
        "fields.name": "示例",
        "fields.fund": "general",
        "fields.purpose": "community",
        "fields.starts_on": "2022-01-01",
        "fields.target_fen": "1,000",
        "occurred_on": "2022-01-10",
    }
    assert list(problems(person, path, values, 400)) == ["fields.target_fen"]


def test_rows_are_added_and_removed_without_a_script(untouched: Caller) -> None:
    person = Clerk(untouched, Role.REGISTRAR)
    path = "/staff/record/item.registered"
    page = person.get(path)
    assert "remove:" not in page.html
    typed = {"fields.packs.0.unit": "箱", "fields.packs.0.factor": "10", "fields.name": "毯"}
    page = person.shown(person.submit(page, typed, action=path, do="add:fields.packs"))
    page = person.shown(
        person.submit(page, {"fields.packs.1.unit": "托"}, action=path, do="add:fields.packs")
    )
    values = form_values(page, path)
    assert values["fields.packs.2.unit"] == ""
    assert values["fields.packs.1.unit"] == "托"
    assert values["fields.name"] == "毯"
    page = person.shown(person.submit(page, action=path, do="remove:fields.packs.0"))
    values = form_values(page, path)
    assert values["fields.packs.0.unit"] == "托"
    assert "fields.packs.2.unit" not in values


def test_an_error_in_a_row_stands_at_the_row(untouched: Caller) -> None:
    person = Clerk(untouched, Role.REGISTRAR)
    values = {
        "fields.code": "mat",
        "fields.name": "垫",
        "fields.unit": "张",
        "fields.packs.0.unit": "",
        "fields.packs.1.unit": "包",
        "fields.packs.1.factor": "one",
    }
    # The empty first row is dropped; the second one becomes the first.
    path = "/staff/record/item.registered"
    assert list(problems(person, path, values)) == ["fields.packs.0.factor"]


@pytest.mark.parametrize("desk", ["/staff/desk/points_redeem", "/staff/desk/points_issue"])
def test_the_points_desks_show_what_the_holder_has(untouched: Caller, desk: str) -> None:
    person = Clerk(untouched, Role.SHOP if "redeem" in desk else Role.CLERK)
    page = person.get(desk)
    shown = person.shown(person.submit(page, {"fields.holder": HOLDER}, action=desk, do="look"))
    (line,) = (one for one in shown.all("p") if one.attributes.get("class") == "balance")
    assert f"/parties/{HOLDER}" in shown.links()
    held = read(untouched, f"/parties/{HOLDER}").facts()["现有"].split()[0]
    numbers = [int(one) for one in re.findall(r"[0-9]+", line.text.partition("：")[2])]
    assert sum(numbers) == int(held)
    unknown = person.submit(page, {"fields.holder": "nobody"}, action=desk, do="look")
    assert "balance" not in [one.attributes.get("class") for one in person.shown(unknown).all("p")]


def test_aid_needs_a_second_person_at_the_counter(world: Caller) -> None:
    person = Clerk(world, Role.CLERK)
    assert list(problems(person, AID_DESK, AID, 400)) == ["approver_token"]
    for token in ("shanji_x", world.tokens[Role.SHOP], world.tokens[Role.CLERK]):
        answer = person.submit(
            person.get(AID_DESK), {**AID, "approver_token": token}, action=AID_DESK
        )
        page = person.shown(answer, answer.status_code)
        assert list(errors_of(page)) == ["approver_token"]
        assert token not in page.html
    size = world.book.head().size
    approved = {**AID, "approver_token": world.tokens[Role.APPROVER]}
    answer = person.submit(person.get(AID_DESK), approved, action=AID_DESK)
    assert answer.headers["location"] == f"/staff/recorded/{size}"
    _, entry = world.book.entry(size)
    assert (entry.recorded_by, entry.approved_by) == ("clerk-1", "approver-1")


def test_a_form_sent_again_with_other_content_is_refused(world: Caller) -> None:
    person = Clerk(world, Role.CLERK)
    page = person.get(GIFT_DESK)
    person.submit(page, GIFT, action=GIFT_DESK)
    size = world.book.head().size
    other = {**GIFT, "fields.amount_fen": "99.00"}
    answer = person.submit(page, other, action=GIFT_DESK)
    assert errors_of(person.shown(answer, 409)).keys() == {"form"}
    assert world.book.head().size == size


def test_who_receives_is_offered_what_is_on_the_way(world: Caller) -> None:
    place = {"from_site": "depot", "to_site": "shop"}
    for number, came in ((1, 3), (2, 1), (3, 0)):
        sent = {"shipment": f"trip-{number}", "item": "rice", "quantity": 3, **place}
        arrived = {"shipment": f"trip-{number}", "quantity": came, "site": "shop"}
        for kind, fields in (("goods.moved", sent), ("goods.received", arrived))[
            : 2 if came else 1
        ]:
            body = {"kind": kind, "occurred_on": "2021-10-01", "fields": fields}
            world.record(body, role=Role.WAREHOUSE)
    page = Clerk(world, Role.SHOP).get("/staff/desk/receive")
    offered = [
        one for one in page.all("option") if str(one.attributes["value"]).startswith("trip-")
    ]
    assert [(one.attributes["value"], one.text) for one in offered] == [
        ("trip-3", "大米 3 袋 · 中心仓 → 慈善超市"),
        ("trip-2", "大米 2 袋 · 中心仓 → 慈善超市"),
    ]


def test_a_role_has_only_its_own_forms(untouched: Caller) -> None:
    shop = Clerk(untouched, Role.SHOP)
    shop.get(GIFT_DESK, 403)
    shop.get("/staff/record/donation.money", 403)
    assert "/staff/record/donation.money" not in shop.get("/staff/record").links()
    assert "/staff/desk/points_redeem" in shop.get("/staff").links()
    assert (
        "/staff/record/attention.disposed"
        in Clerk(untouched, Role.AUDITOR).get("/staff/record").links()
    )
    shop.get("/staff/record/log.opened", 404)
    shop.get("/staff/record/no.such", 404)
    shop.get("/staff/desk/none", 404)
    csrf = form_values(shop.get("/staff"), "/staff/sign-out")["csrf"]
    shop.shown(shop.send(GIFT_DESK, {**GIFT, "csrf": csrf, "key": "staff-" + "a" * 22}), 403)


def test_goods_are_found_by_lot_and_moved(world: Caller) -> None:
    person = Clerk(world, Role.WAREHOUSE)
    person.get("/staff/lots")
    page = person.get("/staff/lots?code=L1")
    step = next(one for one in page.links() if one.startswith("/staff/desk/move"))
    values = form_values(person.get(step), "/staff/desk/move")
    assert values["fields.lot"] == "L1"
    assert values["fields.from_site"] == "depot"
    assert "没有" in person.get("/staff/lots?code=none").html
    assert "L1" in person.get("/staff/lots?code=rice").html


def test_a_link_fills_in_no_personal_field(untouched: Caller) -> None:
    person = Clerk(untouched, Role.CLERK)
    page = person.get(f"{GIFT_DESK}?fields.fund=relief&sealed.donor_name=x&key=staff-1&csrf=2")
    values = form_values(page, GIFT_DESK)
    assert values["fields.fund"] == "relief"
    assert values["sealed.donor_name"] == ""
    assert values["key"] != "staff-1"


@pytest.mark.parametrize("role", list(Role))
def test_today_is_there_for_every_role(untouched: Caller, role: Role) -> None:
    Clerk(untouched, role, "en").get("/staff")
    person = Clerk(untouched, role)
    page = person.get("/staff")
    for path in page.links():
        if path.startswith("/staff"):
            person.get(path)
    groups = [one.attributes["id"] for one in page.all("h2") if "group-" in str(one.attributes)]
    first = {Role.WAREHOUSE: "group-stock", Role.SHOP: "group-points"}
    assert groups[0] == first.get(role, "group-deadlines")


def test_today_shows_what_waits(world: Caller) -> None:
    person = Clerk(world, Role.CLERK)
    person.submit(person.get(AID_DESK), AID, action=AID_DESK, do="propose")
    person.submit(person.get(GIFT_DESK), GIFT, action=GIFT_DESK)
    page = person.get("/staff")
    assert "/staff/proposals/1" in page.links()
    assert f"/entries/{world.book.head().size - 1}" in page.links()


def test_receipts_are_printed_many_at_once(world: Caller) -> None:
    person = Clerk(world, Role.CLERK)
    path = "/staff/receipts/print"
    page = person.get("/staff/receipts")
    pair = {"entries": f"{FIRST_GIFT}, {FIRST_GIFT}", "form": "pdf"}
    answer = person.submit(page, pair, action=path)
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["cache-control"] == "private, no-store"
    assert len(PdfReader(io.BytesIO(answer.content)).pages) == 1
    answer = person.submit(page, {"entries": str(FIRST_GIFT), "form": "zip"}, action=path)
    assert len(zipfile.ZipFile(io.BytesIO(answer.content)).namelist()) == 2


def test_receipts_of_a_day_are_those_of_its_gifts(world: Caller) -> None:
    person = Clerk(world, Role.CLERK)
    page = person.get("/staff/receipts")
    path = "/staff/receipts/print"
    day = world.book.entry(FIRST_GIFT)[1].recorded_at[:10]
    answer = person.submit(page, {"day": day, "entries": "", "form": "zip"}, action=path)
    assert answer.headers["content-type"] == "application/zip"
    for values, field in (
        ({"day": "2001-01-01", "entries": ""}, "day"),
        ({"day": "x", "entries": ""}, "day"),
        ({"day": "", "entries": ""}, "entries"),
        ({"day": "", "entries": "a-b"}, "entries"),
        ({"day": "", "entries": "0-100000"}, "entries"),
        ({"day": "", "entries": "4000"}, "entries"),
    ):
        answer = person.submit(page, {**values, "form": "pdf"}, action=path)
        assert list(errors_of(person.shown(answer, answer.status_code))) == [field]


def test_only_who_may_see_personal_fields_prints_them(world: Caller) -> None:
    Clerk(world, Role.SHOP).get("/staff/receipts", 403)
    size = world.book.head().size
    clerk = Clerk(world, Role.CLERK)
    clerk.submit(clerk.get(GIFT_DESK), GIFT, action=GIFT_DESK)
    for role, sees in ((Role.CLERK, True), (Role.WAREHOUSE, False)):
        answer = Clerk(world, role).request("GET", f"/staff/receipts/{size}.pdf")
        assert answer.status_code == 200
        text = "".join(one.extract_text() for one in PdfReader(io.BytesIO(answer.content)).pages)
        assert ("示例捐赠人丁" in text) is sees


def corrected(world: Caller, index: int, changes: dict[str, str]) -> tuple[Clerk, Page, str]:
    person = Clerk(world, Role.CLERK)
    path = f"/staff/correct/{index}/anew"
    assert path in person.get(f"/staff/correct/{index}").links()
    page = person.get(path)
    approval = {"approver_token": world.tokens[Role.APPROVER], "reason": "金额录错"}
    return (
        person,
        page,
        path
        if not changes
        else str(person.submit(page, {**approval, **changes}, action=path).headers.get("location")),
    )


def test_a_mistake_is_taken_back_and_recorded_anew(world: Caller) -> None:
    clerk = Clerk(world, Role.CLERK)
    wrong = world.book.head().size
    order = {**GIFT, "sealed.order_number": "ORDER-7"}
    clerk.submit(clerk.get(GIFT_DESK), order, action=GIFT_DESK)
    person, page, location = corrected(world, wrong, {"fields.amount_fen": "80.80"})
    assert form_values(page, f"/staff/correct/{wrong}/anew")["sealed.donor_name"] == "示例捐赠人丁"
    assert form_values(page, f"/staff/correct/{wrong}/anew")["sealed.order_number"] == ""
    assert location == f"/staff/recorded/{wrong + 2}"
    kinds = [world.book.entry(wrong + n)[1].kind for n in (1, 2, 3)]
    assert kinds == ["entry.reversed", "donation.money", "entry.replaced"]
    assert world.book.entry(wrong + 2)[1].fields["amount_fen"] == 8080
    assert f"/entries/{wrong}/correction" in person.get(location).links()
    # Sending the same form again goes through the same three entries.
    path = f"/staff/correct/{wrong}/anew"
    approval = {"approver_token": world.tokens[Role.APPROVER], "reason": "金额录错"}
    again = person.submit(page, {**approval, "fields.amount_fen": "80.80"}, action=path)
    assert again.headers["location"] == location
    assert world.book.head().size == wrong + 4


def test_a_correction_that_is_refused_halfway_goes_on(world: Caller) -> None:
    clerk = Clerk(world, Role.CLERK)
    wrong = world.book.head().size
    clerk.submit(clerk.get(GIFT_DESK), GIFT, action=GIFT_DESK)
    path = f"/staff/correct/{wrong}/anew"
    page = clerk.get(path)
    good = {"approver_token": world.tokens[Role.APPROVER], "reason": "资金录错"}
    for change, field in (
        ({"reason": ""}, "reason"),
        ({"approver_token": ""}, "approver_token"),
        ({"fields.amount_fen": "x"}, "fields.amount_fen"),
    ):
        answer = clerk.submit(page, {**good, **change}, action=path)
        assert list(errors_of(clerk.shown(answer, answer.status_code))) == [field]
    assert world.book.head().size == wrong + 1
    # The reversal is recorded; the new record names a fund that there is not.
    refused = clerk.submit(page, {**good, "fields.fund": "no-fund"}, action=path)
    shown = clerk.shown(refused, refused.status_code)
    assert list(errors_of(shown)) == ["fields.fund"]
    assert world.book.head().size == wrong + 2
    approval = {"approver_token": world.tokens[Role.APPROVER], "fields.fund": "general"}
    answer = clerk.submit(shown, approval, action=path)
    assert answer.headers["location"] == f"/staff/recorded/{wrong + 2}"
    assert world.book.head().size == wrong + 4


def test_what_moved_nothing_is_annotated(world: Caller) -> None:
    person = Clerk(world, Role.REGISTRAR)
    links = person.get("/staff/correct/1").links()
    assert "/staff/record/entry.annotated?fields.entry=1" in links
    assert "/staff/correct/1/anew" not in links
    Clerk(world, Role.CLERK).get("/staff/correct/0/anew", 404)
