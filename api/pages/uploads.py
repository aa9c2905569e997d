"""A form with a file in it, read in memory: nothing of it touches a disk or a log line.

Starlette's parser lets files above a megabyte roll over to a temporary file; this one
keeps them in memory, which the limit on the body makes safe.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping

from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import FormParser, MultiPartException, MultiPartParser
from starlette.requests import Request

from api.dependencies import read_body
from ledger.errors import MalformedError

UPLOAD_BYTES_MAX = 6 * 1024 * 1024
"""A receipt has at most a megabyte, a PDF with its fonts a few hundred kilobytes."""
FIELDS_MAX = 8
_MULTIPART = b"multipart/form-data"
_URLENCODED = b"application/x-www-form-urlencoded"


class _InMemory(MultiPartParser):
    spool_max_size = UPLOAD_BYTES_MAX


async def read_upload(request: Request) -> Mapping[str, bytes]:
    """The fields of a posted form, files too, as bytes by their names.

    Raises:
        MalformedError: ``body_too_large`` (413) or ``body_too_slow`` (408); ``bad_form``
            where it is no form.
    """
    body = await read_body(request, UPLOAD_BYTES_MAX)
    kind, _ = parse_options_header(request.headers.get("content-type", ""))

    async def stream() -> AsyncGenerator[bytes, None]:
        yield body
        yield b""

    headers = Headers(raw=list(request.headers.raw))
    try:
        if kind == _MULTIPART:
            parser = _InMemory(
                headers,
                stream(),
                max_files=FIELDS_MAX,
                max_fields=FIELDS_MAX,
                max_part_size=UPLOAD_BYTES_MAX,
            )
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
    try:
        for name, value in form.multi_items():
            data = await value.read() if isinstance(value, UploadFile) else value.encode()
            fields.setdefault(name, data)
    finally:
        await form.close()
    return fields
