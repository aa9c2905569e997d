"""Corrections in the open: both sides, the drafted notice, and what is undone first."""

from __future__ import annotations

import json

import pytest
from bodies import FULL
from caller import Caller
from scribe import FIRST_GIFT, Scribe
from typer.testing import CliRunner

from ledger import cli
from ledger.records.kind import Role

GOODS = FIRST_GIFT + 1
RICE = {"item": "rice", "site": "depot"}


@pytest.fixture
def scribe(service: Caller) -> Scribe:
    """Records in the served book without going through HTTP."""
    return Scribe(service.book)


def reverse(scribe: Scribe, entry: int, reason: str = "数量录入有误") -> int:
    return scribe.tell("entry.reversed", {"entry": entry, "reason": reason})


def test_a_reversal_and_its_replacement_side_by_side(service: Caller, scribe: Scribe) -> None:
    undone = reverse(scribe, GOODS)
    alone = service.value(f"/v1/entries/{undone}/correction")
    assert (alone["corrected"], alone["replacements"]) == (GOODS, [])
    assert "没有其他条目替代" in alone["notice"]["zh"]
    assert {one["new"] for one in alone["differences"]} == {None}
    anew = scribe.tell("donation.goods", {**RICE, "quantity": 21, "lot": "L1"}, day="2021-08-02")
    named = scribe.tell("entry.replaced", {"entry": GOODS, "by": anew})
    found = [service.value(f"/v1/entries/{one}/correction") for one in (GOODS, undone, anew, named)]
    assert all(one == found[0] for one in found)
    value = found[0]
    assert (value["correction"], value["replacements"]) == (undone, [anew])
    assert value["as_of"] == named + 1
    assert value["reason"] == "数量录入有误"
    changed = [one for one in value["differences"] if one["differs"]]
    assert {one["path"]: (one["old"], one["new"]) for one in changed} == {
        "fields.quantity": (4, 21),
        "fields.unit": ("箱", None),
        "postings.0.amount": (20, 21),
    }
    zh, en = value["notice"]["zh"], value["notice"]["en"]
    for text in (zh, en):
        assert all(f"#{one}" in text for one in (GOODS, undone, anew))
        assert "recorder-1" in text
        assert "approver-1" in text
        assert "＿＿" in text
    assert "数量：由“4”改为“21”" in zh
    assert "What was wrong: 数量录入有误" in en


def test_an_annotation_shows_the_field_before_and_after(service: Caller, scribe: Scribe) -> None:
    fields = {"entry": FIRST_GIFT, "field": "channel", "reason": "渠道登记有误"}
    first = scribe.tell("entry.annotated", {**fields, "correct": "wechat"})
    second = scribe.tell("entry.annotated", {**fields, "correct": "alipay"})
    values = [service.value(f"/v1/entries/{one}/correction") for one in (first, second)]
    assert [[(d["path"], d["old"], d["new"]) for d in one["differences"]] for one in values] == [
        [("fields.channel", "bank", "wechat")],
        [("fields.channel", "wechat", "alipay")],
    ]
    assert values[1]["other_corrections"] == [first]
    newest = service.value(f"/v1/entries/{FIRST_GIFT}/correction")
    assert newest["correction"] == second


def test_the_published_notice_is_attached(service: Caller, scribe: Scribe) -> None:
    undone = reverse(scribe, GOODS)
    document = {
        "sha256": "ab" * 32,
        "media_type": "application/pdf",
        "size_bytes": 1,
        "shows": "更正说明",
        "about": [GOODS],
        "notice_of": undone,
    }
    attached = scribe.tell("document.attached", document)
    value = service.value(f"/v1/entries/{undone}/correction")
    assert value["notices"] == [attached]
    assert f"#{attached}" in value["notice"]["en"]


def test_what_is_hidden_stays_hidden(service: Caller, scribe: Scribe) -> None:
    undone = reverse(scribe, GOODS, "涉及某人")
    scribe.tell("entry.hidden", {"entries": [undone], "legal_basis": "申请"})
    value = service.value(f"/v1/entries/{GOODS}/correction")
    assert (value["hidden"], value["differences"], value["reason"]) == ([undone], [], None)
    assert "涉及某人" not in json.dumps(value, ensure_ascii=False)
    page = service.get(f"/entries/{GOODS}/correction", headers={"accept-language": "zh"}).text
    assert "涉及某人" not in page


def test_who_is_uncorrected(service: Caller) -> None:
    for index, code in ((1, "no_correction"), (999, "no_entry")):
        answer = service.get(f"/v1/entries/{index}/correction")
        service.problem(answer, 404, code)
    assert service.get("/entries/1/correction").status_code == 200
    assert service.get("/entries/999/correction").status_code == 404


