"""Settings: a flag over the environment over the file, each documented."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.settings import Settings, load_settings
from ledger.errors import MalformedError, NotFoundError


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings of the machine that runs the tests."""
    monkeypatch.chdir(tmp_path)
    for name in (*Settings.model_fields, "config"):
        monkeypatch.delenv(f"SHANJI_{name.upper()}", raising=False)


def test_each_setting_is_documented() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name


def test_the_defaults_stay_on_this_machine() -> None:
    settings = load_settings()
    assert (settings.host, settings.port, settings.data) == ("127.0.0.1", 8000, Path("var"))


def test_a_flag_is_over_the_environment_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.toml").write_text('port = 1\nhost = "10.0.0.1"\norigin = "a.example"\n')
    monkeypatch.setenv("SHANJI_PORT", "2")
    monkeypatch.setenv("SHANJI_HOST", "10.0.0.2")
    settings = load_settings(Path("mine.toml"), port=3, host=None)
    assert (settings.port, settings.host, settings.origin) == (3, "10.0.0.2", "a.example")


def test_the_file_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shanji.toml").write_text("port = 1\n")
    (tmp_path / "other.toml").write_text("port = 2\n")
    assert load_settings().port == 1
    monkeypatch.setenv("SHANJI_CONFIG", "other.toml")
    assert load_settings().port == 2
    assert load_settings(Path("shanji.toml")).port == 1


def test_a_file_that_is_named_must_be_there() -> None:
    with pytest.raises(NotFoundError, match=r"missing\.toml"):
        load_settings(Path("missing.toml"))


@pytest.mark.parametrize("text", ["port = ", "prot = 1", 'port = "x"', "port = 70000", "\udcff"])
def test_a_wrong_file_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "shanji.toml").write_text(text, "utf-8", errors="surrogateescape")
    with pytest.raises(MalformedError, match=r"shanji\.toml"):
        load_settings()


def test_a_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHANJI_QUEUE_MAX", "0")
    with pytest.raises(MalformedError, match="SHANJI_QUEUE_MAX"):
        load_settings()
