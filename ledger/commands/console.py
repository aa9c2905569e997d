"""What every command shares with the terminal: files in, words out."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, Protocol

import typer

from ledger.errors import MalformedError, NotFoundError

Lang = Annotated[
    Literal["zh", "en"] | None,
    typer.Option("--lang", help="The language of sentences; by default that of the terminal."),
]
Data = Annotated[
    Path,
    typer.Option("--data", envvar="SHANJI_DATA", help="The data folder of the log."),
]
DATA_DEFAULT = Path("var")


def default_language() -> Literal["zh", "en"]:
    """English where the terminal's locale is English, otherwise Chinese."""
    locale = os.environ.get("LC_ALL") or os.environ.get("LANG") or ""
    return "en" if locale.startswith("en") else "zh"


def read_file(name: str, bytes_max: int) -> bytes:
    """The bytes of a file, or of stdin for ``-``.

    Raises:
        NotFoundError: no such file, or it cannot be read.
        MalformedError: it is larger than `bytes_max`.
    """
    try:
        if name == "-":
            data = sys.stdin.buffer.read(bytes_max + 1)
        else:
            with Path(name).open("rb") as file:
                data = file.read(bytes_max + 1)
    except OSError as error:
        raise NotFoundError(f"{name} cannot be read: {error.strerror}") from None
    if len(data) > bytes_max:
        raise MalformedError(f"{name}: expected at most {bytes_max} bytes")
    return data


def write_file(path: Path, data: bytes) -> None:
    """Write a file.

    Raises:
        NotFoundError: there is no such folder, or it cannot be written.
    """
    try:
        path.write_bytes(data)
    except OSError as error:
        raise NotFoundError(f"{path} cannot be written: {error.strerror}") from None


def say(text: str) -> None:
    """Tell a person something, on stderr."""
    sys.stderr.write(text + "\n")


class Parts(Protocol):
    """A list's layout: what its columns may hold."""

    @property
    def aliases(self) -> Mapping[str, Sequence[str]]: ...


def chosen_columns(texts: Sequence[str] | None, layout: Parts, option: str) -> dict[str, str]:
    """The columns that a person names as ``PART=HEADER``.

    Raises:
        typer.BadParameter: another form, or a part that such lists do not have.
    """
    chosen: dict[str, str] = {}
    for text in texts or ():
        name, equals, header = text.partition("=")
        if name not in layout.aliases or not equals or not header:
            raise typer.BadParameter(
                f"{option}: expected NAME=HEADER with NAME one of {', '.join(layout.aliases)}, "
                f"got {text!r}"
            )
        chosen[name] = header
    return chosen
