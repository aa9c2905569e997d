"""Signing in and out, and what protects forms."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

import pytest
from browser import Page
from caller import Caller
from clerk import Clerk, form_values

from api import sessions
from api.auth import list_tokens, revoke_token
from api.sessions import (
    ABSOLUTE_SECONDS,
    ATTEMPT_SECONDS,
    ATTEMPTS_MAX,
    COOKIE,
    ENDED_FILE,
    IDLE_SECONDS,
    KEY_FILE,
    REFRESH_SECONDS,
    Sessions,
    own_path,
)
from ledger.records.kind import Role


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(untouched: Caller) -> Iterator[Clock]:
    """The sessions of the shared service, on a clock of the test's own."""
    clock, state = Clock(), untouched.app.state
    before = state.sessions
    state.sessions = Sessions(untouched.folder, state.tokens, clock)
    yield clock
    state.sessions = before


def is_in(person: Clerk) -> bool:
    return person.request("GET", "/staff").status_code == 200


def test_without_a_session_every_page_leads_to_the_sign_in(untouched: Caller) -> None:
    person = Clerk(untouched)
    answer = person.request("GET", "/staff/record?x=1&y=2")
    assert answer.status_code in (303, 404)
    answer = person.request("GET", "/staff")
    assert answer.headers["location"] == "/staff/sign-in"
    answer = person.send("/staff/sign-out", {})
    assert answer.headers["location"] == "/staff/sign-in?over=1"
    assert "没有登记" in person.get("/staff/sign-in?over=1").html


def test_a_person_signs_in_and_out(untouched: Caller) -> None:
    person = Clerk(untouched)
    token = untouched.tokens[Role.CLERK]
    answer = person.sign_in(token)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/staff"
    line = next(one for one in answer.headers.get_list("set-cookie") if one.startswith(COOKIE))
    assert "HttpOnly" in line
    assert "SameSite=strict" in line
    assert "Secure" not in line
    page = person.get("/staff")
    assert "clerk-1（经办）" in page.html
    assert token not in page.html
    assert token[len("shanji_") :] not in line
    copy = dict(person.cookies)
    answer = person.submit(page, action="/staff/sign-out")
    assert answer.headers["location"] == "/staff/sign-in"
    assert COOKIE not in person.cookies
    assert not is_in(person)
    # A copy of the cookie, kept from before, opens nothing either.
    person.cookies = copy
    assert not is_in(person)
    assert stat.S_IMODE((untouched.folder / ENDED_FILE).stat().st_mode) == 0o600


def test_who_is_signed_in_need_not_sign_in(untouched: Caller) -> None:
    person = Clerk(untouched, Role.CLERK)
    answer = person.request("GET", "/staff/sign-in?next=/staff/proposals")
    assert answer.headers["location"] == "/staff/proposals"


def test_on_https_the_cookie_is_secure(untouched: Caller) -> None:
    person = Clerk(untouched)
    page = person.get("/staff/sign-in")
    fields = {
        **form_values(page, "/staff/sign-in"),
        "token": untouched.tokens[Role.SHOP],
    }
    answer = person.send("/staff/sign-in", fields, x_forwarded_proto="https")
    assert all("Secure" in one for one in answer.headers.get_list("set-cookie"))


def test_a_wrong_token_is_told_and_never_shown(untouched: Caller) -> None:
    person = Clerk(untouched)
    page = person.shown(person.sign_in("shanji_wrong-token"), 403)
    assert "没有这个令牌" in page.html
    assert "shanji_wrong-token" not in page.html
    assert COOKIE not in person.cookies


def test_a_revoked_token_ends_its_sessions(service: Caller) -> None:
    person = Clerk(service, Role.CLERK)
    other = Clerk(service, Role.APPROVER)
    assert is_in(person)
    grant = next(one for one in list_tokens(service.folder) if one.person.role is Role.CLERK)
    revoke_token(service.folder, grant.id)
    service.app.state.tokens._fresh_until = 0.0
    assert not is_in(person)
    assert is_in(other)


def test_a_session_ends_when_nobody_uses_it(untouched: Caller, clock: Clock) -> None:
    person = Clerk(untouched, Role.CLERK)
    clock.now += IDLE_SECONDS - 1
    assert is_in(person)
    clock.now += IDLE_SECONDS - 1
    assert is_in(person)
    clock.now += IDLE_SECONDS + 1
    assert not is_in(person)


def test_a_session_ends_after_a_day_of_work(untouched: Caller, clock: Clock) -> None:
    person = Clerk(untouched, Role.CLERK)
    began = clock.now
    while clock.now + IDLE_SECONDS - 1 <= began + ABSOLUTE_SECONDS:
        clock.now += IDLE_SECONDS - 1
        assert is_in(person)
    clock.now = began + ABSOLUTE_SECONDS + 1
    assert not is_in(person)


def test_the_cookie_is_written_anew_now_and_then(untouched: Caller, clock: Clock) -> None:
    person = Clerk(untouched, Role.CLERK)
    person.get("/staff")
    assert not person.last.headers.get_list("set-cookie")
    clock.now += REFRESH_SECONDS
    person.get("/staff")
    assert person.last.headers.get_list("set-cookie")


def test_a_changed_cookie_is_none(untouched: Caller) -> None:
    person = Clerk(untouched, Role.CLERK)
    good = person.cookies[COOKIE]
    for bad in (good[:-1], good[1:], "A" + good, good.replace(".", ""), "", "x" * 5000):
        person.cookies[COOKIE] = bad
        assert not is_in(person)


def test_another_key_knows_no_session(untouched: Caller, tmp_path: Path) -> None:
    person = Clerk(untouched, Role.CLERK)
    before = untouched.app.state.sessions
    untouched.app.state.sessions = Sessions(tmp_path, untouched.app.state.tokens)
    try:
        assert not is_in(person)
    finally:
        untouched.app.state.sessions = before
    assert is_in(person)
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600


