"""Tokens: made, found, listed, revoked, and kept as digests only."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from caller import Caller, gift

from api import auth
from api.auth import (
    FRESH_SECONDS,
    TOKENS_FILE,
    Person,
    Tokens,
    create_token,
    list_tokens,
    parse_role,
    revoke_token,
)
from ledger.errors import ConflictError, CorruptionError, MalformedError, NotFoundError
from ledger.records.kind import Role


def test_a_token_is_found_and_kept_as_a_digest(tmp_path: Path) -> None:
    token = create_token(tmp_path, "clerk-1", Role.CLERK)
    assert token.startswith("shanji_")
    assert len(token) > 40
    tokens = Tokens(tmp_path)
    assert tokens.find(token) == Person("clerk-1", Role.CLERK)
    assert tokens.find(token + "x") is None
    assert tokens.find(token[:-1]) is None
    assert tokens.find("") is None
    assert tokens.find("\udcff") is None
    file = tmp_path / TOKENS_FILE
    assert token not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_token_without_end_is_no_token(tmp_path: Path) -> None:
    token = create_token(tmp_path, "clerk-1", Role.CLERK)
    assert Tokens(tmp_path).find(token + " " * 10_000_000) is None


def test_no_file_means_no_tokens(tmp_path: Path) -> None:
    assert Tokens(tmp_path).find("shanji_x") is None
    assert list_tokens(tmp_path) == []


def test_two_tokens_are_never_alike(tmp_path: Path) -> None:
    made = {create_token(tmp_path, "clerk-1", Role.CLERK) for _ in range(20)}
    assert len(made) == 20
    assert len({grant.id for grant in list_tokens(tmp_path)}) == 20


def test_tokens_made_at_once_all_count(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda n: create_token(tmp_path, f"p-{n}", Role.SHOP), range(24)))
    tokens = Tokens(tmp_path)
    assert [tokens.find(one) for one in made] == [Person(f"p-{n}", Role.SHOP) for n in range(24)]


def test_a_new_token_works_at_once(service: Caller) -> None:
    token = create_token(service.folder, "clerk-9", Role.CLERK)
    headers = {"Authorization": f"bearer  {token} "}
    value = service.record(gift(), role=None, headers=headers)
    entry = service.value(f"/v1/entries/{value['index']}")["entry"]
    assert entry["recorded_by"] == "clerk-9"


def test_a_revoked_token_stops_working(tmp_path: Path) -> None:
    now = 1000.0
    token = create_token(tmp_path, "clerk-9", Role.CLERK)
    tokens = Tokens(tmp_path, clock=lambda: now)
    assert tokens.find(token) == Person("clerk-9", Role.CLERK)
    (grant,) = list_tokens(tmp_path)
    assert revoke_token(tmp_path, grant.id) == grant
    now += FRESH_SECONDS
    assert tokens.find(token) is None
    with pytest.raises(NotFoundError):
        revoke_token(tmp_path, grant.id)


def test_tokens_count_while_a_changed_file_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another thread may look its token up in that moment."""
    token = create_token(tmp_path, "clerk-1", Role.CLERK)
    tokens = Tokens(tmp_path, clock=lambda: 1000.0)
    assert tokens.find(token)
    other = create_token(tmp_path, "clerk-2", Role.CLERK)
    read, meanwhile = auth._read, []

    def slow(path: Path) -> list[auth.Grant]:
        meanwhile.append(tokens.find(token))
        return read(path)

    monkeypatch.setattr(auth, "_read", slow)
    assert tokens.find(other) == Person("clerk-2", Role.CLERK)
    assert meanwhile == [Person("clerk-1", Role.CLERK)]


@pytest.mark.parametrize("person", ["", "张三", "Clerk", "a b", "-a", "a" * 65, "system", "a\n"])
def test_what_is_no_persons_id_is_refused(tmp_path: Path, person: str) -> None:
    with pytest.raises(MalformedError):
        create_token(tmp_path, person, Role.CLERK)
    assert not (tmp_path / TOKENS_FILE).exists()


def test_a_role_has_its_name() -> None:
    assert [parse_role(role.value) for role in Role] == list(Role)
    with pytest.raises(MalformedError, match="registrar"):
        parse_role("boss")


def test_there_is_an_end_to_tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "TOKENS_MAX", 2)
    create_token(tmp_path, "a", Role.CLERK)
    create_token(tmp_path, "b", Role.CLERK)
    with pytest.raises(ConflictError):
        create_token(tmp_path, "c", Role.CLERK)
    assert len(list_tokens(tmp_path)) == 2


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "{}x",
        "7",
        '{"sha256": 1}',
        "[1]",
        "[{}]",
        '[{"sha256": "ab", "person": "a", "role": "clerk", "created_at": ""}]',
        f'[{{"sha256": "{"a" * 64}", "person": "A", "role": "clerk", "created_at": ""}}]',
        f'[{{"sha256": "{"a" * 64}", "person": "a", "role": "boss", "created_at": ""}}]',
        f'[{{"sha256": "{"a" * 64}", "person": 7, "role": "clerk", "created_at": ""}}]',
    ],
)
def test_a_damaged_file_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / TOKENS_FILE).write_text(text)
    with pytest.raises(CorruptionError):
        Tokens(tmp_path).find("x")
    with pytest.raises(CorruptionError):
        create_token(tmp_path, "a", Role.CLERK)
    assert (tmp_path / TOKENS_FILE).read_text() == text


def test_a_damaged_file_is_a_fault_and_lets_nobody_in(service: Caller) -> None:
    (service.folder / TOKENS_FILE).write_text("[1]")
    service.problem(service.post(gift()), 500, "tokens_file")
