"""Metrics in the format a scraper asks for: text, OpenMetrics, or protobuf with native histograms.

The library has no protobuf, which Prometheus needs for native histograms; its messages are few and
are declared here. Source: prometheus/client_model v0.6, `io/prometheus/client/metrics.proto`;
Prometheus, "Exposition formats" and "Native histograms".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, timestamp_pb2
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.samples import Exemplar, Sample

__all__ = ["NativeFamily", "NativeHistogram", "exposition"]

PROTOBUF: Final = (
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
)
_WANTED: Final = re.compile(
    r"application/vnd\.google\.protobuf\s*;[^,]*proto=io\.prometheus\.client\.MetricFamily[^,]*"
    r"encoding=delimited"
)
_TYPES: Final = {"counter": 0, "gauge": 1, "summary": 2, "histogram": 4}
_UNTYPED: Final = 3
Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class NativeHistogram:
    """Buckets that grow by 2^(2^-schema): index i counts what is above base^(i-1), up to base^i."""

    schema: int
    counts: Mapping[int, int]


class NativeFamily(Metric):
    """A histogram that has exponential buckets too, which only protobuf can carry."""

    def __init__(self, name: str, documentation: str) -> None:
        """Begin without samples."""
        super().__init__(name, documentation, "histogram")
        self.native: dict[Labels, NativeHistogram] = {}


def exposition(registry: CollectorRegistry, accept: str) -> tuple[bytes, str]:
    """Return all metrics and their content type.

    Args:
        registry: Collected, which may take a while.
        accept: What the scraper says it takes.
    """
    encode: Callable[[CollectorRegistry], bytes]
    if _WANTED.search(accept):
        return b"".join(map(_delimited, registry.collect())), PROTOBUF
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


def _delimited(family: Metric) -> bytes:
    message = _FAMILY()
    message.name = family.name + ("_total" if family.type == "counter" else "")
    message.help = family.documentation
    message.type = _TYPES.get(family.type, _UNTYPED)
    native = family.native if isinstance(family, NativeFamily) else {}
    for labels, samples in _by_labels(family.samples):
        metric = message.metric.add()
        for name, value in labels:
            metric.label.add(name=name, value=value)
        _fill(metric, family, samples)
        if labels in native:
            _fill_native(metric.histogram, native[labels])
    if not message.metric:
        return b""
    body: bytes = message.SerializeToString()
    return _varint(len(body)) + body


def _by_labels(samples: Iterable[Sample]) -> Iterator[tuple[Labels, list[Sample]]]:
    found: dict[Labels, list[Sample]] = {}
    for sample in samples:
        if not sample.name.endswith("_created"):
            own = tuple((k, v) for k, v in sample.labels.items() if k not in {"le", "quantile"})
            found.setdefault(own, []).append(sample)
    yield from found.items()


def _fill(metric: Any, family: Metric, samples: Iterable[Sample]) -> None:
    for sample in samples:
        if family.type == "histogram":
            _fill_histogram(metric.histogram, sample)
        elif family.type == "summary":
            _fill_summary(metric.summary, sample)
        elif family.type == "counter":
            metric.counter.value = sample.value
            _fill_exemplar(metric.counter, sample.exemplar)
        elif family.type == "gauge":
            metric.gauge.value = sample.value
        else:
            metric.untyped.value = sample.value


def _fill_histogram(histogram: Any, sample: Sample) -> None:
    if sample.name.endswith("_bucket"):
        bucket = histogram.bucket.add()
        bucket.upper_bound = float(sample.labels["le"])
        bucket.cumulative_count = round(sample.value)
        _fill_exemplar(bucket, sample.exemplar)
    elif sample.name.endswith("_count"):
        histogram.sample_count = round(sample.value)
    elif sample.name.endswith("_sum"):
        histogram.sample_sum = sample.value


def _fill_summary(summary: Any, sample: Sample) -> None:
    if sample.name.endswith("_count"):
        summary.sample_count = round(sample.value)
    elif sample.name.endswith("_sum"):
        summary.sample_sum = sample.value
    else:
        summary.quantile.add(quantile=float(sample.labels["quantile"]), value=sample.value)


def _fill_exemplar(place: Any, exemplar: Exemplar | None) -> None:
    if exemplar is None:
        return
    for name, value in exemplar.labels.items():
        place.exemplar.label.add(name=name, value=value)
    place.exemplar.value = exemplar.value
    if exemplar.timestamp is not None:
        place.exemplar.timestamp.FromNanoseconds(round(float(exemplar.timestamp) * 1e9))


def _fill_native(histogram: Any, native: NativeHistogram) -> None:
    """Write buckets as spans of neighbours, counts as differences."""
    histogram.schema = native.schema
    histogram.zero_threshold = 0.0
    histogram.zero_count = 0
    last, before = None, 0
    for index in sorted(index for index, count in native.counts.items() if count):
        if last is None or index != last + 1:
            offset = index if last is None else index - last - 1
            histogram.positive_span.add(offset=offset, length=0)
        histogram.positive_span[-1].length += 1
        histogram.positive_delta.append(native.counts[index] - before)
        last, before = index, native.counts[index]
    if last is None:  # without a span nobody could tell it from a classic one
        histogram.positive_span.add(offset=0, length=0)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


_MESSAGES: Final = {
    "LabelPair": "name:s=1 value:s=2",
    "Gauge": "value:d=1",
    "Exemplar": "label:LabelPair*=1 value:d=2 timestamp:.google.protobuf.Timestamp=3",
    "Counter": "value:d=1 exemplar:Exemplar=2",
    "Quantile": "quantile:d=1 value:d=2",
    "Summary": "sample_count:u=1 sample_sum:d=2 quantile:Quantile*=3",
    "Untyped": "value:d=1",
    "BucketSpan": "offset:z=1 length:i=2",
    "Bucket": "cumulative_count:u=1 upper_bound:d=2 exemplar:Exemplar=3",
    "Histogram": "sample_count:u=1 sample_sum:d=2 bucket:Bucket*=3 schema:z=5 "
    "zero_threshold:d=6 zero_count:u=7 positive_span:BucketSpan*=12 positive_delta:Z*=13",
    "Metric": "label:LabelPair*=1 gauge:Gauge=2 counter:Counter=3 summary:Summary=4 "
    "untyped:Untyped=5 histogram:Histogram=7",
    "MetricFamily": "name:s=1 help:s=2 type:e=3 metric:Metric*=4",
}
_FIELD: Final = descriptor_pb2.FieldDescriptorProto
_KINDS: Final = {
    "s": _FIELD.TYPE_STRING,
    "d": _FIELD.TYPE_DOUBLE,
    "u": _FIELD.TYPE_UINT64,
    "i": _FIELD.TYPE_UINT32,
    "z": _FIELD.TYPE_SINT32,
    "Z": _FIELD.TYPE_SINT64,
    "e": _FIELD.TYPE_INT32,  # an enumeration, which is written alike
}


def _declared() -> Any:
    """Return the class of `MetricFamily`."""
    package = "lymer.io.prometheus.client"
    file = descriptor_pb2.FileDescriptorProto(
        name="lymer/prometheus_metrics.proto",
        package=package,
        syntax="proto2",
        dependency=[timestamp_pb2.DESCRIPTOR.name],
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for text in fields.split():
            field_name, kind, number = re.split("[:=]", text)
            field = message.field.add(name=field_name, number=int(number))
            field.label = _FIELD.LABEL_REPEATED if "*" in kind else _FIELD.LABEL_OPTIONAL
            kind = kind.rstrip("*")
            if kind in _KINDS:
                field.type = _KINDS[kind]
            else:
                field.type = _FIELD.TYPE_MESSAGE
                field.type_name = kind if kind.startswith(".") else f".{package}.{kind}"
    pool = descriptor_pool.DescriptorPool()
    timestamp = descriptor_pb2.FileDescriptorProto()
    timestamp_pb2.DESCRIPTOR.CopyToProto(timestamp)
    pool.Add(timestamp)
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.MetricFamily"))


_FAMILY: Final = _declared()
