"""Signers outside this process, and the keyring that puts signatures together."""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
import signer_process
from log_keys import key_text, private_key, put_key, verifier_key

from ledger.errors import LedgerError, MalformedError, NotFoundError, NotReadyError
from ledger.keys import external
from ledger.keys.access import KeyAccess
from ledger.keys.external import ExternalSigner, parse_descriptor, read_descriptor
from ledger.keys.ring import Keyring
from ledger.tlog.checkpoint import format_checkpoint, open_checkpoint
from ledger.tlog.merkle import EMPTY_ROOT
from ledger.tlog.note import Ed25519Signer, Ed25519Verifier, VerifierKey

NAME = "shanji.example/signers"
PROGRAM = str(Path(signer_process.__file__))
TEXT = format_checkpoint(NAME, 7, EMPTY_ROOT)
SECONDS_MAX = 60


def descriptor(number: int, **more: Any) -> bytes:
    """A descriptor's TOML."""
    value = {"format": "shanji-signer/v1", "verifier_key": key_text(number, NAME), **more}
    return "\n".join(f"{name} = {_toml(one)}" for name, one in value.items()).encode()


def _toml(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)


def command(mode: str, number: int = 1) -> list[str]:
    return [sys.executable, PROGRAM, str(number), mode]


def process_of(signer: ExternalSigner) -> subprocess.Popen[bytes]:
    """The process behind a signer, which runs or ran."""
    assert isinstance(signer._line, external.CommandLine)
    assert signer._line._process is not None
    return signer._line._process


Asking = Callable[..., ExternalSigner]


@pytest.fixture
def asked() -> Iterator[Asking]:
    """Makes signers, and ends their processes."""
    made: list[ExternalSigner] = []

    def make(mode: str, seconds_max: float = SECONDS_MAX) -> ExternalSigner:
        data = descriptor(1, command=command(mode), seconds_max=seconds_max)
        made.append(ExternalSigner(parse_descriptor(data, "x")))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_a_process_signs_and_stays(asked: Asking) -> None:
    signer = asked("good")
    first = signer.sign(TEXT)
    process = process_of(signer)
    assert signer.sign(TEXT) == first == private_key(1).sign(TEXT)
    assert process_of(signer) is process
    signer.close()
    assert process.poll() is not None
    # Whoever asks again gets a new process.
    assert signer.sign(TEXT) == first


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("wrong", "does not fit the text"),
        ("die", "ended without an answer"),
        ("half", "ended without an answer"),
        ("error", r"it says: the card\? is not there"),
        ("garbage", "expected a line 'signature"),
        ("other", "expected a line 'signature"),
        ("long", "at most 16384 bytes"),
    ],
)
def test_what_is_no_good_signature_is_not_used(asked: Asking, mode: str, reason: str) -> None:
    with pytest.raises(NotReadyError, match=reason) as caught:
        asked(mode).sign(TEXT)
    assert caught.value.code == "signer_failed"
    assert caught.value.details == {"key_id": verifier_key(1, NAME).key_id.hex()}


def test_a_process_that_hangs_is_ended_in_time(asked: Asking) -> None:
    signer = asked("hang", seconds_max=0.5)
    started = time.monotonic()
    with pytest.raises(NotReadyError, match=r"no answer within 0\.5 seconds"):
        signer.sign(TEXT)
    assert time.monotonic() - started < SECONDS_MAX
    assert isinstance(signer._line, external.CommandLine)
    assert signer._line._process is None


def test_a_process_that_dies_between_two_signatures_is_started_again(asked: Asking) -> None:
    signer = asked("once")
    for _ in range(2):
        assert signer.sign(TEXT) == private_key(1).sign(TEXT)
        process_of(signer).wait(SECONDS_MAX)


def test_a_process_that_dies_while_it_is_asked_fails_once(asked: Asking) -> None:
    signer = asked("die-later")
    signer.sign(TEXT)
    with pytest.raises(NotReadyError):
        signer.sign(TEXT)
    assert signer.sign(TEXT) == private_key(1).sign(TEXT)


def test_a_program_that_is_not_there(asked: Asking) -> None:
    data = descriptor(1, command=["/nowhere/signer"])
    with pytest.raises(NotReadyError, match="cannot be started: No such file"):
        ExternalSigner(parse_descriptor(data, "x")).sign(TEXT)


