"""Writing segments: each exactly once, whole or not at all."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from contract.storage.conftest import Store, only
from lymer.errors import UndecodableError
from lymer.model.question import DependencyLink
from lymer.storage.contract import SealedSegment
from make import make_request, make_span, span_hex, trace_hex, write_segment_file

# Through the storage API nothing is written: `remote` writes as `clickhouse` does.
pytestmark = only("memory", "clickhouse", "two-collectors", "two-shards")


def span_ids(store: Store, trace: int = 1) -> list[str]:
    """Return the ids of all stored spans of a trace."""
    return store.get_traces([trace_hex(trace)], raw=True, skeleton=True).span_id


def test_recovering_a_written_segment_stores_nothing_twice(store: Store, tmp_path: Path) -> None:
    """Write once, recover twice: each span is there once, in every derived answer too."""
    segment = write_segment_file(tmp_path, make_request(make_span(1, 1), make_span(1, 2, 1)))

    store.write_segment(segment)
    store.recover_segment(segment)
    store.recover_segment(segment)

    assert [span_hex(1), span_hex(2)] == span_ids(store)
    assert store.get_summaries([trace_hex(1)])[0].span_count == 2
    assert sum(row.call_count for row in store.get_red(0, 2**62, "")) == 2
    assert [link.call_count for link in store.get_dependencies(0, 2**62)] == [1]


def test_recovering_an_unwritten_segment_stores_it(store: Store, tmp_path: Path) -> None:
    """What the crash left out is stored once."""
    segment = write_segment_file(tmp_path, make_request(make_span(1, 1)))

    store.recover_segment(segment)
    store.recover_segment(segment)

    assert [span_hex(1)] == span_ids(store)


def test_equal_spans_in_two_segments_are_both_stored(store: Store, tmp_path: Path) -> None:
    """A sender that repeats itself is not the store's to correct."""
    for segment_id in (1_795_365_821_000_000, 1_795_365_822_000_000):
        store.write_segment(
            write_segment_file(tmp_path, make_request(make_span(1, 1)), segment_id=segment_id)
        )

    assert [span_hex(1)] * 2 == span_ids(store)


def test_a_trace_may_come_in_many_requests_and_segments(store: Store, tmp_path: Path) -> None:
    """Spans of one trace are read together."""
    for number in range(1, 6):
        requests = [make_request(make_span(1, 10 * number + one)) for one in range(3)]
        store.write_segment(
            write_segment_file(tmp_path, *requests, segment_id=1_795_365_821_000_000 + number)
        )

    assert len(set(span_ids(store))) == 15


def test_a_segment_that_cannot_be_decoded_stores_nothing(store: Store, tmp_path: Path) -> None:
    """Not even the requests before the bad one; and the next segment is stored."""
    good = write_segment_file(tmp_path, make_request(make_span(1, 1)))
    bad_path = tmp_path / "bad.segment"
    for number, garbage in enumerate((b"\x05abc", b"\x03\xff\xff\xff", b"\xff" * 12)):
        bad_path.write_bytes(good.path.read_bytes() + garbage)
        bad = SealedSegment(1_795_365_820_000_000 + number, bad_path, 2, bad_path.stat().st_size)
        with pytest.raises(UndecodableError):
            store.write_segment(bad)
    assert span_ids(store) == []

    store.write_segment(good)
    assert [span_hex(1)] == span_ids(store)


def test_a_segment_in_parts_is_stored_once(store: Store, tmp_path: Path) -> None:
    """Whatever parts are there, some twice as after a crash: `recover_segment` makes it whole."""
    cases: list[list[int]] = [[1, 2], [2, 1], [1], [2], [], [1, 2, 1]]
    for trace, parts in enumerate(cases, 1):
        requests = {number: make_request(make_span(trace, number)) for number in (1, 2)}
        segment_id = 1_795_365_821_000_000 + trace
        whole = write_segment_file(tmp_path, *requests.values(), segment_id=segment_id)
        for place, number in enumerate(parts):
            folder = tmp_path / f"{trace} {place}"
            folder.mkdir()
            store.write_part(whole, write_segment_file(folder, requests[number]).path)
        store.recover_segment(whole)
        store.recover_segment(whole)

    for trace, parts in enumerate(cases, 1):
        assert sorted(span_ids(store, trace)) == [span_hex(1), span_hex(2)], parts


def test_a_trial_stores_nothing(store: Store, tmp_path: Path) -> None:
    """Neither spans nor what is known of them, and the segment is stored as if it had not been."""
    segment = write_segment_file(tmp_path, make_request(make_span(1, 1), service="tried"))

    store.try_part(segment, segment.path)
    store.try_part(segment, segment.path)

    assert span_ids(store) == []
    assert store.get_services() == []
    store.write_segment(segment)
    assert span_ids(store) == [span_hex(1)]


def test_what_counts_waits_for_a_segment_in_parts(store: Store, tmp_path: Path) -> None:
    """Later segments are stored meanwhile; its calls are counted once, when it is whole."""
    call = [make_span(1, 1, kind=3), make_span(1, 2, kind=2, parent=1)]
    first, second = (
        make_request(span, service=name) for span, name in zip(call, ("shop", "stock"), strict=True)
    )
    whole = write_segment_file(tmp_path, first, second)
    folder = tmp_path / "part"
    folder.mkdir()
    store.expect([whole])
    later = write_segment_file(
        tmp_path, make_request(make_span(2, 9), service="late"), segment_id=whole.segment_id + 5
    )

    store.write_part(whole, write_segment_file(folder, first).path)
    store.announce(whole)
    store.write_segment(later)
    before = store.get_dependencies(0, 2**62)
    store.recover_segment(whole)

    assert before == []
    assert store.get_dependencies(0, 2**62) == [DependencyLink("shop", "stock", 1)]


def test_a_bad_part_stores_nothing(store: Store, tmp_path: Path) -> None:
    """And the parts before it stay, until the segment is whole."""
    whole = write_segment_file(tmp_path, make_request(make_span(1, 1)))
    bad = tmp_path / "bad.part"
    bad.write_bytes(b"\x05abc")

    with pytest.raises(UndecodableError):
        store.write_part(whole, bad)
    store.recover_segment(whole)

    assert span_ids(store) == [span_hex(1)]


def test_an_empty_segment_is_fine(store: Store, tmp_path: Path) -> None:
    """No requests, requests without spans: nothing is stored, nothing fails."""
    store.write_segment(write_segment_file(tmp_path, segment_id=1_795_365_821_000_000))
    store.write_segment(
        write_segment_file(tmp_path, make_request(), segment_id=1_795_365_822_000_000)
    )

    assert store.get_services() == []


def test_questions_may_come_from_many_threads_while_segments_are_written(
    store: Store, tmp_path: Path
) -> None:
    """A reader never sees a part of a segment, and no call fails."""
    failures: list[str] = []
    written = threading.Event()

    def read() -> None:
        while not written.is_set():
            count = len(span_ids(store))
            if count % 50:
                failures.append(f"saw {count} spans")
                return

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for number in range(4):
        spans = [make_span(1, 1_000 * number + one + 1) for one in range(50)]
        store.write_segment(
            write_segment_file(
                tmp_path, make_request(*spans), segment_id=1_795_365_821_000_000 + number
            )
        )
    written.set()
    for reader in readers:
        reader.join()

    assert failures == []
    assert len(span_ids(store)) == 200
