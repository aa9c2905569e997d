"""Anchors: time stamps of checkpoints by time-stamping authorities (RFC 3161).

A log's signature says what the log was; it does not say when. An authority that knows
nothing of the log signs the SHA-256 of a checkpoint's text together with its own time.
Whoever holds checkpoint, response and the authority's root certificate can verify
offline, for ever, that the log stood at this root at that time: a history that is made
up later cannot have been stamped then.

What is stamped is the checkpoint's text (origin, size, root), not the signatures below
it, so cosignatures that come later change nothing, and other tools can check it::

    openssl ts -verify -data checkpoint.txt -in response.tsr -CAfile roots.pem
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from rfc3161_client import (
    HashAlgorithm,
    PKIStatus,
    TimestampRequestBuilder,
    TimeStampResponse,
    TimeStampTokenInfo,
    VerifierBuilder,
    decode_timestamp_response,
)
from rfc3161_client import VerificationError as TimestampError

from ledger.errors import MalformedError, UndecidedError, VerificationError
from ledger.tlog.note import split_note

RESPONSE_BYTES_MAX = 64 * 1024
"""A response with its certificates has some 5 kB."""
CERTIFICATES_MAX = 32
PEM_BYTES_MAX = 256 * 1024
MEDIA_TYPE_QUERY = "application/timestamp-query"
MEDIA_TYPE_REPLY = "application/timestamp-reply"

_SHA256 = x509.ObjectIdentifier("2.16.840.1.101.3.4.2.1")


@dataclass(frozen=True, slots=True)
class VerifiedTimestamp:
    """What an authority said, verified.

    Attributes:
        time: The authority's time, UTC.
        serial: The number that the authority gave this stamp.
        policy: The authority's policy, an object identifier in dotted form.
        text: The checkpoint's text that was stamped.
    """

    time: datetime
    serial: int
    policy: str
    text: bytes


@dataclass(frozen=True, slots=True)
class TimestampQuery:
    """A question to an authority: the DER to send, and the nonce that its answer repeats."""

    data: bytes
    nonce: int


def stamped_text(checkpoint: bytes) -> bytes:
    """The bytes of a signed checkpoint that are stamped: its text, without signatures.

    Raises:
        MalformedError: not a signed note.
    """
    return split_note(checkpoint)[0]


def build_query(text: bytes) -> TimestampQuery:
    """The question for a stamp of these bytes, with a fresh nonce; certificates are asked for."""
    request = (
        TimestampRequestBuilder()
        .data(text)
        .hash_algorithm(HashAlgorithm.SHA256)
        .nonce(nonce=True)
        .cert_request(cert_request=True)
        .build()
    )
    if request.nonce is None:
        raise AssertionError("a request was built with a nonce and has none")
    return TimestampQuery(request.as_bytes(), request.nonce)


def parse_certificates(pem: bytes) -> list[x509.Certificate]:
    """The certificates of a PEM file: roots, or what leads to them.

    Raises:
        MalformedError: none, too many, or not PEM.
    """
    if len(pem) > PEM_BYTES_MAX:
        raise MalformedError(f"expected certificates of at most {PEM_BYTES_MAX} bytes")
    try:
        found = x509.load_pem_x509_certificates(pem)
    except ValueError:
        found = []
    if not 0 < len(found) <= CERTIFICATES_MAX:
        raise MalformedError(
            f"expected 1 to {CERTIFICATES_MAX} certificates in PEM; get the authority's root "
            "certificate from the authority itself"
        )
    return found


def verify_timestamp(
    response: bytes, text: bytes, certificates: Sequence[x509.Certificate], *, nonce: int | None
) -> VerifiedTimestamp:
    """Verify that an authority stamped a checkpoint's text.

    Certificates must be valid at the time of the stamp, not today.

    Args:
        response: The authority's answer, DER (RFC 3161, section 2.4.2).
        text: What was stamped, see `stamped_text`.
        certificates: The roots that the caller trusts, and what leads to them.
        nonce: What the answer must repeat when it is fresh; None later, when only the
            answer was kept.

    Raises:
        MalformedError: not a response.
        UndecidedError: the authority refused, or stamped with another hash than SHA-256.
        VerificationError: of another text, or not signed under these certificates.
    """
    answer, info = _parse(response)
    if info.message_imprint.hash_algorithm != _SHA256:
        raise UndecidedError("expected a time stamp over SHA-256; ask the authority for one")
    if info.message_imprint.message != hashlib.sha256(text).digest():
        raise VerificationError(
            "the time stamp is of another text than this checkpoint's; give the checkpoint that "
            "was stamped",
            code="timestamp_of_another",
        )
    builder = VerifierBuilder(roots=list(certificates), nonce=nonce)
    try:
        builder.build().verify(answer, hashlib.sha256(text).digest())
    except (TimestampError, ValueError, x509.InvalidVersion) as error:
        raise VerificationError(
            f"the time stamp does not verify under the certificates given: {error}",
            code="timestamp_signature",
        ) from None
    return VerifiedTimestamp(
        info.gen_time.astimezone(UTC), info.serial_number, info.policy.dotted_string, text
    )


def _parse(response: bytes) -> tuple[TimeStampResponse, TimeStampTokenInfo]:
    if len(response) > RESPONSE_BYTES_MAX:
        raise MalformedError(f"expected a time stamp of at most {RESPONSE_BYTES_MAX} bytes")
    try:
        answer = decode_timestamp_response(_with_sorted_certificates(response))
        status = PKIStatus(answer.status)
        if status is not PKIStatus.GRANTED:
            reasons = "; ".join(answer.status_string) or status.name
            raise UndecidedError(f"the authority did not grant the time stamp: {reasons}")
        # The parser reads on demand: what is damaged inside shows only here.
        return answer, answer.tst_info
    except ValueError:
        raise MalformedError(
            "expected a time stamp response (RFC 3161, DER); get it from the authority again"
        ) from None


_SEQUENCE, _FIRST = 0x30, 0xA0


def _with_sorted_certificates(response: bytes) -> bytes:
    """The response with the certificates beside the signature in the order that DER wants.

    OpenSSL's authority, and others, write them as they come; the parser refuses that. They
    are a bag that no signature covers, so their order says nothing.
    """
    try:
        first, end = _contents(response, 0, _SEQUENCE)  # TimeStampResp
        _, token = _contents(response, first, _SEQUENCE)  # status
        if token == end:
            return response
        for tag in (_SEQUENCE, None, _FIRST, _SEQUENCE):  # ContentInfo, its type, SignedData
            if tag is None:
                token = _contents(response, token, None)[1]
            else:
                token, end = _contents(response, token, tag)
        for _ in range(3):  # version, digest algorithms, what was signed
            token = _contents(response, token, None)[1]
        if response[token] != _FIRST:
            return response
        first, end = _contents(response, token, _FIRST)
        certificates, at = [], first
        while at < end:
            after = _contents(response, at, None)[1]
            certificates.append(response[at:after])
            at = after
    except IndexError:
        return response
    return response[:first] + b"".join(sorted(certificates)) + response[end:]


def _contents(data: bytes, at: int, tag: int | None) -> tuple[int, int]:
    """Where the contents of the DER element at `at` begin and end.

    Raises:
        IndexError: another tag, or an element that is cut off.
    """
    length, first = data[at + 1], at + 2
    if length & 0x80:
        first += length & 0x7F
        length = int.from_bytes(data[at + 2 : first], "big")
    if (tag is not None and data[at] != tag) or first + length > len(data):
        raise IndexError
    return first, first + length