# A socket


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[Callable[[str], ExternalSigner]]:
    """A signer behind a Unix socket; one thread answers one connection after another."""
    path = tmp_path / "signer.sock"
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    listener.listen()
    threads: list[threading.Thread] = []

    def serve(mode: str) -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rb") as lines:
            line = lines.readline().decode()
            if mode == "hang":
                lines.read(1)
            elif mode != "silent":
                # Who is told too much hangs up, maybe before all of it was said.
                with suppress(ConnectionError):
                    connection.sendall(signer_process.answer(line, 1, mode))

    def make(mode: str, seconds_max: float = SECONDS_MAX) -> ExternalSigner:
        threads.append(threading.Thread(target=serve, args=(mode,)))
        threads[-1].start()
        data = descriptor(1, socket=str(path), seconds_max=seconds_max)
        return ExternalSigner(parse_descriptor(data, "x"))

    yield make
    for one in threads:
        one.join(SECONDS_MAX)
        assert not one.is_alive()
    listener.close()


def test_a_socket_signs(listening: Asking) -> None:
    signer = listening("good")
    assert signer.sign(TEXT) == private_key(1).sign(TEXT)
    signer.close()


@pytest.mark.parametrize(
    ("mode", "seconds_max", "reason"),
    [
        ("wrong", SECONDS_MAX, "does not fit"),
        ("silent", SECONDS_MAX, "hung up without an answer"),
        ("hang", 0.3, "no answer within"),
        ("long", SECONDS_MAX, "at most 16384 bytes"),
    ],
)
def test_a_socket_that_fails(listening: Asking, mode: str, seconds_max: float, reason: str) -> None:
    with pytest.raises(NotReadyError, match=reason):
        listening(mode, seconds_max).sign(TEXT)


def test_a_socket_where_nobody_listens(tmp_path: Path) -> None:
    data = descriptor(1, socket=str(tmp_path / "none.sock"))
    with pytest.raises(NotReadyError, match="cannot be reached"):
        ExternalSigner(parse_descriptor(data, "x")).sign(TEXT)


# A plugin


