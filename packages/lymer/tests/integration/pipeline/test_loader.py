"""The loader between a journal and a store: order, patience, poison, the end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from fakes.segments import FakeSegments, FakeWriter, write_segment
from integration.pipeline.conftest import wait_until
from lymer.clock import monotonic_seconds
from lymer.errors import StorageError
from lymer.journal.record import encode_record
from lymer.model.segment import SealedSegment
from lymer.pipeline import quarantine
from lymer.pipeline.loader import Loader
from lymer.pipeline.quarantine import QUARANTINE_BYTES_MAX
from lymer.telemetry.metrics import Metrics
from lymer.wire.otlp_proto import canonical_request
from make import make_request, make_span


def good(number: int) -> bytes:
    """Return a request of one span, as protobuf writes it."""
    return make_request(make_span(1, number)).SerializeToString()


def odd(number: int) -> bytes:
    """Return a request that is valid, but not as protobuf writes it: an unknown field behind."""
    return good(number) + b"\xfa\x3e\x04poix"


def poison(number: int) -> bytes:
    """Return a request that stays unreadable however it is written."""
    return make_request(make_span(1, number, name="poison")).SerializeToString()


def is_poison(body: bytes) -> bool:
    """Tell both kinds apart from good ones, as this fake engine does."""
    return b"poison" in body or b"poix" in body


class Plant:
    """A loader at work."""

    def __init__(self, folder: Path) -> None:
        """Make everything but the loader."""
        self.folder = folder
        self.quarantine = folder / "quarantine"
        self.writer = FakeWriter(is_poison=is_poison)
        self.source = FakeSegments()
        self.metrics = Metrics("test")
        self.loader: Loader | None = None
        self.ended = False

    def segment(self, segment_id: int, *requests: bytes) -> SealedSegment:
        """Write a segment file."""
        return write_segment(self.folder, segment_id, *requests)

    def start(self, *recovered: SealedSegment) -> Loader:
        """Start a loader."""
        self.source = FakeSegments(*recovered)
        self.loader = Loader(self.source, self.writer, self.quarantine, self.metrics)
        self.loader.start()
        return self.loader

    def finish(self, timeout_seconds: float = 20) -> bool:
        """Let the loader store what is left."""
        assert self.loader is not None
        self.ended = True
        return self.loader.finish(timeout_seconds)

    def run(self, *sealed: SealedSegment) -> None:
        """Store these segments, start to end."""
        self.start()
        self.source.seal(*sealed)
        assert self.finish()

    def metric(self, name: str, **labels: str) -> float:
        """Return the value of a metric."""
        value = self.metrics.registry.get_sample_value(name, labels)
        assert value is not None
        return value

    def quarantined(self) -> dict[str, bytes]:
        """Return file name → content of the quarantine."""
        if not self.quarantine.exists():
            return {}
        return {one.name: one.read_bytes() for one in sorted(self.quarantine.glob("*.otlp"))}


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    """Yield a plant; its loader is ended."""
    made = Plant(tmp_path)
    yield made
    if made.loader is not None and not made.ended:
        made.finish(0.1)


def test_segments_are_stored_in_order_and_removed(plant: Plant) -> None:
    """Each is written once, then forgotten by the journal, and counted."""
    segments = [plant.segment(number, good(number), good(100 + number)) for number in (1, 2, 3)]

    plant.run(*segments)

    assert plant.writer.calls == [("write", 1), ("write", 2), ("write", 3)]
    assert plant.writer.stored == {n: [good(n), good(100 + n)] for n in (1, 2, 3)}
    assert plant.source.removed == segments
    assert plant.metric("lymer_store_segments_total") == 3
    assert plant.metric("lymer_store_spans_total") == 6


def test_what_a_former_run_left_comes_first(plant: Plant) -> None:
    """Recovered segments are asked for by `recover_segment`, all before the first new one."""
    old = [plant.segment(number, good(number)) for number in (1, 2)]
    plant.writer.stored[1] = [good(1)]  # stored before the crash, not removed
    loader = plant.start(*old)
    plant.source.seal(plant.segment(3, good(3)))
    assert plant.finish()

    assert plant.writer.calls == [("recover", 1), ("recover", 2), ("write", 3)]
    assert plant.writer.stored == {n: [good(n)] for n in (1, 2, 3)}
    assert loader.has_recovered


def test_it_has_not_recovered_before_it_has(plant: Plant) -> None:
    """Readiness waits for the store."""
    plant.writer.errors = [StorageError("not yet")]
    loader = plant.start(plant.segment(1, good(1)))
    assert plant.writer.called.wait(10)

    assert not loader.has_recovered
    wait_until(lambda: loader.has_recovered)
    assert plant.writer.stored == {1: [good(1)]}


@pytest.mark.parametrize(
    "error", [StorageError("memory limit exceeded"), OSError(28, "No space left on device")]
)
def test_a_segment_that_cannot_be_stored_is_tried_again(plant: Plant, error: Exception) -> None:
    """By `recover_segment`, for nobody knows what was stored, with growing pauses."""
    plant.writer.errors = [error] * 3
    loader = plant.start()
    plant.source.seal(plant.segment(1, good(1)), plant.segment(2, good(2)))

    wait_until(lambda: loader.problem != "")
    assert loader.problem == f"cannot store segment 1: {error}"
    assert plant.finish()

    assert plant.writer.calls[:3] == [("write", 1), ("recover", 1), ("recover", 1)]
    # The store takes what comes later by now, so that does not wait for the next try.
    assert plant.writer.calls[3:] == [("write", 2), ("recover", 1)]
    first, second, third = plant.writer.call_seconds[:3]
    assert second - first >= 0.2
    assert third - second >= 0.4
    assert loader.problem == ""
    assert plant.metric("lymer_store_failures_total") == 3


def test_what_another_spelling_cures_is_stored(plant: Plant) -> None:
    """A request the engine cannot read as sent is written anew; nothing is set aside."""
    segment = plant.segment(1, good(1), odd(2), good(3))

    plant.run(segment, plant.segment(2, good(4)))

    assert plant.writer.stored == {1: [good(1), good(2), good(3)], 2: [good(4)]}
    assert plant.quarantined() == {}
    assert segment in plant.source.removed
    assert plant.metric("lymer_quarantine_requests_total") == 0


@pytest.mark.parametrize("places", [{0}, {4}, {0, 4}, {1, 2}, {0, 1, 2, 3}, {2}])
def test_poison_is_set_aside_and_its_neighbours_are_stored(plant: Plant, places: set[int]) -> None:
    """Whatever the place: the others keep their order and the id, what follows is not held up."""
    bodies = [poison(n) if n in places else good(n) for n in range(5)]

    plant.run(plant.segment(7, *bodies), plant.segment(8, good(9)))

    kept = [body for n, body in enumerate(bodies) if n not in places]
    assert plant.writer.stored == {7: kept, 8: [good(9)]}
    aside = [canonical_request(poison(n)) for n in sorted(places)]
    assert list(plant.quarantined().values()) == aside
    assert next(iter(plant.quarantined())) == "00000000000000000007-00000.otlp"
    assert plant.metric("lymer_quarantine_requests_total") == len(places)
    assert plant.metric("lymer_store_spans_total") == len(kept) + 1
    assert [one.name for one in plant.folder.iterdir()] == ["quarantine"]


def many(first: int, count: int) -> bytes:
    """Return a request of so many spans."""
    return make_request(*(make_span(1, first + n) for n in range(count))).SerializeToString()


def names_of(bodies: list[bytes]) -> list[bytes]:
    """Return the ids of all spans, in their order."""
    return [
        span.span_id
        for body in bodies
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


@pytest.mark.parametrize("spans_max", [1, 2, 7, 99, 100])
def test_what_needs_too_much_memory_is_stored_in_parts(plant: Plant, spans_max: int) -> None:
    """Down to one span, in the order of the segment; what follows is stored too."""
    plant.writer.spans_max = spans_max
    bodies = [many(1, 3), many(10, 100), many(200, 1), many(300, 40)]
    path = plant.folder / f"{7:020d}.otlp"
    counts = [3, 100, 1, 40]
    path.write_bytes(
        b"".join(b"".join(encode_record(*one)) for one in zip(bodies, counts, strict=True))
    )
    segment = SealedSegment(7, path, sum(counts), path.stat().st_size)

    plant.run(segment, plant.segment(8, good(9)))

    assert names_of(plant.writer.stored[7]) == names_of(bodies)
    assert plant.writer.stored[8] == [good(9)]
    assert max(plant.writer.part_sizes) <= spans_max
    assert plant.quarantined() == {}


def test_nobody_waits_for_a_giant(plant: Plant) -> None:
    """Small requests of its segment are stored first, and what is behind it in between."""
    giant = make_request(*(make_span(1, 10 + n) for n in range(2_500))).SerializeToString()
    path = plant.folder / f"{7:020d}.otlp"
    path.write_bytes(
        b"".join(
            b"".join(encode_record(body, count))
            for body, count in [(giant, 2_500), (good(1), 1), (giant, 2_500), (good(2), 1)]
        )
    )
    plant.writer.spans_max = 1_000
    plant.start()
    plant.source.seal(
        SealedSegment(7, path, 5_002, path.stat().st_size),
        plant.segment(8, good(3)),
        plant.segment(9, poison(4), good(5)),
        plant.segment(10, good(6)),
    )
    assert plant.finish()

    assert [call for call in plant.writer.calls if call[1] in {7, 8, 10}] == [
        ("write", 7),
        ("write", 8),
        ("write", 10),
        ("recover", 7),
    ]
    assert plant.writer.stored[7][:2] == [good(1), good(2)]
    assert sum(len(names_of([one])) for one in plant.writer.stored[7]) == 5_002
    assert plant.writer.stored[9] == [good(5)]
    assert plant.writer.announced == [7]
    assert 9 in plant.writer.expected, "it did not pass, and what counts must wait for it"


def test_only_the_span_that_is_poison_goes_to_quarantine(plant: Plant) -> None:
    """Its neighbours in the same request are stored."""
    request = make_request(
        make_span(1, 1), make_span(1, 2, name="poison"), make_span(1, 3), make_span(1, 4)
    ).SerializeToString()
    path = plant.folder / f"{7:020d}.otlp"
    path.write_bytes(b"".join(encode_record(request, 4)))

    plant.run(SealedSegment(7, path, 4, path.stat().st_size))

    kept = make_request(make_span(1, 1), make_span(1, 3), make_span(1, 4)).SerializeToString()
    assert names_of(plant.writer.stored[7]) == names_of([kept])
    (aside,) = plant.quarantined().values()
    assert names_of([aside]) == [make_span(1, 2).span_id]


def test_bytes_that_are_no_protobuf_go_to_quarantine_as_they_are(plant: Plant) -> None:
    """They passed no door of ours, but a disk can do it."""
    plant.run(plant.segment(1, good(1), b"\xff\xff poison", good(2)))

    assert plant.writer.stored == {1: [good(1), good(2)]}
    assert list(plant.quarantined().values()) == [b"\xff\xff poison"]


def test_a_segment_of_poison_only_is_removed(plant: Plant) -> None:
    """Nothing of it is stored, and the store is told that it is done."""
    plant.run(plant.segment(1, poison(1), poison(2)), plant.segment(2, good(3)))

    assert plant.writer.stored == {1: [], 2: [good(3)]}
    assert plant.writer.calls[-1] == ("recover", 1)
    assert {one.segment_id for one in plant.source.removed} == {1, 2}


@pytest.mark.parametrize("has_room", [True, False])
def test_beyond_its_limit_the_quarantine_keeps_the_segment(
    plant: Plant, monkeypatch: pytest.MonkeyPatch, *, has_room: bool
) -> None:
    """As it was, so that it can be imported; not if the disk is nearly full."""
    if not has_room:
        monkeypatch.setattr(quarantine, "DISK_FREE_BYTES_MIN", 2**62)
    plant.quarantine.mkdir()
    with (plant.quarantine / "old.otlp").open("wb") as file:
        file.truncate(QUARANTINE_BYTES_MAX - 10)
    segment = plant.segment(1, good(1), poison(2))
    before = segment.path.read_bytes()

    plant.run(segment)

    assert plant.writer.stored == {1: [good(1)]}
    assert plant.metric("lymer_quarantine_requests_total") == 1
    kept = {one.name: one for one in plant.quarantine.iterdir() if one.name != "old.otlp"}
    if not has_room:
        assert not kept
        return
    stem = f"{segment.path.stem}-whole"
    assert kept.keys() == {f"{stem}{segment.path.suffix}", f"{stem}.reason.txt"}
    assert kept[f"{stem}{segment.path.suffix}"].read_bytes() == before
    assert kept[f"{stem}.reason.txt"].read_text().startswith(f"{segment.path.stem}-00000: ")


def test_a_repair_that_fails_is_tried_again(plant: Plant) -> None:
    """The quarantine cannot be made now; once it can, all goes on, and nothing was lost."""
    plant.quarantine.write_text("a file in its place")
    loader = plant.start()
    plant.source.seal(plant.segment(1, good(1), poison(2)), plant.segment(2, good(3)))

    wait_until(lambda: "quarantine" in loader.problem)
    assert plant.writer.stored == {2: [good(3)]}
    plant.quarantine.unlink()
    assert plant.finish()

    assert plant.writer.stored == {1: [good(1)], 2: [good(3)]}
    assert list(plant.quarantined().values()) == [poison(2)]


def test_finishing_stores_all_that_is_left(plant: Plant) -> None:
    """Segments that were sealed before the end are stored, however many."""
    loader = plant.start()
    plant.source.seal(*(plant.segment(number, good(number)) for number in range(1, 40)))

    assert plant.finish()
    assert list(plant.writer.stored) == list(range(1, 40))
    assert loader.problem == ""


def test_finishing_gives_up_in_time_and_keeps_what_is_not_stored(plant: Plant) -> None:
    """With a store that fails for ever it says so, and the journal still has the segment."""
    plant.writer.fails_always = StorageError("gone")
    plant.start()
    segment = plant.segment(1, good(1))
    plant.source.seal(segment)
    assert plant.writer.called.wait(10)

    began = monotonic_seconds()
    assert not plant.finish(0.3)

    assert monotonic_seconds() - began < 5
    assert plant.source.removed == []
    assert segment.path.exists()


def test_a_bug_is_told_and_nothing_is_removed(plant: Plant) -> None:
    """The worker stops, health and metrics say so."""
    plant.writer.errors = [ValueError("no store says this")]
    loader = plant.start()
    segment = plant.segment(1, good(1))
    plant.source.seal(segment)

    wait_until(lambda: loader.problem != "")
    assert loader.problem == "BUG in the loader: ValueError('no store says this')"
    assert plant.metric("lymer_worker_crashes_total", worker="loader") == 1
    assert segment.path.exists()
