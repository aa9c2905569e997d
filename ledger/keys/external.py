"""A signer outside this process: the private key never comes in here.

A descriptor, a TOML file in the folder of the keys, says how the signer is reached::

    format = "shanji-signer/v1"
    verifier_key = "ledger.example.org/main+9d21d7bd+Aaw..."
    command = ["/usr/local/bin/hsm-signer", "--slot", "1"]   # or
    socket = "/run/hsm-signer.sock"                          # or
    plugin = "hsm"                                           # of the group shanji.signers
    seconds_max = 5
    [config]                                                 # handed to the plugin

The protocol of ``command`` (on its standard input and output; started when first needed
and kept) and ``socket`` (a Unix stream socket; one connection a signature) is one line
each way, ASCII, ended by a newline::

    shanji-signer/v1 sign <8 hex digits of the key id> <base64 of the note's text>
    signature <base64 of what follows the key id in the signature line>
    error <words for the operator>

A plugin is a callable ``(verifier_key: VerifierKey, config: Mapping) -> Signer``. Whatever
answers, its signature is verified with the verifier key before it is used; one that is
wrong, late or missing is a `NotReadyError`, and nothing is recorded under it.
"""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import socket
import subprocess
import time
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import IO, Any

from ledger.errors import LedgerError, MalformedError, NotFoundError, NotReadyError
from ledger.keys.files import read_key_file
from ledger.keys.history import is_ed25519
from ledger.tlog.cosignature import verifier_for
from ledger.tlog.note import (
    SignatureType,
    Signer,
    VerifierKey,
    decode_base64,
    encode_base64,
    parse_verifier_key,
)

FORMAT = "shanji-signer/v1"
ENTRY_POINTS = "shanji.signers"
SECONDS_DEFAULT = 5
SECONDS_MAX = 60
"""The log is locked while a signature is waited for."""
ANSWER_BYTES_MAX = 16_384
"""An ML-DSA-44 signature has some 3,300 characters."""
ERROR_CHARS_MAX = 200
ARGUMENTS_MAX = 64
KILL_SECONDS = 5

_WAYS = ("command", "socket", "plugin")


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A descriptor as it was read; ``way`` and its ``target`` say how the signer is reached."""

    verifier_key: VerifierKey
    way: str
    target: str | tuple[str, ...]
    seconds_max: float
    config: Mapping[str, Any] = field(default_factory=dict, repr=False)


def parse_descriptor(data: bytes, where: str) -> Descriptor:
    """Read a descriptor.

    Raises:
        MalformedError: not one, in any respect.
    """
    try:
        value = tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MalformedError(f"{where}: expected TOML: {error}") from None
    ways = [way for way in _WAYS if way in value]
    known = {"format", "verifier_key", "seconds_max", "config", *_WAYS}
    if value.get("format") != FORMAT or set(value) - known or len(ways) != 1:
        raise MalformedError(
            f'{where}: expected format = "{FORMAT}", a verifier_key and one of '
            f"{', '.join(_WAYS)}, and besides only seconds_max and config"
        )
    seconds = value.get("seconds_max", SECONDS_DEFAULT)
    if type(seconds) not in (int, float) or not 0 < seconds <= SECONDS_MAX:
        raise MalformedError(f"{where}: expected seconds_max over 0 and at most {SECONDS_MAX}")
    config = value.get("config", {})
    if not isinstance(config, dict):
        raise MalformedError(f"{where}: expected config as a table")
    try:
        key = parse_verifier_key(value.get("verifier_key", ""))
    except MalformedError as error:
        raise MalformedError(f"{where}: verifier_key: {error.message}") from None
    if not is_ed25519(key) and key.signature_type != SignatureType.ML_DSA_44:
        raise MalformedError(f"{where}: a log signs with keys of type 0x01 or 0x06")
    return Descriptor(key, ways[0], _target(value[ways[0]], ways[0], where), seconds, config)


def _target(value: object, way: str, where: str) -> str | tuple[str, ...]:
    if way != "command":
        if isinstance(value, str) and value:
            return value
        raise MalformedError(f"{where}: expected {way} as text")
    if (
        isinstance(value, list)
        and 1 <= len(value) <= ARGUMENTS_MAX
        and all(isinstance(one, str) for one in value)
    ):
        return tuple(value)
    raise MalformedError(
        f"{where}: expected command as a list of 1 to {ARGUMENTS_MAX} texts, the program first"
    )


class ExternalSigner:
    """A signer that is asked, and whose every answer is checked; `close` lets go of it."""

    def __init__(self, descriptor: Descriptor) -> None:
        self.verifier_key = descriptor.verifier_key
        self.name = descriptor.verifier_key.name
        self.key_id = descriptor.verifier_key.key_id
        self._verifier = verifier_for(descriptor.verifier_key)
        self._line: _Line | None = None
        self._ask: Callable[[bytes], bytes] = self._ask_line
        if descriptor.way == "command":
            self._line = CommandLine(descriptor.target, descriptor.seconds_max)
        elif descriptor.way == "socket":
            self._line = SocketLine(str(descriptor.target), descriptor.seconds_max)
        else:
            self._ask = _plugin(descriptor).sign

    def __repr__(self) -> str:
        return f"ExternalSigner({self.name!r}, key id {self.key_id.hex()})"

    def sign(self, text: bytes) -> bytes:
        """The signature of a note's text, verified.

        Raises:
            NotReadyError: no good signature came (``signer_failed``).
        """
        try:
            signature = self._ask(text)
            self._verifier.verify(text, signature)
        except Exception as error:  # a plugin may raise anything
            reason = error.message if isinstance(error, LedgerError) else type(error).__name__
            raise NotReadyError(
                f"the signer of key {self.key_id.hex()} gave no good signature: {reason}; see to "
                "it, or take its file out of the folder of the keys: nothing was recorded",
                code="signer_failed",
                details={"key_id": self.key_id.hex()},
            ) from None
        return signature

    def close(self) -> None:
        """End its process, if it has one."""
        if self._line is not None:
            self._line.close()

    def _ask_line(self, text: bytes) -> bytes:
        assert self._line is not None
        request = f"{FORMAT} sign {self.key_id.hex()} {encode_base64(text)}\n"
        answer = self._line.ask(request.encode())
        try:
            word, _, rest = answer.decode("ascii").rstrip("\n").partition(" ")
        except UnicodeDecodeError:
            word, rest = "", ""
        if word == "error":
            printable = re.sub(r"[^\x20-\x7e]", "?", rest)
            raise NotReadyError(f"it says: {printable[:ERROR_CHARS_MAX]}")
        if word != "signature":
            raise MalformedError("expected a line 'signature <base64>' from it")
        return decode_base64(rest, "signature")


class CommandLine:
    """A line to a process of our own: asked on its input, answered on its output."""

    def __init__(self, command: str | tuple[str, ...], seconds_max: float) -> None:
        self._command = command
        self._seconds_max = seconds_max
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, request: bytes) -> bytes:
        """Send a line and get a line; a process that fails is ended, the next ask starts anew.

        Raises:
            NotReadyError: it cannot be started, died, or did not answer in time.
            MalformedError: the answer is too long.
        """
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._process = self._start()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            # A request is a few hundred bytes: it fits into the pipe, whoever reads it.
            os.write(self._process.stdin.fileno(), request)
            return self._answer(self._process.stdout)
        except OSError:
            self.close()
            raise NotReadyError("its process died") from None
        except LedgerError:
            self.close()
            raise

    def close(self) -> None:
        """End the process: its input is closed, and it is killed if that does not end it."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(OSError):
            process.stdin.close()
        process.kill()
        process.wait(KILL_SECONDS)
        process.stdout.close()

    def _start(self) -> subprocess.Popen[bytes]:
        try:
            # In a session of its own: Ctrl-C is for us, and we still finish a batch.
            return subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
                start_new_session=True,
            )
        except OSError as error:
            raise NotReadyError(f"its program cannot be started: {error.strerror}") from None

    def _answer(self, output: IO[bytes]) -> bytes:
        deadline = time.monotonic() + self._seconds_max
        answer = b""
        with selectors.DefaultSelector() as selector:
            selector.register(output, selectors.EVENT_READ)
            while not answer.endswith(b"\n"):
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise NotReadyError(f"no answer within {self._seconds_max} seconds")
                part = os.read(output.fileno(), ANSWER_BYTES_MAX)
                if not part:
                    raise NotReadyError("its process ended without an answer")
                answer += part
                _check_length(answer)
        return answer


