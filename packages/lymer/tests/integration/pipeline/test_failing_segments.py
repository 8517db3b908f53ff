"""Spans that no statement can store, whatever the reason: set aside, alone, while the store works.

On the real engine, which is given columns and constraints that refuse some names: statements fail
for reasons of their own, of which the program knows nothing.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from fakes.engine_lines import engine_lines
from fakes.segments import FakeSegments
from integration.pipeline.conftest import wait_until
from lymer.errors import StorageAwayError, StorageError
from lymer.journal.record import encode_record
from lymer.model.segment import SealedSegment
from lymer.pipeline.loader import Loader
from lymer.storage.clickhouse.engine import Engine
from lymer.storage.clickhouse.engine_chdb import ChdbEngine
from lymer.storage.clickhouse.store import ClickHouseStore
from lymer.telemetry.metrics import Metrics
from lymer.wire.otlp_proto import check_request
from make import make_request, make_span

_MEMORY_BYTES_MAX: Final = 600 * 2**20
_REFUSALS: Final = {
    "violates": "ADD CONSTRAINT refused CHECK name != 'violates'",
    "throws": "ADD COLUMN thrown UInt8 MATERIALIZED throwIf(name = 'throws')",
    "divides": "ADD COLUMN divided Int64 MATERIALIZED intDiv(1, name != 'divides')",
    "parses": "ADD COLUMN parsed UInt8 MATERIALIZED toUInt8(if(name = 'parses', 'x', '1'))",
    "sizes": "ADD COLUMN sized FixedString(3) MATERIALIZED "
    "toFixedString(if(name = 'sizes', 'long', ''), 3)",
}
"""Name of a span → what makes a statement with it fail: VIOLATED_CONSTRAINT, THROW_IF, DIVISION,
CANNOT_PARSE_TEXT, TOO_LARGE_STRING_SIZE."""
_AWAY: Final = {
    "disk full": StorageError("Code: 243. DB::Exception: Cannot reserve 1.00 MiB"),
    "server away": StorageAwayError("cannot ask the ClickHouse server at db:8123"),
    "read only": StorageError("Code: 242. DB::Exception: Table is in readonly mode"),
}


class _Failing:
    """An engine that can be told to fail whatever writes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.failure: Exception | None = None
        self.failed = 0

    def _unless_failing(self) -> None:
        if self.failure is not None:
            self.failed += 1
            raise self.failure

    def command(self, database: str, statement: str, /, *arguments: Any, **settings: Any) -> None:
        self._unless_failing()
        self._engine.command(database, statement, *arguments, **settings)

    def load_file(self, database: str, statement: str, path: Path, /, *arguments: Any) -> None:
        self._unless_failing()
        self._engine.load_file(database, statement, path, *arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


class _Refusing:
    """A store on an engine that refuses some spans, and a journal in front of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.quarantine = folder / "quarantine"
        self.real = ChdbEngine(folder / "engine", memory_bytes_max=_MEMORY_BYTES_MAX)
        self.engine = _Failing(self.real)
        self.store = ClickHouseStore(
            self.engine, retention_seconds=10**9, memory_bytes_max=_MEMORY_BYTES_MAX
        )
        for refusal in _REFUSALS.values():
            self.real.command("lymer", f"ALTER TABLE {{db}}.spans {refusal}")
        self._segments = 0

    def load(self, *segments: Sequence[Sequence[str]], meanwhile: Callable[[Loader], None]) -> None:
        """Store segments of requests of spans of these names."""
        source, self.metrics = FakeSegments(), Metrics("test")
        loader = Loader(source, self.store, self.quarantine, self.metrics)
        made = [self._segment(requests) for requests in segments]
        source.seal(*made)
        loader.start()
        try:
            meanwhile(loader)
        finally:
            self.engine.failure = None
            is_done = loader.finish(60)
        assert is_done, loader.problem
        assert loader.problem == ""
        assert len(source.removed) == len(made)

    def names(self) -> list[str]:
        """Return the names of all stored spans, sorted."""
        return engine_lines(self.real, "SELECT toString(name) FROM lymer.spans ORDER BY 1")

    def set_aside(self) -> list[str]:
        """Return the names of spans in quarantine, sorted; each is alone, and has its reason."""
        names = []
        for path in self.quarantine.glob("*.otlp"):
            request = check_request(path.read_bytes())
            assert request.span_count == 1
            names += [name for name in _REFUSALS if name.encode() in path.read_bytes()]
            assert "Code: " in path.with_suffix(".reason.txt").read_text()
        return sorted(names)

    def _segment(self, requests: Sequence[Sequence[str]]) -> SealedSegment:
        self._segments += 1
        number = 1_795_365_821_000_000 + self._segments
        path = self.folder / f"{number:020d}.otlp"
        content, spans = b"", 0
        for names in requests:
            made = [make_span(7, 1 + n, name=name) for n, name in enumerate(names)]
            content += b"".join(encode_record(make_request(*made).SerializeToString(), len(names)))
            spans += len(names)
        path.write_bytes(content)
        return SealedSegment(number, path, spans, len(content))


@pytest.fixture
def refusing(tmp_path: Path) -> Iterator[_Refusing]:
    """Yield one, closed afterwards."""
    made = _Refusing(tmp_path)
    yield made
    made.store.close()


def _nothing(loader: Loader) -> None:
    """Let it work."""


def test_only_what_the_engine_refuses_is_set_aside(refusing: _Refusing) -> None:
    """Any kinds, anywhere in requests and segments: all others are stored, once."""
    seed = int(os.environ.get("LYMER_FUZZ_SEED") or random.SystemRandom().randrange(2**32))
    chance = random.Random(seed)
    segments = [
        [["good"] * chance.randint(1, 6) for _ in range(chance.randint(1, 3))] for _ in range(2)
    ]
    for name in _REFUSALS:
        request = chance.choice(chance.choice(segments))
        request[chance.randrange(len(request))] = name
    names = sorted(name for segment in segments for request in segment for name in request)

    refusing.load(*segments, meanwhile=_nothing)

    assert refusing.set_aside() == [one for one in names if one != "good"], f"seed {seed}"
    assert refusing.names() == [one for one in names if one == "good"], f"seed {seed}"
    tables = engine_lines(refusing.real, "SELECT name FROM system.tables WHERE database = 'lymer'")
    assert not [one for one in tables if "trial" in one]


def test_what_is_behind_does_not_wait(refusing: _Refusing) -> None:
    """While a segment is still tried, and health says so, a later one is stored."""

    def look(loader: Loader) -> None:
        wait_until(lambda: "behind" in refusing.names())
        assert not refusing.quarantine.exists()
        assert "VIOLATED_CONSTRAINT" in loader.problem

    refusing.load([["violates"]], [["behind"]], meanwhile=look)

    assert refusing.set_aside() == ["violates"]
    assert refusing.names() == ["behind"]
    aside = refusing.metrics.registry.get_sample_value("lymer_quarantine_requests_total")
    assert aside == 1


@pytest.mark.parametrize("kind", _AWAY)
def test_nothing_is_to_blame_while_the_store_takes_nothing(refusing: _Refusing, kind: str) -> None:
    """Neither good spans nor those it will refuse later, however often they were tried."""
    refusing.engine.failure = _AWAY[kind]

    def look(loader: Loader) -> None:
        wait_until(lambda: refusing.engine.failed >= 5)
        assert str(_AWAY[kind]) in loader.problem
        assert not refusing.quarantine.exists()

    refusing.load([["good", "throws"]], [["good"]], meanwhile=look)

    assert refusing.set_aside() == ["throws"]
    assert refusing.names() == ["good", "good"]
