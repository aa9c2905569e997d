"""A form with a file in it, read in memory: nothing of it touches a disk or a log line.

Starlette's parser lets files above a megabyte roll over to a temporary file; this one
keeps them in memory, which the limit on the body makes safe.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import FormParser, MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from api.dependencies import BODY_SECONDS_MAX, read_body
from ledger.errors import MalformedError

UPLOAD_BYTES_MAX = 6 * 1024 * 1024
"""A receipt has at most a megabyte, a PDF with its fonts a few hundred kilobytes."""
FIELDS_MAX = 8
_MULTIPART = b"multipart/form-data"
_URLENCODED = b"application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Upload:
    """A posted form with files in it.

    Attributes:
        fields: Every field's bytes, files too, by name; the first of each name.
        file_names: What the files are called on the sender's device, by their field's name.
    """

    fields: Mapping[str, bytes] = field(repr=False)
    file_names: Mapping[str, str] = field(repr=False)

    def text(self, name: str) -> str:
        """A field's text without surrounding blanks; empty where there is none."""
        return self.fields.get(name, b"").decode("utf-8", "replace").strip()


async def read_upload(
    request: Request,
    *,
    bytes_max: int = UPLOAD_BYTES_MAX,
    fields_max: int = FIELDS_MAX,
    seconds_max: float | None = None,
) -> Upload:
    """A posted form, files and all.

    Args:
        bytes_max: The whole form's size.
        fields_max: Files and fields, each.
        seconds_max: How long it may take to come; None for `BODY_SECONDS_MAX`.

    Raises:
        MalformedError: ``body_too_large`` (413) or ``body_too_slow`` (408); ``bad_form``
            where it is no form.
    """
    body = await read_body(request, bytes_max, seconds_max)
    kind, _ = parse_options_header(request.headers.get("content-type", ""))

    async def stream() -> AsyncGenerator[bytes, None]:
        yield body
        yield b""

    headers = Headers(raw=list(request.headers.raw))
    try:
        if kind == _MULTIPART:
            parser = MultiPartParser(
                headers,
                stream(),
                max_files=fields_max,
                max_fields=fields_max,
                max_part_size=bytes_max,
            )
            # Nothing of it goes to a disk.
            parser.spool_max_size = bytes_max
            form = await parser.parse()
        elif kind == _URLENCODED:
            form = await FormParser(headers, stream()).parse()
        else:
            raise MultiPartException("not a form")
    except (MultiPartException, KeyError):
        raise MalformedError(
            "expected the form of this page, with the file in it; send it again from the page",
            code="bad_form",
        ) from None
    fields: dict[str, bytes] = {}
    names: dict[str, str] = {}
    try:
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                data = await value.read()
                names.setdefault(name, value.filename or "")
            else:
                data = value.encode()
            fields.setdefault(name, data)
    finally:
        await form.close()
    return Upload(fields, names)


async def drain(request: Request, bytes_max: int) -> None:
    """Take in a body that was refused for its announced length, before any of it was read.

    A browser that is still sending would show a broken connection instead of the answer.
    """
    if not request.headers.get("content-length", "").isdecimal():
        return
    size = 0
    with suppress(TimeoutError, ClientDisconnect):
        async with asyncio.timeout(BODY_SECONDS_MAX):
            async for part in request.stream():
                size += len(part)
                if size > bytes_max:
                    return
