"""A journal and a store in memory, for the loader between them."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from lymer.clock import monotonic_seconds
from lymer.errors import StorageMemoryError, UndecodableError
from lymer.journal.record import encode_record
from lymer.journal.recovery import open_records
from lymer.model.segment import SealedSegment
from lymer.wire.otlp_proto import count_spans

__all__ = ["FakeSegments", "FakeWriter", "write_segment"]

Request = tuple[bytes, int]


def write_segment(folder: Path, segment_id: int, *requests: bytes) -> SealedSegment:
    """Write a segment of these bodies, one span each."""
    path = folder / f"{segment_id:020d}.otlp"
    content = b"".join(b"".join(encode_record(body, 1)) for body in requests)
    path.write_bytes(content)
    return SealedSegment(segment_id, path, len(requests), len(content))


def read_segment(path: Path) -> list[bytes]:
    """Return the bodies in a segment file."""
    with open_records(path) as records:
        return [bytes(one.body) for one in records]


class FakeSegments:
    """A `SegmentSource`: what was recovered, and what is sealed from now on."""

    def __init__(self, *recovered: SealedSegment) -> None:
        """Begin with what a former run left."""
        self._recovered = list(recovered)
        self._sealed: queue.Queue[SealedSegment] = queue.Queue()
        self.removed: list[SealedSegment] = []

    def seal(self, *segments: SealedSegment) -> None:
        """Give the loader more to do."""
        for segment in segments:
            self._sealed.put(segment)

    def take_recovered(self) -> list[SealedSegment]:
        """Return segments of a former run, once."""
        recovered, self._recovered = self._recovered, []
        return recovered

    def take_sealed(self, timeout_seconds: float) -> SealedSegment | None:
        """Return the next segment, or None."""
        try:
            return self._sealed.get(timeout=timeout_seconds or None, block=timeout_seconds > 0)
        except queue.Empty:
            return None

    def remove(self, segment: SealedSegment) -> None:
        """Forget a stored segment."""
        segment.path.unlink()
        self.removed.append(segment)


class FakeWriter:
    """A `SpanWriter` that keeps bodies, and fails as it is told."""

    def __init__(
        self,
        *,
        is_poison: Callable[[bytes], bool],
        refusal: Callable[[bytes], Exception | None] = lambda _: None,
    ) -> None:
        """Refuse to decode what is poison; fail with what `refusal` says of a body."""
        self._is_poison = is_poison
        self._refusal = refusal
        self.stored: dict[int, list[bytes]] = {}
        """Segment id → bodies, in the order they were stored."""
        self.calls: list[tuple[str, int]] = []
        self.call_seconds: list[float] = []
        self.errors: list[Exception] = []
        """What the next calls raise, before anything is stored."""
        self.fails_always: Exception | None = None
        self.called = threading.Event()
        self.parts: dict[int, list[bytes]] = {}
        """Segment id → bodies of parts that are no whole segment yet."""
        self.part_sizes: list[int] = []
        """Spans of each file that was stored."""
        self.expected: list[int] = []
        self.announced: list[int] = []
        self.spans_max = 10**9
        """More at once need too much memory."""

    def write_segment(self, segment: SealedSegment, /) -> None:
        """Store a segment that must be new."""
        self._note("write", segment)
        assert segment.segment_id not in self.stored
        self._store(segment)

    def recover_segment(self, segment: SealedSegment, /) -> None:
        """Store a segment unless it is."""
        self._note("recover", segment)
        if segment.segment_id not in self.stored:
            self._store(segment)

    def write_part(self, segment: SealedSegment, path: Path, /) -> None:
        """Keep bodies until `recover_segment` finds them to be all."""
        self.parts.setdefault(segment.segment_id, []).extend(self._readable(path))

    def try_part(self, segment: SealedSegment, path: Path, /) -> None:
        """Do as if, unless the next call would fail whatever it were."""
        if self.fails_always is not None:
            raise self.fails_always
        if self.errors:
            raise self.errors[0]
        self._readable(path)
        self.part_sizes.pop()

    def expect(self, segments: Sequence[SealedSegment], /) -> None:
        """Remember who was said to come."""
        self.expected += [segment.segment_id for segment in segments]

    def announce(self, segment: SealedSegment, /) -> None:
        """Remember it."""
        self.announced.append(segment.segment_id)

    def _note(self, call: str, segment: SealedSegment) -> None:
        self.calls.append((call, segment.segment_id))
        self.call_seconds.append(monotonic_seconds())
        self.called.set()
        if self.fails_always is not None:
            raise self.fails_always
        if self.errors:
            raise self.errors.pop(0)

    def _store(self, segment: SealedSegment) -> None:
        bodies = read_segment(segment.path)
        assert segment.byte_count == segment.path.stat().st_size
        parts = self.parts.pop(segment.segment_id, [])
        if sum(map(_span_count, parts)) != segment.span_count or not parts:
            parts = self._readable(segment.path)
            assert segment.span_count == sum(map(_span_count, bodies)), "span_count is wrong"
        self.stored[segment.segment_id] = parts

    def _readable(self, path: Path) -> list[bytes]:
        bodies = read_segment(path)
        if any(map(self._is_poison, bodies)):
            raise UndecodableError("poison")
        for refused in filter(None, map(self._refusal, bodies)):
            raise refused
        if sum(map(_span_count, bodies)) > self.spans_max:
            raise StorageMemoryError("too many spans")
        self.part_sizes.append(sum(map(_span_count, bodies)))
        return bodies


def _span_count(body: bytes) -> int:
    try:
        return count_spans(ExportTraceServiceRequest.FromString(body))
    except DecodeError:
        return 1
