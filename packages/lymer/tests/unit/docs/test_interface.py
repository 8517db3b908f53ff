"""The page on the web interface names tests that there are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).parents[5]


def test_every_test_named_beside_what_jaeger_does_is_there() -> None:
    """A row of the table without its test would be a claim."""
    page = (_ROOT / "docs" / "interface.md").read_text("utf-8")
    files = (_ROOT / "packages" / "lymer" / "tests" / "e2e").glob("test_*.py")
    there = set(
        re.findall(r"^def (test_\w+)", "\n".join(f.read_text("utf-8") for f in files), re.MULTILINE)
    )
    table = page.partition("## Beside Jaeger")[2].partition("\n## ")[0]
    rows = [row for row in table.splitlines() if row.startswith("| ")][2:]
    named = [re.findall(r"`(test_\w+)`", row) for row in rows]

    assert len(rows) >= 15
    assert all(named)
    assert {test for row in named for test in row} <= there
