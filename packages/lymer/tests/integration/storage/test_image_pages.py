"""An engine whose program has been dropped from memory goes on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

_PROGRAM: Final = """
import sys
from pathlib import Path
from lymer.storage.clickhouse.engine_chdb import ChdbEngine
from lymer.storage.clickhouse.image_pages import release_image_pages

engine = ChdbEngine(Path(sys.argv[1]), memory_bytes_max=900 * 2**20)
for _ in range(3):
    print(release_image_pages() // 1024, engine.select("default", "SELECT {mark}, 41 + 1", 1)[0][0])
engine.close()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own way to show mappings")
def test_the_engine_goes_on(tmp_path: Path) -> None:
    """In a process of its own: what start has touched is more than what a question needs."""
    said = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(tmp_path / "engine")],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    ).stdout
    first, *others = ([int(word) for word in line.split()] for line in said.splitlines())

    assert {answer for _, answer in (first, *others)} == {42}
    assert all(0 < mib < first[0] for mib, _ in others)
