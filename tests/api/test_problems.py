"""What goes wrong is a problem (RFC 9457) that tells enough and never too much."""

from __future__ import annotations

import inspect
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from caller import Caller, check_problem, gift
from starlette.exceptions import HTTPException
from starlette.requests import Request

import ledger.errors
from api import problems
from api.answers import Json
from api.edge import AnswerBrokenError, Edge
from api.metrics import Counters
from api.problems import problem_of
from ledger.errors import CorruptionError, FatalError, LedgerError, MalformedError, NotFoundError
from ledger.records.kind import Role

SECRET = "示例捐赠人 13800000000"


def every_error() -> Iterator[type[LedgerError]]:
    for _, found in inspect.getmembers(ledger.errors, inspect.isclass):
        if issubclass(found, LedgerError):
            yield found


@pytest.mark.parametrize("kind", sorted(every_error(), key=repr))
def test_every_error_has_its_problem(kind: type[LedgerError]) -> None:
    error = kind("what was expected, what came", field="a.b", details={"n": 1})
    problem = problem_of(error, "/here")
    value = problem.as_json()
    check_problem(value, problem.status)
    assert 400 <= problem.status < 600
    assert value["code"] == kind.default_code
    retryable = issubclass(kind, ledger.errors.RetryableError | ledger.errors.OutcomeUnknownError)
    assert ("retry-after" in problem.headers()) == retryable
    if issubclass(kind, FatalError):
        assert value["instance"].startswith("urn:uuid:")
        assert "what came" not in json.dumps(value)
    else:
        assert value["instance"] == "/here"
        assert value["detail"] == error.message
        assert value["errors"] == [
            {"field": "a.b", "code": kind.default_code, "message": error.message}
        ]
        assert value["details"] == {"n": 1}


def test_many_wrong_fields_are_a_list() -> None:
    errors = [{"field": f"f{n}", "code": "missing", "message": "is missing"} for n in range(3)]
    problem = problem_of(
        MalformedError("m", code="invalid_record", details={"errors": errors}), "/"
    )
    value = problem.as_json()
    assert value["errors"] == errors
    assert "details" not in value
    assert value["status"] == 422


def test_what_only_the_operator_may_read_is_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    problem = problem_of(CorruptionError("row 7 of /data/ledger"), "/here")
    assert "/data/ledger" not in json.dumps(problem.as_json())
    assert "row 7 of /data/ledger" in caplog.text
    assert problem.instance in caplog.text


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing/here", 404, "no_such_path"),
        ("GET", "/v1", 404, "no_such_path"),
        ("GET", "/v1/entries/", 404, "no_such_path"),
        ("GET", "/redoc", 404, "no_such_path"),
        ("DELETE", "/v1/entries/1", 405, "method_not_allowed"),
        ("PUT", "/v1/entries", 405, "method_not_allowed"),
        ("POST", "/checkpoint", 405, "method_not_allowed"),
        ("BREW", "/v1/log", 405, "method_not_allowed"),
    ],
)
def test_paths_and_methods_that_are_not_there(
    untouched: Caller, method: str, path: str, status: int, code: str
) -> None:
    answer = untouched.call(method, path)
    problem = untouched.problem(answer, status, code)
    assert problem["instance"] == path
    if status == 405:
        assert answer.headers["allow"]


def test_a_person_gets_a_page(untouched: Caller) -> None:
    transported = untouched.portal.call(
        untouched._call, "GET", "/nothing", {"Accept": "text/html,*/*;q=0.8"}, {}
    )
    assert transported.status_code == 404
    assert transported.headers["content-type"].startswith("text/html")
    assert "没有此路径" in transported.text
    answer = untouched.get("/v1/nothing", headers={"Accept": "text/html"})
    untouched.problem(answer, 404, "no_such_path")


def test_what_the_framework_refuses_is_a_problem_too(untouched: Caller) -> None:
    request = Request({**scope_of(), "app": untouched.app})
    error = HTTPException(418, "no coffee here", {"x-short": "stout"})
    answer = untouched.portal.call(problems._on_http_error, request, error)
    assert (answer.status_code, answer.headers["x-short"]) == (418, "stout")
    value = json.loads(answer.body)
    check_problem(value, 418)
    assert (value["code"], value["detail"]) == ("request_refused", "no coffee here")


