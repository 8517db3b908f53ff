"""The store remembers offsets, and lets only whoever has a partition now write for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.clickhouse_server import start_server
from fakes.two_collectors import open_collector
from lymer.errors import StorageError
from lymer.model.offset_range import OffsetRange, RangeSegment
from lymer.storage.clickhouse.store import ClickHouseStore
from make import make_request, make_span, write_segment_file

_RANGE = OffsetRange(3, 9, (RangeSegment("", 7, 2), RangeSegment("a'b", 8, 1)))


@pytest.fixture(scope="module")
def stores(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[ClickHouseStore, ClickHouseStore]]:
    """Return what two ingesters have open of one server."""
    folder = tmp_path_factory.mktemp("offsets")
    process, url = start_server(folder / "server")
    made = open_collector(url, folder / "first"), open_collector(url, folder / "second")
    yield made
    for store in made:
        store.close()
    process.kill()
    process.wait()


def test_the_last_range_is_remembered(stores: tuple[ClickHouseStore, ClickHouseStore]) -> None:
    """By whoever asks, for each partition."""
    claim = stores[0].claim_partition("c/t", 0)
    assert claim.read() is None
    claim.write(OffsetRange(0, 3, ()))
    claim.write(_RANGE)

    assert stores[1].claim_partition("c/t", 0).read() == _RANGE
    assert stores[1].claim_partition("c/t", 1).read() is None


def test_who_had_a_partition_before_writes_nothing(
    stores: tuple[ClickHouseStore, ClickHouseStore], tmp_path: Path
) -> None:
    """Not spans, not offsets, however late it wakes up; who has it now does."""
    first, second = stores
    segment_id = first.next_segment_id(1_795_365_821_000_000)  # an id of 1970 is past retention
    segment = write_segment_file(tmp_path, make_request(make_span(1, 1)), segment_id=segment_id)
    paused = first.claim_partition("c/moves", 0)
    paused.write(OffsetRange(0, 1, (RangeSegment("", segment_id, 1),)))
    now = second.claim_partition("c/moves", 0)

    with paused.guarding(), pytest.raises(StorageError, match="lease_"):
        first.write_segment(segment)
    with pytest.raises(StorageError, match="lease_"):
        paused.write(_RANGE)
    assert second.stored_spans(segment) == 0
    with now.guarding():
        second.write_segment(segment)
    now.write(_RANGE)
    assert second.stored_spans(segment) == 1
    assert now.read() == _RANGE
