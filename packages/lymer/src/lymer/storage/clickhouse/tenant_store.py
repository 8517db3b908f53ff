"""The store of one tenant: writer, reader and rollups on one database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
from lymer.model.tail_policy import Policy
from lymer.model.throughput import OperationRate, Throughput
from lymer.storage.clickhouse.database import Database
from lymer.storage.clickhouse.reader import TRACES_PER_STATEMENT_MAX, SpanQueries
from lymer.storage.clickhouse.rollup import Rollups
from lymer.storage.clickhouse.schema_migration import migrate
from lymer.storage.clickhouse.tail import TailSampler
from lymer.storage.clickhouse.tail_rates import add_rates
from lymer.storage.clickhouse.throughput import put_rates, select_rates, select_throughput
from lymer.storage.clickhouse.writer import SegmentWriter

__all__ = ["StoreLimits", "TenantStore"]


@dataclass(frozen=True, slots=True)
class StoreLimits:
    """How long a store keeps spans, and what its statements may use."""

    retention_seconds: int
    """Spans are kept so long after they arrived, whole days at a time."""
    memory_bytes_max: int
    """What the engine may use; one load gets at most two thirds, one query at most half of it."""
    query_timeout_seconds: float = 30.0
    """A statement of a reader that runs longer fails."""


class TenantStore:
    """A `SpanWriter` and `SpanReader` on one database."""

    def __init__(self, database: Database, limits: StoreLimits) -> None:
        """Bring the schema up to date, making it if needed, and read how far the store has come."""
        memory_bytes_max = limits.memory_bytes_max
        migrate(database, limits.retention_seconds)
        self._writer = SegmentWriter(
            database,
            load_memory_bytes_max=memory_bytes_max * 2 // 3,
            retention_seconds=limits.retention_seconds,
        )
        self._queries = SpanQueries(
            database,
            timeout_seconds=limits.query_timeout_seconds,
            memory_bytes_max=memory_bytes_max // 2,
        )
        self._rollups = Rollups(database, memory_bytes_max=memory_bytes_max // 2)
        self._database = database
        self._memory_bytes_max = memory_bytes_max
        self._tail: TailSampler | None = None

    @property
    def settled_segment_id(self) -> int:
        """The highest segment known to be stored; 0 if none."""
        decided = self._tail.decided_segment_id if self._tail else 0
        return max(self._writer.settled_segment_id, decided)

    def sample_tails(self, policies: Sequence[Policy]) -> None:
        """Begin to decide on traces; what was stored before the first time stays."""
        tail = TailSampler(self._database, policies, memory_bytes_max=self._memory_bytes_max // 2)
        tail.begin_after(self._writer.settled_segment_id)
        self._tail = tail

    def count_throughput(self) -> None:
        """Begin to count what adaptive sampling asks for."""
        self._rollups.count_throughput(self._writer.settled_segment_id)

    def get_throughput(
        self, after_unix_seconds: int, upto_unix_seconds: int, /
    ) -> list[Throughput]:
        """See `SamplingStore.get_throughput`."""
        self.catch_up()
        return select_throughput(self._database, after_unix_seconds, upto_unix_seconds)

    def put_rates(self, rates: Sequence[OperationRate], unix_nano: int, /) -> None:
        """See `SamplingStore.put_rates`; what was computed last is what has the highest instant."""
        put_rates(self._database, rates, unix_nano)

    def get_rates(self) -> list[OperationRate]:
        """See `SamplingStore.get_rates`."""
        return select_rates(self._database)

    def decide_traces(self, upto: int, /) -> tuple[int, int]:
        """See `TailSampled.decide_traces`."""
        if self._tail is None:
            return 0, 0
        self.catch_up()  # rollups count what may be dropped
        return self._tail.decide(upto, self._writer.settled_segment_id)

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
        columns = parts[0] if len(parts) == 1 else _joined(parts)
        if self._tail is not None and not skeleton:
            add_rates(columns, self._queries.get_rates(columns.trace_id))
        return columns

    def get_span(self, trace_id: str, span_id: str, /) -> SpanColumns:
        """See `SpanReader.get_span`."""
        columns = self._queries.get_span(trace_id, span_id)
        if self._tail is not None:
            add_rates(columns, self._queries.get_rates(columns.trace_id))
        return columns

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
