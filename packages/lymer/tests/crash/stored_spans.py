"""What a store holds, read from its folder while no Lymer runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from crash.numbered_load import INDEX_BITS
from fakes.engine_lines import engine_lines
from lymer.storage.clickhouse.engine import Engine
from lymer.storage.clickhouse.engine_chdb import ChdbEngine
from lymer.storage.clickhouse.store import ClickHouseStore

__all__ = ["StoredSpans", "open_stored_spans"]

_MEMORY_BYTES_MAX: Final = 600 * 2**20
_RED: Final = "service, name, kind, minute, calls, errors, durations"


class StoredSpans:
    """Questions to the tables themselves, past all that Lymer does when it reads."""

    def __init__(self, engine: Engine) -> None:
        """Ask through `engine`."""
        self._engine = engine

    def requests(self) -> dict[int, tuple[int, int, int]]:
        """Return number of request → rows, different spans, sum of their places in it."""
        number = "reinterpretAsUInt64(reverse(span_id))"
        return {
            row[0]: (row[1], row[2], row[3])
            for row in self._numbers(
                f"SELECT bitShiftRight({number}, {INDEX_BITS}) AS request, count(), "
                f"uniqExact(trace_id, span_id), sum(bitAnd({number}, {2**INDEX_BITS - 1})) "
                "FROM lymer.spans GROUP BY request"
            )
        }

    def count(self) -> int:
        """Return the number of rows."""
        ((count,),) = self._numbers("SELECT count() FROM lymer.spans")
        return count

    def red_rolled_up(self) -> list[str]:
        """Return the minute rollup, sorted."""
        return self._lines(
            f"SELECT {_RED} FROM (SELECT service, name, kind, minute, sum(calls) AS calls, "
            "sum(errors) AS errors, sum(duration_sum) AS durations FROM lymer.red "
            "GROUP BY service, name, kind, minute) WHERE calls > 0 ORDER BY ALL"
        )

    def red_recounted(self) -> list[str]:
        """Return what the minute rollup should say, counted from the spans."""
        return self._lines(
            f"SELECT {_RED} FROM (SELECT service, name, kind, "
            "intDiv(start, 60000000000) AS minute, count() AS calls, "
            "countIf(status = 2) AS errors, sum(duration) AS durations FROM lymer.spans "
            "GROUP BY service, name, kind, minute) ORDER BY ALL"
        )

    def dependencies_rolled_up(self) -> list[str]:
        """Return the calls between services, sorted."""
        return self._lines(
            "SELECT parent, child, sum(calls) AS total FROM lymer.dependencies "
            "GROUP BY parent, child HAVING total > 0 ORDER BY ALL"
        )

    def dependencies_recounted(self) -> list[str]:
        """Return what the rollup of calls should say, counted from the spans."""
        return self._lines(
            "SELECT p.service AS parent, c.service AS child, count() FROM lymer.spans AS c "
            "INNER JOIN lymer.spans AS p "
            "ON p.trace_id = c.trace_id AND p.span_id = c.parent_span_id "
            "GROUP BY parent, child ORDER BY ALL"
        )

    def operations_missing(self) -> list[str]:
        """Return operations of spans that the list of operations lacks."""
        return self._lines(
            "SELECT DISTINCT service, name, kind FROM lymer.spans WHERE "
            "(service, name, kind) NOT IN (SELECT service, name, kind FROM lymer.operations)"
        )

    def _numbers(self, statement: str) -> Iterator[tuple[int, ...]]:
        for line in self._lines(statement):
            yield tuple(map(int, line.split("\t")))

    def _lines(self, statement: str) -> list[str]:
        return engine_lines(self._engine, statement)


@contextmanager
def open_stored_spans(data_dir: Path) -> Iterator[StoredSpans]:
    """Open the store of a stopped Lymer; its rollups are brought up to date first."""
    engine = ChdbEngine(data_dir / "store", memory_bytes_max=_MEMORY_BYTES_MAX)
    store = ClickHouseStore(engine, retention_seconds=604_800, memory_bytes_max=_MEMORY_BYTES_MAX)
    try:
        store.catch_up()
        yield StoredSpans(engine)
    finally:
        store.close()
