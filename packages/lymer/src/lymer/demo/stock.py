"""The inventory's database: real SQL, real locks, traced as a database client is.

Source: opentelemetry.io, "Semantic conventions for database client spans" 1.40.
"""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from opentelemetry.trace import Span, SpanKind, Tracer

from lymer.clock import monotonic_seconds

__all__ = ["PRODUCTS", "Stock"]

PRODUCTS: Final = {
    "teapot": 3400,
    "kettle": 5900,
    "cup": 900,
    "saucer": 600,
    "strainer": 1200,
    "tea-green": 1500,
    "tea-black": 1300,
}
"""Product → price in cents."""

_LOCK_TIMEOUT_SECONDS: Final = 8.0
_RESTOCK_BELOW: Final = 20
_RESTOCK_SECONDS: Final = (0.25, 0.7)
"""How long a restock keeps the write lock: what others wait for is what the demo shows."""
_REPORT_ROWS: Final = 250_000
"""Rows the slow query makes up and sorts: some hundred milliseconds of a slow machine's core."""

_UPDATE: Final = "UPDATE stock SET units = units - ? WHERE product = ? AND units >= ?"
_SELECT: Final = "SELECT product, units FROM stock ORDER BY product"
_SELECT_ONE: Final = "SELECT units FROM stock WHERE product = ?"
_RESTOCK: Final = "UPDATE stock SET units = units + 200"
_REPORT: Final = (
    "WITH RECURSIVE sale(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM sale WHERE n < ?) "
    "SELECT n % 7, count(*) FROM sale GROUP BY n % 7 ORDER BY 2 DESC"
)


class Stock:
    """Units of each product."""

    def __init__(self, tracer: Tracer, file: Path, draw: random.Random) -> None:
        """Fill the table."""
        self._tracer = tracer
        self._file = file
        self._draw = draw
        with closing(self._open()) as database, database:
            database.execute("CREATE TABLE stock (product TEXT PRIMARY KEY, units INTEGER)")
            database.executemany(
                "INSERT INTO stock VALUES (?, ?)", [(product, 120) for product in PRODUCTS]
            )

    def list_units(self) -> dict[str, int]:
        """Return product → units; now and then after a slow report, as an analyst would run it."""
        with closing(self._open()) as database:
            if self._draw.random() < 0.08:
                with self._span("SELECT", "sale", _REPORT):
                    database.execute(_REPORT, (_REPORT_ROWS,)).fetchall()
            with self._span("SELECT", "stock", _SELECT) as span:
                rows = database.execute(_SELECT).fetchall()
                span.set_attribute("db.response.returned_rows", len(rows))
        return dict(rows)

    def get_units(self, product: str) -> int | None:
        """Return the units of one product, None if there is no such product."""
        with closing(self._open()) as database, self._span("SELECT", "stock", _SELECT_ONE):
            row = database.execute(_SELECT_ONE, (product,)).fetchone()
        return None if row is None else int(row[0])

    def reserve(self, product: str, units: int) -> bool:
        """Take units off the shelf; waits for whoever holds the lock."""
        with closing(self._open()) as database:
            with self._span("UPDATE", "stock", _UPDATE) as span:
                asked = monotonic_seconds()
                database.execute("BEGIN IMMEDIATE")
                waited = monotonic_seconds() - asked
                if waited > 0.02:
                    span.add_event("lock acquired", {"lock.wait_seconds": round(waited, 4)})
                taken = database.execute(_UPDATE, (units, product, units)).rowcount > 0
                database.execute("COMMIT")
            left = self.get_units(product) or 0
            if left < _RESTOCK_BELOW or self._draw.random() < 0.1:
                self._restock(database)
        return taken

    def _restock(self, database: sqlite3.Connection) -> None:
        with self._span("UPDATE", "stock", _RESTOCK) as span:
            database.execute("BEGIN IMMEDIATE")
            database.execute(_RESTOCK)
            span.add_event("waiting for the warehouse", {"lock.held": True})
            time.sleep(self._draw.uniform(*_RESTOCK_SECONDS))
            database.execute("COMMIT")

    @contextmanager
    def _span(self, operation: str, table: str, query: str) -> Iterator[Span]:
        with self._tracer.start_as_current_span(
            f"{operation} {table}",
            kind=SpanKind.CLIENT,
            attributes={
                "db.system.name": "sqlite",
                "db.namespace": "inventory",
                "db.operation.name": operation,
                "db.collection.name": table,
                "db.query.text": query,
                "db.query.summary": f"{operation} {table}",
            },
        ) as span:
            yield span

    def _open(self) -> sqlite3.Connection:
        # No implicit transactions: BEGIN and COMMIT stand in the code above.
        return sqlite3.connect(self._file, timeout=_LOCK_TIMEOUT_SECONDS, isolation_level=None)
