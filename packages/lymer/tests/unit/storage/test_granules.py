"""Tables of an older release are told to write smaller granules."""

from __future__ import annotations

from pathlib import Path

import pytest

from lymer.errors import StartupError
from lymer.storage.clickhouse.granules import refine_granules

_TEXT = (
    "ATTACH TABLE _ (seg UInt64) ENGINE = MergeTree SETTINGS index_granularity = {}, other = 8192"
)


def _table(folder: Path, database: str, rows: int, name: str = "spans") -> Path:
    path = folder / "store" / "abc" / database / f"{name}.sql"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_TEXT.format(rows))
    link = folder / "metadata" / database
    link.parent.mkdir(exist_ok=True)
    if not link.is_symlink():
        link.symlink_to(Path("..") / "store" / "abc" / database)
    return path


def test_every_tenants_span_table_is_changed_and_nothing_else(tmp_path: Path) -> None:
    """Databases are links into another folder; other tables keep their granules."""
    spans = [_table(tmp_path, "lymer", 8192), _table(tmp_path, "lymer_other", 8192)]
    red = _table(tmp_path, "lymer", 8192, "red")

    refine_granules(tmp_path)
    refine_granules(tmp_path)

    assert [path.read_text() for path in spans] == [_TEXT.format(2048)] * 2
    assert red.read_text() == _TEXT.format(8192)
    assert sorted(path.name for path in spans[0].parent.iterdir()) == ["red.sql", "spans.sql"]


def test_a_new_folder_has_nothing_to_change(tmp_path: Path) -> None:
    """Nor does one whose tables are new."""
    new = _table(tmp_path, "lymer", 2048)
    before = new.stat().st_ino

    refine_granules(tmp_path)
    refine_granules(tmp_path / "absent")

    assert new.stat().st_ino == before


def test_a_table_that_cannot_be_read_stops_the_start(tmp_path: Path) -> None:
    """With the folder in the message."""
    (tmp_path / "metadata" / "lymer" / "spans.sql").mkdir(parents=True)

    with pytest.raises(StartupError, match=str(tmp_path)):
        refine_granules(tmp_path)
