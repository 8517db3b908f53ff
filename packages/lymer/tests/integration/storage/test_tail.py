"""Following spans as they are stored: what is new is told once, of the tenant that asks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lymer.errors import QuestionError
from lymer.query.tail import Follower
from lymer.storage.clickhouse.engine_chdb import ChdbEngine
from lymer.storage.clickhouse.store import ClickHouseStore
from lymer.tenancy import DEFAULT_TENANT
from make import START, make_request, make_span, write_segment_file

FIRST = START // 1_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ClickHouseStore]:
    """Yield an empty store."""
    engine = ChdbEngine(tmp_path / "engine", memory_bytes_max=900 * 2**20)
    made = ClickHouseStore(engine, retention_seconds=10**9, memory_bytes_max=900 * 2**20)
    yield made
    made.close()


def test_what_is_stored_is_told_once(store: ClickHouseStore, tmp_path: Path) -> None:
    """Whether a trace grows, comes late, or does not match; and where a follower comes back."""

    def add(number: int, *spans: object) -> None:
        segment = FIRST + number * 1_000_000
        store.write_segment(
            write_segment_file(tmp_path, make_request(*spans), segment_id=segment)  # type: ignore[arg-type]
        )

    add(0, make_span(1, 1, 0))
    reader = store.for_tenant(DEFAULT_TENANT)
    follower = Follower(reader, "{ }", lambda: START + 10 * 10**9)
    assert follower.look().spans == ()
    add(1, make_span(1, 2, 1), make_span(2, 1, 0))
    found = follower.look()
    assert len(found.spans) == 3  # the whole of trace 1, of which nothing was told
    services = {dict(one.span.values)["service.name"][1] for one in found.spans}
    assert services == {"shop"}
    assert follower.look().spans == ()
    add(2, make_span(1, 3, 1))
    (new,) = follower.look().spans
    assert new.span.span_id.endswith("3")
    again = Follower(reader, "{ }", lambda: START + 10 * 10**9, found.segment)
    assert {one.trace_id for one in again.look().spans} == {new.trace_id}
    nothing = Follower(reader, '{ name = "nobody" }', lambda: START + 10 * 10**9)
    nothing.look()
    add(3, make_span(3, 1, 0))
    assert nothing.look().spans == ()
    with pytest.raises(QuestionError, match="cannot follow numbers"):
        Follower(reader, "{ } | rate()", lambda: 0)
