"""One tenant of the store: its database, and all that works on it."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from lymer import clock
from lymer.model.throughput import OperationRate, Throughput, merge_throughput
from lymer.storage.clickhouse.deletion import Deletions
from lymer.storage.clickhouse.engine import Engine
from lymer.storage.clickhouse.expiry import Expiry
from lymer.storage.clickhouse.reader import TenantReader
from lymer.storage.clickhouse.rollup import Rollups
from lymer.storage.clickhouse.span_counts import SpanCounts
from lymer.storage.clickhouse.statements import WINDOW_SPANS_MAX
from lymer.storage.clickhouse.tail import TailSampler
from lymer.storage.clickhouse.tenants import database_of
from lymer.storage.clickhouse.throughput import put_rates, select_rates, select_throughput
from lymer.storage.clickhouse.writer import SegmentWriter
from lymer.tenancy import DEFAULT_TENANT

__all__ = ["OpenTenant", "TenantsSampling"]

_UNCOUNTED_SPANS_MAX: Final = 20_000
_UNCOUNTED_SECONDS_MAX: Final = 60.0
"""Rollups are brought up to date though nobody asks when so many spans are not counted, or for so
long. Until then a reader counts them in a tenth of a second; each step costs as much."""


@dataclass(slots=True)
class OpenTenant:
    """One tenant's parts, which share a database."""

    database: str
    writer: SegmentWriter
    rollups: Rollups
    reader: TenantReader
    expiry: Expiry
    deletions: Deletions
    counts: SpanCounts
    changing: threading.Lock = field(default_factory=threading.Lock)
    """Held by whoever deletes spans: tail sampling, or somebody who asked for it."""
    tail: TailSampler | None = None
    counted_spans: int = 0
    """Of `writer.stored_spans`, when the rollups were last brought up to date here."""
    counted_seconds: float = -math.inf
    calls_counted_spans: int = 0

    def is_due(self) -> bool:
        """Tell whether rollups should be brought up to date though nobody asks."""
        age = clock.monotonic_seconds() - self.counted_seconds
        return (
            age >= _UNCOUNTED_SECONDS_MAX
            or self.writer.stored_spans - self.counted_spans >= _UNCOUNTED_SPANS_MAX
        )

    def catch_up(self, calls_age_seconds_max: float = 0.0) -> bool:
        """Bring every rollup up to what is stored; one that fails does not stop the others.

        Calls that were counted less than `calls_age_seconds_max` ago are left as they are, unless
        there are many.
        """
        stored, settled = self.writer.stored_spans, self.writer.settled_segment_id
        if stored - self.calls_counted_spans >= WINDOW_SPANS_MAX:
            calls_age_seconds_max = 0.0
        counted = self.rollups.catch_up_all(settled, calls_age_seconds_max)
        self.counted_spans, self.counted_seconds = stored, clock.monotonic_seconds()
        if not calls_age_seconds_max:
            self.calls_counted_spans = stored
        return counted


class TenantsSampling:
    """A `SamplingStore`: throughput of all tenants, and rates in the default tenant's database."""

    def __init__(self, engine: Engine, tenants: Callable[[], list[OpenTenant]]) -> None:
        self._engine = engine
        self._tenants = tenants

    def get_throughput(
        self, after_unix_seconds: int, upto_unix_seconds: int, /
    ) -> list[Throughput]:
        """See `SamplingStore.get_throughput`."""
        parts = []
        for tenant in self._tenants():
            tenant.rollups.catch_up("throughput", tenant.writer.settled_segment_id)
            parts.append(
                select_throughput(
                    self._engine, tenant.database, after_unix_seconds, upto_unix_seconds
                )
            )
        return merge_throughput(parts)

    def put_rates(self, rates: Sequence[OperationRate], /) -> None:
        """See `SamplingStore.put_rates`; what was computed last has the highest instant."""
        put_rates(self._engine, database_of(DEFAULT_TENANT), rates, clock.unix_nano())

    def get_rates(self) -> list[OperationRate]:
        """See `SamplingStore.get_rates`."""
        return select_rates(self._engine, database_of(DEFAULT_TENANT))
