"""An answer is the statement's own, whole, or none."""

from __future__ import annotations

import re

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lymer.errors import StorageError
from lymer.storage.clickhouse.engine import Mark

VALUES = st.one_of(
    st.integers(0, 2**64 - 1), st.binary(max_size=20), st.lists(st.integers(0, 9), max_size=3)
)


def _rows(mark: Mark, count: int) -> bytes:
    number = int(re.findall(r"\d+", mark.put("SELECT {mark}"))[1])
    packed = [
        msgpack.packb(number) + msgpack.packb(b"own") + msgpack.packb(n) for n in range(count)
    ]
    return b"".join(packed)


@given(count=st.integers(0, 5), stray=st.lists(VALUES, min_size=1, max_size=7))
def test_what_stands_before_or_behind_an_answer_is_never_read(
    count: int, stray: list[object]
) -> None:
    """Whatever it is: values of another statement, whole rows of it, or some bytes."""
    mark = Mark()
    others = b"".join(msgpack.packb(value) for value in stray)
    answer = _rows(mark, count)

    assert mark.columns(answer, 2) == [[b"own"] * count, list(range(count))]
    for spoiled in (others + answer, answer + others, _rows(Mark(), 1) + answer):
        with pytest.raises(StorageError, match="cannot read the engine's answer"):
            mark.columns(spoiled, 2)


@given(cut=st.integers(1, 14))
def test_an_answer_that_ends_within_a_row_is_not_read(cut: int) -> None:
    """An integer of the mark has nine bytes, then four of text, and one."""
    mark = Mark()
    answer = _rows(mark, 2)

    if 0 < cut % 14 < 5:
        with pytest.raises(StorageError):
            mark.columns(answer[:-cut], 2)


def test_every_arm_bears_the_same_mark() -> None:
    """Two statements never do."""
    one, other = Mark().put("SELECT {mark} UNION ALL SELECT {mark}"), Mark().put("SELECT {mark}")
    first, second = (text.removeprefix("SELECT ") for text in one.split(" UNION ALL "))

    assert first == second
    assert not other.endswith(first)
