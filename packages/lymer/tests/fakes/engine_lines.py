"""Answers of an engine as text, for tests that look at the tables themselves."""

from __future__ import annotations

from lymer.storage.clickhouse.engine import Engine

__all__ = ["engine_lines"]


def engine_lines(engine: Engine, statement: str) -> list[str]:
    """Return the rows of a SELECT, values parted by tabs; tables are named with their database."""
    rows = "SELECT {mark}, formatRowNoNewline('TSV', *) FROM (" + statement + ")"
    (lines,) = engine.select("", rows, 1)
    return [line.decode() for line in lines]
