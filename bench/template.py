"""Fresh spans from recorded ones: the OpenTelemetry demo shop, patched in place.

A replica is the whole recording with new trace ids, span ids, UUIDs and times. Every trace gets a
shift and a stretch of its own and every span a few hundred nanoseconds of noise: without them the
columns of times would compress ten times better than real ones.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bench.wire_scan import find_places

__all__ = ["Checksum", "Replica", "Template"]

_Bytes = NDArray[np.uint8]
_HEX = np.frombuffer(b"0123456789abcdef", np.uint8)
_UUID_DIGITS = np.array([place for place in range(36) if place not in (8, 13, 18, 23)])
_STRETCH_SIGMA = 0.35
"""Spread of the log-normal factor by which a trace's durations differ from the recording."""
_NOISE_NANO = 1000


@dataclass(frozen=True, slots=True)
class Checksum:
    """Sums over spans, modulo 2^64: the order of spans does not matter, a wrong span does."""

    spans: int = 0
    span_ids: int = 0
    trace_ids: int = 0
    starts: int = 0
    durations: int = 0

    def plus(self, other: Checksum) -> Checksum:
        """Return the sum over both."""
        mask = 2**64 - 1
        return Checksum(
            self.spans + other.spans,
            self.span_ids + other.span_ids & mask,
            self.trace_ids + other.trace_ids & mask,
            self.starts + other.starts & mask,
            self.durations + other.durations & mask,
        )


@dataclass(frozen=True, slots=True)
class Replica:
    """One patched copy of the recording."""

    requests: list[bytes]
    traces: list[tuple[str, int, int]]
    """(trace id in hex, spans, earliest start in Unix nanoseconds)."""
    checksum: Checksum


class Template:
    """The recording, cut into requests, and where its changeable bytes are."""

    def __init__(self, recording: Path, request_spans: int, seed: int = 7) -> None:
        """Read `recording`: bodies, each behind a little-endian uint32 length."""
        requests, self.request_span_counts = _regroup(_bodies(recording), request_spans)
        whole = b"".join(requests)
        ends = np.cumsum([len(request) for request in requests]).tolist()
        self._requests = list(zip([0, *ends[:-1]], ends, strict=True))
        places = find_places(whole, self._requests)
        self.span_count = len(places.starts)
        self._random = np.random.default_rng(seed)
        self._buffer = np.frombuffer(whole, np.uint8)
        self._trace_ids = _Patch(places.trace_ids, 16)
        self._span_ids = _Patch(places.span_ids, 8)
        self._uuids = _Patch(places.uuids, 36, _UUID_DIGITS)
        self._counts = places.trace_count, places.span_id_count, places.uuid_count
        self._own_ids = _spread(places.own_ids, 8)
        self._start_bytes, self._end_bytes = _spread(places.starts, 8), _spread(places.ends, 8)
        self._event_bytes = _spread([offset for offset, _ in places.events], 8)
        self._event_span = np.array([span for _, span in places.events], np.int64)
        self._trace = np.array(places.traces, np.int64)
        starts = self._numbers(self._start_bytes)
        first = np.full(places.trace_count, 2**62, np.int64)
        np.minimum.at(first, self._trace, starts)
        self._since_trace = (starts - first[self._trace]).astype(np.float64)
        self._duration = (self._numbers(self._end_bytes) - starts).astype(np.float64)
        event_times = self._numbers(self._event_bytes)
        self._since_span = np.clip(event_times - starts[self._event_span], 0, None).astype(float)
        # A trace that only a link names has no spans and no start.
        self._spans_per_trace = np.bincount(self._trace, minlength=places.trace_count)

    def _numbers(self, at: NDArray[np.int64]) -> NDArray[np.int64]:
        return self._buffer[at].copy().view("<i8")

    def replica(self, begin_unix_nano: int, spread_nano: int) -> Replica:
        """Make a copy whose traces begin evenly within `spread_nano` from `begin_unix_nano` on."""
        random, buffer = self._random, self._buffer.copy()
        traces, span_ids, uuids = self._counts
        trace_ids = random.integers(0, 256, (traces, 16), np.uint8)
        self._trace_ids.apply(buffer, trace_ids)
        self._span_ids.apply(buffer, random.integers(0, 256, (span_ids, 8), np.uint8))
        self._uuids.apply(buffer, _HEX[random.integers(0, 16, (uuids, 32))])
        stretch = random.lognormal(0, _STRETCH_SIGMA, traces)[self._trace]
        begin = begin_unix_nano + random.integers(0, max(spread_nano, 1), traces)
        noise = random.integers(0, _NOISE_NANO, (2, self.span_count))
        start = begin[self._trace] + (self._since_trace * stretch).astype(np.int64) + noise[0]
        duration = (self._duration * stretch).astype(np.int64) + noise[1]
        buffer[self._start_bytes] = start.astype("<i8").view(np.uint8)
        buffer[self._end_bytes] = (start + duration).astype("<i8").view(np.uint8)
        events = start[self._event_span] + (self._since_span * stretch[self._event_span]).astype(
            np.int64
        )
        buffer[self._event_bytes] = events.astype("<i8").view(np.uint8)
        whole = buffer.tobytes()
        return Replica(
            [whole[first:end] for first, end in self._requests],
            [
                (trace_ids[trace].tobytes().hex(), int(spans), int(begin[trace]))
                for trace, spans in enumerate(self._spans_per_trace)
                if spans
            ],
            self._checksum(buffer, trace_ids, start, duration),
        )

    def _checksum(
        self,
        buffer: _Bytes,
        trace_ids: _Bytes,
        start: NDArray[np.int64],
        duration: NDArray[np.int64],
    ) -> Checksum:
        halves = trace_ids[self._trace][:, :8].copy().view("<u8")
        # The store writes 1 for a span that does not end after its start.
        stored = np.where(duration > 0, duration, 1).astype(np.uint64)
        return Checksum(
            self.span_count,
            int(buffer[self._own_ids].view("<u8").sum(dtype=np.uint64)),
            int(halves.sum(dtype=np.uint64)),
            int(start.astype(np.uint64).sum(dtype=np.uint64)),
            int(stored.sum(dtype=np.uint64)),
        )