class SocketLine:
    """A line to a Unix stream socket, one connection a request."""

    def __init__(self, path: str, seconds_max: float) -> None:
        self._path = path
        self._seconds_max = seconds_max

    def ask(self, request: bytes) -> bytes:
        """Send a line and get a line.

        Raises:
            NotReadyError: nobody listens there, or no whole answer came in time.
            MalformedError: the answer is too long.
        """
        deadline = time.monotonic() + self._seconds_max
        answer = b""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(self._seconds_max)
                connection.connect(self._path)
                connection.sendall(request)
                while not answer.endswith(b"\n"):
                    connection.settimeout(max(0.001, deadline - time.monotonic()))
                    part = connection.recv(ANSWER_BYTES_MAX)
                    if not part:
                        raise NotReadyError("it hung up without an answer")
                    answer += part
                    _check_length(answer)
        except TimeoutError:
            raise NotReadyError(f"no answer within {self._seconds_max} seconds") from None
        except OSError as error:
            raise NotReadyError(f"its socket cannot be reached: {error.strerror}") from None
        return answer

    def close(self) -> None:
        """Nothing is held between requests."""


_Line = CommandLine | SocketLine


def _check_length(answer: bytes) -> None:
    if len(answer) > ANSWER_BYTES_MAX:
        raise MalformedError(f"expected an answer of at most {ANSWER_BYTES_MAX} bytes")


def _plugin(descriptor: Descriptor) -> Signer:
    """The signer that an installed package makes.

    Raises:
        NotFoundError: no package has such a plugin.
        MalformedError: the plugin cannot work with this descriptor.
    """
    found = next(
        (one for one in entry_points(group=ENTRY_POINTS) if one.name == descriptor.target), None
    )
    if found is None:
        raise NotFoundError(
            f"no installed package has a signer {descriptor.target!r} in the entry-point group "
            f"{ENTRY_POINTS}; install it, or name another"
        )
    try:
        signer: Signer = found.load()(descriptor.verifier_key, descriptor.config)
    except Exception as error:  # it may raise anything
        raise MalformedError(
            f"the signer {descriptor.target!r} could not be made: {type(error).__name__}"
        ) from None
    return signer


def read_descriptor(path: Path) -> ExternalSigner:
    """The signer that a descriptor file names.

    Raises:
        LedgerError: it cannot be read, or names nothing that signs.
    """
    return ExternalSigner(parse_descriptor(read_key_file(path), str(path)))