def test_a_page_that_fails_does_not_hide_the_problem(
    untouched: Caller, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> Any:
        raise ValueError(SECRET)

    # Not `setattr`: what the state looks up by name, pytest would take away at the end.
    monkeypatch.setitem(untouched.app.state._state, "render_error", fail)
    answer = untouched.get("/nothing", headers={"Accept": "text/html"})
    untouched.problem(answer, 404, "no_such_path")
    assert "ValueError in fail" in caplog.text
    assert SECRET not in caplog.text


def test_a_fault_of_ours_tells_nothing_of_what_it_met(
    untouched: Caller, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> Any:
        raise ValueError(SECRET)

    monkeypatch.setattr(untouched.book, "head", fail)
    answer = untouched.get("/v1/log")
    problem = untouched.problem(answer, 500, "internal_error")
    assert SECRET not in answer.text
    assert SECRET not in caplog.text
    assert problem["instance"] in caplog.text
    # Where it was is told: the route and the place.
    assert "ValueError in fail" in caplog.text
    assert "snapshot_log (log.py:" in caplog.text


def test_a_fault_in_recording_is_a_problem_too(
    untouched: Caller, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise RuntimeError(SECRET)

    monkeypatch.setattr("api.routes.entries.prepare", fail)
    untouched.problem(untouched.post(gift(donor_name=SECRET)), 500, "internal_error")
    assert SECRET not in caplog.text


def test_no_log_line_has_a_token_a_seed_or_a_personal_field(
    service: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    value = service.record(gift(donor_name=SECRET))
    opening = service.value(f"/v1/entries/{value['index']}/opening", role=Role.AUDITOR)
    service.get(f"/v1/entries/{value['index']}/receipt", seed=opening["seed"])
    service.post(gift(-1, donor_name=SECRET))
    for secret in (SECRET, opening["seed"], *service.tokens.values()):
        assert secret not in caplog.text


# The outermost layer, alone


async def _nothing() -> Any:
    return {"type": "http.request", "body": b"", "more_body": False}


def scope_of(method: str = "GET", raw_path: bytes = b"/x", **more: Any) -> dict[str, Any]:
    return {
        "type": "http",
        "method": method,
        "path": "/x",
        "raw_path": raw_path,
        "query_string": b"seed=SECRET",
        "headers": [],
        **more,
    }


def run_edge(service: Caller, app: Any, scope: dict[str, Any]) -> tuple[list[Any], Counters]:
    sent: list[Any] = []
    counters = Counters()

    async def send(message: Any) -> None:
        sent.append(message)

    async def run() -> None:
        edge = Edge(app, counters, log_access=True)
        await edge({**scope, "app": service.app}, _nothing, send)

    service.portal.call(run)
    return sent, counters


def test_the_access_log_has_no_query_and_no_forged_line(
    untouched: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="shanji.access")
    sent, counters = run_edge(untouched, Json({}), scope_of(raw_path=b"/x%0a2026 forged"))
    assert sent[0]["status"] == 200
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("GET /x%0a2026 forged 200 ")
    assert counters.requests == {("GET", 200): 1}


def test_methods_that_a_client_invents_are_counted_together(untouched: Caller) -> None:
    _, counters = run_edge(untouched, Json({}), scope_of("X" * 50))
    assert counters.requests == {("other", 200): 1}


def test_an_answer_that_breaks_off_is_not_finished(untouched: Caller) -> None:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ValueError(SECRET)

    with pytest.raises(AnswerBrokenError) as caught:
        run_edge(untouched, broken, scope_of())
    assert SECRET not in str(caught.value)
    assert caught.value.__suppress_context__


def test_what_is_not_http_passes(untouched: Caller) -> None:
    seen = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    run_edge(untouched, inner, {"type": "lifespan"})
    assert seen == ["lifespan"]


def test_a_client_that_left_while_sending_is_no_fault(
    untouched: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    async def leave() -> Any:
        return {"type": "http.disconnect"}

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    token = untouched.tokens[Role.CLERK].encode()
    headers = [(b"authorization", b"Bearer " + token), (b"idempotency-key", b"left")]
    scope = {
        **scope_of("POST"),
        "path": "/v1/entries",
        "headers": headers,
        "http_version": "1.1",
        "server": ("test", 80),
        "scheme": "http",
    }
    untouched.portal.call(untouched.app, scope, leave, send)
    assert sent == []
    assert "urn:uuid" not in caplog.text


def test_not_found_errors_keep_their_own_code() -> None:
    assert problem_of(NotFoundError("x", code="no_entry"), "/").code == "no_entry"
