"""Metrics of what an agent sends on; names of Jaeger's agent stand beside ours where they fit.

Source: reference jaeger.md 8.2.
"""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

__all__ = ["ForwardMetrics"]

_SECONDS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)


class ForwardMetrics:
    """Made in the registry of a process that forwards."""

    def __init__(self, registry: CollectorRegistry, protocol: str) -> None:
        """Make every metric; `protocol` is the label that Jaeger's names carry."""
        self.spans: Final = Counter(
            "lymer_forward_spans", "Spans a collector has acknowledged.", registry=registry
        )
        self.requests: Final = Counter(
            "lymer_forward_requests",
            "Requests sent, by outcome: accepted, repeat (will be sent again; look at the log), "
            "refused (sent again in halves, then quarantined), too_large (sent in halves).",
            ["outcome"],
            registry=registry,
        )
        self.quarantined: Final = Counter(
            "lymer_forward_quarantined_requests",
            "Acknowledged requests no collector takes; they lie in the quarantine folder.",
            registry=registry,
        )
        self.rejected_spans: Final = Counter(
            "lymer_forward_rejected_spans",
            "Spans a collector acknowledged and said it has thrown away: look there.",
            registry=registry,
        )
        self.lost_bytes: Final = Counter(
            "lymer_forward_lost_bytes",
            "Bytes of the buffer the disk has changed: look at the disk.",
            registry=registry,
        )
        self.seconds: Final = Histogram(
            "lymer_forward_request_seconds",
            "Time a collector took to acknowledge a request.",
            registry=registry,
            buckets=_SECONDS,
        )
        self.moved: Final = Counter(
            "lymer_forward_moved_segments",
            "Segments that went on to another collector because theirs was away.",
            registry=registry,
        )
        self.collectors: Final = Gauge(
            "lymer_forward_collectors", "Addresses of collectors that are known.", registry=registry
        )
        self.working: Final = Gauge(
            "lymer_forward_collectors_working",
            "Those whose last answer was no failure. None for minutes: spans gather on our disk.",
            registry=registry,
        )
        self.crashes: Final = Counter(
            "lymer_forward_crashes", "Bugs caught while forwarding: report them.", registry=registry
        )
        labels = {"format": "jaeger", "protocol": protocol}
        self._jaeger_batches: Final = _jaeger(registry, "batches_submitted")
        self._jaeger_spans: Final = _jaeger(registry, "spans_submitted")
        self._jaeger_batch_failures: Final = _jaeger(registry, "batches_failures")
        self._jaeger_span_failures: Final = _jaeger(registry, "spans_failures")
        self._labels = labels
        self.jaeger_connected: Final = Gauge(
            "jaeger_agent_connection_status_collector_connected",
            "1 if a collector works, else 0; as Jaeger's agent.",
            registry=registry,
        )

    def accepted(self, span_count: int, seconds: float) -> None:
        """Count a request that a collector has."""
        self.spans.inc(span_count)
        self.requests.labels("accepted").inc()
        self.seconds.observe(seconds)
        self._jaeger_batches.labels(**self._labels).inc()
        self._jaeger_spans.labels(**self._labels).inc(span_count)

    def failed(self, outcome: str, span_count: int) -> None:
        """Count a request that a collector has not."""
        self.requests.labels(outcome).inc()
        self._jaeger_batch_failures.labels(**self._labels).inc()
        self._jaeger_span_failures.labels(**self._labels).inc(span_count)


def _jaeger(registry: CollectorRegistry, name: str) -> Counter:
    return Counter(
        f"jaeger_agent_reporter_{name}",
        "As Jaeger's agent counts it; a request that is repeated counts each time.",
        ["format", "protocol"],
        registry=registry,
    )
