"""Every metric Lymer exposes on `/metrics`, with its unit and what to do about it.

Names of what Jaeger v2 exposes too are the OpenTelemetry Collector's, so dashboards go on working.
"""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from lymer.telemetry.kafka_metrics import KafkaMetrics
from lymer.telemetry.sampling_metrics import SamplingMetrics
from lymer.telemetry.security_metrics import SecurityMetrics

__all__ = ["Metrics"]

_SECONDS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)


class Metrics:
    """The metrics of one process, in a registry of their own."""

    def __init__(self, version: str) -> None:
        """Make every metric; they are zero until something happens."""
        self.registry: Final = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        build = Gauge(
            "lymer_build_info",
            "Always 1; the version is a label.",
            ["version"],
            registry=self.registry,
        )
        build.labels(version).set(1)
        self.security: Final = SecurityMetrics(self.registry)
        self.kafka: Final = KafkaMetrics(self.registry)
        self.sampling: Final = SamplingMetrics(self.registry)
        self.accepted_spans: Final = self._counter(
            "otelcol_receiver_accepted_spans",
            "Spans acknowledged to their sender.",
            ["receiver", "transport"],
        )
        self.refused_spans: Final = self._counter(
            "otelcol_receiver_refused_spans",
            "Spans of requests that were understood and turned away; senders retry them.",
            ["receiver", "transport"],
        )
        self.refused_requests: Final = self._counter(
            "lymer_receiver_refused_requests",
            "Requests turned away, by reason: overloaded (grow the machine or the backlog), "
            "undecodable or too_large (look at the sender), tenant (it names none or a wrong "
            "one).",
            ["receiver", "transport", "reason"],
        )
        self.received_bytes: Final = self._counter(
            "lymer_receiver_bytes",
            "Bytes of acknowledged requests, decompressed, as OTLP protobuf.",
            ["receiver", "transport"],
        )
        self.repeated_spans: Final = self._counter(
            "lymer_receiver_repeated_spans",
            "Spans an agent sent again that were there already: answered with OK, stored once.",
        )
        self.in_flight_bytes: Final = self._gauge(
            "lymer_receiver_in_flight_bytes", "Bytes of requests being received or made durable."
        )
        self.loop_lag_seconds: Final = Histogram(
            "lymer_event_loop_lag_seconds",
            "How late the event loop is, looked at twice a second: everybody waits so long.",
            registry=self.registry,
            buckets=_SECONDS,
        )
        self.commit_seconds: Final = Histogram(
            "lymer_receiver_durable_seconds",
            "From a request being read to it being durable. Slow: look at the disk.",
            registry=self.registry,
            buckets=_SECONDS,
        )
        self.backlog_bytes: Final = self._gauge(
            "lymer_journal_backlog_bytes",
            "Bytes acknowledged and not yet stored. Rising for minutes: the store is too slow.",
        )
        self.journal_commits: Final = self._gauge(
            "lymer_journal_commits", "Groups of requests made durable since the start."
        )
        self.journal_failures: Final = self._gauge(
            "lymer_journal_write_failures", "Groups the disk refused since the start: look at it."
        )
        self.stored_spans: Final = self._counter(
            "lymer_store_spans", "Spans stored and searchable."
        )
        self.stored_segments: Final = self._counter("lymer_store_segments", "Segments stored.")
        self.store_seconds: Final = Histogram(
            "lymer_store_segment_seconds",
            "Time to store one segment.",
            registry=self.registry,
            buckets=_SECONDS,
        )
        self.store_failures: Final = self._counter(
            "lymer_store_failures",
            "Attempts to store a segment that failed and will be repeated; the log says why.",
        )
        self.quarantined_requests: Final = self._counter(
            "lymer_quarantine_requests",
            "Acknowledged requests the store cannot take; they lie in the quarantine folder.",
        )
        self.rollup_failures: Final = self._counter(
            "lymer_rollup_failures", "Steps of the rollups that failed and will be repeated."
        )
        self.tail_traces: Final = self._counter(
            "lymer_tail_traces", "Traces that tail sampling decided on.", ["decision"]
        )
        self.tail_failures: Final = self._counter(
            "lymer_tail_failures", "Steps of tail sampling that failed and will be repeated."
        )
        self.worker_crashes: Final = self._counter(
            "lymer_worker_crashes", "Bugs caught in background work: report them.", ["worker"]
        )

    def _counter(self, name: str, text: str, labels: list[str] | None = None) -> Counter:
        return Counter(name, text, labels or [], registry=self.registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(name, text, registry=self.registry)