class Card:
    """What a package would bring: signs with the key that its config names."""

    def __init__(self, key: VerifierKey, config: Mapping[str, Any]) -> None:
        self.name, self.key_id = key.name, key.key_id
        self._number = config["number"]

    def sign(self, text: bytes) -> bytes:
        if self._number == 0:
            raise RuntimeError("the PIN is 1234")
        return private_key(self._number).sign(text)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A package with a plugin."""
    point = EntryPoint("card", f"{__name__}:Card", "shanji.signers")
    monkeypatch.setattr(EntryPoint, "load", lambda self: Card)
    monkeypatch.setattr(external, "entry_points", lambda group: [point])


def plugin(name: str, **config: Any) -> ExternalSigner:
    data = descriptor(1, plugin=name) + b"\n[config]\n"
    data += "\n".join(f"{key} = {_toml(one)}" for key, one in config.items()).encode()
    return ExternalSigner(parse_descriptor(data, "x"))


@pytest.mark.usefixtures("installed")
def test_a_plugin_signs_and_is_checked() -> None:
    assert plugin("card", number=1).sign(TEXT) == private_key(1).sign(TEXT)
    with pytest.raises(NotReadyError, match="does not fit"):
        plugin("card", number=2).sign(TEXT)
    with pytest.raises(NotReadyError, match="RuntimeError") as caught:
        plugin("card", number=0).sign(TEXT)
    assert "1234" not in caught.value.message
    with pytest.raises(MalformedError, match="could not be made: KeyError"):
        plugin("card")


def test_a_plugin_that_nobody_installed() -> None:
    with pytest.raises(NotFoundError, match="entry-point group"):
        plugin("none")


# Descriptors


@pytest.mark.parametrize(
    "data",
    [
        b"not toml",
        b"\xff",
        b'format = "shanji-signer/v1"',
        descriptor(1),
        descriptor(1, command=["a"], socket="b"),
        descriptor(1, command=["a"], extra="b"),
        descriptor(1, command=[]),
        descriptor(1, command=["a"] * 65),
        descriptor(1, command=[1]),
        descriptor(1, command="a"),
        descriptor(1, socket=""),
        descriptor(1, socket="a", seconds_max=0),
        descriptor(1, socket="a", seconds_max=61),
        descriptor(1, socket="a", seconds_max="5"),
        descriptor(1, socket="a", config=5),
        descriptor(1, socket="a").replace(b"/v1", b"/v2"),
        descriptor(1, socket="a").replace(NAME.encode(), b"other"),
        b'format = "shanji-signer/v1"\nsocket = "a"\nverifier_key = 5',
    ],
)
def test_what_is_no_descriptor_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedError, match="x: "):
        parse_descriptor(data, "x")


def test_a_witness_key_is_no_log_key() -> None:
    from ledger.tlog.note import SignatureType, format_verifier_key

    key = VerifierKey(NAME, SignatureType.COSIGNATURE_ED25519, bytes(32))
    data = f'format = "shanji-signer/v1"\nsocket = "a"\nverifier_key = "{format_verifier_key(key)}"'
    with pytest.raises(MalformedError, match="type 0x01 or 0x06"):
        parse_descriptor(data.encode(), "x")


# The keyring


def opened(note: bytes, *numbers: int) -> set[bytes]:
    """The ids of the keys that signed."""
    verifiers = [Ed25519Verifier(verifier_key(number, NAME)) for number in numbers]
    return {one.key_id for one in open_checkpoint(note, NAME, verifiers)[1].verified}


def keys(*numbers: int) -> list[VerifierKey]:
    return [verifier_key(number, NAME) for number in numbers]


def ids(*numbers: int) -> set[bytes]:
    return {key.key_id for key in keys(*numbers)}


def test_each_active_key_that_is_there_signs(tmp_path: Path) -> None:
    put_key(1, tmp_path / "log-key.pem")
    put_key(2, tmp_path / "log-key-2.pem")
    put_key(5, tmp_path / "not-of-this-log.pem")
    ring = Keyring.open(tmp_path, NAME, KeyAccess())
    assert opened(ring.sign(NAME, 7, EMPTY_ROOT, keys(1, 2)), 1, 2, 5) == ids(1, 2)
    assert opened(ring.sign(NAME, 7, EMPTY_ROOT, keys(2, 3)), 1, 2, 5) == ids(2)
    assert set(ring.verifier_keys) == set(keys(1, 2, 5))
    for number in (1, 2):
        assert private_key(number).private_bytes_raw().hex() not in repr((ring, ring.signers))


def test_without_an_ed25519_key_nothing_is_signed(tmp_path: Path) -> None:
    put_key(1, tmp_path / "log-key.pem")
    ring = Keyring.open(tmp_path, NAME, KeyAccess())
    with pytest.raises(NotReadyError, match="nothing was recorded") as caught:
        ring.sign(NAME, 7, EMPTY_ROOT, keys(2))
    assert caught.value.code == "no_log_key"
    assert keys(2)[0].key_id.hex() in caught.value.message


def test_a_key_file_that_comes_later_is_found(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    put_key(1, tmp_path / "log-key.pem")
    ring = Keyring.open(tmp_path, NAME, KeyAccess())
    assert opened(ring.sign(NAME, 7, EMPTY_ROOT, keys(1, 2)), 1, 2) == ids(1)
    (tmp_path / "new.pem").write_bytes(b"half a k")
    with caplog.at_level(logging.WARNING):
        assert opened(ring.sign(NAME, 7, EMPTY_ROOT, keys(1, 2)), 1, 2) == ids(1)
        assert opened(ring.sign(NAME, 7, EMPTY_ROOT, keys(1, 2)), 1, 2) == ids(1)
    assert [one.message.partition(":")[0] for one in caplog.records] == [
        "key file new.pem is passed over"
    ]
    put_key(2, tmp_path / "new.pem")
    assert opened(ring.sign(NAME, 7, EMPTY_ROOT, keys(1, 2)), 1, 2) == ids(1, 2)


def test_a_folder_must_be_in_order_when_it_is_opened(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"log-key\.pem is missing"):
        Keyring.open(tmp_path, NAME, KeyAccess())
    put_key(1, tmp_path / "log-key.pem")
    (tmp_path / "b.toml").write_bytes(b"?")
    with pytest.raises(LedgerError, match=r"b\.toml: expected TOML"):
        Keyring.open(tmp_path, NAME, KeyAccess())


def test_a_signer_outside_signs_beside_a_file_and_is_let_go(tmp_path: Path) -> None:
    put_key(2, tmp_path / "log-key.pem")
    (tmp_path / "hsm.toml").write_bytes(
        descriptor(1, command=command("good"), seconds_max=SECONDS_MAX)
    )
    ring = Keyring.open(tmp_path, NAME, KeyAccess())
    assert opened(ring.sign(NAME, 7, EMPTY_ROOT, keys(1, 2)), 1, 2) == ids(1, 2)
    (outside,) = (one for one in ring.signers if isinstance(one, ExternalSigner))
    process = process_of(outside)
    ring.close()
    assert process.poll() is not None
    assert "good" not in repr(outside)
    assert read_descriptor(tmp_path / "hsm.toml").verifier_key == keys(1)[0]


def test_a_signer_that_fails_fails_the_checkpoint(tmp_path: Path) -> None:
    put_key(2, tmp_path / "log-key.pem")
    (tmp_path / "hsm.toml").write_bytes(
        descriptor(1, command=command("wrong"), seconds_max=SECONDS_MAX)
    )
    ring = Keyring.open(tmp_path, NAME, KeyAccess())
    with pytest.raises(NotReadyError, match="take its file out of the folder"):
        ring.sign(NAME, 7, EMPTY_ROOT, keys(1, 2))
    ring.close()


def test_a_keyring_of_given_signers() -> None:
    ring = Keyring([Ed25519Signer(NAME, private_key(1))])
    assert opened(ring.sign(NAME, 7, EMPTY_ROOT, keys(1, 2)), 1, 2) == ids(1)
