"""Where a data folder's database is, and what of it people see."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from ledger.errors import MalformedError
from ledger.store import place
from ledger.store.place import (
    DATABASE,
    DATABASE_VARIABLE,
    URL_BYTES_MAX,
    URL_FILE,
    own_place,
    place_of,
    shown,
    write_url,
)

pytestmark = pytest.mark.sqlite("which file or URL a folder names")
URL = "postgresql://writer:secret@db-1,db-2/shanji?target_session_attrs=read-write"


def test_what_is_asked_for_goes_before_the_environment_and_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(DATABASE_VARIABLE, raising=False)
    assert place_of(tmp_path) == own_place(tmp_path) == str(tmp_path / DATABASE)
    write_url(tmp_path, URL)
    assert place_of(tmp_path) == URL
    monkeypatch.setenv(DATABASE_VARIABLE, "postgres://other/log")
    assert place_of(tmp_path) == "postgres://other/log"
    assert place_of(tmp_path, "sqlite:///a/b.sqlite3") == "sqlite:///a/b.sqlite3"
    assert own_place(tmp_path) == URL


def test_the_url_is_for_its_owner_only_and_is_replaced_whole(tmp_path: Path) -> None:
    write_url(tmp_path, "postgresql://a/b")
    write_url(tmp_path, URL)
    assert [one.name for one in tmp_path.iterdir()] == [URL_FILE]
    assert stat.S_IMODE((tmp_path / URL_FILE).stat().st_mode) == place.FILE_MODE


@pytest.mark.parametrize("data", [b"", b"a\nb\n", b"\xff", b"a" * (URL_BYTES_MAX + 1)])
def test_a_file_that_names_no_database(tmp_path: Path, data: bytes) -> None:
    (tmp_path / URL_FILE).write_bytes(data)
    with pytest.raises(MalformedError):
        place_of(tmp_path)


def test_another_kind_of_database_is_refused_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(MalformedError, match=r"mysql://u:\*\*\*@h/n"):
        place_of(tmp_path, "mysql://u:secret@h/n")


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        (URL, URL.replace("secret", "***")),
        ("postgresql://u@h/n?password=a%26b&x=1", "postgresql://u@h/n?password=***&x=1"),
        ("postgresql://h/n?sslpassword=secret", "postgresql://h/n?sslpassword=***"),
        ("postgresql://[::1]:5432/n", "postgresql://[::1]:5432/n"),
        ("postgresql://h:5432/n", "postgresql://h:5432/n"),
        ("var/ledger.sqlite3", "var/ledger.sqlite3"),
    ],
)
def test_people_see_no_password(url: str, wanted: str) -> None:
    assert shown(url) == wanted
