"""Rows of `SpanColumns`: one trace at a time, some rows of it, a word about one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Final

from lymer.model.columns import SpanColumns

__all__ = ["add_warning", "keep_rows", "select_rows", "split_traces"]

_PER_SPAN: Final = tuple(one.name for one in fields(SpanColumns) if one.name != "process_json")


def split_traces(columns: SpanColumns) -> list[SpanColumns]:
    """Return one `SpanColumns` per run of equal trace ids; lists are new, nested ones shared."""
    ids = columns.trace_id
    starts = [row for row in range(len(ids)) if row == 0 or ids[row] != ids[row - 1]]
    if not starts:
        return []
    if len(starts) == 1:
        return [columns]
    return [
        SpanColumns(
            **{name: getattr(columns, name)[start:end] for name in _PER_SPAN},
            process_json=columns.process_json,
        )
        for start, end in zip(starts, [*starts[1:], len(ids)], strict=True)
    ]


def select_rows(columns: SpanColumns, rows: Sequence[int]) -> SpanColumns:
    """Return a copy with only these rows, in this order."""
    chosen = SpanColumns(process_json=columns.process_json)
    for name in _PER_SPAN:
        values = getattr(columns, name)
        setattr(chosen, name, [values[row] for row in rows])
    return chosen


def keep_rows(columns: SpanColumns, rows: Sequence[int]) -> None:
    """Leave only these rows, in this order."""
    for name in _PER_SPAN:
        values = getattr(columns, name)
        setattr(columns, name, [values[row] for row in rows])


def add_warning(columns: SpanColumns, row: int, warning: str) -> None:
    """Add a warning to a span; the list the store made is left alone."""
    columns.warnings[row] = [*columns.warnings[row], warning]
