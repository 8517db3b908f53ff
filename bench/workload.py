"""What is sent, made before the clock starts: a file of requests, and what must come back."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bench.template import Checksum, Template
from bench.wire_scan import varint
from lymer import clock
from lymer.roles.load_shape import LoadShape
from lymer.roles.load_source import LoadSource

__all__ = ["SentSpan", "Workload", "make_workload", "spans_of"]

_KNOWN_TRACES = 200
"""Traces remembered with their number of spans, evenly over the workload."""
_SAMPLES = 4
"""Places of the workload whose spans are remembered whole."""
_SPREAD_NANO_MIN = 5 * 10**9
"""Exporters hold spans back for some seconds, so arrivals overlap at least so long."""
_PACE_SPANS_PER_SECOND = 100_000
"""Real time: starts are spread as if spans were recorded at this pace until now."""


@dataclass(frozen=True, slots=True)
class SentSpan:
    """A span as it was sent, as far as it is compared with what comes back."""

    service: str
    name: str
    start_micros: int
    duration_micros: int
    attributes: tuple[tuple[str, object], ...]
    """Of the types string, bool, int and double; sorted."""


@dataclass(slots=True)
class Workload:
    """A file of length-delimited requests and the truth about it."""

    path: Path
    description: str
    requests: list[tuple[int, int, int]] = field(default_factory=list)
    """(start, end, spans): where a body stands in the file."""
    checksum: Checksum = field(default_factory=Checksum)
    has_checksum: bool = True
    """False if only the number of spans is known."""
    known: list[tuple[str, int, int]] = field(default_factory=list)
    """(trace id, spans, start in Unix nanoseconds)."""
    truth: dict[str, dict[str, SentSpan]] = field(default_factory=dict)
    """Whole traces: trace id → span id → span, ids in hex."""
    first_unix_nano: int = 0
    last_unix_nano: int = 0
    """All spans start in between, a few minutes of slack included."""

    @property
    def spans(self) -> int:
        """Spans in all requests."""
        return sum(spans for _, _, spans in self.requests)

    @property
    def body_bytes(self) -> int:
        """Bytes of all bodies."""
        return sum(end - start for start, end, _ in self.requests)

    @contextmanager
    def bodies(self) -> Iterator[Iterator[tuple[bytes, int]]]:
        """Iterate (body, spans) from the file."""
        with self.path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as view:
            yield ((view[start:end], spans) for start, end, spans in self.requests)


def make_workload(
    path: Path, spans: int, request_spans: int, window_seconds: float | None
) -> Workload:
    """Write at least `spans` spans to `path`.

    Args:
        path: Replaced.
        spans: Rounded up to whole copies of the recording.
        request_spans: Spans of a request.
        window_seconds: Over how long the starts are spread, until now; None is real time: as long
            as recording them would have taken.
    """
    window = window_seconds or spans / _PACE_SPANS_PER_SECOND
    end = clock.unix_nano()
    begin = end - int(window * 1e9)
    recording = _recording()
    workload = Workload(path, "")
    workload.first_unix_nano, workload.last_unix_nano = begin - 600 * 10**9, end + 600 * 10**9
    with path.open("wb") as file:
        if recording is None:
            _write_generated(workload, _Writer(file.write), spans, request_spans, begin, end)
        else:
            template = Template(recording, request_spans)
            _write_replicas(workload, _Writer(file.write), template, spans, begin, end)
        file.flush()
        os.fsync(file.fileno())
    workload.requests = sorted(workload.requests)
    return workload


class _Writer:
    """Writes length-delimited bodies and knows where they stand."""

    def __init__(self, write: object) -> None:
        self._write = write
        self._offset = 0

    def add(self, workload: Workload, body: bytes, spans: int) -> None:
        prefix = varint(len(body))
        start = self._offset + len(prefix)
        self._write(prefix + body)  # type: ignore[operator]
        self._offset = start + len(body)
        workload.requests.append((start, self._offset, spans))


def _recording() -> Path | None:
    root = Path(__file__).resolve().parents[1]
    folder = os.environ.get("LYMER_FIXTURES") or root.parent / "shared" / "fixtures"
    path = Path(folder) / "otel-demo" / "spans.bin"
    return path if path.exists() else None


def _write_replicas(
    workload: Workload, writer: _Writer, template: Template, spans: int, begin: int, end: int
) -> None:
    replicas = -(-spans // template.span_count)
    step = (end - begin) // replicas
    per_replica = -(-_KNOWN_TRACES // replicas)
    sampled = {replicas * place // _SAMPLES for place in range(_SAMPLES)}
    workload.description = (
        f"OpenTelemetry demo shop, recorded; {replicas} copies, each with ids, UUIDs and times "
        "of its own"
    )
    for number in range(replicas):
        replica = template.replica(begin + number * step, max(step, _SPREAD_NANO_MIN))
        for body, count in zip(replica.requests, template.request_span_counts, strict=True):
            writer.add(workload, body, count)
        workload.checksum = workload.checksum.plus(replica.checksum)
        # Another trace of the recording in every copy: there are small and large ones.
        workload.known += [
            replica.traces[(number * 37 + place * 101) % len(replica.traces)]
            for place in range(per_replica)
        ]
        if number in sampled:
            workload.truth.update(_truth(replica.requests))
    excess = len(workload.known) / _KNOWN_TRACES
    if excess > 1:
        workload.known = [workload.known[int(n * excess)] for n in range(_KNOWN_TRACES)]


def _write_generated(
    workload: Workload, writer: _Writer, spans: int, request_spans: int, begin: int, end: int
) -> None:
    """Fall back to Lymer's own generator: every request holds whole traces."""
    workload.description = "made up by `lymer generate` (the recorded workload is not here)"
    workload.has_checksum = False
    traces = max(1, request_spans // 8)
    shape = LoadShape(spans_per_trace=8, spans_per_request=traces * 8)
    source = LoadSource(shape)
    requests = -(-spans // (traces * 8))
    every = max(1, requests // _KNOWN_TRACES)
    for number in range(requests):
        at = begin + (end - begin) * (number + 1) // requests
        request = source.next_request(at)
        assert request is not None
        writer.add(workload, request.body, request.spans)
        if number % every == 0:
            found = _truth([request.body])
            workload.known += [
                (trace, len(spans), next(iter(spans.values())).start_micros * 1000)
                for trace, spans in list(found.items())[:1]
            ]
            if number % (every * 50) == 0:
                workload.truth.update(found)
    workload.checksum = Checksum(spans=workload.spans)


def _truth(bodies: list[bytes]) -> dict[str, dict[str, SentSpan]]:
    traces: dict[str, dict[str, SentSpan]] = {}
    for body in bodies:
        for trace_id, span_id, span in spans_of(body):
            traces.setdefault(trace_id, {})[span_id] = span
    return traces


def spans_of(body: bytes) -> Iterator[tuple[str, str, SentSpan]]:
    """Decode a request to (trace id, span id, span), one object per span."""
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        service = next(
            (a.value.string_value for a in resource.resource.attributes if a.key == "service.name"),
            "",
        )
        for scope in resource.scope_spans:
            for span in scope.spans:
                start = span.start_time_unix_nano
                yield (
                    span.trace_id.hex(),
                    span.span_id.hex(),
                    SentSpan(
                        service,
                        span.name,
                        start // 1000,
                        max(span.end_time_unix_nano - start, 1) // 1000,
                        tuple(sorted(_plain(span.attributes), key=str)),
                    ),
                )


def _plain(attributes: object) -> Iterator[tuple[str, object]]:
    for attribute in attributes:  # type: ignore[attr-defined]
        kind = attribute.value.WhichOneof("value")
        if kind in {"string_value", "bool_value", "int_value", "double_value"}:
            yield attribute.key, getattr(attribute.value, kind)
