"""The store on a ClickHouse engine: writer, reader and rollups as one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lymer.model.columns import SpanColumns
from lymer.model.question import (
    DependencyLink,
    FoundTrace,
    Operation,
    OperationRed,
    TraceQuestion,
    TraceSummary,
)
from lymer.model.segment import SealedSegment
from lymer.storage.clickhouse.engine import Engine
from lymer.storage.clickhouse.reader import TRACES_PER_STATEMENT_MAX, SpanQueries
from lymer.storage.clickhouse.rollup import Rollups
from lymer.storage.clickhouse.schema_migration import migrate
from lymer.storage.clickhouse.writer import SegmentWriter
from lymer.telemetry.logs import EventLog

__all__ = ["ClickHouseStore"]

_log = EventLog(__name__)


class ClickHouseStore:
    """A `SpanWriter` and `SpanReader` on an `Engine`, which it owns."""

    def __init__(
        self,
        engine: Engine,
        *,
        retention_seconds: int,
        memory_bytes_max: int,
        query_timeout_seconds: float = 30.0,
    ) -> None:
        """Bring the schema up to date and read how far the store has come.

        Args:
            engine: Closed by `close`.
            retention_seconds: Spans are kept so long after they arrived, whole days at a time.
            memory_bytes_max: What the engine may use; one load gets at most two thirds, one
                query at most half of it.
            query_timeout_seconds: A statement of a reader that runs longer fails.
        """
        self._engine = engine
        migrate(engine, retention_seconds)
        self._warn_of_detached_parts()
        self._writer = SegmentWriter(
            engine,
            load_memory_bytes_max=memory_bytes_max * 2 // 3,
            retention_seconds=retention_seconds,
        )
        self._queries = SpanQueries(
            engine, timeout_seconds=query_timeout_seconds, memory_bytes_max=memory_bytes_max // 2
        )
        self._rollups = Rollups(engine, memory_bytes_max=memory_bytes_max // 2)

    @property
    def settled_segment_id(self) -> int:
        """The highest segment known to be stored; 0 if none."""
        return self._writer.settled_segment_id

    def write_segment(self, segment: SealedSegment, /) -> None:
        """See `SpanWriter.write_segment`."""
        self._writer.write_segment(segment)

    def recover_segment(self, segment: SealedSegment, /) -> None:
        """See `SpanWriter.recover_segment`."""
        self._writer.recover_segment(segment)

    def can_decode(self, path: Path, /) -> bool:
        """See `SpanWriter.can_decode`."""
        return self._writer.can_decode(path)

    def catch_up(self) -> bool:
        """Bring the rollups up to what is stored; return whether there was anything to do."""
        settled = self._writer.settled_segment_id
        if not self._rollups.behind(settled):
            return False
        self._rollups.catch_up(settled)
        return True

    def get_services(self) -> list[str]:
        """See `SpanReader.get_services`."""
        return self._queries.get_services()

    def get_operations(self, service: str, span_kind: str, /) -> list[Operation]:
        """See `SpanReader.get_operations`."""
        return self._queries.get_operations(service, span_kind)

    def find_traces(self, question: TraceQuestion, /) -> list[FoundTrace]:
        """See `SpanReader.find_traces`."""
        return self._queries.find_traces(question)

    def get_traces(self, trace_ids: Sequence[str], /, *, raw: bool, skeleton: bool) -> SpanColumns:
        """See `SpanReader.get_traces`."""
        parts = [
            self._queries.get_traces(chunk, raw=raw, skeleton=skeleton)
            for chunk in _chunks(trace_ids)
        ]
        return parts[0] if len(parts) == 1 else _joined(parts)

    def get_span(self, trace_id: str, span_id: str, /) -> SpanColumns:
        """See `SpanReader.get_span`."""
        return self._queries.get_span(trace_id, span_id)

    def get_summaries(self, trace_ids: Sequence[str], /) -> list[TraceSummary]:
        """See `SpanReader.get_summaries`."""
        return [
            summary
            for chunk in _chunks(trace_ids)
            for summary in self._queries.get_summaries(chunk)
        ]

    def get_dependencies(self, start_unix_nano: int, end_unix_nano: int, /) -> list[DependencyLink]:
        """See `SpanReader.get_dependencies`."""
        self.catch_up()
        return self._queries.get_dependencies(start_unix_nano, end_unix_nano)

    def get_red(
        self, start_unix_nano: int, end_unix_nano: int, service: str, /
    ) -> list[OperationRed]:
        """See `SpanReader.get_red`."""
        self.catch_up()
        return self._queries.get_red(start_unix_nano, end_unix_nano, service)

    def get_otlp(self, trace_ids: Sequence[str], /) -> bytes:
        """See `SpanReader.get_otlp`; protobuf messages of chunks are one when put together."""
        return b"".join(self._queries.get_otlp(chunk) for chunk in _chunks(trace_ids))

    def check(self) -> None:
        """Return if the store is likely to answer now; raise `StorageError` if not."""
        self._engine.check()

    def close(self) -> None:
        """Close the engine; idempotent."""
        self._engine.close()

    def _warn_of_detached_parts(self) -> None:
        """Say loudly what the engine set aside: rows are missing from every answer."""
        output = self._engine.query(
            "SELECT table, name, reason FROM system.detached_parts WHERE database = 'lymer' "
            "FORMAT TSV",
            {},
            {},
        )
        for line in output.decode(errors="replace").splitlines():
            _log.error("part set aside by the engine, its rows are missing", part=line)


def _chunks(trace_ids: Sequence[str]) -> list[Sequence[str]]:
    known = list(dict.fromkeys(trace_ids))
    return [
        known[start : start + TRACES_PER_STATEMENT_MAX]
        for start in range(0, max(len(known), 1), TRACES_PER_STATEMENT_MAX)
    ]


def _joined(parts: Sequence[SpanColumns]) -> SpanColumns:
    """Put columns behind one another; process indices move along."""
    whole = SpanColumns()
    for part in parts:
        offset = len(whole.process_json)
        for name in SpanColumns.__slots__:
            if name != "process":
                getattr(whole, name).extend(getattr(part, name))
        whole.process.extend(index + offset for index in part.process)
    return whole
