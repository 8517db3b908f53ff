"""What may wait: bytes, and seconds of work."""

from __future__ import annotations

import pytest

from lymer.errors import OverloadedError
from lymer.journal.backlog import Backlog

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
