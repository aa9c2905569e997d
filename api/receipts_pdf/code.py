"""The QR code of a receipt's locator, as a drawing of vectors."""

from __future__ import annotations

from io import BytesIO

import segno

from ledger.errors import MalformedError

SVG_MEDIA_TYPE = "image/svg+xml"
VERSION_MAX = 10
"""The densest code that a phone's camera reads from paper at arm's length (experience)."""
CORRECTION = "m"
"""A code on paper may lose an eighth of itself to a fold or a stamp."""
BORDER_MODULES = 4
"""The quiet zone that readers need (ISO/IEC 18004)."""


def locator_picture(link: str) -> str:
    """The QR code of a link, as SVG.

    Raises:
        MalformedError: ``link_too_long``: it does not fit into version `VERSION_MAX`.
    """
    file = BytesIO()
    locator_code(link).save(
        file,
        kind="svg",
        border=BORDER_MODULES,
        light="#fff",
        xmldecl=False,
        svgns=True,
        omitsize=True,
    )
    return file.getvalue().decode()


def locator_code(link: str) -> segno.QRCode:
    """The QR code of a link, of at most version `VERSION_MAX`.

    Raises:
        MalformedError: ``link_too_long``.
    """
    try:
        code = segno.make_qr(link, error=CORRECTION, boost_error=False, mode="byte")
    except segno.DataOverflowError:
        code = None
    if code is None or not isinstance(code.version, int) or code.version > VERSION_MAX:
        raise MalformedError(
            f"expected a link that fits into a QR code of version {VERSION_MAX}, got one of "
            f"{len(link)} characters; have the operator set a shorter public_url",
            code="link_too_long",
        )
    return code
