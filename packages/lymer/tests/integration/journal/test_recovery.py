"""What a start finds in the folder a crash left."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from integration.journal.conftest import Bench, bodies
from lymer.errors import CorruptJournalError
from lymer.journal.record import encode_record
from lymer.journal.recovery import open_records, recover_segments, segment_path
from lymer.model.segment import SealedSegment


def _records(*names: str) -> list[bytes]:
    return [b"".join(encode_record(name.encode() * 20, 1)) for name in names]


def _write(folder: Path, segment_id: int, content: bytes) -> Path:
    path = segment_path(folder, segment_id)
    path.write_bytes(content)
    return path


def _names(segment: SealedSegment) -> list[str]:
    return [body[: len(body) // 20].decode() for body in bodies(segment)]


def test_segments_come_back_oldest_first(tmp_path: Path) -> None:
    """With ids, counts and sizes as they were; other files are nobody's business."""
    for segment_id in (30, 4, 200):
        _write(tmp_path, segment_id, b"".join(_records(f"a{segment_id}", "b")))
    (tmp_path / "notes.txt").write_text("an operator's")
    (tmp_path / "backup.otlp").write_bytes(b"not ours either")

    found = recover_segments(tmp_path)

    assert [(one.segment_id, one.span_count) for one in found] == [(4, 2), (30, 2), (200, 2)]
    assert [_names(one) for one in found] == [["a4", "b"], ["a30", "b"], ["a200", "b"]]
    assert [one.byte_count for one in found] == [one.path.stat().st_size for one in found]
    assert (tmp_path / "notes.txt").exists()
    assert (tmp_path / "backup.otlp").exists()


def test_a_torn_tail_is_cut_wherever_it_was_torn(tmp_path: Path) -> None:
    """Cut at every byte of the last record: the records before it stay, the file ends there."""
    first, second = _records("first", "second")
    for size in range(1, len(second)):
        path = _write(tmp_path, 7, first + second[:size])

        (segment,) = recover_segments(tmp_path)

        assert _names(segment) == ["first"]
        assert path.read_bytes() == first
        assert segment.byte_count == len(first)


@pytest.mark.parametrize("tail", [bytes(4096), b"\xff" * 100, b"\x14short"])
def test_a_tail_of_anything_is_cut(tmp_path: Path, tail: bytes) -> None:
    """Zeros after a power loss, old blocks, a length whose record is not there."""
    (first,) = _records("first")
    path = _write(tmp_path, 7, first + tail)

    (segment,) = recover_segments(tmp_path)

    assert path.read_bytes() == first
    assert segment.span_count == 1


@pytest.mark.parametrize("content", [b"", bytes(4096), _records("never whole")[0][:-1]])
def test_a_segment_without_a_whole_record_is_removed(tmp_path: Path, content: bytes) -> None:
    """Nothing in it was acknowledged."""
    path = _write(tmp_path, 7, content)

    assert recover_segments(tmp_path) == []
    assert not path.exists()


def test_damage_costs_the_damaged_record_and_not_its_neighbours(tmp_path: Path) -> None:
    """A flipped bit anywhere in the middle record: the ones before and behind it are kept."""
    first, second, third, fourth = _records("first", "second", "third", "fourth")
    for position in range(len(second)):
        damaged = bytearray(second)
        damaged[position] ^= 0x10
        path = _write(tmp_path, 7, first + bytes(damaged) + third + fourth)

        (segment,) = recover_segments(tmp_path)

        # Where the mark of the record's own end is hit, the next mark is one record further.
        tag_is_hit = len(second) - 11 <= position < len(second) - 8
        expected = ["first", "fourth"] if tag_is_hit else ["first", "third", "fourth"]
        assert _names(segment) == expected, position
        assert segment.byte_count == path.stat().st_size
        assert segment.span_count == len(expected)
        assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_recovering_twice_is_recovering_once(tmp_path: Path) -> None:
    """A crash in the middle of a recovery is no different from one before it."""
    first, second, third = _records("first", "second", "third")
    _write(tmp_path, 7, first + second[:-8] + bytes(8) + third + b"torn")

    once = recover_segments(tmp_path)
    contents = [one.path.read_bytes() for one in once]

    assert recover_segments(tmp_path) == once
    assert [one.path.read_bytes() for one in once] == contents
    assert _names(once[0]) == ["first", "third"]


def test_what_a_cut_short_rewrite_left_is_removed(tmp_path: Path) -> None:
    """The segment it was to replace is still whole."""
    (first,) = _records("first")
    path = _write(tmp_path, 7, first)
    path.with_suffix(".rewrite").write_bytes(first[:5])
    path.with_suffix(".trial").write_bytes(first)

    (segment,) = recover_segments(tmp_path)

    assert _names(segment) == ["first"]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_cannot_be_read_stops_the_start(tmp_path: Path) -> None:
    """Acknowledged spans may be in it: going on without them would hide that."""
    _write(tmp_path, 7, _records("first")[0]).chmod(0)

    with pytest.raises(
        CorruptJournalError, match=rf"{7:020d}\.otlp: .*{os.strerror(errno.EACCES)}"
    ):
        recover_segments(tmp_path)


def test_a_folder_with_the_name_of_a_segment_is_passed_over(tmp_path: Path) -> None:
    """No request was ever acknowledged into it; it stays where it is."""
    segment_path(tmp_path, 7).mkdir()

    assert recover_segments(tmp_path) == []
    assert segment_path(tmp_path, 7).is_dir()


def test_what_the_journal_wrote_is_recovered(bench: Bench) -> None:
    """Without a close, as after kill -9: the open segment is there too."""
    journal = bench.open(segment_bytes_max=100)
    for number in range(3):
        bench.put(journal, f"request {number}", f"request {number} ".encode() * 5)

    found = recover_segments(bench.folder)

    assert [body[:9] for one in found for body in bodies(one)] == [
        b"request 0",
        b"request 1",
        b"request 2",
    ]


def test_an_open_file_can_be_left_early(tmp_path: Path) -> None:
    """Reading only the first record lets the mapping go."""
    path = _write(tmp_path, 7, b"".join(_records("first", "second")))

    with open_records(path) as records:
        assert bytes(next(records).body) == b"first" * 20
    path.unlink()
