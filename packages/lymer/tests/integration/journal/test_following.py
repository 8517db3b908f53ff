"""A journal that is followed while it is written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fakes.segments import write_segment
from integration.journal.conftest import Bench
from lymer.errors import CorruptJournalError
from lymer.journal.reading import read_records
from lymer.journal.segments import WrittenSegment


def _seen(written: WrittenSegment) -> dict[int, int]:
    return {written.segment.segment_id: written.segment.byte_count}


def test_an_open_segment_is_news_whenever_it_grows(bench: Bench) -> None:
    """Up to the bytes that are durable; without news the wait ends."""
    journal = bench.open()
    bench.put(journal, "a")

    first = journal.take_written({}, 5)
    assert first is not None
    assert not first.is_sealed
    assert first.segment.byte_count == first.segment.path.stat().st_size
    assert journal.take_written(_seen(first), 0.01) is None

    bench.put(journal, "b")
    second = journal.take_written(_seen(first), 5)
    assert second is not None
    assert (second.segment.segment_id, second.segment.span_count) == (first.segment.segment_id, 2)


def test_a_follower_is_woken_by_the_next_group(bench: Bench) -> None:
    """It does not poll."""
    journal = bench.open()
    bench.put(journal, "a")
    seen = journal.take_written({}, 5)
    assert seen is not None
    journal.append(b"b", 1, "b")

    news = journal.take_written(_seen(seen), 5)

    assert news is not None
    assert news.segment.span_count == 2


def test_a_sealed_segment_is_told_once(bench: Bench) -> None:
    """With its final size, and before the one that is open now; also at the end."""
    journal = bench.open(segment_bytes_max=10)
    bench.put(journal, "a")
    bench.put(journal, "b")

    told = [journal.take_written({}, 5) for _ in range(2)]
    assert [one is not None and one.is_sealed for one in told] == [True, True]
    journal.close()
    assert journal.take_written({}, 0) is None


def test_open_segments_of_all_tenants_are_followed(bench: Bench) -> None:
    """One tenant's news does not wait for another's segment to be sealed."""
    journal = bench.open()
    for tenant in ("a", "b"):
        journal.append(tenant.encode(), 1, tenant, tenant)
    bench.answers(2)
    seen: dict[int, int] = {}
    found = []
    for _ in range(2):
        news = journal.take_written(seen, 5)
        assert news is not None
        found.append(news.segment.tenant)
        seen |= _seen(news)

    assert found == ["a", "b"]
    assert journal.take_written(seen, 0.01) is None


def test_closing_seals_what_was_followed(bench: Bench) -> None:
    """The follower learns that there will be no more."""
    journal = bench.open()
    bench.put(journal, "a")
    seen = journal.take_written({}, 5)
    assert seen is not None
    journal.close()

    last = journal.take_written(_seen(seen), 5)

    assert last is not None
    assert last.is_sealed
    assert last.segment.byte_count == seen.segment.byte_count


def test_an_old_segment_is_sealed_when_there_is_no_news(bench: Bench) -> None:
    """So that it can be removed."""
    journal = bench.open(segment_age_seconds_max=60)
    bench.put(journal, "a")
    seen = journal.take_written({}, 5)
    assert seen is not None
    bench.age_seconds = 61

    sealed = journal.take_written(_seen(seen), 5)

    assert sealed is not None
    assert sealed.is_sealed


def test_records_are_read_a_megabyte_at_a_time(tmp_path: Path) -> None:
    """Every record once, in order; one that is larger is read whole."""
    bodies = [bytes([number]) * 300_000 for number in range(7)] + [b"x" * 3_000_000, b"y"]
    segment = write_segment(tmp_path, 1, *bodies)
    found, offset, reads = [], 0, 0
    while offset < segment.byte_count:
        records, offset, lost = read_records(segment.path, offset, segment.byte_count)
        assert lost == 0
        found += [record.body for record in records]
        reads += 1

    assert bodies == found
    assert reads == 4


def test_what_is_not_durable_yet_is_not_read(tmp_path: Path) -> None:
    """The end is what the journal says, not the file's."""
    segment = write_segment(tmp_path, 1, b"a", b"b")

    records, offset, _ = read_records(segment.path, 0, segment.byte_count // 2)

    assert [record.body for record in records] == [b"a"]
    assert offset == segment.byte_count // 2


def test_a_changed_byte_costs_one_record(tmp_path: Path) -> None:
    """Those before and behind it are read, and what is lost is told."""
    segment = write_segment(tmp_path, 1, b"a" * 50, b"b" * 50, b"c" * 50)
    third = segment.byte_count // 3
    with segment.path.open("r+b") as file:
        file.seek(third + 20)
        file.write(b"!")
    found, offset, lost = [], 0, 0
    while offset < segment.byte_count:
        records, offset, skipped = read_records(segment.path, offset, segment.byte_count)
        found += [record.body for record in records]
        lost += skipped

    assert [b"a" * 50, b"c" * 50] == found
    assert lost == third


def test_a_file_that_is_gone_is_an_error(tmp_path: Path) -> None:
    """Not an empty answer."""
    with pytest.raises(CorruptJournalError, match=os.strerror(2)):
        read_records(tmp_path / "absent", 0, 10)
