"""Under which name a segment is delivered, over restarts and copies."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lymer.errors import CorruptJournalError
from lymer.journal.agent_names import AgentNames
from lymer.model.segment import SealedSegment


def _segments(*numbers: int) -> list[SealedSegment]:
    return [SealedSegment(number, Path(str(number)), 1, 1) for number in numbers]


def test_what_a_start_leaves_keeps_its_name(tmp_path: Path) -> None:
    """Each start has a name of its own for what it makes."""
    file = tmp_path / "agent.json"
    first = AgentNames(file, [])
    second = AgentNames(file, _segments(10, 12))
    third = AgentNames(file, _segments(12, 20))

    assert len({first.own, second.own, third.own}) == 3
    assert first.own == first.of(12) == second.of(12) == third.of(12)
    assert second.own == second.of(13) == third.of(20)
    assert third.own == third.of(21)


def test_names_nobody_needs_are_forgotten(tmp_path: Path) -> None:
    """The file does not grow with every start."""
    file = tmp_path / "agent.json"
    for _ in range(20):
        AgentNames(file, [])
    small = file.stat().st_size
    for start in range(20):
        AgentNames(file, _segments(start + 1))

    assert file.stat().st_size < 3 * small
    assert file.stat().st_mode & 0o077 == 0


def test_a_clock_that_went_back_gives_no_old_name(tmp_path: Path) -> None:
    """Without segments left, a smaller id is as new as any."""
    file = tmp_path / "agent.json"
    first = AgentNames(file, [])
    second = AgentNames(file, [])

    assert first.own != second.of(1)


def test_two_copies_of_a_disk_share_only_what_is_on_it(tmp_path: Path) -> None:
    """Or one of two machines made of one image would seem to repeat the other."""
    original, copy = tmp_path / "a", tmp_path / "b"
    made = AgentNames(original, [])
    shutil.copy(original, copy)

    one, other = AgentNames(original, _segments(5)), AgentNames(copy, _segments(5))

    assert made.own == one.of(5) == other.of(5)
    assert one.of(6) != other.of(6)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"runs": [{"name": "00"}]}'])
def test_a_file_nobody_can_read_stops_the_start(tmp_path: Path, content: str) -> None:
    """The message says what it is for and what to do."""
    file = tmp_path / "agent.json"
    file.write_text(content)

    with pytest.raises(CorruptJournalError, match="remove it to go on"):
        AgentNames(file, [])