def test_the_key_is_made_once_by_whoever_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one process writes it, another needs it too."""
    path, sync = tmp_path / KEY_FILE, os.fsync
    others: list[Future[bytes]] = []

    def meanwhile(handle: int) -> None:
        if not others:
            others.append(threads.submit(sessions._read_key, path))
            # It would be done long before, or waits until this one is.
            wait(others, 0.2)
        sync(handle)

    monkeypatch.setattr(os, "fsync", meanwhile)
    with ThreadPoolExecutor(1) as threads:
        key = sessions._read_key(path)
        assert others[0].result(60) == key


def test_two_processes_share_key_and_sign_outs(untouched: Caller) -> None:
    person = Clerk(untouched, Role.CLERK)
    state = untouched.app.state
    first, second = state.sessions, Sessions(untouched.folder, state.tokens)
    state.sessions = second
    try:
        assert is_in(person)
        copy = dict(person.cookies)
        person.submit(person.get("/staff"), action="/staff/sign-out")
        state.sessions = first
        person.cookies = copy
        assert not is_in(person)
    finally:
        state.sessions = first


def _signed_out_form(untouched: Caller) -> tuple[Clerk, Page]:
    person = Clerk(untouched, Role.CLERK)
    return person, person.get("/staff")


@pytest.mark.parametrize("csrf", ["", "wrong", None])
def test_a_form_needs_its_csrf_token(untouched: Caller, csrf: str | None) -> None:
    person, _ = _signed_out_form(untouched)
    fields = {} if csrf is None else {"csrf": csrf}
    person.shown(person.send("/staff/sign-out", fields), 403)
    assert is_in(person)


def test_the_csrf_token_of_another_session_is_wrong(untouched: Caller) -> None:
    person, _ = _signed_out_form(untouched)
    other = Clerk(untouched, Role.CLERK)
    fields = form_values(other.get("/staff"), "/staff/sign-out")
    person.shown(person.send("/staff/sign-out", fields), 403)
    assert is_in(person)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.test"},
        {"origin": "null"},
        {"origin": "http://shanji.test.evil.test"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
    ],
)
def test_a_form_from_another_site_is_refused(untouched: Caller, headers: dict[str, str]) -> None:
    person, page = _signed_out_form(untouched)
    fields = form_values(page, "/staff/sign-out")
    person.shown(person.send("/staff/sign-out", fields, **headers), 403)
    assert is_in(person)


def test_the_sign_in_form_is_bound_to_its_browser(untouched: Caller) -> None:
    fields = form_values(Clerk(untouched).get("/staff/sign-in"), "/staff/sign-in")
    fields["token"] = untouched.tokens[Role.CLERK]
    person = Clerk(untouched)
    person.get("/staff/sign-in")
    person.shown(person.send("/staff/sign-in", fields), 403)
    assert COOKIE not in person.cookies


def test_what_is_no_form_is_refused(untouched: Caller) -> None:
    person, page = _signed_out_form(untouched)
    body = b"csrf=" + form_values(page, "/staff/sign-out")["csrf"].encode()
    for content, media_type, status in (
        (body, "text/plain", 400),
        (body + b"&x=%ff", "application/x-www-form-urlencoded", 400),
        (body + b"&a" * 7000, "application/x-www-form-urlencoded", 400),
        (body + b"&a=" + b"x" * 600_000, "application/x-www-form-urlencoded", 413),
    ):
        answer = person.request(
            "POST", "/staff/sign-out", {"content-type": media_type}, content=content
        )
        assert answer.status_code == status
    assert is_in(person)


def test_failed_sign_ins_are_limited(untouched: Caller, clock: Clock) -> None:
    person = Clerk(untouched)
    for _ in range(ATTEMPTS_MAX):
        person.shown(person.sign_in("shanji_guess"), 403)
    answer = person.sign_in(untouched.tokens[Role.CLERK])
    assert person.shown(answer, 429)
    assert 0 < int(answer.headers["retry-after"]) <= ATTEMPT_SECONDS + 1
    clock.now += ATTEMPT_SECONDS + 1
    assert person.sign_in(untouched.tokens[Role.CLERK]).status_code == 303


def test_addresses_that_failed_are_bounded(
    untouched: Caller, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "ADDRESSES_MAX", 3)
    attempts = untouched.app.state.sessions.attempts

    class From:
        def __init__(self, host: str) -> None:
            self.client = type("Client", (), {"host": host})()

    for number in range(10):
        attempts.failed(From(f"10.0.0.{number}"))
    attempts.failed(From("2001:db8::1"))
    attempts.failed(From("2001:db8::2"))
    assert list(attempts._failed) == ["10.0.0.8", "10.0.0.9", "2001:db8::/64"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "//evil.test",
        "/\\evil.test",
        "\\\\evil.test",
        "https://evil.test/",
        "javascript:alert(1)",
        "/staff\r\nx: y",
        "/staff/sign-in?next=/x",
        "/" + "a" * 600,
        "staff",
        "/路",
    ],
)
def test_the_sign_in_leads_to_no_other_site(text: str) -> None:
    assert own_path(text) == "/staff"


def test_the_sign_in_leads_back(untouched: Caller) -> None:
    assert own_path("/staff/record/aid.paid?like=3") == "/staff/record/aid.paid?like=3"
    person = Clerk(untouched)
    page = person.get("/staff/sign-in?next=/entries/3?lang=en%26x=1")
    answer = person.submit(page, {"token": untouched.tokens[Role.AUDITOR]}, action="/staff/sign-in")
    assert answer.headers["location"] == "/entries/3?lang=en&x=1"
