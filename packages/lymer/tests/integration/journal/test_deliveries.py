"""What agents have delivered: remembered over restarts, within limits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fakes.segments import write_segment
from lymer.errors import CorruptJournalError
from lymer.journal import deliveries as limits
from lymer.journal.deliveries import Deliveries
from lymer.journal.delivery import Delivery
from lymer.model.segment import SealedSegment

AGENT, OTHER = b"a" * 16, b"b" * 16
Open = Callable[..., Deliveries]


@pytest.fixture
def reopen(tmp_path: Path) -> Open:
    """Open on the same file each time, as starts do."""

    def opened(agents_max: int = 100) -> Deliveries:
        return Deliveries(tmp_path / "deliveries", agents_max=agents_max)

    return opened


def _segment(folder: Path, segment_id: int, *deliveries: Delivery) -> SealedSegment:
    (folder / "journal").mkdir(exist_ok=True)
    bodies = [delivery.behind(b"body") for delivery in deliveries]
    return write_segment(folder / "journal", segment_id, b"of nobody", *bodies)


def test_a_name_is_known_once_it_was_added(reopen: Open) -> None:
    """And no other."""
    known = reopen()
    known.add(Delivery(AGENT, 10, 3))

    assert known.has(Delivery(AGENT, 10, 3))
    assert known.has(Delivery(AGENT, 10, 3, part=2))
    assert not known.has(Delivery(AGENT, 10, 2))
    assert not known.has(Delivery(AGENT, 11, 3))
    assert not known.has(Delivery(OTHER, 10, 3))


def test_what_an_agent_is_done_with_is_known_and_costs_nothing(reopen: Open) -> None:
    """A request that took a detour for hours is not stored a second time."""
    known = reopen()
    known.add(Delivery(AGENT, 10, 3))
    known.add(Delivery(AGENT, 12, 0, settled=11))

    assert known.has(Delivery(AGENT, 10, 9))
    assert known.has(Delivery(AGENT, 11, 0))
    assert not known.has(Delivery(AGENT, 12, 1))
    assert not known.has(Delivery(OTHER, 10, 9))


def test_names_in_segments_are_found_again_after_a_crash(reopen: Open, tmp_path: Path) -> None:
    """They are as durable as the requests; nothing else was written."""
    segment = _segment(tmp_path, 1, Delivery(AGENT, 10, 0), Delivery(AGENT, 10, 1, part=2))
    known = reopen()
    assert not known.has(Delivery(AGENT, 10, 0))

    known.recover([segment])

    assert known.has(Delivery(AGENT, 10, 0))
    assert known.has(Delivery(AGENT, 10, 1, part=2))
    assert not known.has(Delivery(AGENT, 10, 1))


def test_settling_a_segment_writes_its_names_down(reopen: Open, tmp_path: Path) -> None:
    """Also those nobody has added yet; then the segment may go."""
    known = reopen()
    known.add(Delivery(OTHER, 5, 7, settled=4))
    segment = _segment(tmp_path, 1, Delivery(AGENT, 10, 0), Delivery(AGENT, 10, 5, part=3))

    known.settle(segment)
    segment.path.unlink()

    again = reopen()
    assert again.has(Delivery(AGENT, 10, 0))
    assert again.has(Delivery(AGENT, 10, 5, part=3))
    assert again.has(Delivery(OTHER, 5, 7))
    assert again.has(Delivery(OTHER, 4, 0))
    assert not again.has(Delivery(OTHER, 5, 6))


def test_who_has_no_agents_writes_nothing(reopen: Open, tmp_path: Path) -> None:
    """Nor reads its segments once more."""
    known = reopen()

    known.settle(SealedSegment(1, tmp_path / "absent", 1, 1))

    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_says_so(reopen: Open, tmp_path: Path) -> None:
    """The segment must stay; a later one writes it all."""
    known = reopen()
    known.add(Delivery(AGENT, 10, 0))
    segment = _segment(tmp_path, 1)
    blocked = tmp_path / "deliveries.new"
    blocked.mkdir()

    with pytest.raises(OSError, match="directory"):
        known.settle(segment)

    blocked.rmdir()
    known.settle(segment)
    assert reopen().has(Delivery(AGENT, 10, 0))


def test_agents_beyond_the_limit_are_forgotten_longest_silent_first(reopen: Open) -> None:
    """Memory is bounded whoever comes."""
    known = reopen(agents_max=3)
    names = [bytes([number]) * 16 for number in range(4)]
    for name in names[:3]:
        known.add(Delivery(name, 1, 0))
    known.add(Delivery(names[0], 1, 1))

    known.add(Delivery(names[3], 1, 0))

    assert [known.has(Delivery(name, 1, 0)) for name in names] == [True, False, True, True]
    assert known.agents == 3


def test_memory_for_marks_is_bounded(reopen: Open) -> None:
    """Agents that say large numbers push each other out, and not the process."""
    known = reopen(agents_max=10**6)
    most = limits.MARKS_BYTES_MAX // 2**20
    for number in range(most + 10):
        known.add(Delivery(number.to_bytes(16, "big"), 1, 2**23 - 1))

    assert known.agents == most


def test_an_agent_has_only_so_many_segments(reopen: Open) -> None:
    """The oldest go first."""
    known = reopen()
    for segment in range(1, limits.SEGMENTS_MAX + 2):
        known.add(Delivery(AGENT, segment, 0))

    assert not known.has(Delivery(AGENT, 1, 0))
    assert known.has(Delivery(AGENT, 2, 0))


@pytest.mark.parametrize("content", [b"", b"junk", b"\x92\x02\x90", b"\x92\x01\x91\x01"])
def test_a_file_nobody_can_read_stops_the_start(
    reopen: Open, tmp_path: Path, content: bytes
) -> None:
    """To go on would store things twice, silently; the message says what to do."""
    (tmp_path / "deliveries").write_bytes(content)

    with pytest.raises(CorruptJournalError, match="remove it to go on"):
        reopen()
