"""The throughput of spans that are objects: what `SamplingStore` means, told plainly."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import Final

from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from fakes.memory_store.span import StoredSpan
from lymer.model.throughput import OperationRate, Throughput, merge_throughput

__all__ = ["MemorySampling"]

_THRESHOLD: Final = re.compile(r"(?:^|,)[ \t]*ot=(?:[^,]*;)?th:([0-9a-f]{1,14})(?:[;, \t]|$)")
_COUNTED: Final = "probabilistic"
_NOT_COUNTED: Final = frozenset({"lowerbound", "ratelimiting", "const"})


class MemorySampling:
    """Implements `SamplingStore` on spans it is shown. Unbounded: for tests."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._arrived: list[tuple[int, StoredSpan]] = []
        self._rates: list[OperationRate] = []

    def add(self, segment_id: int, spans: Iterable[StoredSpan]) -> None:
        """Note the spans of a segment; its id is when it began, microseconds since 1970."""
        second = segment_id // 1_000_000
        self._arrived += [(second, span) for span in spans if not span.parent_span_id]

    def get_throughput(
        self, after_unix_seconds: int, upto_unix_seconds: int, /
    ) -> list[Throughput]:
        """See `SamplingStore.get_throughput`."""
        arrived = (
            _throughput(span)
            for second, span in self._arrived
            if after_unix_seconds < second <= upto_unix_seconds
        )
        return merge_throughput([one] for one in arrived if one is not None)

    def put_rates(self, rates: Sequence[OperationRate], /) -> None:
        """See `SamplingStore.put_rates`."""
        self._rates = sorted(rates, key=lambda each: (each.service, each.operation))

    def get_rates(self) -> list[OperationRate]:
        """See `SamplingStore.get_rates`."""
        return list(self._rates)


def _throughput(span: StoredSpan) -> Throughput | None:
    """Return what one root says; None if it names a sampler and no usable probability."""
    tags = dict(span.attributes)
    prefix = "" if "sampler.type" in tags else "jaeger."
    kind = tags.get(prefix + "sampler.type")
    if kind is not None:
        word = kind.string_value
        param = _number(tags.get(prefix + "sampler.param", AnyValue()))
        if word not in {_COUNTED, *_NOT_COUNTED} or param is None:
            return None
        count = int(word == _COUNTED)
        return Throughput(span.service, span.name, count, frozenset({round(param, 6)}))
    threshold = _THRESHOLD.search(span.span.trace_state)
    if threshold is not None:
        share = 1 - int(threshold[1].ljust(14, "0"), 16) / 2**56
        return Throughput(span.service, span.name, 1, thresholds=frozenset({round(share, 6)}))
    return Throughput(span.service, span.name, 1, unmarked=True)


def _number(value: AnyValue) -> float | None:
    match value.WhichOneof("value"):
        case "double_value":
            number = value.double_value
        case "int_value" if 0 <= value.int_value < 128:
            number = float(value.int_value)
        case "string_value":
            try:
                number = float(value.string_value)
            except ValueError:
                return None
        case _:
            return None
    return number if math.isfinite(number) else None
