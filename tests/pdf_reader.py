"""What a reader of a receipt's PDF sees: text, files, fonts and what the PDF claims to be."""

from __future__ import annotations

import re
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from pypdf import PdfReader


@dataclass
class Pdf:
    """A PDF as pypdf reads it. `text` is without spaces and line ends, which typesetting moves."""

    pages: int
    text: str
    files: dict[str, bytes]
    fonts: set[str]
    claims: str
    relations: list[str]
    lang: str

    def says(self, text: str) -> bool:
        return "".join(text.split()) in self.text


def read_pdf(data: bytes) -> Pdf:
    """Read a PDF whose fonts must all lie inside it."""
    reader = PdfReader(BytesIO(data))
    text = "".join(page.extract_text() for page in reader.pages)
    root: Any = reader.trailer["/Root"]
    files = {name: content[0] for name, content in reader.attachments.items()}
    fonts: set[str] = set()
    for page in reader.pages:
        resources: Any = page["/Resources"]
        for one in resources["/Font"].values():
            descendant = one.get_object()["/DescendantFonts"][0].get_object()
            assert "/FontFile3" in descendant["/FontDescriptor"].get_object(), "embedded"
            fonts.add(re.sub(r"^/[A-Z]{6}\+", "", descendant["/BaseFont"]))
    relations = [one.get_object()["/AFRelationship"] for one in root.get("/AF", ())]
    return Pdf(
        len(reader.pages),
        "".join(text.split()).replace("\u200b", ""),
        files,
        fonts,
        root["/Metadata"].get_object().get_data().decode(),
        relations,
        str(root["/Lang"]),
    )
