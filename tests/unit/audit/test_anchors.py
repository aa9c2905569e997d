"""Time stamps by a real authority: asked for, kept, verified offline, audited."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from scribe import Scribe, audited
from tamper import Tamper
from timestamp_authority import TimestampAuthority
from typer.testing import CliRunner

from ledger.audit.anchors import (
    RESPONSE_BYTES_MAX,
    build_query,
    parse_certificates,
    stamped_text,
    verify_timestamp,
)
from ledger.audit.authorities import Authority, ask, read_authorities, stamp_newest
from ledger.audit.replay import audit
from ledger.book import Book
from ledger.cli import build
from ledger.errors import (
    LedgerError,
    MalformedError,
    NotFoundError,
    NotReadyError,
    UndecidedError,
    VerificationError,
)

pytestmark = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="openssl is missing: no authority to test with"
)

TEXT = b"example.com/log\n5\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> TimestampAuthority:
    return TimestampAuthority(tmp_path_factory.mktemp("authority") / "tsa")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> TimestampAuthority:
    return TimestampAuthority(tmp_path_factory.mktemp("stranger") / "tsa", "stranger")


@pytest.fixture
def url(authority: TimestampAuthority) -> Iterator[str]:
    with authority.serving() as url:
        yield url


def test_a_stamp_verifies_offline_here_and_with_openssl(authority: TimestampAuthority) -> None:
    query = build_query(TEXT)
    response = authority.answer(query.data)
    found = verify_timestamp(response, TEXT, parse_certificates(authority.root), nonce=query.nonce)
    assert abs(found.time - datetime.now(UTC)) < timedelta(minutes=5)
    assert (found.policy, found.text) == ("1.2.3.4.1", TEXT)
    assert authority.verifies(response, TEXT)
    again = verify_timestamp(response, TEXT, parse_certificates(authority.root), nonce=None)
    assert again == found


def test_another_text_another_root_another_question(
    authority: TimestampAuthority, stranger: TimestampAuthority
) -> None:
    query = build_query(TEXT)
    response = authority.answer(query.data)
    roots = parse_certificates(authority.root)
    with pytest.raises(VerificationError) as caught:
        verify_timestamp(response, TEXT + b"x", roots, nonce=None)
    assert caught.value.code == "timestamp_of_another"
    with pytest.raises(VerificationError) as caught:
        verify_timestamp(response, TEXT, parse_certificates(stranger.root), nonce=None)
    assert caught.value.code == "timestamp_signature"
    with pytest.raises(VerificationError):
        verify_timestamp(response, TEXT, roots, nonce=query.nonce + 1)


def test_a_changed_byte_never_verifies_as_something_else(authority: TimestampAuthority) -> None:
    response = authority.answer(build_query(TEXT).data)
    roots = parse_certificates(authority.root)
    whole = verify_timestamp(response, TEXT, roots, nonce=None)
    refused = 0
    for place in range(0, len(response), 3):
        changed = bytearray(response)
        changed[place] ^= 0x01
        try:
            found = verify_timestamp(bytes(changed), TEXT, roots, nonce=None)
        except (MalformedError, VerificationError, UndecidedError):
            refused += 1
        else:
            # The bag of certificates is covered by no signature; what is said does not change.
            assert found == whole
    assert refused > len(response) // 6


@pytest.mark.parametrize("data", [b"", b"0", b"\x30\x03\x02\x01", b"no DER at all" * 9])
def test_what_is_no_stamp_is_refused(authority: TimestampAuthority, data: bytes) -> None:
    with pytest.raises(MalformedError):
        verify_timestamp(data, TEXT, parse_certificates(authority.root), nonce=None)


def test_limits_and_refusals(authority: TimestampAuthority) -> None:
    roots = parse_certificates(authority.root)
    with pytest.raises(MalformedError, match="at most"):
        verify_timestamp(bytes(RESPONSE_BYTES_MAX + 1), TEXT, roots, nonce=None)
    # Status 2, rejection, as an authority answers what it does not like.
    with pytest.raises(UndecidedError, match="did not grant"):
        verify_timestamp(bytes.fromhex("30053003020102"), TEXT, roots, nonce=None)
    for pem in (b"", b"nothing", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
        with pytest.raises(MalformedError, match="certificates"):
            parse_certificates(pem)


def test_the_newest_checkpoint_is_stamped_once(
    book: Book, authority: TimestampAuthority, url: str
) -> None:
    named = [Authority("tsa-1", url, authority.root)]
    (first,) = stamp_newest(book.store, book.vault, named)
    (again,) = stamp_newest(book.store, book.vault, named)
    assert first.timestamp == again.timestamp
    assert (first.already, again.already) == (False, True)
    assert audited(book).checked["anchors"] == 1
    Scribe(book).tell("fund.opened", {"code": "g", "name": "示例", "fund_class": "unrestricted"})
    (later,) = stamp_newest(book.store, book.vault, named)
    assert (later.size, later.already) == (2, False)
    with book.store.read() as reader:
        assert reader.anchored(10, 10) == [(2, "tsa-1"), (1, "tsa-1")]


def test_one_authority_away_leaves_the_others(
    book: Book, authority: TimestampAuthority, stranger: TimestampAuthority, url: str
) -> None:
    named = [
        Authority("away", "http://127.0.0.1:9/", authority.root),
        Authority("here", url, authority.root),
        Authority("other-root", url, stranger.root),
    ]
    away, here, other = stamp_newest(book.store, book.vault, named)
    assert away.timestamp is None
    assert "did not answer" in away.failure
    assert here.timestamp is not None
    assert other.timestamp is None
    assert "does not verify" in other.failure
    with book.store.read() as reader:
        assert [row.authority for row in reader.anchors(1)] == ["here"]


def test_an_answer_that_is_not_one(stranger: TimestampAuthority) -> None:
    """OpenSSL answers what is no query with a refusal, well-formed."""
    with stranger.serving() as url:
        data = ask(url, b"this is no query")
        with pytest.raises(UndecidedError, match="did not grant"):
            verify_timestamp(data, TEXT, parse_certificates(stranger.root), nonce=None)
    with pytest.raises(NotReadyError, match="did not answer"):
        ask(url, b"nobody is there any more")


def test_the_audit_finds_every_changed_column(
    book: Book, authority: TimestampAuthority, url: str
) -> None:
    stamp_newest(book.store, book.vault, [Authority("tsa-1", url, authority.root)])
    tamper = Tamper(book.folder)
    row = tamper.rows("anchor")[0]
    try:
        for column, place in (("response", -1), ("response", 40), ("certificates", 100)):
            whole = row[2] if column == "response" else row[3]
            changed = bytearray(whole)
            changed[place] ^= 1
            tamper.change("anchor", row[:2], column, bytes(changed))
            report = audit(book.store, vault=book.vault)
            assert [one.code for one in report.findings] == ["anchor"]
            tamper.change("anchor", row[:2], column, whole)
        # Bytes that no signature covers: the line ends of the PEM.
        tamper.change("anchor", row[:2], "certificates", row[3] + b"\n")
        assert [one.code for one in audit(book.store, vault=book.vault).findings] == ["anchor"]
        without = audit(book.store)
        assert without.findings == ()
        assert any("time stamps" in what for what in without.not_checked)
        tamper.change("anchor", row[:2], "certificates", row[3])
        tamper.change("anchor", row[:2], "size", 2)
        assert [one.code for one in audit(book.store, vault=book.vault).findings] == ["anchor"]
    finally:
        tamper.close()


def test_the_commands_stamp_and_verify(
    book: Book, authority: TimestampAuthority, url: str, tmp_path: Path
) -> None:
    checkpoint = tmp_path / "checkpoint"
    checkpoint.write_bytes(book.checkpoint())
    roots = tmp_path / "roots.pem"
    roots.write_bytes(authority.root)
    config = tmp_path / "authorities.toml"
    config.write_text(f'[[authority]]\nname = "tsa-1"\nurl = "{url}"\ncertificates = "roots.pem"\n')
    book.close()
    run, app = CliRunner(), build()
    done = run.invoke(
        app, ["anchor", "--authorities", str(config), "--data", str(book.folder), "--lang", "en"]
    )
    assert done.exit_code == 0, done.output
    assert "was stamped at" in done.stdout
    opened = Book.open(book.folder)
    with opened.store.read() as reader:
        response = reader.anchors(1)[0].response
    opened.close()
    stamp = tmp_path / "stamp.tsr"
    stamp.write_bytes(response)
    verify = ["anchor-verify", str(stamp), str(checkpoint), "--certificates", str(roots)]
    done = run.invoke(app, [*verify, "--lang", "en"])
    assert done.exit_code == 0
    assert "was there at" in done.stdout
    assert authority.verifies(response, stamped_text(checkpoint.read_bytes()))
    other = checkpoint.read_bytes().replace(b"\n1\n", b"\n2\n")
    checkpoint.write_bytes(other)
    assert isinstance(run.invoke(app, verify).exception, VerificationError)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("authority = 1", "tables"),
        ("not toml", "TOML"),
        ("[[authority]]\nname = 'x'", "name, url and certificates"),
        ("[[authority]]\nname = 'X Y'\nurl = 'http://a/'\ncertificates = 'r'", "lower-case"),
        ("[[authority]]\nname = 'x'\nurl = 'ftp://a/'\ncertificates = 'r'", "http"),
        ("[[authority]]\nname = 1\nurl = 'http://a/'\ncertificates = 'r'", "as text"),
        ("[[authority]]\nname = 'x'\nurl = 'http://a/'\ncertificates = 'r'", "cannot be read"),
    ],
)
def test_a_file_of_authorities_that_is_none(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "authorities.toml"
    path.write_text(text)
    with pytest.raises(LedgerError, match=message):
        read_authorities(path)
    with pytest.raises(NotFoundError):
        read_authorities(tmp_path / "absent.toml")
