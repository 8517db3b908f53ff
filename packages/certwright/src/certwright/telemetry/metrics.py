"""Every metric, under cert-manager's names, and the text that Prometheus reads.

The text is written here: prometheus-client ends the name of every counter with `_total` and knows
no summary with quantiles, and dashboards ask for the original's names (ADR 011).

Source: reference cert-manager.md 8.1; Prometheus documentation, "Exposition formats" 0.0.4.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal, TypeAlias

__all__ = ["CONTENT_TYPE", "METRICS", "Labels", "Metric", "Metrics"]

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

Labels: TypeAlias = tuple[tuple[str, str], ...]
"""In the order of exposition."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric."""

    name: str
    kind: Literal["counter", "gauge", "summary"]
    help: str


METRICS: Final = (
    Metric(
        "certmanager_certificate_expiration_timestamp_seconds",
        "gauge",
        "The date after which the certificate expires. Expressed as a Unix Epoch Time.",
    ),
    Metric("certmanager_certificate_ready_status", "gauge", "The ready status of the certificate."),
    Metric(
        "certmanager_certificate_renewal_timestamp_seconds",
        "gauge",
        "The number of seconds before expiration time the certificate should renew.",
    ),
    Metric(
        "certmanager_clock_time_seconds",
        "counter",
        "DEPRECATED: use clock_time_seconds_gauge instead. The clock time given in seconds (from"
        " 1970/01/01 UTC).",
    ),
    Metric(
        "certmanager_clock_time_seconds_gauge",
        "gauge",
        "The clock time given in seconds (from 1970/01/01 UTC).",
    ),
    Metric(
        "certmanager_controller_sync_call_count",
        "counter",
        "The number of sync() calls made by a controller.",
    ),
    Metric(
        "certmanager_controller_sync_error_count",
        "counter",
        "The number of errors encountered during controller sync().",
    ),
    Metric(
        "certmanager_http_acme_client_request_count",
        "counter",
        "The number of requests made by the ACME client.",
    ),
    Metric(
        "certmanager_http_acme_client_request_duration_seconds",
        "summary",
        "The HTTP request latencies in seconds for the ACME client.",
    ),
    Metric(
        "certmanager_http_venafi_client_request_duration_seconds",
        "summary",
        "The HTTP request latencies in seconds for the Venafi client.",
    ),
    Metric(
        "certwright_certificate_renewal_late",
        "gauge",
        "1 if half of the time is over that renewing the certificate should have had.",
    ),
)
"""By name. A metric without samples is not in the text, as in the original."""

QUANTILES: Final = (0.5, 0.9, 0.99)
SUMMARY_SECONDS: Final = 600.0
"""Quantiles are of the last ten minutes. Source: client_golang's `DefMaxAge`."""
SUMMARY_OBSERVATIONS_MAX: Final = 1000
"""Observations of one series that are kept for its quantiles."""


@dataclass(slots=True)
class _Summary:
    count: int = 0
    total: float = 0.0
    latest: deque[tuple[float, float]] = field(
        default_factory=lambda: deque(maxlen=SUMMARY_OBSERVATIONS_MAX)
    )
    """(when, value)."""


class Metrics:
    """All values. Written and read on the event loop only."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._counters: dict[str, dict[Labels, float]] = {}
        self._gauges: dict[Hashable, dict[tuple[str, Labels], float]] = {}
        self._summaries: dict[str, dict[Labels, _Summary]] = {}

    def count(self, name: str, labels: Labels = (), by: float = 1.0) -> None:
        """Raise a counter."""
        _known(name, "counter")
        series = self._counters.setdefault(name, {})
        series[labels] = series.get(labels, 0.0) + by

    def replace(self, owner: Hashable, samples: Iterable[tuple[str, Labels, float]]) -> None:
        """Replace all gauges that are known about `owner`; without samples it is forgotten."""
        found = {(name, labels): value for name, labels, value in samples}
        for name, _ in found:
            _known(name, "gauge")
        if found:
            self._gauges[owner] = found
        else:
            self._gauges.pop(owner, None)

    def observe(self, name: str, labels: Labels, value: float) -> None:
        """Add an observation to a summary."""
        _known(name, "summary")
        summary = self._summaries.setdefault(name, {}).setdefault(labels, _Summary())
        summary.count += 1
        summary.total += value
        summary.latest.append((self._now().timestamp(), value))

    def text(self) -> str:
        """Return everything in Prometheus' text format."""
        lines: list[str] = []
        series = {metric.name: list(self._series(metric)) for metric in METRICS}
        for metric in METRICS:
            if series[metric.name]:
                lines += [
                    f"# HELP {metric.name} {metric.help}",
                    f"# TYPE {metric.name} {metric.kind}",
                ]
                lines += sorted(series[metric.name])
        return "\n".join(lines) + "\n"

    def _series(self, metric: Metric) -> Iterator[str]:
        name = metric.name
        if name.startswith("certmanager_clock_time_seconds"):
            yield _line(name, (), float(int(self._now().timestamp())))
        elif metric.kind == "counter":
            for labels, value in self._counters.get(name, {}).items():
                yield _line(name, labels, value)
        elif metric.kind == "gauge":
            for samples in self._gauges.values():
                for (sample, labels), value in samples.items():
                    if sample == name:
                        yield _line(name, labels, value)
        else:
            for labels, summary in self._summaries.get(name, {}).items():
                yield from self._summary(name, labels, summary)

    def _summary(self, name: str, labels: Labels, summary: _Summary) -> Iterator[str]:
        since = self._now().timestamp() - SUMMARY_SECONDS
        values = sorted(value for when, value in summary.latest if when >= since)
        for quantile in QUANTILES:
            value = values[min(int(quantile * len(values)), len(values) - 1)] if values else None
            labelled = (*labels, ("quantile", f"{quantile:g}"))
            yield _line(name, labelled, float("nan") if value is None else value)
        yield _line(f"{name}_sum", labels, summary.total)
        yield _line(f"{name}_count", labels, float(summary.count))


def _known(name: str, kind: str) -> None:
    assert any(metric.name == name and metric.kind == kind for metric in METRICS), name


def _line(name: str, labels: Labels, value: float) -> str:
    inside = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels)
    return f"{name}{{{inside}}} {_number(value)}" if inside else f"{name} {_number(value)}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(value: float) -> str:
    if value != value:  # noqa: PLR0124  # the one number that is not itself
        return "NaN"
    return f"{int(value)}" if value == int(value) and abs(value) < 1e15 else repr(value)
