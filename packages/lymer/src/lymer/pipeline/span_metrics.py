"""Rate, errors and duration of stored spans, and the edges of the service graph, as metrics.

Names and labels are those of the Collector's span-metrics connector and of Tempo's metrics
generator, so their dashboards, Jaeger's monitor and Grafana's service graph read them.

Source: opentelemetry-collector-contrib v0.155, `connector/spanmetricsconnector`; Grafana Tempo 2.9,
`modules/generator/processor/servicegraphs`; reference jaeger.md 6.1.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar

from lymer.errors import LymerError
from lymer.model.graph import GraphEdge
from lymer.model.span_counts import (
    DURATION_BOUNDS_MS,
    NATIVE_SCHEMA,
    EdgeCount,
    NewCounts,
    SpanCount,
)
from lymer.telemetry.exposition import Labels, NativeFamily, NativeHistogram

__all__ = ["SpanMetrics"]

_EDGE_BOUNDS_SECONDS: Final = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8)
_KINDS: Final = {
    "database": "database",
    "messaging": "messaging_system",
    "external": "virtual_node",
}
"""Tempo's types of connections by kind of node."""
_STATUSES: Final = ("STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR")
_OVERFLOW: Final[Labels] = (("otel_metric_overflow", "true"),)
"""What comes when there are as many series as may be is counted here."""
_EDGE_MINUTES: Final = 60
"""Edges of a minute are looked at so long for changes."""


@dataclass(slots=True)
class _Histogram:
    """Counts by classic bucket and by exponential one."""

    classic: list[int]
    native: dict[int, int] = field(default_factory=dict)
    sum: float = 0.0
    exemplars: dict[int, Exemplar] = field(default_factory=dict)

    def add(self, classic: int, native: int, count: int) -> None:
        self.classic[classic] += count
        self.native[native] = self.native.get(native, 0) + count


@dataclass(slots=True)
class _Edge:
    """Sums of one edge; what is shown never goes down."""

    calls: float = 0.0
    errors: float = 0.0
    shown_calls: float = 0.0
    shown_errors: float = 0.0
    is_leaf: bool = False
    durations: _Histogram = field(
        default_factory=lambda: _Histogram([0] * (len(_EDGE_BOUNDS_SECONDS) + 1))
    )


