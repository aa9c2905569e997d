"""The service's settings: a flag over the environment over a TOML file.

An environment variable is ``SHANJI_`` and the setting's name in capitals
(``SHANJI_PORT``); the file is the one that ``--config`` or ``SHANJI_CONFIG`` names, or
``shanji.toml`` in the working folder where there is one. Secrets are no settings: keys
and tokens are files (``ledger.keys``, ``auth``), a passphrase is in a file or typed.
"""

from __future__ import annotations

import os
import tomllib
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from ledger.errors import MalformedError, NotFoundError
from ledger.inspection.inspector import AUDIT_SECONDS, ROWS_PER_SECOND
from ledger.keys.access import KeyAccess, default_access
from ledger.sequencer import QUEUE_MAX

ENVIRONMENT_PREFIX = "SHANJI_"
CONFIG_VARIABLE = "SHANJI_CONFIG"
CONFIG_FILE = Path("shanji.toml")
PUBLIC_URL_PATTERN = r"^https?://[A-Za-z0-9.\[\]:-]{1,120}/?$"
"""Host and port only, short enough for a small QR code; pages are at the root of a site."""


class Settings(BaseSettings):
    """What an operator may choose; each has a default that suits one machine."""

    model_config = SettingsConfigDict(
        env_prefix=ENVIRONMENT_PREFIX, frozen=True, extra="forbid", validate_default=True
    )

    host: str = Field(
        "127.0.0.1",
        min_length=1,
        max_length=255,
        description="The address to listen on; the default is reached from this machine only.",
    )
    port: int = Field(
        8000, ge=0, le=65535, description="The TCP port to listen on; 0 takes a free one."
    )
    data: Path = Field(
        Path("var"), description="The data folder: the log's database, its keys, the tokens."
    )
    database: str | None = Field(
        None,
        min_length=1,
        max_length=2048,
        repr=False,
        description="The log's database, like postgresql://user@host/name; without it, what the "
        "data folder says (`database.url`), and else a file in the data folder.",
    )
    keys: Path | None = Field(
        None, description="The folder of the keys, where it is not `keys` in the data folder."
    )
    passphrase_file: Path | None = Field(
        None, description="The file with the passphrase of encrypted keys."
    )
    origin: str | None = Field(
        None,
        max_length=200,
        description="The log's name for ever, like ledger.example.org/main; for the first start.",
    )
    organisation: str | None = Field(
        None, max_length=120, description="Whose log it is; for the first start."
    )
    public_url: str | None = Field(
        None,
        pattern=PUBLIC_URL_PATTERN,
        description="Where people reach the pages, like https://ledger.example.org: it stands in "
        "the QR codes of receipts. Without it, the address that a request came to.",
    )
    workers: int = Field(
        1,
        ge=1,
        le=64,
        description="Processes that serve the port, each with a writer of its own; the first one "
        "inspects what is stored.",
    )
    queue_max: int = Field(
        QUEUE_MAX,
        ge=1,
        le=1_000_000,
        description="Records that may wait to be written; one more is answered with 429.",
    )
    connections_max: int = Field(
        1000,
        ge=1,
        le=100_000,
        description="Connections and requests at once; one more is answered with 503.",
    )
    keep_alive_seconds: int = Field(
        5, ge=1, le=3600, description="How long an idle connection is kept open."
    )
    shutdown_seconds: int = Field(
        30, ge=1, le=3600, description="How long a stop waits for requests that are under way."
    )
    access_log: bool = Field(
        False, description="Whether each request is logged: method, path without query, status."
    )
    policy: Path | None = Field(
        None,
        description="A trust policy (c2sp.org/tlog-policy): the witnesses that are asked to "
        "cosign each checkpoint, and the quorum that settles a receipt.",
    )
    require_witnesses: int = Field(
        0,
        ge=0,
        le=50,
        description="How many of the policy's witnesses must have cosigned before a record is "
        "answered; 0 never waits.",
    )
    witness_seconds_max: int = Field(
        10,
        ge=1,
        le=300,
        description="How long an answer waits for the required witnesses; then 503, and the "
        "same Idempotency-Key gives the receipt later.",
    )
    inspection_rows_per_second: int = Field(
        ROWS_PER_SECOND,
        ge=0,
        le=1_000_000,
        description="How many stored rows the rolling inspection compares in a second; 0 never "
        "inspects.",
    )
    inspection_audit_seconds: int = Field(
        AUDIT_SECONDS,
        ge=0,
        le=31_536_000,
        description="From one whole audit in the background to the next, in a process of the "
        "lowest priority; the first within ten minutes of the start; 0 does without.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "warning", description="The least severe messages that the server logs, on stderr."
    )

    @cached_property
    def key_access(self) -> KeyAccess:
        """Where the keys are and what opens them; a person is asked once."""
        asked = default_access()
        return KeyAccess(self.keys, self.passphrase_file, asked.prompt)

    def __reduce__(self) -> tuple[Any, ...]:
        """For another process: these values, and what a person typed; nothing is read again."""
        return _rebuilt, (self.model_dump(), self.key_access)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags, then the environment, then the TOML file; nothing else is read."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def _rebuilt(values: dict[str, Any], access: KeyAccess) -> Settings:
    made = Settings.model_construct(**values)
    made.__dict__["key_access"] = access
    return made


def load_settings(config: Path | None = None, **flags: Any) -> Settings:
    """Read the settings from all their sources.

    Args:
        config: The TOML file; None for ``SHANJI_CONFIG`` or ``shanji.toml``, if any.
        flags: Settings from the command line; None for those that were not given.

    Raises:
        NotFoundError: the file that was named is not there.
        MalformedError: it is no TOML, or a value is not what its setting may be.
    """
    if config is None and CONFIG_VARIABLE in os.environ:
        config = Path(os.environ[CONFIG_VARIABLE])
    if config is not None and not config.is_file():
        raise NotFoundError(f"{config}: there is no such settings file; name another, or none")
    path = config or CONFIG_FILE

    class Sourced(Settings):
        model_config = SettingsConfigDict(toml_file=path)

    try:
        return Sourced(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        raise MalformedError(
            f"setting {name}: {first['msg']}; it comes from a flag, from the environment "
            f"({ENVIRONMENT_PREFIX}{name.upper()}) or from {path}",
            code="invalid_setting",
            field=name,
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MalformedError(f"{path}: expected TOML: {error}", code="invalid_setting") from None
