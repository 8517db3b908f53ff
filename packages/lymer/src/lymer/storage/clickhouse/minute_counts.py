"""Counts by the minute out of the rollups, as arrays: nothing is made for each of the rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from lymer.model.graph import NODE_KINDS
from lymer.model.minute_counts import MinuteCounts
from lymer.storage.clickhouse.engine import Engine, Settings
from lymer.storage.clickhouse.select import Query
from lymer.storage.clickhouse.statements import statement

__all__ = ["read_edge_minutes", "read_operation_minutes"]

_ROW: Final = (
    ("series", "<u8"),
    ("minute", "<u4"),
    ("calls", "<f8"),
    ("errors", "<f8"),
    ("logs", "<f8"),
)
_LINKED: Final = 4
"""As kind of a target: a service, by a link."""


def read_operation_minutes(
    engine: Engine,
    database: str,
    settings: Settings,
    minutes: tuple[int, int],
    services: Sequence[str],
) -> MinuteCounts:
    """Return the minutes of each operation; see `SpanReader.get_minute_counts`."""
    query = Query()
    where = [_between(query, "minute", minutes)]
    if services:
        where.append(f"service IN ({_texts(query, services)})")
    return _read(engine, database, settings, query, "operation", " AND ".join(where))


def read_edge_minutes(
    engine: Engine,
    database: str,
    settings: Settings,
    minutes: tuple[int, int],
    services: Sequence[str],
) -> MinuteCounts:
    """Return the minutes of each edge; see `SpanReader.get_minute_counts`."""
    query = Query()
    where = ["size = 1", _between(query, "slot", minutes), "source_kind != 255", "target != ''"]
    if services:
        texts = _texts(query, services)
        where.append(f"(source IN ({texts}) OR target IN ({texts}))")
    return _read(engine, database, settings, query, "edge", " AND ".join(where))


def _between(query: Query, column: str, minutes: tuple[int, int]) -> str:
    return f"{column} BETWEEN {query.number(minutes[0])} AND {query.number(minutes[1])}"


def _texts(query: Query, texts: Sequence[str]) -> str:
    return ", ".join(query.text(one) for one in texts)


def _read(
    engine: Engine, database: str, settings: Settings, query: Query, of: str, where: str
) -> MinuteCounts:
    def asked(name: str) -> str:
        return statement(name).replace("{where}", where)

    rows = engine.select_array(database, asked(f"{of}_minutes"), _ROW, query.parameters, settings)
    # Asked afterwards: of what was counted in between it knows more than is needed.
    numbers, *ends = engine.select(
        database, asked(f"{of}_minutes_names"), 3, query.parameters, settings
    )
    known = {
        number: (_name(one), _name(other))
        for number, one, other in zip(numbers, *ends, strict=True)
    }
    found, series = np.unique(rows["series"], return_inverse=True)
    return MinuteCounts(
        names=[known.get(one, ("", "")) for one in found.tolist()],
        series=series.astype(np.int64),
        minute=rows["minute"].astype(np.int64),
        # Corrections of the service graph are rows of their own, and may come below nothing.
        calls=np.maximum(rows["calls"], 0.0),
        errors=np.maximum(rows["errors"], 0.0),
        logs=np.maximum(rows["logs"], 0.0),
    )


def _name(end: bytes | tuple[int, bytes]) -> str:
    if isinstance(end, bytes):
        return end.decode(errors="replace")
    kind, name = end
    text = name.decode(errors="replace")
    return text if kind in {0, _LINKED} else f"{NODE_KINDS[kind]}:{text}"