def test_the_refusal_lists_everything_in_the_order_to_undo_it(
    service: Caller, scribe: Scribe
) -> None:
    """A gift pays a purchase, the purchase's goods are moved, received, handed out."""
    scribe.tell("points.reversed", {"issue": FIRST_GIFT + 2, "reason": "x"})
    purchase = scribe.tell("purchase.made", FULL["purchase.made"]["fields"])
    trip = {"shipment": "trip-7", "item": "rice", "from_site": "depot", "to_site": "branch"}
    moved = scribe.tell("goods.moved", {**trip, "quantity": 3, "lot": "L1"})
    arrived = scribe.tell("goods.received", {"shipment": "trip-7", "quantity": 3, "site": "branch"})
    out = {"item": "rice", "quantity": 2, "site": "branch", "recipient_class": "family"}
    given = scribe.tell("goods.distributed", out)
    body = {
        "kind": "entry.reversed",
        "occurred_on": "2022-01-10",
        "fields": {"entry": GOODS, "reason": "登记有误"},
    }
    answer = service.post(body, approval=Role.APPROVER)
    problem = service.problem(answer, 409, "units_moved_on")
    details = problem["details"]
    assert details["entries"] == [moved]
    assert [one["entry"] for one in details["undo_first"]] == [given, arrived, moved]
    assert details["later_uses"] == f"/v1/entries/{GOODS}/later-uses"
    uses = service.value(details["later_uses"])
    assert [(one["entry"], one["of"]) for one in uses["undo_first"]] == [
        (given, [arrived]),
        (arrived, [moved]),
        (moved, [GOODS]),
    ]
    gift = service.value(f"/v1/entries/{FIRST_GIFT}/later-uses")
    assert [(one["entry"], one["why"]) for one in gift["undo_first"]] == [(purchase, ["units"])]
    page = service.get(f"/entries/{GOODS}/correction", headers={"accept-language": "en"}).text
    places = [page.index(f'<a href="/entries/{one}">') for one in (given, arrived, moved)]
    assert places == sorted(places)
    for one in (given, arrived, moved, GOODS):
        reverse(scribe, one)
    assert service.value(f"/v1/entries/{GOODS}/later-uses")["undo_first"] == []


def test_what_relies_on_a_gift_is_listed_with_how_to_undo_it(
    service: Caller, scribe: Scribe
) -> None:
    uses = service.value(f"/v1/entries/{FIRST_GIFT}/later-uses")["undo_first"]
    assert [(one["why"], one["undone_by"]) for one in uses] == [(["points"], "points.reversed")]
    body = {
        "kind": "entry.reversed",
        "occurred_on": "2022-01-10",
        "fields": {"entry": FIRST_GIFT, "reason": "登记有误"},
    }
    problem = service.problem(service.post(body, approval=Role.APPROVER), 422, "points_depend")
    assert problem["details"]["undo_first"][0]["entry"] == FIRST_GIFT + 2


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_pages_link_both_ways(service: Caller, scribe: Scribe, lang: str) -> None:
    undone = reverse(scribe, GOODS)
    anew = scribe.tell("donation.goods", {**RICE, "quantity": 21}, {"donor_name": "示例"})
    scribe.tell("entry.replaced", {"entry": GOODS, "by": anew})
    note = scribe.tell(
        "entry.annotated",
        {"entry": FIRST_GIFT, "field": "channel", "correct": "wechat", "reason": "有误"},
    )
    headers = {"accept-language": lang}
    links = {
        GOODS: (undone, anew),
        anew: (GOODS,),
        undone: (GOODS,),
        FIRST_GIFT: (note,),
        note: (FIRST_GIFT,),
    }
    for index, others in links.items():
        page = service.get(f"/entries/{index}", headers=headers).text
        assert f'href="/entries/{index}/correction"' in page
        assert all(f'href="/entries/{one}"' in page for one in others)
    page = service.get(f"/entries/{GOODS}/correction", headers=headers).text
    assert "<del>" in page
    assert "≠ " in page
    assert {"zh": "更正说明（草稿）", "en": "Correction notice (draft)"}[lang] in page
    assert "示例" not in page.split("<main", 1)[1].split('id="notice"')[0].replace("示例仓", "")


def test_only_what_can_be_reversed_shows_what_to_undo_first(
    service: Caller, scribe: Scribe
) -> None:
    served = scribe.tell("service.recorded", FULL["service.recorded"]["fields"])
    undone = reverse(scribe, GOODS)
    assert f'href="/entries/{served}/correction"' in service.get(f"/entries/{served}").text
    sections = {
        index: 'id="uses"' in service.get(f"/entries/{index}/correction").text
        for index in (served, FIRST_GIFT, GOODS, undone, 1)
    }
    # Reversed already, a reversal itself, a registration that holds nothing.
    expected = {served: True, FIRST_GIFT: True, GOODS: False, undone: False, 1: False}
    assert sections == expected


def test_the_command(service: Caller, scribe: Scribe) -> None:
    undone = reverse(scribe, GOODS)
    call = ["correction", str(GOODS), "--data", str(service.folder)]
    run = CliRunner()
    text = run.invoke(cli.build(), [*call, "--lang", "en"])
    assert text.exit_code == 0, text.output
    assert text.stdout == service.value(f"/v1/entries/{GOODS}/correction")["notice"]["en"]
    value = json.loads(run.invoke(cli.build(), [*call, "--json"]).stdout)
    assert value["correction"] == undone
    gift = ["correction", str(FIRST_GIFT), "--later-uses", "--data", str(service.folder)]
    assert f"#{FIRST_GIFT + 2}" in run.invoke(cli.build(), [*gift, "--lang", "zh"]).stdout
    uses = json.loads(run.invoke(cli.build(), [*gift, "--json"]).stdout)
    assert uses["undo_first"][0]["undone_by"] == "points.reversed"
