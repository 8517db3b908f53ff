"""The floor: what a plain Python backend pays, an object per span and rows in SQLite.

Requests are decoded by the official classes, every span becomes a row of Python objects with its
attributes as JSON, and SQLite keeps two indexes. No network, no acknowledgement, no rollups, no
index on attributes: a real one would pay more.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import orjson

from bench.numbers import Spread, spread_of
from bench.workload import Workload, spans_of
from lymer import clock

__all__ = ["Floor", "measure_floor"]

_SPANS = 20_000
_TABLE = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE spans (trace_id, span_id, service, name, start, duration, attributes);
CREATE INDEX by_trace ON spans (trace_id);
CREATE INDEX by_service ON spans (service, name, start);
"""
_SEARCH = (
    "SELECT DISTINCT trace_id FROM spans WHERE service = ? AND name = ? AND duration >= ? "
    "ORDER BY start DESC LIMIT 20"
)


@dataclass(frozen=True, slots=True)
class Floor:
    """Figures of a sample; they may be scaled by spans."""

    spans: int
    cpu_seconds: float
    seconds: float
    disk_bytes: int
    by_id: Spread
    """Milliseconds, at the sample's size."""
    search: Spread
    """Service, operation and duration; milliseconds, at the sample's size."""


def measure_floor(workload: Workload, folder: Path) -> Floor:
    """Store the first spans of the workload; this process's own CPU is what counts."""
    path = folder / "floor.sqlite"
    database = sqlite3.connect(path)
    database.executescript(_TABLE)
    with workload.bodies() as bodies:
        sample = list(_first(bodies))
    spans = sum(count for _, count in sample)
    cpu, began = time.process_time(), clock.monotonic_seconds()
    for body, _ in sample:
        rows = [
            (
                trace_id,
                span_id,
                span.service,
                span.name,
                span.start_micros,
                span.duration_micros,
                orjson.dumps(dict(span.attributes)),
            )
            for trace_id, span_id, span in spans_of(body)
        ]
        with database:
            database.executemany("INSERT INTO spans VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    cpu, seconds = time.process_time() - cpu, clock.monotonic_seconds() - began
    by_id = _time(database, "SELECT DISTINCT trace_id FROM spans LIMIT 200", _by_id)
    search = _time(
        database, "SELECT service, name, max(duration) / 2 FROM spans GROUP BY 1, 2", _search
    )
    database.close()
    return Floor(spans, cpu, seconds, path.stat().st_size, by_id, search)


def _first(bodies: Iterator[tuple[bytes, int]]) -> Iterator[tuple[bytes, int]]:
    spans = 0
    for body, count in bodies:
        yield body, count
        spans += count
        if spans >= _SPANS:
            return


def _time(database: sqlite3.Connection, choose: str, ask: object) -> Spread:
    assert callable(ask)
    milliseconds = []
    for parameters in islice(database.execute(choose).fetchall(), 200):
        started = time.perf_counter()
        ask(database, parameters)
        milliseconds.append((time.perf_counter() - started) * 1000)
    return spread_of(milliseconds)


def _by_id(database: sqlite3.Connection, parameters: tuple[object, ...]) -> None:
    for row in database.execute("SELECT * FROM spans WHERE trace_id = ?", parameters):
        orjson.loads(row[6])


def _search(database: sqlite3.Connection, parameters: tuple[object, ...]) -> None:
    for found in database.execute(_SEARCH, parameters).fetchall():
        _by_id(database, found)