class SpanMetrics(Collector):
    """Collects what was stored since the last scrape; thread-safe, and blocks while it does."""

    def __init__(
        self,
        look: Callable[[], Iterable[NewCounts]],
        *,
        namespace: str,
        series_max: int,
        with_tenants: bool,
    ) -> None:
        """Begin at nothing.

        Args:
            look: Returns what is new since it was called last.
            namespace: What names of span metrics begin with.
            series_max: Operations with kind and status, and edges; further ones are counted
                together.
            with_tenants: Whether each series says whose it is.
        """
        self._look = look
        self._namespace = namespace
        self._series_max = series_max
        self._with_tenants = with_tenants
        self._lock = threading.Lock()
        self._spans: dict[Labels, _Histogram] = {}
        self._edges: dict[Labels, _Edge] = {}
        self._failures = 0
        self._was_scraped = False
        self._known: dict[tuple[str, int, tuple[str, ...]], GraphEdge] = {}

    def describe(self) -> Iterable[Metric]:
        """Say nothing: names are known when there is something."""
        return ()

    def catch_up(self) -> None:
        """Count what is new, for whoever is about to delete spans; only where somebody scrapes."""
        with self._lock:
            if self._was_scraped:
                self._count()

    def _count(self) -> None:
        try:
            for new in self._look():
                self._add(new)
        except LymerError:  # other metrics are needed now more than ever
            self._failures += 1

    def collect(self) -> Iterator[Metric]:
        """Count what is new and yield all."""
        with self._lock:
            self._was_scraped = True
            self._count()
            yield from self._span_families()
            yield from self._edge_families()
            failures = Metric(
                "lymer_span_metrics_failures",
                "Scrapes for which the store could not be asked; spans are counted later.",
                "counter",
            )
            failures.add_sample("lymer_span_metrics_failures_total", {}, self._failures)
            yield failures

    def _add(self, new: NewCounts) -> None:
        whose = (("tenant", new.tenant),) if self._with_tenants else ()
        for count in new.spans:
            self._add_span(whose, count)
        newest = max((one.minute for one in new.edges), default=0)
        for one in new.edges:
            self._add_edge(whose, new.tenant, one)
        for key in [key for key in self._known if key[0] == new.tenant]:
            if key[1] < newest - _EDGE_MINUTES:
                del self._known[key]

    def _add_span(self, whose: Labels, count: SpanCount) -> None:
        labels: Labels = (
            *whose,
            ("service_name", count.service),
            ("span_kind", f"SPAN_KIND_{count.span_kind.upper()}"),
            ("span_name", count.operation),
            ("status_code", _STATUSES[count.status] if 0 <= count.status <= 2 else _STATUSES[0]),
        )
        if labels not in self._spans and len(self._spans) >= self._series_max:
            labels = _OVERFLOW
        histogram = self._spans.setdefault(labels, _Histogram([0] * (len(DURATION_BOUNDS_MS) + 1)))
        histogram.add(count.classic, count.native, count.calls)
        histogram.sum += count.duration_ms_sum
        ids = {"trace_id": count.trace_id, "span_id": count.span_id}
        histogram.exemplars[count.classic] = Exemplar(
            ids, count.duration_ms, count.start_unix_nano / 1e9
        )

    def _add_edge(self, whose: Labels, tenant: str, one: EdgeCount) -> None:
        edge = one.edge
        ends = (edge.source_kind, edge.source, edge.target_kind, edge.target, edge.type)
        key = (tenant, one.minute, ends)
        before = self._known.get(key)
        self._known[key] = edge
        kinds = {edge.source_kind, edge.target_kind} - {"service"}
        labels: Labels = (
            *whose,
            ("client", edge.source),
            ("server", edge.target),
            ("connection_type", _KINDS[kinds.pop()] if kinds else ""),
        )
        if labels not in self._edges and len(self._edges) >= self._series_max:
            labels = _OVERFLOW
        sums = self._edges.setdefault(labels, _Edge(is_leaf=edge.target_kind != "service"))
        sums.calls += edge.calls - (before.calls if before else 0)
        sums.errors += edge.errors - (before.errors if before else 0)
        sums.shown_calls = max(sums.shown_calls, sums.calls)
        sums.shown_errors = max(sums.shown_errors, sums.errors)
        old = dict(before.buckets) if before else {}
        for bucket, count in edge.buckets:
            more = round(count - old.get(bucket, 0.0))
            if more > 0:
                seconds = (2 ** ((bucket + 0.5) / 8) - 1) / 1e9
                place = next(
                    (n for n, bound in enumerate(_EDGE_BOUNDS_SECONDS) if seconds <= bound),
                    len(_EDGE_BOUNDS_SECONDS),
                )
                sums.durations.add(place, math.ceil(math.log2(seconds) * 8), more)
        more_time = edge.duration_nano_sum - (before.duration_nano_sum if before else 0.0)
        sums.durations.sum += max(more_time, 0.0) / 1e9

    def _span_families(self) -> Iterator[Metric]:
        calls = Metric(f"{self._namespace}_calls", "Spans that were stored.", "counter")
        durations = NativeFamily(
            f"{self._namespace}_duration_milliseconds", "How long they took, milliseconds."
        )
        for labels, histogram in self._spans.items():
            calls.add_sample(f"{calls.name}_total", dict(labels), sum(histogram.classic))
            _add_histogram(durations, labels, histogram, DURATION_BOUNDS_MS)
        yield calls
        yield durations

    def _edge_families(self) -> Iterator[Metric]:
        name = "traces_service_graph_request"
        total = Metric(name, "Calls from one service to another.", "counter")
        failed = Metric(f"{name}_failed", "Calls of these that failed.", "counter")
        server = NativeFamily(f"{name}_server_seconds", "How long the one below took, seconds.")
        client = NativeFamily(
            f"{name}_client_seconds",
            "How long the caller waited, seconds, where the one below is no service.",
        )
        for labels, edge in self._edges.items():
            total.add_sample(f"{name}_total", dict(labels), edge.shown_calls)
            failed.add_sample(f"{name}_failed_total", dict(labels), edge.shown_errors)
            _add_histogram(
                client if edge.is_leaf else server, labels, edge.durations, _EDGE_BOUNDS_SECONDS
            )
        yield from (total, failed, server, client)


def _add_histogram(
    family: NativeFamily, labels: Labels, histogram: _Histogram, bounds: Iterable[float]
) -> None:
    seen = 0
    for place, bound in enumerate((*bounds, math.inf)):
        seen += histogram.classic[place]
        le = "+Inf" if bound == math.inf else repr(float(bound))
        family.add_sample(
            f"{family.name}_bucket",
            {**dict(labels), "le": le},
            seen,
            exemplar=histogram.exemplars.get(place),
        )
    family.add_sample(f"{family.name}_count", dict(labels), seen)
    family.add_sample(f"{family.name}_sum", dict(labels), histogram.sum)
    family.native[labels] = NativeHistogram(NATIVE_SCHEMA, histogram.native)
