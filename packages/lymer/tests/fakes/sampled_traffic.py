"""Traffic of which a part was kept, and the truth about all of it: nothing else is ever made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from lymer.language.parsing import parse
from lymer.query.service_graph import quantile_nano
from lymer.storage.contract import SpanReader
from lymer.storage.search_contract import SeriesQuestion
from make import START, make_request, make_span

__all__ = ["SampledTraffic", "deviations", "sampled_traffic"]

_ALL = 2**56
_MINUTE = 60 * 10**9
_SERVICES = ("web", "shop")
_QUANTILES = (0.5, 0.95)
_REQUEST_TRACES = 500
_ERRORS = 0.04
"""Part of the traces that fail."""


@dataclass(frozen=True)
class SampledTraffic:
    """Traces of two spans, `web` calls `shop`; of one in `one_in` both are sent."""

    durations: Mapping[str, NDArray[np.int64]]
    """By service, of all spans, nanoseconds."""
    is_error: NDArray[np.bool_]
    """Of all traces: its span of `shop` failed."""
    kept: NDArray[np.int64]
    """Places of the traces that are sent."""
    threshold: int
    keeps_errors: bool
    """Whether all traces with an error are sent, and stand for themselves: as tail samplers do."""

    @property
    def spans(self) -> int:
        """How many there were."""
        return 2 * len(self.is_error)

    def requests(self) -> Iterator[ExportTraceServiceRequest]:
        """Yield what is sent."""
        digits = f"{self.threshold:014x}".rstrip("0") or "0"
        state = f"ot=th:{digits}"
        for first in range(0, len(self.kept), _REQUEST_TRACES):
            some = self.kept[first : first + _REQUEST_TRACES].tolist()
            for span, service in enumerate(_SERVICES, 1):
                lasts = self.durations[service]
                yield make_request(
                    *(
                        make_span(
                            one + 1, span, span - 1, kind=2,
                            trace_state="" if self.keeps_errors and self.is_error[one] else state,
                            offset_nano=one % 50 * 10**9, duration_nano=int(lasts[one]),
                            status=2 if service == "shop" and self.is_error[one] else 0,
                        )
                        for one in some
                    ),
                    service=service,
                )  # fmt: skip


def sampled_traffic(
    seed: int, traces: int, one_in: int, *, keeps_errors: bool = False
) -> SampledTraffic:
    """Return traffic; the same for the same numbers. Randomness decides as OpenTelemetry says."""
    chance = np.random.default_rng(seed)
    durations = {
        service: np.exp(chance.normal(np.log(center), 0.5, traces)).astype(np.int64)
        for service, center in zip(_SERVICES, (20e6, 8e6), strict=True)
    }
    threshold = _ALL - _ALL // one_in
    randomness = chance.integers(0, _ALL, traces)
    is_error = chance.random(traces) < _ERRORS
    is_kept = randomness >= threshold
    if keeps_errors:
        is_kept |= is_error
    return SampledTraffic(durations, is_error, np.flatnonzero(is_kept), threshold, keeps_errors)


def deviations(reader: SpanReader, traffic: SampledTraffic) -> dict[str, float]:
    """Return how far each number that the store tells is off the truth, as a part of it."""
    traces, errors = len(traffic.is_error), int(traffic.is_error.sum())
    window = START - _MINUTE, START + 2 * _MINUTE
    found: dict[str, float] = {}

    def told(what: str, value: float, truth: float) -> None:
        found[what] = value / truth - 1

    for red in reader.get_red(*window, ""):
        told(f"RED calls of {red.service}", red.call_count, traces)
        total = traffic.durations[red.service].sum()
        told(f"RED durations of {red.service}", red.duration_nano_sum, float(total))
        if red.service == "shop":
            told("RED errors", red.error_count, errors)
    for edge in reader.get_graph(*window):
        if edge.source_kind:
            told("graph calls", edge.calls, traces)
            told("graph errors", edge.errors, errors)
            for one in _QUANTILES:
                truth = float(np.quantile(traffic.durations["shop"], one))
                told(f"graph quantile {one}", quantile_nano(edge.buckets, one) or 0, truth)
    for function in (
        "rate()", "sum_over_time(duration)", "avg_over_time(duration)",
        f"quantile_over_time(duration, {', '.join(map(str, _QUANTILES))})",
    ):  # fmt: skip
        text = f"{{ }} | {function} by (resource.service.name)"
        question = SeriesQuestion(parse(text), *window, step_nano=0, text=text)
        for series in reader.get_series(question).series:
            labels = dict(series.labels)
            service = labels["resource.service.name"]
            assert service is not None
            lasts = traffic.durations[service[1]] / 1e9
            ((_, value),) = series.samples
            truths = {
                "rate()": traces / ((window[1] - window[0]) / 1e9),
                "sum_over_time(duration)": float(lasts.sum()),
                "avg_over_time(duration)": float(lasts.mean()),
            }
            if quantile := labels.get("p"):
                truth = float(np.quantile(lasts, quantile[1]))
                told(f"TraceQL quantile {quantile[1]} of {service[1]}", value, truth)
            else:
                told(f"TraceQL {function} of {service[1]}", value, truths[function])
    return found
