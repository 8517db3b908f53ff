"""What real clients sent, where the recordings are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

__all__ = ["recorded"]


def recorded(client: str, name: str) -> bytes:
    """Return a recording; skip the test where there is none."""
    given = os.environ.get("LYMER_FIXTURES")
    root = Path(__file__).resolve().parents[4]
    fixtures = Path(given) if given else root.parent / "shared" / "fixtures"
    path = fixtures / "wire" / client / name
    if not path.is_file():
        pytest.skip(f"the recording {client}/{name} is not here; LYMER_FIXTURES says where")
    return path.read_bytes()
