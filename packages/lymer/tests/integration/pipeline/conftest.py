"""A store on the real engine, and a loader in front of it."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fakes.engine_lines import engine_lines
from fakes.segments import FakeSegments
from lymer.clock import monotonic_seconds
from lymer.journal.record import encode_record
from lymer.model.segment import SealedSegment
from lymer.pipeline.loader import Loader
from lymer.storage.clickhouse.engine_chdb import ChdbEngine
from lymer.storage.clickhouse.store import ClickHouseStore
from lymer.telemetry.metrics import Metrics
from lymer.wire.otlp_proto import CheckedRequest

_MEMORY_BYTES_MAX = 900 * 2**20


def wait_until(condition: Callable[[], bool]) -> None:
    """Return once something became true; fail after 30 s."""
    deadline = monotonic_seconds() + 30
    while not condition():
        assert monotonic_seconds() < deadline, "waited 30 s in vain"
        time.sleep(0.005)


@dataclass(slots=True)
class RealStore:
    """A ClickHouse store in a folder."""

    folder: Path
    engine: ChdbEngine
    store: ClickHouseStore
    quarantine: Path
    removed: list[int] = field(default_factory=list)
    """The segments of the last `load`, in the order in which they were done."""
    _segment_ids: Iterator[int] = field(
        default_factory=lambda: itertools.count(1_795_365_821_000_000)
    )

    def load(self, *segments: list[CheckedRequest]) -> list[int]:
        """Journal these requests, one segment after another, load them, return their ids."""
        self.removed = []
        source, made = FakeSegments(), []
        loader = Loader(source, self.store, self.quarantine, Metrics("test"))
        loader.start()
        for requests in segments:
            made.append(self._segment(requests))
            source.seal(made[-1])
        assert loader.finish(120), loader.problem
        assert loader.problem == ""
        self.removed = [one.segment_id for one in source.removed]
        assert sorted(self.removed) == [one.segment_id for one in made]
        return [one.segment_id for one in made]

    def spans_of(self, segment_id: int) -> int:
        """Return how many rows a segment has."""
        statement = f"SELECT count() FROM lymer.spans WHERE seg = {segment_id}"
        return int(engine_lines(self.engine, statement)[0])

    def names_of(self, segment_id: int) -> list[str]:
        """Return the names of a segment's spans, sorted."""
        statement = f"SELECT toString(name) FROM lymer.spans WHERE seg = {segment_id} ORDER BY 1"
        return engine_lines(self.engine, statement)

    def quarantined(self) -> list[bytes]:
        """Return what was set aside."""
        if not self.quarantine.exists():
            return []
        return [one.read_bytes() for one in sorted(self.quarantine.glob("*.otlp"))]

    def _segment(self, requests: list[CheckedRequest]) -> SealedSegment:
        segment_id = next(self._segment_ids)
        path = self.folder / f"{segment_id:020d}.otlp"
        content = b"".join(b"".join(encode_record(one.body, one.span_count)) for one in requests)
        path.write_bytes(content)
        spans = sum(one.span_count for one in requests)
        return SealedSegment(segment_id, path, spans, len(content))


@pytest.fixture(scope="module")
def real_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealStore]:
    """Yield one store for a module: its tests look at their own segments only."""
    folder = tmp_path_factory.mktemp("store")
    engine = ChdbEngine(folder / "engine", memory_bytes_max=_MEMORY_BYTES_MAX)
    store = ClickHouseStore(engine, retention_seconds=10**9, memory_bytes_max=_MEMORY_BYTES_MAX)
    yield RealStore(folder, engine, store, folder / "quarantine")
    store.close()
