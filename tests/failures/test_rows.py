"""Every row of domain.md's section 2 is played, and every group of tests here is a row."""

from __future__ import annotations

import ast
from pathlib import Path

from rows import ROWS

FOLDER = Path(__file__).parent


def test_every_row_has_its_group_and_every_group_its_row() -> None:
    found = {
        (path.stem.removeprefix("test_"), node.name): ast.get_docstring(node)
        for path in FOLDER.glob("test_*.py")
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.ClassDef) and node.name.startswith("Test")
    }
    assert set(found) == {(row.module, row.group) for row in ROWS}
    for row in ROWS:
        quoted = found[row.module, row.group]
        assert quoted is not None
        assert row.failure in " ".join(quoted.split()), row.failure
