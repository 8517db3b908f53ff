"""What may wait: bytes, and seconds of work."""

from __future__ import annotations

from pathlib import Path

import pytest

from lymer.errors import OverloadedError
from lymer.journal.backlog import Backlog
from lymer.model.segment import SealedSegment

_MIB = 2**20


def test_work_is_bounded_in_seconds() -> None:
    """A store of 10 MiB/s may have 300 MiB waiting for 30 s, and a fast one what fits."""
    backlog = Backlog(2**31, is_shared=False)
    backlog.check_room("", 2**30)
    backlog.limit_work(10 * _MIB, 30)
    backlog.check_room("", 300 * _MIB)
    with pytest.raises(OverloadedError, match="30 s of work"):
        backlog.check_room("", 301 * _MIB)
    backlog.limit_work(1000 * _MIB, 30)
    backlog.check_room("", 2**31)
    with pytest.raises(OverloadedError, match=f"the limit is {2**31}$"):
        backlog.check_room("", 2**31 + 1)


def test_a_slow_store_still_takes_two_segments() -> None:
    """Or nobody could send at all."""
    backlog = Backlog(2**31, is_shared=False)
    backlog.limit_work(1, 30)
    backlog.check_room("", 64 * _MIB)


def test_the_rate_is_learnt_from_segments_that_were_taken_and_stored() -> None:
    """A mean that follows; what was never taken, or is small, says nothing."""

    def segment(number: int, byte_count: int) -> SealedSegment:
        return SealedSegment(number, Path("x"), 1, byte_count)

    backlog = Backlog(2**31, 10, is_shared=False)
    for number, size in enumerate([20 * _MIB, 1000, 20 * _MIB]):
        backlog.hold_stored("", size)
        if number < 2:
            backlog.put(segment(number, size))
            assert backlog.take(now=100.0) == segment(number, size)
        backlog.remove(segment(number, size), now=102.0)

    assert backlog.stored_bytes == 0
    backlog.check_room("", 100 * _MIB)
    with pytest.raises(OverloadedError, match=f"the limit is {100 * _MIB}, 10 s of work"):
        backlog.check_room("", 100 * _MIB + 1)
