"""GET /v1/attention, and an auditor's disposition through the service."""

from __future__ import annotations

from caller import Caller

from ledger.records.kind import Role


def rule(service: Caller) -> None:
    fields = {
        "code": "disclose",
        "version": 1,
        "name": "项目进展公开",
        "text": "每三个月公开一次。",
        "in_force_from": "2021-01-02",
        "topic": "disclosure",
        "disclosure": {"subject": "project_progress", "every_days": 92},
    }
    body = {"kind": "rule.published", "occurred_on": "2022-01-01", "fields": fields}
    service.record(body, role=Role.REGISTRAR)


def test_what_is_overdue_is_listed_and_disposed_of(service: Caller) -> None:
    assert service.value("/v1/attention")["items"] == []
    rule(service)
    value = service.value("/v1/attention?as_of=2021-12-31")
    assert (value["day"], value["as_of"]) == ("2021-12-31", service.book.head().size)
    assert (value["open"], value["truncated"]) == (2, False)
    item = value["items"][0]
    assert (item["code"], item["title_zh"]) == ("project_report_overdue", "项目进展公开已逾期")
    body = {
        "kind": "attention.disposed",
        "occurred_on": "2022-01-10",
        "fields": {
            "flag": item["code"],
            "entries": item["entries"],
            "decision": "to_be_corrected",
            "reason": "已通知补报",
        },
    }
    service.problem(service.post(body, role=Role.CLERK), 403, "recorder_role")
    entry = service.record(body, role=Role.AUDITOR)["index"]
    value = service.value("/v1/attention?as_of=2021-12-31")
    assert value["open"] == 1
    assert value["items"][-1]["disposition"]["entry"] == entry
    assert value["items"][-1]["disposition"]["by"] == "auditor-1"


def test_the_list_is_read_page_by_page(service: Caller) -> None:
    rule(service)
    whole = service.value("/v1/attention?as_of=2021-12-31")
    assert "next" not in whole
    page = service.value("/v1/attention?as_of=2021-12-31&limit=1")
    assert (page["open"], page["items"]) == (2, whole["items"][:1])
    # What is recorded or decided meanwhile shifts nothing.
    first = whole["items"][0]
    decision = {"flag": first["code"], "entries": first["entries"], "decision": "in_order"}
    body = {"kind": "attention.disposed", "occurred_on": "2022-01-10"}
    service.record({**body, "fields": {**decision, "reason": "已核对"}}, role=Role.AUDITOR)
    following = service.value(page["next"])
    assert (following["as_of"], following["open"]) == (whole["as_of"], 1)
    assert following["items"] == whole["items"][1:]
    # It comes again at the end, as what it is now.
    (last,) = service.value(following["next"])["items"]
    assert (last["entries"], last["disposition"]["decision"]) == (first["entries"], "in_order")
    changed = service.get("/v1/attention?as_of=2021-12-31&after=1.0.0")
    service.problem(changed, 409, "list_changed")
    assert service.get("/v1/attention?after=1").status_code == 400


def test_a_day_is_a_day(untouched: Caller) -> None:
    for text in ("soon", "2021-02-30", "2021-12-31T00:00"):
        answer = untouched.get(f"/v1/attention?as_of={text}")
        assert answer.status_code == 400
    assert len(untouched.value("/v1/attention")["day"]) == 10