class _Patch:
    """Places that get one row of bytes each, equal rows for equal values."""

    def __init__(
        self, places: list[tuple[int, int]], width: int, columns: NDArray[np.int64] | None = None
    ) -> None:
        inner = np.arange(width) if columns is None else columns
        offsets = np.array([offset for offset, _ in places], np.int64)
        self._bytes = (offsets[:, None] + inner).ravel()
        self._rows = np.array([index for _, index in places], np.int64)

    def apply(self, buffer: _Bytes, rows: _Bytes) -> None:
        buffer[self._bytes] = rows[self._rows].ravel()


def _spread(offsets: list[int], width: int) -> NDArray[np.int64]:
    return (np.array(offsets, np.int64)[:, None] + np.arange(width)).ravel()


def _bodies(recording: Path) -> list[bytes]:
    content, offset, bodies = recording.read_bytes(), 0, []
    while offset < len(content):
        (size,) = struct.unpack_from("<I", content, offset)
        bodies.append(content[offset + 4 : offset + 4 + size])
        offset += 4 + size
    return bodies


def _regroup(bodies: list[bytes], request_spans: int) -> tuple[list[bytes], list[int]]:
    """Cut the spans anew, in order, into requests of `request_spans`; the last has the rest."""
    requests, counts = [], []
    request, count = ExportTraceServiceRequest(), 0
    for body in bodies:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in resource.scope_spans:
                done = 0
                while done < len(scope.spans):
                    part = scope.spans[done : done + request_spans - count]
                    group = request.resource_spans.add(
                        resource=resource.resource, schema_url=resource.schema_url
                    )
                    group.scope_spans.add(
                        scope=scope.scope, schema_url=scope.schema_url, spans=part
                    )
                    done, count = done + len(part), count + len(part)
                    if count == request_spans:
                        requests.append(request.SerializeToString())
                        counts.append(count)
                        request, count = ExportTraceServiceRequest(), 0
    if count:
        requests.append(request.SerializeToString())
        counts.append(count)
    return requests, counts
